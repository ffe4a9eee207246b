//! Where records go, and when they are durable.

use super::storage::Storages;
use super::tokens;
use crate::commands::Fault;
use crate::config::{Config, Durability, RECORD_BYTES_MAX};
use bytes::Bytes;
use storytime_journal::{Journal, JournalEvent, JournalOptions, Lsn};
use storytime_machine::{Cx, DiskResult, Token};

/// Most bytes of records that are not durable yet.
const PENDING_BYTES_MAX: usize = 64 << 20;

/// The disk has no room.
const FULL: Fault =
    Fault::of("FULL the disk is full: writes are refused until there is space again, reads go on");
/// The disk is behind.
const BUSY: Fault = Fault::of("BUSY too much waits for the disk; try again later");
/// The journal has failed.
const ENDED: Fault = Fault::of("ERR the journal has failed; the server is about to end");

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
}

impl Log {
    pub(super) fn new(config: &Config) -> Self {
        let dir = [&config.dir[..], b"/journal"].concat();
        let options = JournalOptions {
            dir: Bytes::from(dir),
            record_bytes_max: RECORD_BYTES_MAX,
            pending_bytes_max: PENDING_BYTES_MAX,
            ..JournalOptions::default()
        };
        let journal = (config.durability != Durability::Never)
            .then(|| Box::new(Journal::new(options, tokens::JOURNAL_BASE)));
        Self {
            durability: config.durability,
            journal,
            storage: Storages::new(),
            last: Lsn(0),
            uncovered_bytes: 0,
        }
    }

    /// Begins recovery; false if there is nothing to recover.
    pub(super) fn open(&mut self, cx: &mut Cx) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        journal.open(cx, &mut self.storage);
        true
    }

    /// Recovery is over.
    pub(super) const fn recovered(&mut self, last: Lsn) {
        self.last = last;
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
    pub(crate) fn append(&mut self, record: &[u8]) -> Result<Lsn, Fault> {
        self.last = match &mut self.journal {
            None => Lsn(self.last.0 + 1),
            Some(journal) => {
                use storytime_journal::AppendError::{Busy, Full, NotReady, TooLong};
                journal.append(record).map_err(|error| match error {
                    Busy => BUSY,
                    Full => FULL,
                    NotReady | TooLong => ENDED,
                })?
            }
        };
        self.uncovered_bytes += record.len() as u64;
        Ok(self.last)
    }

    /// What was appended is on its way to the disk. A full disk is looked at again.
    pub(super) fn commit(&mut self, cx: &mut Cx) {
        if let Some(journal) = &mut self.journal {
            journal.commit(cx, &mut self.storage);
        }
    }

    pub(super) fn on_disk(&mut self, cx: &mut Cx, token: Token, result: DiskResult) -> bool {
        let Some(journal) = &mut self.journal else { return false };
        journal.on_disk(cx, &mut self.storage, token, result)
    }

    pub(super) fn next_event(&mut self) -> Option<JournalEvent> {
        self.journal.as_mut()?.next_event()
    }

    /// The last record.
    pub(crate) const fn last(&self) -> Lsn {
        self.last
    }

    /// The last record that a power cut cannot take back; without a journal, the last at all.
    pub(crate) fn durable(&self) -> Lsn {
        // While it recovers, the journal is ahead of what was told.
        self.journal.as_ref().map_or(self.last, |journal| journal.durable().min(self.last))
    }

    /// The last record whose replies may leave.
    pub(super) fn settled(&self) -> Lsn {
        match self.durability {
            Durability::Always => self.durable(),
            Durability::Behind | Durability::Never => Lsn(u64::MAX),
        }
    }

    /// Whether the disk has no room.
    pub(super) fn is_full(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.is_full())
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

    pub(super) fn invariants(&self) {
        if let Some(journal) = &self.journal {
            journal.invariants();
        }
    }
}
