//! The newest records in memory, so that replicas that keep up cost no reading.

use bytes::{Buf as _, BytesMut};
use std::collections::VecDeque;
use storytime_journal::Lsn;

/// Most bytes of records that are kept; replicas further behind read the journal again.
pub const TAIL_BYTES_MAX: usize = 4 << 20;

/// Consecutive records up to the last.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: BytesMut,
    /// Where each record ends, counted from the first byte ever.
    ends: VecDeque<u64>,
    /// Where the first kept byte is, counted so.
    begin: u64,
    /// The first record.
    first: Lsn,
}

impl Tail {
    pub(super) fn push(&mut self, lsn: Lsn, record: &[u8]) {
        if self.ends.is_empty() {
            self.first = lsn;
        }
        assert_eq!(lsn.0, self.first.0 + self.ends.len() as u64, "records come in order");
        self.bytes.extend_from_slice(record);
        self.ends.push_back(self.begin + self.bytes.len() as u64);
        while self.bytes.len() > TAIL_BYTES_MAX {
            let end = self.ends.pop_front().expect("bytes belong to records");
            self.bytes.advance((end - self.begin) as usize);
            self.begin = end;
            self.first.0 += 1;
        }
    }

    pub(super) fn get(&self, lsn: Lsn) -> Option<&[u8]> {
        let index = usize::try_from(lsn.0.checked_sub(self.first.0)?).ok()?;
        let end = *self.ends.get(index)?;
        let begin = index.checked_sub(1).map_or(self.begin, |before| self.ends[before]);
        Some(&self.bytes[(begin - self.begin) as usize..(end - self.begin) as usize])
    }

    /// Keeps nothing: nobody follows, or the log begins anew.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_gives_back_what_it_keeps_and_keeps_a_bounded_number_of_bytes() {
        let mut tail = Tail::default();
        let record = |lsn: u64| vec![lsn as u8; 1 + (lsn as usize * 7919) % 50_000];
        for lsn in 10..1000 {
            tail.push(Lsn(lsn), &record(lsn));
            assert!(tail.bytes() <= TAIL_BYTES_MAX);
        }
        let kept: Vec<u64> = (0..1100).filter(|lsn| tail.get(Lsn(*lsn)).is_some()).collect();
        assert!(kept.len() > 50 && kept.last() == Some(&999), "{kept:?}");
        for lsn in kept {
            assert_eq!(tail.get(Lsn(lsn)), Some(&record(lsn)[..]));
        }
    }
}
