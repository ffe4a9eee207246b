//! What the owner passes on.
//!
//! Each method says whether the event was the client's; if not, the owner deals with it.

use super::read_through::FILL_TIMER;
use super::{Client, Event};
use bytes::BytesMut;
use storytime_machine::{Conn, Cx, Gone, Open, Token};

impl Client {
    /// The next end of a request.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a timer's or connect's token is the client's.
    pub const fn owns_token(&self, token: Token) -> bool {
        self.pool.owns_token(token) || self.is_fill_timer(token)
    }

    const fn is_fill_timer(&self, token: Token) -> bool {
        token.0 == self.base + FILL_TIMER
    }

    /// Whether a connection is the client's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.pool.owns(conn)
    }

    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let ours = self.pool.on_open(cx, conn, how);
        self.after(cx, ours)
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let ours = self.pool.on_data(cx, conn, rx);
        self.after(cx, ours)
    }

    /// The server closed its side: replies that are missing will not come.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let ours = self.pool.on_eof(cx, conn);
        self.after(cx, ours)
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        let ours = self.pool.on_gone(cx, conn, why);
        self.after(cx, ours)
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        let ours = self.pool.on_failed(cx, connect, why);
        self.after(cx, ours)
    }

    /// A timer came due.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if self.is_fill_timer(timer) {
            self.fills_overdue(cx);
            return true;
        }
        let ours = self.pool.on_timer(cx, timer);
        self.after(cx, ours)
    }

    fn after(&mut self, cx: &mut Cx, ours: bool) -> bool {
        if ours {
            self.pump(cx);
            self.arm_fills(cx);
        }
        ours
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the client, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.pool.invariants();
        let under_way = self.pool.pending();
        let known = self.asked.len();
        assert!(known <= under_way + self.held().requests, "what is awaited is under way");
        assert_eq!(self.nodes.len(), self.route.len(), "every server of the list has its place");
    }
}
