//! What must not grow, seen from inside.

use super::{Config, World};
use crate::host::{HostConfig, HostId, ProcessId, ProgramConfig};
use storytime_machine::{
    Addr, Boot, Conn, Cx, Duration, Endpoint, Exit, IpAddr, Listen, Machine, Open, Process,
    ResolveError, Time, Token,
};

const SECOND: u64 = 1_000_000_000;

fn add<M: Machine>(
    world: &mut World,
    name: &str,
    make: impl Fn() -> M + 'static,
) -> (HostId, ProcessId) {
    let host = world.add_host(HostConfig::new(name));
    let program = move |setup| Box::new(Process::new(make(), setup)) as _;
    let process = world.add_program(host, ProgramConfig::new(name, program))[0];
    world.power_on(host);
    (host, process)
}

/// Keeps a long timer, and sets a short one for every look-up that is answered.
struct Impatient;

impl Machine for Impatient {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), Duration::from_secs(3600));
        cx.resolve(Token(0), "impatient");
    }

    fn resolved(&mut self, cx: &mut Cx, _: Token, _: Result<Vec<IpAddr>, ResolveError>) {
        cx.after(Token(1), Duration::from_millis(1));
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        cx.resolve(Token(0), "impatient");
    }
}

#[test]
fn short_timers_leave_no_alarms_behind() {
    let mut world = World::new(Config::new(1));
    add(&mut world, "impatient", || Impatient);
    world.run_until(Time(10 * SECOND));
    assert!(world.queue.len() <= 3, "two alarms or an alarm and a look-up: {}", world.queue.len());
}

/// Binds a port, and sends a datagram to it every millisecond.
struct Chatter;

impl Machine for Chatter {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.bind_datagram(Token(0), Addr::new([0, 0, 0, 0].into(), 9));
        cx.after(Token(0), Duration::from_millis(1));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        for host in 0..2 {
            let to = Addr::new([10, 0, 0, host].into(), 9);
            cx.send_to(Token(0), to, &b"word"[..]).expect("it is short");
        }
        cx.after(timer, Duration::from_millis(1));
    }
}

#[test]
fn datagrams_to_processes_that_end_before_they_hear_them_are_freed() {
    let mut world = World::new(Config::new(1));
    let (_, killed) = add(&mut world, "killed", || Chatter);
    let (dark, _) = add(&mut world, "dark", || Chatter);
    for second in 1..20 {
        world.run_until(Time(second * SECOND));
        let frozen = world.processes(if second % 2 == 0 { HostId(0) } else { dark })[0];
        world.freeze(frozen);
        world.run_until(Time(second * SECOND + SECOND / 10));
        world.kill(killed);
        world.power_cut(dark);
        world.start(killed);
        world.power_on(dark);
    }
    world.kill(killed);
    world.power_cut(dark);
    world.run_until(Time(30 * SECOND));
    assert_eq!(world.datagrams.items.len(), world.datagrams.free.len());
    assert!(world.datagrams.items.len() < 500, "places are used again");
}

/// Listens, connects to its peer, and exits at once when anything comes up.
struct Hasty {
    to: Endpoint,
}

impl Machine for Hasty {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(0), Listen::at(Endpoint::any(9)));
        for n in 0..8 {
            cx.connect(Token(n), self.to.clone(), Duration::from_millis(3));
        }
        cx.after(Token(0), Duration::from_millis(2));
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        cx.exit(Exit::Stopped);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        if cx.rng().below(4) == 0 {
            cx.exit(Exit::Stopped);
        } else if let Some(tx) = cx.tx(conn) {
            tx.put(b"word");
        }
    }
}

#[test]
fn connections_listeners_and_half_open_handshakes_all_end_when_their_processes_do() {
    let mut world = World::new(Config::new(1));
    let mut all = Vec::new();
    for n in 0..3u8 {
        let to = Endpoint::tcp([10, 0, 0, (n + 1) % 3], 9);
        all.push(add(&mut world, &format!("hasty{n}"), move || Hasty { to: to.clone() }));
    }
    let mut rng = storytime_machine::Rng::new(1, crate::streams::CALLERS);
    for _ in 0..2_000 {
        let next = world.now() + Duration::from_micros(rng.below(500));
        world.run_until(next);
        let (host, process) = all[rng.index(3)];
        let (from, to) = (host, all[rng.index(3)].0);
        match rng.below(8) {
            0 => world.kill(process),
            1 => world.power_cut(host),
            2 => world.power_on(host),
            3 => world.freeze(process),
            4 => world.thaw(process),
            5 if from != to => world.apply(&crate::Fault::Cut { from, to }),
            6 => world.apply(&crate::Fault::HealAll),
            _ => world.start(process),
        }
    }
    world.apply(&crate::Fault::HealAll);
    for &(_, process) in &all {
        world.kill(process);
    }
    // Orphans give up after two minutes.
    world.run_until(world.now() + Duration::from_secs(1000));
    assert_eq!(world.queue.len(), 0, "nothing is under way");
    assert!(world.net.listeners.iter().all(|l| !l.open && l.is_idle()));
    assert_eq!(world.net.pairs_in_use(), 0);
    assert!(world.net.ends.len() < 500, "places are used again: {}", world.net.ends.len());
}
