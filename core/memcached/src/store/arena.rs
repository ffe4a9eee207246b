//! Places for items, in chunks of a fixed size: growing never moves what is there, and places that
//! are no longer needed are given back.
//!
//! Free places are kept for reuse up to a share of the live ones. Beyond it, each removal moves an
//! item from the end into a hole, so that the last chunk empties and can be freed: a cache whose
//! items grow larger turns the memory of entries into memory for values.

use super::item::Entry;

/// No place.
pub(super) const NONE: u32 = u32::MAX;
/// Places in one chunk; a power of two.
const CHUNK_PLACES: usize = 1024;
const CHUNK_SHIFT: u32 = CHUNK_PLACES.trailing_zeros();
/// Free places kept whatever the number of items.
const SPARE_MIN: usize = CHUNK_PLACES;
/// Free places kept per live item: one in so many.
const SPARE_SHARE: usize = 8;

#[derive(Debug)]
pub(super) struct Arena {
    chunks: Vec<Box<[Entry]>>,
    /// Places below this have been handed out at least once since the last shrinking.
    end: u32,
    /// First of the free places, linked both ways through `hotter` and `colder`.
    free: u32,
    spare: usize,
    live: usize,
}

/// An item that changed its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Default for Arena {
    fn default() -> Self {
        Self { chunks: Vec::new(), end: 0, free: NONE, spare: 0, live: 0 }
    }
}

impl Arena {
    pub(super) const fn live(&self) -> usize {
        self.live
    }

    /// Memory of chunks that no live item uses, bytes.
    pub(super) fn spare_bytes(&self) -> u64 {
        ((self.chunks.len() * CHUNK_PLACES - self.live) * size_of::<Entry>()) as u64
    }

    #[inline]
    pub(super) fn get(&self, place: u32) -> &Entry {
        &self.chunks[(place >> CHUNK_SHIFT) as usize][place as usize & (CHUNK_PLACES - 1)]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> &mut Entry {
        &mut self.chunks[(place >> CHUNK_SHIFT) as usize][place as usize & (CHUNK_PLACES - 1)]
    }

    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        assert!(entry.live, "only live items have a place");
        let place = if self.free == NONE { self.grow() } else { self.take_free(self.free) };
        *self.get_mut(place) = entry;
        self.live += 1;
        place
    }

    fn grow(&mut self) -> u32 {
        assert!(self.end < NONE, "item overhead keeps places within 32 bits");
        let place = self.end;
        if place as usize == self.chunks.len() * CHUNK_PLACES {
            self.chunks.push(vec![Entry::default(); CHUNK_PLACES].into_boxed_slice());
        }
        self.end += 1;
        place
    }

    pub(super) fn remove(&mut self, place: u32) {
        assert!(self.get(place).live, "only a live item can be removed");
        let first = self.free;
        *self.get_mut(place) = Entry { hotter: NONE, colder: first, ..Entry::default() };
        if first != NONE {
            self.get_mut(first).hotter = place;
        }
        self.free = place;
        self.spare += 1;
        self.live -= 1;
    }

    /// Unlinks a free place from the list of free ones.
    fn take_free(&mut self, place: u32) -> u32 {
        let (before, after) = (self.get(place).hotter, self.get(place).colder);
        if before == NONE {
            self.free = after;
        } else {
            self.get_mut(before).colder = after;
        }
        if after != NONE {
            self.get_mut(after).hotter = before;
        }
        self.spare -= 1;
        place
    }

    /// If too many places are free, gives up the last place, moving its item into a hole.
    pub(super) fn compact_one(&mut self) -> Option<Moved> {
        if self.spare <= SPARE_MIN + self.live / SPARE_SHARE {
            return None;
        }
        while self.end > 0 && !self.get(self.end - 1).live {
            self.take_free(self.end - 1);
            self.drop_last();
        }
        if self.free == NONE {
            return None;
        }
        let from = self.end - 1;
        let to = self.take_free(self.free);
        assert!(to < from, "a hole lies before the last item");
        *self.get_mut(to) = core::mem::take(self.get_mut(from));
        self.drop_last();
        Some(Moved { from, to })
    }

    fn drop_last(&mut self) {
        self.end -= 1;
        // One empty chunk stays, so that a store at a chunk's edge does not free and take it in
        // turn.
        if self.chunks.len() * CHUNK_PLACES >= self.end as usize + 2 * CHUNK_PLACES {
            self.chunks.pop();
        }
    }

    /// Asserts that the free list and the counts agree.
    pub(super) fn audit(&self) {
        let live = (0..self.end).filter(|&place| self.get(place).live).count();
        let mut free = 0;
        let mut place = self.free;
        while place != NONE {
            assert!(!self.get(place).live, "a free place holds no item");
            free += 1;
            place = self.get(place).colder;
        }
        assert_eq!((live, free), (self.live, self.spare), "every place is live or free");
        assert_eq!(live + free, self.end as usize, "every place is accounted for");
    }
}
