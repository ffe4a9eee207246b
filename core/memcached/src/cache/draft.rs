//! Values that arrive in pieces, and values that are read while the lock is not held.

use super::item::{LINE_END, ListKind};
use super::{Cache, ClassCount, Count, ItemId, Key, Refused, Stored, Write};
use crate::clock::{Expiry, Seconds};
use bytes::BytesMut;

/// Keeps the bytes of a value as they are until given back with [`Cache::unpin`].
#[derive(Debug)]
pub struct Pin {
    slot: u32,
    len: usize,
}

/// An item that is being filled. Ends in [`Cache::commit`] or [`Cache::abandon`].
#[derive(Debug)]
pub struct Draft {
    pub(super) slot: u32,
    pub(super) value_len: usize,
    missing: usize,
}

impl Pin {
    /// Length of the value with its line end, bytes.
    #[expect(clippy::len_without_is_empty, reason = "a line end is always there")]
    pub const fn len(&self) -> usize {
        self.len
    }
}

impl Draft {
    /// Bytes of the value still to come.
    pub const fn missing(&self) -> usize {
        self.missing
    }
}

impl Cache {
    /// Begins a value that arrives in pieces. Large ones take memory as they grow. Counts a store,
    /// or why there can be none.
    pub fn draft(
        &mut self,
        key: Key<'_>,
        flags: u32,
        value_bytes: u32,
        now: Seconds,
    ) -> Result<Draft, Refused> {
        self.tick(now);
        if !self.fits(key.bytes.len(), flags, u64::from(value_bytes)) {
            self.counts.add(Count::StoreTooLarge);
            return Err(Refused::TooLarge);
        }
        let draft = self.begin(key, flags, value_bytes);
        match &draft {
            Ok(draft) => {
                let class = self.heap.head(self.holds.place(draft.slot)).class();
                self.count_class(class, Count::CmdSet, ClassCount::CmdSet);
            }
            Err(_) => self.counts.add(Count::StoreNoMemory),
        }
        draft
    }

    /// The same, counting nothing.
    pub(super) fn begin(
        &mut self,
        key: Key<'_>,
        flags: u32,
        value_bytes: u32,
    ) -> Result<Draft, Refused> {
        let layout = self.layout(key, flags, Expiry::NEVER, value_bytes);
        let chunk = self.chunk_bytes_for(&layout);
        let class =
            self.heap.class_of(chunk).expect("an item's own chunk is not above the largest");
        self.clear_tail(class);
        let place = self.allocate(class).ok_or(Refused::NoMemory)?;
        layout.write(self.heap.bytes_mut(place), ListKind::Cold);
        if layout.chunked {
            self.begin_pieces(place);
        }
        let slot = self.hold(place).expect("nobody else holds a new item");
        let missing = value_bytes as usize;
        Ok(Draft { slot, value_len: missing, missing })
    }

    /// Adds the next piece, at most what is missing.
    pub fn fill(&mut self, draft: &mut Draft, piece: &[u8], now: Seconds) -> Result<(), Refused> {
        assert!(piece.len() <= draft.missing, "no more is added than is missing");
        self.tick(now);
        let filled = draft.value_len - draft.missing;
        let to_come = draft.missing + LINE_END.len();
        let added = self.extend(draft.slot, filled, to_come, piece);
        if added.is_err() {
            self.counts.add(Count::StoreNoMemory);
        }
        added.map(|()| draft.missing -= piece.len())
    }

    /// Adds bytes of another held value, from its front.
    pub(super) fn fill_from(
        &mut self,
        draft: &mut Draft,
        source: u32,
        bytes: usize,
    ) -> Result<(), Refused> {
        let filled = draft.value_len - draft.missing;
        let to_come = draft.missing + LINE_END.len();
        self.extend_from(draft.slot, filled, to_come, source, bytes)?;
        draft.missing -= bytes;
        Ok(())
    }

    /// Adds the line end.
    pub(super) fn seal(&mut self, draft: &Draft) -> Result<(), Refused> {
        assert_eq!(draft.missing, 0, "a value is stored as a whole");
        self.extend(draft.slot, draft.value_len, LINE_END.len(), LINE_END)
    }

    /// Stores what was filled. The key is that of the draft.
    pub fn commit(&mut self, draft: Draft, write: &Write<'_>, now: Seconds) -> Stored {
        self.tick(now);
        let stored = self.store_draft(draft, write);
        if stored == Stored::NoMemory {
            self.counts.add(Count::StoreNoMemory);
        }
        stored
    }

    /// Gives back what was filled.
    pub fn abandon(&mut self, draft: Draft) {
        let left = self.release(draft.slot);
        assert_eq!(left, None, "a draft is nobody else's");
    }

    /// Keeps a value as it is. `None` if it has too many readers.
    pub fn pin(&mut self, item: ItemId) -> Option<Pin> {
        let len = self.heap.head(item.0).body_len();
        self.hold(item.0).map(|slot| Pin { slot, len })
    }

    /// Appends up to `bytes_max` bytes of a pinned value with line end, from `at`; returns how
    /// many.
    pub fn read(&self, pin: &Pin, at: usize, bytes_max: usize, into: &mut BytesMut) -> usize {
        self.copy_body(self.holds.place(pin.slot), at, bytes_max, into)
    }

    /// Gives a pin back.
    pub fn unpin(&mut self, pin: Pin) {
        self.release(pin.slot);
    }
}
