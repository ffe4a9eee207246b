//! The content of a sector: it says itself what it is, so that tears, swaps and rot show.
//!
//! | bytes | hold |
//! |---|---|
//! | 0..4 | `DCk1` |
//! | 4..12 | run |
//! | 12..16 | area (0 block, 1 log, 2 name) |
//! | 16..20 | index within the area |
//! | 20..24 | generation |
//! | 24..28 | number of the sector within its cell |
//! | 28..32 | CRC-32 of the rest of the sector |
//! | 32..512 | a pattern derived from the above |
//!
//! Numbers are little-endian.

use crate::step::{Cell, SECTOR_BYTES};
use bytes::BytesMut;
use storytime_machine::hash::fold;

const MAGIC: &[u8; 4] = b"DCk1";
const HEAD_BYTES: usize = 32;
const CRC_AT: usize = 28;
/// How many of a cell's last generations a torn sector is compared with.
const TEAR_GENERATIONS_MAX: u32 = 64;

/// What a sector turned out to hold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Content {
    /// The file ends before it.
    Absent,
    /// Zeros, or content of another run: nothing of this run was ever written here.
    Blank,
    /// The beginning of one generation of this cell and the end of another.
    Torn {
        /// The older of the two; 0 for blank.
        oldest: u32,
    },
    /// This generation of this cell.
    Generation(u32),
    /// Neither zeros nor a valid stamp, or a valid one that belongs elsewhere.
    Corrupt,
}

/// Appends one cell's content: `bytes` long, each sector stamped.
///
/// # Panics
/// If `bytes` is not a whole number of sectors.
pub fn put(into: &mut BytesMut, run: u64, cell: Cell, generation: u32, bytes: usize) {
    assert!(bytes > 0 && bytes.is_multiple_of(SECTOR_BYTES), "cells are whole sectors");
    assert!(generation > 0, "generation 0 is the blank before the first write");
    for part in 0..bytes / SECTOR_BYTES {
        put_sector(into, run, cell, generation, part);
    }
}

fn put_sector(into: &mut BytesMut, run: u64, cell: Cell, generation: u32, part: usize) {
    let start = into.len();
    into.extend_from_slice(&head(run, cell, generation, part as u32));
    let mut word = fold(run, (u64::from(generation) << 32) | part as u64);
    while into.len() < start + SECTOR_BYTES {
        into.extend_from_slice(&word.to_le_bytes());
        word = fold(word, u64::from(cell.index));
    }
    let crc = checksum(&into[start..]);
    into[start + CRC_AT..start + HEAD_BYTES].copy_from_slice(&crc.to_le_bytes());
}

/// Reads one sector of a cell back. `sector` is shorter than a sector where the file ends;
/// `announced` is the newest generation that the cell can hold.
pub fn check(sector: &[u8], run: u64, cell: Cell, part: usize, announced: u32) -> Content {
    if sector.len() < SECTOR_BYTES {
        return Content::Absent;
    }
    if sector.iter().all(|&b| b == 0) {
        return Content::Blank;
    }
    let crc = u32::from_le_bytes(sector[CRC_AT..HEAD_BYTES].try_into().expect("four bytes"));
    if &sector[..4] != MAGIC || crc != checksum(sector) {
        return torn(sector, run, cell, part, announced).unwrap_or(Content::Corrupt);
    }
    let found_run = u64::from_le_bytes(sector[4..12].try_into().expect("eight bytes"));
    if found_run != run {
        return Content::Blank;
    }
    let generation = u32::from_le_bytes(sector[20..24].try_into().expect("four bytes"));
    if sector[..CRC_AT] != head(run, cell, generation, part as u32)[..CRC_AT] {
        return Content::Corrupt;
    }
    Content::Generation(generation)
}

/// Whether the sector begins as one generation and ends as another, or blank.
fn torn(sector: &[u8], run: u64, cell: Cell, part: usize, announced: u32) -> Option<Content> {
    let mut candidate = BytesMut::zeroed(SECTOR_BYTES);
    let (mut front, mut back) = ((0, 0), (0, 0));
    for generation in (announced.saturating_sub(TEAR_GENERATIONS_MAX) + 1..=announced).chain([0]) {
        if generation > 0 {
            candidate.clear();
            put_sector(&mut candidate, run, cell, generation, part);
        } else {
            candidate.fill(0);
        }
        let same = |(a, b): &(&u8, &u8)| a == b;
        let prefix = sector.iter().zip(&candidate[..]).take_while(same).count();
        let suffix = sector.iter().rev().zip(candidate.iter().rev()).take_while(same).count();
        front = front.max((prefix, generation));
        back = back.max((suffix, generation));
    }
    let whole = front.0 + back.0 >= SECTOR_BYTES;
    whole.then_some(Content::Torn { oldest: front.1.min(back.1) })
}

fn head(run: u64, cell: Cell, generation: u32, part: u32) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MAGIC);
    head[4..12].copy_from_slice(&run.to_le_bytes());
    head[12..16].copy_from_slice(&(cell.area.index() as u32).to_le_bytes());
    head[16..20].copy_from_slice(&cell.index.to_le_bytes());
    head[20..24].copy_from_slice(&generation.to_le_bytes());
    head[24..28].copy_from_slice(&part.to_le_bytes());
    head
}

fn checksum(sector: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&sector[..CRC_AT]);
    crc.update(&sector[HEAD_BYTES..]);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Area;

    const CELL: Cell = Cell { area: Area::Blocks, index: 7 };

    fn block() -> BytesMut {
        let mut bytes = BytesMut::new();
        put(&mut bytes, 9, CELL, 3, 2 * SECTOR_BYTES);
        bytes
    }

    #[test]
    fn a_stamped_sector_says_what_it_is() {
        let block = block();
        assert_eq!(block.len(), 2 * SECTOR_BYTES);
        assert_eq!(check(&block[..SECTOR_BYTES], 9, CELL, 0, 3), Content::Generation(3));
        assert_eq!(check(&block[SECTOR_BYTES..], 9, CELL, 1, 3), Content::Generation(3));
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let block = block();
        for bit in 0..SECTOR_BYTES * 8 {
            let mut bad = block[..SECTOR_BYTES].to_vec();
            bad[bit / 8] ^= 1 << (bit % 8);
            let content = check(&bad, 9, CELL, 0, 3);
            // A flip next to an end, or in the generation, can look like a tear right there.
            let seen = matches!(content, Content::Corrupt | Content::Torn { .. });
            assert!(seen, "bit {bit}: {content:?}");
        }
    }

    #[test]
    fn content_of_another_place_is_corrupt_and_of_another_run_blank() {
        let block = block();
        let sector = &block[..SECTOR_BYTES];
        assert_eq!(check(sector, 9, CELL, 1, 3), Content::Corrupt);
        assert_eq!(check(sector, 9, Cell { index: 8, ..CELL }, 0, 3), Content::Corrupt);
        assert_eq!(check(sector, 9, Cell { area: Area::Log, ..CELL }, 0, 3), Content::Corrupt);
        assert_eq!(check(sector, 10, CELL, 0, 3), Content::Blank);
        assert_eq!(check(&[0; SECTOR_BYTES], 9, CELL, 0, 3), Content::Blank);
        assert_eq!(check(&sector[..100], 9, CELL, 0, 3), Content::Absent);
    }

    #[test]
    fn a_tear_at_any_byte_is_told_from_rot() {
        let (mut old, mut new) = (BytesMut::new(), BytesMut::new());
        put(&mut old, 9, CELL, 4, SECTOR_BYTES);
        put(&mut new, 9, CELL, 6, SECTOR_BYTES);
        for (old, oldest) in [(&old[..], 4), (&[0; SECTOR_BYTES][..], 0)] {
            for at in 0..=SECTOR_BYTES {
                let sector = [&new[..at], &old[at..]].concat();
                let content = check(&sector, 9, CELL, 0, 7);
                let torn = Content::Torn { oldest };
                let whole =
                    content == check(&new, 9, CELL, 0, 7) || content == check(old, 9, CELL, 0, 7);
                assert!(content == torn || whole, "byte {at}: {content:?}");
            }
        }
        let middle = [&new[..100], &old[100..200], &new[200..]].concat();
        assert_eq!(check(&middle, 9, CELL, 0, 7), Content::Corrupt);
    }
}
