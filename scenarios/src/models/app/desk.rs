//! What the jobs of a host share: links to everything that they ask.

use super::config::AppConfig;
use super::figures::Book;
use super::hands::Came;
use super::jobs::Jobs;
use super::orders::Orders;
use crate::models::db_link::DbLink;
use crate::models::pages::{self, Pages};
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use storytime_database::client::{Client as Dbd, ServerId};
use storytime_machine::{Conn, Cx, Endpoint, Gone, Open, Token};
use storytime_memcached::client::Client;
use storytime_sharding::{Sharding, ShardingCounters};

/// The tag of a cache request whose end nobody waits for.
pub(super) const DETACHED: u64 = u64::MAX;
/// The cache client's tokens begin here.
pub(super) const CLIENT: Token = Token(1 << 32);
/// The timer of the n-th job's pause is this plus n.
pub(super) const PAUSES: u64 = 1 << 41;
/// The tokens of requests to databases begin here.
const DATABASES: Token = Token(1 << 42);
/// The tokens of requests for pages begin here.
const PAGES: Token = Token(1 << 43);
/// The tokens of requests over shards begin here.
const SHARDS: Token = Token(1 << 44);

/// The tokens of jobs at job servers begin here.
const JOBS: Token = Token(1 << 62);

const _: () = assert!(PAUSES + (u32::MAX as u64) < DATABASES.0);
const _: () = assert!(DATABASES.0 + storytime_database::client::CLIENT_TOKENS <= PAGES.0);
const _: () = assert!(PAGES.0 + pages::TOKENS <= SHARDS.0);
const _: () = assert!(SHARDS.0 + storytime_sharding::SHARDING_TOKENS <= JOBS.0);

/// What the jobs of a host share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) cache: Client,
    pub(super) database: Option<DbLink>,
    /// The jobs that wait for the database, by the number of the query.
    pub(super) asked: BTreeMap<u32, u64>,
    /// What came for jobs without leaving this host.
    pub(super) at_once: VecDeque<(u64, Came)>,
    pub(super) book: Arc<Mutex<Book>>,
    /// Connections to caches.
    pub(super) conns: Vec<Conn>,
    pub(super) prefix: String,
    pub(super) part: u32,
    /// Pages that are asked for.
    pub(super) pages: Option<Pages>,
    /// Requests to databases.
    pub(super) dbd: Option<Dbd>,
    /// Requests over shards.
    pub(super) sharding: Option<Sharding>,
    /// Orders of moves.
    pub(super) orders: Option<Orders>,
    /// Jobs of job servers.
    pub(super) jobs: Option<Jobs>,
    /// What of the requests over shards was counted in the book.
    pub(super) sharding_counted: ShardingCounters,
    /// The databases, by the number of the host.
    pub(super) databases: Vec<Option<ServerId>>,
    /// Whether computing takes the time of this machine.
    pub(super) computes: bool,
    /// Memory that the jobs say they hold, bytes.
    pub(super) memory: u64,
    /// What jobs have computed so far, nanoseconds.
    pub(super) computed_ns: u64,
}

impl Desk {
    pub(super) fn new(config: &AppConfig, book: Arc<Mutex<Book>>) -> Self {
        let link = |(at, row_bytes_max): &(_, u32)| {
            DbLink::new(Endpoint::clone(at), config.timeout, *row_bytes_max as usize)
        };
        let has_databases = config.databases.iter().any(Option::is_some);
        let mut dbd = has_databases.then(|| Dbd::new(config.database_client.clone(), DATABASES));
        let databases = config.databases.iter().map(|at| {
            let (dbd, at) = dbd.as_mut().zip(at.as_ref())?;
            Some(dbd.server(at))
        });
        let databases = databases.collect();
        let (servers, choose) = &config.servers;
        let asks_pages = !servers.is_empty();
        Self {
            pages: asks_pages.then(|| Pages::new(servers, *choose, config.timeout, PAGES)),
            databases,
            dbd,
            sharding: config
                .sharding
                .clone()
                .map(|(options, map)| Sharding::new(options, map, SHARDS)),
            orders: config.coordinator.clone().map(|at| Orders::new(at, config.timeout)),
            jobs: config.job_servers.as_ref().map(|(servers, at)| Jobs::new(servers, at, JOBS)),
            sharding_counted: ShardingCounters::default(),
            computes: config.computes,
            memory: 0,
            computed_ns: 0,
            cache: Client::new(config.client.clone(), CLIENT),
            database: config.database.as_ref().map(link),
            asked: BTreeMap::new(),
            at_once: VecDeque::new(),
            book,
            conns: Vec::new(),
            prefix: format!("{}:", config.first_key),
            part: config.part,
        }
    }

    // Whether an event belongs to the pages or to the databases.

    pub(super) fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        self.pages.as_mut().is_some_and(|pages| pages.on_open(cx, conn, how))
            || self.dbd.as_mut().is_some_and(|dbd| dbd.on_open(cx, conn, how))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_open(cx, conn, how))
            || self.orders.as_mut().is_some_and(|orders| orders.on_open(conn, how))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_open(cx, conn, how))
    }

    pub(super) fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        self.pages.as_mut().is_some_and(|pages| pages.on_data(cx, conn, rx))
            || self.dbd.as_mut().is_some_and(|dbd| dbd.on_data(cx, conn, rx))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_data(cx, conn, rx))
            || self.orders.as_mut().is_some_and(|orders| orders.on_data(cx, conn, rx))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_data(cx, conn, rx))
    }

    pub(super) fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        self.dbd.as_mut().is_some_and(|dbd| dbd.on_eof(cx, conn))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_eof(cx, conn))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_eof(cx, conn))
    }

    pub(super) fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        self.pages.as_mut().is_some_and(|pages| pages.on_gone(conn))
            || self.dbd.as_mut().is_some_and(|dbd| dbd.on_gone(cx, conn, why))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_gone(cx, conn, why))
            || self.orders.as_mut().is_some_and(|orders| orders.on_gone(cx, conn))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_gone(cx, conn, why))
    }

    pub(super) fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        self.pages.as_mut().is_some_and(|pages| pages.on_failed(cx, connect))
            || self.dbd.as_mut().is_some_and(|dbd| dbd.on_failed(cx, connect, why))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_failed(cx, connect, why))
            || self.orders.as_ref().is_some_and(|orders| orders.on_failed(cx, connect))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_failed(cx, connect, why))
    }

    pub(super) fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        self.pages.as_mut().is_some_and(|pages| pages.on_timer(cx, timer))
            || self.dbd.as_mut().is_some_and(|dbd| dbd.on_timer(cx, timer))
            || self.sharding.as_mut().is_some_and(|shards| shards.on_timer(cx, timer))
            || self.orders.as_mut().is_some_and(|orders| orders.on_timer(cx, timer))
            || self.jobs.as_mut().is_some_and(|jobs| jobs.on_timer(cx, timer))
    }

    pub(super) fn invariants(&self) {
        if let Some(database) = &self.database {
            database.invariants();
        }
        if let Some(pages) = &self.pages {
            pages.invariants();
        }
        if let Some(dbd) = &self.dbd {
            dbd.invariants();
        }
        if let Some(sharding) = &self.sharding {
            sharding.invariants();
        }
        if let Some(jobs) = &self.jobs {
            jobs.invariants();
        }
    }
}
