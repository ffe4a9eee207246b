//! Background work on the data set: the lists' balance, pages on the move, dead items.
//!
//! Workers call it from a timer while there is traffic. Whoever comes first does it for all.

use super::watch::{Stamp, Streams};
use crate::cache::Cursor;
use crate::clock::Seconds;
use crate::shared::Shared;
use core::sync::atomic::Ordering;

/// Rounds of every shard's own work in one call.
const ROUNDS_MAX: usize = 4;

/// When background work is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// There is more to do at once.
    Busy,
    /// At the next tick: there was traffic.
    Soon,
    /// There is nothing to do now. The next walk over all items begins then, if one is planned.
    Idle(Option<Seconds>),
}

impl Shared {
    /// A bounded piece of background work.
    pub(crate) fn work_behind(&self, now: Seconds, at: Stamp) -> Again {
        let stirred = self.ops.stirred.swap(false, Ordering::Relaxed);
        let mut more = false;
        self.each_cache(|cache| {
            let mut rounds = 0;
            while cache.maintain(now) {
                rounds += 1;
                if rounds == ROUNDS_MAX {
                    more = true;
                    break;
                }
            }
        });
        self.ops.counters.juggles.fetch_add(1, Ordering::Relaxed);
        self.note_index_power();
        self.tell_evictions(at);
        let crawler = self.ops.tuning().crawler.enabled;
        if crawler || self.ops.crawl.is_running() {
            if stirred && crawler {
                self.ops.crawl.plan(now);
            }
            more |= self.ops.crawl.step(self, now, at);
        }
        match (more, stirred) {
            (true, _) => Again::Busy,
            (false, true) => Again::Soon,
            (false, false) => Again::Idle(self.ops.crawl.planned().filter(|_| crawler)),
        }
    }

    /// The original's index doubles at three items for two places, and never shrinks.
    fn note_index_power(&self) {
        let items = self.totals().1.items;
        let power = self.ops.index_power.load(Ordering::Relaxed);
        if items > (1 << power) / 2 * 3 {
            self.ops.index_power.fetch_max(power + 1, Ordering::Relaxed);
        }
    }

    /// There is background work: the next worker that is awake sees to it.
    pub(crate) fn stir(&self) {
        self.ops.stirred.store(true, Ordering::Relaxed);
    }

    /// Has certificates read again.
    pub(crate) fn refresh_certificates(&self, now: Seconds) -> Result<(), String> {
        self.ops.surroundings().refresh_certificates()?;
        self.ops.counters.certificates_read.store(now.0.into(), Ordering::Relaxed);
        Ok(())
    }

    /// Reads again what the operator may have changed. What cannot be read stays as it was.
    pub(crate) fn reload(&self, now: Seconds) {
        let around = self.ops.surroundings();
        if let Err(why) = self.refresh_certificates(now) {
            around.say(&format!("certificates stay as they are: {why}"));
        }
        match around.read_users() {
            Ok(Some(users)) => self.set_users(users),
            Ok(None) => {}
            Err(why) => around.say(&format!("names and passwords stay as they are: {why}")),
        }
    }

    /// Tells watchers what was evicted since the last call.
    pub(crate) fn tell_evictions(&self, at: Stamp) {
        if self.ops.hub.wants(Streams::EVICTIONS) {
            self.each_cache(|cache| {
                for evicted in cache.take_noted() {
                    self.ops.hub.evicted(at, &evicted);
                }
            });
        }
    }

    /// Has the caches note what watchers want to know, and nothing else.
    pub(crate) fn set_noting(&self) {
        let evictions = self.ops.hub.wants(Streams::EVICTIONS);
        self.each_cache(|cache| cache.set_noting(evictions, false));
    }

    /// Shards of the data set.
    pub(crate) fn shards(&self) -> usize {
        self.caches.len()
    }

    /// Frees dead items of one shard; see [`Cache::crawl`](crate::cache::Cache::crawl).
    pub(crate) fn crawl_shard(
        &self,
        shard: usize,
        cursor: Cursor,
        items_max: usize,
        now: Seconds,
    ) -> Option<Cursor> {
        self.cache_at(shard).crawl(cursor, items_max, now)
    }
}
