//! What the world does to processes: listen queues, windows, cores, clocks, memory, paths.

mod common;

use common::{Client, EchoServer, PORT, echo_world};
use storytime_machine::{
    Boot, BytesMut, Conn, Costs, Cx, Duration, Endpoint, Exit, Gone, Listen, Machine, Open,
    Process, Slots, Time, Token, Work,
};
use storytime_sim::{
    Clock, Config, Fault, HostConfig, HostId, Link, ProcessId, ProgramConfig, Ran, World,
};

const SECOND: u64 = 1_000_000_000;

/// Takes what it is told to take, and works on it as long as it is told to.
struct Server {
    slots: Slots,
    backlog: u32,
    work_units: u64,
    open: u32,
    bytes: usize,
}

impl Server {
    const WORK: Work = Work { index: 0, name: "test.unit" };

    const fn new(slots: Slots, backlog: u32) -> Self {
        Self { slots, backlog, work_units: 0, open: 0, bytes: 0 }
    }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        let at = Endpoint::any(PORT);
        cx.listen(Token(1), Listen { at, backlog: self.backlog, slots: self.slots });
    }

    fn open(&mut self, _: &mut Cx, _: Conn, _: Open) {
        self.open += 1;
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        self.bytes += rx.len();
        cx.work(Self::WORK, self.work_units);
        if let Some(tx) = cx.tx(conn) {
            tx.put(rx);
        }
        rx.clear();
    }
}

/// Connects some times, says a word on each, and notes what became of it.
struct Caller {
    to: Endpoint,
    calls: u64,
    apart: Duration,
    timeout: Duration,
    up: u32,
    answers: Vec<Time>,
    failed: Vec<Gone>,
    gone: Vec<Gone>,
}

impl Caller {
    const fn new(to: Endpoint, calls: u64, timeout: Duration) -> Self {
        Self {
            to,
            calls,
            apart: Duration::ZERO,
            timeout,
            up: 0,
            answers: Vec::new(),
            failed: Vec::new(),
            gone: Vec::new(),
        }
    }
}

impl Machine for Caller {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        for call in 0..self.calls {
            cx.after(Token(call), self.apart * call as u32);
        }
    }

    fn timer(&mut self, cx: &mut Cx, call: Token) {
        cx.connect(call, self.to.clone(), self.timeout);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.up += 1;
        if let Some(tx) = cx.tx(conn) {
            tx.put(b"word");
        }
    }

    fn data(&mut self, cx: &mut Cx, _: Conn, rx: &mut BytesMut) {
        self.answers.push(cx.now());
        rx.clear();
    }

    fn failed(&mut self, _: &mut Cx, _: Token, why: Gone) {
        self.failed.push(why);
    }

    fn gone(&mut self, _: &mut Cx, _: Conn, why: Gone) {
        self.gone.push(why);
    }
}

struct Cast {
    world: World,
    server_host: HostId,
    caller_host: HostId,
    server: ProcessId,
    caller: ProcessId,
}

/// A server and a caller on a host each.
fn cast(server: Server, cost_ns: u64, calls: u64, timeout: Duration) -> Cast {
    let mut world = World::new(Config::new(1));
    let server_host = world.add_host(HostConfig::new("server"));
    let mut server = Some(server);
    let mut program = ProgramConfig::new("server", move |setup| {
        Box::new(Process::new(server.take().expect("started once"), setup))
    });
    let mut costs = Costs::default();
    costs.0[usize::from(Server::WORK.index)] = cost_ns * 1000;
    program.costs = costs;
    let server = world.add_program(server_host, program)[0];
    world.power_on(server_host);
    let caller_host = world.add_host(HostConfig::new("caller"));
    let to = Endpoint::tcp(world.ip(server_host), PORT);
    let caller = ProgramConfig::new("caller", move |setup| {
        Box::new(Process::new(Caller::new(to.clone(), calls, timeout), setup))
    });
    let caller = world.add_program(caller_host, caller)[0];
    world.power_on(caller_host);
    Cast { world, server_host, caller_host, server, caller }
}

#[test]
fn the_kernel_accepts_more_than_the_process_and_the_rest_waits_and_times_out() {
    // Two slots, a queue of three, ten callers one after the other: two are served, three wait
    // without knowing it, five knock in vain.
    let mut cast = cast(Server::new(Slots::AtMost(2), 3), 0, 0, Duration::from_secs(5));
    let to = Endpoint::tcp(cast.world.ip(cast.server_host), PORT);
    let apart = Duration::from_millis(10);
    let caller = ProgramConfig::new("callers", move |setup| {
        let caller = Caller::new(to.clone(), 10, Duration::from_secs(5));
        Box::new(Process::new(Caller { apart, ..caller }, setup))
    });
    let caller = cast.world.add_program(cast.caller_host, caller)[0];
    cast.world.start(caller);
    cast.world.run_until(Time(60 * SECOND));
    let open = cast.world.machine::<Server>(cast.server).map(|s| s.open);
    let caller = cast.world.machine::<Caller>(caller).expect("it runs");
    assert_eq!(open, Some(2));
    assert_eq!((caller.up, caller.answers.len()), (5, 2));
    assert_eq!(caller.failed, [Gone::TimedOut; 5]);
}

#[test]
fn a_handshake_that_finds_the_queue_full_is_complete_for_one_side_and_reset_later() {
    let mut cast = cast(Server::new(Slots::AtMost(2), 3), 0, 10, Duration::from_secs(5));
    cast.world.run_until(Time(60 * SECOND));
    let caller = cast.world.machine::<Caller>(cast.caller).expect("it runs");
    assert_eq!((caller.up, caller.answers.len()), (10, 2), "all ten knocked at once");
    assert_eq!(caller.gone, [Gone::Reset; 5]);
}

#[test]
fn nobody_listening_refuses_and_no_such_host_is_unreachable() {
    let mut cast = cast(Server::new(Slots::Unlimited, 10), 0, 1, Duration::from_secs(5));
    cast.world.kill(cast.server);
    cast.world.run_until(Time(SECOND));
    let caller = cast.world.machine::<Caller>(cast.caller).expect("it runs");
    assert_eq!(caller.failed, [Gone::Refused]);
    let elsewhere = cast.world.add_host(HostConfig::new("elsewhere"));
    let lost = ProgramConfig::new("caller", |setup| {
        let to = Endpoint::tcp([192, 0, 2, 1], PORT);
        Box::new(Process::new(Caller::new(to, 1, Duration::from_secs(5)), setup))
    });
    let lost = cast.world.add_program(elsewhere, lost)[0];
    cast.world.power_on(elsewhere);
    cast.world.run_until(Time(2 * SECOND));
    let caller = cast.world.machine::<Caller>(lost).expect("it runs");
    assert_eq!(caller.failed, [Gone::Unreachable]);
}

#[test]
fn a_core_serves_one_step_after_the_other() {
    let mut server = Server::new(Slots::Unlimited, 100);
    server.work_units = 1;
    let cost = 10_000_000; // 10 ms a request
    let mut cast = cast(server, cost, 20, Duration::from_secs(5));
    cast.world.run_until(Time(10 * SECOND));
    let busy = cast.world.busy_ns(cast.server_host);
    let caller = cast.world.machine::<Caller>(cast.caller).expect("it runs");
    assert_eq!((caller.answers.len(), busy), (20, 20 * cost));
    for pair in caller.answers.windows(2) {
        let apart = pair[1].since(pair[0]);
        // Answers leave ten milliseconds apart; latency varies by a tenth of a millisecond.
        assert!(apart >= Duration::from_micros(9_800), "{apart:?}");
    }
}

#[test]
fn a_power_cut_in_the_middle_of_a_step_takes_its_output_along() {
    let mut server = Server::new(Slots::Unlimited, 100);
    server.work_units = 1;
    let mut cast = cast(server, 1_000_000_000, 1, Duration::from_secs(5));
    cast.world.run_until(Time(SECOND / 2));
    assert_eq!(cast.world.machine::<Server>(cast.server).map(|s| s.bytes), Some(4), "it works");
    let busy = cast.world.busy_ns(cast.server_host);
    assert!((1..SECOND / 2).contains(&busy), "so far, not to the end of the step: {busy}");
    cast.world.power_cut(cast.server_host);
    cast.world.run_until(Time(10 * SECOND));
    assert!(cast.world.machine::<Caller>(cast.caller).is_some_and(|c| c.answers.is_empty()));
}

#[test]
fn a_clogged_path_delivers_late_and_a_cut_one_not_at_all() {
    let late = Duration::from_secs(3);
    let mut cast = cast(Server::new(Slots::Unlimited, 10), 0, 1, Duration::from_secs(20));
    let (from, to) = (cast.server_host, cast.caller_host);
    cast.world.apply(&Fault::Clog { from, to, span: late });
    cast.world.run_until(Time(10 * SECOND));
    let caller = cast.world.machine::<Caller>(cast.caller).expect("it runs");
    assert!(caller.answers[0] >= Time::ZERO + late, "{:?}", caller.answers);

    let mut cast = self::cast(Server::new(Slots::Unlimited, 10), 0, 1, Duration::from_secs(20));
    cast.world.apply(&Fault::Cut { from, to });
    cast.world.run_until(Time(30 * SECOND));
    let caller = cast.world.machine::<Caller>(cast.caller).expect("it runs");
    assert_eq!((caller.up, &caller.failed[..]), (0, &[Gone::TimedOut][..]), "one way is enough");
}

#[test]
fn an_idle_peer_of_a_host_that_lost_its_power_never_learns_of_it() {
    let mut cast = cast(Server::new(Slots::Unlimited, 10), 0, 1, Duration::from_secs(5));
    cast.world.run_until(Time(SECOND));
    cast.world.power_cut(cast.server_host);
    cast.world.run_until(Time(600 * SECOND));
    assert!(cast.world.machine::<Caller>(cast.caller).is_some_and(|c| c.gone.is_empty()));
}

#[test]
fn a_rebooted_host_resets_connections_that_it_does_not_know() {
    let (mut world, clients) = echo_world(Config::new(1), 3, u64::MAX);
    let server = world.host("server").expect("it was added");
    world.run_until(Time(SECOND));
    world.power_cut(server);
    world.run_until(Time(2 * SECOND));
    assert!(clients.iter().all(|&c| world.machine::<Client>(c).is_some_and(|c| !c.gone)));
    world.power_on(server);
    // Long before retransmission would give up.
    world.run_until(Time(30 * SECOND));
    assert!(clients.iter().all(|&c| world.machine::<Client>(c).is_some_and(|c| c.gone)));
}

#[test]
fn frozen_processes_miss_nothing() {
    let (mut world, clients) = echo_world(Config::new(1), 2, 50);
    let server = world.host("server").expect("it was added");
    let process = world.processes(server)[0];
    world.run_until(Time(2_000_000));
    world.freeze(process);
    world.run_until(Time(5 * SECOND));
    let before: Vec<u64> =
        clients.iter().filter_map(|&c| world.machine::<Client>(c).map(|c| c.answered)).collect();
    assert!(before.iter().all(|&answered| answered < 50), "{before:?}");
    world.thaw(process);
    world.run_until(Time(10 * SECOND));
    for client in clients {
        assert_eq!(world.machine::<Client>(client).map(|c| c.answered), Some(50));
    }
}

/// Notes what its clocks say after a second of its own time.
#[derive(Default)]
struct Watch {
    rang: Option<(Time, u64)>,
}

impl Machine for Watch {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), Duration::from_secs(1));
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        self.rang = Some((cx.now(), cx.wall_clock().0));
    }
}

#[test]
fn clocks_drift_and_step_for_their_own_host_alone() {
    let mut world = World::new(Config::new(1));
    let mut watches = Vec::new();
    for (name, drift_ppm) in [("good", 0), ("fast", 100_000)] {
        let clock = Clock { drift_ppm, ..Clock::default() };
        let host = world.add_host(HostConfig { clock, ..HostConfig::new(name) });
        let program = |setup| Box::new(Process::new(Watch::default(), setup)) as _;
        watches.extend(world.add_program(host, ProgramConfig::new("watch", program)));
        world.power_on(host);
    }
    world.run_until(Time(950_000_000));
    let fast = world.machine::<Watch>(watches[1]).and_then(|w| w.rang).expect("its second is over");
    assert!(fast.0 >= Time(SECOND));
    assert!(world.machine::<Watch>(watches[0]).is_some_and(|w| w.rang.is_none()));
    let good = world.host("good").expect("it was added");
    let by = Duration::from_secs(3600);
    world.apply(&Fault::StepClock { host: good, by, back: false });
    world.run_until(Time(2 * SECOND));
    let stepped = world.machine::<Watch>(watches[0]).and_then(|w| w.rang).expect("it rang");
    assert_eq!(stepped.0, Time(SECOND), "the monotonic clock does not step");
    assert_eq!(stepped.1 - Clock::default().wall.0, 3601 * SECOND);
}

/// Holds more memory every millisecond.
#[derive(Default)]
struct Leak(u64);

impl Machine for Leak {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), Duration::from_millis(1));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.0 += 1 << 20;
        cx.after(timer, Duration::from_millis(1));
    }

    fn memory(&self) -> u64 {
        self.0
    }
}

#[test]
fn a_process_that_outgrows_its_host_is_killed() {
    let mut world = World::new(Config::new(1));
    let config = HostConfig { memory_bytes: Some(64 << 20), ..HostConfig::new("small") };
    let host = world.add_host(config);
    let program = |setup| Box::new(Process::new(Leak::default(), setup)) as _;
    let leak = world.add_program(host, ProgramConfig::new("leak", program))[0];
    world.power_on(host);
    assert_eq!(world.run_until(Time(SECOND)), Ran::Quiet);
    assert!(!world.is_running(leak) && world.exit(leak).is_none());
    assert!(world.trace().records().any(|record| record.what == "oom-kill"));
}

/// Ignores `pending` and writes for ever.
struct Flood;

impl Machine for Flood {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(1), Listen::at(Endpoint::any(PORT)));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        while let Some(tx) = cx.tx(conn)
            && tx.pending() < 100 << 20
        {
            tx.put(&[0; 1 << 16]);
        }
    }
}

#[test]
fn a_machine_that_ignores_back_pressure_breaks_the_run() {
    let mut world = World::new(Config::new(1));
    let host = world.add_host(HostConfig::new("server"));
    world.add_program(host, ProgramConfig::new("flood", |s| Box::new(Process::new(Flood, s))));
    world.power_on(host);
    let to = Endpoint::tcp(world.ip(host), PORT);
    let caller = world.add_host(HostConfig::new("caller"));
    let program = move |setup| {
        let caller = Caller::new(to.clone(), 1, Duration::from_secs(5));
        Box::new(Process::new(caller, setup)) as _
    };
    world.add_program(caller, ProgramConfig::new("caller", program));
    world.power_on(caller);
    let Ran::Broken(failure) = world.run_until(Time(SECOND)) else { panic!("the cap was passed") };
    assert!(failure.what.contains("byte cap"), "{failure}");
    assert_eq!(failure.who, "flood@server");
}

/// Is called again and again, each time so much later.
struct Ticker(Duration);

impl Machine for Ticker {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), self.0);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        cx.after(timer, self.0);
    }
}

fn tick_every(pause: Duration, instant_steps_max: u32) -> Ran {
    let mut world = World::new(Config { instant_steps_max, ..Config::new(1) });
    let host = world.add_host(HostConfig::new("server"));
    let ticker = move |setup| Box::new(Process::new(Ticker(pause), setup)) as _;
    world.add_program(host, ProgramConfig::new("ticker", ticker));
    world.power_on(host);
    world.run_until(Time(SECOND))
}

#[test]
fn a_machine_that_lets_no_time_pass_breaks_the_run() {
    let Ran::Broken(failure) = tick_every(Duration::ZERO, 1_000) else { panic!("it spins") };
    assert_eq!((failure.who.as_str(), failure.at), ("ticker@server", Time::ZERO));
    assert!(failure.what.contains("no time passes"), "{failure}");
}

#[test]
fn steps_between_which_time_passes_are_not_held_against_a_machine() {
    assert_eq!(tick_every(Duration::from_micros(1), 1), Ran::Reached);
}

#[test]
fn workers_of_a_program_share_a_port_and_another_program_may_not() {
    let mut world = World::new(Config::new(1));
    let host = world.add_host(HostConfig { cores: 2, ..HostConfig::new("server") });
    let server = |setup| Box::new(Process::new(Server::new(Slots::AtMost(3), 100), setup)) as _;
    let program = ProgramConfig { workers: 2, ..ProgramConfig::new("server", server) };
    let workers = world.add_program(host, program);
    world.power_on(host);
    world.run_until(Time(1));
    let echo = ProgramConfig::new("other", |setup| Box::new(Process::new(EchoServer, setup)) as _);
    let other = world.add_program(host, echo)[0];
    world.start(other);
    let to = Endpoint::tcp(world.ip(host), PORT);
    let caller_host = world.add_host(HostConfig::new("caller"));
    let program = move |setup| {
        let caller = Caller::new(to.clone(), 10, Duration::from_secs(5));
        Box::new(Process::new(caller, setup)) as _
    };
    let caller = world.add_program(caller_host, ProgramConfig::new("caller", program))[0];
    world.power_on(caller_host);
    world.run_until(Time(SECOND));
    assert!(matches!(world.exit(other), Some(Exit::Failed(_))), "the port is taken");
    let open: Vec<_> =
        workers.iter().filter_map(|&w| world.machine::<Server>(w).map(|s| s.open)).collect();
    assert_eq!(open, [3, 3], "each worker takes as many as it has slots for");
    let caller = world.machine::<Caller>(caller).expect("it runs");
    assert_eq!((caller.up, caller.answers.len()), (10, 6), "four wait in the queue");
}

#[test]
fn a_rack_goes_dark_together() {
    let mut world = World::new(Config::new(1));
    for (name, rack) in [("a", 1), ("b", 1), ("c", 2)] {
        let host = world.add_host(HostConfig { rack, ..HostConfig::new(name) });
        let echo = |setup| Box::new(Process::new(EchoServer, setup)) as _;
        world.add_program(host, ProgramConfig::new("echo", echo));
        world.power_on(host);
    }
    world.run_until(Time(1));
    world.apply(&Fault::RackPower { rack: 1, on: false });
    let running: Vec<bool> = (0..3).map(|process| world.is_running(ProcessId(process))).collect();
    assert_eq!(running, [false, false, true]);
}

#[test]
fn bandwidth_and_the_window_bound_a_transfer() {
    // 1 MB/s, 4 clients with 8-byte messages cannot be faster than the link.
    let link = Link { bandwidth: 1_000, ..Link::RACK };
    let (mut world, clients) = echo_world(Config { link, ..Config::new(1) }, 1, 1_000);
    world.run_until(Time(4 * SECOND));
    let answered = world.machine::<Client>(clients[0]).map(|c| c.answered).expect("it runs");
    // Eight bytes each way take 8 ms each way.
    assert!((200..=250).contains(&answered), "{answered}");
}
