//! Crash points of a system of several hosts: a log behind the network, and a client that holds it
//! to what it answered.

#[expect(dead_code, reason = "not every mistake of the log is needed here")]
#[path = "../examples/crash_points/log.rs"]
mod log;

use log::{Bug, Log};
use storytime_machine::{
    Boot, BytesMut, Conn, Cx, DiskResult, Drive, Duration, Endpoint, Gone, Listen, Machine, Open,
    Process, Time, Token,
};
use storytime_sim::disk::{CrashPlan, Profile};
use storytime_sim::enumerate::{
    Flaw, FlawKind, WorldOptions, WorldReport, enumerate_world, replay_world,
};
use storytime_sim::{Config, DiskConfig, HostConfig, HostId, ProcessId, ProgramConfig, World};

const PORT: u16 = 7;
const LOG: HostId = HostId(0);
const CLIENT: HostId = HostId(1);
/// Numbers that the client wants kept.
const WANTED: u64 = 12;

/// Takes numbers, and tells how many it keeps.
struct Server {
    log: Log,
    client: Option<Conn>,
    told: Option<usize>,
}

impl Server {
    fn tell(&mut self, cx: &mut Cx) {
        let kept = self.log.kept().len();
        if let Some(client) = self.client
            && self.log.is_up()
            && self.told != Some(kept)
            && let Some(tx) = cx.tx(client)
        {
            self.told = Some(kept);
            tx.put(&(kept as u64).to_be_bytes());
        }
    }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.log.start(cx, boot);
        cx.listen(Token(0), Listen::at(Endpoint::any(PORT)));
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        self.log.disk(cx, op, result);
        self.tell(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        (self.client, self.told) = (Some(conn), None);
        self.tell(cx);
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        while let Some(number) = rx.first_chunk::<8>() {
            let number = u64::from_be_bytes(*number);
            let _ = rx.split_to(8);
            self.log.append(cx, number);
        }
        self.tell(cx);
    }
}

/// Wants numbers kept, one after the other, for as long as it takes.
#[derive(Default)]
struct Client {
    acknowledged: u64,
    /// It was told of more, and later of less.
    betrayed: bool,
}

impl Machine for Client {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let server = Endpoint::tcp([10, 0, 0, 0], PORT);
        cx.connect(Token(0), server, Duration::from_secs(1));
    }

    fn open(&mut self, cx: &mut Cx, _: Conn, _: Open) {
        cx.after(Token(0), Duration::from_secs(2));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while let Some(kept) = rx.first_chunk::<8>() {
            let kept = u64::from_be_bytes(*kept);
            let _ = rx.split_to(8);
            self.betrayed |= kept < self.acknowledged;
            self.acknowledged = self.acknowledged.max(kept);
            if kept < WANTED {
                cx.tx(conn).expect("it is open").put(&(kept + 1).to_be_bytes());
            }
        }
        // The server may be gone without a word: a new connection shows.
        cx.after(Token(0), Duration::from_secs(2));
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        self.start(cx, Boot { host: 0, worker: 0, incarnation: 0 });
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, _: Gone) {
        cx.after(Token(0), Duration::from_millis(100));
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, _: Gone) {
        cx.after(Token(0), Duration::from_millis(100));
    }
}

fn world(bug: Bug, profile: Profile) -> World {
    let mut world = World::new(Config::new(1));
    let disk = Some(DiskConfig::new(profile));
    let log = world.add_host(HostConfig { disk, ..HostConfig::new("log") });
    let client = world.add_host(HostConfig::new("client"));
    assert_eq!((log, client), (LOG, CLIENT));
    world.add_program(
        log,
        ProgramConfig::new("log", move |setup| {
            let server = Server { log: Log::new(bug), client: None, told: None };
            Box::new(Process::new(server, setup)) as Box<dyn Drive>
        }),
    );
    world.add_program(
        client,
        ProgramConfig::new("client", |setup| Box::new(Process::new(Client::default(), setup))),
    );
    world.power_on(log);
    world.power_on(client);
    world
}

fn check(world: &mut World) -> Result<(), Flaw> {
    let client = world.machine::<Client>(ProcessId(1)).expect("it is the client");
    let (acknowledged, betrayed) = (client.acknowledged as usize, client.betrayed);
    let server = world.machine::<Server>(ProcessId(0)).expect("it is the server");
    let kept = server.log.kept();
    if betrayed || kept.len() < acknowledged {
        return Err(Flaw::lost(format!("{} kept, {acknowledged} acknowledged", kept.len())));
    }
    if kept.iter().zip(1..).any(|(kept, asked)| *kept != asked) {
        return Err(Flaw::invented(format!("{kept:?}")));
    }
    Ok(())
}

fn options() -> WorldOptions {
    WorldOptions { every: 3, ..WorldOptions::new([LOG], Time(20_000_000_000)) }
}

/// The client got all that it wanted, in spite of everything.
fn finished(world: &mut World) -> Result<(), Flaw> {
    let client = world.machine::<Client>(ProcessId(1)).expect("it is the client");
    match client.acknowledged {
        WANTED => check(world),
        number => Err(Flaw::stuck(format!("only {number} are acknowledged"))),
    }
}

fn examine(bug: Bug, profile: Profile) -> WorldReport {
    enumerate_world(&options(), || world(bug, profile), finished)
}

#[test]
fn a_log_without_mistakes_holds_wherever_its_power_goes() {
    for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
        let report = examine(Bug::None, profile);
        report.assert_clean();
        assert!(report.points > 10 && report.states.everything > 0, "{report}");
        assert!(report.equal > 0, "what leaves the same is run once: {report}");
    }
}

#[test]
fn an_early_acknowledgement_is_found_and_its_recipe_leads_back() {
    let report = examine(Bug::EarlyAck, Profile::Posix);
    assert!(report.flaws_of(FlawKind::Lost) > 0, "{report}");
    let (recipe, flaw) = report.violations[0].clone();
    let recipe = recipe.expect("it needs a cut");
    assert_eq!((&recipe.hosts[..], recipe.cut.plan), (&[LOG][..], CrashPlan::Nothing));
    let build = || world(Bug::EarlyAck, Profile::Posix);
    assert_eq!(replay_world(&options(), build, finished, &recipe), Err(flaw));
    let fixed = || world(Bug::None, Profile::Posix);
    assert_eq!(replay_world(&options(), fixed, finished, &recipe), Ok(()));
}

#[test]
fn what_is_wrong_without_a_cut_is_said_first() {
    let build = || world(Bug::None, Profile::Posix);
    let report = enumerate_world(&options(), build, |_| Err(Flaw::lost("everything")));
    assert_eq!(report.violations, [(None, Flaw::lost("everything"))]);
    assert_eq!(report.states.total(), 0);
}

#[test]
fn hosts_may_lose_their_power_together_and_for_ever() {
    let targets = vec![vec![LOG, CLIENT]];
    let options = WorldOptions { targets, outage: None, every: 5, ..options() };
    let report = enumerate_world(
        &options,
        || world(Bug::None, Profile::Posix),
        |world| match [ProcessId(0), ProcessId(1)].map(|process| world.is_running(process)) {
            [true, true] if world.operations(LOG) > 30 => Ok(()), // Nobody was cut.
            [false, false] => Ok(()),
            running => Err(Flaw::invented(format!("running: {running:?}"))),
        },
    );
    report.assert_clean();
    assert!(report.points > 3, "{report}");
}
