//! What the owner passes on, and what comes of it.

use super::asked::{NONE, Place};
use super::server::Expect;
use super::{Client, Handle, LATE_MAX, ServerId, Why};
use crate::links::{Of, Stand};
use crate::packet::Kind;
use bytes::{Bytes, BytesMut};
use storytime_machine::{Close, Conn, Cx, Gone, Open, Time, Token};

/// What an echo brings that is only to be answered.
const PROBE: Bytes = Bytes::from_static(b"?");

impl Client {
    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Some(server) = self.links.opened(cx, conn, how) else { return false };
        if self.closed {
            self.links.leave(cx, server);
            return true;
        }
        if let Some(tenant) = &self.options.tenant {
            self.links.put(cx, server, Kind::OptionReq, &[tenant.option().as_bytes()]);
            self.expect(cx, server, Expect::Option, NONE);
        }
        if self.options.exceptions {
            self.links.put(cx, server, Kind::OptionReq, &[b"exceptions"]);
            self.expect(cx, server, Expect::Option, NONE);
        }
        self.pump(cx, server);
        true
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let server = match self.links.of(conn) {
            None => return false,
            Some(Of::Leaving) => {
                rx.clear();
                return true;
            }
            Some(Of::Server(server)) => server,
        };
        // A packet may end the link, and with it what this connection is ours for.
        while self.links.conn(server) == Some(conn) {
            match self.links.next(cx, server, rx) {
                Ok(None) => break,
                Ok(Some(packet)) => {
                    if !self.packet(cx, server, &packet) {
                        self.lose(cx, server, Close::Abort, Why::Garbled);
                    }
                }
                Err(_) => self.lose(cx, server, Close::Abort, Why::Garbled),
            }
        }
        match self.links.conn(server) == Some(conn) {
            true => self.pump(cx, server),
            false => rx.clear(),
        }
        true
    }

    /// A connection takes output again.
    pub fn on_drained(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.pump(cx, server);
        }
        true
    }

    /// The server closed its side: answers and results that are missing will not come.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.lose(cx, server, Close::Flush, Why::Connection);
        }
        true
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, _: Gone) -> bool {
        let Some(of) = self.links.of(conn) else { return false };
        if let Of::Server(server) = of {
            self.lose(cx, server, Close::Abort, Why::Connection);
        }
        self.links.gone(conn);
        true
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, _: Gone) -> bool {
        let Some(server) = self.links.by_token(connect) else { return false };
        self.lose(cx, server, Close::Abort, Why::Connection);
        true
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if !self.owns_token(timer) {
            return false;
        }
        if timer != self.timer_token() {
            self.job_ran_out(cx, (timer.0 - self.job_timer(0).0) as u32);
            return true;
        }
        self.timer_at = None;
        for server in 0..self.links.len() {
            self.expire_waiting(cx, server);
            self.expire_awaited(cx, server);
            self.probe(cx, server);
        }
        for server in 0..self.links.len() {
            if let Some(next) = self.next_deadline(server) {
                self.watch(cx, next);
            }
        }
        true
    }

    /// Ends everything that is under way and closes the connections; [`Client::is_closed`] tells
    /// when they are gone. A job submitted later makes new ones.
    pub fn close(&mut self, cx: &mut Cx) {
        self.closed = true;
        for server in 0..self.links.len() {
            while let Some((slot, _)) = self.take_waiting(server) {
                self.not_sent(slot);
            }
            self.lose_requests(cx, server, Why::Connection);
            self.links.leave(cx, server);
        }
    }

    fn expire_waiting(&mut self, cx: &Cx, server: u32) {
        let now = cx.now();
        while let Some(&first) = self.servers[server as usize].waiting.front() {
            if self.asked.get(first).deadline > now {
                break;
            }
            let (slot, _) = self.take_waiting(server).expect("one waits");
            self.not_sent(slot);
        }
    }

    fn expire_awaited(&mut self, cx: &mut Cx, server: u32) {
        let now = cx.now();
        loop {
            let state = &mut self.servers[server as usize];
            let Some(awaited) = state.awaited.get_mut(state.late) else { return };
            if awaited.deadline > now {
                return;
            }
            let silent = self.links.heard(server) + self.options.timeout <= now;
            if silent || state.late >= LATE_MAX {
                return self.lose(cx, server, Close::Abort, Why::Time);
            }
            let (slot, expect) = (awaited.slot, awaited.expect);
            awaited.late = true;
            state.late += 1;
            if slot == NONE {
                continue;
            }
            let asked = self.asked.get(slot);
            let tag = asked.tag;
            if expect == Expect::Created && !asked.background {
                // The server will speak to it.
                self.asked.abandon(slot);
            } else {
                self.servers[server as usize].forget_last_late();
                self.asked.remove(slot);
            }
            self.lost(tag, None, Why::Time);
        }
    }

    /// Asks a silent server that has jobs of ours whether it is there.
    fn probe(&mut self, cx: &mut Cx, server: u32) {
        let state = &self.servers[server as usize];
        let waits = state.awaited.len() > state.late;
        let silent = self.links.heard(server) + self.options.probe_after <= cx.now();
        if state.is_quiet() || waits || !silent || self.links.conn(server).is_none() {
            return;
        }
        self.put_probe(cx, server);
        self.expect(cx, server, Expect::Echo, NONE);
    }

    /// Asks for an echo that is the client's own.
    pub(super) fn put_probe(&mut self, cx: &mut Cx, server: u32) {
        self.counters.probes += 1;
        self.links.put_with_data(cx, server, Kind::EchoReq, &[], &PROBE);
    }

    /// When something has to be done about a server, if nothing happens before.
    fn next_deadline(&self, server: u32) -> Option<Time> {
        let state = &self.servers[server as usize];
        let waiting = state.waiting.front().and_then(|&slot| self.asked.find(slot));
        let waiting = waiting.map(|asked| asked.deadline);
        let answer = state.awaited.get(state.late).map(|awaited| awaited.deadline);
        let probe = self.links.heard(server) + self.options.probe_after;
        let probe = (!state.is_quiet() && answer.is_none()).then_some(probe);
        [waiting, answer, probe].into_iter().flatten().min()
    }

    /// A job's own time is over.
    fn job_ran_out(&mut self, cx: &mut Cx, slot: u32) {
        let Some(asked) = self.asked.find(slot) else { return };
        let Place::Running { server, name, .. } = asked.place else { return };
        if !asked.told {
            return;
        }
        let tag = asked.tag;
        self.asked.abandon(slot);
        self.lost(tag, Some(Handle { server: ServerId(server), name }), Why::Time);
        self.abandoned(cx, server);
    }

    /// A link ends, in whatever way. What was on it is lost; what waits goes elsewhere.
    pub(super) fn lose(&mut self, cx: &mut Cx, server: u32, how: Close, why: Why) {
        let connecting = self.links.stand(server) == Stand::Connecting;
        let needed = self.servers[server as usize].is_needed();
        let blame = connecting || needed || why != Why::Connection;
        self.part(cx, server, how, why, blame);
    }

    /// The same; one that is to blame is left alone for a while.
    pub(super) fn part(&mut self, cx: &mut Cx, server: u32, how: Close, why: Why, blame: bool) {
        self.links.lose(cx, server, how, blame);
        self.lose_requests(cx, server, why);
        // Those that cannot go elsewhere come back to this queue: only the ones that are there now.
        for _ in 0..self.servers[server as usize].waiting.len() {
            let (slot, request) = self.take_waiting(server).expect("one waits");
            self.route(cx, slot, request);
        }
    }

    /// Everything that was sent to a server and has not ended is lost.
    fn lose_requests(&mut self, cx: &mut Cx, server: u32, why: Why) {
        let state = &mut self.servers[server as usize];
        state.awaited.clear();
        state.running.clear();
        (state.late, state.abandoned) = (0, 0);
        for slot in self.asked.on_server(server) {
            let asked = self.asked.remove(slot);
            let handle = match asked.place {
                Place::Running { name, .. } => Some(Handle { server: ServerId(server), name }),
                Place::Awaiting(_) | Place::Waiting(..) => None,
            };
            if asked.timeout.is_some() {
                cx.cancel(self.job_timer(slot));
            }
            if asked.told {
                self.lost(asked.tag, handle, why);
            }
        }
    }
}
