//! The data set of one shard: slab classes over pages of memory, an index by key, and LRU lists.
//!
//! A [`Cache`] knows no protocol. Front ends hold its lock for one operation on one key (or for a
//! run of them), find an item, look at it through a [`View`], and change it by its [`ItemId`].
//!
//! An [`ItemId`] is good while the lock is held and until something is stored. What must outlive
//! that is a [`Pin`], which keeps the bytes of a value as they are, or a [`Draft`], an item that is
//! still being filled.
//!
//! | module | holds |
//! |---|---|
//! | `classes` | sizes of chunks |
//! | `heap`, `item`, `value` | memory: pages and chunks; items in them; large values in pieces |
//! | `index`, `hash` | from key to place |
//! | `lists`, `room`, `maintain` | order of use; room for one more; balance in the background |
//! | `pages` | pages on their way from one class to another |
//! | `find`, `store`, `draft`, `arith`, `number` | what clients ask for |
//! | `hold`, `flush`, `link`, `note` | held items; `flush_all`; coming and going; notes on it |
//! | `walk`, `audit`, `stats` | what is there, whether it agrees, what was counted |
//!
//! A store finds no memory only where nothing may be evicted: room is made in the item's own class,
//! and where that has nothing to give, a page is taken from another, or a larger chunk.
//!
//! Not modelled: items on disk.

mod arith;
mod audit;
mod classes;
mod draft;
mod find;
mod flush;
mod hash;
mod heap;
mod hold;
mod index;
mod item;
mod link;
mod lists;
mod maintain;
mod note;
pub(crate) mod number;
mod pages;
mod room;
mod stats;
mod store;
mod types;
mod value;
mod view;
mod walk;

pub use classes::{Class, Table};
pub use draft::{Draft, Pin};
pub use hash::HashKey;
pub use stats::{ClassCount, ClassCounts, ClassStats, Count, Counts, Usage};
pub use types::{
    Access, ClassOptions, Counted, Cursor, Deleted, Delta, Evicted, ItemId, KEY_BYTES_MAX, Key,
    LruOptions, Missed, NotMoved, Options, Refused, SHARD_BYTES_MAX, Stored, Verb, Write,
};
pub use view::View;

use crate::clock::Seconds;
use flush::Flush;
use heap::Heap;
use hold::Holds;
use index::Index;
use item::{NONE, age};
use lists::Lists;
use maintain::Automove;
use note::Notes;
use pages::Move;

/// One shard of a data set.
#[derive(Debug)]
pub struct Cache {
    options: Options,
    heap: Heap,
    index: Index,
    lists: Lists,
    holds: Holds,
    flush: Flush,
    version_next: u64,
    /// What linked items take.
    bytes: u64,
    /// Memory has run out once: from then on the lists are balanced with every store.
    pressed: bool,
    counts: Counts,
    class_counts: Box<[ClassCounts]>,
    evicted_time: Box<[u32]>,
    notes: Notes,
    moving: Option<Move>,
    /// The class whose page could not be emptied last.
    stuck: Option<u8>,
    automove: Automove,
    /// The class whose lists were balanced last.
    juggled: u8,
}

impl Cache {
    /// An empty shard.
    pub fn new(options: Options) -> Self {
        let table = options.classes.table();
        let classes = if options.classes.sizes.is_empty() {
            table.classes()
        } else {
            table.explicit(&options.classes.sizes)
        };
        assert!(options.version_first > 0, "0 is no version");
        let heap = Heap::new(&classes, options.classes.page_bytes, Self::pages_max(&options));
        let numbers = classes.len() + 1;
        Self {
            lists: Lists::new(heap.classes()),
            heap,
            index: Index::new(HashKey::new(0, 0)),
            holds: Holds::default(),
            flush: Flush::default(),
            version_next: options.version_first,
            bytes: 0,
            pressed: false,
            counts: Counts::default(),
            class_counts: vec![ClassCounts::default(); numbers].into_boxed_slice(),
            evicted_time: vec![0; numbers].into_boxed_slice(),
            notes: Notes::default(),
            moving: None,
            stuck: None,
            automove: Automove::default(),
            juggled: 0,
            options,
        }
    }

    /// The secrets with which all keys are hashed; before anything is stored.
    pub fn set_hash_key(&mut self, hash: HashKey) {
        self.index.set_hash(hash);
    }

    /// How it is bounded.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// What an item is.
    #[inline]
    pub fn view(&self, item: ItemId) -> View<'_> {
        View::new(self, item.0)
    }

    /// Kills everything stored before now, or everything that will have been stored at a moment.
    pub fn flush_all(&mut self, at: Option<Seconds>, now: Seconds) {
        self.tick(now);
        if self.flush.set(at) {
            let mut cursor = Some(Cursor::default());
            while let Some(at) = cursor {
                cursor = self.crawl(at, usize::MAX, now);
            }
            self.flush.set_back();
        }
    }

    /// Counts something.
    #[inline]
    pub fn count(&mut self, count: Count) {
        self.counts.add(count);
    }

    /// Counters.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Sets the counters back to zero.
    pub fn reset_counts(&mut self) {
        self.counts = Counts::default();
        self.class_counts.fill(ClassCounts::default());
        self.evicted_time.fill(0);
    }

    /// What is used.
    pub fn usage(&self) -> Usage {
        let page_bytes = u64::from(self.heap.page_bytes());
        Usage {
            items: self.index.len() as u64,
            bytes: self.bytes,
            index_bytes: self.index.memory(),
            index_power: self.index.buckets().ilog2(),
            index_growing: self.index.growing(),
            bytes_max: self.options.bytes_max,
            pages_bytes: self.heap.pages_held() as u64 * page_bytes,
            free_pages: self.heap.pool_len() as u64,
            moving: self.moving.is_some(),
        }
    }

    /// Number of slab classes; they are numbered from 1.
    pub fn classes(&self) -> u8 {
        self.heap.classes()
    }

    /// What one class holds and counted.
    pub fn class_stats(&self, class: u8, now: Seconds) -> ClassStats {
        assert!((1..=self.heap.classes()).contains(&class), "classes are numbered from 1");
        let slab = self.heap.slab(class);
        let lists = self.lists.of(class);
        let stamp = self.flush.stamp().saturating_add(now.0.saturating_sub(self.flush.now().0));
        let tail_age = |at: usize| match lists[at].tail {
            NONE => 0,
            tail => age(stamp, self.heap.head(tail).used()),
        };
        ClassStats {
            chunk_bytes: slab.chunk_bytes,
            chunks_per_page: slab.per_page,
            pages: slab.pages.len() as u64,
            used_chunks: slab.used,
            free_chunks: self.heap.free_chunks(class),
            items: lists.iter().map(|list| list.items).sum(),
            items_in: lists.map(|list| list.items),
            age: [tail_age(0), tail_age(1), tail_age(2)],
            mem_requested: lists.iter().map(|list| list.bytes).sum(),
            evicted_time: self.evicted_time[usize::from(class)],
            counts: self.class_counts[usize::from(class)].clone(),
        }
    }

    /// Bytes of memory held, those of pages that were never touched included.
    pub fn memory(&self) -> u64 {
        let counts = self.class_counts.len() * size_of::<ClassCounts>();
        let parts = [self.heap.memory(), self.index.memory(), self.holds.memory()];
        let more = self.automove.memory() + self.notes.memory();
        parts.iter().sum::<u64>() + more + (size_of::<Self>() + counts) as u64
    }
}

impl ClassOptions {
    /// The table that these options ask for.
    pub const fn table(&self) -> Table {
        Table {
            chunk_bytes_min: self.chunk_bytes_min,
            factor_millionths: self.factor_millionths,
            page_bytes: self.page_bytes,
            chunk_bytes_max: self.chunk_bytes_max,
            ..Table::TODAY
        }
    }
}
