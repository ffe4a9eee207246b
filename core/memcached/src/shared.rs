//! What all workers of one server share: the data set, its clock, and the server's counters.
//!
//! The data set is cut into shards by key, each behind its own lock, so that several workers can
//! serve one port. One worker has one shard, and with it exactly one LRU order. A lock is held for
//! one operation on one item, never while bytes move.
//!
//! A data set lives as long as its [`Shared`]: a process that is to start empty, as after a crash,
//! gets a new one.

use crate::cache::{Cache, Key as CacheKey};
use crate::clock::{Epoch, Seconds};
use crate::config::Config;
use crate::store::{Count, HashKey, Key, Store, StoreOptions, StoreStats, Usage};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use storytime_machine::{Now, Rng};

/// Most shards.
const SHARDS_MAX: u64 = 16;
/// A shard has room for at least so many of the largest items.
const LARGEST_ITEMS_PER_SHARD_MIN: u64 = 4;

/// The data set of one server and what its workers count together.
#[derive(Debug)]
pub struct Shared {
    options: StoreOptions,
    shards: Box<[Mutex<Store>]>,
    caches: Box<[Mutex<Cache>]>,
    started: OnceLock<Started>,
    verbosity: AtomicU8,
    /// Connections and bytes.
    pub traffic: Traffic,
}

/// Fixed by whichever worker starts first.
#[derive(Debug)]
struct Started {
    epoch: Epoch,
    hash: HashKey,
}

/// Connections and bytes of all workers.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections open now.
    pub connections: AtomicU64,
    /// Connections ever taken.
    pub connections_total: AtomicU64,
    /// Connections turned away.
    pub connections_rejected: AtomicU64,
    /// Bytes of requests.
    pub bytes_read: AtomicU64,
    /// Bytes of replies.
    pub bytes_written: AtomicU64,
    /// Times that a connection was not read because its peer did not read.
    pub slow_readers: AtomicU64,
}

/// What the other connections may see of one: `stats conns`, `watch`.
#[derive(Debug, Default)]
pub struct Card {
    /// Second of the server's clock in which it last sent a command.
    pub last_command: core::sync::atomic::AtomicU32,
    /// See `stats conns`.
    pub state: AtomicU8,
}

impl Traffic {
    /// Adds to one of the counters.
    #[inline]
    pub fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads one of the counters.
    #[inline]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// An empty data set for a server with these options.
    pub fn new(config: &Config) -> Self {
        let shards = shard_count(config);
        let options = StoreOptions {
            bytes_max: config.memory_bytes_max / shards,
            item_bytes_max: config.item_bytes_max,
            evict: config.evict,
            versions: config.versions,
            version_step: shards,
            version_first: 0,
        };
        let store =
            |shard| Mutex::new(Store::new(StoreOptions { version_first: shard, ..options }));
        Self {
            options,
            shards: (0..shards).map(store).collect(),
            caches: (0..config.shards())
                .map(|at| Mutex::new(Cache::new(config.cache(at))))
                .collect(),
            started: OnceLock::new(),
            verbosity: AtomicU8::new(config.verbosity),
            traffic: Traffic::default(),
        }
    }

    /// A worker starts. The first one sets the clock and draws the secrets of the hash.
    pub(crate) fn start(&self, now: Now, rng: &mut Rng) {
        self.started.get_or_init(|| {
            let hash = HashKey::new(rng.u64(), rng.u64());
            self.each_cache(|cache| cache.set_hash_key(hash));
            Started { epoch: Epoch::new(now), hash }
        });
    }

    fn started(&self) -> &Started {
        self.started.get().expect("a worker hears of connections only after its start")
    }

    /// The clock.
    pub(crate) fn epoch(&self) -> Epoch {
        self.started().epoch
    }

    /// Runs an operation on the shard that holds a key.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        key: &[u8],
        operation: impl FnOnce(&mut Store, Key<'_>) -> R,
    ) -> R {
        let key = Key { bytes: key, hash: self.started().hash.hash(key) };
        // The high bits choose the shard, the low ones the bucket in it.
        let shard = ((u128::from(key.hash) * self.shards.len() as u128) >> 64) as usize;
        operation(&mut lock(&self.shards[shard]), key)
    }

    /// Locks the shard that holds a key.
    #[inline]
    pub(crate) fn shard<'a>(&self, key: &'a [u8]) -> (MutexGuard<'_, Cache>, CacheKey<'a>) {
        let key = CacheKey { bytes: key, hash: self.started().hash.hash(key) };
        (self.shard_of(key), key)
    }

    /// Locks the shard that holds a key whose hash is known.
    #[inline]
    pub(crate) fn shard_of(&self, key: CacheKey<'_>) -> MutexGuard<'_, Cache> {
        // The high bits choose the shard, the low ones the bucket in it.
        let shard = ((u128::from(key.hash) * self.caches.len() as u128) >> 64) as usize;
        self.caches[shard].lock().expect("no operation on a cache panics, or all is lost anyway")
    }

    /// Runs an operation on every shard in turn.
    pub(crate) fn each_cache(&self, mut operation: impl FnMut(&mut Cache)) {
        for cache in &self.caches {
            let lock = cache.lock();
            operation(&mut lock.expect("no operation on a cache panics, or all is lost anyway"));
        }
    }

    /// How every shard is bounded.
    #[inline]
    pub(crate) const fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// Counts an event that is about no key.
    pub(crate) fn count(&self, count: Count) {
        lock(&self.shards[0]).stats_mut().add(count);
    }

    /// Runs an operation on every shard in turn.
    pub(crate) fn each(&self, mut operation: impl FnMut(&mut Store)) {
        for shard in &self.shards {
            operation(&mut lock(shard));
        }
    }

    /// Counters of all shards together.
    pub fn stats(&self) -> StoreStats {
        let mut sum = StoreStats::default();
        self.each(|store| sum.merge(store.stats()));
        sum
    }

    /// What all shards use together.
    pub fn usage(&self) -> Usage {
        let mut sum = Usage::default();
        self.each(|store| sum.merge(&store.usage()));
        sum
    }

    /// Bytes of memory that the data set holds.
    pub fn memory(&self) -> u64 {
        let mut sum = 0;
        self.each(|store| sum += store.memory());
        sum
    }

    /// Asserts cheap relations in every shard.
    pub fn invariants(&self) {
        self.each(|store| store.invariants());
    }

    /// Walks every shard and asserts that its parts agree; for tests.
    pub fn audit(&self) {
        self.each(|store| store.audit());
    }

    /// How much the server is to say on its log, 0 to 2.
    pub fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }

    pub(crate) fn set_verbosity(&self, level: u8) {
        self.verbosity.store(level, Ordering::Relaxed);
    }

    /// Sets all counters back to zero, but not what is there now.
    pub(crate) fn reset_stats(&self) {
        self.each(Store::reset_stats);
        let traffic = &self.traffic;
        for counter in [
            &traffic.connections_total,
            &traffic.connections_rejected,
            &traffic.bytes_read,
            &traffic.bytes_written,
            &traffic.slow_readers,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Kills everything stored before now, or everything that will have been stored at a moment.
    pub(crate) fn flush_all(&self, at: Option<Seconds>, now: Seconds) {
        self.each(|store| store.flush_all(at, now));
    }
}

fn lock(shard: &Mutex<Store>) -> MutexGuard<'_, Store> {
    shard.lock().expect("no operation on a store panics, or the process is broken anyway")
}

/// One shard for one worker; for several, as many as keep the largest items well within a shard.
fn shard_count(config: &Config) -> u64 {
    if config.threads == 1 {
        return 1;
    }
    let room = config.memory_bytes_max / (LARGEST_ITEMS_PER_SHARD_MIN * config.item_bytes_max);
    room.clamp(1, SHARDS_MAX)
}
