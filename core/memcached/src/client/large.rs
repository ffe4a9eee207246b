//! Large values in pieces: whole, or a miss, never half.
//!
//! The pieces are stored first, under keys that name a generation drawn for this one writing; then
//! the value's own key gets a record that names the generation, the number of pieces, the length
//! and a CRC-32. Readers that see the record find all its pieces or miss: pieces of another
//! generation have other keys. A writing that fails half-way leaves the value before as it was.
//!
//! Pieces of generations that nobody names any more are left to expire or to be evicted. How much a
//! writing may hold at once is bounded by
//! [`unsent_bytes_max`](super::pool::PoolOptions::unsent_bytes_max) of each server.

use super::Client;
use super::key::{Key, KeyBuf};
use super::op::{Op, Store, Verb};
use super::outcome::{Event, NotAccepted, Outcome, Value};
use super::pool::Piece;
use super::pool::frame::number;
use super::request::Whose;
use bytes::{Bytes, BytesMut};
use storytime_machine::Cx;

/// Most pieces of a value.
pub const PIECES_MAX: usize = 1024;
/// Most large values under way at once.
pub const LARGE_MAX: usize = 4096;
/// First bytes of a record that names pieces. No text begins so.
const MARK: &str = "\u{1}pieces";

#[derive(Debug)]
pub(super) struct Large {
    key: KeyBuf,
    tag: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Pieces are being stored.
    WritePieces { left: u32, failed: Option<Outcome>, record: Record, exptime: i32 },
    /// All pieces are stored, the record is being stored.
    WriteRecord,
    /// The record, or a value in one piece, is being read.
    ReadRecord,
    /// Pieces are being read.
    ReadPieces(Record),
}

/// What is stored under the value's own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    generation: u64,
    pieces: u32,
    bytes: u64,
    crc: u32,
    flags: u32,
}

impl Record {
    fn text(&self) -> String {
        format!("{MARK} {} {} {} {}", self.generation, self.pieces, self.bytes, self.crc)
    }

    fn parse(value: &Value) -> Option<Self> {
        let rest = value.data.strip_prefix(MARK.as_bytes())?.strip_prefix(b" ")?;
        let mut words = rest.split(|&b| b == b' ').map(number);
        let (generation, pieces) = (words.next()??, words.next()??);
        let (bytes, crc) = (words.next()??, words.next()??);
        let pieces = u32::try_from(pieces).ok().filter(|&n| n as usize <= PIECES_MAX)?;
        let crc = u32::try_from(crc).ok()?;
        words.next().is_none().then_some(Self {
            generation,
            pieces,
            bytes,
            crc,
            flags: value.flags,
        })
    }

    fn piece_key(&self, key: &[u8], piece: u32) -> Vec<u8> {
        [key, format!(":{:016x}:{piece}", self.generation).as_bytes()].concat()
    }
}

impl Client {
    /// Stores a value of any length up to [`PIECES_MAX`] pieces: ends as `Stored`, or as what the
    /// first piece that was not stored ended.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn set_large<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        value: &Bytes,
        flags: u32,
        exptime: i32,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let key = key.into();
        let piece_bytes = self.options.piece_bytes_max;
        if value.len() <= piece_bytes && !value.starts_with(MARK.as_bytes()) {
            let store = Store { verb: Verb::Set, value: value.into(), flags, exptime };
            return self.store(cx, key, store, tag);
        }
        let pieces = value.len().div_ceil(piece_bytes);
        if pieces > PIECES_MAX {
            return Err(NotAccepted::ValueTooLarge);
        }
        let record = Record {
            generation: cx.rng().u64(),
            pieces: pieces as u32,
            bytes: value.len() as u64,
            crc: crc32fast::hash(value),
            flags,
        };
        self.options.prefix.check(&record.piece_key(key.bytes, record.pieces))?;
        if self.route.is_empty() {
            return Err(NotAccepted::NoServers);
        }
        // One more, until all are asked.
        let stage = Stage::WritePieces { left: record.pieces + 1, failed: None, record, exptime };
        let slot = self.new_large(&key, tag, stage)?;
        let beside = KeyBuf::new(&key);
        for piece in 0..record.pieces {
            let begin = piece as usize * piece_bytes;
            let data = value.slice(begin..value.len().min(begin + piece_bytes));
            let name = record.piece_key(key.bytes, piece);
            let store = Store { verb: Verb::Set, value: data.into(), flags: 0, exptime };
            let op = Op::Store(store);
            if let Err(why) = self.start(cx, &beside.beside(&name), &op, Some(Whose::Large(slot))) {
                self.large_step(cx, slot, Outcome::NotAccepted(why));
            }
        }
        self.large_step(cx, slot, Outcome::Stored);
        Ok(())
    }

    /// Reads a value that [`set_large`](Self::set_large) or an ordinary request stored: ends as
    /// `Hit` or `Miss`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn get_large<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        let key = key.into();
        let slot = self.new_large(&key, tag, Stage::ReadRecord)?;
        let asked = self.start(cx, &key, &Op::Get, Some(Whose::Large(slot)));
        if asked.is_err() {
            self.large[slot as usize] = None;
        }
        asked
    }

    fn new_large(&mut self, key: &Key<'_>, tag: u64, stage: Stage) -> Result<u32, NotAccepted> {
        let free = self.large.iter().position(Option::is_none).unwrap_or(self.large.len());
        if free == LARGE_MAX {
            return Err(NotAccepted::TooManyJobs);
        }
        let large = Large { key: KeyBuf::new(key), tag, stage };
        match self.large.get_mut(free) {
            Some(slot) => *slot = Some(large),
            None => self.large.push(Some(large)),
        }
        Ok(free as u32)
    }

    pub(super) fn large_step(&mut self, cx: &mut Cx, slot: u32, outcome: Outcome) {
        let large = self.large[slot as usize].as_mut().expect("it lives until it ends");
        match &mut large.stage {
            Stage::WritePieces { left, failed, record, exptime } => {
                *left -= 1;
                if outcome != Outcome::Stored && failed.is_none() {
                    *failed = Some(outcome);
                }
                if *left > 0 {
                    return;
                }
                let (record, exptime) = (*record, *exptime);
                match failed.take() {
                    Some(failed) => self.large_ends(slot, failed),
                    None => self.store_record(cx, slot, record, exptime),
                }
            }
            Stage::WriteRecord => self.large_ends(slot, outcome),
            Stage::ReadRecord => {
                let record = match &outcome {
                    Outcome::Hit(value) => Record::parse(value),
                    _ => None,
                };
                match record {
                    Some(record) => self.read_pieces(cx, slot, record),
                    None => self.large_ends(slot, outcome),
                }
            }
            Stage::ReadPieces(record) => {
                let record = *record;
                let Outcome::Many(pieces) = outcome else { unreachable!("pieces are gathered") };
                self.large_ends(slot, whole(&record, pieces));
            }
        }
    }

    fn store_record(&mut self, cx: &mut Cx, slot: u32, record: Record, exptime: i32) {
        let large = self.large[slot as usize].as_mut().expect("it lives until it ends");
        large.stage = Stage::WriteRecord;
        let key = large.key.clone();
        let text = record.text();
        let value = Piece::Copy(text.as_bytes());
        let op = Op::Store(Store { verb: Verb::Set, value, flags: record.flags, exptime });
        if let Err(why) = self.start(cx, &key.key(), &op, Some(Whose::Large(slot))) {
            self.large_ends(slot, Outcome::NotAccepted(why));
        }
    }

    fn read_pieces(&mut self, cx: &mut Cx, slot: u32, record: Record) {
        let large = self.large[slot as usize].as_mut().expect("it lives until it ends");
        large.stage = Stage::ReadPieces(record);
        let key = large.key.clone();
        let names: Vec<Vec<u8>> =
            (0..record.pieces).map(|piece| record.piece_key(&key.bytes, piece)).collect();
        let keys: Vec<Key<'_>> = names.iter().map(|name| key.beside(name)).collect();
        if let Err(why) = self.start_many(cx, &keys, false, Whose::Large(slot)) {
            self.large_ends(slot, Outcome::NotAccepted(why));
        }
    }

    fn large_ends(&mut self, slot: u32, outcome: Outcome) {
        let large = self.large[slot as usize].take().expect("it ends once");
        self.events.push_back(Event { tag: large.tag, outcome });
    }
}

/// The whole value, or why there is none.
fn whole(record: &Record, pieces: Vec<Outcome>) -> Outcome {
    let mut data = BytesMut::new();
    for piece in pieces {
        match piece {
            Outcome::Hit(piece) => data.extend_from_slice(&piece.data),
            Outcome::Failed(why) => return Outcome::Failed(why),
            _ => return Outcome::Miss,
        }
    }
    if data.len() as u64 == record.bytes && crc32fast::hash(&data) == record.crc {
        Outcome::Hit(Value { data: data.freeze(), flags: record.flags, cas: 0 })
    } else {
        Outcome::Miss
    }
}
