//! What the owner passes on.
//!
//! Each method says whether the event was the part's; if not, the owner deals with it.

use super::{DEADLINE_TIMER, INDEX_TIMER, SHARDING_TOKENS, Sharding};
use crate::outcome::Event;
use bytes::BytesMut;
use storytime_machine::{Conn, Cx, Gone, Open, Token};

impl Sharding {
    /// The next end of a request.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a timer's or connect's token is the part's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < SHARDING_TOKENS
    }

    /// Whether a connection is the part's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.database.owns(conn) || self.memcached.as_ref().is_some_and(|client| client.owns(conn))
    }

    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let ours = self.database.on_open(cx, conn, how)
            || self.memcached.as_mut().is_some_and(|client| client.on_open(cx, conn, how));
        self.after_event(cx, ours)
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let ours = self.database.on_data(cx, conn, rx)
            || self.memcached.as_mut().is_some_and(|client| client.on_data(cx, conn, rx));
        self.after_event(cx, ours)
    }

    /// A server closed its side.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let ours = self.database.on_eof(cx, conn)
            || self.memcached.as_mut().is_some_and(|client| client.on_eof(cx, conn));
        self.after_event(cx, ours)
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        let ours = self.database.on_gone(cx, conn, why)
            || self.memcached.as_mut().is_some_and(|client| client.on_gone(cx, conn, why));
        self.after_event(cx, ours)
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        let ours = self.database.on_failed(cx, connect, why)
            || self.memcached.as_mut().is_some_and(|client| client.on_failed(cx, connect, why));
        self.after_event(cx, ours)
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        let ours = if timer.0 == self.base + DEADLINE_TIMER {
            self.deadlines_came(cx);
            true
        } else if timer.0 == self.base + INDEX_TIMER {
            self.index_timer(cx);
            true
        } else {
            self.database.on_timer(cx, timer)
                || self.memcached.as_mut().is_some_and(|client| client.on_timer(cx, timer))
        };
        self.after_event(cx, ours)
    }

    fn after_event(&mut self, cx: &mut Cx, ours: bool) -> bool {
        if ours {
            self.run(cx);
        }
        ours
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the part, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.database.invariants();
        if let Some(client) = &self.memcached {
            client.invariants();
        }
        assert!(self.inputs.is_empty(), "everybody who can go on has gone on");
        assert!(self.jobs.len() <= self.options.requests_max, "no more jobs than allowed");
        assert!(self.deadlines.len() <= self.jobs.len(), "deadlines are of jobs under way");
    }
}
