//! What a chunk holds: an item, a piece of a large one, or nothing.
//!
//! | at | bytes | of an item | of a piece | of a free chunk |
//! |---|---|---|---|---|
//! | 0 | 4 | next item in its bucket | next piece | |
//! | 4 | 4 | colder item | piece before, or the item | next free chunk |
//! | 8 | 4 | hotter item | the item | free chunk before |
//! | 12 | 4 | when it was last used | bytes of the value in it | |
//! | 16 | 4 | when it dies | | |
//! | 20 | 4 | length of the value | | |
//! | 24 | 8 | version | | |
//! | 32 | 1 | length of the key | | |
//! | 33 | 1 | class and list | | |
//! | 34 | 1 | [bits](bits) | | |
//! | 35 | 1 | [`Kind`] | [`Kind`] | [`Kind`] |
//!
//! Behind it come the key, client flags (4 bytes, if not 0), and the value with its line end; or,
//! in place of the value of a large item, its first and its last piece (4 bytes each).

use crate::clock::Expiry;

/// A place in memory, in units of [`UNIT_BYTES`]: the page, and the offset in it.
pub(super) type Place = u32;
/// No place.
pub(super) const NONE: Place = u32::MAX;
/// Chunks begin at multiples of this many bytes.
pub(super) const UNIT_BYTES: usize = 8;
/// Length of a header, bytes.
pub(super) const HEAD_BYTES: usize = 36;
/// Client flags, bytes.
pub(super) const FLAGS_BYTES: usize = 4;
/// First and last piece of a large item, bytes.
pub(super) const CHAIN_BYTES: usize = 8;
/// What follows every value, stored with it so that a hit is one contiguous piece.
pub(super) const LINE_END: &[u8] = b"\r\n";

/// What is known of an item, one bit each.
pub(super) mod bits {
    /// The index and a list know it.
    pub(in super::super) const LINKED: u8 = 1;
    /// It was read since it was stored.
    pub(in super::super) const FETCHED: u8 = 2;
    /// It was read again.
    pub(in super::super) const ACTIVE: u8 = 4;
    /// See [`View::stale`](super::super::View::stale).
    pub(in super::super) const STALE: u8 = 8;
    /// See [`View::token_won`](super::super::View::token_won).
    pub(in super::super) const WON: u8 = 16;
    /// The value is in pieces.
    pub(in super::super) const CHUNKED: u8 = 32;
    /// It has client flags.
    pub(in super::super) const FLAGGED: u8 = 64;
    /// A reader or a writer holds it: it is not freed.
    pub(in super::super) const HELD: u8 = 128;
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Free,
    Item,
    Piece,
}

/// One of the four lists of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Hot,
    Warm,
    Cold,
    Temp,
}

impl ListKind {
    pub(super) const ALL: [Self; 4] = [Self::Hot, Self::Warm, Self::Cold, Self::Temp];
}

macro_rules! fields {
    ($($get:ident $set:ident $at:literal: $type:ty,)*) => {
        impl Head<'_> {
            $(
                #[inline]
                pub(super) fn $get(&self) -> $type {
                    let bytes = self.0[$at..$at + size_of::<$type>()].try_into();
                    <$type>::from_le_bytes(bytes.expect("the range has the length of the type"))
                }
            )*
        }

        impl HeadMut<'_> {
            $(
                #[inline]
                pub(super) fn $set(&mut self, value: $type) {
                    self.0[$at..$at + size_of::<$type>()].copy_from_slice(&value.to_le_bytes());
                }
            )*
        }
    };
}

fields! {
    chain set_chain 0: u32,
    next set_next 4: u32,
    prev set_prev 8: u32,
    used set_used 12: u32,
    expiry set_expiry 16: u32,
    value_len set_value_len 20: u32,
    version set_version 24: u64,
    key_len set_key_len 32: u8,
    class_and_list set_class_and_list 33: u8,
    bits set_bits 34: u8,
    kind_byte set_kind_byte 35: u8,
}

/// The header at the front of a chunk.
#[derive(Clone, Copy)]
pub(super) struct Head<'a>(pub(super) &'a [u8; HEAD_BYTES]);

/// The same, to be written.
pub(super) struct HeadMut<'a>(pub(super) &'a mut [u8; HEAD_BYTES]);

impl Head<'_> {
    #[inline]
    pub(super) fn kind(&self) -> Kind {
        match self.kind_byte() {
            0 => Kind::Free,
            1 => Kind::Item,
            2 => Kind::Piece,
            other => panic!("a chunk of kind {other}"),
        }
    }

    #[inline]
    pub(super) fn class(&self) -> u8 {
        self.class_and_list() & 63
    }

    #[inline]
    pub(super) fn list(&self) -> ListKind {
        ListKind::ALL[usize::from(self.class_and_list() >> 6)]
    }

    #[inline]
    pub(super) fn has(&self, bit: u8) -> bool {
        self.bits() & bit != 0
    }

    #[inline]
    pub(super) fn expires(&self) -> Expiry {
        Expiry::from_raw(self.expiry())
    }

    /// Where the value, or the chain of its pieces, begins in the chunk.
    #[inline]
    pub(super) fn value_at(&self) -> usize {
        let flags = if self.has(bits::FLAGGED) { FLAGS_BYTES } else { 0 };
        HEAD_BYTES + usize::from(self.key_len()) + flags
    }

    /// Length of the value with its line end.
    #[inline]
    pub(super) fn body_len(&self) -> usize {
        self.value_len() as usize + LINE_END.len()
    }

    /// What the item takes of its chunk or chunks, headers of pieces aside.
    #[inline]
    pub(super) fn item_bytes(&self) -> usize {
        let chain = if self.has(bits::CHUNKED) { CHAIN_BYTES } else { 0 };
        self.value_at() + chain + self.body_len()
    }
}

impl HeadMut<'_> {
    #[inline]
    pub(super) fn read(&self) -> Head<'_> {
        Head(self.0)
    }

    #[inline]
    pub(super) fn set_kind(&mut self, kind: Kind) {
        self.set_kind_byte(kind as u8);
    }

    #[inline]
    pub(super) fn set_list(&mut self, class: u8, list: ListKind) {
        assert!(class < 64, "classes have six bits");
        self.set_class_and_list(class | (list as u8) << 6);
    }

    #[inline]
    pub(super) fn put(&mut self, bit: u8, on: bool) {
        let bits = self.read().bits();
        self.set_bits(if on { bits | bit } else { bits & !bit });
    }
}

/// An item that is to be laid out in a chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'a> {
    pub(super) key: &'a [u8],
    pub(super) flags: u32,
    pub(super) expires: Expiry,
    pub(super) value_len: u32,
    pub(super) class: u8,
    pub(super) chunked: bool,
}

impl Layout<'_> {
    /// Writes header, key and flags to the front of a chunk.
    #[inline]
    pub(super) fn write(&self, chunk: &mut [u8], list: ListKind) {
        let flags = self.flags != 0;
        let (head, rest) = chunk.split_first_chunk_mut().expect("a chunk holds a header");
        let mut head = HeadMut(head);
        head.set_chain(NONE);
        head.set_next(NONE);
        head.set_prev(NONE);
        head.set_used(0);
        head.set_expiry(self.expires.raw());
        head.set_value_len(self.value_len);
        head.set_version(0);
        head.set_key_len(u8::try_from(self.key.len()).expect("keys are shorter than 256 bytes"));
        head.set_list(self.class, list);
        let chunked = if self.chunked { bits::CHUNKED } else { 0 };
        head.set_bits(chunked | if flags { bits::FLAGGED } else { 0 });
        head.set_kind(Kind::Item);
        rest[..self.key.len()].copy_from_slice(self.key);
        if flags {
            let at = self.key.len();
            rest[at..at + FLAGS_BYTES].copy_from_slice(&self.flags.to_le_bytes());
        }
    }
}

/// What an item takes, from its parts, headers of pieces aside.
#[inline]
pub(super) const fn item_bytes(key_len: usize, flags: u32, value_len: usize) -> usize {
    let flags = if flags == 0 { 0 } else { FLAGS_BYTES };
    HEAD_BYTES + key_len + flags + value_len + LINE_END.len()
}

/// A second of the clock of use, which `flush_all` pushes ahead of the server's own.
pub(super) type Stamp = u32;

/// Seconds between two stamps; 0 if the later one comes first.
#[inline]
pub(super) const fn age(now: Stamp, then: Stamp) -> u32 {
    now.saturating_sub(then)
}
