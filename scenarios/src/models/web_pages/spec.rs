//! The numbers of the web servers: from the file to each host's part.

use super::{METRICS, WORK_PAGES, WebServer};
use crate::build::Seat;
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::kinds::{Boxed, LoadKind, LoadSpec};
use crate::models::{KEYS_MAX, PAGES_MAX};
use crate::read::{Parts, work};
use crate::story::{Arrivals, Cache, Gaps, Placement, Skew};
use std::sync::Arc;
use std::time::Duration;
use storytime_machine::Endpoint;
use storytime_memcached::client::ServerSpec;

/// Web servers that read rows through a cache.
pub const KIND: LoadKind = LoadKind {
    name: "web-pages",
    fields: &[
        "caches",
        "weights",
        "placement",
        "database",
        "rate",
        "gaps",
        "users",
        "think",
        "keys",
        "keys_per_page",
        "skew",
        "timeout",
        "pages_max",
    ],
    verbs: &[],
    works: &[WORK_PAGES],
    read,
};

/// The numbers of the web servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebPages {
    /// The memcached servers at the beginning, in the order of the list.
    pub caches: Vec<Cache>,
    /// How a key finds its server.
    pub placement: Placement,
    /// The database behind: index of its model.
    pub database: usize,
    /// When pages are asked for.
    pub arrivals: Arrivals,
    /// How many different rows there are.
    pub keys: u32,
    /// Rows that one page needs, one after the other.
    pub keys_per_page: u32,
    /// Which rows are asked for.
    pub skew: Skew,
    /// How long a page waits for one answer before it fails.
    pub timeout: Duration,
    /// Pages under way at once on one host; further ones fail.
    pub pages_max: u32,
}

fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Arc<dyn LoadSpec>> {
    Ok(Arc::new(WebPages {
        caches: work::caches(fields, parts)?,
        placement: fields.choice("placement", work::PLACEMENTS, None)?,
        database: work::database(fields, parts)?,
        arrivals: work::arrivals(fields)?,
        keys: fields.integer("keys", 1..=KEYS_MAX, None)? as u32,
        keys_per_page: fields.integer("keys_per_page", 1..=1_000, Some(1))? as u32,
        skew: fields.choice("skew", work::SKEWS, None)?,
        timeout: fields.quantity("timeout", DURATION, Some(Duration::from_secs(3)))?,
        pages_max: fields.integer("pages_max", 1..=PAGES_MAX, Some(10_000))? as u32,
    }))
}

impl LoadSpec for WebPages {
    fn metrics(&self) -> &'static [MetricDef] {
        METRICS
    }

    fn words(&self, hosts: usize) -> String {
        format!("{} over {hosts} hosts, {} keys", self.arrivals.words(), self.keys)
    }

    fn build(&self, seat: &Seat<'_>) -> Boxed {
        let (database, model) = seat.database(self.database);
        Box::new(WebServer::new(WebConfig {
            part: seat.part as u32,
            caches: seat.servers(&self.caches),
            changes: seat.cache_changes(&self.caches),
            placement: self.placement,
            database,
            row_bytes_max: model.row_bytes,
            arrivals: Share::of(self.arrivals, seat.part as u32, seat.parts() as u32),
            keys: self.keys,
            first_key: seat.first_key(),
            keys_per_page: self.keys_per_page,
            skew: self.skew,
            timeout: self.timeout,
            pages_max: self.pages_max,
            duration: seat.setup.duration,
            bucket: seat.setup.bucket,
        }))
    }
}

/// Everything one host of the load is told.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Which host of the load this is; the first one also counts the keys that move.
    pub part: u32,
    /// The caches at the beginning.
    pub caches: Vec<ServerSpec>,
    /// New lists of caches, and when they come into use.
    pub changes: Vec<(Duration, Vec<ServerSpec>)>,
    /// How keys are placed.
    pub placement: Placement,
    /// Where the database is.
    pub database: Endpoint,
    /// Longest row that it can send, bytes.
    pub row_bytes_max: u32,
    /// When pages are asked for on this host.
    pub arrivals: Share,
    /// How many keys there are.
    pub keys: u32,
    /// The number of the first key, drawn, so that each seed has other keys.
    pub first_key: u64,
    /// Rows of a page.
    pub keys_per_page: u32,
    /// Which keys are asked for.
    pub skew: Skew,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Pages under way at once.
    pub pages_max: u32,
    /// Length of the run.
    pub duration: Duration,
    /// Width of a bucket.
    pub bucket: Duration,
}

/// One host's part of the arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// An open loop.
    Open {
        /// Mean time between two pages.
        gap: Duration,
        /// How these times are.
        gaps: Gaps,
    },
    /// A closed loop.
    Closed {
        /// Users on this host.
        users: u32,
        /// Mean pause.
        think: Duration,
    },
    /// When another load asks.
    Asked,
}

impl Share {
    /// The `part`-th of `parts` equal shares.
    pub fn of(arrivals: Arrivals, part: u32, parts: u32) -> Self {
        assert!(part < parts, "parts are counted from 0");
        match arrivals {
            Arrivals::Open { rate_milli, gaps } => {
                let gap = 1_000_000_000_000 * u128::from(parts) / u128::from(rate_milli.max(1));
                let gap = Duration::from_nanos(u64::try_from(gap).unwrap_or(u64::MAX));
                Self::Open { gap, gaps }
            }
            Arrivals::Asked => Self::Asked,
            Arrivals::Closed { users, think } => {
                Self::Closed { users: users / parts + u32::from(part < users % parts), think }
            }
        }
    }
}
