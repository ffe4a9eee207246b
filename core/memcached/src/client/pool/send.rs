//! How a request leaves.

use super::link::{Stand, Whose};
use super::{Piece, Pool, Probe, Refusal, Request, ServerId, Shape, Words};
use storytime_machine::Cx;

/// A binary no-op whose opaque no other request of ours has.
const NOOP: [u8; 24] = {
    let mut packet = [0; 24];
    packet[0] = 0x80;
    packet[1] = NOOP_OPCODE;
    let opaque = PROBE_OPAQUE.to_be_bytes();
    packet[12] = opaque[0];
    packet[13] = opaque[1];
    packet[14] = opaque[2];
    packet[15] = opaque[3];
    packet
};
const NOOP_OPCODE: u8 = 0x0a;
const PROBE_OPAQUE: u32 = u32::MAX;

impl Pool {
    /// Sends a request, connecting if need be.
    ///
    /// # Errors
    /// If it is not taken; see [`Refusal`].
    pub fn send(
        &mut self,
        cx: &mut Cx,
        server: ServerId,
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        let found = self.servers[server.index()].as_mut();
        let found = found.expect("an id is used until its server is removed");
        assert!(!found.retired, "a removed server is not asked");
        if !found.health.admits(cx.now()) {
            self.counters.down += 1;
            return Err(Refusal::Down);
        }
        let lane = request.lane % found.links.len() as u64;
        let index = found.links[lane as usize] as usize;
        let link = self.links[index].as_ref().expect("a server in use has all its links");
        if link.pending.len() >= self.options.pending_max
            || link.unsent_bytes(cx) >= self.options.unsent_bytes_max
        {
            self.counters.busy += 1;
            return Err(Refusal::Busy);
        }
        self.counters.requests += 1;
        self.send_on(cx, index, Whose::Owner(request.tag), request);
        Ok(())
    }

    fn send_on(&mut self, cx: &mut Cx, index: usize, whose: Whose, request: &Request<'_>) {
        let token = self.link_token(index);
        let link = self.links[index].as_mut().expect("a request leaves on a link that is there");
        match link.stand {
            Stand::Idle => {
                let server = self.servers[link.server as usize].as_ref();
                let at = server.expect("a server lives as long as its links").at.clone();
                cx.connect(token, at, self.options.connect_timeout);
                self.counters.connects += 1;
                link.stand = Stand::Connecting;
            }
            Stand::Connecting | Stand::Up(_) => {}
            Stand::Closing(_) => unreachable!("a server of the list is not being left"),
        }
        link.put(cx, request.pieces);
        let deadline = cx.now() + self.options.request_timeout;
        link.await_reply(whose, request, deadline);
        if !link.timer_set && !link.pending.is_empty() {
            link.timer_set = true;
            cx.at(token, deadline);
        }
    }

    /// Asks an ejected server whether it is back.
    pub(super) fn probe(&mut self, cx: &mut Cx, server: usize) {
        let Some(found) = self.servers[server].as_ref().filter(|s| !s.retired) else { return };
        let index = found.links[0] as usize;
        let (shape, bytes): (_, &[u8]) = match self.options.probe {
            Probe::Version => (Shape::Line(Words::Version), b"version\r\n"),
            Probe::Noop => (Shape::Packet { opcode: NOOP_OPCODE, opaque: PROBE_OPAQUE }, &NOOP),
        };
        let request = Request { shape, pieces: &[Piece::Copy(bytes)], lane: 0, tag: 0 };
        self.send_on(cx, index, Whose::Probe, &request);
    }
}
