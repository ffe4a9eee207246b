//! Addresses that move: who gets packets, what becomes of connections, who believes what.

use storytime_machine::{
    AddressError, Boot, BytesMut, Close, Conn, Cx, Duration, Endpoint, Gone, IpAddr, Ipv4Addr,
    Listen, Machine, Open, Process, Time, Token,
};
use storytime_sim::{Config, HostConfig, HostId, ProcessId, ProgramConfig, World};

const PORT: u16 = 6379;
const SECOND: u64 = 1_000_000_000;
const FLOATING: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));

/// What a server does at a time.
#[derive(Clone, Copy)]
enum Act {
    Take(IpAddr),
    Release,
    /// Says something to everybody, unasked.
    Call,
}

/// Answers every byte with its name.
struct Server {
    name: u8,
    acts: &'static [(u64, Act)],
    conns: Vec<Conn>,
    addressed: Vec<Result<(), AddressError>>,
    gone: Vec<(Time, Gone)>,
}

impl Server {
    fn new(name: u8, acts: &'static [(u64, Act)]) -> Self {
        Self { name, acts, conns: Vec::new(), addressed: Vec::new(), gone: Vec::new() }
    }
}

impl Machine for Server {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        cx.listen(Token(0), Listen::at(Endpoint::any(PORT)));
        let acts = if boot.incarnation == 0 { self.acts } else { &[] };
        for (index, (second, _)) in acts.iter().enumerate() {
            cx.after(Token(index as u64), Duration::from_secs(*second));
        }
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match self.acts[timer.0 as usize].1 {
            Act::Take(ip) => cx.take_address(ip),
            Act::Release => cx.release_address(FLOATING),
            Act::Call => {
                for &conn in &self.conns {
                    cx.tx(conn).expect("it is open as far as it knows").put(b"!");
                }
            }
        }
    }

    fn addressed(&mut self, _: &mut Cx, _: IpAddr, result: Result<(), AddressError>) {
        self.addressed.push(result);
    }

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        self.conns.push(conn);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        rx.clear();
        cx.tx(conn).expect("it is open").put(&[self.name]);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        self.conns.retain(|&open| open != conn);
        self.gone.push((cx.now(), why));
    }
}

/// Connects to the address for as long as it takes, and asks once a second.
#[derive(Default)]
struct Caller {
    conn: Option<Conn>,
    heard: Vec<u8>,
    gone: Vec<Gone>,
    failed: Vec<Gone>,
    silent: bool,
}

impl Machine for Caller {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), Duration::from_millis(500));
    }

    fn timer(&mut self, cx: &mut Cx, _: Token) {
        cx.after(Token(0), Duration::from_secs(1));
        match self.conn {
            Some(conn) if !self.silent => cx.tx(conn).expect("it is open").put(b"?"),
            Some(_) => {}
            None => {
                let to = Endpoint::tcp(FLOATING, PORT);
                cx.connect(Token(0), to, Duration::from_millis(900));
            }
        }
    }

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        self.conn = Some(conn);
    }

    fn data(&mut self, _: &mut Cx, _: Conn, rx: &mut BytesMut) {
        self.heard.extend_from_slice(rx);
        rx.clear();
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        cx.close(conn, Close::Abort);
    }

    fn gone(&mut self, _: &mut Cx, _: Conn, why: Gone) {
        self.conn = None;
        self.gone.push(why);
    }

    fn failed(&mut self, _: &mut Cx, _: Token, why: Gone) {
        self.failed.push(why);
    }
}

/// Two servers and a caller.
struct Stage {
    world: World,
    hosts: [HostId; 3],
    processes: [ProcessId; 3],
}

impl Stage {
    fn new(a: &'static [(u64, Act)], b: &'static [(u64, Act)], silent: bool) -> Self {
        let mut world = World::new(Config::new(7));
        let hosts = ["a", "b", "caller"].map(|name| world.add_host(HostConfig::new(name)));
        let mut add = |host, name: &'static str, acts| {
            let program = ProgramConfig::new(name, move |setup| match name {
                "a" => Box::new(Process::new(Server::new(b'a', acts), setup)) as _,
                "b" => Box::new(Process::new(Server::new(b'b', acts), setup)),
                _ => Box::new(Process::new(Caller { silent, ..Caller::default() }, setup)),
            });
            world.add_program(host, program)[0]
        };
        let nothing: &[(u64, Act)] = &[];
        let processes =
            [add(hosts[0], "a", a), add(hosts[1], "b", b), add(hosts[2], "caller", nothing)];
        hosts.iter().for_each(|&host| world.power_on(host));
        Self { world, hosts, processes }
    }

    fn run_to(&mut self, second: u64) {
        self.world.run_until(Time(second * SECOND));
    }

    fn server(&mut self, index: usize) -> &mut Server {
        self.world.machine(self.processes[index]).expect("it is a server")
    }

    fn caller(&mut self) -> &mut Caller {
        self.world.machine(self.processes[2]).expect("it is the caller")
    }

    fn cut(&mut self, one: usize, other: usize) {
        for (from, to) in [(one, other), (other, one)] {
            let (from, to) = (self.hosts[from], self.hosts[to]);
            self.world.apply(&storytime_sim::Fault::Cut { from, to });
        }
    }
}

const TAKES_AT_ONCE: &[(u64, Act)] = &[(0, Act::Take(FLOATING))];
const TAKES_AT_FIVE: &[(u64, Act)] = &[(5, Act::Take(FLOATING))];

#[test]
fn connections_go_to_the_host_that_took_the_address_and_old_ones_are_reset_when_used() {
    let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_AT_FIVE, false);
    stage.run_to(5);
    assert_eq!(stage.caller().heard, b"aaaa");
    assert_eq!(stage.world.holder(FLOATING), Some(stage.hosts[0]));
    stage.run_to(10);
    assert_eq!(stage.world.holder(FLOATING), Some(stage.hosts[1]));
    assert_eq!(stage.caller().gone, [Gone::Reset]);
    assert_eq!(stage.caller().heard, b"aaaabbb");
    assert_eq!(stage.server(1).addressed, [Ok(())]);
    assert_eq!((stage.server(0).conns.len(), stage.server(0).gone.len()), (1, 0), "half-open");
}

#[test]
fn an_address_whose_host_lost_its_power_answers_nobody_until_another_takes_it() {
    let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_AT_FIVE, false);
    stage.run_to(3);
    stage.world.power_cut(stage.hosts[0]);
    stage.run_to(4);
    assert_eq!(stage.world.holder(FLOATING), Some(stage.hosts[0]), "nobody knows better");
    assert!(stage.caller().gone.is_empty());
    stage.run_to(10);
    assert_eq!(stage.caller().gone, [Gone::Reset]);
    assert_eq!(stage.caller().heard, b"aabbbb");
}

#[test]
fn a_host_that_comes_back_no_longer_has_the_address() {
    let mut stage = Stage::new(TAKES_AT_ONCE, &[], false);
    stage.run_to(3);
    stage.world.power_cut(stage.hosts[0]);
    stage.world.power_on(stage.hosts[0]);
    stage.run_to(10);
    assert_eq!(stage.caller().heard, b"aa");
    assert!(stage.caller().gone.is_empty() && stage.caller().failed.is_empty());
    stage.run_to(300);
    assert_eq!(stage.caller().gone, [Gone::TimedOut]);
    assert!(stage.caller().failed.iter().all(|&why| why == Gone::TimedOut));
}

#[test]
fn the_end_of_a_process_leaves_the_address_with_its_host() {
    let mut stage = Stage::new(TAKES_AT_ONCE, &[], false);
    stage.run_to(3);
    stage.world.kill(stage.processes[0]);
    stage.run_to(6);
    assert_eq!(stage.world.holder(FLOATING), Some(stage.hosts[0]));
    assert_eq!(stage.caller().failed, [Gone::Refused; 3]);
}

#[test]
fn an_announcement_does_not_cross_a_partition() {
    let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_AT_FIVE, false);
    stage.cut(1, 0);
    stage.cut(1, 2);
    stage.run_to(10);
    assert_eq!(stage.server(1).addressed, [Ok(())], "it believes that it has the address");
    assert_eq!(stage.world.holder(FLOATING), Some(stage.hosts[1]));
    assert_eq!(stage.world.holder_seen_by(stage.hosts[2], FLOATING), Some(stage.hosts[0]));
    assert_eq!(stage.caller().heard, b"aaaaaaaaa");
}

#[test]
fn nobody_takes_the_own_address_of_another_host() {
    const TAKES_ANOTHERS: &[(u64, Act)] = &[(1, Act::Take(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0))))];
    let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_ANOTHERS, false);
    assert_eq!(stage.world.ip(stage.hosts[0]), Ipv4Addr::new(10, 0, 0, 0));
    stage.run_to(3);
    assert_eq!(stage.server(1).addressed, [Err(AddressError::Denied)]);
    assert_eq!(stage.world.holder(stage.world.ip(stage.hosts[0])), Some(stage.hosts[0]));
}

#[test]
fn to_an_address_that_was_given_up_there_is_no_way() {
    const TAKES_AND_RELEASES: &[(u64, Act)] = &[(0, Act::Take(FLOATING)), (3, Act::Release)];
    let mut stage = Stage::new(TAKES_AND_RELEASES, &[], true);
    stage.run_to(5);
    assert_eq!(stage.world.holder(FLOATING), None);
    let caller = stage.processes[2];
    stage.world.kill(caller);
    stage.world.start(caller);
    stage.run_to(7);
    assert_eq!(stage.caller().failed, [Gone::Unreachable, Gone::Unreachable]);
}

#[test]
fn the_last_words_of_a_host_that_lost_the_address_arrive_and_are_never_acknowledged() {
    const TAKES_AND_CALLS: &[(u64, Act)] = &[(0, Act::Take(FLOATING)), (6, Act::Call)];
    let mut stage = Stage::new(TAKES_AND_CALLS, TAKES_AT_FIVE, true);
    stage.run_to(7);
    assert_eq!(stage.caller().heard, b"!");
    assert_eq!(stage.caller().gone, [Gone::Reset], "the answer to them goes to the other host");
    stage.run_to(1000);
    let gone = stage.server(0).gone.clone();
    assert!(matches!(gone[..], [(at, Gone::TimedOut)] if at.0 > 100 * SECOND), "{gone:?}");
}

#[test]
fn a_handshake_under_way_ends_where_the_address_is() {
    let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_AT_FIVE, false);
    stage.run_to(0);
    stage.world.run_until(Time(400_000_000));
    stage.world.power_cut(stage.hosts[0]);
    stage.run_to(8);
    assert!(stage.caller().failed.iter().all(|&why| why == Gone::TimedOut));
    assert_eq!(stage.caller().heard, b"bb");
}

#[test]
fn moves_repeat_from_the_same_seed() {
    let digest = || {
        let mut stage = Stage::new(TAKES_AT_ONCE, TAKES_AT_FIVE, false);
        stage.run_to(10);
        (stage.world.digest(), stage.world.events())
    };
    assert_eq!(digest(), digest());
}
