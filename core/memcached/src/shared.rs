//! What all workers of one server share: the data set, its clock, and the server's counters.
//!
//! The data set is cut into shards by key, each behind its own lock, so that several workers can
//! serve one port. One worker has one shard, and with it exactly one LRU order. A lock is held for
//! one operation on one item, never while bytes move.
//!
//! A data set lives as long as its [`Shared`]: a process that is to start empty, as after a crash,
//! gets a new one.

use crate::auth::Users;
use crate::cache::{Cache, Count, Counts, HashKey, Key, RUN, Usage};
use crate::clock::{Epoch, Seconds};
use crate::config::Config;
use crate::ops::{Nowhere, Ops, Surroundings};

use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use storytime_machine::{Now, Rng, Time};

/// The data set of one server and what its workers count together.
#[derive(Debug)]
pub struct Shared {
    pub(crate) caches: Box<[Mutex<Cache>]>,
    started: OnceLock<Started>,
    verbosity: AtomicU8,
    pub(crate) ops: Ops,
    users: Mutex<Users>,
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
    /// Datagrams that were not one whole request.
    pub datagrams_dropped: AtomicU64,
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
    /// An empty data set for a server with these options, and no program around it.
    pub fn new(config: &Config) -> Self {
        Self::within(config, Arc::new(Nowhere))
    }

    /// An empty data set for a server with these options.
    pub fn within(config: &Config, surroundings: Arc<dyn Surroundings>) -> Self {
        Self {
            caches: (0..config.shards())
                .map(|at| Mutex::new(Cache::new(config.cache(at))))
                .collect(),
            started: OnceLock::new(),
            verbosity: AtomicU8::new(config.verbosity),
            ops: Ops::new(config, surroundings),
            users: Mutex::default(),
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

    /// Locks the shard that holds a key.
    #[inline]
    pub(crate) fn shard<'a>(&self, key: &'a [u8]) -> (MutexGuard<'_, Cache>, Key<'a>) {
        let key = self.key(key);
        (self.shard_of(key), key)
    }

    /// Hashes a key.
    #[inline]
    pub(crate) fn key<'a>(&self, key: &'a [u8]) -> Key<'a> {
        Key { bytes: key, hash: self.started().hash.hash(key) }
    }

    #[inline]
    fn shard_at(&self, key: Key<'_>) -> usize {
        // The high bits choose the shard, the low ones the bucket in it.
        ((u128::from(key.hash) * self.caches.len() as u128) >> 64) as usize
    }

    /// Reads ahead for the keys of a run, one shard after the other.
    pub(crate) fn foresee(&self, keys: &[Key<'_>]) {
        if self.caches.len() == 1 {
            return self.cache_at(0).foresee(keys);
        }
        let mut left = keys;
        let mut seen = 0_u64;
        while let [first, rest @ ..] = left {
            let shard = self.shard_at(*first);
            left = rest;
            if seen & (1 << (shard % 64)) != 0 {
                continue;
            }
            seen |= 1 << (shard % 64);
            let mut run = [*first; RUN];
            let mut count = 1;
            for key in rest.iter().filter(|key| self.shard_at(**key) == shard).take(RUN - 1) {
                run[count] = *key;
                count += 1;
            }
            self.cache_at(shard).foresee(&run[..count]);
        }
    }

    /// Locks the shard that holds a key whose hash is known.
    #[inline]
    pub(crate) fn shard_of(&self, key: Key<'_>) -> MutexGuard<'_, Cache> {
        self.cache_at(self.shard_at(key))
    }

    /// Locks a shard.
    #[inline]
    pub(crate) fn cache_at(&self, shard: usize) -> MutexGuard<'_, Cache> {
        self.caches[shard].lock().expect("no operation on a cache panics, or all is lost anyway")
    }

    /// Runs an operation on every shard in turn.
    pub(crate) fn each_cache(&self, mut operation: impl FnMut(&mut Cache)) {
        for shard in 0..self.caches.len() {
            operation(&mut self.cache_at(shard));
        }
    }

    /// Forgets everything, as if it had just been made.
    pub(crate) fn clear(&self) {
        self.each_cache(|cache| *cache = Cache::new(cache.options().clone()));
    }

    /// What the server's clock shows.
    #[inline]
    pub(crate) fn seconds(&self, mono: Time) -> Seconds {
        self.ops.offset.now(&self.epoch(), mono)
    }

    /// Counts an event that is about no key.
    pub(crate) fn count(&self, count: Count) {
        self.cache_at(0).count(count);
    }

    /// Counters of all shards together.
    pub fn counts(&self) -> Counts {
        self.totals().0
    }

    /// What all shards use together.
    pub fn usage(&self) -> Usage {
        self.totals().1
    }

    /// Bytes of memory that the data set holds.
    pub fn memory(&self) -> u64 {
        let mut sum = 0;
        self.each_cache(|cache| sum += cache.memory());
        sum
    }

    /// Asserts cheap relations in every shard.
    pub fn invariants(&self) {
        self.each_cache(|cache| cache.invariants());
    }

    /// Walks every shard and asserts that its parts agree; for tests.
    pub fn audit(&self) {
        self.each_cache(|cache| cache.audit());
    }

    /// Replaces those who may log in; at the start nobody may. Who has logged in stays so.
    pub fn set_users(&self, users: Users) {
        *self.users() = users;
    }

    /// Whether there is such a user with such a password.
    pub(crate) fn may_log_in(&self, user: &[u8], password: &[u8]) -> bool {
        self.users().check(user, password)
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().expect("nothing panics with the users locked")
    }

    /// How much the server is to say on its log, 0 to 2.
    pub fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }

    pub(crate) fn set_verbosity(&self, level: u8) {
        self.verbosity.store(level, Ordering::Relaxed);
    }

    /// Kills everything stored before now, or everything that will have been stored at a moment.
    pub(crate) fn flush_all(&self, at: Option<Seconds>, now: Seconds) {
        self.each_cache(|cache| cache.flush_all(at, now));
    }
}
