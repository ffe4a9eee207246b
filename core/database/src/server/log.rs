//! Where records go, and when they are durable.

use super::gather::{Begin, Gather};
use super::tokens;
use crate::commands::Fault;
use crate::config::{Config, Durability, RECORD_BYTES_MAX};
use bytes::Bytes;
use storytime_journal::{AppendError, Journal, JournalEvent, JournalOptions, Lsn, ReadError};
use storytime_machine::{Cx, DiskResult, Token};
use storytime_pair::Storages;

/// Most bytes of records that are not durable yet.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// The disk has no room.
const FULL: Fault =
    Fault::of("FULL the disk is full: writes are refused until there is space again, reads go on");
/// The disk is behind.
const BUSY: Fault = Fault::of("BUSY too much waits for the disk; try again later");

/// The records of this server.
#[derive(Debug)]
pub(crate) struct Log {
    durability: Durability,
    /// None: records are counted and not kept.
    journal: Option<Box<Journal>>,
    storage: Storages,
    /// The last record.
    last: Lsn,
    /// Bytes appended since the last checkpoint began.
    uncovered_bytes: u64,
    gather: Gather,
    /// The timer is set with which records go to the disk.
    commits_later: bool,
    /// What a journal that is not there would have told.
    without: Option<JournalEvent>,
}

/// Shortest segment of the journal, bytes.
const SEGMENT_BYTES_MIN: u64 = 16 << 10;
/// Longest segment of the journal, bytes.
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

impl Log {
    pub(super) fn new(config: &Config) -> Self {
        let dir = [&config.dir[..], b"/journal"].concat();
        let options = JournalOptions {
            dir: Bytes::from(dir),
            record_bytes_max: RECORD_BYTES_MAX,
            pending_bytes_max: PENDING_BYTES_MAX,
            reserve_bytes: config.reserve_bytes,
            // The log is cut by whole segments: a checkpoint leaves a few behind.
            segment_bytes: (config.checkpoint_bytes / 4)
                .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            ..JournalOptions::default()
        };
        let journal = (config.durability != Durability::Never)
            .then(|| Box::new(Journal::new(options, tokens::JOURNAL_BASE)));
        Self {
            durability: config.durability,
            journal,
            storage: Storages::Own,
            last: Lsn(0),
            uncovered_bytes: 0,
            gather: Gather::default(),
            commits_later: false,
            without: None,
        }
    }

    /// Begins recovery; false if there is nothing to recover.
    pub(super) fn open(&mut self, cx: &mut Cx) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        journal.open(cx, &mut self.storage);
        true
    }

    /// Recovery has come to the record of this number and length, or is over.
    pub(super) const fn recovered(&mut self, last: Lsn, bytes: u64) {
        self.last = last;
        // They count: lives too short for a checkpoint of their own would never have one.
        self.uncovered_bytes += bytes;
    }

    /// Whether a record that a request may make fits.
    ///
    /// # Errors
    /// What the client is told.
    pub(super) fn admits(&self) -> Result<(), Fault> {
        let Some(journal) = &self.journal else { return Ok(()) };
        if journal.is_full() {
            Err(FULL)
        } else if journal.pending_bytes() + RECORD_BYTES_MAX > PENDING_BYTES_MAX {
            Err(BUSY)
        } else {
            Ok(())
        }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// If the journal does not take it: nothing of it is kept.
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<Lsn, AppendError> {
        self.last = match &mut self.journal {
            None => Lsn(self.last.0 + 1),
            Some(journal) => journal.append(record)?,
        };
        self.uncovered_bytes += record.len() as u64;
        Ok(self.last)
    }

    /// What was appended is on its way to the disk, or will be: see `gather`. A full disk is looked
    /// at again.
    pub(super) fn commit(&mut self, cx: &mut Cx) {
        let pending = self.last.0 - self.durable().0;
        let Some(journal) = &mut self.journal else { return };
        if !journal.wants_commit() {
            return journal.commit(cx, &mut self.storage);
        }
        let begin = match self.durability {
            Durability::Always => self.gather.begin(cx.now(), pending),
            // Nobody waits for it.
            Durability::Behind | Durability::Never => Begin::Soon,
        };
        let due = match begin {
            Begin::Now => return self.commit_now(cx),
            Begin::Soon => cx.now(),
            Begin::At(at) => at,
        };
        if !core::mem::replace(&mut self.commits_later, true) {
            cx.at(tokens::COMMIT, due);
        }
    }

    /// What was appended is on its way to the disk.
    pub(super) fn commit_now(&mut self, cx: &mut Cx) {
        if core::mem::take(&mut self.commits_later) {
            cx.cancel(tokens::COMMIT);
        }
        let pending = self.last.0 - self.durable().0;
        if let Some(journal) = &mut self.journal {
            if journal.wants_commit() {
                self.gather.began(cx.now(), pending);
            }
            journal.commit(cx, &mut self.storage);
        }
    }

    pub(super) fn on_disk(&mut self, cx: &mut Cx, token: Token, result: DiskResult) -> bool {
        let before = self.durable();
        let Some(journal) = &mut self.journal else { return false };
        let known = journal.on_disk(cx, &mut self.storage, token, result);
        let after = self.durable();
        if after > before {
            self.gather.ended(cx.now(), after.0 - before.0, self.last.0 - after.0);
        }
        known
    }

    pub(super) fn next_event(&mut self) -> Option<JournalEvent> {
        match &mut self.journal {
            Some(journal) => journal.next_event(),
            None => self.without.take(),
        }
    }

    /// The last record.
    pub(crate) const fn last(&self) -> Lsn {
        self.last
    }

    /// The last record that a power cut cannot take back; without a journal, the last at all.
    pub(crate) fn durable(&self) -> Lsn {
        // In recovery and in a reset the journal is ahead of what is known of it.
        self.journal.as_ref().map_or(self.last, |journal| journal.durable().min(self.last))
    }

    /// The oldest record that can be read.
    pub(super) fn oldest(&self) -> Lsn {
        self.journal.as_ref().map_or(Lsn(self.last.0 + 1), |journal| journal.oldest())
    }

    /// Reads records; an event tells them.
    pub(super) fn read(&mut self, cx: &mut Cx, from: Lsn, bytes_max: usize) {
        match &mut self.journal {
            Some(journal) => journal.read(cx, &mut self.storage, from, bytes_max),
            None => self.without = Some(JournalEvent::ReadFailed(ReadError::Gone)),
        }
    }

    /// Throws everything away and begins anew behind `at`.
    pub(super) fn begin_reset(&mut self, cx: &mut Cx, at: Lsn) {
        if let Some(journal) = &mut self.journal {
            journal.reset(cx, &mut self.storage, at);
        }
        (self.last, self.uncovered_bytes) = (at, 0);
    }

    /// Whether a piece of the content with which it begins anew would be taken.
    pub(super) fn wants_reset_piece(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.wants_checkpoint_piece())
    }

    /// A piece of the content with which it begins anew; false if it is not taken now.
    pub(super) fn reset_piece(&mut self, cx: &mut Cx, piece: &[u8]) -> bool {
        let Some(journal) = &mut self.journal else { return true };
        let wanted = journal.wants_checkpoint_piece();
        if wanted {
            journal.checkpoint_piece(cx, &mut self.storage, piece);
        }
        wanted
    }

    /// The content with which it begins anew is complete.
    pub(super) fn end_reset(&mut self, cx: &mut Cx) {
        match &mut self.journal {
            Some(journal) => journal.end_checkpoint(cx, &mut self.storage),
            None => self.without = Some(JournalEvent::Checkpointed(self.last)),
        }
    }

    /// Whether replies wait for the disk.
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self.durability, Durability::Always)
    }

    /// Whether the disk has no room.
    pub(super) fn is_full(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_full())
    }

    /// Whether what was appended is not durable before there is room on the disk.
    pub(super) fn waits_for_space(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.waits_for_space())
    }

    /// Where disk operations go from now on. Before recovery only.
    pub(super) fn set_storage(&mut self, storage: Storages) {
        assert_eq!(self.last, Lsn(0), "a journal stays where it was opened");
        self.storage = storage;
    }

    pub(super) const fn storage(&mut self) -> &mut Storages {
        &mut self.storage
    }

    /// Whether there is a journal.
    pub(super) const fn is_kept(&self) -> bool {
        self.journal.is_some()
    }

    /// Bytes appended since the last checkpoint began.
    pub(super) const fn uncovered_bytes(&self) -> u64 {
        self.uncovered_bytes
    }

    /// The journal and where its disk operations go, for checkpoints.
    pub(super) fn parts(&mut self) -> Option<(&mut Journal, &mut Storages)> {
        self.journal.as_deref_mut().map(|journal| (journal, &mut self.storage))
    }

    /// A checkpoint begins.
    pub(super) const fn covered(&mut self) {
        self.uncovered_bytes = 0;
    }

    pub(super) fn pair_counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        if let Storages::Pair(pair) = &self.storage {
            pair.counters(each);
        }
    }

    pub(super) fn invariants(&self) {
        if let Storages::Pair(pair) = &self.storage {
            pair.invariants();
        }
        if let Some(journal) = &self.journal {
            journal.invariants();
        }
    }
}
