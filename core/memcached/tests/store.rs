//! The store against a plain model: a list of items from the hottest to the coldest.

use bytes::Bytes;
use proptest::prelude::*;
use storytime_machine::{Now, Time, WallTime};
use storytime_memcached::clock::{Epoch, Expiry, Seconds};
use storytime_memcached::store::{
    Arithmetic, Count, DeltaOutcome, HashKey, Key, NewItem, Store, StoreOptions, StoreOutcome,
    Verb, blob, item_cost,
};

const ITEM_BYTES_MAX: u64 = 1 << 20;

#[derive(Clone, Debug)]
enum Op {
    Store { verb: u8, key: u8, len: usize, exptime: i32 },
    Get(u8),
    Touch(u8, i32),
    Delete(u8),
    Count(u8, bool, u64),
    Flush(Option<u32>),
    Pass(u32),
}

#[derive(Clone, Debug)]
struct Item {
    key: Vec<u8>,
    value: Vec<u8>,
    flags: u32,
    expires: Expiry,
    version: u64,
}

impl Item {
    fn cost(&self) -> u64 {
        item_cost(self.key.len(), self.value.len())
    }
}

/// What the store should do, without any cleverness.
struct Model {
    items: Vec<Item>,
    bytes_max: u64,
    version: u64,
    flushed: u64,
    flush_due: Option<Seconds>,
    evictions: u64,
}

impl Model {
    fn find(&mut self, key: &[u8], now: Seconds) -> Option<usize> {
        if self.flush_due.is_some_and(|due| due <= now) {
            self.flush_due = None;
            self.flushed = self.version;
        }
        let at = self.items.iter().position(|item| item.key == key)?;
        let item = &self.items[at];
        if item.expires.has_passed(now) || item.version <= self.flushed {
            self.items.remove(at);
            return None;
        }
        Some(at)
    }

    fn heat(&mut self, at: usize) {
        let item = self.items.remove(at);
        self.items.insert(0, item);
    }

    /// Stores behind everything else's back, evicting as needed.
    fn put(&mut self, mut item: Item, now: Seconds) {
        let old = self.items.iter().position(|other| other.key == item.key);
        let old = old.map(|at| self.items.remove(at));
        let total = |items: &[Item]| items.iter().map(Item::cost).sum::<u64>();
        // A replaced item is not given up before the new one has room beside the rest.
        let floor = old.map_or(0, |old| old.cost()).max(item.cost());
        while total(&self.items) + floor > self.bytes_max {
            let coldest = self.items.pop().expect("one item fits");
            let dead = coldest.expires.has_passed(now) || coldest.version <= self.flushed;
            self.evictions += u64::from(!dead);
        }
        self.version += 1;
        item.version = self.version;
        self.items.insert(0, item);
    }
}

struct Pair {
    store: Store,
    model: Model,
    hash: HashKey,
    epoch: Epoch,
    passed: u32,
}

impl Pair {
    fn new(bytes_max: u64) -> Self {
        let options = StoreOptions {
            bytes_max,
            item_bytes_max: ITEM_BYTES_MAX,
            evict: true,
            versions: true,
            version_step: 1,
            version_first: 0,
        };
        let (items, version, flushed) = (Vec::new(), 0, 0);
        let model = Model { items, bytes_max, version, flushed, flush_due: None, evictions: 0 };
        let wall = WallTime(1_180_000_000 * 1_000_000_000);
        let epoch = Epoch::new(Now { mono: Time::ZERO, wall });
        Self { store: Store::new(options), model, hash: HashKey::new(1, 2), epoch, passed: 0 }
    }

    fn now(&self) -> Seconds {
        self.epoch.seconds(Time(u64::from(self.passed) * 1_000_000_000))
    }

    fn apply(&mut self, op: &Op) {
        let now = self.now();
        match *op {
            Op::Store { verb, key, len, exptime } => self.store(verb, key, len, exptime, now),
            Op::Get(key) => {
                let key = name(key);
                let expected = self.model.find(&key, now).map(|at| {
                    self.model.heat(at);
                    self.model.items[0].clone()
                });
                let key = Key { bytes: &key, hash: self.hash.hash(&key) };
                let hit = self.store.get(key, now);
                let got = hit.map(|hit| (hit.value().to_vec(), hit.flags, hit.version));
                assert_eq!(got, expected.map(|item| (item.value, item.flags, item.version)));
            }
            Op::Touch(key, exptime) => {
                let (key, expires) = (name(key), self.epoch.expiry(exptime, now));
                let found = self.model.find(&key, now);
                if let Some(at) = found {
                    self.model.items[at].expires = expires;
                    self.model.heat(at);
                }
                let key = Key { bytes: &key, hash: self.hash.hash(&key) };
                assert_eq!(self.store.touch(key, expires, now), found.is_some());
            }
            Op::Delete(key) => {
                let key = name(key);
                let found = self.model.find(&key, now);
                if let Some(at) = found {
                    self.model.items.remove(at);
                }
                let key = Key { bytes: &key, hash: self.hash.hash(&key) };
                assert_eq!(self.store.delete(key, now), found.is_some());
            }
            Op::Count(key, up, by) => self.count(key, up, by, now),
            Op::Flush(after) => {
                let at = after.map(|after| Seconds(now.0 + after));
                self.model.find(b"", now);
                match at {
                    Some(at) if at > now => self.model.flush_due = Some(at),
                    _ => (self.model.flushed, self.model.flush_due) = (self.model.version, None),
                }
                self.store.flush_all(at, now);
            }
            Op::Pass(seconds) => self.passed += seconds,
        }
    }

    fn store(&mut self, verb: u8, key: u8, len: usize, exptime: i32, now: Seconds) {
        let key = name(key);
        let expires = self.epoch.expiry(exptime, now);
        let found = self.model.find(&key, now);
        let digit = b'0' + (len % 10) as u8;
        let item = Item { key, value: vec![digit; len], flags: len as u32, expires, version: 0 };
        let blob_of = |item: &Item| -> Bytes {
            let block: Vec<u8> = item.value.iter().copied().chain(*b"\r\n").collect();
            blob(&item.key, &block)
        };
        let version = found.map_or(3, |at| self.model.items[at].version);
        let verb = match verb % 7 {
            0 | 1 => Verb::Set,
            2 => Verb::Add,
            3 => Verb::Replace,
            4 => Verb::Append,
            5 => Verb::Prepend,
            _ => Verb::Cas(version + len as u64 % 2),
        };
        let expected = match (verb, found) {
            (Verb::Add, Some(at)) => {
                self.model.heat(at);
                StoreOutcome::NotStored
            }
            (Verb::Replace | Verb::Append | Verb::Prepend, None) => StoreOutcome::NotStored,
            (Verb::Cas(_), None) => StoreOutcome::NotFound,
            (Verb::Cas(wanted), Some(_)) if wanted != version => StoreOutcome::Exists,
            (Verb::Append | Verb::Prepend, Some(at)) => {
                let old = self.model.items[at].clone();
                let parts = if verb == Verb::Append {
                    [&old.value[..], &item.value]
                } else {
                    [&item.value[..], &old.value]
                };
                self.model.put(Item { value: parts.concat(), ..old.clone() }, now);
                StoreOutcome::Stored
            }
            _ => {
                self.model.put(item.clone(), now);
                StoreOutcome::Stored
            }
        };
        let new = NewItem {
            blob: blob_of(&item),
            key_len: item.key.len() as u8,
            flags: item.flags,
            expires,
        };
        let key = Key { bytes: &item.key, hash: self.hash.hash(&item.key) };
        assert_eq!(self.store.store(verb, key, new, now), expected, "{verb:?}");
    }

    fn count(&mut self, key: u8, up: bool, by: u64, now: Seconds) {
        let key = name(key);
        let expected = match self.model.find(&key, now) {
            None => DeltaOutcome::NotFound,
            Some(at) => {
                let item = self.model.items[at].clone();
                let text = String::from_utf8(item.value.clone()).expect("digits and spaces");
                // A number ends at the first space, whatever was appended behind it.
                match text.split(' ').next().expect("a first part").parse::<u64>() {
                    Err(_) => DeltaOutcome::NotNumeric,
                    Ok(n) => {
                        let n = if up { n.wrapping_add(by) } else { n.saturating_sub(by) };
                        let value = format!("{n:<width$}", width = text.len()).into_bytes();
                        self.model.put(Item { value, ..item }, now);
                        DeltaOutcome::Number(n)
                    }
                }
            }
        };
        let delta = if up { Arithmetic::Incr(by) } else { Arithmetic::Decr(by) };
        let key = Key { bytes: &key, hash: self.hash.hash(&key) };
        assert_eq!(self.store.add_delta(key, delta, now), expected);
    }

    fn compare(&self) {
        self.store.audit();
        assert_eq!(self.store.len(), self.model.items.len());
        assert_eq!(self.store.usage().bytes, self.model.items.iter().map(Item::cost).sum::<u64>());
        assert_eq!(self.store.stats().get(Count::Evictions), self.model.evictions);
    }
}

fn name(key: u8) -> Vec<u8> {
    format!("key:{}", "k".repeat(usize::from(key) % 5) + &key.to_string()).into_bytes()
}

fn ops(keys: u8, len_max: usize) -> impl Strategy<Value = Vec<Op>> {
    let key = 0..keys;
    let exptime = prop::sample::select(vec![0, 0, 0, -1, 1, 3, 10, 1_180_000_005, 2_592_001]);
    let len = prop_oneof![0..len_max, 0..22usize];
    let op = prop_oneof![
        6 => (any::<u8>(), key.clone(), len, exptime.clone())
            .prop_map(|(verb, key, len, exptime)| Op::Store { verb, key, len, exptime }),
        4 => key.clone().prop_map(Op::Get),
        1 => (key.clone(), exptime).prop_map(|(key, exptime)| Op::Touch(key, exptime)),
        1 => key.clone().prop_map(Op::Delete),
        2 => (key, any::<bool>(), prop_oneof![0..20u64, any::<u64>()])
            .prop_map(|(key, up, by)| Op::Count(key, up, by)),
        1 => prop::option::of(0..9u32).prop_map(Op::Flush),
        1 => (0..4u32).prop_map(Op::Pass),
    ];
    prop::collection::vec(op, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn a_roomy_store_is_a_map_with_deadlines(ops in ops(12, 40)) {
        let mut pair = Pair::new(64 << 20);
        for op in &ops {
            pair.apply(op);
        }
        pair.compare();
    }

    #[test]
    fn a_full_store_drops_the_coldest(ops in ops(60, 600)) {
        let mut pair = Pair::new(6_000);
        for op in &ops {
            pair.apply(op);
            pair.compare();
        }
    }
}

/// Stores one item and returns whether it was taken.
fn set(store: &mut Store, hash: &HashKey, key: &str, len: usize) -> StoreOutcome {
    let block = [vec![b'v'; len], b"\r\n".to_vec()].concat();
    let new = NewItem {
        blob: blob(key.as_bytes(), &block),
        key_len: key.len() as u8,
        flags: 0,
        expires: Expiry::NEVER,
    };
    let key = Key { bytes: key.as_bytes(), hash: hash.hash(key.as_bytes()) };
    store.store(Verb::Set, key, new, Seconds(2))
}

#[test]
fn memory_is_bounded_when_items_grow_and_shrink() {
    const BYTES_MAX: u64 = 4 << 20;
    let mut pair = Pair::new(BYTES_MAX);
    let (store, hash) = (&mut pair.store, &pair.hash);
    let mut n = 0u32;
    for len in [1, 100_000, 3, 5_000, 0, 900_000, 1] {
        for _ in 0..(3 * BYTES_MAX as usize / (len + 120)) {
            n += 1;
            assert_eq!(set(store, hash, &format!("k{n}"), len), StoreOutcome::Stored);
        }
        store.audit();
        let slack = BYTES_MAX / 8 + (512 << 10);
        assert!(store.memory() <= BYTES_MAX + slack, "{} bytes after {len}", store.memory());
        let share = store.usage().bytes * 100 / BYTES_MAX;
        assert!(share > 75, "{share} % in use after {len}: no memory is stuck");
    }
}

#[test]
fn every_key_is_found_while_the_index_grows_and_shrinks() {
    let mut pair = Pair::new(64 << 20);
    let (store, hash) = (&mut pair.store, &pair.hash);
    let now = Seconds(2);
    let keys: Vec<String> = (0..20_000).map(|n| format!("user:{n}")).collect();
    for key in &keys {
        set(store, hash, key, 1);
    }
    store.audit();
    for (n, key) in keys.iter().enumerate() {
        let key = Key { bytes: key.as_bytes(), hash: hash.hash(key.as_bytes()) };
        assert!(store.get(key, now).is_some());
        if n % 100 != 0 {
            assert!(store.delete(key, now));
        }
    }
    store.audit();
    assert_eq!(store.len(), 200);
    assert!(store.usage().index_bytes < 16 << 10, "{} bytes", store.usage().index_bytes);
    for key in keys.iter().step_by(100) {
        let key = Key { bytes: key.as_bytes(), hash: hash.hash(key.as_bytes()) };
        assert!(store.get(key, now).is_some());
    }
}
