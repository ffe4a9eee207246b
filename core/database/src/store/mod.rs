//! The content: databases of keys and of tables, changed by effects alone.
//!
//! | module | holds |
//! |---|---|
//! | [`ahead`] | reading ahead for look-ups |
//! | [`apply`] | what each effect does |
//! | [`dict`] | the map under keys, hashes and sets |
//! | [`value`], [`text`], [`sorted`] | what keys hold |
//! | [`rows`] | tables of rows by owner and item |
//! | [`snapshot`] | the whole content as pieces, while it goes on changing |
//! | `digest` | one number for the whole content |
//!
//! The content knows no clock: whoever reads asks whether an entry has ended.

pub mod ahead;
pub mod apply;
pub mod dict;
mod digest;
mod order;
pub mod rows;
pub mod snapshot;
pub mod sorted;
pub mod text;
pub mod value;

pub use ahead::{AHEAD_MAX, Wanted};
pub use apply::Misfit;
pub use dict::Dict;
pub use rows::{Owner, Row, Table, TableSize};
pub use sorted::{Place, Sorted};
pub use text::Text;
pub use value::{Entry, Value};

use bytes::Bytes;
use snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};

/// What a key costs beside its bytes and those of its value.
pub const KEY_OVERHEAD_BYTES: u64 = 96;
/// What an element of a hash, list or set costs beside its bytes.
pub const ELEMENT_OVERHEAD_BYTES: u64 = 64;
/// What a row costs beside its value.
pub const ROW_OVERHEAD_BYTES: u64 = 64;

/// One numbered database.
#[derive(Debug)]
pub struct Db {
    keys: Dict<Entry>,
    /// Keys with an end, the first to end first.
    ends: BTreeSet<(u64, Bytes)>,
    tables: BTreeMap<Bytes, Table>,
    /// Memory of keys and rows, as accounted.
    bytes: u64,
}

/// The content of all databases.
#[derive(Debug)]
pub struct Store {
    dbs: BTreeMap<u32, Db>,
    /// The last version given to a row.
    last_version: u64,
    /// The secret of every hash.
    secret: u64,
    /// The number of the last snapshot.
    epoch: u32,
    snapshot: Option<Box<Snapshot>>,
}

impl Db {
    const fn new(secret: u64) -> Self {
        Self { keys: Dict::new(secret), ends: BTreeSet::new(), tables: BTreeMap::new(), bytes: 0 }
    }

    /// The keys, ended ones included.
    pub const fn keys(&self) -> &Dict<Entry> {
        &self.keys
    }

    /// The entry of a key that has not ended.
    #[inline]
    pub fn entry(&self, key: &[u8], now_ms: u64) -> Option<&Entry> {
        self.keys.get(key).filter(|entry| !entry.has_ended(now_ms))
    }

    /// How many keys have an end.
    pub fn ending(&self) -> usize {
        self.ends.len()
    }

    /// The first key to end, and when.
    pub fn first_end(&self) -> Option<(u64, &Bytes)> {
        self.ends.first().map(|(at, key)| (*at, key))
    }

    /// Keys that have ended by an instant (ms since 1970), the first to end first.
    pub fn ended_by(&self, now_ms: u64) -> impl Iterator<Item = &Bytes> {
        self.ends.iter().take_while(move |(at, _)| *at <= now_ms).map(|(_, key)| key)
    }

    /// A table.
    pub fn table(&self, name: &[u8]) -> Option<&Table> {
        self.tables.get(name)
    }

    /// All tables, by name.
    pub fn tables(&self) -> impl Iterator<Item = (&Bytes, &Table)> {
        self.tables.iter()
    }

    /// The rows of an owner in a table.
    pub fn owner(&self, table: &[u8], owner: u64) -> Option<&Owner> {
        self.table(table)?.owner(owner)
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tables.is_empty()
    }
}

impl Store {
    /// No content; with the secret of every hash.
    pub const fn new(secret: u64) -> Self {
        Self { dbs: BTreeMap::new(), last_version: 0, secret, epoch: 0, snapshot: None }
    }

    /// A database, if it has content.
    #[inline]
    pub fn db(&self, db: u32) -> Option<&Db> {
        self.dbs.get(&db)
    }

    /// All databases with content.
    pub fn dbs(&self) -> impl Iterator<Item = (u32, &Db)> {
        self.dbs.iter().map(|(&number, db)| (number, db))
    }

    /// The entry of a key that has not ended.
    #[inline]
    pub fn entry(&self, db: u32, key: &[u8], now_ms: u64) -> Option<&Entry> {
        self.db(db)?.entry(key, now_ms)
    }

    /// The version that the next write of a row gets.
    pub const fn next_version(&self) -> u64 {
        self.last_version + 1
    }

    /// Memory of the content, as accounted, bytes.
    pub fn bytes(&self) -> u64 {
        self.dbs.values().map(|db| db.bytes).sum()
    }

    /// The secret of every hash.
    pub const fn secret(&self) -> u64 {
        self.secret
    }

    fn db_mut(&mut self, db: u32) -> &mut Db {
        let secret = self.secret;
        self.dbs.entry(db).or_insert_with(|| Db::new(secret))
    }

    /// Asserts what must hold between calls. Costs time with the number of databases only.
    pub fn invariants(&self) {
        for db in self.dbs.values() {
            assert!(db.ends.len() <= db.keys.len(), "only keys that are there have an end");
        }
    }

    /// Asserts what must hold, looking at everything.
    pub fn audit(&self) {
        self.invariants();
        for db in self.dbs.values() {
            db.keys.invariants();
            let ending = db.keys.iter().filter(|(_, entry)| entry.expires_ms != 0).count();
            assert_eq!(ending, db.ends.len(), "every end is noted once");
            assert!(db.keys.iter().all(|(_, entry)| !entry.value.is_spent()), "nothing is empty");
            db.tables.values().for_each(Table::invariants);
            let keys: u64 = db.keys.iter().map(|(key, entry)| apply::cost(key, entry)).sum();
            let rows = db.tables.values().map(Table::size);
            let rows: u64 = rows.map(|size| size.bytes + size.rows * ROW_OVERHEAD_BYTES).sum();
            assert_eq!(keys + rows, db.bytes, "memory is accounted");
        }
    }
}
