//! The data set of one server, or one shard of it: items by key, bounded memory, LRU eviction.
//!
//! [`Store`] knows neither protocol nor connections. Every call carries the time, so that it is a
//! plain function of its inputs. All operations take constant time, whatever the number of items;
//! only a value's own bytes are copied.
//!
//! What counts against the limit is what an item costs the process: its key and value, its entry,
//! its share of the index, and the allocator's overhead, as [`item_cost`] says. Uploads under way
//! count too, through [`Store::reserve`].
//!
//! # Not modelled
//!
//! Slab classes, segmented LRU lists, a crawler: an expired item is freed when it is met, or when
//! it reaches the cold end of the one list.

mod arena;
mod flush;
mod index;
mod item;
mod lru;
mod ops;
mod stats;

pub use crate::cache::HashKey;
pub use item::{Hit, ITEM_OVERHEAD_BYTES, NewItem, item_cost};
pub use ops::{Arithmetic, DeltaOutcome, StoreOutcome, Verb};
pub use stats::{Count, StoreStats, Usage};

use crate::clock::Seconds;
use arena::{Arena, NONE};
use bytes::Bytes;
use flush::Flush;
use index::Index;
use item::Entry;
use lru::List;

/// Longest key, bytes.
pub const KEY_BYTES_MAX: usize = 250;

/// A key together with its hash, computed once per request.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The bytes of the key, at most [`KEY_BYTES_MAX`].
    pub bytes: &'a [u8],
    /// Its hash under the data set's [`HashKey`].
    pub hash: u64,
}

/// How a store is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Most bytes that items and uploads may cost together.
    pub bytes_max: u64,
    /// Largest item, bytes, counted as [`fits`](Self::fits) says.
    pub item_bytes_max: u64,
    /// Whether the coldest items make room for new ones; if not, new ones are refused.
    pub evict: bool,
    /// Whether items show a version to `gets`; if not it reads 0 and `cas` never matches.
    pub versions: bool,
    /// Step between the versions handed out, so that shards never hand out the same one.
    pub version_step: u64,
    /// The first version handed out; below or at the step.
    pub version_first: u64,
}

impl StoreOptions {
    /// Whether an item may be stored at all: the rule of the original, whose header of 48 bytes, an
    /// optional version of 8, optional flags of 4, a NUL behind the key and the line end count.
    pub const fn fits(&self, key_bytes: usize, flags: u32, value_bytes: u64) -> bool {
        let version = if self.versions { 8 } else { 0 };
        let flags = if flags == 0 { 0 } else { 4 };
        48 + version + flags + key_bytes as u64 + 1 + value_bytes + 2 <= self.item_bytes_max
    }
}

/// A bounded set of items.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
    items: Arena,
    index: Index,
    lru: List,
    flush: Flush,
    /// Cost of all items, bytes.
    used: u64,
    /// Uploads under way, bytes.
    reserved: u64,
    /// The version handed out last.
    version: u64,
    stats: StoreStats,
}

/// Nothing could be freed to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Why a live item is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dead {
    Expired,
    Flushed,
}

impl Store {
    /// An empty store.
    ///
    /// # Panics
    /// If the versions of the options could repeat.
    pub fn new(options: StoreOptions) -> Self {
        assert!(options.version_step > 0, "versions move on");
        assert!(options.version_first <= options.version_step, "the first version is in its lane");
        Self {
            options,
            items: Arena::default(),
            index: Index::default(),
            lru: List::default(),
            flush: Flush::default(),
            used: 0,
            reserved: 0,
            version: options.version_first,
            stats: StoreStats::default(),
        }
    }

    /// How it is bounded.
    pub const fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Items held, dead ones that nothing has met yet included.
    pub const fn len(&self) -> usize {
        self.items.live()
    }

    /// Whether no item is held.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is in use now.
    pub fn usage(&self) -> Usage {
        Usage {
            items: self.len() as u64,
            bytes: self.used,
            reserved_bytes: self.reserved,
            index_bytes: self.index.memory(),
            bytes_max: self.options.bytes_max,
        }
    }

    /// Bytes that the process holds for this store: what items cost, uploads, and free places kept
    /// for reuse.
    pub fn memory(&self) -> u64 {
        self.used + self.reserved + self.items.spare_bytes()
    }

    /// Counters since the start or the last reset.
    pub const fn stats(&self) -> &StoreStats {
        &self.stats
    }

    /// Counters, for the protocol's own events about a key of this store.
    pub const fn stats_mut(&mut self) -> &mut StoreStats {
        &mut self.stats
    }

    /// Sets the counters back to zero.
    pub fn reset_stats(&mut self) {
        self.stats = StoreStats::default();
    }

    /// Cheap relations that hold between any two calls.
    ///
    /// # Panics
    /// If one is broken: a bug of the store.
    pub fn invariants(&self) {
        assert_eq!(self.items.live(), self.index.len(), "every item is indexed once");
        assert_eq!(self.items.live(), self.lru.len(), "every item is on the list once");
        assert!(
            self.used + self.reserved <= self.options.bytes_max || self.items.live() == 0,
            "{} bytes of items and {} reserved under a limit of {}",
            self.used,
            self.reserved,
            self.options.bytes_max
        );
        assert!(self.items.live() > 0 || self.used == 0, "no item costs nothing");
    }

    /// Walks everything and asserts that the parts agree; for tests, as it takes time in the number
    /// of items.
    ///
    /// # Panics
    /// If they do not: a bug of the store.
    pub fn audit(&self) {
        self.invariants();
        let mut used = 0;
        let mut seen = 0;
        for place in self.lru.walk(&self.items) {
            let entry = self.items.get(place);
            used += item_cost(entry.key_len as usize, entry.value_len());
            seen += 1;
            let key = Key { bytes: entry.key(), hash: entry.hash };
            assert_eq!(self.index.find(&self.items, key), Some(place), "an item is found by key");
        }
        assert_eq!((used, seen), (self.used, self.len()), "the account agrees with the items");
        self.items.audit();
    }

    /// Looks up a live item, freeing it if it is dead. No counter but those of dead items moves.
    #[inline]
    fn find(&mut self, key: Key<'_>, now: Seconds) -> Option<u32> {
        self.find_or_dead(key, now).ok()
    }

    #[inline]
    fn find_or_dead(&mut self, key: Key<'_>, now: Seconds) -> Result<u32, Option<Dead>> {
        self.flush.advance(now, self.version);
        let Some(place) = self.index.find(&self.items, key) else { return Err(None) };
        match self.dead(self.items.get(place), now) {
            None => Ok(place),
            Some(why) => {
                self.remove(place);
                Err(Some(why))
            }
        }
    }

    #[inline]
    fn dead(&self, entry: &Entry, now: Seconds) -> Option<Dead> {
        if entry.expires.has_passed(now) {
            Some(Dead::Expired)
        } else if self.flush.covers(entry.version) {
            Some(Dead::Flushed)
        } else {
            None
        }
    }

    const fn next_version(&mut self) -> u64 {
        self.version += self.options.version_step;
        self.version
    }

    /// Links a new item in at the hot end. Room has been made.
    fn insert(&mut self, entry: Entry) -> u32 {
        self.used += entry.cost();
        let place = self.items.insert(entry);
        self.index.insert(&mut self.items, place);
        self.lru.push_hot(&mut self.items, place);
        place
    }

    /// Unlinks an item and frees it.
    fn remove(&mut self, place: u32) {
        let cost = self.items.get(place).cost();
        assert!(cost <= self.used, "the account covers every item");
        self.used -= cost;
        self.index.remove(&mut self.items, place);
        self.lru.remove(&mut self.items, place);
        self.items.remove(place);
        for _ in 0..2 {
            let Some(moved) = self.items.compact_one() else { break };
            self.index.moved(&mut self.items, moved);
            self.lru.moved(&mut self.items, moved);
        }
    }

    /// Makes room for `more` bytes by dropping the coldest items, but never the one at `keep`.
    fn make_room(&mut self, more: u64, keep: u32, now: Seconds) -> Result<(), NoMemory> {
        let max = self.options.bytes_max;
        while self.used + self.reserved + more > max {
            let coldest = self.lru.coldest();
            if coldest == NONE || coldest == keep {
                return Err(NoMemory);
            }
            let entry = self.items.get(coldest);
            let (dead, fetched) = (self.dead(entry, now).is_some(), entry.fetched);
            if !dead && !self.options.evict {
                return Err(NoMemory);
            }
            match (dead, fetched) {
                (true, true) => self.stats.add(Count::Reclaimed),
                (true, false) => {
                    self.stats.add(Count::Reclaimed);
                    self.stats.add(Count::ExpiredUnfetched);
                }
                (false, true) => self.stats.add(Count::Evictions),
                (false, false) => {
                    self.stats.add(Count::Evictions);
                    self.stats.add(Count::EvictedUnfetched);
                }
            }
            self.remove(coldest);
        }
        Ok(())
    }

    /// Sets `bytes` aside for an upload under way, evicting if need be.
    ///
    /// # Errors
    /// If nothing more can be freed.
    pub fn reserve(&mut self, bytes: u64, now: Seconds) -> Result<(), NoMemory> {
        self.flush.advance(now, self.version);
        self.make_room(bytes, NONE, now)?;
        self.reserved += bytes;
        Ok(())
    }

    /// Gives back what [`reserve`](Self::reserve) set aside.
    ///
    /// # Panics
    /// If more is given back than was set aside.
    pub fn release(&mut self, bytes: u64) {
        assert!(bytes <= self.reserved, "an upload gives back only what it set aside");
        self.reserved -= bytes;
    }

    /// Kills every item stored before now, or, with a delay, every item that will have been stored
    /// when `at` comes. A later call replaces a delayed one that is not yet due, and never revives
    /// what an earlier call killed.
    pub fn flush_all(&mut self, at: Option<Seconds>, now: Seconds) {
        self.flush.advance(now, self.version);
        self.flush.set(at, now, self.version);
    }
}

/// Joins key, value and line end into the one allocation of an item.
///
/// # Panics
/// If the key is longer than [`KEY_BYTES_MAX`].
pub fn blob(key: &[u8], value_with_line_end: &[u8]) -> Bytes {
    assert!(key.len() <= KEY_BYTES_MAX, "the protocol refuses longer keys");
    let mut blob = Vec::with_capacity(key.len() + value_with_line_end.len());
    blob.extend_from_slice(key);
    blob.extend_from_slice(value_with_line_end);
    Bytes::from(blob)
}
