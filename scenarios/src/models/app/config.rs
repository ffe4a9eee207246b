//! What one host of a load is told.

use super::Shards;
use super::day::Day;
use super::jobs::JobServers;
use crate::models::pages::Choose;
use crate::models::web_pages::Share;
use std::time::Duration;
use storytime_database::client::ClientOptions as DatabaseOptions;
use storytime_machine::Endpoint;
use storytime_memcached::client::{ClientOptions, ServerSpec};

/// Everything one host of a load is told, whatever the workload.
#[derive(Clone, Debug)]
pub struct AppConfig {
    /// Which host of the load this is.
    pub part: u32,
    /// The caches at the beginning.
    pub caches: Vec<ServerSpec>,
    /// New lists of caches, and when they come into use.
    pub changes: Vec<(Duration, Vec<ServerSpec>)>,
    /// Who watches the caches, and how long a watcher's word counts.
    pub watchers: (Vec<Endpoint>, Duration),
    /// What the timeline tells the load, and when.
    pub told: Vec<(Duration, &'static str)>,
    /// How the cache client works.
    pub client: ClientOptions,
    /// Where the database is, if there is one, and the longest row it can send, bytes.
    pub database: Option<(Endpoint, u32)>,
    /// When jobs come to this host.
    pub arrivals: Share,
    /// The number of this host's first user.
    pub first_user: u32,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Jobs under way at once.
    pub workers: u32,
    /// Jobs that wait for a worker; further ones fail.
    pub queue_max: u32,
    /// The port on which browsers and proxies ask for pages.
    pub listen: Option<u16>,
    /// Where pages are asked for, and how a server is chosen.
    pub servers: (Vec<Endpoint>, Choose),
    /// Where the database of each host is, by the number of the host; behind them those of clusters
    /// with an address of their own.
    pub databases: Vec<Option<Endpoint>>,
    /// How databases are asked.
    pub database_client: DatabaseOptions,
    /// How users are reached over shards, if they are.
    pub sharding: Option<Shards>,
    /// Who hands out the moves that jobs order.
    pub coordinator: Option<Endpoint>,
    /// What it has to do with job servers, and where these are.
    pub job_servers: Option<(JobServers, Vec<Endpoint>)>,
    /// How the load changes over the day.
    pub day: Option<Day>,
    /// Whether computing takes the time of this machine, for nothing models it.
    pub computes: bool,
    /// Drawn, so that each seed has other keys.
    pub first_key: u64,
    /// Length of the run.
    pub duration: Duration,
    /// How long after the beginning the first jobs come.
    pub warmup: Duration,
    /// How long before the end no more jobs begin; the check runs after half of it.
    pub settle: Duration,
}
