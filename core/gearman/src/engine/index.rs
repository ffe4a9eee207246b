//! How jobs are found: by number and by key.

use super::job::{Job, Key};
use super::ring::NONE;
use super::slab::{Entry, Slab};
use super::types::Number;
use hashbrown::HashTable;
use storytime_machine::hash::fold;

/// Jobs by number and by key.
#[derive(Clone, Debug)]
pub(super) struct Index {
    numbers: Numbers,
    /// Half a hash and a place, by key: growing it need not look at the jobs.
    keys: HashTable<(u32, u32)>,
    secret: u64,
}

/// From half a hash to a whole one.
const fn widen(half: u32) -> u64 {
    (half as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Index {
    pub(super) fn new(secret: u64) -> Self {
        Self { numbers: Numbers::default(), keys: HashTable::new(), secret }
    }

    fn half(&self, key: Key<'_>) -> u32 {
        (key.hash(self.secret) >> 32) as u32
    }

    #[inline]
    pub(super) fn by_number(&self, number: Number) -> Option<u32> {
        self.numbers.find(number.0)
    }

    #[inline]
    pub(super) fn by_key(&self, jobs: &Slab<Job>, key: Key<'_>) -> Option<u32> {
        let half = self.half(key);
        let is = |&(h, at): &(u32, u32)| h == half && jobs.get(at).key() == Some(key);
        self.keys.find(widen(half), is).map(|&(_, at)| at)
    }

    pub(super) fn insert_number(&mut self, number: Number, at: u32) {
        self.numbers.insert(number.0, at);
    }

    pub(super) fn insert_key(&mut self, jobs: &Slab<Job>, at: u32) {
        if let Some(key) = jobs.get(at).key() {
            debug_assert_eq!(self.by_key(jobs, key), None, "a key has one job");
            let half = self.half(key);
            self.keys.insert_unique(widen(half), (half, at), |&(half, _)| widen(half));
        }
    }

    pub(super) fn remove_number(&mut self, number: Number) {
        self.numbers.remove(number.0);
    }

    pub(super) fn remove(&mut self, job: &Job, at: u32) {
        self.numbers.remove(job.number);
        if let Some(key) = job.key() {
            let found = self.keys.find_entry(widen(self.half(key)), |&(_, a)| a == at);
            found.expect("every job with a key has it here").remove();
            self.shrink();
        }
    }

    /// Gives memory back if little of it is used.
    fn shrink(&mut self) {
        const KEEP: usize = 1 << 12;
        if self.keys.capacity() > KEEP && self.keys.len() < self.keys.capacity() / 8 {
            let room = (self.keys.len() * 2).max(KEEP / 2);
            self.keys.shrink_to(room, |&(half, _)| widen(half));
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.numbers.bytes() + self.keys.allocation_size() as u64
    }

    pub(super) fn len(&self) -> (usize, usize) {
        (self.numbers.len(), self.keys.len())
    }
}

const PAGE_BITS: u32 = 6;
/// Numbers of a page.
const PAGE: usize = 1 << PAGE_BITS;

/// Places by number, in pages of successive numbers. Numbers are given out one after the other, so
/// pages are full, and jobs that come and go in their order stay on one page for a while. A job
/// that is alone on its page costs the page.
#[derive(Clone, Debug, Default)]
struct Numbers {
    pages: Slab<Page>,
    directory: HashTable<(u64, u32)>,
    /// The page that was made last: it stays while it is empty, so that it is not made again for
    /// every job of a short queue.
    newest: Option<(u64, u32)>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Page {
    /// Places that are taken; of a free page, the next free one.
    count: u32,
    places: [u32; PAGE],
}

impl Default for Page {
    fn default() -> Self {
        Self { count: 0, places: [NONE; PAGE] }
    }
}

impl Entry for Page {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.count
    }
}

const fn hash_page(page: u64) -> u64 {
    fold(0x9e37_79b9_7f4a_7c15, page)
}

const fn split(number: u64) -> (u64, usize) {
    (number >> PAGE_BITS, number as usize & (PAGE - 1))
}

impl Numbers {
    const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    fn page(&self, page: u64) -> Option<u32> {
        if let Some((number, at)) = self.newest
            && number == page
        {
            return Some(at);
        }
        let found = self.directory.find(hash_page(page), |&(number, _)| number == page);
        found.map(|&(_, at)| at)
    }

    #[inline]
    fn find(&self, number: u64) -> Option<u32> {
        let (page, place) = split(number);
        let at = self.pages.get(self.page(page)?).places[place];
        (at != NONE).then_some(at)
    }

    fn insert(&mut self, number: u64, at: u32) {
        let (page_number, place) = split(number);
        let page = self.page(page_number).unwrap_or_else(|| self.make(page_number));
        let page = self.pages.get_mut(page);
        assert_eq!(page.places[place], NONE, "a number has one job");
        page.places[place] = at;
        page.count += 1;
        self.len += 1;
    }

    fn make(&mut self, number: u64) -> u32 {
        let at = self.pages.insert(Page::default());
        let hash = |&(number, _): &(u64, u32)| hash_page(number);
        self.directory.insert_unique(hash_page(number), (number, at), hash);
        if let Some((older, at)) = self.newest.replace((number, at))
            && self.pages.get(at).count == 0
        {
            self.drop_page(older, at);
        }
        at
    }

    fn drop_page(&mut self, number: u64, at: u32) {
        let entry = self.directory.find_entry(hash_page(number), |&(_, a)| a == at);
        entry.expect("every page is in the directory").remove();
        self.pages.remove(at);
        self.shrink();
    }

    fn remove(&mut self, number: u64) {
        let (page_number, place) = split(number);
        let at = self.page(page_number).expect("every job is found by its number");
        let page = self.pages.get_mut(at);
        assert_ne!(page.places[place], NONE, "every job is found by its number");
        page.places[place] = NONE;
        page.count -= 1;
        self.len -= 1;
        if page.count == 0 && self.newest != Some((page_number, at)) {
            self.drop_page(page_number, at);
        }
    }

    fn shrink(&mut self) {
        const KEEP: usize = 1 << 10;
        let len = self.directory.len();
        if self.directory.capacity() > KEEP && len < self.directory.capacity() / 8 {
            let room = (len * 2).max(KEEP / 2);
            self.directory.shrink_to(room, |&(number, _)| hash_page(number));
        }
    }

    fn bytes(&self) -> u64 {
        self.pages.bytes() + self.directory.allocation_size() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_until_they_are_removed() {
        let mut numbers = Numbers::default();
        let all: Vec<u64> = (1..1_000).chain([1 << 40, u64::MAX]).collect();
        for (at, &number) in (0..).zip(&all) {
            numbers.insert(number, at);
        }
        for (at, &number) in (0..).zip(&all) {
            assert_eq!(numbers.find(number), Some(at));
            assert_eq!(numbers.find(number ^ 1 << 20), None);
            numbers.remove(number);
            assert_eq!(numbers.find(number), None);
        }
        let left = (numbers.len(), numbers.pages.len(), numbers.directory.len());
        assert_eq!(left, (0, 1, 1), "of an empty index the newest page is left");
    }

    #[test]
    fn successive_numbers_cost_little_and_a_lonely_one_its_page() {
        let mut numbers = Numbers::default();
        (1..=1 << 20).for_each(|number| numbers.insert(number, 7));
        assert!(numbers.bytes() < 6 << 20, "{}", numbers.bytes());
        (1..=1 << 20).filter(|number| number % 64 > 0).for_each(|number| numbers.remove(number));
        assert!(numbers.bytes() / numbers.len() as u64 <= 300);
        (1..=1 << 14).for_each(|page| numbers.remove(page * 64));
        assert!(numbers.bytes() < 2 << 20, "{}", numbers.bytes());
    }
}
