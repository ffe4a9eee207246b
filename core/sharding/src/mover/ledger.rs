//! What a mover remembers of the two copies while it compares them: for every row which version was
//! read on the old shard, and the digest of what the new shard holds.
//!
//! It is memory only. A successor makes its own, with a scan of digests on both sides.

use super::request::{Listed, Trouble};
use bytes::Bytes;
use std::collections::BTreeMap;

/// One row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
struct Entry {
    /// The version on the old shard that the new shard's row was made from, if that is known.
    source: Option<u64>,
    /// Digest of the row on the new shard, if it has one.
    dest: Option<u64>,
}

/// What has to be done so that a page of the new shard is as that of the old one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Differences {
    /// To be read there and written here.
    pub(crate) fetch: Vec<u64>,
    /// To be deleted here.
    pub(crate) delete: Vec<u64>,
}

/// The rows of one user.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Ledger {
    tables: BTreeMap<Bytes, BTreeMap<u64, Entry>>,
    rows: usize,
}

impl Ledger {
    /// Tables that either side was seen to have.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Bytes> {
        self.tables.keys()
    }

    /// Makes sure that the table is among them.
    pub(crate) fn note_table(&mut self, table: &Bytes) {
        if !self.tables.contains_key(table) {
            self.tables.insert(table.clone(), BTreeMap::new());
        }
    }

    fn entry(&mut self, table: &Bytes, item: u64, rows_max: usize) -> Result<&mut Entry, Trouble> {
        self.note_table(table);
        let rows = self.tables.get_mut(table).expect("it was just made sure of");
        if !rows.contains_key(&item) {
            if self.rows >= rows_max {
                return Err(Trouble::TooManyRows);
            }
            self.rows += 1;
        }
        Ok(rows.entry(item).or_default())
    }

    /// Items of a page that is the answer to "above `after`": all up to the last item, or to the
    /// end of the table where the page is empty.
    fn covered(&self, table: &Bytes, after: Option<u64>, page: &[Listed]) -> Vec<(u64, Entry)> {
        let Some(rows) = self.tables.get(table) else { return Vec::new() };
        let low = match after {
            None => 0,
            Some(u64::MAX) => return Vec::new(),
            Some(item) => item + 1,
        };
        let high = page.last().map_or(u64::MAX, |last| last.item);
        rows.range(low..=high).map(|(item, entry)| (*item, *entry)).collect()
    }

    /// Takes a page of the new shard for what it holds. Returns whether that was known exactly.
    pub(crate) fn dest_page(
        &mut self,
        table: &Bytes,
        after: Option<u64>,
        page: &[Listed],
        rows_max: usize,
    ) -> Result<bool, Trouble> {
        let mut as_known = true;
        for (item, entry) in self.covered(table, after, page) {
            let found = page.binary_search_by_key(&item, |listed| listed.item).is_ok();
            if entry.dest.is_some() && !found {
                as_known = false;
                *self.entry(table, item, rows_max)? = Entry::default();
            }
        }
        for listed in page {
            let entry = self.entry(table, listed.item, rows_max)?;
            if entry.dest != Some(listed.hash) {
                as_known = false;
                *entry = Entry { source: None, dest: Some(listed.hash) };
            }
        }
        Ok(as_known)
    }

    /// Compares a page of the old shard. With `same_form`, a row of equal digest is a row that
    /// need not be copied.
    pub(crate) fn source_page(
        &mut self,
        table: &Bytes,
        after: Option<u64>,
        page: &[Listed],
        same_form: bool,
        rows_max: usize,
    ) -> Result<Differences, Trouble> {
        let mut differences = Differences::default();
        for (item, entry) in self.covered(table, after, page) {
            let found = page.binary_search_by_key(&item, |listed| listed.item).is_ok();
            if entry.dest.is_some() && !found {
                differences.delete.push(item);
            }
        }
        for listed in page {
            let entry = self.entry(table, listed.item, rows_max)?;
            if same_form && entry.dest == Some(listed.hash) {
                entry.source = Some(listed.version);
            } else if entry.source != Some(listed.version) || entry.dest.is_none() {
                differences.fetch.push(listed.item);
            }
        }
        Ok(differences)
    }

    /// The new shard has this row now, made from this version.
    pub(crate) fn stored(&mut self, table: &Bytes, item: u64, source: u64, dest: u64) {
        if let Some(entry) = self.tables.get_mut(table).and_then(|rows| rows.get_mut(&item)) {
            *entry = Entry { source: Some(source), dest: Some(dest) };
        }
    }

    /// The new shard does not have this row any more.
    pub(crate) fn deleted(&mut self, table: &Bytes, item: u64) {
        if let Some(rows) = self.tables.get_mut(table)
            && rows.remove(&item).is_some()
        {
            self.rows -= 1;
        }
    }

    /// Bytes held, estimated.
    pub(crate) const fn memory(&self) -> u64 {
        self.rows as u64 * (size_of::<(u64, Entry)>() as u64 + 8)
    }

    pub(crate) fn invariants(&self) {
        let rows: usize = self.tables.values().map(BTreeMap::len).sum();
        assert_eq!(rows, self.rows, "rows are counted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Bytes = Bytes::from_static(b"blog");

    fn listed(item: u64, version: u64, hash: u64) -> Listed {
        Listed { item, version, hash }
    }

    #[test]
    fn only_what_differs_is_copied() {
        let mut ledger = Ledger::default();
        let dest = [listed(1, 90, 11), listed(2, 91, 22), listed(4, 92, 44)];
        assert_eq!(ledger.dest_page(&TABLE, None, &dest, 10), Ok(false));
        let source = [listed(1, 5, 11), listed(2, 6, 23), listed(3, 7, 33)];
        let found = ledger.source_page(&TABLE, None, &source, true, 10).expect("few rows");
        assert_eq!((found.fetch, found.delete), (vec![2, 3], vec![]), "4 lies behind this page");
        let found = ledger.source_page(&TABLE, Some(3), &[], true, 10).expect("few rows");
        assert_eq!((found.fetch, found.delete), (vec![], vec![4]));
        ledger.stored(&TABLE, 2, 6, 23);
        ledger.stored(&TABLE, 3, 7, 33);
        ledger.deleted(&TABLE, 4);
        let found = ledger.source_page(&TABLE, None, &source, true, 10).expect("few rows");
        assert_eq!(found, Differences::default());
        let dest = [listed(1, 90, 11), listed(2, 95, 23), listed(3, 96, 33)];
        assert_eq!(ledger.dest_page(&TABLE, None, &dest, 10), Ok(true));
        ledger.invariants();
    }

    #[test]
    fn rows_in_another_form_are_copied_even_if_their_digests_are_equal() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.dest_page(&TABLE, None, &[listed(1, 90, 11)], 10), Ok(false));
        let source = [listed(1, 5, 11)];
        let found = ledger.source_page(&TABLE, None, &source, false, 10).expect("few rows");
        assert_eq!(found.fetch, vec![1]);
        ledger.stored(&TABLE, 1, 5, 12);
        let found = ledger.source_page(&TABLE, None, &source, false, 10).expect("few rows");
        assert_eq!(found, Differences::default());
    }

    #[test]
    fn a_row_that_the_new_shard_lost_is_noticed_and_copied_again() {
        let mut ledger = Ledger::default();
        let source = [listed(1, 5, 11), listed(2, 6, 22)];
        ledger.source_page(&TABLE, None, &source, true, 10).expect("few rows");
        ledger.stored(&TABLE, 1, 5, 11);
        ledger.stored(&TABLE, 2, 6, 22);
        assert_eq!(ledger.dest_page(&TABLE, None, &[listed(2, 95, 22)], 10), Ok(false));
        let found = ledger.source_page(&TABLE, None, &source, true, 10).expect("few rows");
        assert_eq!(found.fetch, vec![1]);
    }

    #[test]
    fn more_rows_than_allowed_are_refused() {
        let mut ledger = Ledger::default();
        let page: Vec<Listed> = (0..4).map(|item| listed(item, 1, 1)).collect();
        assert_eq!(ledger.dest_page(&TABLE, None, &page, 3), Err(Trouble::TooManyRows));
    }
}
