//! What each effect does to the content.
//!
//! Deterministic, and the same for requests, recovery and replication. An effect on a key that
//! holds something of another type is refused: nobody who executes requests makes one, so that it
//! tells of a history that does not belong to this content.

use super::value::{Entry, Value};
use super::{
    Db, Dict, ELEMENT_OVERHEAD_BYTES, KEY_OVERHEAD_BYTES, ROW_OVERHEAD_BYTES, Row, Sorted, Store,
    Table, Text,
};
use crate::record::{Effect, End};
use bytes::Bytes;
use core::fmt;
use std::collections::VecDeque;

/// Longest string that a patch may make, bytes: a bound on what a damaged record could ask for.
const PATCHED_BYTES_MAX: u64 = 64 << 20;

/// An effect that does not fit the content: it belongs to another history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record does not fit the content before it")
    }
}

impl std::error::Error for Misfit {}

/// What an entry costs, bytes.
pub(super) fn cost(key: &Bytes, entry: &Entry) -> u64 {
    let element = |bytes: usize| bytes as u64 + ELEMENT_OVERHEAD_BYTES;
    let value: u64 = match &entry.value {
        Value::String(bytes) => bytes.len() as u64,
        Value::Hash(hash) => hash.iter().map(|(f, v)| element(f.len() + v.len())).sum(),
        Value::List(list) => list.iter().map(|bytes| element(bytes.len())).sum(),
        Value::Set(set) => set.iter().map(|(member, ())| element(member.len())).sum(),
        Value::Sorted(sorted) => sorted.iter().map(|member| element(member.len())).sum(),
    };
    key.len() as u64 + KEY_OVERHEAD_BYTES + value
}

impl Store {
    /// Applies one effect to a database.
    ///
    /// # Errors
    /// If it does not fit the content; nothing has changed then.
    pub fn apply(&mut self, db: u32, effect: &Effect<'_>) -> Result<(), Misfit> {
        if self.snapshot.is_some() {
            self.preserve(db, effect);
        }
        match *effect {
            Effect::Flush => self.flush(db),
            Effect::RowPut { version, .. } => {
                self.last_version = self.last_version.max(version);
                self.apply_row(db, effect);
            }
            Effect::Origin { .. } => {}
            Effect::Versions { last } => self.last_version = self.last_version.max(last),
            Effect::RowDelete { .. }
            | Effect::RowDrop { .. }
            | Effect::RowDropAll { .. }
            | Effect::Number { .. } => self.apply_row(db, effect),
            _ => {
                let (secret, epoch) = (self.secret, self.epoch);
                self.db_mut(db).apply_key(effect, secret, epoch)?;
            }
        }
        if self.dbs.get(&db).is_some_and(Db::is_empty) {
            self.dbs.remove(&db);
        }
        Ok(())
    }

    fn flush(&mut self, db: u32) {
        let old = self.dbs.remove(&db);
        if let (Some(snapshot), Some(old)) = (&mut self.snapshot, old) {
            snapshot.keep(db, old);
        }
    }

    fn apply_row(&mut self, db: u32, effect: &Effect<'_>) {
        let epoch = self.epoch;
        let db = self.db_mut(db);
        match *effect {
            Effect::RowPut { table, owner, item, version, value } => {
                let row = Row { version, value: Bytes::copy_from_slice(value) };
                let table = db.table_mut(table);
                let rows = table.rows;
                let grown = table.put(owner, item, row, epoch);
                let new = (table.rows - rows) * ROW_OVERHEAD_BYTES;
                let bytes = (db.bytes + new).checked_add_signed(grown);
                db.bytes = bytes.expect("a table takes away what it had added");
            }
            Effect::RowDelete { table, owner, item } => db.take_rows(table, owner, Some(item)),
            Effect::RowDrop { table, owner } => db.take_rows(table, owner, None),
            Effect::RowDropAll { owner } => {
                let names: Vec<Bytes> = db.tables.keys().cloned().collect();
                names.iter().for_each(|table| db.take_rows(table, owner, None));
            }
            Effect::Number { table, owner, last } => {
                let new = || super::Owner { epoch, ..super::Owner::default() };
                let owner = db.table_mut(table).owners.entry(owner).or_insert_with(new);
                owner.last_number = owner.last_number.max(last);
            }
            _ => unreachable!("only effects on rows come here"),
        }
    }
}

impl Db {
    fn table_mut(&mut self, name: &[u8]) -> &mut Table {
        if !self.tables.contains_key(name) {
            self.tables.insert(Bytes::copy_from_slice(name), Table::default());
        }
        self.tables.get_mut(name).expect("it was made if it was not there")
    }

    fn take_rows(&mut self, table: &[u8], owner: u64, item: Option<u64>) {
        let Some(found) = self.tables.get_mut(table) else { return };
        let (rows, bytes) = found.take(owner, item);
        if found.owners.is_empty() {
            self.tables.remove(table);
        }
        self.bytes -= bytes + rows * ROW_OVERHEAD_BYTES;
    }

    fn apply_key(&mut self, effect: &Effect<'_>, secret: u64, epoch: u32) -> Result<(), Misfit> {
        match *effect {
            Effect::StringSet { key, value, expires_ms } => {
                let value = Value::String(Text::of(value));
                self.set(key, Entry { value, expires_ms, epoch });
            }
            Effect::StringPatch { key, at, bytes } => self.patch(key, at, bytes, epoch)?,
            Effect::Delete { key } => drop(self.remove(key)),
            Effect::Expire { key, at_ms } => {
                let Self { keys, ends, .. } = self;
                let place = keys.place(key).ok_or(Misfit)?;
                let (key, entry) = keys.at_mut(place);
                if entry.expires_ms != 0 {
                    ends.remove(&(entry.expires_ms, key.clone()));
                }
                entry.expires_ms = at_ms;
                if at_ms != 0 {
                    ends.insert((at_ms, key.clone()));
                }
            }
            Effect::Rename { key, to } => {
                let (_, mut entry) = self.remove(key).ok_or(Misfit)?;
                self.remove(to);
                entry.epoch = epoch;
                self.enter(Bytes::copy_from_slice(to), entry);
            }
            Effect::ListPush { .. } | Effect::ListPop { .. } => self.apply_list(effect, epoch)?,
            _ => self.apply_element(effect, secret, epoch)?,
        }
        Ok(())
    }

    /// Takes a key out, with its end and its cost.
    fn remove(&mut self, key: &[u8]) -> Option<(Bytes, Entry)> {
        let (key, entry) = self.keys.remove(key)?;
        if entry.expires_ms != 0 {
            let there = self.ends.remove(&(entry.expires_ms, key.clone()));
            assert!(there, "every end is noted");
        }
        self.bytes -= cost(&key, &entry);
        Some((key, entry))
    }

    /// Has a key hold something, whatever it held.
    fn set(&mut self, key: &[u8], entry: Entry) {
        let Some(place) = self.keys.place(key) else {
            return self.enter(Bytes::copy_from_slice(key), entry);
        };
        let (key, held) = self.keys.at_mut(place);
        if held.expires_ms != entry.expires_ms {
            if held.expires_ms != 0 {
                let there = self.ends.remove(&(held.expires_ms, key.clone()));
                assert!(there, "every end is noted");
            }
            if entry.expires_ms != 0 {
                self.ends.insert((entry.expires_ms, key.clone()));
            }
        }
        self.bytes = self.bytes - cost(key, held) + cost(key, &entry);
        *held = entry;
    }

    /// Enters a key that is not there.
    fn enter(&mut self, key: Bytes, entry: Entry) {
        self.bytes += cost(&key, &entry);
        if entry.expires_ms != 0 {
            self.ends.insert((entry.expires_ms, key.clone()));
        }
        self.keys.add(key, entry);
    }

    fn patch(&mut self, key: &[u8], at: u64, bytes: &[u8], epoch: u32) -> Result<(), Misfit> {
        let end = at.checked_add(bytes.len() as u64).filter(|&end| end <= PATCHED_BYTES_MAX);
        let end = usize::try_from(end.ok_or(Misfit)?).map_err(|_| Misfit)?;
        let value = self.value_of(key, epoch, || Value::String(Text::default()))?;
        let Value::String(string) = value else { return Err(Misfit) };
        let before = string.len();
        let mut longer = core::mem::take(string).into_mut();
        if longer.len() < end {
            longer.resize(end, 0);
        }
        longer[end - bytes.len()..end].copy_from_slice(bytes);
        *string = longer.freeze().into();
        let grown = string.len() - before;
        self.bytes += grown as u64;
        Ok(())
    }

    /// What a key holds; made if there is no such key.
    fn value_of(
        &mut self,
        key: &[u8],
        epoch: u32,
        make: impl FnOnce() -> Value,
    ) -> Result<&mut Value, Misfit> {
        if self.keys.place(key).is_none() {
            let entry = Entry { value: make(), expires_ms: 0, epoch };
            self.enter(Bytes::copy_from_slice(key), entry);
        }
        Ok(&mut self.keys.get_mut(key).ok_or(Misfit)?.value)
    }

    fn apply_list(&mut self, effect: &Effect<'_>, epoch: u32) -> Result<(), Misfit> {
        match *effect {
            Effect::ListPush { key, end, value } => {
                let new = || Value::List(VecDeque::new());
                let Value::List(list) = self.value_of(key, epoch, new)? else {
                    return Err(Misfit);
                };
                let value = Bytes::copy_from_slice(value);
                let bytes = value.len() as u64 + ELEMENT_OVERHEAD_BYTES;
                match end {
                    End::Head => list.push_front(value),
                    End::Tail => list.push_back(value),
                }
                self.bytes += bytes;
            }
            Effect::ListPop { key, end } => {
                let Some(Value::List(list)) = self.keys.get_mut(key).map(|entry| &mut entry.value)
                else {
                    return Err(Misfit);
                };
                let value = match end {
                    End::Head => list.pop_front(),
                    End::Tail => list.pop_back(),
                };
                let value = value.expect("there is no empty list");
                self.bytes -= value.len() as u64 + ELEMENT_OVERHEAD_BYTES;
                self.drop_spent(key);
            }
            _ => unreachable!("only effects on lists come here"),
        }
        Ok(())
    }

    /// Hashes, sets and sorted sets.
    fn apply_element(
        &mut self,
        effect: &Effect<'_>,
        secret: u64,
        epoch: u32,
    ) -> Result<(), Misfit> {
        let key = effect.key().expect("an effect on an element names its key");
        let taken = matches!(
            effect,
            Effect::HashDelete { .. } | Effect::SetRemove { .. } | Effect::SortedRemove { .. }
        );
        if taken {
            let Some(entry) = self.keys.get_mut(key) else { return Err(Misfit) };
            let bytes = match (&mut entry.value, effect) {
                (Value::Hash(hash), Effect::HashDelete { field, .. }) => {
                    hash.remove(field).map(|(field, value)| field.len() + value.len())
                }
                (Value::Set(set), Effect::SetRemove { member, .. }) => {
                    set.remove(member).map(|(member, ())| member.len())
                }
                (Value::Sorted(sorted), Effect::SortedRemove { member, .. }) => {
                    sorted.remove(member).then_some(member.len())
                }
                _ => return Err(Misfit),
            };
            self.bytes -= bytes.map_or(0, |bytes| bytes as u64 + ELEMENT_OVERHEAD_BYTES);
            self.drop_spent(key);
            return Ok(());
        }
        let new = || match effect {
            Effect::HashSet { .. } => Value::Hash(Dict::new(secret)),
            Effect::SetAdd { .. } => Value::Set(Dict::new(secret)),
            _ => Value::Sorted(Sorted::new(secret)),
        };
        let value = self.value_of(key, epoch, new)?;
        let (added, taken) = add_element(value, effect).ok_or(Misfit)?;
        self.bytes = self.bytes + added - taken;
        Ok(())
    }

    /// Without elements there is no key.
    fn drop_spent(&mut self, key: &[u8]) {
        if self.keys.get(key).is_some_and(|entry| entry.value.is_spent()) {
            self.remove(key);
        }
    }
}

/// Adds an element or changes it; the bytes that it costs and that it cost before. None if the key
/// holds something else.
fn add_element(value: &mut Value, effect: &Effect<'_>) -> Option<(u64, u64)> {
    let (added, taken) = match (value, effect) {
        (Value::Hash(hash), Effect::HashSet { field, value, .. }) => {
            let before = hash.set(field, Text::of(value));
            (field.len() + value.len(), before.map(|before| field.len() + before.len()))
        }
        (Value::Set(set), Effect::SetAdd { member, .. }) => {
            if set.place(member).is_some() {
                return Some((0, 0));
            }
            set.add(Bytes::copy_from_slice(member), ());
            (member.len(), None)
        }
        (Value::Sorted(sorted), Effect::SortedAdd { member, score, .. }) => {
            let new = sorted.add(Bytes::copy_from_slice(member), *score);
            (member.len(), (!new).then_some(member.len()))
        }
        _ => return None,
    };
    let cost = |bytes: usize| bytes as u64 + ELEMENT_OVERHEAD_BYTES;
    Some((cost(added), taken.map_or(0, cost)))
}
