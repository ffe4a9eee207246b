//! Content and log together: what changes one appends to the other.

use super::checkpoint::Checkpointing;
use super::log::Log;
use crate::commands::Marks;
use crate::config::Config;
use crate::record::{Garbled, RecordView, RecordWriter};
use crate::store::{Misfit, Store};
use core::fmt;
use storytime_journal::Lsn;

/// Content and log.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) store: Store,
    pub(crate) marks: Marks,
    /// The record being made.
    pub(crate) record: RecordWriter,
    pub(crate) log: Log,
    pub(super) checkpointing: Checkpointing,
    /// The content is being replaced.
    pub(super) reset: Reset,
    /// The snapshot is a replica's.
    pub(super) seeding: bool,
    /// The content that waiting replies tell of is there no more.
    pub(super) orphaned: bool,
    /// A record from elsewhere did not fit: the server has to end.
    pub(super) broken: Option<NotApplied>,
    /// Effects of records from elsewhere, for figures.
    pub(super) foreign_effects: u64,
}

/// Whether the content is being replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reset {
    /// It is not.
    #[default]
    No,
    /// The first piece is for the journal alone.
    AwaitHead,
    /// Pieces come.
    Pieces,
    /// All are there; they become durable.
    AwaitDurable,
}

/// A record that cannot be applied: the content is not what it was when the record was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// The bytes are no record.
    Garbled,
    /// The record belongs to another history.
    Misfit,
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled => write!(f, "{Garbled}"),
            Self::Misfit => write!(f, "{Misfit}"),
        }
    }
}

impl Engine {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            store: Store::new(0),
            marks: Marks::default(),
            record: RecordWriter::default(),
            log: Log::new(config),
            checkpointing: Checkpointing::default(),
            reset: Reset::No,
            seeding: false,
            orphaned: false,
            broken: None,
            foreign_effects: 0,
        }
    }

    /// Applies a record that was not made here and now: by recovery, or by another server. Returns
    /// how many effects it has.
    ///
    /// # Errors
    /// If it does not fit. What it did before that stays.
    pub(crate) fn apply(&mut self, record: &[u8]) -> Result<u64, NotApplied> {
        let view = RecordView::new(record).map_err(|Garbled| NotApplied::Garbled)?;
        let mut effects = 0;
        self.marks.begin();
        for effect in view.effects() {
            let (db, effect) = effect.map_err(|Garbled| NotApplied::Garbled)?;
            self.marks.wrote(db, &effect);
            self.store.apply(db, &effect).map_err(|Misfit| NotApplied::Misfit)?;
            effects += 1;
        }
        Ok(effects)
    }

    /// Appends the record that was made, if it has effects; its number.
    pub(super) fn append(&mut self) -> Option<Lsn> {
        if self.record.is_empty() {
            return None;
        }
        let lsn = self.log.append(self.record.bytes());
        let lsn = lsn.expect("room is looked for before a request runs");
        self.marks.recorded(lsn);
        Some(lsn)
    }

    pub(super) fn invariants(&self) {
        self.store.invariants();
        self.log.invariants();
        assert!(self.log.durable() <= self.log.last(), "what is durable was appended");
    }
}
