//! The journal.

use crate::{AppendError, JournalEvent, JournalOptions, Lsn, Storage};
use bytes::Bytes;
use storytime_machine::{Cx, DiskResult, Token};

/// A durable log.
#[derive(Debug)]
pub struct Journal {
    options: JournalOptions,
}

#[allow(clippy::todo, clippy::needless_pass_by_value, missing_docs, unused_variables)]
impl Journal {
    /// A journal that is not open yet; its tokens are [`JOURNAL_TOKENS`](crate::JOURNAL_TOKENS)
    /// consecutive ones from `base`.
    pub fn new(options: JournalOptions, base: Token) -> Self {
        let _ = base;
        Self { options }
    }
    /// Begins recovery: `Checkpoint`s, `Record`s, then `Ready` or `Refused`.
    pub fn open(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        todo!("{:?}", self.options)
    }
    /// Takes a record; it is written with the next [`commit`](Self::commit).
    pub fn append(&mut self, record: &[u8]) -> Result<Lsn, AppendError> {
        todo!()
    }
    /// Starts writing what was appended, unless a write or sync is in flight: then it rides with the
    /// next. Call it once at the end of each callback that appended.
    pub fn commit(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        todo!()
    }
    /// Whether a disk token is the journal's.
    pub fn owns(&self, token: Token) -> bool {
        todo!()
    }
    /// A disk operation of the journal's completed. True if it was the journal's.
    pub fn on_disk(
        &mut self,
        cx: &mut Cx,
        io: &mut dyn Storage,
        token: Token,
        result: DiskResult,
    ) -> bool {
        todo!()
    }
    /// What happened, in order.
    pub fn next_event(&mut self) -> Option<JournalEvent> {
        todo!()
    }
    /// The oldest record that can be read, the newest that is durable, the newest appended.
    pub fn oldest(&self) -> Lsn {
        todo!()
    }
    pub fn durable(&self) -> Lsn {
        todo!()
    }
    pub fn last(&self) -> Lsn {
        todo!()
    }
    /// Reads durable records from `from` on, about `bytes_max` bytes of them; one read at a time.
    /// Answered with `Records` or `ReadFailed`.
    pub fn read(&mut self, cx: &mut Cx, io: &mut dyn Storage, from: Lsn, bytes_max: usize) {
        todo!()
    }
    /// Begins a checkpoint that stands for every record up to `at`; pieces follow with
    /// [`checkpoint_piece`](Self::checkpoint_piece). Appending goes on meanwhile.
    pub fn begin_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        todo!()
    }
    /// Whether the next piece may be given now: pieces are bounded by the disk's speed.
    pub fn wants_checkpoint_piece(&self) -> bool {
        todo!()
    }
    pub fn checkpoint_piece(&mut self, cx: &mut Cx, io: &mut dyn Storage, piece: Bytes) {
        todo!()
    }
    /// The pieces are complete: sync, rename, sync the directory; `Checkpointed` follows.
    pub fn end_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        todo!()
    }
    /// Throws everything away and begins anew behind `at`, with the checkpoint whose pieces follow:
    /// how a replica is seeded. `Checkpointed(at)` tells the end.
    pub fn reset(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        todo!()
    }
    /// Bytes appended and not yet durable.
    pub fn pending_bytes(&self) -> usize {
        todo!()
    }
    /// Asserts what must hold between calls.
    pub fn invariants(&self) {}
}
