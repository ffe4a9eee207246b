//! What a command on content works with.

use super::fault::{NO_KEY, TOO_MUCH, WRONG_TYPE};
use super::{Fault, Marks, Numbers};
use crate::record::{Effect, RecordWriter};
use crate::resp::Out;
use crate::store::{Entry, Owner, Row, Store, Text, Value};
use storytime_machine::Rng;

/// What commands keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest string, element or row, bytes.
    pub value_bytes_max: usize,
    /// Most bytes of names that one request takes out of a collection.
    pub taken_bytes_max: usize,
    /// How many databases there are.
    pub databases: u32,
    /// Which row numbers are given out.
    pub numbers: Numbers,
}

/// What a command did, for figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows and keys read.
    pub reads: u64,
    /// Rows and keys written.
    pub writes: u64,
    /// Keys that were looked for and there.
    pub hits: u64,
    /// Keys that were looked for and not there.
    pub misses: u64,
}

/// A command at work: content, what it changes, and where its reply goes.
#[derive(Debug)]
pub struct Exec<'a> {
    /// The content.
    pub store: &'a mut Store,
    /// The effects of this request or transaction.
    pub record: &'a mut RecordWriter,
    /// What was read and written.
    pub marks: &'a mut Marks,
    /// The reply.
    pub out: &'a mut Out,
    /// Chance, for what takes members as they come.
    pub rng: &'a mut Rng,
    /// What was done.
    pub tally: &'a mut Tally,
    /// The database that the connection has selected.
    pub db: u32,
    /// The wall clock, ms since 1970.
    pub now_ms: u64,
    /// What it keeps to.
    pub bounds: Bounds,
}

/// The string that an entry is.
fn string_of(entry: Option<&Entry>) -> Result<Option<&Text>, Fault> {
    match entry.map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::String(string)) => Ok(Some(string)),
        Some(_) => Err(WRONG_TYPE),
    }
}

impl Exec<'_> {
    /// Changes something: applied at once, and part of the record.
    pub fn effect(&mut self, effect: &Effect<'_>) {
        self.effect_in(self.db, effect);
    }

    /// The same, in another database.
    pub fn effect_in(&mut self, db: u32, effect: &Effect<'_>) {
        self.tally.writes += 1;
        Self::change(self.store, self.record, self.marks, db, effect);
    }

    /// The same, for whoever has no request.
    pub fn change(
        store: &mut Store,
        record: &mut RecordWriter,
        marks: &mut Marks,
        db: u32,
        effect: &Effect<'_>,
    ) {
        record.push(db, effect);
        marks.wrote(db, effect);
        let applied = store.apply(db, effect);
        applied.expect("a command looks at the type before it changes a key");
    }

    /// Whether so many bytes that are no words of the request fit into its record.
    ///
    /// # Errors
    /// If they do not: nothing of them may be changed.
    pub fn make_room(&self, bytes: usize) -> Result<(), Fault> {
        let fits = self.record.bytes().len() + bytes <= self.bounds.taken_bytes_max;
        if fits { Ok(()) } else { Err(TOO_MUCH) }
    }

    /// The entry of a key that has not ended.
    pub fn entry(&mut self, key: &[u8]) -> Option<&Entry> {
        self.entry_to_tell(key).0
    }

    /// The same, and where the reply that tells of it goes.
    pub fn entry_to_tell(&mut self, key: &[u8]) -> (Option<&Entry>, &mut Out) {
        self.marks.read_key(self.db, key);
        self.marks.touch_key(self.db, key, false);
        self.tally.reads += 1;
        let found = self.store.entry(self.db, key, self.now_ms);
        match found {
            Some(_) => self.tally.hits += 1,
            None => self.tally.misses += 1,
        }
        (found, self.out)
    }

    /// The entry of a key that is about to change: one that has ended is deleted first.
    pub fn entry_to_change(&mut self, key: &[u8]) -> Option<&Entry> {
        self.drop_ended(key);
        self.entry(key)
    }

    /// Deletes a key that has ended.
    pub fn drop_ended(&mut self, key: &[u8]) {
        let entry = self.store.db(self.db).and_then(|db| db.keys().get(key));
        if entry.is_some_and(|entry| entry.has_ended(self.now_ms)) {
            self.effect(&Effect::Delete { key });
        }
    }

    /// Whether a key is there.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.entry(key).is_some()
    }

    /// The string that a key holds.
    ///
    /// # Errors
    /// If it holds something else.
    pub fn string(&mut self, key: &[u8]) -> Result<Option<&Text>, Fault> {
        string_of(self.entry(key))
    }

    /// Replies with the string that a key holds.
    ///
    /// # Errors
    /// If it holds something else; nothing is written then.
    pub fn tell_string(&mut self, key: &[u8]) -> Result<(), Fault> {
        let (entry, out) = self.entry_to_tell(key);
        out.bulk_or_nil(string_of(entry)?.map(|string| &string[..]));
        Ok(())
    }

    /// The string that a key holds, which is about to change.
    ///
    /// # Errors
    /// If it holds something else.
    pub fn string_to_change(&mut self, key: &[u8]) -> Result<Option<&Text>, Fault> {
        self.drop_ended(key);
        self.string(key)
    }

    /// When a key ends, ms since 1970; 0 if never.
    ///
    /// # Errors
    /// If it is not there.
    pub fn end_of(&mut self, key: &[u8]) -> Result<u64, Fault> {
        self.entry(key).map(|entry| entry.expires_ms).ok_or(NO_KEY)
    }

    /// Gives a key a string, and keeps when it ends.
    pub fn set_keeping_end(&mut self, key: &[u8], value: &[u8]) {
        let entry = self.store.entry(self.db, key, self.now_ms);
        let expires_ms = entry.map_or(0, |entry| entry.expires_ms);
        self.effect(&Effect::StringSet { key, value, expires_ms });
    }

    /// The rows of an owner.
    pub fn owner(&mut self, table: &[u8], owner: u64) -> Option<&Owner> {
        self.marks.read_owner(self.db, owner);
        self.store.db(self.db)?.owner(table, owner)
    }

    /// A row that somebody reads.
    pub fn row(&mut self, table: &[u8], owner: u64, item: u64) -> Option<&Row> {
        self.tally.reads += 1;
        self.row_to_change(table, owner, item)
    }

    /// A row that is about to change: one that is written is not read as well.
    pub fn row_to_change(&mut self, table: &[u8], owner: u64, item: u64) -> Option<&Row> {
        self.marks.touch_row(self.db, table, owner, item, false);
        self.owner(table, owner)?.row(item)
    }
}
