//! Room for one more chunk: from free ones, a new page, the items used least recently in the class,
//! and in the end from the other classes.

use super::item::{ListKind, NONE, Place, age, bits};
use super::{Cache, ClassCount, Count};

/// `slab_automove` 2: a class that evicts is to get a page at once.
const MOVE_ON_EVICTION: u8 = 2;
/// Items looked at from a tail before it is left alone.
const TRIES_MAX: usize = 5;

/// What a look at the tail of a list is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pull {
    /// Keeps the list within its share and age.
    Balance {
        /// Bytes of the list that may stay.
        bytes_max: u64,
        /// Age of its tail that may stay, seconds.
        age_max: u32,
    },
    /// Moves what is not in use, however little there is and however young it is.
    Drain,
    /// Frees something.
    Evict,
}

impl Pull {
    /// Frees the dead and moves nothing.
    const KEEP: Self = Self::Balance { bytes_max: u64::MAX, age_max: u32::MAX };
}

impl Cache {
    /// Frees the dead at the tail of a flat list, before somebody stores into its class.
    #[inline]
    pub(super) fn clear_tail(&mut self, class: u8) {
        if !self.options.lru.segmented {
            self.pull(class, ListKind::Cold, Pull::KEEP);
        }
    }

    /// A chunk of a class. `None` if nothing may be evicted for it.
    #[inline]
    pub(super) fn allocate(&mut self, class: u8) -> Option<Place> {
        match self.heap.take(class) {
            Some(place) => Some(place),
            None => self.allocate_slowly(class),
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_slowly(&mut self, class: u8) -> Option<Place> {
        if self.heap.grow(class) {
            return self.heap.take(class);
        }
        self.pressed = true;
        loop {
            self.counts.add(Count::DirectReclaims);
            self.class_counts[usize::from(class)].add(ClassCount::DirectReclaims);
            let freed = self.evict_from(class);
            if freed && self.options.automove == MOVE_ON_EVICTION {
                // Nothing is lost if another page is under way or there is none to spare.
                let _ = self.reassign(-1, i32::from(class), self.flush.now());
            }
            if !freed && !self.steal_page(class) && !self.evict_temporary(class) {
                return self.borrow_chunk(class);
            }
            // What was evicted may have been a large item, whose chunks are of other classes.
            if let Some(place) = self.heap.take(class) {
                return Some(place);
            }
        }
    }

    /// A chunk of a larger class, where every page has something on it that is held and cannot be
    /// moved.
    fn borrow_chunk(&mut self, class: u8) -> Option<Place> {
        for larger in class + 1..=self.heap.classes() {
            let mut place = self.heap.take(larger);
            while place.is_none() && self.evict_from(larger) {
                place = self.heap.take(larger);
            }
            if place.is_some() {
                return place;
            }
        }
        self.class_counts[usize::from(class)].add(ClassCount::OutOfMemory);
        None
    }

    /// Frees at least one item of a class, from the cold list or what flows into it. Returns
    /// whether it did. A cache that may not evict frees dead ones only.
    pub(super) fn evict_from(&mut self, class: u8) -> bool {
        if !self.options.evict {
            return ListKind::ALL.iter().any(|&list| self.pull(class, list, Pull::KEEP) > 0);
        }
        let reclaimed = self.counts.get(Count::Reclaimed);
        loop {
            if self.pull(class, ListKind::Cold, Pull::Evict) > 0 {
                return true;
            }
            if self.pull(class, ListKind::Hot, Pull::Drain) == 0 && !self.drain_warm(class) {
                return false;
            }
            if self.counts.get(Count::Reclaimed) > reclaimed {
                return true;
            }
        }
    }

    /// Makes an item of the warm list cold, passing over a few that are in use.
    fn drain_warm(&mut self, class: u8) -> bool {
        let cold = self.lists.get(class, ListKind::Cold).items;
        for _ in 0..TRIES_MAX {
            if self.pull(class, ListKind::Warm, Pull::Drain) == 0 {
                return false;
            }
            if self.lists.get(class, ListKind::Cold).items > cold {
                return true;
            }
        }
        let place = self.unheld_tail(class, ListKind::Warm);
        if let Some(place) = place {
            self.move_to(place, ListKind::Cold);
        }
        place.is_some()
    }

    /// The item next to the tail of a list that nobody holds.
    fn unheld_tail(&self, class: u8, list: ListKind) -> Option<Place> {
        let mut place = self.lists.get(class, list).tail;
        while place != NONE && self.heap.head(place).has(bits::HELD) {
            place = self.heap.head(place).prev();
        }
        (place != NONE).then_some(place)
    }

    /// The last resort: an item that was promised not to be evicted.
    fn evict_temporary(&mut self, class: u8) -> bool {
        if !self.options.evict {
            return false;
        }
        let place = self.unheld_tail(class, ListKind::Temp);
        if let Some(place) = place {
            self.evict(place);
        }
        place.is_some()
    }

    /// Looks at the tail of a list. Dead items are freed, used ones kept, and of the others one is
    /// moved or evicted. Returns how many items were freed or moved.
    pub(super) fn pull(&mut self, class: u8, list: ListKind, pull: Pull) -> u32 {
        let mut removed = 0;
        let mut place = self.lists.get(class, list).tail;
        let mut tries = TRIES_MAX;
        let makes_room = matches!(pull, Pull::Evict | Pull::Drain);
        if makes_room {
            tries += self.holds.len();
        }
        while tries > 0 && place != NONE {
            tries -= 1;
            let head = self.heap.head(place);
            let hotter = head.prev();
            if head.has(bits::HELD) {
                self.count_class(class, Count::LrutailReflocked, ClassCount::LrutailReflocked);
                if makes_room {
                    // Out of the way of those who look for room after this.
                    self.lists.shift(&mut self.heap, place, list);
                }
            } else if self.is_dead(head) {
                self.reclaim(place);
                removed += 1;
            } else {
                return removed + self.settle(place, class, list, pull);
            }
            place = hotter;
        }
        removed
    }

    /// What becomes of a live item at the tail of its list. Returns whether it went, as a number.
    fn settle(&mut self, place: Place, class: u8, list: ListKind, pull: Pull) -> u32 {
        let head = self.heap.head(place);
        let active = head.has(bits::ACTIVE);
        match (list, pull) {
            (ListKind::Cold, Pull::Evict) => {
                if self.options.evict {
                    self.evict(place);
                }
                u32::from(self.options.evict)
            }
            (ListKind::Temp, _) | (_, Pull::Evict) => 0,
            (ListKind::Cold, _) => {
                if active && self.options.lru.segmented {
                    self.move_to(place, ListKind::Warm);
                }
                u32::from(active && self.options.lru.segmented)
            }
            (ListKind::Hot | ListKind::Warm, _) if active => {
                self.move_to(place, ListKind::Warm);
                1
            }
            (ListKind::Hot | ListKind::Warm, Pull::Drain) => {
                self.move_to(place, ListKind::Cold);
                1
            }
            (ListKind::Hot | ListKind::Warm, Pull::Balance { bytes_max, age_max }) => {
                let old = age(self.flush.stamp(), head.used()) > age_max;
                let over = self.lists.get(class, list).bytes > bytes_max;
                if over || old {
                    self.move_to(place, ListKind::Cold);
                }
                u32::from(over || old)
            }
        }
    }

    /// Moves an item to the head of a list; it has to be used again to count as active.
    pub(super) fn move_to(&mut self, place: Place, to: ListKind) {
        let head = self.heap.head(place);
        let (class, within) = (head.class(), head.list() == to);
        self.heap.head_mut(place).put(bits::ACTIVE, false);
        self.lists.shift(&mut self.heap, place, to);
        let (count, of_class) = match to {
            _ if within => (Count::MovesWithinLru, ClassCount::MovesWithinLru),
            ListKind::Warm => (Count::MovesToWarm, ClassCount::MovesToWarm),
            _ => (Count::MovesToCold, ClassCount::MovesToCold),
        };
        self.count_class(class, count, of_class);
    }

    /// Frees a dead item to make room.
    pub(super) fn reclaim(&mut self, place: Place) {
        let head = self.heap.head(place);
        let (class, fetched) = (head.class(), head.has(bits::FETCHED));
        self.count_class(class, Count::Reclaimed, ClassCount::Reclaimed);
        if !fetched {
            self.count_class(class, Count::ExpiredUnfetched, ClassCount::ExpiredUnfetched);
        }
        self.unlink_place(place);
    }

    /// Drops a live item to make room.
    pub(super) fn evict(&mut self, place: Place) {
        let head = self.heap.head(place);
        assert!(!head.has(bits::HELD), "what is held is not evicted");
        let (class, lasting) = (head.class(), head.expiry() == 0);
        let (fetched, active) = (head.has(bits::FETCHED), head.has(bits::ACTIVE));
        self.evicted_time[usize::from(class)] = age(self.flush.stamp(), head.used());
        self.count_class(class, Count::Evictions, ClassCount::Evicted);
        if !lasting {
            self.class_counts[usize::from(class)].add(ClassCount::EvictedNonzero);
        }
        if !fetched {
            self.count_class(class, Count::EvictedUnfetched, ClassCount::EvictedUnfetched);
        }
        if active {
            self.count_class(class, Count::EvictedActive, ClassCount::EvictedActive);
        }
        self.note(place, false);
        self.unlink_place(place);
    }

    #[inline]
    pub(super) fn count_class(&mut self, class: u8, count: Count, of_class: ClassCount) {
        self.counts.add(count);
        self.class_counts[usize::from(class)].add(of_class);
    }
}
