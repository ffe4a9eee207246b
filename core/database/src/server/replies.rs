//! When replies leave: in order, and none before what it tells is durable and its pages are read.

use super::Database;
use super::session::{Held, Session};
use super::turns::Turn;
use crate::config::OUTPUT_BYTES_MAX;
use crate::replication::Verdict;
use storytime_journal::Lsn;
use storytime_machine::{Close, Conn, Cx};

/// Most replies of one connection that wait; it is not read while there are so many.
const HELD_MAX: usize = 1024;

/// What a reply waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wait {
    /// The record that has to be as safe as was asked for.
    pub(super) lsn: Lsn,
    /// How many other things have to be there.
    pub(super) things: u32,
    /// Whether it tells of a change.
    pub(super) write: bool,
}

/// What the reply to the request under way waits for beside records and pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awaits {
    /// Nothing.
    #[default]
    Nothing,
    /// The end of the checkpoint.
    Checkpoint,
    /// Replicas, whose number is the reply.
    Replicas,
}

impl Database {
    /// What may be said of a record to whoever asked for it, or saw what it changed.
    fn verdict(&self, lsn: Lsn) -> Verdict {
        if !self.engine.log.is_awaited() && self.config.replicas_to_write == 0 {
            return Verdict::Acknowledged;
        }
        self.replication.verdict(&self.engine, lsn)
    }

    /// Sends the reply that was made, or has it wait for a record and for so many other things.
    pub(super) fn reply(&mut self, cx: &mut Cx, session: &mut Session, wait: Wait) {
        let conn = session.conn;
        let bytes = self.out.bytes.len();
        if cx.pending(conn) + session.memory() + bytes > OUTPUT_BYTES_MAX {
            self.counters.overrun_clients += 1;
            cx.reached("dbd: a client that does not read was hung up on");
            session.leaving = true;
            return cx.close(conn, Close::Abort);
        }
        self.counters.bytes_written += bytes as u64;
        let is_due = wait.things == 0 && self.verdict(wait.lsn) != Verdict::Await;
        if is_due && session.held() == 0 {
            let reply = &self.out.bytes;
            if let Some(tx) = cx.tx(conn) {
                tx.put(reply);
            }
            return;
        }
        let Wait { lsn, things, write } = wait;
        let held = Held { wait: lsn, things, bytes, write };
        let together = self.config.replicas_to_write == 0;
        if let Some(number) = session.hold(held, &self.out.bytes, together) {
            self.counters.running += 1;
            self.counters.running_peak = self.counters.running_peak.max(self.counters.running);
            match core::mem::take(&mut self.awaits) {
                Awaits::Nothing => {}
                Awaits::Checkpoint => self.engine.checkpointing.wait(conn, number),
                Awaits::Replicas => session.hold_late(number),
            }
        }
        if !session.waiting {
            session.waiting = true;
            self.waiting.push(conn);
        }
    }

    /// Whether a connection has so much waiting that it is not read.
    pub(super) fn is_slow(cx: &Cx, session: &Session) -> bool {
        let pending = cx.pending(session.conn) + session.held_bytes();
        pending > cx.limits().tx_high || session.held() >= HELD_MAX || session.is_late()
    }

    /// Whether any reply that waits may have become due since the last call. Without news nobody is
    /// looked at: a thousand connections whose writes ride with one sync would each look at all.
    pub(super) fn may_release(&mut self) -> bool {
        let durable = self.engine.log.durable();
        let before = core::mem::replace(&mut self.looked_at, durable);
        let progress = self.replication.take_progress();
        let came = core::mem::take(&mut self.thing_came);
        durable != before || progress || came
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
        let Some(mut session) = self.take_session(conn) else { return false };
        while let Some(first) = session.first()
            && first.things == 0
        {
            let verdict = self.verdict(first.wait);
            if verdict == Verdict::Await {
                break;
            }
            self.counters.running -= 1;
            if verdict == Verdict::NotReplicated && first.write {
                session.release(|_| {});
                self.out.bytes.clear();
                let text = self.replication.not_replicated(first.wait);
                self.counters.error_replies += 1;
                self.out.error(&text);
                if let Some(tx) = cx.tx(conn) {
                    tx.put(&self.out.bytes);
                }
            } else {
                let mut tx = cx.tx(conn);
                session.release(|reply| {
                    if let Some(tx) = &mut tx {
                        tx.put(reply);
                    }
                });
            }
        }
        let still = session.held() > 0;
        session.waiting = still;
        if !still && session.leaving {
            cx.close(conn, Close::Flush);
        }
        self.give_back(session);
        self.resume(cx, conn);
        still
    }

    /// Reads a connection again that was not read, if little enough of it waits.
    pub(super) fn resume(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(session) = self.session(conn) else { return };
        if session.paused && session.turn != Turn::Waits && !Self::is_slow(cx, session) {
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
        self.replication.on_client_gone(conn);
        self.waiting.retain(|&waiting| waiting != conn);
        self.unwatch(&mut session);
        self.take_turn_back(&mut session);
    }

    /// Watches no key any longer.
    pub(super) fn unwatch(&mut self, session: &mut Session) {
        for (db, key) in session.watched.drain(..) {
            self.engine.marks.unwatch(db, key, session.conn);
        }
        session.broken = false;
    }
}
