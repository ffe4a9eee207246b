//! Items found by their key, and what is noted on them.

use super::item::{ListKind, Place, age, bits};
use super::{Access, Cache, ClassCount, Count, ItemId, Key, Missed};
use crate::clock::{Expiry, Seconds};

/// Where there is one list, an item's use is recorded at most this often, seconds.
const FLAT_UPDATE_SECONDS: u32 = 60;

impl Cache {
    /// The live item of a key. Removes one that is found dead; counts nothing, records no use.
    #[inline]
    pub fn find(&mut self, key: Key<'_>, now: Seconds) -> Result<ItemId, Missed> {
        let now = self.tick(now);
        let Some(place) = self.index.find(&self.heap, key) else {
            return Err(Missed::Absent);
        };
        let head = self.heap.head(place);
        let dead = if self.flush.covers(head.used()) {
            Missed::Flushed
        } else if head.expires().has_passed(now) {
            Missed::Expired
        } else {
            return Ok(ItemId(place));
        };
        self.unlink_place(place);
        Err(dead)
    }

    /// Finds, counts hit or miss (`get_*`, `touch_*`), records the use. The fast path of `get`.
    #[inline]
    pub fn fetch(&mut self, key: Key<'_>, access: Access, now: Seconds) -> Result<ItemId, Missed> {
        let touches = matches!(access, Access::Touch(_));
        match self.find(key, now) {
            Ok(item) => {
                self.count_hit(item, touches);
                if let Access::Touch(expires) = access {
                    self.set_expires(item, expires);
                }
                self.record_use(item.0);
                Ok(item)
            }
            Err(missed) => {
                self.count_miss(missed, touches);
                Err(missed)
            }
        }
    }

    /// Counts a read, or a read that also touches, of an item that was [found](Self::find).
    #[inline]
    pub fn count_hit(&mut self, item: ItemId, touches: bool) {
        let head = self.heap.head(item.0);
        let (class, list) = (head.class(), head.list());
        if touches {
            self.counts.add(Count::CmdTouch);
            self.count_class(class, Count::TouchHits, ClassCount::TouchHits);
            return;
        }
        self.counts.add(Count::CmdGet);
        self.count_class(class, Count::GetHits, ClassCount::GetHits);
        self.class_counts[usize::from(class)].add(match list {
            ListKind::Hot => ClassCount::HitsToHot,
            ListKind::Warm => ClassCount::HitsToWarm,
            ListKind::Cold => ClassCount::HitsToCold,
            ListKind::Temp => ClassCount::HitsToTemp,
        });
    }

    /// Counts a read, or a read that also touches, of what is not there.
    pub fn count_miss(&mut self, missed: Missed, touches: bool) {
        let (all, miss) = match touches {
            true => (Count::CmdTouch, Count::TouchMisses),
            false => (Count::CmdGet, Count::GetMisses),
        };
        self.counts.add(all);
        self.counts.add(miss);
        match missed {
            Missed::Absent => {}
            Missed::Expired => self.counts.add(Count::GetExpired),
            Missed::Flushed => self.counts.add(Count::GetFlushed),
        }
    }

    /// Counts a delete of an item that was [found](Self::find), whatever is done to it instead.
    pub fn count_delete(&mut self, item: ItemId) {
        let class = self.heap.head(item.0).class();
        self.count_class(class, Count::DeleteHits, ClassCount::DeleteHits);
    }

    /// Looks ahead for a run of [`fetch`](Self::fetch)es, whose look-ups then find in the
    /// processor's cache what each would have to wait for. Changes nothing; pays off where items
    /// are many and keys come in runs.
    pub fn foresee(&self, keys: &[Key<'_>]) {
        for run in keys.chunks(super::index::RUN) {
            core::hint::black_box(self.index.foresee(&self.heap, run));
        }
    }

    /// Records a use: fetched, active, order of use.
    pub fn used(&mut self, item: ItemId, now: Seconds) {
        self.tick(now);
        self.record_use(item.0);
    }

    /// The second use makes an item active; an active one that was cold is warm from then on.
    #[inline]
    fn record_use(&mut self, place: Place) {
        let head = self.heap.head(place);
        let (seen, list) = (head.bits(), head.list());
        if !self.options.lru.segmented {
            self.heap.head_mut(place).put(bits::FETCHED, true);
            self.refresh(place);
        } else if seen & bits::FETCHED == 0 {
            self.heap.head_mut(place).put(bits::FETCHED, true);
        } else if seen & bits::ACTIVE == 0 {
            let stamp = self.flush.stamp();
            let mut head = self.heap.head_mut(place);
            head.set_used(stamp);
            head.put(bits::ACTIVE, true);
            if list == ListKind::Cold && seen & bits::LINKED != 0 {
                self.move_to(place, ListKind::Warm);
            }
        }
    }

    /// What a command other than a retrieval does for an item's place in the order of use.
    pub(super) fn refresh(&mut self, place: Place) {
        let stamp = self.flush.stamp();
        let head = self.heap.head(place);
        if !head.has(bits::LINKED) {
            return;
        }
        if self.options.lru.segmented {
            let bump = head.list() == ListKind::Cold && head.has(bits::ACTIVE);
            self.heap.head_mut(place).set_used(stamp);
            if bump {
                self.move_to(place, ListKind::Warm);
            }
        } else if age(stamp, head.used()) > FLAT_UPDATE_SECONDS {
            let list = head.list();
            self.heap.head_mut(place).set_used(stamp);
            self.lists.shift(&mut self.heap, place, list);
        }
    }

    /// Gives it another expiry time.
    pub fn set_expires(&mut self, item: ItemId, expires: Expiry) {
        self.heap.head_mut(item.0).set_expiry(expires.raw());
    }

    /// Gives it a version: the stated one, or the next. Returns it.
    pub fn set_version(&mut self, item: ItemId, version: Option<u64>) -> u64 {
        let version = self.version_or_next(version);
        self.heap.head_mut(item.0).set_version(version);
        self.shown_version(version)
    }

    /// Marks it as stale, or takes the mark away.
    pub fn set_stale(&mut self, item: ItemId, stale: bool) {
        self.heap.head_mut(item.0).put(bits::STALE, stale);
    }

    /// Notes whether somebody was told to fetch it anew.
    pub fn set_token_won(&mut self, item: ItemId, won: bool) {
        self.heap.head_mut(item.0).put(bits::WON, won);
    }

    /// Removes it.
    pub fn unlink(&mut self, item: ItemId) {
        if self.heap.head(item.0).has(bits::LINKED) {
            self.unlink_place(item.0);
        }
    }

    /// What clients see of a version.
    pub(super) const fn shown_version(&self, version: u64) -> u64 {
        if self.options.versions { version } else { 0 }
    }
}
