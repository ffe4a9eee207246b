//! Checkpoints: the content as pieces in the journal, so that recovery need not begin with the
//! first record.

use super::Database;
use super::engine::Engine;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Cx};

/// The first piece of a checkpoint says what it is.
pub(super) const HEAD: &[u8] = b"dbd checkpoint 1";

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
    /// Begins a checkpoint; whether that was possible.
    pub(super) fn begin_checkpoint(&mut self, cx: &mut Cx) -> bool {
        if self.checkpointing.is_under_way() || self.store.has_snapshot() {
            return false;
        }
        let at = self.log.last();
        let Some((journal, storage)) = self.log.parts() else { return false };
        journal.begin_checkpoint(cx, storage, at);
        journal.checkpoint_piece(cx, storage, HEAD);
        self.log.covered();
        self.store.begin_snapshot();
        self.checkpointing.phase = Phase::Pieces;
        true
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
        let checkpointing = &mut self.engine.checkpointing;
        checkpointing.phase = Phase::Idle;
        if well.is_some() {
            checkpointing.last_secs = cx.wall_clock().as_secs();
            checkpointing.count += 1;
        } else {
            self.engine.store.abandon_snapshot();
        }
        for (conn, number) in core::mem::take(&mut self.engine.checkpointing.waiters) {
            if let Some(session) = self.session(conn) {
                session.thing_is_there(number);
            }
        }
    }
}
