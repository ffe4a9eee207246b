//! Pages on their way from one class to another.
//!
//! What is on such a page is moved to free chunks of its class, readers and all. Where there are
//! none, other items of the class make room, or the item on the page goes.

use super::heap::POOL;
use super::item::{Kind, ListKind, NONE, Place, age, bits};
use super::{Cache, Count, NotMoved};
use crate::clock::Seconds;

/// Chunks of a page on the move that are looked at in one step.
const CHUNKS_PER_STEP: u32 = 512;
/// Rounds over a page without its getting empty before the move is given up.
const ROUNDS_MAX: u32 = 200;

/// A page on the move.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    page: u32,
    to: u8,
    /// The next chunk to look at.
    chunk: u32,
    rounds: u32,
}

/// How room is made for what is on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Make {
    /// The least recently used items of the class go.
    Coldest,
    /// Items on the page go.
    OnThePage,
}

impl Cache {
    /// `slabs reassign`: moves one page, -1 as the source is any class, 0 as the destination is
    /// the pool of free pages. [`maintain`](Cache::maintain) does the work.
    pub fn reassign(&mut self, from: i32, to: i32, now: Seconds) -> Result<(), NotMoved> {
        self.tick(now);
        if from == to {
            return Err(NotMoved::Same);
        }
        let class = |number: i32| match u8::try_from(number) {
            Ok(class) if class <= self.heap.classes() => Ok(class),
            _ => Err(NotMoved::BadClass),
        };
        let to = class(to)?;
        let from =
            if from == -1 { self.any_but(to).ok_or(NotMoved::NoSpare)? } else { class(from)? };
        if self.moving.is_some() {
            return Err(NotMoved::Busy);
        }
        if from == POOL {
            return if self.heap.pool_len() > 0 && self.heap.grow(to) {
                Ok(())
            } else {
                Err(NotMoved::NoSpare)
            };
        }
        if self.heap.slab(from).pages.len() < 2 {
            return Err(NotMoved::NoSpare);
        }
        self.begin_move(from, to);
        Ok(())
    }

    /// The class with the most pages to spare.
    fn any_but(&self, to: u8) -> Option<u8> {
        let others = (1..=self.heap.classes()).filter(|&class| class != to);
        let pages = |class: u8| self.heap.slab(class).pages.len();
        others.filter(|&class| pages(class) > 1).max_by_key(|&class| pages(class))
    }

    /// Begins to empty the page of a class that has the least on it.
    pub(super) fn begin_move(&mut self, from: u8, to: u8) {
        assert!(self.moving.is_none(), "one page moves at a time");
        let pages = self.heap.slab(from).pages.iter().copied();
        let page = pages.min_by_key(|&page| self.heap.page(page).used);
        let page = page.expect("a source has pages");
        self.heap.begin_move(page);
        self.moving = Some(Move { page, to, chunk: 0, rounds: 0 });
    }

    /// Goes on with the page that is on the move. Returns whether there is more to do at once.
    pub(super) fn step_move(&mut self) -> bool {
        let Some(mut under_way) = self.moving else {
            return false;
        };
        let handed = self.heap.page(under_way.page).handed;
        let end = handed.min(under_way.chunk + CHUNKS_PER_STEP);
        for chunk in under_way.chunk..end {
            let place = self.heap.place(under_way.page, chunk);
            if !self.vacate(place, Make::Coldest) {
                self.counts.add(Count::SlabReassignBusyItems);
            }
        }
        under_way.chunk = end;
        self.moving = Some(under_way);
        if end < handed {
            return true;
        }
        if self.heap.page(under_way.page).used == 0 {
            self.finish_move(under_way);
            return self.heap.pages_held() > self.heap.pages_max();
        }
        under_way.chunk = 0;
        under_way.rounds += 1;
        self.moving = Some(under_way);
        if under_way.rounds > ROUNDS_MAX {
            self.stuck = Some(self.heap.page(under_way.page).class);
            self.heap.cancel_move(under_way.page);
            self.moving = None;
        }
        false
    }

    fn finish_move(&mut self, done: Move) {
        self.heap.end_move(done.page);
        self.moving = None;
        self.counts.add(Count::SlabsMoved);
        let above = self.heap.pages_held() > self.heap.pages_max();
        if above {
            self.heap.drop_pooled();
        } else if done.to != POOL {
            self.heap.grow(done.to);
        }
    }

    /// Empties one chunk. Returns whether it is free.
    fn vacate(&mut self, place: Place, make: Make) -> bool {
        let head = self.heap.head(place);
        let item = match head.kind() {
            Kind::Free => return true,
            Kind::Item => place,
            Kind::Piece => self.owner(place),
        };
        let owner = self.heap.head(item);
        let (held, linked) = (owner.has(bits::HELD), owner.has(bits::LINKED));
        if !held && self.is_dead(owner) {
            self.counts.add(Count::SlabReassignInlineReclaim);
            self.reclaim(item);
            return true;
        }
        let class = self.heap.chunk_class(place);
        let mut free = self.heap.take(class);
        if free.is_none() && make == Make::OnThePage && !held && linked {
            if self.options.evict {
                self.counts.add(Count::SlabReassignBusyDeletes);
                self.evict(item);
            }
            return self.options.evict;
        }
        if free.is_none() && self.heap.can_grow() && self.heap.grow(class) {
            free = self.heap.take(class);
        }
        // What is evicted may be on the page itself, this very chunk included.
        while free.is_none() && self.heap.head(place).kind() != Kind::Free {
            if !self.evict_from(class) {
                return false;
            }
            free = self.heap.take(class);
        }
        if self.heap.head(place).kind() == Kind::Free {
            if let Some(unneeded) = free {
                self.heap.give(unneeded);
            }
            return true;
        }
        let to = free.expect("the loop ends with a free chunk");
        let piece = self.heap.head(place).kind() == Kind::Piece;
        self.relocate(place, to);
        self.counts.add(if piece {
            Count::SlabReassignChunkRescues
        } else {
            Count::SlabReassignRescues
        });
        true
    }

    /// Takes a page from another class, the one whose coldest item is the oldest. What is on it is
    /// evicted if its class has no free chunks. Returns whether there was one to take.
    pub(super) fn steal_page(&mut self, class: u8) -> bool {
        let mut tried = 1u64 << class;
        while let Some(victim) = self.oldest_class(tried) {
            tried |= 1 << victim;
            if self.steal_from(victim, class) {
                return true;
            }
        }
        false
    }

    fn steal_from(&mut self, victim: u8, class: u8) -> bool {
        let pages = self.heap.slab(victim).pages.iter().copied();
        let Some(emptiest) = pages.min_by_key(|&page| self.heap.page(page).used) else {
            return false;
        };
        if !self.options.evict && self.heap.page(emptiest).used > 0 {
            return false;
        }
        let mut at = 0;
        let mut page = emptiest;
        loop {
            if !self.heap.page(page).moving && self.empty(page) {
                self.counts.add(Count::SlabsMoved);
                return self.heap.grow(class);
            }
            let pages = &self.heap.slab(victim).pages;
            let Some(&next) = pages.get(at) else {
                return false;
            };
            (page, at) = (next, at + 1);
        }
    }

    /// Empties a page at once.
    fn empty(&mut self, page: u32) -> bool {
        self.heap.begin_move(page);
        for chunk in 0..self.heap.page(page).handed {
            let place = self.heap.place(page, chunk);
            if !self.vacate(place, Make::OnThePage) {
                self.heap.cancel_move(page);
                return false;
            }
        }
        self.heap.end_move(page);
        true
    }

    /// The class with pages whose coldest item was used the longest ago; classes without items in
    /// use come last.
    fn oldest_class(&self, tried: u64) -> Option<u8> {
        let classes = 1..=self.heap.classes();
        let open = classes
            .filter(|&class| tried & 1 << class == 0 && !self.heap.slab(class).pages.is_empty());
        open.max_by_key(|&class| (self.has_empty_page(class), self.tail_age(class)))
    }

    fn has_empty_page(&self, class: u8) -> bool {
        self.heap.slab(class).pages.iter().any(|&page| self.heap.page(page).used == 0)
    }

    /// Seconds since the coldest item of a class was used, plus one; 0 if there is none.
    fn tail_age(&self, class: u8) -> u64 {
        for list in [ListKind::Cold, ListKind::Hot, ListKind::Warm] {
            let tail = self.lists.get(class, list).tail;
            if tail != NONE {
                let used = self.heap.head(tail).used();
                return u64::from(age(self.flush.stamp(), used)) + 1;
            }
        }
        0
    }

    /// `cache_memlimit`. Pages above it are given back by and by.
    pub fn set_bytes_max(&mut self, bytes: u64) {
        self.options.bytes_max = bytes;
        self.heap.set_pages_max(Self::pages_max(&self.options));
    }

    /// Gives back pages above the limit, and begins to empty one where that is not enough.
    pub(super) fn shrink(&mut self) {
        while self.heap.pages_held() > self.heap.pages_max() {
            if !self.heap.drop_pooled() {
                break;
            }
        }
        if self.heap.pages_held() <= self.heap.pages_max() || self.moving.is_some() {
            return;
        }
        // A class whose page could not be emptied is left alone once.
        let stuck = self.stuck.take().map_or(0, |class| 1 << class);
        if let Some(class) = self.oldest_class(1 | stuck) {
            self.begin_move(class, POOL);
        }
    }

    /// Pages that a limit allows: at least as many as the largest item needs beside others.
    pub(super) fn pages_max(options: &super::Options) -> usize {
        let page = u64::from(options.classes.page_bytes);
        let needed = options.item_bytes_max.div_ceil(page) + PAGES_BESIDE;
        usize::try_from((options.bytes_max / page).max(needed)).unwrap_or(usize::MAX)
    }
}

/// Pages for other classes beside those of the largest item.
const PAGES_BESIDE: u64 = 2;
