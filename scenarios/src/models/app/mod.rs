//! Application servers: the skeleton that the caching workloads share.
//!
//! ```text
//!  arrivals ──► a free worker ──► a job: a small state machine of steps ──► done or failed
//!  (open or      (or the queue,     each step asks the cache or the database,
//!   closed)       or refused)       or pauses, and awaits what comes
//! ```
//!
//! A [`Workload`] says what a job does, in one file under [`super::workloads`]; everything else is
//! here, once: when jobs begin, how many workers a host has, the cache client, the connection to
//! the database, deadlines, figures. A job is a value: [`Workload::begin`] makes it,
//! [`Workload::resume`] gets what it awaited and gives back the next one. Everything that a job
//! asks for through its [`Hands`] is answered exactly once, as [`Came`], also if it could not be
//! sent.
//!
//! What all hosts of a load know together, as nobody in a real site does, stands in the workload's
//! ledger: what was acknowledged, what must still be there. It is how a workload tells what was
//! lost. Each host runs one job before all others ([`Workload::prepare`]); before the end a load
//! comes to rest, and each host runs one last job, which compares the cache with the ledger
//! ([`Workload::check`]).
//!
//! Figures outlive the process: a host that is killed and started again goes on counting.
//!
//! A packet is what one step of the machine sends to one cache, in parts of at most
//! [`PACKET_BYTES`]; that the kernel may join several steps' is not seen.
//!
//! Not modelled: the pages' own text, browsers, a connection of each worker's own (the workers of a
//! host share the cache client's).

mod caches;
mod config;
mod day;
mod desk;
mod figures;
mod front;
mod hands;
mod jobs;
mod machine;
mod orders;
mod returns;
mod spec;

pub use config::AppConfig;
pub use figures::Book;
pub use hands::{Came, Hands};
pub use jobs::{Assigned, JobServers, Said};
pub use machine::App;
pub use spec::{AppLoad, kind};

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::read::Parts;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storytime_machine::{Endpoint, Work};
use storytime_memcached::client::ClientOptions;
use storytime_sharding::{Options, ShardMap};

/// Jobs begun; one unit each.
pub const WORK_JOBS: Work = Work { index: 0, name: "app_jobs" };

/// Time that jobs compute; one unit each nanosecond, which costs one unless the file says
/// otherwise.
pub const WORK_CPU: Work = Work { index: 1, name: "app_cpu" };

/// The counter of what jobs have computed, nanoseconds.
pub const COMPUTED_NS: &str = "computed_ns";

/// Most jobs that one entry of the timeline begins on one host.
pub const LANES_MAX: u32 = 64;

/// Bytes that fit into a packet: those of an Ethernet frame without the heads of IP and TCP.
pub const PACKET_BYTES: usize = 1_460;

/// How users are reached over shards, and the map of these.
pub type Shards = (Options, ShardMap);

/// Where a job goes from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<J> {
    /// It awaits something.
    Await(J),
    /// It is done.
    Done,
    /// It failed.
    Failed,
}

/// What a job does.
pub trait Workload: Send + 'static {
    /// Its numbers, as the file gives them.
    type Numbers: Clone + fmt::Debug + Send + Sync + 'static;
    /// What all hosts of the load know together.
    type Ledger: Default + Send + 'static;
    /// A job on its way: an enum, named for what is awaited.
    type Job: Send;

    /// Its name in the file.
    const KIND: &'static str;
    /// Its fields: those of [`app_fields!`](crate::app_fields), and its own.
    const FIELDS: &'static [&'static str];
    /// What can be measured: [`app_metrics!`](crate::app_metrics), and its own.
    const METRICS: &'static [MetricDef];
    /// Whether its jobs ask a modelled database.
    const NEEDS_DATABASE: bool;
    /// Whether its jobs ask caches.
    const NEEDS_CACHES: bool = true;
    /// Whether its jobs ask web servers for pages.
    const NEEDS_SERVERS: bool = false;
    /// Whether its jobs are those that job servers give it, and no others.
    const TAKES_JOBS: bool = false;
    /// What the timeline may tell it.
    const VERBS: &'static [&'static str] = &[];

    /// Reads its numbers.
    ///
    /// # Errors
    /// The first mistake found.
    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self::Numbers>;

    /// Makes one host's part.
    fn new(numbers: Self::Numbers, part: u32, ledger: Arc<Mutex<Self::Ledger>>) -> Self;

    /// How it reaches users over shards, and the map of these, if it does.
    fn sharding(_numbers: &Self::Numbers, _databases: &[Option<Endpoint>]) -> Option<Shards> {
        None
    }

    /// The host that hands out the moves which its jobs order, and the port there.
    fn coordinator(_numbers: &Self::Numbers) -> Option<(usize, u16)> {
        None
    }

    /// What it has to do with job servers.
    fn job_servers(_numbers: &Self::Numbers) -> JobServers {
        JobServers::default()
    }

    /// Changes what it needs otherwise in the cache client.
    fn tune(_numbers: &Self::Numbers, _options: &mut ClientOptions) {}

    /// The first job of a host, in its first life, before any other. It is not counted as a job.
    fn prepare(&mut self, _hands: &mut Hands<'_>) -> Step<Self::Job> {
        Step::Done
    }

    /// A job begins.
    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Self::Job>;

    /// What a job awaited has come.
    fn resume(&mut self, hands: &mut Hands<'_>, job: Self::Job, came: Came) -> Step<Self::Job>;

    /// In how many lanes each host does what the timeline says; at most [`LANES_MAX`].
    fn lanes(&self, _verb: &'static str) -> u32 {
        1
    }

    /// The timeline tells the load one of [`VERBS`](Self::VERBS): a job of each host's own in
    /// each of its lanes, which is not counted as one.
    fn told(&mut self, _hands: &mut Hands<'_>, _verb: &'static str) -> Step<Self::Job> {
        Step::Done
    }

    /// A job of each host's own, when no more jobs begin. It is not counted as a job.
    fn rest(&mut self, _hands: &mut Hands<'_>) -> Step<Self::Job> {
        Step::Done
    }

    /// The last job of a host, when the load is at rest. It is not counted as a job.
    fn check(&mut self, _hands: &mut Hands<'_>) -> Step<Self::Job> {
        Step::Done
    }
}

/// The fields of every load of this skeleton, and a workload's own behind them.
#[macro_export]
macro_rules! app_fields {
    ($($own:literal),* $(,)?) => {
        &[
            "caches", "weights", "watchers", "watch_port", "watch_fresh", "placement", "database",
            "processes", "rate", "gaps", "users", "think", "timeout", "workers", "queue", "pause",
            "warmup", "settle",
            $($own),*
        ]
    };
}

/// What can be measured about every load of this skeleton, and a workload's own behind it: name,
/// kind, label.
#[macro_export]
macro_rules! app_metrics {
    ($(($name:literal, $kind:ident $(($along:literal))?, $label:literal)),* $(,)?) => {
        $crate::app_metrics!(@all
            ("jobs", Series, "jobs done"),
            ("jobs_failed", Series, "jobs failed"),
            ("job_time", Latency, "time of a job"),
            ("queries", Series, "database queries"),
            ("cache_requests", Series, "cache requests"),
            ("cache_errors", Series, "cache errors"),
            ("packets", Series, "packets to the caches"),
            ("ejected", Series, "caches left out"),
            ("readmitted", Series, "caches taken back"),
            $(($name, $kind $(($along))?, $label)),*
        )
    };
    (@all $(($name:literal, $kind:ident $(($along:literal))?, $label:literal)),* $(,)?) => {
        &[$($crate::metric::MetricDef {
            name: $name,
            kind: $crate::metric::Kind::$kind $(($along))?,
            label: $label,
        }),*]
    };
}

/// Locks what is shared; a holder that panicked has ended the run already.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
