//! What happened: a digest of every event, and the last or all of them to read.

use storytime_machine::Time;
use storytime_machine::hash::{digest_bytes, fold};

/// Records kept by default.
const RING_RECORDS: usize = 1 << 12;
/// Most records kept when all are asked for: 64 bytes each, 1 GiB.
pub const TRACE_RECORDS_MAX: usize = 16 << 20;

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// World time.
    pub at: Time,
    /// What, as a word.
    pub what: &'static str,
    /// To which process or host: its index, or `u32::MAX`.
    pub who: u32,
    /// Detail, by kind: bytes, an end, a token.
    pub a: u64,
    /// Further detail.
    pub b: u64,
}

/// The digest and the records.
#[derive(Debug)]
pub struct Trace {
    digest: u64,
    events: u64,
    keep_all: bool,
    records: Vec<Record>,
}

impl Trace {
    pub(crate) fn new(seed: u64, keep_all: bool) -> Self {
        Self { digest: fold(seed, 0x7374_6f72_7974_696d), events: 0, keep_all, records: Vec::new() }
    }

    /// Notes one event. Everything but the word takes part in the digest; the word is implied by
    /// the others in a deterministic run and is hashed by its length and first byte only.
    #[inline]
    pub(crate) fn note(&mut self, at: Time, what: &'static str, who: u32, a: u64, b: u64) {
        let word = (what.len() as u64) << 8 | u64::from(what.as_bytes()[0]);
        let state = fold(self.digest, at.0 ^ word.rotate_left(48));
        self.digest = fold(fold(state, u64::from(who) << 32 ^ a), b);
        let record = Record { at, what, who, a, b };
        let index = self.events as usize;
        self.events += 1;
        if self.keep_all {
            if self.records.len() < TRACE_RECORDS_MAX {
                self.records.push(record);
            }
        } else if self.records.len() < RING_RECORDS {
            self.records.push(record);
        } else {
            self.records[index % RING_RECORDS] = record;
        }
    }

    /// Folds content into the digest.
    #[inline]
    pub(crate) fn content(&mut self, bytes: &[u8]) {
        self.digest = digest_bytes(self.digest, bytes);
    }

    /// Digest of everything so far.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Events so far.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The records kept, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        let ring = !self.keep_all && self.events as usize > RING_RECORDS;
        let start = if ring { self.events as usize % RING_RECORDS } else { 0 };
        self.records[start..].iter().chain(&self.records[..start])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_last_records_in_order() {
        let mut trace = Trace::new(1, false);
        for i in 0..RING_RECORDS as u64 + 10 {
            trace.note(Time(i), "x", 0, i, 0);
        }
        let kept: Vec<u64> = trace.records().map(|r| r.a).collect();
        assert_eq!((kept.len(), kept[0]), (RING_RECORDS, 10));
        assert!(kept.is_sorted());
    }

    #[test]
    fn every_field_changes_the_digest() {
        let digest = |at, what, who, a, b| {
            let mut trace = Trace::new(1, false);
            trace.note(Time(at), what, who, a, b);
            trace.digest()
        };
        let base = digest(1, "x", 1, 1, 1);
        for other in [
            digest(2, "x", 1, 1, 1),
            digest(1, "yy", 1, 1, 1),
            digest(1, "x", 2, 1, 1),
            digest(1, "x", 1, 2, 1),
            digest(1, "x", 1, 1, 2),
        ] {
            assert_ne!(other, base);
        }
    }
}
