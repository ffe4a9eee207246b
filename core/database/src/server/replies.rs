//! When replies leave: in order, and none before what it tells is durable and its pages are read.

use super::Database;
use super::session::Session;
use crate::config::OUTPUT_BYTES_MAX;
use storytime_journal::Lsn;
use storytime_machine::{Close, Conn, Cx};

/// Most replies of one connection that wait; it is not read while there are so many.
const HELD_MAX: usize = 1024;

impl Database {
    /// The last record whose replies may leave.
    fn settled(&self) -> Lsn {
        self.engine.log.settled()
    }

    /// Sends the reply that was made, or has it wait for a record and for so many other things.
    pub(super) fn reply(&mut self, cx: &mut Cx, session: &mut Session, wait: Lsn, things: u32) {
        let reply = &self.out.bytes;
        let conn = session.conn;
        let is_held = session.held() > 0 || things > 0 || wait > self.settled();
        if cx.pending(conn) + session.held_bytes() + reply.len() > OUTPUT_BYTES_MAX {
            self.counters.overrun_clients += 1;
            cx.reached("dbd: a client that does not read was hung up on");
            session.leaving = true;
            return cx.close(conn, Close::Abort);
        }
        self.counters.bytes_written += reply.len() as u64;
        if is_held {
            let number = session.hold(wait, things, reply);
            if let (Some(number), true) = (number, self.waits_for_checkpoint) {
                self.engine.checkpointing.wait(conn, number);
            }
            if number.is_some() {
                self.counters.running += 1;
                let running = self.counters.running;
                self.counters.running_peak = self.counters.running_peak.max(running);
            }
            if !session.waiting {
                session.waiting = true;
                self.waiting.push(conn);
            }
        } else if let Some(tx) = cx.tx(conn) {
            tx.put(reply);
        }
    }

    /// Whether a connection has so much waiting that it is not read.
    pub(super) fn is_slow(cx: &Cx, session: &Session) -> bool {
        let pending = cx.pending(session.conn) + session.held_bytes();
        pending > cx.limits().tx_high || session.held() >= HELD_MAX
    }

    /// Sends what need wait no longer.
    pub(super) fn release_all(&mut self, cx: &mut Cx) {
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.retain(|&conn| self.release(cx, conn));
        waiting.append(&mut self.waiting);
        self.waiting = waiting;
    }

    /// Sends what of one connection need wait no longer; whether something still waits.
    fn release(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let settled = self.settled();
        let Some(session) = self.session(conn) else { return false };
        let (bytes, count) = session.release(settled);
        let still = session.held() > 0;
        session.waiting = still;
        self.counters.running -= u64::from(count);
        if let Some(tx) = cx.tx(conn) {
            tx.put(&bytes);
        }
        if !still && self.session(conn).is_some_and(|session| session.leaving) {
            cx.close(conn, Close::Flush);
        }
        self.resume(cx, conn);
        still
    }

    /// Reads a connection again that was not read, if little enough of it waits.
    pub(super) fn resume(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(session) = self.session(conn) else { return };
        if session.paused && !Self::is_slow(cx, session) {
            session.paused = false;
            cx.pause(conn, false);
        }
    }

    /// Hangs up once all replies have left.
    pub(super) fn hang_up_after_replies(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(session) = self.session(conn) else { return cx.close(conn, Close::Flush) };
        session.leaving = true;
        if session.held() == 0 {
            cx.close(conn, Close::Flush);
        }
    }

    /// A connection is gone.
    pub(super) fn forget(&mut self, conn: Conn) {
        let Some(mut session) = self.take_session(conn) else { return };
        self.counters.connections -= 1;
        self.counters.running -= session.held() as u64;
        self.waiting.retain(|&waiting| waiting != conn);
        self.unwatch(&mut session);
    }

    /// Watches no key any longer.
    pub(super) fn unwatch(&mut self, session: &mut Session) {
        for (db, key) in session.watched.drain(..) {
            self.engine.marks.unwatch(db, key, session.conn);
        }
        session.broken = false;
    }
}
