//! The whole content as pieces, while it goes on changing.
//!
//! A snapshot is the content at the instant at which it began. It walks through keys and rows in
//! pieces; what an effect is about to change before the walk has come to it is kept: written at
//! once, and taken first. Whoever takes pieces more slowly than the content changes makes it keep
//! more than it may; then it is overrun, keeps nothing, and has to be begun again.
//!
//! Pieces are records, whose effects make the content from nothing: whoever restores applies them.

use super::{Db, Owner, Store, Value};
use crate::record::{Effect, End, RecordWriter};
use bytes::Bytes;
use std::collections::VecDeque;

/// A piece is closed behind the effect with which it passes this, bytes.
pub const PIECE_BYTES: usize = 256 << 10;

/// A snapshot under way.
#[derive(Debug)]
pub struct Snapshot {
    /// Where the walk is.
    walk: Walk,
    /// Databases that were flushed before the walk came to them, or while it was there, and their
    /// bytes.
    flushed: Vec<(u32, Db)>,
    flushed_bytes: u64,
    /// The number of this snapshot.
    epoch: u32,
    /// What the walk came to.
    walked: Pieces,
    /// What was about to change.
    kept: Pieces,
    /// When it keeps so much, the next change is one too many.
    kept_bytes_max: u64,
}

#[derive(Debug)]
enum Walk {
    /// Keys of this database and those after it; the walk goes from the last place to the first.
    Keys { db: u32, below: usize },
    /// Rows of this database behind this table and owner.
    Rows { db: u32, after: Option<(Bytes, u64)> },
    /// Nothing is left but what was kept and written.
    Over,
    /// It was given up: too much was changed.
    Overrun,
}

/// Pieces that are written and not taken.
#[derive(Debug, Default)]
struct Pieces {
    whole: VecDeque<Bytes>,
    whole_bytes: u64,
    writer: RecordWriter,
}

impl Pieces {
    fn push(&mut self, db: u32, effect: &Effect<'_>) {
        if self.writer.bytes().is_empty() {
            self.writer.begin(0, 0);
        }
        self.writer.push(db, effect);
        if self.writer.bytes().len() >= PIECE_BYTES {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.writer.bytes().is_empty() && !self.writer.is_empty() {
            self.whole.push_back(Bytes::copy_from_slice(self.writer.bytes()));
            self.whole_bytes += self.writer.bytes().len() as u64;
        }
        self.writer.begin(0, 0);
    }

    fn take(&mut self) -> Option<Bytes> {
        let piece = self.whole.pop_front()?;
        self.whole_bytes -= piece.len() as u64;
        Some(piece)
    }

    fn bytes(&self) -> u64 {
        let written = if self.writer.is_empty() { 0 } else { self.writer.bytes().len() as u64 };
        self.whole_bytes + written
    }

    fn key(&mut self, db: u32, key: &[u8], value: &Value, expires_ms: u64) {
        match value {
            Value::String(value) => {
                return self.push(db, &Effect::StringSet { key, value, expires_ms });
            }
            Value::Hash(hash) => hash.iter().for_each(|(field, value)| {
                self.push(db, &Effect::HashSet { key, field, value });
            }),
            Value::List(list) => list.iter().for_each(|value| {
                self.push(db, &Effect::ListPush { key, end: End::Tail, value });
            }),
            Value::Set(set) => set.iter().for_each(|(member, ())| {
                self.push(db, &Effect::SetAdd { key, member });
            }),
            Value::Sorted(sorted) => sorted.scores().iter().for_each(|(member, &score)| {
                self.push(db, &Effect::SortedAdd { key, member, score });
            }),
        }
        if expires_ms != 0 {
            self.push(db, &Effect::Expire { key, at_ms: expires_ms });
        }
    }

    fn owner(&mut self, db: u32, table: &[u8], owner: u64, rows: &Owner) {
        if rows.last_number != 0 {
            self.push(db, &Effect::Number { table, owner, last: rows.last_number });
        }
        for (&item, row) in &rows.rows {
            let (version, value) = (row.version, &row.value[..]);
            self.push(db, &Effect::RowPut { table, owner, item, version, value });
        }
    }
}

impl Snapshot {
    fn new(walk: Walk, epoch: u32, kept_bytes_max: u64) -> Self {
        Self {
            walk,
            flushed: Vec::new(),
            flushed_bytes: 0,
            epoch,
            walked: Pieces::default(),
            kept: Pieces::default(),
            kept_bytes_max,
        }
    }

    /// A database was flushed: what of it is not written yet is kept.
    pub(super) fn keep(&mut self, number: u32, db: Db) {
        if self.has_room(db.bytes) {
            self.flushed_bytes += db.bytes;
            self.flushed.push((number, db));
        }
    }

    /// Whether something may be kept that takes at least so many bytes.
    fn has_room(&mut self, bytes: u64) -> bool {
        if matches!(self.walk, Walk::Overrun) {
            return false;
        }
        let room = self.kept_bytes().saturating_add(bytes) < self.kept_bytes_max;
        if !room {
            *self = Self::new(Walk::Overrun, self.epoch, self.kept_bytes_max);
        }
        room
    }

    /// Bytes of what was about to change and is not taken.
    fn kept_bytes(&self) -> u64 {
        self.kept.bytes() + self.flushed_bytes
    }
}

impl Store {
    /// Begins a snapshot of the content as it is now. One at a time: an unfinished one is given up.
    /// It is overrun by the change before which it keeps `kept_bytes_max` bytes or more.
    pub fn begin_snapshot(&mut self, kept_bytes_max: u64) {
        self.epoch += 1;
        let walk = match self.dbs.first_key_value() {
            Some((&db, content)) => Walk::Keys { db, below: content.keys.len() },
            None => Walk::Over,
        };
        let mut snapshot = Snapshot::new(walk, self.epoch, kept_bytes_max);
        snapshot.walked.push(0, &Effect::Versions { last: self.last_version });
        self.snapshot = Some(Box::new(snapshot));
    }

    /// Whether a snapshot is under way, or overrun and not given up.
    pub const fn has_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Whether the snapshot is overrun: it has no further pieces and is to be given up.
    pub fn is_snapshot_overrun(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| matches!(snapshot.walk, Walk::Overrun))
    }

    /// Bytes of pieces that the snapshot holds: what it keeps, and what of the walk is not taken.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshot.as_ref().map_or(0, |of| of.kept_bytes() + of.walked.bytes())
    }

    /// Gives the snapshot up.
    pub fn abandon_snapshot(&mut self) {
        self.snapshot = None;
    }

    /// The next piece of the snapshot; `None` behind the last, and the snapshot is over.
    ///
    /// # Panics
    /// If it is overrun.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        assert!(!self.is_snapshot_overrun(), "what is overrun is given up");
        let mut snapshot = self.snapshot.take()?;
        let piece = loop {
            if snapshot.kept.whole.is_empty() {
                snapshot.kept.close();
            }
            if let Some(piece) = snapshot.kept.take().or_else(|| snapshot.walked.take()) {
                break piece;
            }
            if let Some((number, db)) = snapshot.flushed.pop() {
                snapshot.flushed_bytes -= db.bytes;
                snapshot.write_rest(number, db);
            } else if !matches!(snapshot.walk, Walk::Over) {
                self.step(&mut snapshot);
            } else {
                snapshot.walked.close();
                break snapshot.walked.take()?;
            }
        };
        self.snapshot = Some(snapshot);
        Some(piece)
    }

    /// One key or owner further.
    fn step(&mut self, snapshot: &mut Snapshot) {
        let epoch = snapshot.epoch;
        match &mut snapshot.walk {
            Walk::Keys { db, below } => {
                let number = *db;
                let keys = self.dbs.get_mut(&number).map(|db| &mut db.keys);
                let len = keys.as_ref().map_or(0, |keys| keys.len());
                *below = (*below).min(len);
                let Some(keys) = keys.filter(|_| *below > 0) else {
                    snapshot.walk = Walk::Rows { db: number, after: None };
                    return;
                };
                *below -= 1;
                let (key, entry) = keys.at_mut(*below);
                if entry.epoch != epoch {
                    entry.epoch = epoch;
                    snapshot.walked.key(number, key, &entry.value, entry.expires_ms);
                }
            }
            Walk::Rows { db, after } => {
                let number = *db;
                match self.next_owner(number, after.take()) {
                    Some((table, id)) => {
                        let found = self.owner_mut(number, &table, id);
                        let owner = found.expect("it was found just now");
                        if owner.epoch != epoch {
                            owner.epoch = epoch;
                            snapshot.walked.owner(number, &table, id, owner);
                        }
                        *after = Some((table, id));
                    }
                    None => {
                        let next = self.dbs.range(number.saturating_add(1)..).next();
                        snapshot.walk = match next {
                            Some((&db, content)) if db > number => {
                                Walk::Keys { db, below: content.keys.len() }
                            }
                            _ => Walk::Over,
                        };
                    }
                }
            }
            Walk::Over | Walk::Overrun => {}
        }
    }

    fn owner_mut(&mut self, db: u32, table: &[u8], owner: u64) -> Option<&mut Owner> {
        self.dbs.get_mut(&db)?.tables.get_mut(table)?.owners.get_mut(&owner)
    }

    /// The first table and owner behind one.
    fn next_owner(&self, db: u32, after: Option<(Bytes, u64)>) -> Option<(Bytes, u64)> {
        let tables = &self.dbs.get(&db)?.tables;
        let Some((name, owner)) = after else {
            return first_owner(tables.iter());
        };
        if let (Some(table), Some(from)) = (tables.get(&name), owner.checked_add(1))
            && let Some((&id, _)) = table.owners.range(from..).next()
        {
            return Some((name, id));
        }
        use core::ops::Bound::{Excluded, Unbounded};
        first_owner(tables.range((Excluded(name), Unbounded)))
    }

    /// Writes what an effect is about to change, unless the snapshot has it.
    pub(super) fn preserve(&mut self, db: u32, effect: &Effect<'_>) {
        let Some(mut snapshot) = self.snapshot.take() else { return };
        match *effect {
            Effect::Rename { key, to } => {
                self.preserve_key(&mut snapshot, db, key);
                self.preserve_key(&mut snapshot, db, to);
            }
            Effect::RowPut { table, owner, .. }
            | Effect::RowDelete { table, owner, .. }
            | Effect::RowDrop { table, owner }
            | Effect::Number { table, owner, .. } => {
                self.preserve_owner(&mut snapshot, db, table, owner);
            }
            Effect::RowDropAll { owner } => {
                let tables = self.dbs.get(&db).map(|db| db.tables.keys().cloned().collect());
                let tables: Vec<Bytes> = tables.unwrap_or_default();
                for table in tables {
                    self.preserve_owner(&mut snapshot, db, &table, owner);
                }
            }
            _ => {
                if let Some(key) = effect.key() {
                    self.preserve_key(&mut snapshot, db, key);
                }
            }
        }
        self.snapshot = Some(snapshot);
    }

    fn preserve_key(&mut self, snapshot: &mut Snapshot, number: u32, key: &[u8]) {
        let Some(db) = self.dbs.get_mut(&number) else { return };
        if let Some(entry) = db.keys.get_mut(key)
            && entry.epoch != snapshot.epoch
            && snapshot.has_room(0)
        {
            entry.epoch = snapshot.epoch;
            snapshot.kept.key(number, key, &entry.value, entry.expires_ms);
        }
    }

    fn preserve_owner(&mut self, snapshot: &mut Snapshot, db: u32, table: &[u8], id: u64) {
        if let Some(owner) = self.owner_mut(db, table, id)
            && owner.epoch != snapshot.epoch
            && snapshot.has_room(0)
        {
            owner.epoch = snapshot.epoch;
            snapshot.kept.owner(db, table, id, owner);
        }
    }
}

fn first_owner<'a>(
    mut tables: impl Iterator<Item = (&'a Bytes, &'a super::Table)>,
) -> Option<(Bytes, u64)> {
    tables
        .find_map(|(name, table)| table.owners.first_key_value().map(|(&id, _)| (name.clone(), id)))
}

impl Snapshot {
    /// Writes what of a flushed database is not written yet.
    fn write_rest(&mut self, number: u32, db: Db) {
        for (key, entry) in db.keys.iter().filter(|(_, entry)| entry.epoch != self.epoch) {
            self.kept.key(number, key, &entry.value, entry.expires_ms);
        }
        for (name, table) in &db.tables {
            for (&id, owner) in table.owners.iter().filter(|(_, o)| o.epoch != self.epoch) {
                self.kept.owner(number, name, id, owner);
            }
        }
    }
}
