//! The data set of one shard: slab classes over pages of memory, an index by key, and LRU lists.
//!
//! A [`Cache`] knows no protocol. Front ends hold its lock for one operation on one key (or for a
//! run of them), find an item, look at it through a [`View`], and change it by its [`ItemId`].
//!
//! An [`ItemId`] is good while the lock is held. What must outlive the lock is a [`Pin`], which
//! keeps the bytes of a value as they are, or a [`Draft`], an item that is still being filled.

mod stats;

pub use stats::{ClassCount, ClassCounts, ClassStats, Count, Counts, Usage};

use crate::clock::{Expiry, Seconds};
use bytes::BytesMut;

/// Longest key, bytes.
pub const KEY_BYTES_MAX: usize = 250;

/// A key and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its keyed hash.
    pub hash: u64,
}

/// How one shard is bounded and laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `-m`, this shard's part: memory for items, bytes.
    pub bytes_max: u64,
    /// `-I`: largest item, key and header included, bytes.
    pub item_bytes_max: u64,
    /// `-M` switches off eviction: a full cache refuses.
    pub evict: bool,
    /// `-C` switches off versions.
    pub versions: bool,
    /// Versions of this shard: the first, and the distance to the next.
    pub version_first: u64,
    /// See `version_first`.
    pub version_step: u64,
    /// Sizes of chunks.
    pub classes: ClassOptions,
    /// Order of use.
    pub lru: LruOptions,
    /// `slab_automove`: 0 off, 1 moves pages in the background, 2 also on every eviction.
    pub automove: u8,
}

/// `-f -n -o slab_sizes,slab_chunk_max`: the slab classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassOptions {
    /// `-n`: room for key, value and flags in the smallest chunk, bytes.
    pub chunk_bytes_min: u32,
    /// `-f`: growth from one class to the next, in millionths (1.25 is 1,250,000).
    pub factor_millionths: u32,
    /// `slab_chunk_max`: largest chunk, bytes; larger items are chains of chunks.
    pub chunk_bytes_max: u32,
    /// Size of a page, bytes.
    pub page_bytes: u32,
    /// `slab_sizes`: these classes and no others; empty for none.
    pub sizes: Vec<u32>,
}

/// `-o lru_*, hot_lru_pct, …, temporary_ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LruOptions {
    /// Hot, warm and cold lists, and not a single one.
    pub segmented: bool,
    /// Share of a class's memory for the hot list, per cent.
    pub hot_percent: u32,
    /// Share for the warm list, per cent.
    pub warm_percent: u32,
    /// Oldest age in the hot list against that of the cold one, thousandths.
    pub hot_max_thousandths: u32,
    /// The same for the warm list.
    pub warm_max_thousandths: u32,
    /// Items that live less than this go to a list of their own and are not evicted; seconds.
    pub temporary_ttl: Option<u32>,
}

/// An item, while the lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemId(pub(crate) u32);

/// Why a key has no item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Never stored, deleted or evicted.
    Absent,
    /// Found dead by its expiry time, and removed.
    Expired,
    /// Found dead by `flush_all`, and removed.
    Flushed,
}

/// What a fetch does to the item beyond being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// `get`: counted as such, and the item is used.
    Get,
    /// `touch`, `gat`: counted as such, gets a new expiry time, and the item is used.
    Touch(Expiry),
}

/// What a store does with what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Stores in any case.
    Set,
    /// Stores only if there is none.
    Add,
    /// Stores only if there is one.
    Replace,
    /// Puts the new value behind that of the old item, which keeps flags and expiry.
    Append,
    /// Puts it in front.
    Prepend,
}

/// A store, but for its value.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The key.
    pub key: Key<'a>,
    /// What is done with what is there.
    pub verb: Verb,
    /// Opaque to the server.
    pub flags: u32,
    /// When it dies.
    pub expires: Expiry,
    /// Stores only over this version.
    pub compare: Option<u64>,
    /// The version it gets, in place of the next one.
    pub version: Option<u64>,
    /// `ms … I`: a `compare` below the item's version stores the value as stale.
    pub invalidate: bool,
    /// `ms … N`: an append to nothing stores, to live so long.
    pub vivify: Option<Expiry>,
}

/// What became of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is there.
    Stored {
        /// Its version.
        version: u64,
        /// Length of the whole value, bytes.
        value_bytes: u32,
    },
    /// The condition of the verb does not hold.
    NotStored,
    /// Another version is there.
    Exists,
    /// A version was given and nothing is there.
    NotFound,
    /// Larger than the largest item.
    TooLarge,
    /// No memory, and nothing that may be evicted.
    NoMemory,
}

/// What a delete found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was there and is gone.
    Deleted,
    /// Nothing was there.
    NotFound,
    /// Another version is there.
    Exists,
}

/// Arithmetic on a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Adds, modulo 2⁶⁴.
    Incr(u64),
    /// Subtracts, not below 0.
    Decr(u64),
}

/// What became of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The new value.
    Number {
        /// The number.
        value: u64,
        /// The item, which now has this number as its value.
        item: ItemId,
    },
    /// Nothing is there.
    NotFound,
    /// The value is no number, or too long for one.
    NotNumeric,
    /// Another version is there.
    Exists,
    /// No memory for a longer number.
    NoMemory,
}

/// Why there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Larger than the largest item.
    TooLarge,
    /// No memory, and nothing that may be evicted.
    NoMemory,
}

/// What one item is.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    _cache: &'a Cache,
}

/// Keeps the bytes of a value as they are until given back with [`Cache::unpin`].
#[derive(Debug)]
pub struct Pin {
    _item: u32,
}

/// An item that is being filled. Ends in [`Cache::commit`] or [`Cache::abandon`].
#[derive(Debug)]
pub struct Draft {
    _item: u32,
}

/// A place in a walk over all items that survives changes between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    _place: u64,
}

/// One shard of a data set.
#[derive(Debug)]
pub struct Cache {
    _options: Options,
}

/// Something that the cache did of its own will and a watcher may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The key.
    pub key: Box<[u8]>,
    /// Whether it was ever read.
    pub fetched: bool,
    /// Seconds left to live, -1 for ever.
    pub ttl: i64,
    /// Seconds since it was last used.
    pub idle: u32,
    /// Slab class.
    pub class: u8,
    /// Size of the value, bytes.
    pub value_bytes: u32,
}

/// Why a page cannot be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotMoved {
    /// A move is under way.
    Busy,
    /// No such class.
    BadClass,
    /// The source has no page to spare.
    NoSpare,
    /// Source and destination are the same.
    Same,
}

impl<'a> View<'a> {
    /// The key.
    pub fn key(&self) -> &'a [u8] {
        todo!()
    }
    /// Opaque to the server.
    pub fn flags(&self) -> u32 {
        todo!()
    }
    /// What `cas` compares; 0 where versions are switched off.
    pub fn version(&self) -> u64 {
        todo!()
    }
    /// When it dies.
    pub fn expires(&self) -> Expiry {
        todo!()
    }
    /// When it was last used, as exactly as the LRU keeps it.
    pub fn accessed(&self) -> Seconds {
        todo!()
    }
    /// Whether it was read since it was stored.
    pub fn fetched(&self) -> bool {
        todo!()
    }
    /// Length of the value without its line end, bytes.
    pub fn value_len(&self) -> usize {
        todo!()
    }
    /// What it takes of its chunk or chunks, bytes.
    pub fn item_bytes(&self) -> usize {
        todo!()
    }
    /// Slab class.
    pub fn class(&self) -> u8 {
        todo!()
    }
    /// `md … I` or `ms … I` marked it.
    pub fn stale(&self) -> bool {
        todo!()
    }
    /// Somebody was told to fetch it anew.
    pub fn token_won(&self) -> bool {
        todo!()
    }
    /// Appends the value, then `\r\n` if asked, to a buffer.
    pub fn copy_value(&self, line_end: bool, into: &mut BytesMut) {
        let _ = (line_end, into);
        todo!()
    }
}

impl Pin {
    /// Length of the value with its line end, bytes.
    pub fn len(&self) -> usize {
        todo!()
    }
}

impl Draft {
    /// Bytes of the value still to come.
    pub fn missing(&self) -> usize {
        todo!()
    }
}

#[allow(unused_variables)]
impl Cache {
    /// An empty shard.
    pub fn new(options: Options) -> Self {
        todo!()
    }
    /// How it is bounded.
    pub fn options(&self) -> &Options {
        todo!()
    }
    /// Whether an item would fit at all. Costs nothing.
    pub fn fits(&self, key_bytes: usize, flags: u32, value_bytes: u64) -> bool {
        todo!()
    }

    /// The live item of a key. Removes one that is found dead; counts nothing, records no use.
    pub fn find(&mut self, key: Key<'_>, now: Seconds) -> Result<ItemId, Missed> {
        todo!()
    }
    /// Finds, counts hit or miss (`get_*`, `touch_*`), records the use. The fast path of `get`.
    pub fn fetch(&mut self, key: Key<'_>, access: Access, now: Seconds) -> Result<ItemId, Missed> {
        todo!()
    }
    /// What an item is.
    #[inline]
    pub fn view(&self, item: ItemId) -> View<'_> {
        todo!()
    }
    /// Records a use: fetched, active, order of use.
    pub fn used(&mut self, item: ItemId, now: Seconds) {
        todo!()
    }
    /// Gives it another expiry time.
    pub fn set_expires(&mut self, item: ItemId, expires: Expiry) {
        todo!()
    }
    /// Gives it a version: the stated one, or the next.
    pub fn set_version(&mut self, item: ItemId, version: Option<u64>) -> u64 {
        todo!()
    }
    /// Gives it other flags (may need a larger chunk where it had none).
    pub fn set_stale(&mut self, item: ItemId, stale: bool) {
        todo!()
    }
    /// Notes whether somebody was told to fetch it anew.
    pub fn set_token_won(&mut self, item: ItemId, won: bool) {
        todo!()
    }
    /// `md … x`: empties value and client flags, keeps the item.
    pub fn clear_value(&mut self, item: ItemId) {
        todo!()
    }
    /// Removes it.
    pub fn unlink(&mut self, item: ItemId) {
        todo!()
    }

    /// Stores a value that is there as a whole (without line end).
    pub fn store(&mut self, write: &Write<'_>, value: &[u8], now: Seconds) -> Stored {
        todo!()
    }
    /// Begins a value that arrives in pieces. Large ones take memory as they grow.
    pub fn draft(
        &mut self,
        key: Key<'_>,
        flags: u32,
        value_bytes: u32,
        now: Seconds,
    ) -> Result<Draft, Refused> {
        todo!()
    }
    /// Adds the next piece, at most what is missing.
    pub fn fill(&mut self, draft: &mut Draft, piece: &[u8], now: Seconds) -> Result<(), Refused> {
        todo!()
    }
    /// Stores what was filled. The key is that of the draft.
    pub fn commit(&mut self, draft: Draft, write: &Write<'_>, now: Seconds) -> Stored {
        todo!()
    }
    /// Gives back what was filled.
    pub fn abandon(&mut self, draft: Draft) {
        todo!()
    }
    /// Removes what a key has, without counting a delete: what a refused `set` does.
    pub fn discard(&mut self, key: Key<'_>, now: Seconds) {
        todo!()
    }

    /// Deletes, if the version is the stated one. Counts.
    pub fn delete(&mut self, key: Key<'_>, compare: Option<u64>, now: Seconds) -> Deleted {
        todo!()
    }
    /// Counts a value up or down. Counts hits and misses.
    pub fn arithmetic(
        &mut self,
        key: Key<'_>,
        delta: Delta,
        compare: Option<u64>,
        version: Option<u64>,
        now: Seconds,
    ) -> Counted {
        todo!()
    }

    /// Keeps a value as it is. `None` if it has too many readers.
    pub fn pin(&mut self, item: ItemId) -> Option<Pin> {
        todo!()
    }
    /// Appends up to `bytes_max` bytes of a pinned value with line end, from `at`; returns how many.
    pub fn read(&self, pin: &Pin, at: usize, bytes_max: usize, into: &mut BytesMut) -> usize {
        todo!()
    }
    /// Gives a pin back.
    pub fn unpin(&mut self, pin: Pin) {
        todo!()
    }

    /// Kills everything stored before now, or everything that will have been stored at a moment.
    pub fn flush_all(&mut self, at: Option<Seconds>, now: Seconds) {
        todo!()
    }
    /// A bounded piece of background work: LRU balance, pages on the move, index growth. Returns
    /// whether there is more to do at once.
    pub fn maintain(&mut self, now: Seconds) -> bool {
        todo!()
    }
    /// Frees dead items, looking at no more than `items_max`; `None` at the end of the walk.
    pub fn crawl(&mut self, cursor: Cursor, items_max: usize, now: Seconds) -> Option<Cursor> {
        todo!()
    }
    /// Shows live items, at most `items_max`; `None` at the end of the walk.
    pub fn walk(
        &mut self,
        cursor: Cursor,
        items_max: usize,
        now: Seconds,
        each: &mut dyn FnMut(View<'_>),
    ) -> Option<Cursor> {
        todo!()
    }
    /// Shows live items of one class's lists, from the most recently used; for `stats cachedump`.
    pub fn walk_class(
        &self,
        class: u8,
        items_max: usize,
        now: Seconds,
        each: &mut dyn FnMut(View<'_>),
    ) {
        todo!()
    }

    /// `slabs reassign`: moves one page, -1 as the source is any class, 0 as the destination is
    /// the pool of free pages.
    pub fn reassign(&mut self, from: i32, to: i32, now: Seconds) -> Result<(), NotMoved> {
        todo!()
    }
    /// `slabs automove`.
    pub fn set_automove(&mut self, mode: u8) {
        todo!()
    }
    /// `lru mode`, `lru tune`, `lru temp_ttl`.
    pub fn set_lru(&mut self, lru: LruOptions) {
        todo!()
    }
    /// `cache_memlimit`. Pages above it are given back by and by.
    pub fn set_bytes_max(&mut self, bytes: u64) {
        todo!()
    }
    /// Whether evictions are to be noted for watchers.
    pub fn set_noting(&mut self, evictions: bool, deletions: bool) {
        todo!()
    }
    /// What was noted since the last call; bounded, the oldest are lost.
    pub fn take_noted(&mut self) -> Vec<Evicted> {
        todo!()
    }

    /// Counts something.
    pub fn count(&mut self, count: Count) {
        todo!()
    }
    /// Counters.
    pub fn counts(&self) -> &Counts {
        todo!()
    }
    /// Sets the counters back to zero.
    pub fn reset_counts(&mut self) {
        todo!()
    }
    /// What is used.
    pub fn usage(&self) -> Usage {
        todo!()
    }
    /// Number of slab classes; they are numbered from 1.
    pub fn classes(&self) -> u8 {
        todo!()
    }
    /// What one class holds and counted.
    pub fn class_stats(&self, class: u8, now: Seconds) -> ClassStats {
        todo!()
    }
    /// Items per size class of 32 bytes, for `stats sizes`.
    pub fn sizes(&self) -> Vec<(u32, u64)> {
        todo!()
    }
    /// Bytes of memory held.
    pub fn memory(&self) -> u64 {
        todo!()
    }
    /// Asserts cheap relations.
    pub fn invariants(&self) {
        todo!()
    }
    /// Walks everything and asserts that the parts agree; for tests.
    pub fn audit(&self) {
        todo!()
    }
}
