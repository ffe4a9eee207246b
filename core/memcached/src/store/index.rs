//! From key to place: a hash index by linear hashing.
//!
//! It grows and shrinks by one bucket at a time, so no operation ever rebuilds the whole. Chains
//! run through the items themselves.

use super::Key;
use super::arena::{Arena, Moved, NONE};

/// Buckets that are always there.
const BUCKETS_MIN: usize = 16;
/// The index shrinks when it has more than so many buckets per item.
const BUCKETS_PER_ITEM_MAX: usize = 4;

#[derive(Debug)]
pub(super) struct Index {
    buckets: Vec<u32>,
    /// The buckets below this power of two were there before the current round of splitting.
    round: usize,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { buckets: vec![NONE; BUCKETS_MIN], round: BUCKETS_MIN, len: 0 }
    }
}

impl Index {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn memory(&self) -> u64 {
        (self.buckets.capacity() * size_of::<u32>()) as u64
    }

    #[inline]
    const fn bucket(&self, hash: u64) -> usize {
        let wide = hash as usize & (2 * self.round - 1);
        if wide < self.buckets.len() { wide } else { wide & (self.round - 1) }
    }

    #[inline]
    pub(super) fn find(&self, items: &Arena, key: Key<'_>) -> Option<u32> {
        let mut place = self.buckets[self.bucket(key.hash)];
        while place != NONE {
            let entry = items.get(place);
            if entry.hash == key.hash && entry.key() == key.bytes {
                return Some(place);
            }
            place = entry.chain;
        }
        None
    }

    pub(super) fn insert(&mut self, items: &mut Arena, place: u32) {
        let bucket = self.bucket(items.get(place).hash);
        items.get_mut(place).chain = self.buckets[bucket];
        self.buckets[bucket] = place;
        self.len += 1;
        if self.len > self.buckets.len() {
            self.split(items);
        }
    }

    pub(super) fn remove(&mut self, items: &mut Arena, place: u32) {
        let after = items.get(place).chain;
        self.relink(items, place, items.get(place).hash, after);
        self.len -= 1;
        // One item less allows so many buckets fewer, and one more to catch up.
        for _ in 0..=BUCKETS_PER_ITEM_MAX {
            let buckets = self.buckets.len();
            if buckets > BUCKETS_MIN && buckets > self.len * BUCKETS_PER_ITEM_MAX {
                self.merge(items);
            }
        }
    }

    /// An item, already at its new place, moved.
    pub(super) fn moved(&mut self, items: &mut Arena, moved: Moved) {
        self.relink(items, moved.from, items.get(moved.to).hash, moved.to);
    }

    /// Makes whatever points to `place` point to `to`.
    fn relink(&mut self, items: &mut Arena, place: u32, hash: u64, to: u32) {
        let bucket = self.bucket(hash);
        let mut at = self.buckets[bucket];
        if at == place {
            self.buckets[bucket] = to;
            return;
        }
        while at != NONE {
            let next = items.get(at).chain;
            if next == place {
                items.get_mut(at).chain = to;
                return;
            }
            at = next;
        }
        panic!("an item is in the chain of its hash");
    }

    /// Adds a bucket, and moves to it what belongs there from its older half.
    fn split(&mut self, items: &mut Arena) {
        let new = self.buckets.len();
        let old = new - self.round;
        let mut at = self.buckets[old];
        let (mut stay, mut go) = (NONE, NONE);
        while at != NONE {
            let entry = items.get_mut(at);
            let next = entry.chain;
            let chain =
                if entry.hash as usize & (2 * self.round - 1) == new { &mut go } else { &mut stay };
            entry.chain = *chain;
            *chain = at;
            at = next;
        }
        self.buckets[old] = stay;
        self.buckets.push(go);
        if self.buckets.len() == 2 * self.round {
            self.round *= 2;
        }
    }

    /// Gives up the last bucket; its items go back to its older half.
    fn merge(&mut self, items: &mut Arena) {
        if self.buckets.len() == self.round {
            self.round /= 2;
        }
        let mut at = self.buckets.pop().expect("there are more buckets than the least");
        let old = self.buckets.len() - self.round;
        while at != NONE {
            let entry = items.get_mut(at);
            let next = entry.chain;
            entry.chain = self.buckets[old];
            self.buckets[old] = at;
            at = next;
        }
        if self.buckets.capacity() > 4 * self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
    }
}
