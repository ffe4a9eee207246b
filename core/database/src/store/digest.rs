//! One number for the whole content, whatever the order in which it came about.

use super::{Entry, Store, Value};
use storytime_machine::hash::{digest_bytes, fold};

const SEED: u64 = 0x5bd1_e995_9d1b_873c;

impl Store {
    /// The digest of all content: equal for equal keys, values, ends, rows, versions and number
    /// spaces.
    pub fn digest(&self) -> u64 {
        let mut sum = 0u64;
        for (number, db) in self.dbs() {
            let base = fold(SEED, u64::from(number));
            for (key, entry) in db.keys().iter() {
                sum = sum.wrapping_add(of_entry(digest_bytes(base, key), entry));
            }
            for (name, table) in db.tables() {
                let base = digest_bytes(fold(base, 1), name);
                for (&id, owner) in &table.owners {
                    let base = fold(base, id);
                    sum = sum.wrapping_add(fold(fold(base, 2), owner.last_number));
                    for (&item, row) in &owner.rows {
                        let row = digest_bytes(fold(fold(base, item), row.version), &row.value);
                        sum = sum.wrapping_add(row);
                    }
                }
            }
        }
        sum
    }
}

fn of_entry(base: u64, entry: &Entry) -> u64 {
    let base = fold(base, entry.expires_ms);
    match &entry.value {
        Value::String(bytes) => digest_bytes(fold(base, 3), bytes),
        Value::Hash(hash) => unordered(
            hash.iter()
                .map(|(field, value)| digest_bytes(digest_bytes(fold(base, 4), field), value)),
        ),
        Value::List(list) => {
            list.iter().fold(fold(base, 5), |state, value| digest_bytes(state, value))
        }
        Value::Set(set) => {
            unordered(set.iter().map(|(member, ())| digest_bytes(fold(base, 6), member)))
        }
        Value::Sorted(sorted) => unordered(
            sorted
                .scores()
                .iter()
                .map(|(member, score)| fold(digest_bytes(fold(base, 7), member), score.to_bits())),
        ),
    }
}

fn unordered(digests: impl Iterator<Item = u64>) -> u64 {
    digests.fold(0, u64::wrapping_add)
}
