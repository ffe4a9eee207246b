//! How items come into the cache, leave it, and change their chunk.

use super::Cache;
use super::item::{Head, HeadMut, Kind, ListKind, NONE, Place, bits};
use crate::clock::{Expiry, Seconds};

impl Cache {
    /// Hears of the time; see [`Flush::tick`](super::flush::Flush::tick).
    #[inline]
    pub(super) fn tick(&mut self, now: Seconds) -> Seconds {
        self.flush.tick(now)
    }

    #[inline]
    pub(super) fn is_dead(&self, head: Head<'_>) -> bool {
        self.flush.covers(head.used()) || head.expires().has_passed(self.flush.now())
    }

    /// The list that a new item goes to.
    pub(super) fn first_list(&self, expires: Expiry) -> ListKind {
        let lru = &self.options.lru;
        let ttl = expires.at().and_then(|at| at.0.checked_sub(self.flush.now().0));
        match (ttl, lru.temporary_ttl) {
            (Some(ttl), Some(short)) if ttl <= short => ListKind::Temp,
            _ if lru.segmented => ListKind::Hot,
            _ => ListKind::Cold,
        }
    }

    /// The stated version, or the next.
    pub(super) const fn version_or_next(&mut self, stated: Option<u64>) -> u64 {
        match stated {
            Some(version) => version,
            None => {
                let version = self.version_next;
                self.version_next += self.options.version_step;
                version
            }
        }
    }

    /// Has the versions to come begin above one that was given in an earlier life.
    pub fn begin_versions_above(&mut self, version: u64) {
        if self.version_next <= version {
            let steps = (version - self.version_next) / self.options.version_step + 1;
            self.version_next += steps * self.options.version_step;
        }
    }

    /// Puts a complete item where it can be found, in place of an older one of its key.
    pub(super) fn link(&mut self, place: Place, old: Option<Place>, hash: u64, version: u64) {
        if let Some(old) = old {
            self.lists.remove(&mut self.heap, old);
            let chain = self.heap.head(old).chain();
            self.heap.head_mut(place).set_chain(chain);
            self.index.moved(&mut self.heap, old, place);
            self.unlinked(old);
        } else {
            self.index.insert(&mut self.heap, hash, place);
        }
        self.arrived(place, version);
    }

    /// What every item goes through that was just stored. The index knows it.
    pub(super) fn arrived(&mut self, place: Place, version: u64) {
        let stamp = self.flush.stamp();
        let mut head = self.heap.head_mut(place);
        head.set_used(stamp);
        head.set_version(version);
        head.put(bits::LINKED, true);
        self.bytes += head.read().item_bytes() as u64;
        self.lists.push(&mut self.heap, place);
    }

    /// Takes an item out of index and list.
    pub(super) fn unlink_place(&mut self, place: Place) {
        self.index.remove(&mut self.heap, place);
        self.lists.remove(&mut self.heap, place);
        self.unlinked(place);
    }

    /// What every item goes through that neither index nor list know any more.
    fn unlinked(&mut self, place: Place) {
        let mut head = self.heap.head_mut(place);
        head.put(bits::LINKED, false);
        let head = head.read();
        self.bytes -= head.item_bytes() as u64;
        if !head.has(bits::HELD) {
            self.free_item(place);
        }
    }

    /// Gives back the chunks of an item that nobody knows or holds.
    pub(super) fn free_item(&mut self, place: Place) {
        let head = self.heap.head(place);
        assert!(!head.has(bits::LINKED | bits::HELD), "only an item nobody knows is freed");
        if head.has(bits::CHUNKED) {
            self.free_pieces(place);
        }
        self.heap.give(place);
    }

    /// Holds an item; `None` if too many do.
    pub(super) fn hold(&mut self, place: Place) -> Option<u32> {
        let slot = self.holds.hold(place)?;
        self.heap.head_mut(place).put(bits::HELD, true);
        Some(slot)
    }

    /// Lets go of an item. Returns its place if it is still linked or somebody else holds it;
    /// otherwise it is gone.
    pub(super) fn release(&mut self, slot: u32) -> Option<Place> {
        let at = self.holds.place(slot);
        let Some(place) = self.holds.release(slot) else {
            return Some(at);
        };
        self.heap.head_mut(place).put(bits::HELD, false);
        if self.heap.head(place).has(bits::LINKED) {
            return Some(place);
        }
        self.free_item(place);
        None
    }

    /// Moves what a chunk holds to another of its class, and gives the old one back.
    pub(super) fn relocate(&mut self, from: Place, to: Place) {
        self.heap.copy_chunk(from, to);
        let head = self.heap.head(to);
        match head.kind() {
            Kind::Free => panic!("a free chunk is not moved"),
            Kind::Piece => self.piece_moved(from, to),
            Kind::Item => {
                let (linked, held) = (head.has(bits::LINKED), head.has(bits::HELD));
                let chunked = head.has(bits::CHUNKED);
                assert!(linked || held, "an item is linked or held");
                if linked {
                    self.index.moved(&mut self.heap, from, to);
                    self.lists.moved(&mut self.heap, from, to);
                }
                if held {
                    self.holds.moved(from, to);
                }
                if chunked {
                    self.pieces_follow(to);
                }
            }
        }
        self.heap.give(from);
    }

    /// Marks a chunk as a piece of nothing yet.
    pub(super) fn clear_head(head: &mut HeadMut<'_>) {
        head.set_chain(NONE);
        head.set_next(NONE);
        head.set_prev(NONE);
        head.set_used(0);
        head.set_bits(0);
    }
}
