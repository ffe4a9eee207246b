//! What the workers of one server share beside the data set: who is connected, who watches, what
//! can be tuned while it runs, its clock's offset, and what the program around it knows.

mod background;
mod cards;
mod clock;
mod crawl;
mod observe;
mod prefixes;
mod surroundings;
mod tuning;
mod watch;

pub(crate) use background::Again;
pub(crate) use cards::{Card, Cards, Stage};
pub(crate) use clock::Offset;
pub(crate) use crawl::{Crawl, CrawlRefused};
pub(crate) use observe::{Close, StoreStatus};
pub(crate) use prefixes::Prefixes;
pub use surroundings::{Bound, CpuTime, Nowhere, Surroundings};
pub(crate) use tuning::Tuning;
pub(crate) use watch::{Encoded, Hub, Stamp, Streams};

use crate::config::Config;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard};

/// log₂ of the places that the original's index begins with.
const INDEX_POWER_MIN: u32 = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Ops {
    pub(crate) cards: Cards,
    pub(crate) hub: Hub,
    pub(crate) prefixes: Prefixes,
    pub(crate) offset: Offset,
    pub(crate) crawl: Crawl,
    pub(crate) counters: Counters,
    /// Somebody stored something since the background work last ended.
    pub(crate) stirred: AtomicBool,
    /// log₂ of the places that the original's index would have: those who take it from `stats` for
    /// `-o hashpower` get what they know. Our own grows by single places and has no such number.
    pub(crate) index_power: AtomicU32,
    /// The data set is what it is to be at the start.
    pub(crate) loaded: AtomicBool,
    /// Workers that were started.
    pub(crate) workers: AtomicU32,
    /// Workers that serve nobody any more.
    pub(crate) stopped: AtomicU32,
    tuning: Mutex<Tuning>,
    surroundings: Arc<dyn Surroundings>,
}

/// Counters of no shard and no connection.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Connections closed for being idle.
    pub(crate) idle_kicks: AtomicU64,
    /// Connections that had to let others go first.
    pub(crate) yields: AtomicU64,
    /// Times that the server stopped accepting.
    pub(crate) listen_disabled: AtomicU64,
    /// Rounds of background work over the lists.
    pub(crate) juggles: AtomicU64,
    /// TLS handshakes that failed.
    pub(crate) tls_failures: AtomicU64,
    /// Second of the server's clock in which certificates were last read.
    pub(crate) certificates_read: AtomicU64,
}

impl Ops {
    pub(crate) fn new(config: &Config, surroundings: Arc<dyn Surroundings>) -> Self {
        Self {
            cards: Cards::default(),
            hub: Hub::new(config.watcher_bytes_max),
            prefixes: Prefixes::new(config),
            offset: Offset::default(),
            crawl: Crawl::default(),
            counters: Counters::default(),
            stirred: AtomicBool::new(false),
            index_power: AtomicU32::new(config.index_power.unwrap_or(INDEX_POWER_MIN)),
            loaded: AtomicBool::new(false),
            workers: AtomicU32::new(0),
            stopped: AtomicU32::new(0),
            tuning: Mutex::new(Tuning::new(config)),
            surroundings,
        }
    }

    /// What can be tuned, to look at and to change.
    pub(crate) fn tuning(&self) -> MutexGuard<'_, Tuning> {
        lock(&self.tuning)
    }

    pub(crate) fn surroundings(&self) -> &dyn Surroundings {
        &*self.surroundings
    }
}

/// Locks something that is only ever held for a few instructions that cannot panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it, or all is lost anyway")
}
