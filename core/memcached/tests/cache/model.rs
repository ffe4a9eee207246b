//! The cache against a plain map, with values being sent, values arriving, pages moving and the
//! limit changing in between. What the cache evicts it says, so the map always knows what is there.

use crate::rig::{PAGE, Rig, pattern, small};
use bytes::BytesMut;
use proptest::prelude::*;
use std::collections::BTreeMap;
use storytime_machine::{Now, Time, WallTime};
use storytime_memcached::cache::{
    Access, Counted, Cursor, Deleted, Delta, Draft, ItemId, Pin, Stored, Verb, View, Write,
};
use storytime_memcached::clock::{Epoch, Expiry, Seconds};

#[derive(Clone, Debug)]
enum Op {
    Store { verb: u8, key: u8, len: usize, ttl: i32, compare: u8 },
    Get(u8),
    Touch(u8, i32),
    Delete(u8),
    Count(u8, bool, u64),
    Flush(Option<u32>),
    Pass(u32),
    Mark(u8, bool, bool),
    Clear(u8),
    Pin(u8),
    Unpin(usize),
    Draft { key: u8, len: usize },
    Fill { draft: usize, len: usize },
    Commit { draft: usize, verb: u8, ttl: i32 },
    Abandon(usize),
    Reassign(i32, i32),
    Maintain,
    Limit(u64),
    Lists(bool),
    Crawl,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    value: Vec<u8>,
    flags: u32,
    expires: Expiry,
    version: u64,
    stale: bool,
    won: bool,
}

struct Filling {
    draft: Draft,
    key: String,
    value: Vec<u8>,
}

struct Pair {
    rig: Rig,
    items: BTreeMap<String, Item>,
    pins: Vec<(Pin, Vec<u8>)>,
    drafts: Vec<Filling>,
    flush_due: Option<Seconds>,
    epoch: Epoch,
    seed: u64,
}

/// Values being sent and values arriving at most, so that they never fill the cache.
const HELD_MAX: usize = 3;

impl Pair {
    fn new() -> Self {
        let mut rig = Rig::new(small(20));
        rig.cache.set_noting(true, false);
        let epoch = Epoch::new(Now { mono: Time::ZERO, wall: WallTime(0) });
        let (items, pins, drafts) = Default::default();
        Self { rig, items, pins, drafts, flush_due: None, epoch, seed: 0 }
    }

    /// Removes what is dead, and what the cache says it evicted.
    fn catch_up(&mut self) {
        let now = self.rig.now;
        for gone in self.rig.cache.take_noted() {
            let key = String::from_utf8(gone.key.into()).expect("keys are text");
            assert!(self.items.remove(&key).is_some(), "{key} was evicted and not there");
        }
        if self.flush_due.is_some_and(|due| due <= now) {
            self.flush_due = None;
            self.items.clear();
        }
        self.items.retain(|_, item| !item.expires.has_passed(now));
    }

    fn value(&mut self, len: usize) -> Vec<u8> {
        self.seed += 1;
        if len < 12 {
            return self.seed.to_string().into_bytes();
        }
        pattern(self.seed, len)
    }

    fn expiry(&self, ttl: i32) -> Expiry {
        self.epoch.expiry(ttl, self.rig.now)
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Store { verb, key, len, ttl, compare } => self.store(verb, key, len, ttl, compare),
            Op::Get(key) => {
                let key = name(key);
                let found = self.rig.fetch(&key).ok();
                assert_eq!(found.map(|item| self.seen(item)), self.items.get(&key).cloned());
            }
            Op::Touch(key, ttl) => {
                let (key, expires) = (name(key), self.expiry(ttl));
                let access = Access::Touch(expires);
                let found = self.rig.cache.fetch(self.rig.key(&key), access, self.rig.now);
                assert_eq!(found.is_ok(), self.items.contains_key(&key));
                if let Some(item) = self.items.get_mut(&key) {
                    item.expires = expires;
                }
            }
            Op::Delete(key) => {
                let key = name(key);
                let there = self.items.remove(&key).is_some();
                let deleted = if there { Deleted::Deleted } else { Deleted::NotFound };
                assert_eq!(self.rig.delete(&key), deleted);
            }
            Op::Count(key, up, by) => self.count(key, up, by),
            Op::Flush(after) => {
                let at = after.map(|after| Seconds(self.rig.now.0 + after));
                match at {
                    Some(at) if at > self.rig.now => self.flush_due = Some(at),
                    _ => {
                        self.flush_due = None;
                        self.items.clear();
                    }
                }
                self.rig.cache.flush_all(at, self.rig.now);
            }
            Op::Pass(seconds) => self.rig.now = Seconds(self.rig.now.0 + seconds),
            Op::Mark(key, stale, won) => self.mark(key, stale, won),
            Op::Clear(key) => self.clear(key),
            Op::Pin(..) | Op::Unpin(_) => self.hold(op),
            Op::Draft { .. } | Op::Fill { .. } | Op::Commit { .. } | Op::Abandon(_) => {
                self.arrive(op);
            }
            Op::Reassign(from, to) => {
                let _ = self.rig.cache.reassign(from, to, self.rig.now);
            }
            Op::Maintain => {
                self.rig.cache.maintain(self.rig.now);
            }
            Op::Limit(pages) => self.rig.cache.set_bytes_max(pages * PAGE),
            Op::Lists(segmented) => {
                let lru = self.rig.cache.options().lru;
                let temporary_ttl = segmented.then_some(3);
                let lru =
                    storytime_memcached::cache::LruOptions { segmented, temporary_ttl, ..lru };
                self.rig.cache.set_lru(lru);
            }
            Op::Crawl => {
                let mut cursor = Some(Cursor::default());
                while let Some(at) = cursor {
                    cursor = self.rig.cache.crawl(at, 50, self.rig.now);
                }
            }
        }
        self.catch_up();
        self.rig.cache.audit();
    }

    fn seen(&self, item: ItemId) -> Item {
        let view = self.rig.cache.view(item);
        assert_eq!(view.value_len(), self.rig.value(item).len());
        Item {
            value: self.rig.value(item),
            flags: view.flags(),
            expires: view.expires(),
            version: view.version(),
            stale: view.stale(),
            won: view.token_won(),
        }
    }

    fn store(&mut self, verb: u8, key: u8, len: usize, ttl: i32, compare: u8) {
        let (key, value) = (name(key), self.value(len));
        let old = self.items.get(&key).cloned();
        let write = Write {
            verb: verb_of(verb),
            flags: if len.is_multiple_of(3) { 0 } else { len as u32 },
            expires: self.expiry(ttl),
            compare: match compare % 8 {
                0 => old.as_ref().map(|old| old.version),
                1 => Some(1),
                _ => None,
            },
            invalidate: compare > 100,
            ..self.rig.write(&key)
        };
        let expected = expected(&write, &value, old.as_ref());
        let stored = self.rig.cache.store(&write, &value, self.rig.now);
        self.settle(key, stored, expected);
    }

    /// Compares what became of a store with what should.
    fn settle(&mut self, key: String, stored: Stored, expected: Result<Item, Stored>) {
        match (stored, expected) {
            (Stored::Stored { version, value_bytes }, Ok(item)) => {
                assert_eq!(value_bytes as usize, item.value.len());
                let newest = self.items.values().map(|item| item.version).max();
                assert!(newest.is_none_or(|newest| version > newest), "versions go up");
                self.catch_up_but(&key);
                self.items.insert(key, Item { version, ..item });
            }
            (stored, Err(expected)) => assert_eq!(stored, expected, "{key}"),
            (stored, Ok(item)) => {
                let len = item.value.len();
                assert!(stored == Stored::NotStored && len > 28 << 10, "{len}: {stored:?}");
            }
        }
    }

    /// A store may evict the old item of its own key before it puts the new one.
    fn catch_up_but(&mut self, key: &str) {
        for gone in self.rig.cache.take_noted() {
            let gone = String::from_utf8(gone.key.into()).expect("keys are text");
            assert!(self.items.remove(&gone).is_some(), "{gone} was evicted and not there");
        }
        self.items.remove(key);
    }

    fn count(&mut self, key: u8, up: bool, by: u64) {
        let key = name(key);
        let delta = if up { Delta::Incr(by) } else { Delta::Decr(by) };
        let counted =
            self.rig.cache.arithmetic(self.rig.key(&key), delta, None, None, self.rig.now);
        let number = self.items.get(&key).map(|item| counted_text(&item.value, up, by));
        if number.is_some() && !self.items[&key].value.iter().all(|b| b"0123456789 ".contains(b)) {
            // Bytes at random may well begin with a number.
            if let Counted::Number { item, .. } = counted {
                let seen = self.seen(item);
                self.catch_up_but(&key);
                self.items.insert(key, seen);
            }
            return;
        }
        match (counted, number) {
            (Counted::NotFound, None) => {}
            (Counted::NotNumeric, Some(None)) => {}
            (Counted::Number { value, item }, Some(Some((number, text)))) => {
                assert_eq!(value, number);
                let seen = self.seen(item);
                assert!(seen.value.len() >= number.to_string().len());
                let old = self.items.get(&key).expect("it is there").clone();
                assert_eq!((seen.flags, seen.expires), (old.flags, old.expires));
                // A value that is being sent is replaced, and needs no padding then.
                let bare = number.to_string().into_bytes();
                assert!(seen.value == text || seen.value == bare, "{:?}", seen.value);
                self.catch_up_but(&key);
                self.items.insert(key, seen);
            }
            (counted, number) => panic!("{counted:?} for {number:?}"),
        }
    }

    fn mark(&mut self, key: u8, stale: bool, won: bool) {
        let key = name(key);
        if let Some(item) = self.items.get_mut(&key) {
            let id = self.rig.find(&key);
            self.rig.cache.set_stale(id, stale);
            self.rig.cache.set_token_won(id, won);
            (item.stale, item.won) = (stale, won);
            item.version = self.rig.cache.set_version(id, None);
        }
    }

    fn clear(&mut self, key: u8) {
        let key = name(key);
        if self.items.contains_key(&key) {
            let id = self.rig.find(&key);
            let expires = self.rig.cache.view(id).expires();
            let emptied = self.rig.cache.store_empty(self.rig.key(&key), 0, expires);
            emptied.expect("an empty item finds room");
            let item = self.items.get_mut(&key).expect("it is there");
            (item.value, item.flags, item.stale, item.won) = (Vec::new(), 0, false, false);
        }
    }

    fn hold(&mut self, op: &Op) {
        match *op {
            Op::Pin(key) => {
                let key = name(key);
                if self.items.contains_key(&key) && self.pins.len() < HELD_MAX {
                    let id = self.rig.find(&key);
                    let pin = self.rig.cache.pin(id).expect("few readers");
                    self.pins.push((pin, self.items[&key].value.clone()));
                }
            }
            Op::Unpin(at) if !self.pins.is_empty() => {
                let (pin, value) = self.pins.swap_remove(at % self.pins.len());
                let mut read = BytesMut::new();
                while read.len() < pin.len() {
                    self.rig.cache.read(&pin, read.len(), 1 + at % 5000, &mut read);
                }
                assert!(read[..value.len()] == value[..] && read.ends_with(b"\r\n"));
                self.rig.cache.unpin(pin);
            }
            _ => {}
        }
    }

    fn arrive(&mut self, op: &Op) {
        if let Op::Draft { key, len } = *op {
            if self.drafts.len() < HELD_MAX {
                let (key, value) = (name(key), self.value(len));
                let draft = self.rig.draft(&key, value.len()).expect("there is room");
                self.drafts.push(Filling { draft, key, value });
            }
            return;
        }
        if self.drafts.is_empty() {
            return;
        }
        match *op {
            Op::Fill { draft, len } => {
                let at = draft % self.drafts.len();
                self.fill(at, len);
            }
            Op::Commit { draft, verb, ttl } => {
                let at = draft % self.drafts.len();
                self.fill(at, usize::MAX);
                let Filling { draft, key, value } = self.drafts.swap_remove(at);
                self.catch_up();
                let expires = self.expiry(ttl);
                let write = Write { verb: verb_of(verb), expires, ..self.rig.write(&key) };
                let expected = expected(&write, &value, self.items.get(&key));
                let stored = self.rig.cache.commit(draft, &write, self.rig.now);
                self.settle(key, stored, expected);
            }
            Op::Abandon(at) => {
                let filling = self.drafts.swap_remove(at % self.drafts.len());
                self.rig.cache.abandon(filling.draft);
            }
            _ => {}
        }
    }

    fn fill(&mut self, at: usize, len: usize) {
        let now = self.rig.now;
        let Filling { draft, value, .. } = &mut self.drafts[at];
        let rest = &value[value.len() - draft.missing()..];
        let piece = &rest[..len.min(rest.len())];
        self.rig.cache.fill(draft, piece, now).expect("there is room");
    }

    /// Every item of the map is in the cache, and nothing else.
    fn compare(&mut self) {
        let mut walked = Vec::new();
        let mut each = |view: View<'_>| {
            walked.push(String::from_utf8(view.key().to_vec()).expect("keys are text"));
        };
        let end = self.rig.cache.walk(Cursor::default(), usize::MAX, self.rig.now, &mut each);
        assert_eq!(end, None);
        walked.sort();
        assert_eq!(walked, self.items.keys().cloned().collect::<Vec<_>>());
        for (key, item) in self.items.clone() {
            let id = self.rig.find(&key);
            assert_eq!(self.seen(id), item, "{key}");
        }
        self.rig.settle();
    }
}

/// What counting makes of a value: the number, and the text with its padding.
fn counted_text(value: &[u8], up: bool, by: u64) -> Option<(u64, Vec<u8>)> {
    let text = core::str::from_utf8(value).ok()?;
    let number = text.split(' ').next()?.parse::<u64>().ok()?;
    let number = if up { number.wrapping_add(by) } else { number.saturating_sub(by) };
    Some((number, format!("{number:<width$}", width = text.len()).into_bytes()))
}

/// What should become of a store: an item, but for its version, or a refusal.
fn expected(write: &Write<'_>, value: &[u8], old: Option<&Item>) -> Result<Item, Stored> {
    let new = Item {
        value: value.to_vec(),
        flags: write.flags,
        expires: write.expires,
        version: 0,
        stale: false,
        won: false,
    };
    let Some(old) = old else {
        return match (write.verb, write.compare) {
            (Verb::Set | Verb::Replace, Some(_)) => Err(Stored::NotFound),
            (Verb::Set | Verb::Add, _) => Ok(new),
            _ => Err(Stored::NotStored),
        };
    };
    let matches = write.compare.is_none_or(|version| version == old.version);
    let older = write.compare.is_some_and(|version| version < old.version);
    match write.verb {
        Verb::Add => Err(Stored::NotStored),
        Verb::Set | Verb::Replace if matches => Ok(new),
        Verb::Set | Verb::Replace if write.invalidate && older => {
            Ok(Item { expires: old.expires, stale: true, won: old.won, ..new })
        }
        _ if !matches => Err(Stored::Exists),
        Verb::Append => {
            let value = [&old.value[..], value].concat();
            Ok(Item { value, stale: false, won: false, ..old.clone() })
        }
        _ => {
            let value = [value, &old.value[..]].concat();
            Ok(Item { value, stale: false, won: false, ..old.clone() })
        }
    }
}

fn verb_of(n: u8) -> Verb {
    match n % 8 {
        0..=3 => Verb::Set,
        4 => Verb::Add,
        5 => Verb::Replace,
        6 => Verb::Append,
        _ => Verb::Prepend,
    }
}

fn name(key: u8) -> String {
    format!("{}{key}", "key:".repeat(1 + usize::from(key) % 9))
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = 0..120u8;
    let len = prop_oneof![0..12usize, 12..300usize, 300..9_000usize, 7_000..31_000usize];
    let ttl = prop::sample::select(vec![0, 0, 0, 0, 0, 0, -1, 2, 5, 30]);
    let any_class = -1..14i32;
    let op = prop_oneof![
        12 => (any::<u8>(), key.clone(), len.clone(), ttl.clone(), any::<u8>()).prop_map(
            |(verb, key, len, ttl, compare)| Op::Store { verb, key, len, ttl, compare }
        ),
        6 => key.clone().prop_map(Op::Get),
        1 => (key.clone(), ttl.clone()).prop_map(|(key, ttl)| Op::Touch(key, ttl)),
        1 => key.clone().prop_map(Op::Delete),
        2 => (key.clone(), any::<bool>(), prop_oneof![0..20u64, any::<u64>()])
            .prop_map(|(key, up, by)| Op::Count(key, up, by)),
        1 => prop_oneof![1 => Just(None), 9 => (1..90u32).prop_map(Some)].prop_map(Op::Flush),
        1 => (0..2u32).prop_map(Op::Pass),
        1 => (key.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(key, stale, won)| Op::Mark(key, stale, won)),
        1 => key.clone().prop_map(Op::Clear),
        2 => key.clone().prop_map(Op::Pin),
        2 => any::<usize>().prop_map(Op::Unpin),
        2 => (key, len.clone()).prop_map(|(key, len)| Op::Draft { key, len }),
        3 => (any::<usize>(), len).prop_map(|(draft, len)| Op::Fill { draft, len }),
        2 => (any::<usize>(), any::<u8>(), ttl)
            .prop_map(|(draft, verb, ttl)| Op::Commit { draft, verb, ttl }),
        1 => any::<usize>().prop_map(Op::Abandon),
        1 => (any_class.clone(), any_class).prop_map(|(from, to)| Op::Reassign(from, to)),
        2 => Just(Op::Maintain),
        1 => (10..24u64).prop_map(Op::Limit),
        1 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Op::Lists),
        1 => Just(Op::Crawl),
    ];
    prop::collection::vec(op, 20..400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_cache_is_a_map_that_says_what_it_drops(ops in ops()) {
        let mut pair = Pair::new();
        for op in &ops {
            pair.apply(op);
        }
        pair.compare();
    }
}
