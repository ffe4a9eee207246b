//! What replication needs of content and log.

use super::engine::{Engine, Reset};
use crate::replication::{Host, LogState};
use crate::store::Store;
use bytes::Bytes;
use storytime_journal::{AppendError, Lsn};
use storytime_machine::Cx;

impl Engine {
    /// Whether a reset goes on with the next piece.
    pub(super) fn wants_reset_piece(&self) -> bool {
        matches!(self.reset, Reset::AwaitHead | Reset::Pieces) && self.log.wants_reset_piece()
    }
}

impl Host for Engine {
    fn log(&self) -> LogState {
        let last = self.log.last();
        let (oldest, durable) = (self.log.oldest(), self.log.durable());
        LogState { oldest, durable, last, applied: self.applied() }
    }

    fn append(&mut self, cx: &mut Cx, record: &[u8]) -> Result<Lsn, AppendError> {
        if !self.takes_records() {
            return Err(AppendError::Busy);
        }
        let lsn = self.log.append(record)?;
        self.applying.push_back((lsn, Bytes::copy_from_slice(record)));
        self.apply_waiting(cx);
        Ok(lsn)
    }

    fn read(&mut self, cx: &mut Cx, from: Lsn, bytes_max: usize) {
        self.log.read(cx, from, bytes_max);
    }

    fn begin_snapshot(&mut self, _cx: &mut Cx, kept_bytes_max: u64) -> bool {
        let behind = !self.applying.is_empty();
        if behind || self.store.has_snapshot() || self.reset != Reset::No {
            return false;
        }
        self.store.begin_snapshot(kept_bytes_max);
        self.seeding = true;
        true
    }

    fn is_snapshot_overrun(&self) -> bool {
        self.seeding && self.store.is_snapshot_overrun()
    }

    fn next_piece(&mut self, _cx: &mut Cx) -> Option<Bytes> {
        assert!(self.seeding, "a snapshot is begun first");
        let piece = self.store.next_piece();
        self.seeding = piece.is_some();
        piece
    }

    fn abandon_snapshot(&mut self, _cx: &mut Cx) {
        if core::mem::take(&mut self.seeding) {
            self.store.abandon_snapshot();
        }
    }

    fn begin_reset(&mut self, cx: &mut Cx, at: Lsn) {
        self.give_up_checkpoint();
        self.seeding = false;
        self.log.begin_reset(cx, at);
        self.store = Store::new(self.store.secret());
        self.marks.reset(at);
        self.applying.clear();
        self.asked_ahead = 0;
        self.reset = Reset::AwaitHead;
        self.orphaned = true;
    }

    fn reset_piece(&mut self, cx: &mut Cx, piece: &Bytes) -> bool {
        if !self.log.reset_piece(cx, piece) {
            return false;
        }
        if self.reset == Reset::AwaitHead {
            self.reset = Reset::Pieces;
        } else if let Err(why) = self.apply(piece) {
            self.broken = Some(why);
        }
        true
    }

    fn end_reset(&mut self, cx: &mut Cx) {
        self.log.end_reset(cx);
        self.reset = Reset::AwaitDurable;
    }
}
