//! Reading ahead for look-ups, so that those of a run of requests do not each wait for memory.
//!
//! An entry is several reads from memory away: the index, the entry, its key, its value. In a large
//! database each misses the processor's caches, and one look-up after the other waits for all of
//! them. Here the same step is taken for many keys before the next step is taken for any, so that
//! the waits overlap. It changes nothing but time: what is not there costs a wasted read.

use super::{Db, Dict, Store, Value};
use core::hint::black_box;

/// Most look-ups that are read for together.
pub const AHEAD_MAX: usize = 32;

/// What a request will look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The field or member, if the key holds a collection.
    pub element: Option<&'a [u8]>,
}

impl Store {
    /// Reads what looking up the first [`AHEAD_MAX`] of these will read.
    pub fn read_ahead(&self, db: u32, wanted: &[Wanted<'_>]) {
        let wanted = &wanted[..wanted.len().min(AHEAD_MAX)];
        if let Some(db) = self.db(db) {
            read(&db.keys, wanted.iter().map(|wanted| wanted.key), |entry| match &entry.value {
                Value::String(string) => string.first().copied(),
                _ => None,
            });
            wanted.chunk_by(|a, b| a.key == b.key).for_each(|of_key| read_elements(db, of_key));
        }
    }
}

/// The same for elements of what one key holds.
fn read_elements(db: &Db, wanted: &[Wanted<'_>]) {
    let elements = wanted.iter().filter_map(|wanted| wanted.element);
    if elements.clone().next().is_none() {
        return;
    }
    match db.keys.get(wanted[0].key).map(|entry| &entry.value) {
        Some(Value::Hash(hash)) => read(hash, elements, |value| value.first().copied()),
        Some(Value::Set(set)) => read(set, elements, |()| None),
        Some(Value::Sorted(sorted)) => read(sorted.scores(), elements, |_| None),
        _ => {}
    }
}

fn read<'a, V>(
    dict: &Dict<V>,
    keys: impl Iterator<Item = &'a [u8]>,
    first: impl Fn(&V) -> Option<u8>,
) {
    let mut places = [0; AHEAD_MAX];
    let mut found = 0;
    for place in keys.filter_map(|key| dict.likely_place(key)) {
        places[found] = place;
        found += 1;
    }
    let places = &places[..found];
    // Entries first, then what they point at: within each round no read waits for another.
    black_box(places.iter().fold(0, |sum, &place| sum ^ dict.at(place).0.len()));
    let bytes = |&place: &usize| {
        let (key, value) = dict.at(place);
        key.first().copied().unwrap_or(0) ^ first(value).unwrap_or(0)
    };
    black_box(places.iter().fold(0, |sum, place| sum ^ bytes(place)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Effect;

    #[test]
    fn whatever_is_wanted_the_content_is_as_it_was() {
        let mut store = Store::new(7);
        let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        for name in names.iter().map(String::as_bytes) {
            let all = [
                Effect::StringSet { key: name, value: name, expires_ms: 0 },
                Effect::HashSet { key: b"hash", field: name, value: name },
                Effect::SetAdd { key: b"set", member: name },
                Effect::SortedAdd { key: b"sorted", member: name, score: 1.0 },
            ];
            all.iter().for_each(|effect| store.apply(0, effect).unwrap());
        }
        let before = store.digest();
        for key in [&b"hash"[..], b"set", b"sorted", b"5", b"none"] {
            let of = |name| Wanted { key, element: Some(name) };
            let wanted: Vec<_> = names.iter().map(|name| of(name.as_bytes())).collect();
            store.read_ahead(0, &wanted);
            store.read_ahead(0, &[Wanted { key, element: None }]);
            store.read_ahead(1, &wanted);
        }
        store.read_ahead(0, &[]);
        assert_eq!(store.digest(), before);
        store.audit();
    }
}
