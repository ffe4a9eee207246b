//! A cache in the memory of one process or one host: the least recently used go first.

use std::collections::BTreeMap;
use storytime_machine::Time;

/// What is kept of a value: the model does not need its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Which version of the row it was made from.
    pub(super) version: u32,
    /// Length of key and value, bytes.
    pub(super) bytes: u32,
    /// When it is too old.
    pub(super) expires: Time,
}

/// The cache. A key is the number of a row behind the number of a release.
#[derive(Debug)]
pub(super) struct LocalCache {
    bytes_max: u64,
    bytes: u64,
    tick: u64,
    items: BTreeMap<(u32, u32), (u64, Kept)>,
    /// By when they were last used.
    order: BTreeMap<u64, (u32, u32)>,
}

impl LocalCache {
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { bytes_max, bytes: 0, tick: 0, items: BTreeMap::new(), order: BTreeMap::new() }
    }

    /// Bytes of keys and values.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A value, if it is there and fresh; it becomes the most recently used.
    pub(super) fn get(&mut self, key: (u32, u32), now: Time) -> Option<Kept> {
        let (tick, kept) = self.items.get(&key).copied()?;
        if kept.expires <= now {
            self.remove(key);
            return None;
        }
        self.order.remove(&tick);
        self.tick += 1;
        self.order.insert(self.tick, key);
        self.items.insert(key, (self.tick, kept));
        Some(kept)
    }

    /// Keeps a value, in place of others that were not used for longest.
    pub(super) fn put(&mut self, key: (u32, u32), kept: Kept) {
        self.remove(key);
        if u64::from(kept.bytes) > self.bytes_max {
            return;
        }
        while self.bytes + u64::from(kept.bytes) > self.bytes_max {
            let oldest = self.order.first_key_value().map(|(_, key)| *key);
            self.remove(oldest.expect("what takes up room is in the order"));
        }
        self.tick += 1;
        self.order.insert(self.tick, key);
        self.items.insert(key, (self.tick, kept));
        self.bytes += u64::from(kept.bytes);
    }

    /// Forgets a value.
    pub(super) fn remove(&mut self, key: (u32, u32)) {
        if let Some((tick, kept)) = self.items.remove(&key) {
            self.order.remove(&tick);
            self.bytes -= u64::from(kept.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn kept(bytes: u32) -> Kept {
        Kept { version: 0, bytes, expires: Time(100) }
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut cache = LocalCache::new(30);
        for n in 0..3 {
            cache.put((0, n), kept(10));
        }
        assert!(cache.get((0, 0), Time(1)).is_some());
        cache.put((0, 3), kept(10));
        assert!(cache.get((0, 1), Time(1)).is_none() && cache.get((0, 0), Time(1)).is_some());
        cache.put((0, 4), kept(31));
        assert_eq!(cache.bytes(), 30, "what does not fit displaces nothing");
    }

    #[test]
    fn what_is_too_old_is_gone() {
        let mut cache = LocalCache::new(30);
        cache.put((0, 0), kept(10));
        assert!(cache.get((0, 0), Time(100)).is_none());
        assert_eq!(cache.bytes(), 0);
    }
}
