//! Values of items: in the item's own chunk, or, for large ones, in a chain of pieces.
//!
//! Pieces are taken as a value grows, each as large as what is missing, up to the largest chunk; so
//! the last one is of a fitting class.

use super::item::{CHAIN_BYTES, HEAD_BYTES, Kind, NONE, Place, bits};
use super::{Cache, Refused};
use bytes::BytesMut;

/// A piece goes into a free chunk of so many classes, its own the first, before room is made for
/// it: pieces have no order of use of their own, so their chunks would lie idle.
const CLASSES_NEAR: usize = 5;

/// First and last piece of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chain {
    first: Place,
    last: Place,
}

impl Cache {
    fn chain(&self, item: Place) -> Chain {
        let at = self.heap.head(item).value_at();
        let bytes = &self.heap.bytes(item)[at..at + CHAIN_BYTES];
        let word = |at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().expect("a place has four bytes"))
        };
        Chain { first: word(0), last: word(4) }
    }

    fn set_chain(&mut self, item: Place, chain: Chain) {
        let at = self.heap.head(item).value_at();
        let bytes = &mut self.heap.bytes_mut(item)[at..at + CHAIN_BYTES];
        bytes[..4].copy_from_slice(&chain.first.to_le_bytes());
        bytes[4..].copy_from_slice(&chain.last.to_le_bytes());
    }

    /// Makes an item's chain of pieces an empty one.
    pub(super) fn begin_pieces(&mut self, item: Place) {
        self.set_chain(item, Chain { first: NONE, last: NONE });
    }

    /// Appends to the value of an item that is being filled; `missing` counts the bytes still to
    /// come, these and the line end included, and `filled` those before. The item is held.
    pub(super) fn extend(
        &mut self,
        slot: u32,
        filled: usize,
        mut missing: usize,
        mut bytes: &[u8],
    ) -> Result<(), Refused> {
        let item = self.holds.place(slot);
        if !self.heap.head(item).has(bits::CHUNKED) {
            let at = self.heap.head(item).value_at() + filled;
            self.heap.bytes_mut(item)[at..at + bytes.len()].copy_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            let (piece, used, room) = self.open_piece(slot, missing)?;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            let at = HEAD_BYTES + used;
            self.heap.bytes_mut(piece)[at..at + now.len()].copy_from_slice(now);
            self.heap.head_mut(piece).set_used((used + now.len()) as u32);
            (bytes, missing) = (later, missing - now.len());
        }
        Ok(())
    }

    /// Appends `bytes` bytes from another held item's value, from `from_at`, in the same way.
    pub(super) fn extend_from(
        &mut self,
        slot: u32,
        mut filled: usize,
        mut missing: usize,
        source: u32,
        bytes: usize,
    ) -> Result<(), Refused> {
        let mut from_at = 0;
        while from_at < bytes {
            let chunked = self.heap.head(self.holds.place(slot)).has(bits::CHUNKED);
            let (to, to_at, room) = if chunked {
                let (piece, used, room) = self.open_piece(slot, missing)?;
                self.heap.head_mut(piece).set_used(used as u32);
                (piece, HEAD_BYTES + used, room)
            } else {
                let item = self.holds.place(slot);
                (item, self.heap.head(item).value_at() + filled, bytes - from_at)
            };
            // Taking a piece may have moved the source, so it is looked up each time.
            let (from, at, there) = self.segment(self.holds.place(source), from_at);
            let copied = room.min(there).min(bytes - from_at);
            self.heap.copy(from, at, to, to_at, copied);
            if chunked {
                let used = self.heap.head(to).used() + copied as u32;
                self.heap.head_mut(to).set_used(used);
            }
            (from_at, filled, missing) = (from_at + copied, filled + copied, missing - copied);
        }
        Ok(())
    }

    /// The last piece of an item that is being filled if it has room, or a new one: the piece, the
    /// bytes in it, and its room.
    fn open_piece(&mut self, slot: u32, missing: usize) -> Result<(Place, usize, usize), Refused> {
        let last = self.chain(self.holds.place(slot)).last;
        if last != NONE {
            let used = self.heap.head(last).used() as usize;
            let room = self.heap.chunk_bytes(last) - HEAD_BYTES - used;
            if room > 0 {
                return Ok((last, used, room));
            }
        }
        let largest = self.heap.chunk_bytes_max();
        let bytes = (HEAD_BYTES + missing).min(largest);
        let class = self.heap.class_of(bytes).expect("the largest chunk is in a class");
        let near = (class..=self.heap.classes()).take(CLASSES_NEAR);
        let free = near.fold(None, |free, class| free.or_else(|| self.heap.take(class)));
        let piece = free.or_else(|| self.allocate(class)).ok_or(Refused::NoMemory)?;
        self.append_piece(self.holds.place(slot), piece);
        Ok((piece, 0, self.heap.chunk_bytes(piece) - HEAD_BYTES))
    }

    fn append_piece(&mut self, item: Place, piece: Place) {
        let chain = self.chain(item);
        let class = self.heap.chunk_class(piece);
        let mut head = self.heap.head_mut(piece);
        Self::clear_head(&mut head);
        head.set_kind(Kind::Piece);
        head.set_prev(item);
        head.set_list(class, super::item::ListKind::Hot);
        if chain.last == NONE {
            head.set_next(item);
            self.set_chain(item, Chain { first: piece, last: piece });
        } else {
            head.set_next(chain.last);
            self.heap.head_mut(chain.last).set_chain(piece);
            self.set_chain(item, Chain { first: chain.first, last: piece });
        }
    }

    /// The item that a piece belongs to.
    pub(super) fn owner(&self, piece: Place) -> Place {
        self.heap.head(piece).prev()
    }

    /// A piece was copied to another place.
    pub(super) fn piece_moved(&mut self, from: Place, to: Place) {
        let head = self.heap.head(to);
        let (item, before, after) = (head.prev(), head.next(), head.chain());
        let mut chain = self.chain(item);
        if chain.first == from {
            chain.first = to;
        } else {
            self.heap.head_mut(before).set_chain(to);
        }
        if chain.last == from {
            chain.last = to;
        } else {
            self.heap.head_mut(after).set_next(to);
        }
        self.set_chain(item, chain);
    }

    /// A large item was moved, or its pieces were given to another: they learn whose they are.
    pub(super) fn pieces_follow(&mut self, item: Place) {
        let chain = self.chain(item);
        let mut at = chain.first;
        if at != NONE {
            self.heap.head_mut(at).set_next(item);
        }
        while at != NONE {
            let mut head = self.heap.head_mut(at);
            head.set_prev(item);
            at = head.read().chain();
        }
    }

    pub(super) fn free_pieces(&mut self, item: Place) {
        let mut at = self.chain(item).first;
        while at != NONE {
            let after = self.heap.head(at).chain();
            self.heap.give(at);
            at = after;
        }
    }

    /// Where the byte `at` of a value is: the chunk, the offset in it, and how many follow there.
    fn segment(&self, item: Place, mut at: usize) -> (Place, usize, usize) {
        let head = self.heap.head(item);
        if !head.has(bits::CHUNKED) {
            return (item, head.value_at() + at, head.body_len() - at);
        }
        let mut piece = self.chain(item).first;
        loop {
            assert_ne!(piece, NONE, "a value is as long as its header says");
            let head = self.heap.head(piece);
            let used = head.used() as usize;
            if at < used {
                return (piece, HEAD_BYTES + at, used - at);
            }
            at -= used;
            piece = head.chain();
        }
    }

    /// Appends up to `bytes_max` bytes of a value with line end, from `at`; returns how many.
    pub(super) fn copy_body(
        &self,
        item: Place,
        at: usize,
        bytes_max: usize,
        into: &mut BytesMut,
    ) -> usize {
        let body = self.heap.head(item).body_len();
        let bytes = bytes_max.min(body.saturating_sub(at));
        if bytes == 0 {
            return 0;
        }
        let (mut chunk, mut from, mut there) = self.segment(item, at);
        let mut copied = 0;
        loop {
            let now = there.min(bytes - copied);
            into.extend_from_slice(&self.heap.bytes(chunk)[from..from + now]);
            copied += now;
            if copied == bytes {
                return bytes;
            }
            chunk = self.heap.head(chunk).chain();
            (from, there) = (HEAD_BYTES, self.heap.head(chunk).used() as usize);
        }
    }

    /// Asserts that a large item's pieces are its own and hold its value; returns how many.
    pub(super) fn audit_pieces(&self, item: Place) -> u64 {
        let head = self.heap.head(item);
        let chain = self.chain(item);
        let (mut at, mut before, mut bytes, mut pieces) = (chain.first, item, 0, 0);
        while at != NONE {
            let piece = self.heap.head(at);
            assert_eq!((piece.kind(), piece.prev(), piece.next()), (Kind::Piece, item, before));
            bytes += piece.used() as usize;
            (before, at, pieces) = (at, piece.chain(), pieces + 1);
        }
        let last = if before == item { NONE } else { before };
        assert_eq!(chain.last, last, "the last piece is known");
        assert!(bytes <= head.body_len(), "a value is no longer than its header says");
        assert!(bytes == head.body_len() || !head.has(bits::LINKED), "a stored value is whole");
        pieces
    }
}
