//! What was read and written, for whoever waits for it.
//!
//! A reply waits until what it tells is durable: a write's until its record is, a read's until the
//! last record is that changed what it saw. Nobody sees what a power cut could take back. The
//! records are remembered in a table by hash; a collision makes a reply wait for a little longer
//! than it must, which is no harm.

use crate::record::Effect;
use bytes::Bytes;
use std::collections::BTreeMap;
use storytime_journal::Lsn;
use storytime_machine::Conn;
use storytime_machine::hash::{digest_bytes, fold};

/// Places in the table of last writes.
const PLACES: usize = 1 << 12;

/// A page that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The hash of what lies there.
    pub hash: u64,
    /// Whether it is written.
    pub write: bool,
}

/// What was read and written.
#[derive(Debug)]
pub struct Marks {
    /// The last record that changed what hashes to a place.
    last: Box<[Lsn]>,
    /// The last record that changed everything.
    floor: Lsn,
    /// The last record at all.
    newest: Lsn,
    /// Places that the request under way changed.
    written: Vec<usize>,
    wrote_all: bool,
    /// The last record that the request under way saw.
    seen: Lsn,
    /// Keys that connections watch.
    watched: BTreeMap<(u32, Bytes), Vec<Conn>>,
    /// Connections whose transaction has failed by what the request under way changed.
    broken: Vec<Conn>,
    /// Rows on a page, if pages are modelled.
    pub(crate) page_rows: Option<u64>,
    /// Pages that the request under way needs.
    pub(crate) touches: Vec<Touch>,
}

impl Marks {
    /// Nothing yet; with the rows on a page, if pages are modelled.
    pub fn new(page_rows: Option<u64>) -> Self {
        Self {
            last: vec![Lsn(0); PLACES].into_boxed_slice(),
            floor: Lsn(0),
            newest: Lsn(0),
            written: Vec::new(),
            wrote_all: false,
            seen: Lsn(0),
            watched: BTreeMap::new(),
            broken: Vec::new(),
            page_rows,
            touches: Vec::new(),
        }
    }
}

const fn place(hash: u64) -> usize {
    (hash >> 32) as usize % PLACES
}

fn key_hash(db: u32, key: &[u8]) -> u64 {
    digest_bytes(u64::from(db), key)
}

fn owner_hash(db: u32, owner: u64) -> u64 {
    fold(fold(!u64::from(db), owner), owner)
}

impl Marks {
    /// A request begins.
    pub fn begin(&mut self) {
        self.written.clear();
        self.touches.clear();
        (self.wrote_all, self.seen) = (false, Lsn(0));
    }

    /// The request looks at a key.
    #[inline]
    pub fn read_key(&mut self, db: u32, key: &[u8]) {
        self.see(place(key_hash(db, key)));
    }

    /// The request looks at rows or numbers of an owner.
    pub fn read_owner(&mut self, db: u32, owner: u64) {
        self.see(place(owner_hash(db, owner)));
    }

    /// The request looks at everything.
    pub fn read_all(&mut self) {
        self.seen = self.newest;
    }

    fn see(&mut self, place: usize) {
        self.seen = self.seen.max(self.last[place]).max(self.floor);
    }

    /// The request needs the page of a row.
    pub fn touch_row(&mut self, db: u32, table: &[u8], owner: u64, item: u64, write: bool) {
        if let Some(rows) = self.page_rows {
            let base = fold(digest_bytes(u64::from(db), table), owner);
            self.touch(fold(base, item / rows), write);
        }
    }

    /// The request needs the page of a key.
    pub fn touch_key(&mut self, db: u32, key: &[u8], write: bool) {
        if self.page_rows.is_some() {
            self.touch(key_hash(db, key), write);
        }
    }

    fn touch(&mut self, hash: u64, write: bool) {
        let touch = Touch { hash, write };
        if self.touches.last() != Some(&touch) {
            self.touches.push(touch);
        }
    }

    /// The request, or a record from elsewhere, changes something.
    pub fn wrote(&mut self, db: u32, effect: &Effect<'_>) {
        match *effect {
            Effect::Rename { key, to } => {
                self.wrote_key(db, key);
                self.wrote_key(db, to);
            }
            Effect::Flush | Effect::Versions { .. } => self.wrote_database(db),
            _ => {
                if let Some(key) = effect.key() {
                    self.wrote_key(db, key);
                } else if let Some(owner) = effect.owner() {
                    self.written.push(place(owner_hash(db, owner)));
                }
            }
        }
        self.touch_effect(db, effect);
    }

    /// Something is changed, or will be: the pages that it needs.
    pub fn touch_effect(&mut self, db: u32, effect: &Effect<'_>) {
        match *effect {
            Effect::RowPut { table, owner, item, .. }
            | Effect::RowDelete { table, owner, item } => {
                self.touch_row(db, table, owner, item, true);
            }
            Effect::Rename { key, to } => {
                self.touch_key(db, key, true);
                self.touch_key(db, to, true);
            }
            _ => {
                if let Some(key) = effect.key() {
                    self.touch_key(db, key, true);
                }
            }
        }
    }

    fn wrote_key(&mut self, db: u32, key: &[u8]) {
        self.written.push(place(key_hash(db, key)));
        if !self.watched.is_empty()
            && let Some(conns) = self.watched.get(&(db, Bytes::copy_from_slice(key)))
        {
            self.broken.extend_from_slice(conns);
        }
    }

    fn wrote_database(&mut self, number: u32) {
        self.wrote_all = true;
        let of_db = self.watched.iter().filter(|((db, _), _)| *db == number);
        self.broken.extend(of_db.flat_map(|(_, conns)| conns));
    }

    /// The record of what the request changed has this number.
    pub fn recorded(&mut self, lsn: Lsn) {
        assert!(lsn > self.newest, "numbers of records grow");
        self.newest = lsn;
        for place in self.written.drain(..) {
            self.last[place] = lsn;
        }
        if self.wrote_all {
            self.floor = lsn;
        }
        self.seen = lsn;
    }

    /// Recovery is over: everything up to this record is durable.
    pub fn recovered(&mut self, last: Lsn) {
        assert!(last >= self.newest, "recovery comes first");
        self.newest = last;
        self.broken.clear();
        self.begin();
    }

    /// The content is another one from here on, which stands at this record.
    pub fn reset(&mut self, at: Lsn) {
        let watched = core::mem::take(&mut self.watched);
        let broken = watched.into_values().flatten().chain(core::mem::take(&mut self.broken));
        *self = Self { newest: at, broken: broken.collect(), ..Self::new(self.page_rows) };
    }

    /// The record that has to be durable before the request's reply leaves.
    pub const fn seen(&self) -> Lsn {
        self.seen
    }

    /// A connection watches a key from now on.
    pub fn watch(&mut self, db: u32, key: Bytes, conn: Conn) {
        let conns = self.watched.entry((db, key)).or_default();
        if !conns.contains(&conn) {
            conns.push(conn);
        }
    }

    /// A connection watches a key no longer.
    pub fn unwatch(&mut self, db: u32, key: Bytes, conn: Conn) {
        let at = (db, key);
        if let Some(conns) = self.watched.get_mut(&at) {
            conns.retain(|&watcher| watcher != conn);
            if conns.is_empty() {
                self.watched.remove(&at);
            }
        }
    }

    /// A connection whose watched key has changed since the last call.
    pub fn next_broken(&mut self) -> Option<Conn> {
        self.broken.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_waits_for_the_last_change_of_what_it_sees_and_for_no_other() {
        let mut marks = Marks::new(None);
        marks.begin();
        marks.wrote(0, &Effect::Delete { key: b"a" });
        marks.recorded(Lsn(7));
        marks.begin();
        marks.wrote(0, &Effect::RowDropAll { owner: 5 });
        marks.recorded(Lsn(8));
        let mut seen = |look: &dyn Fn(&mut Marks)| {
            marks.begin();
            look(&mut marks);
            marks.seen()
        };
        assert_eq!(seen(&|marks| marks.read_key(0, b"a")), Lsn(7));
        assert_eq!(seen(&|marks| marks.read_key(0, b"b")), Lsn(0));
        assert_eq!(seen(&|marks| marks.read_key(1, b"a")), Lsn(0));
        assert_eq!(seen(&|marks| marks.read_owner(0, 5)), Lsn(8));
        assert_eq!(seen(&|marks| marks.read_owner(0, 6)), Lsn(0));
        assert_eq!(seen(&Marks::read_all), Lsn(8));
        marks.begin();
        marks.wrote(3, &Effect::Flush);
        marks.recorded(Lsn(9));
        marks.begin();
        marks.read_key(0, b"b");
        assert_eq!(marks.seen(), Lsn(9));
    }
}
