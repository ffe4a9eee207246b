//! Which keys are under way, so that equal reads become one and nobody reads what is older than
//! their own write.
//!
//! A read may join one that is under way only while no write of the key is: whoever writes, or was
//! told of a write, must not get a value from before it. So a write closes the reads under way to
//! newcomers when it leaves, and reads that leave while it is under way are not shared at all.
//!
//! What cannot be seen here: writes that reach the servers by another way. A shared read that began
//! before such a write may answer one that began after it.

use crate::jobs::JobId;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Different reads of one key that are kept for sharing.
const READS_PER_KEY_MAX: usize = 8;

/// Keys under way.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    keys: BTreeMap<Bytes, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// Writes under way.
    writes: u32,
    /// Reads under way that may be joined: the bytes of the request and the job.
    reads: Vec<(Bytes, JobId)>,
    /// A copy from a warm pool to a cold one.
    copy: Option<JobId>,
}

impl Entry {
    fn is_over(&self) -> bool {
        self.writes == 0 && self.reads.is_empty() && self.copy.is_none()
    }
}

impl Flights {
    /// The read under way that asks the very same.
    pub(crate) fn join(&self, key: &Bytes, wire: &Bytes) -> Option<JobId> {
        let reads = &self.keys.get(key)?.reads;
        reads.iter().find(|(other, _)| other == wire).map(|(_, job)| *job)
    }

    /// A read leaves; others may join it unless the key is being written.
    pub(crate) fn read_leaves(&mut self, key: &Bytes, wire: &Bytes, job: JobId) {
        match self.keys.get_mut(key) {
            Some(entry) if entry.writes > 0 || entry.reads.len() == READS_PER_KEY_MAX => {}
            Some(entry) => entry.reads.push((wire.clone(), job)),
            None => {
                let reads = vec![(wire.clone(), job)];
                self.keys.insert(key.clone(), Entry { reads, ..Entry::default() });
            }
        }
    }

    /// A read is answered.
    pub(crate) fn read_ends(&mut self, key: &Bytes, job: JobId) {
        self.change(key, |entry| entry.reads.retain(|(_, other)| *other != job));
    }

    /// A write leaves. A copy of the key that is being made must not overtake it.
    pub(crate) fn write_leaves(&mut self, key: &Bytes) -> Option<JobId> {
        let entry = match self.keys.get_mut(key) {
            Some(entry) => entry,
            None => self.keys.entry(key.clone()).or_default(),
        };
        entry.writes += 1;
        entry.reads.clear();
        entry.copy.take()
    }

    /// A write is answered, or it is known what became of it.
    pub(crate) fn write_ends(&mut self, key: &Bytes) {
        self.change(key, |entry| {
            assert!(entry.writes > 0, "a write that ends has left");
            entry.writes -= 1;
        });
    }

    /// Whether a copy of this key may be made: nobody writes it or copies it already.
    pub(crate) fn may_copy(&self, key: &Bytes) -> bool {
        self.keys.get(key).is_none_or(|entry| entry.writes == 0 && entry.copy.is_none())
    }

    /// A copy begins.
    pub(crate) fn copy_begins(&mut self, key: &Bytes, job: JobId) {
        self.keys.entry(key.clone()).or_default().copy = Some(job);
    }

    /// A copy is made, or was given up.
    pub(crate) fn copy_ends(&mut self, key: &Bytes, job: JobId) {
        self.change(key, |entry| {
            if entry.copy == Some(job) {
                entry.copy = None;
            }
        });
    }

    /// Everything changes: reads under way are not joined any more, and copies are given up.
    pub(crate) fn close_all(&mut self, mut gives_up: impl FnMut(JobId)) {
        for entry in self.keys.values_mut() {
            entry.reads.clear();
            entry.copy.take().into_iter().for_each(&mut gives_up);
        }
        self.keys.retain(|_, entry| !entry.is_over());
    }

    fn change(&mut self, key: &Bytes, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.keys.get_mut(key) else { return };
        change(entry);
        if entry.is_over() {
            self.keys.remove(key);
        }
    }

    /// Keys under way.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn invariants(&self) {
        for entry in self.keys.values() {
            assert!(!entry.is_over(), "a key is kept while something is under way");
            assert!(entry.writes == 0 || entry.reads.is_empty(), "a written key is not shared");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Bytes = Bytes::from_static(b"k");
    const GET: Bytes = Bytes::from_static(b"get k\r\n");
    const GETS: Bytes = Bytes::from_static(b"gets k\r\n");

    fn job(n: u32) -> JobId {
        JobId { slot: n, age: 0 }
    }

    #[test]
    fn only_the_same_question_is_joined() {
        let mut flights = Flights::default();
        flights.read_leaves(&KEY, &GET, job(1));
        assert_eq!(flights.join(&KEY, &GET), Some(job(1)));
        assert_eq!(flights.join(&KEY, &GETS), None);
        flights.read_ends(&KEY, job(1));
        assert_eq!((flights.join(&KEY, &GET), flights.len()), (None, 0));
    }

    #[test]
    fn a_write_closes_what_is_under_way_until_it_has_ended() {
        let mut flights = Flights::default();
        flights.read_leaves(&KEY, &GET, job(1));
        flights.write_leaves(&KEY);
        assert_eq!(flights.join(&KEY, &GET), None, "it left before the write");
        flights.read_leaves(&KEY, &GET, job(2));
        flights.invariants();
        flights.write_ends(&KEY);
        assert_eq!(flights.join(&KEY, &GET), None, "it left while the write was under way");
        flights.read_leaves(&KEY, &GET, job(3));
        assert_eq!(flights.join(&KEY, &GET), Some(job(3)));
    }

    #[test]
    fn a_write_stops_the_copy_of_its_key() {
        let mut flights = Flights::default();
        flights.copy_begins(&KEY, job(1));
        assert!(!flights.may_copy(&KEY));
        assert_eq!(flights.write_leaves(&KEY), Some(job(1)));
        assert!(!flights.may_copy(&KEY), "it is being written");
        flights.copy_ends(&KEY, job(1));
        flights.write_ends(&KEY);
        assert!(flights.may_copy(&KEY) && flights.len() == 0);
    }
}
