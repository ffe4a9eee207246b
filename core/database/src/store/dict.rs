//! A map from bytes to something, dense so that it can be scanned by a cursor.
//!
//! Entries lie in a vector without gaps; removing one moves the last into its place. A scan goes
//! from the end to the front: what it has yet to see never moves behind it, so that everything that
//! is there all the while is seen at least once.
//!
//! Keys come from peers, so the hash is keyed with a secret.
//!
//! A command looks at the same key several times: what type it has, what it holds, what it is to
//! hold. So a map remembers where the last look-up ended and compares that entry first.

use bytes::Bytes;
use core::cell::Cell;
use core::fmt;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use storytime_machine::hash::digest_bytes;

/// Up to this many entries are compared one by one, without an index.
const INDEX_FREE_MAX: usize = 8;

/// A map from bytes to `V`.
pub struct Dict<V> {
    entries: Vec<(Bytes, V)>,
    /// Places in `entries`, by the hash of their key; empty while there are few.
    index: HashTable<u32>,
    /// Where the last look-up that found something ended. There may be another entry by now, or
    /// none.
    last: Cell<u32>,
    secret: u64,
}

impl<V> Dict<V> {
    /// An empty map with the secret of its hash.
    pub const fn new(secret: u64) -> Self {
        Self { entries: Vec::new(), index: HashTable::new(), last: Cell::new(0), secret }
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry at a place below [`len`](Self::len).
    pub fn at(&self, place: usize) -> (&Bytes, &V) {
        let (key, value) = &self.entries[place];
        (key, value)
    }

    /// The entry at a place, to change its value.
    pub fn at_mut(&mut self, place: usize) -> (&Bytes, &mut V) {
        let (key, value) = &mut self.entries[place];
        (key, value)
    }

    /// All entries, in the order of their places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Bytes, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The place of a key.
    #[inline]
    pub fn place(&self, key: &[u8]) -> Option<usize> {
        let last = self.last.get();
        if self.entries.get(last as usize).is_some_and(|(found, _)| found == key) {
            return Some(last as usize);
        }
        let place = self.search(key)?;
        self.last.set(place);
        Some(place as usize)
    }

    fn search(&self, key: &[u8]) -> Option<u32> {
        if self.index.is_empty() {
            return self.entries.iter().position(|(found, _)| found == key).map(|at| at as u32);
        }
        let hash = digest_bytes(self.secret, key);
        self.index.find(hash, |&at| self.entries[at as usize].0 == key).copied()
    }

    /// Where a key is if it is there, as far as the index alone tells: hardly ever that of another.
    #[inline]
    pub(super) fn likely_place(&self, key: &[u8]) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        self.index.find(digest_bytes(self.secret, key), |_| true).map(|&at| at as usize)
    }

    /// What a key maps to.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.place(key).map(|at| &self.entries[at].1)
    }

    /// What a key maps to, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        self.place(key).map(|at| &mut self.entries[at].1)
    }

    /// Maps a key to a value, and returns what it mapped to before.
    pub fn insert(&mut self, key: Bytes, value: V) -> Option<V> {
        match self.place(&key) {
            Some(at) => Some(core::mem::replace(&mut self.entries[at].1, value)),
            None => {
                self.add(key, value);
                None
            }
        }
    }

    /// The same, and copies a key that is not there yet.
    pub fn set(&mut self, key: &[u8], value: V) -> Option<V> {
        match self.place(key) {
            Some(at) => Some(core::mem::replace(&mut self.entries[at].1, value)),
            None => {
                self.add(Bytes::copy_from_slice(key), value);
                None
            }
        }
    }

    /// Maps a key that is not there to a value.
    pub fn add(&mut self, key: Bytes, value: V) {
        debug_assert!(self.place(&key).is_none(), "a key is added once");
        let place = u32::try_from(self.entries.len()).expect("memory ends before 2^32 entries");
        self.entries.push((key, value));
        if self.entries.len() > INDEX_FREE_MAX {
            if self.index.is_empty() {
                (0..place).for_each(|at| self.enter(at));
            }
            self.enter(place);
        }
        self.last.set(place);
    }

    fn enter(&mut self, place: u32) {
        let Self { entries, index, secret, .. } = self;
        let hash = |&at: &u32| digest_bytes(*secret, &entries[at as usize].0);
        index.insert_unique(hash(&place), place, hash);
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &[u8]) -> Option<(Bytes, V)> {
        let place = self.place(key)?;
        let last = self.entries.len() - 1;
        if !self.index.is_empty() {
            self.repoint(place, None);
            if last != place {
                self.repoint(last, Some(place));
            }
        }
        let taken = self.entries.swap_remove(place);
        if self.entries.len() <= INDEX_FREE_MAX {
            self.index.clear();
        }
        Some(taken)
    }

    /// Has the index find the entry at `from` at another place, or not at all.
    fn repoint(&mut self, from: usize, to: Option<usize>) {
        let Self { entries, index, secret, .. } = self;
        let key = &entries[from].0;
        let hash = |&at: &u32| digest_bytes(*secret, &entries[at as usize].0);
        let own = digest_bytes(*secret, key);
        let same = |&at: &u32| at as usize == from;
        let Entry::Occupied(mut found) = index.entry(own, same, hash) else {
            unreachable!("every entry is in the index once there is one");
        };
        match to {
            Some(to) => *found.get_mut() = u32::try_from(to).expect("a place below another"),
            None => drop(found.remove()),
        }
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        assert!(self.index.is_empty() || self.index.len() == self.entries.len());
        assert!(self.entries.len() <= INDEX_FREE_MAX || !self.index.is_empty());
    }
}

/// The secret is not printed.
impl<V: fmt::Debug> fmt::Debug for Dict<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use storytime_machine::Rng;

    #[test]
    fn it_is_a_map_whatever_is_done_to_it() {
        let (mut dict, mut model) = (Dict::new(7), BTreeMap::new());
        let mut rng = Rng::new(1, 1);
        for step in 0..20_000u32 {
            let key = Bytes::from(rng.index(40).to_string());
            match rng.index(4) {
                0 => assert_eq!(dict.insert(key.clone(), step), model.insert(key, step)),
                1 => assert_eq!(dict.set(&key, step), model.insert(key, step)),
                2 => assert_eq!(dict.remove(&key).map(|(_, v)| v), model.remove(&key)),
                _ => assert_eq!(dict.get(&key), model.get(&key)),
            }
            dict.invariants();
            assert_eq!(dict.len(), model.len());
        }
        for (key, value) in &model {
            assert_eq!(dict.get(key), Some(value));
        }
    }

    #[test]
    fn a_scan_sees_everything_that_stays() {
        let mut dict = Dict::new(7);
        for n in 0..200 {
            dict.insert(Bytes::from(n.to_string()), n);
        }
        let (mut rng, mut seen, mut cursor) = (Rng::new(2, 1), BTreeSet::new(), dict.len());
        while cursor > 0 {
            cursor = cursor.min(dict.len());
            if cursor == 0 {
                break;
            }
            cursor -= 1;
            seen.insert(*dict.at(cursor).1);
            let odd = 2 * rng.index(100) + 1;
            dict.remove(odd.to_string().as_bytes());
            dict.insert(Bytes::from((1000 + odd).to_string()), 1000);
        }
        assert!((0..200).step_by(2).all(|even| seen.contains(&even)));
    }
}
