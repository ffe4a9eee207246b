//! Options and limits of the part, and what its caches promise.
//!
//! # Lists and counts: revision numbers
//!
//! A list is kept in memcached under a key that has the *revision number* of its table and user in
//! it. Every create, update and delete makes a new number, and all lists of before are out of
//! reach. What is right depends on when the number is made, and whether it was ever used before:
//!
//! | mode | number | made | a reader may see a stale list |
//! |---|---|---|---|
//! | [`Off`](Revisions::Off) | none | | until the list expires |
//! | [`Before`](Revisions::Before) | unique | before the write | for ever: a list read between number and write stays under the new number |
//! | [`Seconds`](Revisions::Seconds) | the wall clock's second | after the write | for ever: of two writes in one second the second makes no new number; a clock that goes back makes old numbers again |
//! | [`Unique`](Revisions::Unique) | unique | after the write, before it is told | only if the writer dies between write and number, or the number's server cannot be reached then |
//! | [`Guarded`](Revisions::Guarded) | unique | a mark before, a number after | never, while marks outlive writes |
//!
//! Why `Unique` is right: a list under number *n* was read from the database after *n* had been
//! seen. If a write was told before a reader asks, its number was made by then; so a reader that
//! sees *n* knows that *n* was made after the write, and the list was read after that. This needs
//! that no number comes twice, hence no counter (it begins anew when it is evicted) and no clock.
//!
//! `Guarded` also covers a writer that dies in the midst: while the mark is there, lists are
//! neither read from the cache nor put there. A second writer that finds a mark makes it a common
//! one, which nobody takes away: it expires after [`hold_s`](CacheOptions::hold_s).
//!
//! # Rows
//!
//! | mode | a read that misses | a write |
//! |---|---|---|
//! | [`ReadInsert`](RowMode::ReadInsert) | puts the row into the cache | deletes it there |
//! | [`ReadUpdateInsert`](RowMode::ReadUpdateInsert) | puts the row into the cache | puts the new row there |
//!
//! Done plainly ([`Care::Plain`]) both lose races. Under `ReadInsert`: a reader reads version 1,
//! a writer writes version 2 and deletes, the reader inserts version 1. Under `ReadUpdateInsert`
//! the same, and: two writers write 2 and 3, and put 3 and 2 into the cache. The stale row stays
//! until the next write or its eviction.
//!
//! [`Care::Safe`] inserts only where nothing is, leaves a mark where it deletes, so that a reader
//! with an old row finds the place taken for [`hold_s`](CacheOptions::hold_s), and replaces a row
//! only by a newer version. Versions of two shards do not compare: a row that was kept before its
//! user was moved makes room for a mark at the first write. [`Care::Guarded`] also marks before
//! the write, as for lists. What is left: a reader that sleeps longer than `hold_s` between its
//! read and its insert.

use core::time::Duration;
use storytime_database::client::ClientOptions as DatabaseOptions;
use storytime_memcached::client::ClientOptions as MemcachedOptions;

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Connections to databases, and how long a request may take.
    pub database: DatabaseOptions,
    /// What is cached, and how; `None` for nothing.
    pub cache: Option<CacheOptions>,
    /// Most requests under way, parts of others included.
    pub requests_max: usize,
    /// How often a request looks for a user anew who was not where he should be.
    pub relocations_max: u32,
    /// How often a request tries again because another writer was faster.
    pub tries_max: u32,
    /// Most entries that wait to be written to the index for questions across shards.
    pub index_queue_max: usize,
    /// Most entries of the index that are sent in one request.
    pub index_batch_max: usize,
    /// How long the index is left alone that could not be written.
    pub index_retry: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            database: DatabaseOptions::default(),
            cache: None,
            requests_max: 16 << 10,
            relocations_max: 3,
            tries_max: 4,
            index_queue_max: 64 << 10,
            index_batch_max: 64,
            index_retry: Duration::from_millis(500),
        }
    }
}

/// What is kept in memcached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// Connections and placement.
    pub memcached: MemcachedOptions,
    /// Whether and how long places are kept, seconds.
    pub place_s: Option<i32>,
    /// How rows are kept.
    pub rows: RowMode,
    /// How races for a row are met.
    pub care: Care,
    /// Whether lists and counts are kept.
    pub lists: bool,
    /// What makes lists and counts of before a write invisible.
    pub revisions: Revisions,
    /// How long lists and counts are kept, seconds; 0 for ever.
    pub list_s: i32,
    /// How long a mark stays: longer than any write or read of a row takes, seconds.
    pub hold_s: i32,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            memcached: MemcachedOptions::default(),
            place_s: Some(3600),
            rows: RowMode::ReadUpdateInsert,
            care: Care::Safe,
            lists: true,
            revisions: Revisions::Unique,
            list_s: 0,
            hold_s: 10,
        }
    }
}

/// Which rows are put into the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowMode {
    /// None.
    Off,
    /// Those that were read; a write deletes.
    ReadInsert,
    /// Those that were read or written.
    ReadUpdateInsert,
}

/// How races for a cached row are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Not at all: `set` and `delete`.
    Plain,
    /// `add`, marks where rows were deleted, versions compared.
    Safe,
    /// And marks before each write.
    Guarded,
}

/// What makes cached lists of before a write invisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revisions {
    /// Nothing: they expire.
    Off,
    /// A unique number, made before the write.
    Before,
    /// The wall clock's second, after the write.
    Seconds,
    /// A unique number, made after the write.
    Unique,
    /// A mark before and a unique number after the write.
    Guarded,
}
