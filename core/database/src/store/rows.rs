//! Tables of rows under a composite key: owner and item.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Grows with every write of the row, and is never used again.
    pub version: u64,
    /// Its value.
    pub value: Bytes,
}

/// Rows of one owner in one table.
#[derive(Debug, Default)]
pub struct Owner {
    pub(super) rows: BTreeMap<u64, Row>,
    /// The last number of its number space that was given out.
    pub(super) last_number: u64,
    /// As [`Entry`](super::Entry)'s.
    pub(super) epoch: u32,
}

/// A table.
#[derive(Debug, Default)]
pub struct Table {
    pub(super) owners: BTreeMap<u64, Owner>,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) owners_with_rows: u64,
}

/// How large a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// Owners that have rows.
    pub owners: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of their values.
    pub bytes: u64,
}

impl Owner {
    /// A row.
    pub fn row(&self, item: u64) -> Option<&Row> {
        self.rows.get(&item)
    }

    /// Rows in a range of items, ascending.
    pub fn range(
        &self,
        items: RangeInclusive<u64>,
    ) -> impl DoubleEndedIterator<Item = (u64, &Row)> {
        let empty = items.is_empty();
        let all = if empty { 0..=0 } else { items };
        self.rows.range(all).filter(move |_| !empty).map(|(&item, row)| (item, row))
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The last number of its number space that was given out.
    pub const fn last_number(&self) -> u64 {
        self.last_number
    }
}

impl Table {
    /// An owner's rows.
    pub fn owner(&self, owner: u64) -> Option<&Owner> {
        self.owners.get(&owner)
    }

    /// Owners behind one that have rows, ascending.
    pub fn owners_after(&self, after: Option<u64>) -> impl Iterator<Item = u64> {
        let from = match after {
            None => Some(0),
            Some(after) => after.checked_add(1),
        };
        let range = from.map(|from| self.owners.range(from..));
        range.into_iter().flatten().filter(|(_, owner)| !owner.is_empty()).map(|(&id, _)| id)
    }

    /// How large it is.
    pub const fn size(&self) -> TableSize {
        TableSize { owners: self.owners_with_rows, rows: self.rows, bytes: self.bytes }
    }

    /// Stores a row; the change of the bytes of values.
    pub(super) fn put(&mut self, owner: u64, item: u64, row: Row, epoch: u32) -> i64 {
        let place = self.owners.entry(owner).or_insert_with(|| Owner { epoch, ..Owner::default() });
        let now = row.value.len() as u64;
        let was_empty = place.rows.is_empty();
        let before = place.rows.insert(item, row);
        let was = before.as_ref().map_or(0, |row| row.value.len() as u64);
        self.rows += u64::from(before.is_none());
        self.owners_with_rows += u64::from(was_empty);
        self.bytes = self.bytes - was + now;
        now.cast_signed() - was.cast_signed()
    }

    /// Takes rows out; how many there were and the bytes of their values.
    pub(super) fn take(&mut self, owner: u64, item: Option<u64>) -> (u64, u64) {
        let Some(place) = self.owners.get_mut(&owner) else { return (0, 0) };
        let (rows, bytes) = match item {
            Some(item) => match place.rows.remove(&item) {
                Some(row) => (1, row.value.len() as u64),
                None => (0, 0),
            },
            None => {
                let all = core::mem::take(&mut place.rows);
                (all.len() as u64, all.values().map(|row| row.value.len() as u64).sum())
            }
        };
        if rows > 0 && place.rows.is_empty() {
            self.owners_with_rows -= 1;
        }
        // The number space outlives the rows: numbers are not given out again.
        if place.rows.is_empty() && place.last_number == 0 {
            self.owners.remove(&owner);
        }
        (self.rows, self.bytes) = (self.rows - rows, self.bytes - bytes);
        (rows, bytes)
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        let rows: usize = self.owners.values().map(Owner::len).sum();
        assert_eq!(self.rows, rows as u64, "rows are counted");
        let with = self.owners.values().filter(|owner| !owner.is_empty()).count();
        assert_eq!(self.owners_with_rows, with as u64, "owners with rows are counted");
    }
}
