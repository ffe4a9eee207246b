//! The echo server.

use storytime_machine::{Boot, BytesMut, Conn, Cx, Endpoint, Listen, Machine, Token};

pub(crate) const PORT: u16 = 7;

/// Sends everything back.
pub(crate) struct EchoServer;

impl Machine for EchoServer {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.listen(Token(1), Listen::at(Endpoint::any(PORT)));
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if let Some(tx) = cx.tx(conn) {
            tx.put(rx);
        }
        rx.clear();
    }
}
