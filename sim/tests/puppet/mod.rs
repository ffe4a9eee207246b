//! A machine whose hooks a test writes down, and worlds of it.

use core::fmt;
use storytime_machine::{
    Addr, Boot, BytesMut, Close, Conn, Costs, Cx, Duration, Endpoint, Gone, Listen, Machine, Open,
    Process, Signal, Time, Token, Work,
};
use storytime_sim::{Config, HostConfig, HostId, ProcessId, ProgramConfig, World};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const PORT: u16 = 7;
pub(crate) const WORK: Work = Work { index: 0, name: "test.second" };

/// What happened, and on which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Start(u32),
    Stop,
    Signal(Signal),
    Open,
    Data(usize),
    Eof,
    Secured,
    Gone(Gone),
    Failed(Gone),
    Timer,
    Datagram,
}

/// Does what its hooks say and notes what it sees.
pub(crate) struct Puppet {
    pub(crate) seen: Vec<(Time, Seen)>,
    pub(crate) start: fn(&mut Cx),
    pub(crate) open: fn(&mut Cx, Conn),
    pub(crate) data: fn(&mut Cx, Conn, &mut BytesMut),
    pub(crate) timer: fn(&mut Cx, Token),
}

impl Puppet {
    pub(crate) fn new(start: fn(&mut Cx)) -> Self {
        Self {
            seen: Vec::new(),
            start,
            open: |_, _| {},
            data: |_, _, rx| rx.clear(),
            timer: |_, _| {},
        }
    }

    fn note(&mut self, cx: &Cx, seen: Seen) {
        self.seen.push((cx.now(), seen));
    }

    pub(crate) fn has(&self, seen: Seen) -> bool {
        self.seen.iter().any(|(_, s)| *s == seen)
    }

    pub(crate) fn count(&self, of: fn(&Seen) -> bool) -> usize {
        self.seen.iter().filter(|(_, seen)| of(seen)).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        let of = |seen: &Seen| if let Seen::Data(bytes) = seen { *bytes } else { 0 };
        self.seen.iter().map(|(_, seen)| of(seen)).sum()
    }
}

impl fmt::Debug for Puppet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seen.fmt(f)
    }
}

impl Machine for Puppet {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.note(cx, Seen::Start(boot.incarnation));
        (self.start)(cx);
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.note(cx, Seen::Stop);
    }

    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        self.note(cx, Seen::Signal(signal));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        self.note(cx, Seen::Open);
        (self.open)(cx, conn);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        self.note(cx, Seen::Data(rx.len()));
        (self.data)(cx, conn, rx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        self.note(cx, Seen::Eof);
        cx.close(conn, Close::Flush);
    }

    fn secured(&mut self, cx: &mut Cx, _: Conn) {
        self.note(cx, Seen::Secured);
    }

    fn gone(&mut self, cx: &mut Cx, _: Conn, why: Gone) {
        self.note(cx, Seen::Gone(why));
    }

    fn failed(&mut self, cx: &mut Cx, _: Token, why: Gone) {
        self.note(cx, Seen::Failed(why));
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.note(cx, Seen::Timer);
        (self.timer)(cx, timer);
    }

    fn datagram(&mut self, cx: &mut Cx, _: Token, _: Addr, _: &[u8]) {
        self.note(cx, Seen::Datagram);
    }
}

/// A program of puppets whose unit of work takes a second.
pub(crate) fn program(make: impl Fn() -> Puppet + 'static) -> ProgramConfig {
    let mut costs = Costs::default();
    costs.0[usize::from(WORK.index)] = SECOND * 1000;
    let factory = move |setup| Box::new(Process::new(make(), setup)) as _;
    ProgramConfig { costs, ..ProgramConfig::new("puppet", factory) }
}

pub(crate) fn add(
    world: &mut World,
    host: HostId,
    make: impl Fn() -> Puppet + 'static,
) -> ProcessId {
    let process = world.add_program(host, program(make))[0];
    world.power_on(host);
    world.start(process);
    process
}

pub(crate) fn seen(world: &mut World, process: ProcessId) -> &mut Puppet {
    world.machine::<Puppet>(process).expect("it is a puppet")
}

/// The first host of a world is the server; it has this address.
pub(crate) fn server() -> Endpoint {
    Endpoint::tcp([10, 0, 0, 0], PORT)
}

pub(crate) fn serve(cx: &mut Cx) {
    cx.listen(Token(1), Listen::at(Endpoint::any(PORT)));
}

pub(crate) fn call(cx: &mut Cx) {
    cx.connect(Token(1), server(), Duration::from_secs(5));
}

pub(crate) fn two_hosts(config: Config) -> (World, HostId, HostId) {
    let mut world = World::new(config);
    let a = world.add_host(HostConfig::new("server"));
    let b = world.add_host(HostConfig::new("client"));
    (world, a, b)
}
