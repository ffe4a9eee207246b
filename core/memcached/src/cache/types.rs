//! How a cache is bounded, what it is asked to do, and what it answers.

use crate::clock::Expiry;

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
    /// `slab_automove_ratio`: age of the class that gets a page, against that of the one that
    /// gives it, hundredths; below it a page moves.
    pub automove_ratio_hundredths: u32,
    /// `slab_automove_window`: how long ages are watched before a page moves, seconds.
    pub automove_window_seconds: u32,
}

/// Most memory of one shard, bytes: what its places can tell apart.
pub const SHARD_BYTES_MAX: u64 = 32 << 30;

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
pub struct ItemId(pub(super) u32);

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

/// A place in a walk over all items that survives changes between two steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) place: u64,
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
    /// A client deleted it; it was not evicted.
    pub deleted: bool,
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
