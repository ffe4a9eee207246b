//! What is on the disk: names of files, headers, batches.
//!
//! ```text
//!  segment     ┌────────┬───────────┬────────┬───┬──────────────┐
//!              │ header │ batch     │ batch  │ … │ zeros, ahead │     every piece begins at a
//!              └────────┴───────────┴────────┴───┴──────────────┘     sector's start
//!  batch        header 32 B, then records (length u32, bytes), then zeros up to the sector's end
//! ```
//!
//! Every number is little-endian. The salt is drawn for each segment, so that what an earlier file
//! left in a reused block is never taken for a batch of this one.

use crate::Lsn;
use bytes::{BufMut as _, Bytes, BytesMut};
use storytime_machine::IO_BYTES_MAX;

/// Unit in which a power cut takes or leaves bytes.
pub(crate) const SECTOR_BYTES: usize = 512;
/// Length of a batch's header.
pub(crate) const BATCH_HEADER_BYTES: usize = 32;
/// What a record takes beyond its bytes.
pub(crate) const RECORD_HEADER_BYTES: usize = 4;

const SEGMENT_MAGIC: u64 = u64::from_le_bytes(*b"SJsegmnt");
const CHECKPOINT_MAGIC: u64 = u64::from_le_bytes(*b"SJchckpt");
const BATCH_MAGIC: u32 = u32::from_le_bytes(*b"SJba");
const VERSION: u32 = 1;

/// Suffix of a file that is being written and has no part in the journal yet.
pub(crate) const UNFINISHED: &[u8] = b".tmp";

/// What a file of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Segment,
    Checkpoint,
}

/// A file of the journal, as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    /// Counts resets: files of another epoch belong to another history.
    pub(crate) epoch: u32,
    /// A segment's first record; the last record that a checkpoint stands for.
    pub(crate) lsn: Lsn,
}

impl Name {
    pub(crate) const fn segment(epoch: u32, first: Lsn) -> Self {
        Self { kind: Kind::Segment, epoch, lsn: first }
    }

    pub(crate) const fn checkpoint(epoch: u32, at: Lsn) -> Self {
        Self { kind: Kind::Checkpoint, epoch, lsn: at }
    }

    /// Its text, such as `00000000-00000000000000a1.seg`.
    pub(crate) fn text(self) -> String {
        let suffix = match self.kind {
            Kind::Segment => "seg",
            Kind::Checkpoint => "ckpt",
        };
        format!("{:08x}-{:016x}.{suffix}", self.epoch, self.lsn.0)
    }

    /// The other way round; `None` for any other text.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?;
        let (epoch, rest) = text.split_once('-')?;
        let (lsn, suffix) = rest.split_once('.')?;
        let kind = match suffix {
            "seg" => Kind::Segment,
            "ckpt" => Kind::Checkpoint,
            _ => return None,
        };
        let epoch = u32::from_str_radix(epoch, 16).ok()?;
        let lsn = Lsn(u64::from_str_radix(lsn, 16).ok()?);
        let name = Self { kind, epoch, lsn };
        (name.text() == text).then_some(name)
    }

    /// Its path in the journal's directory.
    pub(crate) fn path(self, dir: &[u8]) -> Bytes {
        path(dir, self.text().as_bytes())
    }

    /// The path under which it is written before it gets its name.
    pub(crate) fn unfinished(self, dir: &[u8]) -> Bytes {
        let mut text = self.text().into_bytes();
        text.extend_from_slice(UNFINISHED);
        path(dir, &text)
    }
}

/// A name in a directory as a path.
pub(crate) fn path(dir: &[u8], name: &[u8]) -> Bytes {
    let mut path = BytesMut::with_capacity(dir.len() + 1 + name.len());
    if !dir.is_empty() {
        path.put_slice(dir);
        path.put_u8(b'/');
    }
    path.put_slice(name);
    path.freeze()
}

/// The first sector of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: Name,
    pub(crate) salt: u64,
    /// Bytes of a segment that were whole when it got its name: damage before that is no torn tail.
    pub(crate) sealed: u64,
}

/// Why a first sector is not what its file's name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// No header, or a damaged one.
    Damaged,
    /// A whole header of another file.
    Foreign,
    /// Written by a newer program.
    Newer,
}

impl Header {
    /// As the file's first sector.
    pub(crate) fn encode(&self, into: &mut BytesMut) {
        let start = into.len();
        let magic = match self.name.kind {
            Kind::Segment => SEGMENT_MAGIC,
            Kind::Checkpoint => CHECKPOINT_MAGIC,
        };
        into.put_u64_le(magic);
        into.put_u32_le(0);
        into.put_u32_le(VERSION);
        into.put_u32_le(self.name.epoch);
        into.put_u32_le(0);
        into.put_u64_le(self.name.lsn.0);
        into.put_u64_le(self.salt);
        into.put_u64_le(self.sealed);
        into.resize(start + SECTOR_BYTES, 0);
        let sum = crc32fast::hash(&into[start + 12..]);
        into[start + 8..start + 12].copy_from_slice(&sum.to_le_bytes());
    }

    /// Reads the first sector of the file called `name`.
    pub(crate) fn decode(name: Name, sector: &[u8]) -> Result<Self, HeaderError> {
        let sector = sector.get(..SECTOR_BYTES).ok_or(HeaderError::Damaged)?;
        if crc32fast::hash(&sector[12..]) != u32_at(sector, 8) {
            return Err(HeaderError::Damaged);
        }
        let kind = match u64_at(sector, 0) {
            SEGMENT_MAGIC => Kind::Segment,
            CHECKPOINT_MAGIC => Kind::Checkpoint,
            _ => return Err(HeaderError::Damaged),
        };
        if u32_at(sector, 12) != VERSION {
            return Err(HeaderError::Newer);
        }
        let found = Name { kind, epoch: u32_at(sector, 16), lsn: Lsn(u64_at(sector, 24)) };
        if found != name {
            return Err(HeaderError::Foreign);
        }
        Ok(Self { name, salt: u64_at(sector, 32), sealed: u64_at(sector, 40) })
    }
}

/// A whole batch found in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) first: Lsn,
    pub(crate) count: u32,
    /// Header and records, without the padding.
    pub(crate) bytes: usize,
}

/// What the bytes at a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// So many bytes from there on would tell.
    Needs(usize),
    /// A whole batch.
    Whole(BatchHeader),
    /// None.
    No,
}

impl BatchHeader {
    /// The next batch begins so far behind this one's start.
    pub(crate) const fn stride(&self) -> u64 {
        padded(self.bytes) as u64
    }

    /// The record behind its last one.
    pub(crate) const fn next(&self) -> Lsn {
        Lsn(self.first.0 + self.count as u64)
    }

    /// What a header claims that was found to be wrong: for the mistake of believing it.
    pub(crate) fn claimed(window: &[u8]) -> Look {
        if window.len() < SECTOR_BYTES || u32_at(window, 0) != BATCH_MAGIC {
            return Look::No;
        }
        let bytes = BATCH_HEADER_BYTES + u32_at(window, 28) as usize;
        let (first, count) = (Lsn(u64_at(window, 16)), u32_at(window, 24));
        if bytes > window.len() { Look::No } else { Look::Whole(Self { first, count, bytes }) }
    }

    /// Looks for a batch at the start of `window`, of a file that goes on for `left` bytes.
    pub(crate) fn look(window: &[u8], left: u64, salt: u64) -> Look {
        if left < BATCH_HEADER_BYTES as u64 {
            return Look::No;
        }
        if window.len() < BATCH_HEADER_BYTES {
            return Look::Needs(BATCH_HEADER_BYTES);
        }
        if u32_at(window, 0) != BATCH_MAGIC || u64_at(window, 8) != salt {
            return Look::No;
        }
        let bytes = BATCH_HEADER_BYTES + u32_at(window, 28) as usize;
        let (first, count) = (Lsn(u64_at(window, 16)), u32_at(window, 24));
        let shortest = count as usize * RECORD_HEADER_BYTES;
        if bytes > IO_BYTES_MAX || bytes as u64 > left {
            return Look::No;
        }
        if bytes - BATCH_HEADER_BYTES < shortest || count == 0 {
            return Look::No;
        }
        if first.0.checked_add(u64::from(count)).is_none() {
            return Look::No;
        }
        if window.len() < bytes {
            return Look::Needs(bytes);
        }
        if crc32fast::hash(&window[8..bytes]) != u32_at(window, 4) {
            return Look::No;
        }
        Look::Whole(Self { first, count, bytes })
    }
}

/// Fills the header of a batch whose records stand behind it.
pub(crate) fn seal(batch: &mut BytesMut, first: Lsn, count: u32, salt: u64) {
    let body = batch.len() - BATCH_HEADER_BYTES;
    batch[..4].copy_from_slice(&BATCH_MAGIC.to_le_bytes());
    batch[8..16].copy_from_slice(&salt.to_le_bytes());
    batch[16..24].copy_from_slice(&first.0.to_le_bytes());
    batch[24..28].copy_from_slice(&count.to_le_bytes());
    batch[28..32].copy_from_slice(&(body as u32).to_le_bytes());
    let sum = crc32fast::hash(&batch[8..]);
    batch[4..8].copy_from_slice(&sum.to_le_bytes());
}

/// Pads a batch to whole sectors, so that the next one touches none of its own.
pub(crate) fn pad(batch: &mut BytesMut) {
    batch.resize(padded(batch.len()), 0);
}

/// The records of a whole batch, in order.
pub(crate) fn records(batch: &Bytes, header: BatchHeader) -> impl Iterator<Item = (Lsn, Bytes)> {
    let mut at = BATCH_HEADER_BYTES;
    (0..u64::from(header.count)).map_while(move |index| {
        // The checksum vouches for the lengths, but not for the program that wrote them.
        let start = at + RECORD_HEADER_BYTES;
        if start > header.bytes {
            return None;
        }
        let end = start + u32_at(batch, at) as usize;
        if end > header.bytes {
            return None;
        }
        at = end;
        Some((Lsn(header.first.0 + index), batch.slice(start..end)))
    })
}

/// What stands before a piece of a checkpoint: its length and checksum.
pub(crate) const PIECE_HEADER_BYTES: usize = 8;
/// In place of a length: the checkpoint ends here.
const END: u32 = u32::MAX;

/// What comes next in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// So many bytes from there on would tell.
    Needs(usize),
    /// A whole piece of this length, behind its header.
    Whole(usize),
    /// The end; everything before it is there.
    End,
    /// None of these.
    No,
}

impl Piece {
    /// Looks at the `index`-th place of a checkpoint.
    pub(crate) fn look(window: &[u8], left: u64, salt: u64, index: u64) -> Self {
        if left < PIECE_HEADER_BYTES as u64 {
            return Self::No;
        }
        if window.len() < PIECE_HEADER_BYTES {
            return Self::Needs(PIECE_HEADER_BYTES);
        }
        let (len, sum) = (u32_at(window, 0), u32_at(window, 4));
        if len == END {
            return if sum == piece_sum(salt, index, b"end") { Self::End } else { Self::No };
        }
        let bytes = PIECE_HEADER_BYTES + len as usize;
        if bytes > IO_BYTES_MAX || bytes as u64 > left {
            return Self::No;
        }
        if window.len() < bytes {
            return Self::Needs(bytes);
        }
        let whole = sum == piece_sum(salt, index, &window[PIECE_HEADER_BYTES..bytes]);
        if whole { Self::Whole(len as usize) } else { Self::No }
    }
}

/// Appends the `index`-th piece of a checkpoint.
pub(crate) fn put_piece(into: &mut BytesMut, salt: u64, index: u64, piece: &[u8]) {
    into.put_u32_le(piece.len() as u32);
    into.put_u32_le(piece_sum(salt, index, piece));
    into.put_slice(piece);
}

/// Appends the end of a checkpoint of `index` pieces.
pub(crate) fn put_end(into: &mut BytesMut, salt: u64, index: u64) {
    into.put_u32_le(END);
    into.put_u32_le(piece_sum(salt, index, b"end"));
}

fn piece_sum(salt: u64, index: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&index.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Rounded up to whole sectors.
pub(crate) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(SECTOR_BYTES)
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(records: &[&[u8]], first: u64, salt: u64) -> Bytes {
        let mut batch = BytesMut::zeroed(BATCH_HEADER_BYTES);
        for record in records {
            batch.put_u32_le(record.len() as u32);
            batch.put_slice(record);
        }
        seal(&mut batch, Lsn(first), records.len() as u32, salt);
        pad(&mut batch);
        batch.freeze()
    }

    #[test]
    fn names_parse_as_they_print_and_nothing_else_does() {
        let name = Name::segment(3, Lsn(0xa1));
        assert_eq!(name.text(), "00000003-00000000000000a1.seg");
        assert_eq!(Name::parse(name.text().as_bytes()), Some(name));
        assert_eq!(name.path(b"j"), &b"j/00000003-00000000000000a1.seg"[..]);
        for bad in ["", "3-a1.seg", "00000003-00000000000000A1.seg", "x.seg", "a-b.tmp"] {
            assert_eq!(Name::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_header_belongs_to_its_file() {
        let name = Name::checkpoint(1, Lsn(9));
        let header = Header { name, salt: 7, sealed: 0 };
        let mut sector = BytesMut::new();
        header.encode(&mut sector);
        assert_eq!(sector.len(), SECTOR_BYTES);
        assert_eq!(Header::decode(name, &sector), Ok(header));
        let other = Name::checkpoint(1, Lsn(8));
        assert_eq!(Header::decode(other, &sector), Err(HeaderError::Foreign));
        assert_eq!(Header::decode(name, &sector[..100]), Err(HeaderError::Damaged));
        sector[511] ^= 1;
        assert_eq!(Header::decode(name, &sector), Err(HeaderError::Damaged));
    }

    #[test]
    fn a_batch_is_whole_or_it_is_none() {
        let bytes = batch(&[b"one", b"", b"three"], 4, 99);
        let left = bytes.len() as u64;
        let Look::Whole(header) = BatchHeader::look(&bytes, left, 99) else { panic!("whole") };
        assert_eq!((header.first, header.next(), header.stride()), (Lsn(4), Lsn(7), 512));
        let got: Vec<_> = records(&bytes, header).map(|(lsn, r)| (lsn.0, r.to_vec())).collect();
        assert_eq!(got, [(4, b"one".to_vec()), (5, b"".to_vec()), (6, b"three".to_vec())]);
        assert_eq!(BatchHeader::look(&bytes, left, 98), Look::No, "another segment's");
        assert_eq!(BatchHeader::look(&bytes[..10], left, 99), Look::Needs(BATCH_HEADER_BYTES));
        assert_eq!(BatchHeader::look(&bytes[..40], left, 99), Look::Needs(header.bytes));
        assert_eq!(BatchHeader::look(&bytes[..40], 40, 99), Look::No, "the file ends in it");
        for bit in 0..header.bytes * 8 {
            let mut hurt = bytes.to_vec();
            hurt[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(BatchHeader::look(&hurt, left, 99), Look::Whole(header), "bit {bit}");
        }
    }
}
