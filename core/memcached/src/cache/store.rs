//! Storing: the condition of the verb, then the item in place of what was there.

use super::item::{CHAIN_BYTES, HEAD_BYTES, LINE_END, Layout, Place, bits, item_bytes};
use super::{Cache, ClassCount, Count, Deleted, Draft, ItemId, Key, Refused, Stored, Verb, Write};
use crate::clock::{Expiry, Seconds};

/// An item's header in the original, its version, and the NUL behind its key; they decide what is
/// too large. Bytes.
const ORIGINAL_HEAD_BYTES: u64 = 48;
const ORIGINAL_VERSION_BYTES: u64 = 8;
const ORIGINAL_NUL_BYTES: u64 = 1;

/// What the condition of a verb says.
#[derive(Clone, Copy, Debug)]
enum Verdict {
    Refuse(Stored),
    Put(Terms),
    /// Joins the value with that of the old item.
    Join {
        old: Place,
        in_front: bool,
    },
}

/// How an item is put.
#[derive(Clone, Copy, Debug)]
struct Terms {
    expires: Expiry,
    /// Bits that it has from the start.
    bits: u8,
}

impl Cache {
    /// Whether an item may be stored at all, by the rule of the original. Costs and counts nothing.
    #[inline]
    pub const fn fits(&self, key_bytes: usize, flags: u32, value_bytes: u64) -> bool {
        let version = if self.options.versions { ORIGINAL_VERSION_BYTES } else { 0 };
        let flags = if flags == 0 { 0 } else { 4 };
        let head = ORIGINAL_HEAD_BYTES + version + ORIGINAL_NUL_BYTES + flags;
        let body = value_bytes.saturating_add(LINE_END.len() as u64);
        (head + key_bytes as u64).saturating_add(body) <= self.options.item_bytes_max
    }

    /// How an item will be laid out.
    #[inline]
    pub(super) fn layout<'a>(
        &self,
        key: Key<'a>,
        flags: u32,
        expires: Expiry,
        value_len: u32,
    ) -> Layout<'a> {
        let bytes = item_bytes(key.bytes.len(), flags, value_len as usize);
        let class = self.heap.class_of(bytes);
        Layout {
            key: key.bytes,
            flags,
            expires,
            value_len,
            class: class.unwrap_or_else(|| self.heap.classes()),
            chunked: class.is_none(),
        }
    }

    /// What an item takes of its own chunk.
    #[inline]
    pub(super) fn chunk_bytes_for(&self, layout: &Layout<'_>) -> usize {
        if layout.chunked {
            let empty = item_bytes(layout.key.len(), layout.flags, 0) - LINE_END.len();
            assert!(empty >= HEAD_BYTES, "a header is always there");
            return empty + CHAIN_BYTES;
        }
        item_bytes(layout.key.len(), layout.flags, layout.value_len as usize)
    }

    /// Stores a value that is there as a whole (without line end). Counts.
    pub fn store(&mut self, write: &Write<'_>, value: &[u8], now: Seconds) -> Stored {
        self.tick(now);
        if !self.fits(write.key.bytes.len(), write.flags, value.len() as u64) {
            self.counts.add(Count::StoreTooLarge);
            return Stored::TooLarge;
        }
        let len = value.len() as u32;
        let layout = self.layout(write.key, write.flags, write.expires, len);
        self.count_class(layout.class, Count::CmdSet, ClassCount::CmdSet);
        let stored = self.store_value(write, layout, value);
        if stored == Stored::NoMemory {
            self.counts.add(Count::StoreNoMemory);
        }
        stored
    }

    /// The same for a value that fits, counting no command.
    pub(super) fn store_quietly(&mut self, write: &Write<'_>, value: &[u8]) -> Stored {
        let layout = self.layout(write.key, write.flags, write.expires, value.len() as u32);
        self.store_value(write, layout, value)
    }

    /// `md … x`: puts an empty item of the same version in the place of a live one. Who reads the
    /// old value keeps it. Counts nothing; returns nothing if there is no room.
    pub fn store_empty(&mut self, key: Key<'_>, flags: u32, expires: Expiry) -> Option<ItemId> {
        let version = self.lookup(key).map(|old| self.heap.head(old).version());
        let (verb, compare, invalidate, vivify) = (Verb::Set, None, false, None);
        let write = Write { key, verb, flags, expires, compare, version, invalidate, vivify };
        match self.store_quietly(&write, b"") {
            Stored::Stored { .. } => self.index.find(&self.heap, key).map(ItemId),
            _ => None,
        }
    }

    fn store_value(&mut self, write: &Write<'_>, layout: Layout<'_>, value: &[u8]) -> Stored {
        self.clear_tail(layout.class);
        let old = self.lookup(write.key);
        let terms = match self.judge(write, old) {
            Verdict::Refuse(why) => return why,
            Verdict::Put(terms) if !layout.chunked => terms,
            Verdict::Put(terms) => {
                let Ok(draft) = self.drafted(write, value) else {
                    return Stored::NoMemory;
                };
                return self.put_draft(draft, write, terms);
            }
            Verdict::Join { old, in_front } => {
                let Some(source) = self.hold(old) else {
                    return Stored::NoMemory;
                };
                let Ok(draft) = self.drafted(write, value) else {
                    self.release(source);
                    return Stored::NoMemory;
                };
                return self.join(draft, write, source, in_front);
            }
        };
        let layout = Layout { expires: terms.expires, ..layout };
        if let Some(old) = old
            && let Some(version) = self.overwrite(old, &layout, terms, write, value)
        {
            return self.stored(version, layout.value_len);
        }
        let class = layout.class;
        let Some(place) = self.allocate(class) else {
            return Stored::NoMemory;
        };
        // Making room may have moved or evicted the old item.
        let old = old.and_then(|_| self.index.find(&self.heap, write.key));
        self.lay_out(place, &layout, terms.bits, value);
        let version = self.version_or_next(write.version);
        self.link(place, old, write.key.hash, version);
        self.juggle_after_store(class);
        self.stored(version, layout.value_len)
    }

    /// Writes a whole item, but for what linking it will write.
    fn lay_out(&mut self, place: Place, layout: &Layout<'_>, more: u8, value: &[u8]) {
        let list = self.first_list(layout.expires);
        let chunk = self.heap.bytes_mut(place);
        layout.write(chunk, list);
        let at = item_bytes(layout.key.len(), layout.flags, 0) - LINE_END.len();
        chunk[at..at + value.len()].copy_from_slice(value);
        chunk[at + value.len()..at + value.len() + LINE_END.len()].copy_from_slice(LINE_END);
        self.heap.head_mut(place).put(more, true);
    }

    /// Puts an item into the chunk of the old one, if that is of the right class and nobody reads
    /// it. Returns the version if it did.
    fn overwrite(
        &mut self,
        old: Place,
        layout: &Layout<'_>,
        terms: Terms,
        write: &Write<'_>,
        value: &[u8],
    ) -> Option<u64> {
        let head = self.heap.head(old);
        let fits = head.class() == layout.class && self.heap.chunk_class(old) == layout.class;
        if !fits || head.has(bits::HELD | bits::CHUNKED) {
            return None;
        }
        let (chain, bytes) = (head.chain(), head.item_bytes());
        self.lists.remove(&mut self.heap, old);
        self.bytes -= bytes as u64;
        self.lay_out(old, layout, terms.bits, value);
        self.heap.head_mut(old).set_chain(chain);
        let version = self.version_or_next(write.version);
        self.arrived(old, version);
        self.juggle_after_store(layout.class);
        Some(version)
    }

    /// A draft with a whole value in it.
    fn drafted(&mut self, write: &Write<'_>, value: &[u8]) -> Result<Draft, Refused> {
        let mut draft = self.begin(write.key, write.flags, value.len() as u32)?;
        let now = self.flush.now();
        match self.fill(&mut draft, value, now) {
            Ok(()) => Ok(draft),
            Err(refused) => {
                self.abandon(draft);
                Err(refused)
            }
        }
    }

    pub(super) fn store_draft(&mut self, draft: Draft, write: &Write<'_>) -> Stored {
        let old = self.lookup(write.key);
        match self.judge(write, old) {
            Verdict::Refuse(why) => {
                self.abandon(draft);
                why
            }
            Verdict::Put(terms) => self.put_draft(draft, write, terms),
            Verdict::Join { old, in_front } => match self.hold(old) {
                Some(source) => self.join(draft, write, source, in_front),
                None => {
                    self.abandon(draft);
                    Stored::NoMemory
                }
            },
        }
    }

    /// Joins a draft with the old item's value, and stores both as a new item. The old item is
    /// held, so that it is there whatever is evicted meanwhile.
    fn join(&mut self, draft: Draft, write: &Write<'_>, source: u32, in_front: bool) -> Stored {
        let view = self.view(ItemId(self.holds.place(source)));
        let (flags, expires) = (view.flags(), view.expires());
        let (old_len, new_len) = (view.value_len(), draft.value_len);
        let value_len = old_len + new_len;
        let fits = self.fits(write.key.bytes.len(), flags, value_len as u64);
        let joined = if fits {
            let parts = [(source, old_len), (draft.slot, new_len)];
            self.concatenate(write.key, flags, if in_front { [parts[1], parts[0]] } else { parts })
        } else {
            None
        };
        self.release(source);
        self.abandon(draft);
        match joined {
            Some(draft) => self.put_draft(draft, write, Terms { expires, bits: 0 }),
            None => Stored::NotStored,
        }
    }

    fn concatenate(&mut self, key: Key<'_>, flags: u32, parts: [(u32, usize); 2]) -> Option<Draft> {
        let len = u32::try_from(parts[0].1 + parts[1].1).ok()?;
        let mut draft = self.begin(key, flags, len).ok()?;
        for (source, bytes) in parts {
            if self.fill_from(&mut draft, source, bytes).is_err() {
                self.abandon(draft);
                return None;
            }
        }
        Some(draft)
    }

    /// Links a filled draft.
    fn put_draft(&mut self, draft: Draft, write: &Write<'_>, terms: Terms) -> Stored {
        if self.seal(&draft).is_err() {
            self.abandon(draft);
            return Stored::NoMemory;
        }
        let place = self.holds.place(draft.slot);
        let list = self.first_list(terms.expires);
        let mut head = self.heap.head_mut(place);
        let class = head.read().class();
        head.set_expiry(terms.expires.raw());
        head.set_list(class, list);
        head.put(terms.bits, true);
        let old = self.index.find(&self.heap, write.key);
        let version = self.version_or_next(write.version);
        self.link(place, old, write.key.hash, version);
        let kept = self.release(draft.slot);
        assert_eq!(kept, Some(place), "a stored item stays");
        self.juggle_after_store(class);
        self.stored(version, draft.value_len as u32)
    }

    fn stored(&mut self, version: u64, value_bytes: u32) -> Stored {
        self.counts.add(Count::TotalItems);
        Stored::Stored { version: self.shown_version(version), value_bytes }
    }

    /// The live item of a key; a dead one is removed.
    pub(super) fn lookup(&mut self, key: Key<'_>) -> Option<Place> {
        let now = self.flush.now();
        self.find(key, now).ok().map(|item| item.0)
    }

    /// Asks the condition of a verb, and counts what concerns versions.
    fn judge(&mut self, write: &Write<'_>, old: Option<Place>) -> Verdict {
        let put = Verdict::Put(Terms { expires: write.expires, bits: 0 });
        let Some(old) = old else {
            return match (write.verb, write.compare, write.vivify) {
                (Verb::Set | Verb::Replace, Some(_), _) => {
                    self.counts.add(Count::CasMisses);
                    Verdict::Refuse(Stored::NotFound)
                }
                (Verb::Set | Verb::Add, ..) => put,
                (Verb::Append | Verb::Prepend, _, Some(expires)) => {
                    Verdict::Put(Terms { expires, bits: 0 })
                }
                (Verb::Replace | Verb::Append | Verb::Prepend, ..) => {
                    Verdict::Refuse(Stored::NotStored)
                }
            };
        };
        let differs = |version: u64| !self.version_is(old, version);
        match (write.verb, write.compare) {
            (Verb::Add, _) => {
                self.refresh(old);
                Verdict::Refuse(Stored::NotStored)
            }
            (Verb::Append | Verb::Prepend, Some(version)) if differs(version) => {
                Verdict::Refuse(Stored::Exists)
            }
            (Verb::Append, _) => Verdict::Join { old, in_front: false },
            (Verb::Prepend, _) => Verdict::Join { old, in_front: true },
            (Verb::Set | Verb::Replace, None) => put,
            (Verb::Set | Verb::Replace, Some(version)) => self.compare(write, old, version),
        }
    }

    /// Whether an item has a version. Where versions are switched off, none matches.
    pub(super) fn version_is(&self, item: Place, version: u64) -> bool {
        self.options.versions && self.heap.head(item).version() == version
    }

    fn compare(&mut self, write: &Write<'_>, old: Place, version: u64) -> Verdict {
        let head = self.heap.head(old);
        let class = head.class();
        let (expires, won) = (head.expires(), head.bits() & bits::WON);
        let older = self.options.versions && version < head.version();
        if self.version_is(old, version) {
            self.count_class(class, Count::CasHits, ClassCount::CasHits);
            Verdict::Put(Terms { expires: write.expires, bits: 0 })
        } else if write.invalidate && older {
            self.count_class(class, Count::CasHits, ClassCount::CasHits);
            Verdict::Put(Terms { expires, bits: bits::STALE | won })
        } else {
            self.count_class(class, Count::CasBadval, ClassCount::CasBadval);
            Verdict::Refuse(Stored::Exists)
        }
    }

    /// Removes what a key has, without counting a delete: what a refused `set` does.
    pub fn discard(&mut self, key: Key<'_>, now: Seconds) {
        self.tick(now);
        if let Some(place) = self.lookup(key) {
            self.unlink_place(place);
        }
    }

    /// Deletes, if the version is the stated one. Counts.
    pub fn delete(&mut self, key: Key<'_>, compare: Option<u64>, now: Seconds) -> Deleted {
        self.tick(now);
        let Some(place) = self.lookup(key) else {
            self.counts.add(Count::DeleteMisses);
            return Deleted::NotFound;
        };
        if compare.is_some_and(|version| !self.version_is(place, version)) {
            return Deleted::Exists;
        }
        self.count_delete(ItemId(place));
        self.note(place, true);
        self.unlink_place(place);
        Deleted::Deleted
    }
}
