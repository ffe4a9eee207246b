//! Work in the background: balance between the lists, and pages for the classes that need them.

use super::heap::POOL;
use super::item::{ListKind, NONE, age};
use super::room::Pull;
use super::{Cache, ClassCount, LruOptions};
use crate::clock::Seconds;

/// Items moved from list to list in one call, per class.
const MOVES_PER_CLASS: u32 = 500;
/// Items moved from list to list in one call.
const MOVES_PER_CALL: u32 = 1000;
/// Most seconds that the view of the page mover reaches back.
const WINDOW_SECONDS_MAX: u32 = 1800;
/// A class with more free chunks than this many half pages gives a page back.
const FREE_HALF_PAGES_MAX: u64 = 5;
/// Pages that a class keeps when others are hungry.
const PAGES_KEPT: usize = 2;

/// What the page mover knows about one second of one class.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    age: u32,
    evicted: u64,
    /// Its pages or its room changed.
    dirty: bool,
}

/// What the page mover knows about one class.
#[derive(Clone, Debug, Default)]
struct Watched {
    /// One sample for each second, the oldest one overwritten.
    window: Vec<Sample>,
    evicted: u64,
    refused: u64,
    pages: usize,
}

/// The page mover's memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Automove {
    classes: Vec<Watched>,
    seconds: u64,
    last: Option<Seconds>,
    /// The class that gives its spare pages to the pool, one after the other.
    giving: Option<u8>,
}

impl Automove {
    pub(super) fn memory(&self) -> u64 {
        let windows: usize = self.classes.iter().map(|class| class.window.capacity()).sum();
        let about = self.classes.capacity() * size_of::<Watched>();
        (about + windows * size_of::<Sample>()) as u64
    }
}

impl Cache {
    /// A bounded piece of background work: LRU balance, pages on the move. Returns whether there
    /// is more to do at once.
    pub fn maintain(&mut self, now: Seconds) -> bool {
        self.tick(now);
        self.shrink();
        let mut more = self.step_move();
        if self.options.automove > 0 && self.moving.is_none() {
            more |= self.automove();
        }
        more | self.juggle()
    }

    /// `slabs automove`.
    pub fn set_automove(&mut self, mode: u8) {
        self.options.automove = mode;
    }

    /// `slabs automove ratio`, `slabs automove window`; see
    /// [`Options`](super::Options::automove_ratio_hundredths).
    pub fn set_automove_tuning(&mut self, ratio_hundredths: u32, window_seconds: u32) {
        self.options.automove_ratio_hundredths = ratio_hundredths;
        self.options.automove_window_seconds = window_seconds;
        self.automove = Automove::default();
    }

    /// Seconds that the page mover's view reaches back.
    fn window(&self) -> usize {
        self.options.automove_window_seconds.clamp(1, WINDOW_SECONDS_MAX) as usize
    }

    /// `lru mode`, `lru tune`, `lru temp_ttl`.
    pub fn set_lru(&mut self, lru: LruOptions) {
        self.options.lru = lru;
    }

    /// Keeps hot and warm within their shares after a store, so that there is always something
    /// cold to evict. Cheap: at most one item of each list moves.
    #[inline]
    pub(super) fn juggle_after_store(&mut self, class: u8) {
        if self.pressed && self.options.lru.segmented {
            let (hot, warm) = self.shares(class);
            self.pull(class, ListKind::Hot, hot);
            self.pull(class, ListKind::Warm, warm);
        }
    }

    /// What hot and warm lists of a class may hold.
    fn shares(&self, class: u8) -> (Pull, Pull) {
        let lru = &self.options.lru;
        if !lru.segmented {
            return (Pull::Drain, Pull::Drain);
        }
        let bytes = self.lists.lasting_bytes(class);
        let tail = self.lists.get(class, ListKind::Cold).tail;
        let stamp = self.flush.stamp();
        let cold = if tail == NONE { 0 } else { age(stamp, self.heap.head(tail).used()) };
        let share = |percent: u32, thousandths: u32| Pull::Balance {
            bytes_max: bytes * u64::from(percent) / 100,
            age_max: (u64::from(cold) * u64::from(thousandths) / 1000).min(u64::from(u32::MAX))
                as u32,
        };
        (
            share(lru.hot_percent, lru.hot_max_thousandths),
            share(lru.warm_percent, lru.warm_max_thousandths),
        )
    }

    /// Balances the lists, class by class. Returns whether there is more to do.
    fn juggle(&mut self) -> bool {
        let mut moves = 0;
        for _ in 0..self.heap.classes() {
            self.juggled = self.juggled % self.heap.classes() + 1;
            let of_class = self.juggle_class(self.juggled);
            moves += of_class;
            if moves >= MOVES_PER_CALL {
                return true;
            }
        }
        moves >= MOVES_PER_CLASS
    }

    fn juggle_class(&mut self, class: u8) -> u32 {
        if self.lists.of(class).iter().all(|list| list.items == 0) {
            return 0;
        }
        let (hot, warm) = self.shares(class);
        let mut moves = 0;
        while moves < MOVES_PER_CLASS {
            let mut moved = self.pull(class, ListKind::Temp, hot);
            moved += self.pull(class, ListKind::Hot, hot) + self.pull(class, ListKind::Warm, warm);
            if self.options.lru.segmented {
                moved += self.pull(class, ListKind::Cold, hot);
            }
            if moved == 0 {
                break;
            }
            moves += moved;
        }
        moves
    }

    /// Once in a second, looks for a class that has too much and one that has too little. Returns
    /// whether a page is on the move now.
    fn automove(&mut self) -> bool {
        let giving = self.automove.giving.filter(|&class| self.has_spare_pages(class));
        self.automove.giving = giving;
        if let Some(class) = giving {
            self.begin_move(class, POOL);
            return true;
        }
        let now = self.flush.now();
        if self.automove.last == Some(now) {
            return false;
        }
        self.automove.last = Some(now);
        self.automove.seconds += 1;
        if self.heap.can_grow() {
            // Nobody lacks anything yet.
            self.automove.seconds = 0;
        }
        self.sample();
        match self.unbalanced() {
            Some((from, to)) => {
                self.automove.giving = (to == POOL).then_some(from);
                self.begin_move(from, to);
                true
            }
            None => false,
        }
    }

    fn sample(&mut self) {
        let slot = (self.automove.seconds as usize) % self.window();
        let window = self.window();
        let classes = usize::from(self.heap.classes()) + 1;
        self.automove.classes.resize_with(classes, Watched::default);
        for class in 1..=self.heap.classes() {
            let counts = &self.class_counts[usize::from(class)];
            let evicted = counts.get(ClassCount::Evicted);
            let refused = counts.get(ClassCount::OutOfMemory);
            let pages = self.heap.slab(class).pages.len();
            let tail = self.lists.get(class, ListKind::Cold).tail;
            let stamp = self.flush.stamp();
            let age = if tail == NONE { 0 } else { age(stamp, self.heap.head(tail).used()) };
            let watched = &mut self.automove.classes[usize::from(class)];
            let fresh = evicted.saturating_sub(watched.evicted);
            let dirty = fresh > 0 || refused > watched.refused || pages > watched.pages;
            watched.window.resize_with(window, Sample::default);
            watched.window[slot] = Sample { age, evicted: fresh, dirty };
            (watched.evicted, watched.refused, watched.pages) = (evicted, refused, pages);
        }
    }

    /// Whether a class has pages that others could use. While the limit of memory is not reached
    /// nobody needs them.
    fn has_spare_pages(&self, class: u8) -> bool {
        let slab = self.heap.slab(class);
        let free = self.heap.free_chunks(class);
        self.heap.pages_held() >= self.heap.pages_max()
            && slab.pages.len() > PAGES_KEPT
            && free * 2 > u64::from(slab.per_page) * FREE_HALF_PAGES_MAX
    }

    /// The classes to move a page from and to, if any.
    fn unbalanced(&self) -> Option<(u8, u8)> {
        let window_seconds = self.window();
        let slot = (self.automove.seconds as usize) % window_seconds;
        let all: u64 = self.automove.classes.iter().map(|w| evicted(&w.window)).sum();
        let (mut oldest, mut youngest) = (None, None);
        for class in 1..=self.heap.classes() {
            let window = &self.automove.classes[usize::from(class)].window;
            let slab = self.heap.slab(class);
            let clean = window.iter().all(|sample| !sample.dirty);
            if clean && self.has_spare_pages(class) {
                return Some((class, POOL));
            }
            let age = window.iter().map(|sample| u64::from(sample.age)).sum::<u64>();
            if slab.pages.len() > PAGES_KEPT && oldest.is_none_or(|(_, most)| age > most) {
                oldest = Some((class, age));
            }
            let seconds = window.iter().filter(|sample| sample.evicted > 0).count();
            let hungry = seconds > window_seconds / 2 || evicted(window) * 4 > all;
            if hungry && youngest.is_none_or(|(_, least, _)| age < least) {
                youngest = Some((class, age, window[slot].evicted > 0));
            }
        }
        let ((from, most), (to, least, still)) = (oldest?, youngest?);
        let filled = self.automove.seconds > window_seconds as u64;
        let apart = least * 100 < most * u64::from(self.options.automove_ratio_hundredths);
        (filled && still && apart && from != to).then_some((from, to))
    }
}

fn evicted(window: &[Sample]) -> u64 {
    window.iter().map(|sample| sample.evicted).sum()
}
