//! An offset of the server's clock, for tests that cannot wait: `debugtime`.

use crate::clock::{Epoch, Seconds};
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use storytime_machine::Time;

/// How far the server's clock is from that of its host.
#[derive(Debug, Default)]
pub(crate) struct Offset {
    seconds: AtomicI64,
    /// What the clock shows while it stands; 0 while it goes.
    stands_at: AtomicU32,
}

impl Offset {
    /// What the server's clock shows.
    #[inline]
    pub(crate) fn now(&self, epoch: &Epoch, mono: Time) -> Seconds {
        let stands_at = self.stands_at.load(Ordering::Relaxed);
        if stands_at != 0 {
            return Seconds(stands_at);
        }
        let seconds = self.seconds.load(Ordering::Relaxed);
        let now = epoch.seconds(mono);
        if seconds == 0 { now } else { moved(now, seconds) }
    }

    /// Moves it, forth or back.
    pub(crate) fn advance(&self, by: i64) {
        self.seconds.fetch_add(by, Ordering::Relaxed);
        let stands_at = self.stands_at.load(Ordering::Relaxed);
        if stands_at != 0 {
            self.stands_at.store(moved(Seconds(stands_at), by).0, Ordering::Relaxed);
        }
    }

    /// Stops it.
    pub(crate) fn pause(&self, now: Seconds) {
        self.stands_at.store(now.0, Ordering::Relaxed);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.stands_at.store(0, Ordering::Relaxed);
    }
}

fn moved(now: Seconds, by: i64) -> Seconds {
    let least = i64::from(Seconds::START.0);
    let at = i64::from(now.0).saturating_add(by).clamp(least, i64::from(u32::MAX));
    Seconds(u32::try_from(at).expect("clamped above"))
}
