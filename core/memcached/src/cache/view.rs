//! What one item is.

use super::Cache;
use super::index::key_at;
use super::item::{FLAGS_BYTES, HEAD_BYTES, Head, LINE_END, Place, bits};
use crate::clock::{Expiry, Seconds};
use bytes::BytesMut;

/// What one item is.
#[derive(Clone, Copy)]
pub struct View<'a> {
    cache: &'a Cache,
    chunk: &'a [u8],
    place: Place,
}

impl<'a> View<'a> {
    #[inline]
    pub(super) fn new(cache: &'a Cache, place: Place) -> Self {
        Self { cache, chunk: cache.heap.bytes(place), place }
    }

    #[inline]
    fn head(&self) -> Head<'a> {
        Head(self.chunk.first_chunk().expect("a chunk holds a header"))
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        key_at(self.chunk)
    }

    /// Opaque to the server.
    #[inline]
    pub fn flags(&self) -> u32 {
        let head = self.head();
        if !head.has(bits::FLAGGED) {
            return 0;
        }
        let at = HEAD_BYTES + usize::from(head.key_len());
        let bytes = self.chunk[at..at + FLAGS_BYTES].try_into();
        u32::from_le_bytes(bytes.expect("flags have four bytes"))
    }

    /// What `cas` compares; 0 where versions are switched off.
    #[inline]
    pub fn version(&self) -> u64 {
        if self.cache.options.versions { self.head().version() } else { 0 }
    }

    /// When it dies.
    pub fn expires(&self) -> Expiry {
        self.head().expires()
    }

    /// When it was last used, as exactly as the LRU keeps it.
    pub fn accessed(&self) -> Seconds {
        self.cache.flush.seconds(self.head().used())
    }

    /// Whether it was read since it was stored.
    pub fn fetched(&self) -> bool {
        self.head().has(bits::FETCHED)
    }

    /// Length of the value without its line end, bytes.
    #[inline]
    pub fn value_len(&self) -> usize {
        self.head().value_len() as usize
    }

    /// What it takes of its chunk or chunks, bytes.
    pub fn item_bytes(&self) -> usize {
        self.head().item_bytes()
    }

    /// Slab class.
    pub fn class(&self) -> u8 {
        self.head().class()
    }

    /// `md … I` or `ms … I` marked it.
    pub fn stale(&self) -> bool {
        self.head().has(bits::STALE)
    }

    /// Somebody was told to fetch it anew.
    pub fn token_won(&self) -> bool {
        self.head().has(bits::WON)
    }

    /// The value with its line end, where it is in one piece.
    #[inline]
    pub fn value_in_one_piece(&self) -> Option<&'a [u8]> {
        let head = self.head();
        let at = head.value_at();
        (!head.has(bits::CHUNKED)).then(|| &self.chunk[at..at + head.body_len()])
    }

    /// Appends the value, then `\r\n` if asked, to a buffer.
    #[inline]
    pub fn copy_value(&self, line_end: bool, into: &mut BytesMut) {
        let left_out = if line_end { 0 } else { LINE_END.len() };
        if let Some(body) = self.value_in_one_piece() {
            into.extend_from_slice(&body[..body.len() - left_out]);
            return;
        }
        let len = self.head().body_len() - left_out;
        let copied = self.cache.copy_body(self.place, 0, len, into);
        assert_eq!(copied, len, "a stored value is whole");
    }
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("View")
            .field("key", &self.key())
            .field("value_len", &self.value_len())
            .field("class", &self.class())
            .finish_non_exhaustive()
    }
}
