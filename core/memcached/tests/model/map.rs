//! The model: a plain map, a clock in whole seconds, and a count of what was stored.
//!
//! It knows no protocol. Not modelled: eviction, and how memory is laid out.

use std::collections::BTreeMap;

/// Largest item as the original counts it, bytes.
const ITEM_BYTES_MAX: usize = 1 << 20;
/// What the original adds to key and value: header, version, the ends of both. Bytes.
const OVERHEAD_BYTES: usize = 48 + 8 + 1 + 2;
/// Room for flags that are not 0, bytes.
const FLAGS_BYTES: usize = 4;
/// Longer values are kept in pieces, and are no numbers, whatever they hold. Bytes.
const ONE_PIECE_BYTES_MAX: usize = 520_000;
/// Expiry times up to this many seconds count from now.
const RELATIVE_MAX: i64 = 60 * 60 * 24 * 30;

/// When an item dies, seconds since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dies {
    Never,
    At(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) value: Vec<u8>,
    pub(crate) flags: u32,
    pub(crate) dies: Dies,
    pub(crate) version: u64,
    pub(crate) stale: bool,
    /// Somebody was told to fetch it anew.
    pub(crate) won: bool,
    pub(crate) fetched: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Map {
    items: BTreeMap<Vec<u8>, Item>,
    pub(crate) now: i64,
    /// The date at the start.
    wall: i64,
    next_version: u64,
    flush_due: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Set,
    Add,
    Replace,
    Append,
    Prepend,
}

/// A store as all protocols mean it.
#[derive(Clone, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) verb: Verb,
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) flags: u32,
    pub(crate) dies: Dies,
    pub(crate) compare: Option<u64>,
    /// The version it is to get.
    pub(crate) version: Option<u64>,
    /// An older version to compare with stores the value as stale.
    pub(crate) invalidate: bool,
    /// Joined to nothing it is stored, to die then.
    pub(crate) vivify: Option<Dies>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done { version: u64, bytes: usize },
    NotStored,
    Exists,
    NotFound,
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Number(u64),
    NotFound,
    Exists,
    NotNumeric,
}

impl Map {
    pub(crate) const fn new(wall: i64) -> Self {
        Self { items: BTreeMap::new(), now: 0, wall, next_version: 1, flush_due: None }
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        if self.flush_due.is_some_and(|due| due <= self.now) {
            self.items.clear();
            self.flush_due = None;
        }
    }

    pub(crate) fn flush(&mut self, wire: i64) {
        match self.dies(wire) {
            Dies::At(at) if at > self.now => self.flush_due = Some(at),
            _ => {
                self.items.clear();
                self.flush_due = None;
            }
        }
    }

    /// What an expiry time on the wire means.
    pub(crate) const fn dies(&self, wire: i64) -> Dies {
        match wire {
            0 => Dies::Never,
            ..0 => Dies::At(-1),
            1..=RELATIVE_MAX => Dies::At(self.now + wire),
            date => Dies::At(date - self.wall),
        }
    }

    /// Seconds left, -1 for ever.
    pub(crate) fn ttl(&self, dies: Dies) -> i64 {
        match dies {
            Dies::Never => -1,
            Dies::At(at) => (at - self.now).max(0),
        }
    }

    /// The living item of a key.
    pub(crate) fn live(&mut self, key: &[u8]) -> Option<&mut Item> {
        let now = self.now;
        let dead = |item: &Item| matches!(item.dies, Dies::At(at) if at <= now);
        if self.items.get(key).is_some_and(dead) {
            self.items.remove(key);
        }
        self.items.get_mut(key)
    }

    /// The same, or also one that the command at hand has just put to death.
    pub(crate) fn seen(&mut self, key: &[u8], also_dead: bool) -> Option<&mut Item> {
        if also_dead { self.items.get_mut(key) } else { self.live(key) }
    }

    /// The version of a key's item, 0 for none.
    pub(crate) fn version(&mut self, key: &[u8]) -> u64 {
        self.live(key).map_or(0, |item| item.version)
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.items.remove(key);
    }

    pub(crate) fn version_or_next(&mut self, stated: Option<u64>) -> u64 {
        stated.unwrap_or_else(|| {
            self.next_version += 1;
            self.next_version - 1
        })
    }

    /// Puts an item in place of whatever is there.
    pub(crate) fn put(
        &mut self,
        key: &[u8],
        value: Vec<u8>,
        flags: u32,
        dies: Dies,
        version: Option<u64>,
    ) -> &mut Item {
        let version = self.version_or_next(version);
        let item = Item { value, flags, dies, version, stale: false, won: false, fetched: false };
        self.items.insert(key.to_vec(), item);
        self.items.get_mut(key).expect("it was just put there")
    }

    pub(crate) const fn fits(key: &[u8], flags: u32, value_bytes: usize) -> bool {
        let flags = if flags == 0 { 0 } else { FLAGS_BYTES };
        OVERHEAD_BYTES + flags + key.len() + value_bytes <= ITEM_BYTES_MAX
    }

    pub(crate) fn store(&mut self, write: &Write<'_>) -> Outcome {
        let Write { verb, key, value, flags, dies, compare, version, .. } = *write;
        if !Self::fits(key, flags, value.len()) {
            return Outcome::TooLarge;
        }
        let joins = matches!(verb, Verb::Append | Verb::Prepend);
        let Some(old) = self.live(key).cloned() else {
            return match (verb, compare, write.vivify) {
                (Verb::Set | Verb::Replace, Some(_), _) => Outcome::NotFound,
                (Verb::Append | Verb::Prepend, _, Some(dies)) => {
                    told(self.put(key, value.to_vec(), flags, dies, version))
                }
                (Verb::Set | Verb::Add, ..) => {
                    told(self.put(key, value.to_vec(), flags, dies, version))
                }
                _ => Outcome::NotStored,
            };
        };
        if verb == Verb::Add {
            return Outcome::NotStored;
        }
        if compare.is_some_and(|compare| compare != old.version) {
            let older = compare.is_some_and(|compare| compare < old.version);
            if joins || !(write.invalidate && older) {
                return Outcome::Exists;
            }
            let item = self.put(key, value.to_vec(), flags, old.dies, version);
            (item.stale, item.won) = (true, old.won);
            return told(item);
        }
        if !joins {
            return told(self.put(key, value.to_vec(), flags, dies, version));
        }
        let parts = if verb == Verb::Append { [&old.value, value] } else { [value, &old.value] };
        let joined = parts.concat();
        if !Self::fits(key, old.flags, joined.len()) {
            return Outcome::NotStored;
        }
        told(self.put(key, joined, old.flags, old.dies, version))
    }

    /// Counts. A number that is not longer than the value stays in its place, with spaces behind.
    pub(crate) fn count(
        &mut self,
        key: &[u8],
        up: bool,
        by: u64,
        compare: Option<u64>,
        version: Option<u64>,
    ) -> Counted {
        let Some(old) = self.live(key).cloned() else { return Counted::NotFound };
        if old.value.is_empty() || old.value.len() > ONE_PIECE_BYTES_MAX {
            return Counted::NotNumeric;
        }
        if compare.is_some_and(|compare| compare != old.version) {
            return Counted::Exists;
        }
        let Some(number) = number_of(&old.value) else { return Counted::NotNumeric };
        let number = if up { number.wrapping_add(by) } else { number.saturating_sub(by) };
        let mut digits = number.to_string().into_bytes();
        if digits.len() > old.value.len() {
            self.put(key, digits, old.flags, old.dies, version);
        } else {
            digits.resize(old.value.len(), b' ');
            let version = self.version_or_next(version);
            let item = self.live(key).expect("it was just found");
            (item.value, item.version) = (digits, version);
        }
        Counted::Number(number)
    }
}

const fn told(item: &Item) -> Outcome {
    Outcome::Done { version: item.version, bytes: item.value.len() }
}

/// The number that a value is: of the values that tests store, digits and spaces behind them.
fn number_of(value: &[u8]) -> Option<u64> {
    let text = core::str::from_utf8(value).ok()?;
    // As much as there is up to the first space is the number.
    let digits = text.split(' ').next().expect("a first part is always there");
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}
