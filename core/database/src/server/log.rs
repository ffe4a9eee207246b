//! Where records go, and when they are durable.

use super::Database;
use crate::config::Durability;
use storytime_journal::Lsn;
use storytime_machine::Cx;

/// The records of this server.
#[derive(Debug)]
pub(super) struct Log {
    durability: Durability,
    last: Lsn,
    durable: Lsn,
    /// The history that records belong to.
    term: u64,
}

impl Log {
    pub(super) const fn new(durability: Durability) -> Self {
        Self { durability, last: Lsn(0), durable: Lsn(0), term: 1 }
    }

    /// The last record.
    pub(super) const fn last(&self) -> Lsn {
        self.last
    }

    /// The last record that is durable.
    pub(super) const fn durable(&self) -> Lsn {
        self.durable
    }

    /// The history that records belong to.
    pub(super) const fn term(&self) -> u64 {
        self.term
    }
}

impl Database {
    /// Takes the record that was made.
    pub(super) fn append(&mut self, _cx: &mut Cx) -> Lsn {
        let lsn = Lsn(self.log.last.0 + 1);
        self.log.last = lsn;
        self.log.durable = lsn;
        self.counters.records += 1;
        lsn
    }

    /// The last record whose replies may leave.
    pub(super) const fn settled(&self) -> Lsn {
        match self.log.durability {
            Durability::Always => self.log.durable,
            Durability::Behind | Durability::Never => Lsn(u64::MAX),
        }
    }
}
