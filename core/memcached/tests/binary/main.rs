//! The binary protocol as its clients see it: bytes in, bytes out, through the shell that drivers
//! use.

mod cuts;
mod lengths;
mod login;
mod opcodes;
mod packet;
mod quiet;
#[path = "../wire/rig.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod rig;
mod stat;
mod values;

use packet::{Reply, Request};
use rig::Rig;
use storytime_machine::Conn;

/// A client's side of one connection.
struct Client {
    rig: Rig,
    conn: Conn,
}

impl Client {
    fn new(line: &str) -> Self {
        let mut rig = Rig::new(line);
        let conn = rig.open();
        Self { rig, conn }
    }

    /// Sends requests in one piece; all replies.
    fn send_all(&mut self, requests: &[Request]) -> Vec<Reply> {
        self.send_bytes(&packet::stream(requests))
    }

    fn send_bytes(&mut self, bytes: &[u8]) -> Vec<Reply> {
        self.rig.deliver(self.conn, bytes);
        packet::replies(&self.rig.take_all(self.conn))
    }

    /// Sends a request; its one reply.
    fn send(&mut self, request: &Request) -> Reply {
        let mut replies = self.send_all(core::slice::from_ref(request));
        assert_eq!(replies.len(), 1, "{request:?} has one reply");
        let reply = replies.remove(0);
        assert_eq!((reply.opcode, reply.opaque), (request.opcode, request.opaque));
        reply
    }

    /// Sends a request; its reply, see [`Reply::show`].
    fn ask(&mut self, request: &Request) -> String {
        self.send(request).show()
    }

    /// Sends requests that are answered by nothing.
    fn send_quietly(&mut self, requests: &[Request]) {
        assert_eq!(self.send_all(requests), [], "{requests:?} has no reply");
    }

    fn has_hung_up(&self) -> bool {
        self.rig.has_hung_up(self.conn)
    }
}
