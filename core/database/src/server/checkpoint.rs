//! Checkpoints: the content as pieces in the journal, so that recovery need not begin with the
//! first record.

use super::Database;
use super::engine::{Engine, Reset};
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx, Exit};

/// Where a checkpoint is.
#[derive(Debug, Default)]
pub(crate) struct Checkpointing {
    phase: Phase,
    /// When the last one became durable, seconds since 1970.
    last_secs: u64,
    /// Replies that wait for its end.
    waiters: Vec<(Conn, u64)>,
    /// How many there were.
    count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Idle,
    /// Pieces are being written.
    Pieces,
    /// The journal makes it durable.
    AwaitDurable,
}

impl Checkpointing {
    /// Whether one is under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.phase != Phase::Idle
    }

    pub(super) const fn last_secs(&self) -> u64 {
        self.last_secs
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// A reply waits for its end.
    pub(super) fn wait(&mut self, conn: Conn, number: u64) {
        self.waiters.push((conn, number));
    }
}

impl Engine {
    /// Begins a checkpoint whose first piece is `head`; whether that was possible.
    pub(super) fn begin_checkpoint(&mut self, cx: &mut Cx, head: &[u8]) -> bool {
        let behind = !self.applying.is_empty();
        let busy = behind || self.checkpointing.is_under_way() || self.store.has_snapshot();
        if busy || self.reset != Reset::No {
            return false;
        }
        let at = self.log.last();
        let Some((journal, storage)) = self.log.parts() else { return false };
        journal.begin_checkpoint(cx, storage, at);
        journal.checkpoint_piece(cx, storage, head);
        self.log.covered();
        // It goes at the pace of the disk for which every change waits, too.
        self.store.begin_snapshot(u64::MAX);
        self.checkpointing.phase = Phase::Pieces;
        true
    }

    /// The content is about to be replaced: what was snapshot of it is needed no more. The journal
    /// gives its checkpoint up, too.
    pub(super) fn give_up_checkpoint(&mut self) {
        self.store.abandon_snapshot();
        if self.checkpointing.phase == Phase::Pieces {
            self.checkpointing.phase = Phase::AwaitDurable;
        }
    }

    /// Gives the journal the pieces that it takes now.
    pub(super) fn feed_checkpoint(&mut self, cx: &mut Cx) {
        if self.checkpointing.phase != Phase::Pieces {
            return;
        }
        let Some((journal, storage)) = self.log.parts() else { return };
        while journal.wants_checkpoint_piece() {
            match self.store.next_piece() {
                Some(piece) => journal.checkpoint_piece(cx, storage, &piece),
                None => {
                    journal.end_checkpoint(cx, storage);
                    self.checkpointing.phase = Phase::AwaitDurable;
                    return;
                }
            }
        }
    }
}

impl Database {
    /// A checkpoint is durable, or was given up.
    pub(super) fn checkpoint_over(&mut self, cx: &mut Cx, well: Option<Lsn>) {
        if !self.engine.checkpointing.is_under_way() && self.engine.reset != Reset::No {
            if well.is_none() {
                return cx.exit(Exit::Failed("the disk has no room for the master's content"));
            }
            assert_eq!(self.engine.reset, Reset::AwaitDurable, "a reset ends with its pieces");
            self.engine.reset = Reset::No;
            return self.replication.on_reset_done(cx, &mut self.engine);
        }
        let checkpointing = &mut self.engine.checkpointing;
        checkpointing.phase = Phase::Idle;
        if well.is_some() {
            checkpointing.last_secs = cx.wall_clock().as_secs();
            checkpointing.count += 1;
        } else if !self.engine.seeding {
            self.engine.store.abandon_snapshot();
        }
        for (conn, number) in core::mem::take(&mut self.engine.checkpointing.waiters) {
            if let Some(session) = self.session(conn) {
                session.thing_is_there(number);
                self.thing_came = true;
            }
        }
    }
}
