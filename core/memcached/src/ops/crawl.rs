//! The crawler: walks over all items and frees the dead ones, in short pieces between requests.
//!
//! A walk begins because somebody asked for one (`lru_crawler crawl`), or by itself: the sooner,
//! the more the last one found. A server without items and without traffic does not walk.

use super::watch::{Stamp, Streams};
use crate::cache::{Count, Cursor};
use crate::clock::Seconds;
use crate::shared::Shared;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Mutex;

/// Items looked at in one piece, under one lock.
const PIECE_ITEMS_MAX: usize = 512;
/// Pieces per call.
const PIECES_MAX: usize = 8;
/// Shortest time between two walks by itself, seconds.
const PAUSE_SECONDS_MIN: u32 = 15;
/// Longest time between two walks by itself, seconds.
const PAUSE_SECONDS_MAX: u32 = 3600;
/// A walk that frees fewer than one item in so many is followed by a longer pause.
const WORTHWHILE: u64 = 100;

/// A walk cannot begin: one is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CrawlRefused;

/// The state of the crawler.
#[derive(Debug, Default)]
pub(crate) struct Crawl {
    running: AtomicBool,
    starts: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    walk: Option<Walk>,
    pause: u32,
    /// When the next walk begins by itself.
    next: Option<Seconds>,
}

#[derive(Clone, Copy, Debug)]
struct Walk {
    shard: usize,
    cursor: Cursor,
    reclaimed_before: u64,
    since: Seconds,
}

impl Default for State {
    fn default() -> Self {
        Self { walk: None, pause: PAUSE_SECONDS_MIN, next: None }
    }
}

impl Crawl {
    /// Whether a walk is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// Walks begun.
    pub(crate) fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Begins a walk.
    pub(crate) fn begin(&self, shared: &Shared, now: Seconds) -> Result<(), CrawlRefused> {
        let mut state = super::lock(&self.state);
        if state.walk.is_some() {
            return Err(CrawlRefused);
        }
        self.begin_in(&mut state, shared, now);
        Ok(())
    }

    fn begin_in(&self, state: &mut State, shared: &Shared, now: Seconds) {
        let reclaimed_before = shared.totals().0.get(Count::CrawlerReclaimed);
        state.walk =
            Some(Walk { shard: 0, cursor: Cursor::default(), reclaimed_before, since: now });
        self.running.store(true, Ordering::Relaxed);
        self.starts.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a walk that is under way.
    pub(crate) fn stop(&self) {
        super::lock(&self.state).walk = None;
        self.running.store(false, Ordering::Relaxed);
    }

    /// A bounded piece of the walk under way, or the begin of one that is due. Returns whether
    /// there is more to do at once.
    pub(crate) fn step(&self, shared: &Shared, now: Seconds, at: Stamp) -> bool {
        let mut state = super::lock(&self.state);
        if state.walk.is_none() {
            let due = state.next.is_some_and(|next| next <= now);
            if !due {
                return false;
            }
            if shared.totals().1.items == 0 {
                // Planned anew when there is traffic again.
                state.next = None;
                return false;
            }
            self.begin_in(&mut state, shared, now);
        }
        for _ in 0..PIECES_MAX {
            let Some(walk) = &mut state.walk else { break };
            match shared.crawl_shard(walk.shard, walk.cursor, PIECE_ITEMS_MAX, now) {
                Some(cursor) => walk.cursor = cursor,
                None if walk.shard + 1 < shared.shards() => {
                    (walk.shard, walk.cursor) = (walk.shard + 1, Cursor::default());
                }
                None => self.end(&mut state, shared, now, at),
            }
        }
        state.walk.is_some()
    }

    /// A walk is through: how much it freed says when the next one is worth while.
    fn end(&self, state: &mut State, shared: &Shared, now: Seconds, at: Stamp) {
        let Some(walk) = state.walk.take() else { return };
        self.running.store(false, Ordering::Relaxed);
        let (counts, usage) = shared.totals();
        // A reset of the counters in between makes it look as if nothing was freed.
        let freed = counts.get(Count::CrawlerReclaimed).saturating_sub(walk.reclaimed_before);
        let worthwhile = freed > 0 && freed * WORTHWHILE >= usage.items;
        let pause = if worthwhile { state.pause / 2 } else { state.pause * 2 };
        state.pause = pause.clamp(PAUSE_SECONDS_MIN, PAUSE_SECONDS_MAX);
        state.next = None;
        let elapsed = now.0.saturating_sub(walk.since.0);
        shared.ops.hub.log(
            Streams::SYSEVENTS,
            at,
            format_args!(
                "type=lru_crawler crawler=0 lru=all low_mark=0 next_reclaims=0 since_run=0 \
                 next_run={} elapsed={elapsed} examined={} reclaimed={freed}",
                state.pause, usage.items
            ),
        );
    }

    /// There is traffic: the next walk by itself is planned, if none is. Returns when it begins.
    pub(crate) fn plan(&self, now: Seconds) -> Seconds {
        let mut state = super::lock(&self.state);
        let in_a_pause = Seconds(now.0.saturating_add(state.pause));
        *state.next.get_or_insert(in_a_pause)
    }

    /// When the next walk by itself begins, if one is planned.
    pub(crate) fn planned(&self) -> Option<Seconds> {
        super::lock(&self.state).next
    }
}
