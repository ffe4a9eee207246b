//! Counts per prefix of keys: `stats detail`.

use crate::config::Config;
use bytes::BytesMut;
use core::fmt::Write as _;
use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Most prefixes that are counted; keys of further ones are not.
const PREFIXES_MAX: usize = 10_000;

/// What happened to the keys of one prefix.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    gets: u64,
    hits: u64,
    sets: u64,
    deletes: u64,
}

/// Something that happened to a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Get { hit: bool },
    Set,
    Delete,
}

/// Counts by prefix.
#[derive(Debug)]
pub(crate) struct Prefixes {
    on: AtomicBool,
    delimiter: u8,
    counts: Mutex<BTreeMap<Box<[u8]>, Prefix>>,
}

impl Prefixes {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            on: AtomicBool::new(config.detail),
            delimiter: config.prefix_delimiter,
            counts: Mutex::default(),
        }
    }

    /// Whether it counts.
    #[inline]
    pub(crate) fn on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    pub(crate) fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn count(&self, key: &[u8], event: Event) {
        if self.on() {
            self.count_now(key, event);
        }
    }

    /// A key without a delimiter has no prefix.
    #[cold]
    fn count_now(&self, key: &[u8], event: Event) {
        let Some(end) = memchr::memchr(self.delimiter, key) else { return };
        let mut counts = super::lock(&self.counts);
        let full = counts.len() >= PREFIXES_MAX;
        let found = match counts.get_mut(&key[..end]) {
            Some(found) => found,
            None if full => return,
            None => counts.entry(key[..end].into()).or_default(),
        };
        match event {
            Event::Get { hit } => {
                found.gets += 1;
                found.hits += u64::from(hit);
            }
            Event::Set => found.sets += 1,
            Event::Delete => found.deletes += 1,
        }
    }

    /// Forgets all counts.
    pub(crate) fn clear(&self) {
        super::lock(&self.counts).clear();
    }

    /// A line for each prefix.
    pub(crate) fn dump(&self, into: &mut BytesMut) {
        for (prefix, n) in super::lock(&self.counts).iter() {
            into.extend_from_slice(b"PREFIX ");
            into.extend_from_slice(prefix);
            let Prefix { gets, hits, sets, deletes } = n;
            write!(into, " get {gets} hit {hits} set {sets} del {deletes}\r\n")
                .expect("output buffers grow as needed");
        }
    }
}
