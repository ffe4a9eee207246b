//! A cache with a clock, and short words for what is done to it.

use bytes::BytesMut;
use storytime_memcached::Config;
use storytime_memcached::cache::{
    Access, Cache, ClassOptions, Deleted, Draft, HashKey, ItemId, Key, Missed, Options, Refused,
    Stored, Verb, Write,
};
use storytime_memcached::clock::{Expiry, Seconds};

/// A cache and its clock.
pub(crate) struct Rig {
    pub(crate) cache: Cache,
    pub(crate) now: Seconds,
    hash: HashKey,
}

/// Options of a single shard of so many MiB.
pub(crate) fn options(mebibytes: u64) -> Options {
    let config = Config { memory_bytes_max: mebibytes << 20, threads: 1, ..Config::default() };
    config.cache(0)
}

/// Bytes of a page that is small enough for a short test to fill and move many.
pub(crate) const PAGE: u64 = 16 << 10;

/// Options of a shard of so many small pages.
pub(crate) fn small(pages: u64) -> Options {
    let whole = options(1);
    Options {
        bytes_max: pages * PAGE,
        item_bytes_max: 2 * PAGE,
        classes: ClassOptions {
            page_bytes: PAGE as u32,
            chunk_bytes_max: PAGE as u32 / 2,
            factor_millionths: 1_900_000,
            ..whole.classes.clone()
        },
        ..whole
    }
}

impl Rig {
    pub(crate) fn new(options: Options) -> Self {
        let hash = HashKey::new(2007, 85);
        let mut cache = Cache::new(options);
        cache.set_hash_key(hash);
        Self { cache, now: Seconds(100), hash }
    }

    pub(crate) fn of(mebibytes: u64) -> Self {
        Self::new(options(mebibytes))
    }

    pub(crate) fn key<'a>(&self, key: &'a str) -> Key<'a> {
        Key { bytes: key.as_bytes(), hash: self.hash.hash(key.as_bytes()) }
    }

    /// A plain set without a value.
    pub(crate) fn write<'a>(&self, key: &'a str) -> Write<'a> {
        Write {
            key: self.key(key),
            verb: Verb::Set,
            flags: 0,
            expires: Expiry::NEVER,
            compare: None,
            version: None,
            invalidate: false,
            vivify: None,
        }
    }

    pub(crate) fn store(&mut self, verb: Verb, key: &str, value: &[u8]) -> Stored {
        let write = Write { verb, ..self.write(key) };
        self.cache.store(&write, value, self.now)
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) -> Stored {
        self.store(Verb::Set, key, value)
    }

    /// Sets, and expects it to be stored.
    pub(crate) fn put(&mut self, key: &str, value: &[u8]) -> u64 {
        match self.set(key, value) {
            Stored::Stored { version, .. } => version,
            other => panic!("{key} of {} bytes: {other:?}", value.len()),
        }
    }

    pub(crate) fn fetch(&mut self, key: &str) -> Result<ItemId, Missed> {
        self.cache.fetch(self.key(key), Access::Get, self.now)
    }

    pub(crate) fn get(&mut self, key: &str) -> Option<Vec<u8>> {
        let item = self.fetch(key).ok()?;
        Some(self.value(item))
    }

    pub(crate) fn value(&self, item: ItemId) -> Vec<u8> {
        let mut value = BytesMut::new();
        self.cache.view(item).copy_value(true, &mut value);
        let line_end = value.split_off(value.len() - 2);
        assert_eq!(&line_end[..], b"\r\n");
        value.to_vec()
    }

    /// Whether a key is there, without its being used.
    pub(crate) fn has(&mut self, key: &str) -> bool {
        self.cache.find(self.key(key), self.now).is_ok()
    }

    pub(crate) fn find(&mut self, key: &str) -> ItemId {
        self.cache.find(self.key(key), self.now).expect("it is there")
    }

    pub(crate) fn delete(&mut self, key: &str) -> Deleted {
        self.cache.delete(self.key(key), None, self.now)
    }

    pub(crate) fn draft(&mut self, key: &str, bytes: usize) -> Result<Draft, Refused> {
        self.cache.draft(self.key(key), 0, bytes as u32, self.now)
    }

    /// Seconds pass, with the background work that goes on meanwhile.
    pub(crate) fn pass(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.now = Seconds(self.now.0 + 1);
            self.settle();
        }
    }

    /// Background work until there is none.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.cache.maintain(self.now) {
                return;
            }
        }
        panic!("background work comes to an end");
    }
}

/// A value that tells its key, its length and every position in it apart.
pub(crate) fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = Vec::with_capacity(bytes + 8);
    while value.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value.extend_from_slice(&state.to_le_bytes());
    }
    value.truncate(bytes);
    value
}
