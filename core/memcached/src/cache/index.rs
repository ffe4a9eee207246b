//! From key to place: a hash index by linear hashing.
//!
//! It grows and shrinks by one bucket at a time, in segments, so no operation ever rebuilds or
//! copies the whole. Chains run through the items themselves, which do not keep their hash: it is
//! computed again when a bucket is split.

use super::Key;
use super::hash::HashKey;
use super::heap::Heap;
use super::item::{HEAD_BYTES, Head, NONE, Place};

/// Buckets in a segment; a power of two.
const SEGMENT: usize = 1 << 12;
const SEGMENT_SHIFT: u32 = SEGMENT.trailing_zeros();
/// Buckets per item once it has grown: 8 bytes, for chains that are short.
const BUCKETS_PER_ITEM: usize = 2;
/// Keys that are looked ahead for at once: about as many reads as a processor has under way.
pub(super) const RUN: usize = 16;
/// It shrinks when it has more than so many buckets per item.
const BUCKETS_PER_ITEM_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Index {
    segments: Vec<Box<[Place]>>,
    buckets: usize,
    /// The buckets below this power of two were there before the current round of splitting.
    round: usize,
    len: usize,
    hash: HashKey,
}

impl Index {
    pub(super) fn new(hash: HashKey) -> Self {
        let segments = vec![vec![NONE; SEGMENT].into_boxed_slice()];
        Self { segments, buckets: SEGMENT, round: SEGMENT, len: 0, hash }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn buckets(&self) -> usize {
        self.buckets
    }

    /// Whether it is between two powers of two.
    pub(super) const fn growing(&self) -> bool {
        self.buckets != self.round
    }

    pub(super) fn set_hash(&mut self, hash: HashKey) {
        assert_eq!(self.len, 0, "items stay where their hash has put them");
        self.hash = hash;
    }

    pub(super) fn memory(&self) -> u64 {
        let about = self.segments.capacity() * size_of::<Box<[Place]>>();
        (self.segments.len() * SEGMENT * size_of::<Place>() + about) as u64
    }

    #[inline]
    const fn bucket(&self, hash: u64) -> usize {
        let wide = hash as usize & (2 * self.round - 1);
        if wide < self.buckets { wide } else { wide & (self.round - 1) }
    }

    #[inline]
    fn first(&self, bucket: usize) -> Place {
        self.segments[bucket >> SEGMENT_SHIFT][bucket & (SEGMENT - 1)]
    }

    #[inline]
    fn first_mut(&mut self, bucket: usize) -> &mut Place {
        &mut self.segments[bucket >> SEGMENT_SHIFT][bucket & (SEGMENT - 1)]
    }

    fn bucket_of(&self, heap: &Heap, place: Place) -> usize {
        self.bucket(self.hash.hash(key_at(heap.bytes(place))))
    }

    #[inline]
    pub(super) fn find(&self, heap: &Heap, key: Key<'_>) -> Option<Place> {
        debug_assert_eq!(key.hash, self.hash.hash(key.bytes), "all hash with the same secrets");
        let mut place = self.first(self.bucket(key.hash));
        while place != NONE {
            let chunk = heap.bytes(place);
            if key_at(chunk) == key.bytes {
                return Some(place);
            }
            place = head_of(chunk).chain();
        }
        None
    }

    /// Reads what [`find`](Self::find) will read of up to [`RUN`] keys. The reads of different keys
    /// do not wait for each other, as those of one look-up do.
    pub(super) fn foresee(&self, heap: &Heap, keys: &[Key<'_>]) -> u32 {
        let mut places = [NONE; RUN];
        for (place, key) in places.iter_mut().zip(keys) {
            *place = self.first(self.bucket(key.hash));
        }
        let mut read = 0;
        for place in places {
            if place != NONE {
                let chunk = heap.bytes(place);
                read ^= head_of(chunk).chain() ^ u32::from(chunk[HEAD_BYTES]);
            }
        }
        read
    }

    pub(super) fn insert(&mut self, heap: &mut Heap, hash: u64, place: Place) {
        let bucket = self.bucket(hash);
        heap.head_mut(place).set_chain(self.first(bucket));
        *self.first_mut(bucket) = place;
        self.len += 1;
        for _ in 0..BUCKETS_PER_ITEM {
            if self.len * BUCKETS_PER_ITEM > self.buckets {
                self.split(heap);
            }
        }
    }

    pub(super) fn remove(&mut self, heap: &mut Heap, place: Place) {
        let after = heap.head(place).chain();
        self.relink(heap, place, after);
        self.len -= 1;
        // One item less allows so many buckets fewer, and one more to catch up.
        for _ in 0..=BUCKETS_PER_ITEM_MAX {
            if self.buckets > SEGMENT && self.buckets > self.len * BUCKETS_PER_ITEM_MAX {
                self.merge(heap);
            }
        }
    }

    /// An item was copied from one place to another; the old copy still has its key.
    pub(super) fn moved(&mut self, heap: &mut Heap, from: Place, to: Place) {
        self.relink(heap, from, to);
    }

    /// Makes whatever points to `place` point to `to`.
    fn relink(&mut self, heap: &mut Heap, place: Place, to: Place) {
        let bucket = self.bucket_of(heap, place);
        let mut at = self.first(bucket);
        if at == place {
            *self.first_mut(bucket) = to;
            return;
        }
        while at != NONE {
            let next = heap.head(at).chain();
            if next == place {
                heap.head_mut(at).set_chain(to);
                return;
            }
            at = next;
        }
        panic!("an item is in the chain of its hash");
    }

    /// Adds a bucket, and moves to it what belongs there from its older half.
    fn split(&mut self, heap: &mut Heap) {
        let new = self.buckets;
        if new >> SEGMENT_SHIFT == self.segments.len() {
            self.segments.push(vec![NONE; SEGMENT].into_boxed_slice());
        }
        let old = new - self.round;
        let mut at = self.first(old);
        let (mut stay, mut go) = (NONE, NONE);
        while at != NONE {
            let chunk = heap.bytes(at);
            let next = head_of(chunk).chain();
            let hash = self.hash.hash(key_at(chunk));
            let moves = hash as usize & (2 * self.round - 1) == new;
            let chain = if moves { &mut go } else { &mut stay };
            heap.head_mut(at).set_chain(*chain);
            *chain = at;
            at = next;
        }
        *self.first_mut(old) = stay;
        *self.first_mut(new) = go;
        self.buckets += 1;
        if self.buckets == 2 * self.round {
            self.round *= 2;
        }
    }

    /// Gives up the last bucket; its items go back to its older half.
    fn merge(&mut self, heap: &mut Heap) {
        if self.buckets == self.round {
            self.round /= 2;
        }
        self.buckets -= 1;
        let mut at = core::mem::replace(self.first_mut(self.buckets), NONE);
        let old = self.buckets - self.round;
        while at != NONE {
            let next = heap.head(at).chain();
            heap.head_mut(at).set_chain(self.first(old));
            *self.first_mut(old) = at;
            at = next;
        }
        if self.buckets & (SEGMENT - 1) == 0 {
            self.segments.pop();
        }
    }

    /// Asserts that every item hangs in the bucket of its hash, and returns how many there are.
    pub(super) fn audit(&self, heap: &Heap) -> usize {
        assert!(self.round <= self.buckets && self.buckets < 2 * self.round);
        assert_eq!(self.segments.len(), self.buckets.div_ceil(SEGMENT), "segments are in use");
        let mut seen = 0;
        for bucket in 0..self.buckets {
            let mut at = self.first(bucket);
            while at != NONE {
                assert_eq!(self.bucket_of(heap, at), bucket, "an item hangs where it belongs");
                assert!(heap.head(at).has(super::item::bits::LINKED), "the index knows live items");
                seen += 1;
                at = heap.head(at).chain();
            }
        }
        assert_eq!(seen, self.len, "items in the index");
        seen
    }
}

#[inline]
fn head_of(chunk: &[u8]) -> Head<'_> {
    Head(chunk.first_chunk().expect("a chunk holds a header"))
}

/// The key of the item at the front of a chunk.
#[inline]
pub(super) fn key_at(chunk: &[u8]) -> &[u8] {
    let len = usize::from(head_of(chunk).key_len());
    &chunk[HEAD_BYTES..HEAD_BYTES + len]
}
