//! The echo machine, and callers that keep it busy.
//!
//! Callers have one message under way on each connection, for ever.

use storytime_machine::{
    BindError, Boot, Buf, BytesMut, Conn, Cx, Duration, Endpoint, Exit, Gone, Listen, Machine,
    Open, Token,
};

/// Where the echo listens in a simulated world.
pub const PORT: u16 = 7;
/// Message size of the comparison with other simulators, bytes.
pub const SIM_MESSAGE_BYTES: usize = 16;
/// Message size on real sockets, bytes: about that of a small request.
pub const SOCKET_MESSAGE_BYTES: usize = 64;
/// How long callers try to connect, simulated time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(100);

/// Sends every whole message back, one `put` for each, as a server of requests would.
#[derive(Debug)]
pub struct Echo {
    at: Endpoint,
    message_bytes: usize,
    announce: fn(&Endpoint),
}

impl Echo {
    /// An echo of messages of `message_bytes` at `at`; `announce` hears where it really listens.
    pub fn new(at: Endpoint, message_bytes: usize, announce: fn(&Endpoint)) -> Self {
        assert!(message_bytes > 0, "a message has at least one byte");
        Self { at, message_bytes, announce }
    }
}

impl Machine for Echo {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(0), Listen::at(self.at.clone()));
    }

    fn bound(&mut self, cx: &mut Cx, _: Token, result: Result<Endpoint, BindError>) {
        match result {
            Ok(at) => (self.announce)(&at),
            Err(_) => cx.exit(Exit::Failed("the echo cannot listen")),
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let whole = rx.len() - rx.len() % self.message_bytes;
        if let Some(tx) = cx.tx(conn) {
            for message in rx[..whole].chunks_exact(self.message_bytes) {
                tx.put(message);
            }
        }
        rx.advance(whole);
    }
}

/// One process with many connections to an echo.
#[derive(Debug)]
pub struct Callers {
    to: Endpoint,
    conns: u64,
    message_bytes: usize,
    /// Messages that came back.
    pub answered: u64,
}

impl Callers {
    /// `conns` connections to `to`, each with one message of `message_bytes` under way.
    pub fn new(to: Endpoint, conns: u64, message_bytes: usize) -> Self {
        assert!(conns > 0 && message_bytes > 0, "somebody has something to say");
        Self { to, conns, message_bytes, answered: 0 }
    }
}

impl Machine for Callers {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        for token in 0..self.conns {
            cx.connect(Token(token), self.to.clone(), CONNECT_TIMEOUT);
        }
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _: Open) {
        let tx = cx.tx(conn).expect("a fresh connection is open");
        tx.write_with(|out| out.resize(out.len() + self.message_bytes, b'm'));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        assert!(rx.len() <= self.message_bytes, "one message is under way");
        if rx.len() < self.message_bytes {
            return;
        }
        self.answered += 1;
        if let Some(tx) = cx.tx(conn) {
            tx.put(rx);
        }
        rx.clear();
    }

    fn failed(&mut self, _: &mut Cx, connect: Token, why: Gone) {
        panic!("connect {connect:?}: {why}: a bench that measures less than it says is of no use");
    }
}
