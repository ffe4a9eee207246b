//! What the protocols do with items.

use super::arena::NONE;
use super::item::{Entry, Hit, LINE_END, NewItem, item_cost};
use super::{Count, Dead, Key, NoMemory, Store, blob};
use crate::cache::number::{DIGITS_MAX, Digits, parse_value};
use crate::clock::{Expiry, Seconds};
use bytes::{Bytes, BytesMut};

/// How an item is to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Whatever was there.
    Set,
    /// Only where nothing is.
    Add,
    /// Only over something.
    Replace,
    /// Behind the value that is there, whose flags and expiry stay.
    Append,
    /// In front of it.
    Prepend,
    /// Only over the version named.
    Cas(u64),
}

/// What became of an item to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is there.
    Stored,
    /// The verb's condition did not hold.
    NotStored,
    /// Another version is there.
    Exists,
    /// Nothing is there to compare with.
    NotFound,
    /// No room could be made.
    NoMemory,
}

/// Counting up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Adds, wrapping at 64 bits.
    Incr(u64),
    /// Subtracts, stopping at 0.
    Decr(u64),
}

/// What became of a value to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// The new number.
    Number(u64),
    /// Nothing is there.
    NotFound,
    /// The value is no number.
    NotNumeric,
    /// No room could be made for a longer number.
    NoMemory,
}

impl Store {
    /// Reads an item.
    #[inline]
    pub fn get(&mut self, key: Key<'_>, now: Seconds) -> Option<Hit<'_>> {
        self.stats.add(Count::CmdGet);
        match self.find_or_dead(key, now) {
            Ok(place) => {
                self.stats.add(Count::GetHits);
                Some(self.hit(place))
            }
            Err(dead) => {
                self.stats.add(Count::GetMisses);
                match dead {
                    Some(Dead::Expired) => self.stats.add(Count::GetExpired),
                    Some(Dead::Flushed) => self.stats.add(Count::GetFlushed),
                    None => {}
                }
                None
            }
        }
    }

    /// Reads an item and gives it a new expiry.
    pub fn get_and_touch(
        &mut self,
        key: Key<'_>,
        expires: Expiry,
        now: Seconds,
    ) -> Option<Hit<'_>> {
        self.stats.add(Count::CmdTouch);
        let Some(place) = self.find(key, now) else {
            self.stats.add(Count::TouchMisses);
            return None;
        };
        self.stats.add(Count::TouchHits);
        self.items.get_mut(place).expires = expires;
        Some(self.hit(place))
    }

    /// Gives an item a new expiry; false if there is none.
    pub fn touch(&mut self, key: Key<'_>, expires: Expiry, now: Seconds) -> bool {
        self.get_and_touch(key, expires, now).is_some()
    }

    #[inline]
    fn hit(&mut self, place: u32) -> Hit<'_> {
        self.lru.touch(&mut self.items, place);
        self.items.get_mut(place).fetched = true;
        Hit::new(self.items.get(place), self.options.versions)
    }

    /// Removes an item; false if there is none.
    pub fn delete(&mut self, key: Key<'_>, now: Seconds) -> bool {
        let found = self.find(key, now);
        if let Some(place) = found {
            self.remove(place);
        }
        self.stats.add(if found.is_some() { Count::DeleteHits } else { Count::DeleteMisses });
        found.is_some()
    }

    /// Removes an item whose replacement was refused, so that nobody reads stale data. Not a delete
    /// command.
    pub fn discard(&mut self, key: Key<'_>, now: Seconds) {
        if let Some(place) = self.find(key, now) {
            self.remove(place);
        }
    }

    /// Stores an item under the verb's condition. The caller has asked whether it
    /// [`fits`](super::StoreOptions::fits); what append and prepend build is asked here.
    pub fn store(&mut self, verb: Verb, key: Key<'_>, item: NewItem, now: Seconds) -> StoreOutcome {
        self.stats.add(Count::CmdSet);
        let found = self.find(key, now);
        let item = match (verb, found) {
            (Verb::Set | Verb::Add, None) | (Verb::Set | Verb::Replace, Some(_)) => item,
            (Verb::Add, Some(old)) => {
                self.lru.touch(&mut self.items, old);
                return StoreOutcome::NotStored;
            }
            (Verb::Replace | Verb::Append | Verb::Prepend, None) => return StoreOutcome::NotStored,
            (Verb::Cas(_), None) => {
                self.stats.add(Count::CasMisses);
                return StoreOutcome::NotFound;
            }
            (Verb::Cas(version), Some(old)) => {
                if !self.options.versions || self.items.get(old).version != version {
                    self.stats.add(Count::CasBadval);
                    return StoreOutcome::Exists;
                }
                self.stats.add(Count::CasHits);
                item
            }
            (Verb::Append | Verb::Prepend, Some(old)) => {
                let joined = joined(self.items.get(old), &item, verb);
                if !self.options.fits(key.bytes.len(), joined.flags, joined.value_len() as u64) {
                    return StoreOutcome::NotStored;
                }
                joined
            }
        };
        match self.put(key, found, item, now) {
            Ok(()) => {
                self.stats.add(Count::TotalItems);
                StoreOutcome::Stored
            }
            Err(NoMemory) => {
                self.stats.add(Count::StoreNoMemory);
                if verb == Verb::Set {
                    self.discard(key, now);
                }
                StoreOutcome::NoMemory
            }
        }
    }

    /// Puts an item in place of `old`, or as a new one.
    fn put(
        &mut self,
        key: Key<'_>,
        old: Option<u32>,
        item: NewItem,
        now: Seconds,
    ) -> Result<(), NoMemory> {
        let cost = item_cost(usize::from(item.key_len), item.value_len());
        let Some(place) = old else {
            self.make_room(cost, NONE, now)?;
            let version = self.next_version();
            self.insert(Entry::new(item, key.hash, version));
            return Ok(());
        };
        self.lru.touch(&mut self.items, place);
        let old_cost = self.items.get(place).cost();
        let more = cost.saturating_sub(old_cost);
        self.make_room(more, place, now)?;
        // Making room may have moved the item to another place.
        let place = self.index.find(&self.items, key).expect("the replaced item is kept");
        let version = self.next_version();
        self.used = self.used - old_cost + cost;
        let entry = self.items.get_mut(place);
        entry.blob = item.blob;
        (entry.flags, entry.expires) = (item.flags, item.expires);
        (entry.version, entry.fetched) = (version, false);
        Ok(())
    }

    /// Counts a stored number up or down. The new number keeps the old one's length, padded with
    /// spaces, where it is shorter.
    pub fn add_delta(&mut self, key: Key<'_>, delta: Arithmetic, now: Seconds) -> DeltaOutcome {
        let (hit, miss) = match delta {
            Arithmetic::Incr(_) => (Count::IncrHits, Count::IncrMisses),
            Arithmetic::Decr(_) => (Count::DecrHits, Count::DecrMisses),
        };
        let Some(place) = self.find(key, now) else {
            self.stats.add(miss);
            return DeltaOutcome::NotFound;
        };
        let Some(number) = parse_value(self.items.get(place).value()) else {
            return DeltaOutcome::NotNumeric;
        };
        let number = match delta {
            Arithmetic::Incr(by) => number.wrapping_add(by),
            Arithmetic::Decr(by) => number.saturating_sub(by),
        };
        self.stats.add(hit);
        let digits = Digits::of(number);
        if digits.as_bytes().len() <= self.items.get(place).value_len() {
            self.overwrite(place, digits.as_bytes());
            return DeltaOutcome::Number(number);
        }
        let old = self.items.get(place);
        let mut value = [0; DIGITS_MAX + LINE_END.len()];
        let len = digits.as_bytes().len();
        value[..len].copy_from_slice(digits.as_bytes());
        value[len..len + LINE_END.len()].copy_from_slice(LINE_END);
        let item = NewItem {
            blob: blob(key.bytes, &value[..len + LINE_END.len()]),
            key_len: old.key_len,
            flags: old.flags,
            expires: old.expires,
        };
        match self.put(key, Some(place), item, now) {
            Ok(()) => DeltaOutcome::Number(number),
            Err(NoMemory) => DeltaOutcome::NoMemory,
        }
    }

    /// Writes digits over the front of a value and spaces over the rest: in place when nobody is
    /// being sent the old value.
    fn overwrite(&mut self, place: u32, digits: &[u8]) {
        let version = self.next_version();
        self.lru.touch(&mut self.items, place);
        let entry = self.items.get_mut(place);
        let key_len = usize::from(entry.key_len);
        let end = entry.blob.len() - LINE_END.len();
        let old = core::mem::take(&mut entry.blob);
        let mut blob = old.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        blob[key_len..key_len + digits.len()].copy_from_slice(digits);
        blob[key_len + digits.len()..end].fill(b' ');
        entry.blob = blob.freeze();
        entry.version = version;
    }
}

/// The old item with the new value behind or in front of its own.
fn joined(old: &Entry, new: &NewItem, verb: Verb) -> NewItem {
    let key_len = usize::from(new.key_len);
    let value = &new.blob[key_len..new.blob.len() - LINE_END.len()];
    let (first, second) =
        if verb == Verb::Append { (old.value(), value) } else { (value, old.value()) };
    let mut blob = Vec::with_capacity(key_len + first.len() + second.len() + LINE_END.len());
    blob.extend_from_slice(old.key());
    blob.extend_from_slice(first);
    blob.extend_from_slice(second);
    blob.extend_from_slice(LINE_END);
    NewItem {
        blob: Bytes::from(blob),
        key_len: new.key_len,
        flags: old.flags,
        expires: old.expires,
    }
}
