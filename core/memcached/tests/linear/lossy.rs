//! A server that loses an update now and then: what the check is there to find.

use storytime_machine::{
    BindError, Boot, BytesMut, Conn, Cx, Endpoint, Gone, Machine, Open, Token,
};
use storytime_memcached::Server;

/// One increment in so many is lost.
const LOST_EVERY: u32 = 4;

/// Answers some increments with the number as it is.
pub(crate) struct Lossy {
    server: Server,
    increments: u32,
}

impl Lossy {
    pub(crate) const fn new(server: Server) -> Self {
        Self { server, increments: 0 }
    }
}

impl Machine for Lossy {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.server.start(cx, boot);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        self.server.open(cx, conn, how);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        const INCREMENT: &[u8] = b"incr a 1\r\n";
        if rx.starts_with(INCREMENT) {
            self.increments += 1;
            if self.increments.is_multiple_of(LOST_EVERY) {
                rx[INCREMENT.len() - 3] = b'0';
            }
        }
        self.server.data(cx, conn, rx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        self.server.eof(cx, conn);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        self.server.drained(cx, conn);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        self.server.gone(cx, conn, why);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.server.timer(cx, timer);
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        self.server.bound(cx, socket, result);
    }
}
