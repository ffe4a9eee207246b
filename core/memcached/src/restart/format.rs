//! The layout of the files of a warm restart. All numbers are little-endian.
//!
//! | `.meta`, 64 bytes | |
//! |---|---|
//! | 0..8 | `STORYMC1` |
//! | 8..16 | number of the saving, drawn at random |
//! | 16..24 | items |
//! | 24..32 | length of the file of items, bytes |
//! | 32..40 | highest version given |
//! | 40..44 | `hash_power_level` of `stats` |
//! | 60..64 | CRC-32 of all before |
//!
//! The file of items is a row of blocks: length of the contents, CRC-32 (4 bytes each), contents.
//! The contents of all blocks, one behind the other, are the items:
//!
//! | item | |
//! |---|---|
//! | 0 | length of the key |
//! | 1 | 1 stale, 2 somebody was told to fetch it anew |
//! | 2..6 | length of the value |
//! | 6..10 | flags |
//! | 10..18 | when it dies, seconds since 1970; 0 never |
//! | 18..26 | version |
//! | 26.. | key, then value |

use bytes::{Buf, BufMut, Bytes, BytesMut};

const MAGIC: &[u8; 8] = b"STORYMC1";
/// Length of `.meta`, bytes.
pub(super) const META_BYTES: usize = 64;
/// Length of a block's head, bytes.
pub(super) const BLOCK_HEAD_BYTES: usize = 8;
/// Most contents of a block, bytes.
pub(super) const BLOCK_BYTES_MAX: usize = 1 << 20;
const ITEM_HEAD_BYTES: usize = 26;
const STALE: u8 = 1;
const TOKEN_WON: u8 = 2;

/// What `.meta` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) saving: u64,
    pub(super) items: u64,
    pub(super) file_bytes: u64,
    pub(super) version_max: u64,
    pub(super) index_power: u32,
}

impl Meta {
    pub(super) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(META_BYTES);
        out.put_slice(MAGIC);
        out.put_u64_le(self.saving);
        out.put_u64_le(self.items);
        out.put_u64_le(self.file_bytes);
        out.put_u64_le(self.version_max);
        out.put_u32_le(self.index_power);
        out.put_bytes(0, META_BYTES - 4 - out.len());
        out.put_u32_le(crc32fast::hash(&out));
        out.freeze()
    }

    /// `None` if it is not one of ours, or damaged.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let whole: &[u8; META_BYTES] = bytes.try_into().ok()?;
        let (body, mut crc) = whole.split_at(META_BYTES - 4);
        let mut body =
            body.strip_prefix(MAGIC).filter(|_| crc32fast::hash(body) == crc.get_u32_le())?;
        Some(Self {
            saving: body.get_u64_le(),
            items: body.get_u64_le(),
            file_bytes: body.get_u64_le(),
            version_max: body.get_u64_le(),
            index_power: body.get_u32_le(),
        })
    }
}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) flags: u32,
    /// Seconds since 1970; 0 never.
    pub(super) expires: u64,
    pub(super) version: u64,
    pub(super) stale: bool,
    pub(super) token_won: bool,
}

/// Appends all of an item but its value.
pub(super) fn put_item_head(item: &Item<'_>, value_bytes: u32, out: &mut BytesMut) {
    out.put_u8(u8::try_from(item.key.len()).expect("keys are shorter than 251 bytes"));
    let stale = if item.stale { STALE } else { 0 };
    out.put_u8(stale | if item.token_won { TOKEN_WON } else { 0 });
    out.put_u32_le(value_bytes);
    out.put_u32_le(item.flags);
    out.put_u64_le(item.expires);
    out.put_u64_le(item.version);
    out.put_slice(item.key);
}

/// The item at the front, and its length with its head; `None` if it is not whole yet.
pub(super) fn first_item(bytes: &[u8]) -> Option<(Item<'_>, usize)> {
    let (mut head, rest) = bytes.split_at_checked(ITEM_HEAD_BYTES)?;
    let (key_bytes, marks) = (usize::from(head.get_u8()), head.get_u8());
    let value_bytes = head.get_u32_le() as usize;
    let (flags, expires, version) = (head.get_u32_le(), head.get_u64_le(), head.get_u64_le());
    let (key, rest) = rest.split_at_checked(key_bytes)?;
    let value = rest.get(..value_bytes)?;
    let (stale, token_won) = (marks & STALE != 0, marks & TOKEN_WON != 0);
    let item = Item { key, value, flags, expires, version, stale, token_won };
    Some((item, ITEM_HEAD_BYTES + key_bytes + value_bytes))
}

/// Cuts a block off the front of `contents`, with its head.
pub(super) fn cut_block(contents: &mut BytesMut, saving: u64, number: u64) -> Bytes {
    let body = contents.split_to(contents.len().min(BLOCK_BYTES_MAX));
    let mut block = BytesMut::with_capacity(BLOCK_HEAD_BYTES + body.len());
    block.put_u32_le(u32::try_from(body.len()).expect("bounded above"));
    block.put_u32_le(checksum(&body, saving, number));
    block.put_slice(&body);
    block.freeze()
}

/// A block that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Moves the contents of a block at the front of `file` behind `contents`. Whether there was a
/// whole one.
pub(super) fn take_block(
    file: &mut BytesMut,
    contents: &mut BytesMut,
    saving: u64,
    number: u64,
) -> Result<bool, Damaged> {
    let Some((mut head, rest)) = file.split_at_checked(BLOCK_HEAD_BYTES) else { return Ok(false) };
    let (len, crc) = (head.get_u32_le() as usize, head.get_u32_le());
    if len == 0 || len > BLOCK_BYTES_MAX {
        return Err(Damaged);
    }
    let Some(body) = rest.get(..len) else { return Ok(false) };
    if checksum(body, saving, number) != crc {
        return Err(Damaged);
    }
    contents.extend_from_slice(body);
    file.advance(BLOCK_HEAD_BYTES + len);
    Ok(true)
}

fn checksum(body: &[u8], saving: u64, number: u64) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&saving.to_le_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(body);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META: Meta =
        Meta { saving: 7, items: 1, file_bytes: 50, version_max: 9, index_power: 16 };

    #[test]
    fn a_meta_file_is_known_by_every_byte() {
        let good = META.encode();
        assert_eq!(Meta::decode(&good), Some(META));
        for at in 0..META_BYTES {
            let mut bad = good.to_vec();
            bad[at] ^= 1;
            assert_eq!(Meta::decode(&bad), None, "byte {at}");
        }
        assert_eq!(Meta::decode(b""), None);
        assert_eq!(Meta::decode(&good[..63]), None);
    }

    #[test]
    fn items_come_back_and_blocks_are_known_by_saving_place_and_contents() {
        let item = Item {
            key: b"k",
            value: b"value",
            flags: 5,
            expires: 1_180_000_000,
            version: 9,
            stale: true,
            token_won: false,
        };
        let mut contents = BytesMut::new();
        put_item_head(&item, 5, &mut contents);
        contents.extend_from_slice(item.value);
        let block = cut_block(&mut contents, 7, 0);
        for (saving, number, good) in [(7, 0, true), (8, 0, false), (7, 1, false)] {
            let (mut file, mut out) = (BytesMut::from(&block[..]), BytesMut::new());
            let taken = take_block(&mut file, &mut out, saving, number);
            assert_eq!(taken, if good { Ok(true) } else { Err(Damaged) });
            if good {
                assert_eq!(first_item(&out), Some((item, out.len())));
                assert_eq!(first_item(&out[..out.len() - 1]), None);
            }
        }
        for cut in 0..block.len() {
            let (mut file, mut out) = (BytesMut::from(&block[..cut]), BytesMut::new());
            assert_eq!(take_block(&mut file, &mut out, 7, 0), Ok(false));
        }
        for at in 4..block.len() {
            let mut bad = BytesMut::from(&block[..]);
            bad[at] ^= 1;
            assert_eq!(take_block(&mut bad, &mut BytesMut::new(), 7, 0), Err(Damaged));
        }
    }
}
