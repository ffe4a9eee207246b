//! Numbers that are counted up and down where they are.

use super::item::{LINE_END, Place, bits};
use super::number::{DIGITS_MAX, Digits, parse_value};
use super::{Cache, ClassCount, Count, Counted, Delta, ItemId, Key, Stored, Verb, Write};
use crate::clock::Seconds;

impl Cache {
    /// Counts a value up or down. Counts hits and misses. A shorter number keeps the length of the
    /// value, padded with spaces.
    pub fn arithmetic(
        &mut self,
        key: Key<'_>,
        delta: Delta,
        compare: Option<u64>,
        version: Option<u64>,
        now: Seconds,
    ) -> Counted {
        self.tick(now);
        let (hit, of_class, miss) = match delta {
            Delta::Incr(_) => (Count::IncrHits, ClassCount::IncrHits, Count::IncrMisses),
            Delta::Decr(_) => (Count::DecrHits, ClassCount::DecrHits, Count::DecrMisses),
        };
        let Some(place) = self.lookup(key) else {
            self.counts.add(miss);
            return Counted::NotFound;
        };
        let Some(value) = self.view(ItemId(place)).value_in_one_piece() else {
            return Counted::NotNumeric;
        };
        let value = &value[..value.len() - LINE_END.len()];
        let value_len = value.len();
        let number = if value_len == 0 { None } else { parse_value(value) };
        if value_len > 0 && compare.is_some_and(|version| !self.version_is(place, version)) {
            return Counted::Exists;
        }
        let Some(number) = number else {
            return Counted::NotNumeric;
        };
        let value = match delta {
            Delta::Incr(by) => number.wrapping_add(by),
            Delta::Decr(by) => number.saturating_sub(by),
        };
        let head = self.heap.head(place);
        let held = head.has(bits::HELD);
        self.count_class(head.class(), hit, of_class);
        let digits = Digits::of(value);
        let digits = digits.as_bytes();
        assert!(digits.len() <= DIGITS_MAX, "a 64-bit number has so many digits at most");
        if digits.len() <= value_len && !held {
            self.overwrite_digits(place, digits, value_len, version);
            return Counted::Number { value, item: ItemId(place) };
        }
        self.replace_number(key, place, digits, version)
            .map_or(Counted::NoMemory, |item| Counted::Number { value, item })
    }

    fn overwrite_digits(
        &mut self,
        place: Place,
        digits: &[u8],
        value_len: usize,
        version: Option<u64>,
    ) {
        let version = self.version_or_next(version);
        let at = self.heap.head(place).value_at();
        let chunk = &mut self.heap.bytes_mut(place)[at..at + value_len];
        chunk[..digits.len()].copy_from_slice(digits);
        chunk[digits.len()..].fill(b' ');
        self.heap.head_mut(place).set_version(version);
        self.refresh(place);
    }

    /// Stores a longer number, or one whose old value somebody reads, as a new item.
    fn replace_number(
        &mut self,
        key: Key<'_>,
        place: Place,
        digits: &[u8],
        version: Option<u64>,
    ) -> Option<ItemId> {
        let view = self.view(ItemId(place));
        let (flags, expires) = (view.flags(), view.expires());
        let write = Write {
            key,
            verb: Verb::Set,
            flags,
            expires,
            compare: None,
            version,
            invalidate: false,
            vivify: None,
        };
        match self.store_quietly(&write, digits) {
            Stored::Stored { .. } => self.index.find(&self.heap, key).map(ItemId),
            _ => None,
        }
    }
}
