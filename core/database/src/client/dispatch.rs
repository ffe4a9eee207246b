//! What the owner passes on, and what comes of it.

use super::asked::Place;
use super::encode::put_request;
use super::link::Stand;
use super::{Client, Failure, Keep, LATE_REPLIES_MAX, Of};
use crate::Reply;
use crate::resp::Frame;
use bytes::BytesMut;
use storytime_machine::{Close, Conn, Cx, Gone, Open, Token};

/// What a server says to a connection that it has no place for, behind `-`.
const NO_PLACE: &[u8] = b"ERR max number of clients";

impl Client {
    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Open::Connected { connect } = how else { return false };
        if !self.owns_token(*connect) {
            return false;
        }
        let index = (connect.0 - self.base) as u32;
        if self.by_slot.len() <= conn.index() {
            self.by_slot.resize(conn.index() + 1, None);
        }
        self.by_slot[conn.index()] = Some((conn, Of::Link(index)));
        let now = cx.now();
        let link = self.link(index);
        assert_eq!(link.stand, Stand::Connecting, "a connect ends once");
        link.heard = now;
        let server = link.server;
        match self.greet(cx, conn, server) {
            0 => {
                self.link(index).stand = Stand::Up(conn);
                self.pump(cx, server);
                self.close_if_done(cx, index);
            }
            replies => {
                self.link(index).stand = Stand::AwaitGreeting(conn, replies);
                // Nobody else would notice that the greeting is not answered.
                cx.after(*connect, self.options.connect_timeout);
            }
        }
        true
    }

    /// Says who we are and which database is meant; returns how many replies that brings.
    fn greet(&self, cx: &mut Cx, conn: Conn, server: u32) -> u32 {
        let tx = cx.tx(conn).expect("a connection that just came up is open");
        let mut replies = 0;
        if let Some(password) = &self.password {
            tx.write_with(|into| put_request(&[b"AUTH", password], into));
            replies += 1;
        }
        let database = self.servers[server as usize].database;
        if database != 0 {
            let number = database.to_string();
            tx.write_with(|into| put_request(&[b"SELECT", number.as_bytes()], into));
            replies += 1;
        }
        replies
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let index = match self.of(conn) {
            None => return false,
            Some(Of::Leaving) => {
                rx.clear();
                return true;
            }
            Some(Of::Link(index)) => index,
        };
        self.link(index).heard = cx.now();
        // Each reply may end the link, and with it what this connection is ours for.
        while self.of(conn) == Some(Of::Link(index)) {
            match self.link(index).reader.next(rx) {
                Ok(None) => break,
                Ok(Some(Frame::Push(_) | Frame::TooLong { push: true })) => {
                    self.counters.pushes += 1;
                }
                Ok(Some(Frame::Reply(reply))) => self.reply(cx, index, Ok(reply)),
                Ok(Some(Frame::TooLong { push: false })) => {
                    self.reply(cx, index, Err(Failure::TooLong));
                }
                Err(_) => {
                    if let Some(first) = self.link(index).pending.pop_front() {
                        self.ends(first, Err(Failure::Garbled));
                    }
                    self.lose(cx, index, Close::Abort, true);
                }
            }
        }
        if self.of(conn) == Some(Of::Link(index)) {
            let server = self.link(index).server;
            self.pump(cx, server);
            self.close_if_done(cx, index);
        } else {
            rx.clear();
        }
        true
    }

    /// A reply came, or one that is too long is known to come.
    fn reply(&mut self, cx: &mut Cx, index: u32, outcome: Result<Reply, Failure>) {
        let link = self.link(index);
        if let Ok(reply @ Reply::Error(text)) = &outcome
            && text.starts_with(NO_PLACE)
            && !link.answered
        {
            return self.no_place(cx, index, reply);
        }
        if let Stand::AwaitGreeting(conn, left) = link.stand {
            return match &outcome {
                Ok(reply) => self.greeted(cx, index, conn, left, reply),
                Err(_) => self.lose(cx, index, Close::Abort, true),
            };
        }
        link.answered = true;
        if link.late > 0 {
            link.late -= 1;
            self.counters.late_replies += 1;
            return;
        }
        let server = link.server as usize;
        let Some(slot) = link.pending.pop_front() else {
            // It answers what was not asked: nothing on this connection can be trusted.
            return self.lose(cx, index, Close::Abort, false);
        };
        self.servers[server].failures = 0;
        self.ends(slot, outcome);
    }

    fn greeted(&mut self, cx: &mut Cx, index: u32, conn: Conn, left: u32, reply: &Reply) {
        if !matches!(reply, Reply::Simple(_)) {
            return self.no_place(cx, index, reply);
        }
        let link = self.link(index);
        if left > 1 {
            link.stand = Stand::AwaitGreeting(conn, left - 1);
            return;
        }
        link.stand = Stand::Up(conn);
        cx.cancel(Token(self.base + u64::from(index)));
    }

    /// The server takes nothing on this connection: it said so to each request that was on it or,
    /// if there was none yet, to the one that waited longest.
    fn no_place(&mut self, cx: &mut Cx, index: u32, reply: &Reply) {
        let link = self.link(index);
        let server = link.server;
        let mut refused = core::mem::take(&mut link.pending);
        if refused.is_empty() {
            refused.extend(self.servers[server as usize].waiting.pop_front());
        }
        // Who asks is told each time; a connection that nobody needed is not tried again soon.
        let blame = refused.is_empty();
        for slot in refused {
            self.ends(slot, Ok(reply.clone()));
        }
        self.lose(cx, index, Close::Flush, blame);
    }

    /// The server closed its side: replies that are missing will not come.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(of) = self.of(conn) else { return false };
        if let Of::Link(index) = of {
            self.lose(cx, index, Close::Flush, false);
        }
        true
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, _: Gone) -> bool {
        let Some(of) = self.of(conn) else { return false };
        if let Of::Link(index) = of {
            self.lose(cx, index, Close::Abort, false);
        }
        self.by_slot[conn.index()] = None;
        true
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, _: Gone) -> bool {
        if !self.owns_token(connect) {
            return false;
        }
        self.counters.connects_failed += 1;
        self.lose(cx, (connect.0 - self.base) as u32, Close::Abort, true);
        true
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if !self.owns_token(timer) {
            return false;
        }
        if timer != self.timer_token() {
            // A greeting was not answered.
            let index = (timer.0 - self.base) as u32;
            if self.links.get(index as usize).is_some_and(Option::is_some) {
                self.lose(cx, index, Close::Abort, true);
            }
            return true;
        }
        self.timer_at = None;
        while let Some((slot, deadline)) = self.asked.first()
            && deadline <= cx.now()
        {
            self.time_out(cx, slot);
        }
        self.set_timer(cx);
        true
    }

    fn time_out(&mut self, cx: &mut Cx, slot: u32) {
        let now = cx.now();
        let timeout = self.options.timeout;
        let asked = self.asked.get_mut(slot);
        let server = asked.server;
        let Place::OnLink(index) = asked.place else {
            let first = self.servers[server as usize].waiting.front();
            assert_eq!(first, Some(&slot), "who asked first waits first");
            self.fail_waiting(server);
            return;
        };
        let pooled = matches!(self.options.keep, Keep::Pooled(_));
        let link = self.link(index);
        if !pooled || link.heard + timeout <= now || link.late >= LATE_REPLIES_MAX {
            return self.lose(cx, index, Close::Abort, true);
        }
        assert_eq!(link.pending.pop_front(), Some(slot), "who asked first is answered first");
        link.late += 1;
        self.ends(slot, Err(Failure::Unknown));
    }

    /// A link ends, in whatever way. Requests on it fail, and so does its server if it is to blame
    /// or if there were any.
    fn lose(&mut self, cx: &mut Cx, index: u32, how: Close, blame: bool) {
        let link = self.links[index as usize].take().expect("a link ends once");
        self.free_links.push(index);
        let server = link.server;
        self.servers[server as usize].links.retain(|&of| of != index);
        match link.stand {
            Stand::Connecting => {}
            Stand::AwaitGreeting(conn, _) | Stand::Up(conn) => {
                cx.close(conn, how);
                self.by_slot[conn.index()] = Some((conn, Of::Leaving));
            }
        }
        if let Stand::AwaitGreeting(..) = link.stand {
            cx.cancel(Token(self.base + u64::from(index)));
        }
        let harm = link.awaited() > 0;
        self.counters.connections_lost += u64::from(harm);
        for slot in link.pending {
            self.ends(slot, Err(Failure::Unknown));
        }
        if blame || harm {
            self.failed(cx, server);
        }
        if blame && self.options.keep == Keep::PerRequest {
            // Each connection was made for a request.
            if link.stand == Stand::Connecting {
                self.fail_waiting(server);
            }
        }
        self.pump(cx, server);
    }

    /// Closes a connection that was made for a request once that is answered.
    fn close_if_done(&mut self, cx: &mut Cx, index: u32) {
        let Some(link) = &self.links[index as usize] else { return };
        let Stand::Up(conn) = link.stand else { return };
        if self.options.keep != Keep::PerRequest || link.awaited() > 0 {
            return;
        }
        let server = link.server;
        cx.close(conn, Close::Flush);
        self.by_slot[conn.index()] = Some((conn, Of::Leaving));
        self.links[index as usize] = None;
        self.free_links.push(index);
        self.servers[server as usize].links.retain(|&of| of != index);
        // It no longer fills a place.
        self.pump(cx, server);
    }
}
