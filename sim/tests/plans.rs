//! Fault plans over many seeds: whatever is hurt, every client is served again once all is healed.

#[path = "common/server.rs"]
mod server;

use server::{EchoServer, PORT};
use std::collections::BTreeSet;
use storytime_machine::{
    Boot, BytesMut, Close, Conn, Cx, Duration, Endpoint, Gone, Machine, Open, Process, Ratio, Token,
};
use storytime_sim::{
    Config, FaultPlan, HostConfig, Menu, Outcome, ProcessId, ProgramConfig, Ran, World, campaign,
};

const CONNECT: Token = Token(0);
const PATIENCE: Token = Token(1);
const PAUSE: Token = Token(2);
const THINK: Token = Token(3);

/// Asks again and again, and comes back whenever the connection is lost or silent.
struct Stubborn {
    server: Endpoint,
    conn: Option<Conn>,
    answered: u64,
}

impl Stubborn {
    fn ask(&mut self, cx: &mut Cx, conn: Conn) {
        if cx.buggify("stubborn.silence") {
            cx.reached("stubborn.fell-silent");
            return cx.after(PATIENCE, Duration::from_millis(10));
        }
        if let Some(tx) = cx.tx(conn) {
            tx.put(&self.answered.to_be_bytes());
        }
        cx.after(PATIENCE, Duration::from_secs(1));
    }

    fn pause(&mut self, cx: &mut Cx) {
        self.conn = None;
        cx.cancel(PATIENCE);
        cx.cancel(THINK);
        cx.after(PAUSE, Duration::from_millis(100));
    }
}

impl Machine for Stubborn {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.connect(CONNECT, self.server.clone(), Duration::from_secs(1));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.conn = Some(conn);
        self.ask(cx, conn);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        if rx.len() < 8 {
            return;
        }
        assert_eq!(rx[..], self.answered.to_be_bytes(), "another question's answer");
        rx.clear();
        self.answered += 1;
        cx.cancel(PATIENCE);
        cx.after(THINK, Duration::from_millis(20));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match (timer, self.conn) {
            (PATIENCE, Some(conn)) => cx.close(conn, Close::Abort),
            (THINK, Some(conn)) => self.ask(cx, conn),
            (PAUSE, None) => cx.connect(CONNECT, self.server.clone(), Duration::from_secs(1)),
            _ => {}
        }
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, _: Gone) {
        self.pause(cx);
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, _: Gone) {
        self.pause(cx);
    }
}

/// A server and four stubborn clients.
fn site(seed: u64) -> (World, Vec<ProcessId>, Menu) {
    let half = Ratio::new(1, 2);
    let config = Config { buggify: Some((half, Ratio::new(1, 50))), ..Config::new(seed) };
    let mut world = World::new(config);
    let server = world.add_host(HostConfig::new("server"));
    let echo = ProgramConfig::new("echo", |setup| Box::new(Process::new(EchoServer, setup)));
    let mut hosts = vec![(server, world.add_program(server, echo))];
    let to = Endpoint::tcp(world.ip(server), PORT);
    let mut clients = Vec::new();
    for n in 0..4 {
        let host = world.add_host(HostConfig::new(format!("client{n}")));
        let to = to.clone();
        let program = ProgramConfig::new("client", move |setup| {
            let client = Stubborn { server: to.clone(), conn: None, answered: 0 };
            Box::new(Process::new(client, setup))
        });
        let processes = world.add_program(host, program);
        clients.extend(&processes);
        hosts.push((host, processes));
    }
    for (host, _) in &hosts {
        world.power_on(*host);
    }
    let (gap, window) =
        (Duration::from_millis(300), (Duration::from_secs(1), Duration::from_secs(3)));
    let menu = Menu { hosts, budget: 2, safety: Duration::from_secs(15), gap, window };
    (world, clients, menu)
}

/// The safety phase, then: does everybody get answers once all is healed?
fn run(seed: u64, reached: &mut BTreeSet<&'static str>) -> Outcome {
    let (mut world, clients, menu) = site(seed);
    let plan = FaultPlan::draw(seed, &menu);
    plan.schedule(&mut world);
    let answered = |world: &mut World| -> Vec<u64> {
        let count = |&client| world.machine::<Stubborn>(client).map_or(0, |c| c.answered);
        clients.iter().map(count).collect()
    };
    // Longer than the patience of any connection that the safety phase left half-open.
    world.run_until(plan.heals_at + Duration::from_secs(10));
    let before = answered(&mut world);
    let ran = world.run_until(plan.heals_at + Duration::from_secs(12));
    let after = answered(&mut world);
    reached.extend(world.marks().iter().map(|(mark, _)| *mark));
    reached.extend(world.trace().records().map(|record| record.what));
    let stuck = before.iter().zip(&after).position(|(before, after)| before == after);
    let result = match (ran, stuck) {
        (Ran::Broken(failure), _) => Err(failure.to_string()),
        (_, Some(client)) => Err(format!("client{client} is not served after the healing")),
        _ => Ok(()),
    };
    let (digest, events) = (world.digest(), world.events());
    Outcome { seed, digest, events, drawn: plan.to_string(), result }
}

#[test]
fn every_client_is_served_again_after_any_plan() {
    let mut reached = BTreeSet::new();
    let tally = campaign(0..60, |seed| run(seed, &mut reached), |_| {});
    for failure in &tally.failures {
        println!("seed {}: {:?}\n  drawn: {}", failure.seed, failure.result, failure.drawn);
    }
    assert_eq!(tally.failed, 0, "see the seeds above");
    assert!(reached.contains("stubborn.fell-silent"), "a rare path was never taken");
}

#[test]
fn a_plan_repeats_by_its_seed() {
    let mut reached = BTreeSet::new();
    assert_eq!(run(7, &mut reached), run(7, &mut reached));
}
