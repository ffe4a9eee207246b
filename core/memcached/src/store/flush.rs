//! `flush_all`: one mark in the sequence of versions, and at most one delayed flush to come.
//!
//! Everything stored at or before the mark is dead. The mark never goes back, so what was flushed
//! once stays flushed.

use crate::clock::Seconds;

#[derive(Debug, Default)]
pub(super) struct Flush {
    mark: u64,
    due: Option<Seconds>,
}

impl Flush {
    /// Carries out a delayed flush that has come due. `version` is the last one handed out.
    #[inline]
    pub(super) fn advance(&mut self, now: Seconds, version: u64) {
        if let Some(due) = self.due
            && due <= now
        {
            self.mark = version;
            self.due = None;
        }
    }

    pub(super) fn set(&mut self, at: Option<Seconds>, now: Seconds, version: u64) {
        match at {
            Some(at) if at > now => self.due = Some(at),
            _ => {
                assert!(self.mark <= version, "a flush mark never goes back");
                (self.mark, self.due) = (version, None);
            }
        }
    }

    #[inline]
    pub(super) const fn covers(&self, version: u64) -> bool {
        version <= self.mark
    }
}
