//! Turns: a connection that asks for much lets others go first.
//!
//! Most of what is asked for costs next to nothing. Some of it costs as much as there are
//! functions, jobs or listeners, and some hundred bytes may ask for that many times: nobody else
//! would be served for as long. So such a connection is put aside when its turn is over, and goes
//! on after the others that have sent something.

use super::{Gearmand, tokens};
use core::time::Duration;
use storytime_machine::{Conn, Cx};

impl Gearmand {
    /// A connection has had its turn. What it sent beyond that waits for its next one.
    pub(super) fn end_turn(&mut self, cx: &mut Cx, conn: Conn) {
        self.counters.turns_ended += 1;
        cx.reached("gearmand: a connection that asked for much was put behind others");
        cx.pause(conn, true);
        if self.waiting.is_empty() {
            cx.after(tokens::TURN, Duration::ZERO);
        }
        self.waiting.push_back(conn);
    }

    /// The next one of those who had their turn goes on.
    pub(super) fn next_turn(&mut self, cx: &mut Cx) {
        let Some(conn) = self.waiting.pop_front() else { return };
        if !self.waiting.is_empty() {
            cx.after(tokens::TURN, Duration::ZERO);
        }
        if let Some(session) = self.sessions.get(conn)
            && !session.paused
        {
            cx.pause(conn, false);
        }
    }
}
