//! One item: a single allocation for key, value and line end, and its entry in the arena.

use crate::clock::Expiry;
use bytes::Bytes;

/// Allocations are handed out in steps of this many bytes.
const MALLOC_STEP_BYTES: usize = 16;
/// What the allocator keeps for itself per allocation, bytes.
const MALLOC_HEADER_BYTES: usize = 8;
/// An item's share of the index, bytes: one slot of four, and slack while the index grows.
const INDEX_SHARE_BYTES: usize = 8;

/// What an item costs beyond its key and value, bytes, before rounding.
pub const ITEM_OVERHEAD_BYTES: usize =
    size_of::<Entry>() + INDEX_SHARE_BYTES + MALLOC_HEADER_BYTES + LINE_END.len();

/// What follows every value, stored with it so that a hit is one contiguous piece.
pub(super) const LINE_END: &[u8] = b"\r\n";

/// What an item costs the process, bytes.
#[inline]
pub const fn item_cost(key_bytes: usize, value_bytes: usize) -> u64 {
    let blob = key_bytes + value_bytes + LINE_END.len() + MALLOC_HEADER_BYTES;
    (size_of::<Entry>() + INDEX_SHARE_BYTES + blob.next_multiple_of(MALLOC_STEP_BYTES)) as u64
}

/// An item that is to be stored.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Key, value and line end, see [`blob`](super::blob).
    pub blob: Bytes,
    /// Length of the key at the front of the blob, bytes.
    pub key_len: u8,
    /// Opaque to the server.
    pub flags: u32,
    /// When it dies.
    pub expires: Expiry,
}

/// A live item that was found.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    blob: &'a Bytes,
    key_len: u8,
    /// As stored.
    pub flags: u32,
    /// The version that `cas` compares; 0 where versions are switched off.
    pub version: u64,
}

/// An item in the arena. A free place has an empty blob.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) blob: Bytes,
    pub(super) hash: u64,
    /// Handed out when it was stored or changed: what `cas` compares and `flush_all` goes by.
    pub(super) version: u64,
    pub(super) flags: u32,
    pub(super) expires: Expiry,
    pub(super) hotter: u32,
    pub(super) colder: u32,
    /// Next item in the same bucket of the index.
    pub(super) chain: u32,
    pub(super) key_len: u8,
    /// Whether it was read since it was stored.
    pub(super) fetched: bool,
    pub(super) live: bool,
}

impl NewItem {
    /// Length of the value without its line end, bytes.
    pub(super) const fn value_len(&self) -> usize {
        self.blob.len() - self.key_len as usize - LINE_END.len()
    }
}

impl<'a> Hit<'a> {
    pub(super) const fn new(entry: &'a Entry, versions: bool) -> Self {
        Self {
            blob: &entry.blob,
            key_len: entry.key_len,
            flags: entry.flags,
            version: if versions { entry.version } else { 0 },
        }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &'a [u8] {
        &self.blob[usize::from(self.key_len)..self.blob.len() - LINE_END.len()]
    }

    /// The value with its line end, as it goes out.
    #[inline]
    pub fn value_with_line_end(&self) -> &'a [u8] {
        &self.blob[usize::from(self.key_len)..]
    }

    /// The same by reference count: the bytes stay as they are, whatever becomes of the item.
    pub fn share_value_with_line_end(&self) -> Bytes {
        self.blob.slice(usize::from(self.key_len)..)
    }
}

impl Entry {
    pub(super) fn new(item: NewItem, hash: u64, version: u64) -> Self {
        assert!(
            item.blob.len() >= usize::from(item.key_len) + LINE_END.len(),
            "a blob holds its key and a line end"
        );
        Self {
            blob: item.blob,
            hash,
            version,
            flags: item.flags,
            expires: item.expires,
            hotter: super::NONE,
            colder: super::NONE,
            chain: super::NONE,
            key_len: item.key_len,
            fetched: false,
            live: true,
        }
    }

    #[inline]
    pub(super) fn key(&self) -> &[u8] {
        &self.blob[..usize::from(self.key_len)]
    }

    #[inline]
    pub(super) fn value(&self) -> &[u8] {
        &self.blob[usize::from(self.key_len)..self.blob.len() - LINE_END.len()]
    }

    #[inline]
    pub(super) const fn value_len(&self) -> usize {
        self.blob.len() - self.key_len as usize - LINE_END.len()
    }

    #[inline]
    pub(super) const fn cost(&self) -> u64 {
        item_cost(self.key_len as usize, self.value_len())
    }
}

const _: () = assert!(size_of::<Entry>() <= 80, "an item's overhead is known and small");
