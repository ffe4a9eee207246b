//! Walks over all items, page by page, so that a place in a walk survives every change: an item
//! that is there from its beginning to its end is met, unless a page move takes it past the walk.

use super::heap::POOL;
use super::item::{Kind, ListKind, NONE, Place, bits};
use super::{Cache, ClassCount, Count, Cursor, View};
use crate::clock::Seconds;

/// Width of a bar of `stats sizes`, bytes.
const SIZE_STEP_BYTES: usize = 32;

impl Cursor {
    /// The chunk to look at next: its page, and its number there.
    const fn parts(self) -> (u32, u32) {
        ((self.place >> 32) as u32, self.place as u32)
    }

    fn at(page: u32, chunk: u32) -> Self {
        Self { place: u64::from(page) << 32 | u64::from(chunk) }
    }
}

impl Cache {
    /// The first linked item from a place in a walk on, looking at no more than `left` chunks.
    fn next_linked(&self, cursor: &mut Option<Cursor>, left: &mut usize) -> Option<Place> {
        while *left > 0 {
            let (page, chunk) = cursor.as_ref()?.parts();
            if page >= self.heap.page_count() {
                *cursor = None;
                return None;
            }
            let known = self.heap.page(page);
            if known.class == POOL || chunk >= known.handed {
                *left -= 1;
                *cursor = Some(Cursor::at(page + 1, 0));
                continue;
            }
            *left -= 1;
            *cursor = Some(Cursor::at(page, chunk + 1));
            let place = self.heap.place(page, chunk);
            let head = self.heap.head(place);
            if head.kind() == Kind::Item && head.has(bits::LINKED) {
                return Some(place);
            }
        }
        None
    }

    /// Frees dead items, looking at no more than `items_max` places; `None` at the end of the walk.
    pub fn crawl(&mut self, cursor: Cursor, items_max: usize, now: Seconds) -> Option<Cursor> {
        self.tick(now);
        let (mut cursor, mut left) = (Some(cursor), items_max);
        while let Some(place) = self.next_linked(&mut cursor, &mut left) {
            let head = self.heap.head(place);
            let (class, fetched) = (head.class(), head.has(bits::FETCHED));
            let (checked, of_class) = (Count::CrawlerItemsChecked, ClassCount::CrawlerItemsChecked);
            self.count_class(class, checked, of_class);
            if self.is_dead(self.heap.head(place)) {
                self.count_class(class, Count::CrawlerReclaimed, ClassCount::CrawlerReclaimed);
                if !fetched {
                    self.count_class(class, Count::ExpiredUnfetched, ClassCount::ExpiredUnfetched);
                }
                self.unlink_place(place);
            }
        }
        cursor
    }

    /// Shows live items, looking at no more than `items_max` places; `None` at the end of the walk.
    pub fn walk(
        &mut self,
        cursor: Cursor,
        items_max: usize,
        now: Seconds,
        each: &mut dyn FnMut(View<'_>),
    ) -> Option<Cursor> {
        self.tick(now);
        let (mut cursor, mut left) = (Some(cursor), items_max);
        while let Some(place) = self.next_linked(&mut cursor, &mut left) {
            if !self.is_dead(self.heap.head(place)) {
                each(View::new(self, place));
            }
        }
        cursor
    }

    /// Shows live items of one class's lists, from the most recently used of the hot, warm, cold
    /// and temporary ones; for `stats cachedump`.
    pub fn walk_class(
        &self,
        class: u8,
        items_max: usize,
        now: Seconds,
        each: &mut dyn FnMut(View<'_>),
    ) {
        assert!((1..=self.heap.classes()).contains(&class), "classes are numbered from 1");
        let mut left = items_max;
        for list in ListKind::ALL {
            let mut place = self.lists.get(class, list).head;
            while place != NONE && left > 0 {
                let head = self.heap.head(place);
                if !self.is_dead(head) && !head.expires().has_passed(now) {
                    each(View::new(self, place));
                }
                (place, left) = (head.next(), left - 1);
            }
        }
    }

    /// Items per size class of 32 bytes, for `stats sizes`: the upper end of each, and how many
    /// there are. Looks at every item.
    pub fn sizes(&self) -> Vec<(u32, u64)> {
        let mut sizes = std::collections::BTreeMap::new();
        let (mut cursor, mut left) = (Some(Cursor::default()), usize::MAX);
        while let Some(place) = self.next_linked(&mut cursor, &mut left) {
            let bytes = self.heap.head(place).item_bytes().next_multiple_of(SIZE_STEP_BYTES);
            *sizes.entry(bytes as u32).or_insert(0) += 1;
        }
        sizes.into_iter().collect()
    }
}
