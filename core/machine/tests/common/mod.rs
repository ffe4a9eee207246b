//! A driver by hand: feeds one input, drains what came of it, and remembers it.

use storytime_machine::{
    BindError, Boot, BytesMut, Conn, Cx, DiskResult, Drive, Effect, Endpoint, Gone, IpAddr, Limits,
    Listen, Machine, Now, Open, Process, ResolveError, Rng, Setup, Slots, Time, Token, View,
    WallTime,
};

/// What the machine was told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Open(Conn),
    Data(Conn, Vec<u8>),
    Eof(Conn),
    Drained(Conn),
    Secured(Conn),
    Gone(Conn, Gone),
    Failed(Token, Gone),
    Timer(Token),
    Bound(Token, bool),
    Disk(Token),
}

type Act = Box<dyn FnMut(&mut Cx) + Send>;
type Eat = Box<dyn FnMut(&mut Cx, Conn, &mut BytesMut) + Send>;

/// Notes everything; does what the test has written down for it.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) told: Vec<Told>,
    /// What to do next; see [`Hand::act`].
    act: Option<Act>,
    /// What to do with input; without it all is eaten.
    pub(crate) eat: Option<Eat>,
}

impl Machine for Script {
    fn start(&mut self, _: &mut Cx, _: Boot) {}

    fn open(&mut self, _: &mut Cx, conn: Conn, _: Open) {
        self.told.push(Told::Open(conn));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        self.told.push(Told::Data(conn, rx.to_vec()));
        match &mut self.eat {
            Some(eat) => eat(cx, conn, rx),
            None => rx.clear(),
        }
    }

    fn eof(&mut self, _: &mut Cx, conn: Conn) {
        self.told.push(Told::Eof(conn));
    }

    fn drained(&mut self, _: &mut Cx, conn: Conn) {
        self.told.push(Told::Drained(conn));
    }

    fn secured(&mut self, _: &mut Cx, conn: Conn) {
        self.told.push(Told::Secured(conn));
    }

    fn gone(&mut self, _: &mut Cx, conn: Conn, why: Gone) {
        self.told.push(Told::Gone(conn, why));
    }

    fn failed(&mut self, _: &mut Cx, connect: Token, why: Gone) {
        self.told.push(Told::Failed(connect, why));
    }

    fn timer(&mut self, _: &mut Cx, timer: Token) {
        self.told.push(Told::Timer(timer));
    }

    fn disk(&mut self, _: &mut Cx, op: Token, _: DiskResult) {
        self.told.push(Told::Disk(op));
    }

    fn resolved(&mut self, cx: &mut Cx, _: Token, _: Result<Vec<IpAddr>, ResolveError>) {
        let mut act = self.act.take().expect("a test gave something to do");
        act(cx);
    }

    fn bound(&mut self, _: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        self.told.push(Told::Bound(socket, result.is_ok()));
    }
}

/// A process and its hand driver. Time stands still unless a test moves it.
pub(crate) struct Hand {
    pub(crate) process: Process<Script>,
    pub(crate) at: u64,
    /// Effects not yet looked at.
    pub(crate) effects: Vec<Effect>,
    /// Connections that were reported since last asked.
    pub(crate) dirty: Vec<Conn>,
}

impl Hand {
    pub(crate) fn new(limits: Limits) -> Self {
        let setup = Setup { limits, ..Setup::new(Rng::new(1, 1)) };
        let process = Process::new(Script::default(), setup);
        let mut hand = Self { process, at: 0, effects: Vec::new(), dirty: Vec::new() };
        let boot = Boot { host: 0, worker: 0, incarnation: 0 };
        hand.feed(|process, now| process.start(now, boot));
        hand
    }

    pub(crate) const fn now(&self) -> Now {
        Now { mono: Time(self.at), wall: WallTime(self.at) }
    }

    /// Feeds one input, then takes what the process wants.
    pub(crate) fn feed<R>(&mut self, input: impl FnOnce(&mut Process<Script>, Now) -> R) -> R {
        let now = self.now();
        let result = input(&mut self.process, now);
        self.drain();
        result
    }

    fn drain(&mut self) {
        while let Some(effect) = self.process.next_effect() {
            self.effects.push(effect);
        }
        while let Some(conn) = self.process.next_dirty() {
            self.dirty.push(conn);
        }
    }

    /// Lets the machine act: in the answer to a look-up, which no test uses otherwise.
    pub(crate) fn act(&mut self, act: impl FnMut(&mut Cx) + Send + 'static) {
        self.process.machine_mut().act = Some(Box::new(act));
        self.feed(|process, now| process.resolved(now, Token(0), Err(ResolveError::NotFound)));
    }

    /// A listener, bound, with so many slots.
    pub(crate) fn listen(&mut self, token: Token, slots: Slots) {
        self.act(move |cx| {
            let at = Endpoint::any(80);
            cx.listen(token, Listen { slots, ..Listen::at(at) });
        });
        self.feed(|process, now| process.bound(now, token, Ok(Endpoint::any(80))));
    }

    pub(crate) fn accept(&mut self, token: Token) -> Option<Conn> {
        self.feed(|process, now| process.accepted(now, token, Endpoint::tcp([10, 0, 0, 1], 9)))
    }

    /// An outgoing connection that came up.
    pub(crate) fn connected(&mut self) -> Conn {
        let conn = self.feed(|process, now| process.connected(now, Token(0)));
        conn.expect("there is room for it")
    }

    pub(crate) fn receive(&mut self, conn: Conn, bytes: &[u8]) {
        let rx = self.process.rx(conn).expect("the connection lives");
        rx.extend_from_slice(bytes);
        self.feed(|process, now| process.received(now, conn));
    }

    pub(crate) fn gone(&mut self, conn: Conn, why: Gone) {
        self.feed(|process, now| process.gone(now, conn, why));
    }

    /// Takes up to `max` bytes of output, as a transport that owns its buffers.
    pub(crate) fn take(&mut self, conn: Conn, max: usize) -> Vec<u8> {
        let mut out = BytesMut::new();
        self.feed(|process, now| process.take_output(now, conn, max, &mut out));
        out.to_vec()
    }

    pub(crate) fn view(&self, conn: Conn) -> View {
        self.process.view(conn).expect("the connection lives")
    }

    /// What the process holds in buffers; the script holds nothing.
    pub(crate) fn buffered(&self) -> u64 {
        self.process.memory()
    }

    pub(crate) fn told(&self) -> &[Told] {
        &self.process.machine().told
    }

    pub(crate) fn forget(&mut self) {
        self.process.machine_mut().told.clear();
        self.effects.clear();
        self.dirty.clear();
    }
}
