//! What a job can do: ask the cache, ask the database, pause, count.

use super::figures::Book;
use super::jobs::{Assigned, Jobs, Said};
use super::machine::AppConfig;
use super::orders::Orders;
use super::{WORK_CPU, lock};
use crate::models::db_link::DbLink;
use crate::models::pages::{self, Page, Pages};
use crate::models::query::Verb;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use storytime_database::Reply;
use storytime_database::client::{Client as Dbd, Failure, ServerId};
use storytime_gearman::client::{Event as JobEvent, Job};
use storytime_machine::{Conn, Cx, Endpoint, Gone, Open, Rng, Time, Token, nanos};
use storytime_memcached::client::{
    Client, Count, FillId, Key, MetaGet, NotAccepted, Op, Outcome, Placement, Store,
    Verb as Condition,
};
use storytime_sharding::mover::wire::Line;
use storytime_sharding::{
    Error as ShardsError, Outcome as Sharded, Request, ShardMap, Sharding, ShardingCounters,
};

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

/// What came for a job.
#[derive(Debug)]
pub enum Came {
    /// The cache's answer; what could not even be sent was not accepted.
    Cache(Outcome),
    /// A row of the database; none if it refused, fell silent or is away.
    Row(Option<BytesMut>),
    /// A pause is over.
    Woke,
    /// What became of a page that was asked for.
    Page(Page),
    /// A database's reply, or why there is none.
    Dbd(Result<Reply, Failure>),
    /// How a request over shards ended.
    Shards(Result<Sharded, ShardsError>),
    /// What was said to an order; nothing if nobody answered.
    Ordered(Option<Line>),
    /// Something happened to a job that it submitted.
    Job {
        /// Which of those that it submitted, as it said itself.
        nth: u32,
        /// What; the last event about a job is an end.
        event: JobEvent,
    },
}

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
    databases: Vec<Option<ServerId>>,
    computes: bool,
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
            jobs: config
                .job_servers
                .as_ref()
                .map(|(servers, at)| Jobs::new(servers, at, config.workers, JOBS)),
            sharding_counted: ShardingCounters::default(),
            computes: config.computes,
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

/// What one job works with.
pub struct Hands<'a> {
    pub(super) cx: &'a mut Cx,
    pub(super) desk: &'a mut Desk,
    /// The job's tag.
    pub(super) tag: u64,
    pub(super) user: Option<u32>,
    pub(super) lane: u32,
    /// What a browser or proxy asks for.
    pub(super) path: Option<&'a str>,
    /// How long its page is to be.
    pub(super) page_bytes: Option<u32>,
    /// Which of the job servers' jobs this is, if it is one.
    pub(super) assigned: Option<u32>,
    /// Its result.
    pub(super) result: Option<Bytes>,
}

impl Hands<'_> {
    /// This host's clock.
    pub const fn now(&self) -> Time {
        self.cx.now()
    }

    /// This host's wall clock, nanoseconds since 1970: what values that travel between hosts carry.
    pub const fn wall_ns(&self) -> u64 {
        self.cx.wall_clock().0
    }

    /// This host's stream of random numbers.
    pub const fn rng(&mut self) -> &mut Rng {
        self.cx.rng()
    }

    /// Which host of the load this is, from 0.
    pub const fn part(&self) -> u32 {
        self.desk.part
    }

    /// Who waits for the job in a closed loop, numbered over all hosts; 0 in an open one.
    pub fn user(&self) -> u32 {
        self.user.unwrap_or(0)
    }

    /// In which lane the timeline's word is carried out, from 0.
    pub const fn lane(&self) -> u32 {
        self.lane
    }

    /// A key of this run: its name behind what the seed drew.
    pub fn key(&self, name: &str) -> String {
        format!("{}{name}", self.desk.prefix)
    }

    /// The path that a browser or a proxy asks for; `None` if nobody asked.
    pub const fn path(&self) -> Option<&str> {
        self.path
    }

    /// How long the page is that they are sent.
    pub const fn page(&mut self, bytes: u32) {
        self.page_bytes = Some(bytes);
    }

    /// Computes for so long on this host's core. What is sent in this step leaves behind it.
    pub fn compute(&mut self, length: Duration) {
        self.cx.work(WORK_CPU, nanos(length));
        self.desk.computed_ns += nanos(length);
        if self.desk.computes {
            let until = Instant::now() + length;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
        }
    }

    /// Asks a web server for a page.
    ///
    /// # Panics
    /// If the load has no servers, which its reader ruled out.
    pub fn fetch(&mut self, path: String) {
        let pages = self.desk.pages.as_mut().expect("this workload has servers");
        pages.ask(self.cx, path, self.tag);
    }

    /// Asks the database of a host: a request's words, its name first.
    ///
    /// # Panics
    /// If that host runs none, which its reader ruled out.
    pub fn dbd(&mut self, host: usize, words: &[&[u8]]) {
        let desk = &mut *self.desk;
        let server = desk.databases[host].expect("a host of a cluster runs a database");
        let dbd = desk.dbd.as_mut().expect("there is a database, so there is a client");
        if dbd.ask(self.cx, server, words, self.tag).is_err() {
            // Too many are under way: it was not sent.
            desk.at_once.push_back((self.tag, Came::Dbd(Err(Failure::NotSent))));
        }
    }

    /// Asks for something of a user's, wherever that is.
    ///
    /// # Panics
    /// If the load has no shards, or asks what the part does not take: a bug of the workload.
    pub fn shards(&mut self, request: Request) {
        let sharding = self.desk.sharding.as_mut().expect("this workload has shards");
        let taken = sharding.ask(self.cx, request, self.tag);
        taken.expect("workers are fewer than requests may be");
    }

    /// Orders a move, or asks for their number.
    ///
    /// # Panics
    /// If the load has no coordinator, which its reader ruled out.
    pub fn order(&mut self, line: Line) {
        let orders = self.desk.orders.as_mut().expect("this workload has a coordinator");
        orders.say(self.cx, line, self.tag);
    }

    /// Submits a job to the load's job servers, as the `nth` of this one; see [`Came::Job`].
    ///
    /// # Panics
    /// If the load has no job servers, which its reader ruled out.
    pub fn submit(&mut self, nth: u32, job: Job) {
        let jobs = self.desk.jobs.as_mut().expect("this workload has job servers");
        jobs.submit(self.cx, job, self.tag, nth);
    }

    /// What a job server wants done; `None` if this is no job of a job server's.
    pub fn assigned(&self) -> Option<&Assigned> {
        self.desk.jobs.as_ref()?.assigned(self.assigned?)
    }

    /// Tells something of it to those who wait, before its end. A slow server does not take it.
    pub fn say(&mut self, said: &Said) {
        if let Some((jobs, number)) = self.desk.jobs.as_mut().zip(self.assigned) {
            let _not_taken = jobs.say(self.cx, number, said);
        }
    }

    /// The result that they are sent with the end of this step, if it is the last.
    pub fn result(&mut self, data: Bytes) {
        self.result = Some(data);
    }

    /// What the requests over shards of this host were like so far.
    pub fn shard_counters(&self) -> ShardingCounters {
        self.desk.sharding.as_ref().map_or_else(ShardingCounters::default, |s| *s.counters())
    }

    /// The map by which shards are found.
    pub fn shard_map(&self) -> ShardMap {
        self.desk.sharding.as_ref().map_or_else(ShardMap::default, |s| s.map().clone())
    }

    /// Finds shards by another map from now on.
    pub fn use_shard_map(&mut self, map: ShardMap) {
        if let Some(sharding) = &mut self.desk.sharding {
            sharding.set_map(map);
        }
    }

    /// How far the index for questions across shards is behind this host's writes: the age of the
    /// oldest entry that it has not taken, and how many there are.
    pub fn index_lag(&self) -> (Duration, u64) {
        let now = self.cx.now();
        self.desk.sharding.as_ref().map_or((Duration::ZERO, 0), |sharding| {
            (sharding.index_lag(now), sharding.index_waiting() as u64)
        })
    }

    // ---- the cache ------------------------------------------------------------------------------

    fn ask(
        &mut self,
        tag: u64,
        ask: impl FnOnce(&mut Client, &mut Cx, u64) -> Result<(), NotAccepted>,
    ) {
        self.count("cache_requests", 1);
        if let Err(why) = ask(&mut self.desk.cache, self.cx, tag) {
            let outcome = Outcome::NotAccepted(why);
            self.desk.at_once.push_back((tag, Came::Cache(outcome)));
        }
    }

    fn op(&mut self, key: &str, op: &Op<'_>) {
        self.ask(self.tag, |cache, cx, tag| cache.ask(cx, key, op, tag));
    }

    fn store(&mut self, verb: Condition, key: &str, value: &[u8], exptime: u32) {
        let exptime = exptime.cast_signed();
        self.op(key, &Op::Store(Store { exptime, ..Store::new(verb, value) }));
    }

    /// Asks for a value.
    pub fn get(&mut self, key: &str) {
        self.op(key, &Op::Get);
    }

    /// Asks for a value and its version.
    pub fn gets(&mut self, key: &str) {
        self.op(key, &Op::Gets);
    }

    /// Asks for several values, each server once.
    pub fn get_many(&mut self, keys: &[String]) {
        let keys: Vec<Key<'_>> = keys.iter().map(Key::from).collect();
        self.ask(self.tag, |cache, cx, tag| cache.get_many(cx, &keys, tag));
    }

    /// Stores a value for so many seconds, 0 for ever.
    pub fn set(&mut self, key: &str, value: &[u8], exptime: u32) {
        self.store(Condition::Set, key, value, exptime);
    }

    /// The same, and nobody waits for the answer.
    pub fn set_and_forget(&mut self, key: &str, value: &[u8], exptime: u32) {
        let exptime = exptime.cast_signed();
        self.ask(DETACHED, |cache, cx, tag| cache.set(cx, key, value, exptime, tag));
    }

    /// Stores a value where none is.
    pub fn add(&mut self, key: &str, value: &[u8], exptime: u32) {
        self.store(Condition::Add, key, value, exptime);
    }

    /// Stores a value over a version.
    pub fn cas(&mut self, key: &str, value: &[u8], exptime: u32, version: u64) {
        self.store(Condition::Cas(version), key, value, exptime);
    }

    /// Counts a number up.
    pub fn incr(&mut self, key: &str, by: u64) {
        self.op(key, &Op::Count(Count { by, down: false, initial: None }));
    }

    /// Deletes a value.
    pub fn delete(&mut self, key: &str) {
        self.op(key, &Op::Delete);
    }

    /// Asks for a value that one asker is to compute: where nothing is, or in the last `recache`
    /// seconds. That one has `vivify` seconds to do it.
    pub fn lease(&mut self, key: &str, vivify: u32, recache: u32) {
        let (vivify, recache) = (Some(vivify.cast_signed()), Some(recache.cast_signed()));
        let get = MetaGet { value: true, vivify, recache, ..MetaGet::default() };
        self.op(key, &Op::MetaGet(&get));
    }

    /// Asks for a value that is filled in by whoever hears [`Outcome::Fill`].
    pub fn read_through(&mut self, key: &str) {
        self.ask(self.tag, |cache, cx, tag| cache.read_through(cx, key, tag));
    }

    /// Fills a value in; the answer to the read-through comes behind it.
    pub fn fill(&mut self, id: FillId, value: &[u8], exptime: u32) {
        let exptime = exptime.cast_signed();
        let store = Store { exptime, ..Store::new(Condition::Set, value) };
        self.desk.cache.fill(self.cx, id, &store);
    }

    /// Stores a value in pieces.
    pub fn set_large(&mut self, key: &str, value: &Bytes, exptime: u32) {
        let exptime = exptime.cast_signed();
        self.ask(self.tag, |cache, cx, tag| cache.set_large(cx, key, value, 0, exptime, tag));
    }

    /// Reads a value that may be in pieces.
    pub fn get_large(&mut self, key: &str) {
        self.ask(self.tag, |cache, cx, tag| cache.get_large(cx, key, tag));
    }

    /// How keys are placed now.
    pub const fn placement(&self) -> &Placement {
        self.desk.cache.placement()
    }

    // ---- the rest -------------------------------------------------------------------------------

    /// Asks the database for a row.
    ///
    /// # Panics
    /// If the load has no database, which its reader ruled out.
    pub fn query(&mut self, key: &str) {
        self.ask_database(Verb::Read, key);
    }

    /// Has the database change a row.
    ///
    /// # Panics
    /// If the load has no database, which its reader ruled out.
    pub fn update(&mut self, key: &str) {
        self.ask_database(Verb::Update, key);
    }

    fn ask_database(&mut self, verb: Verb, key: &str) {
        self.count("queries", 1);
        let database = self.desk.database.as_mut().expect("this workload has a database");
        match database.ask(self.cx, verb, key.as_bytes()) {
            Some(id) => {
                self.desk.asked.insert(id, self.tag);
            }
            None => self.desk.at_once.push_back((self.tag, Came::Row(None))),
        }
    }

    /// Does other work, or waits, for so long.
    pub fn pause(&mut self, length: Duration) {
        self.cx.after(Token(PAUSES + (self.tag & u64::from(u32::MAX))), length);
    }

    /// Counts things under a metric.
    pub fn count(&mut self, name: &str, n: u64) {
        let now = self.cx.now();
        lock(&self.desk.book).count(name, now, n);
    }

    /// Counts a part of a whole under a metric.
    pub fn share(&mut self, name: &str, part: u64, whole: u64) {
        let now = self.cx.now();
        lock(&self.desk.book).share(name, now, part, whole);
    }

    /// Notes a level under a metric.
    pub fn level(&mut self, name: &str, level: u64) {
        let now = self.cx.now();
        lock(&self.desk.book).level(name, now, level);
    }

    /// Counts things that belong to a point of a curve; of shares, a part of a whole.
    pub fn at(&mut self, name: &str, x: u64, part: u64, whole: u64) {
        lock(&self.desk.book).at(name, x, part, whole);
    }

    /// Records the time since a moment under a metric.
    pub fn time_since(&mut self, name: &str, since: Time) {
        let ns = nanos(self.cx.now().since(since));
        lock(&self.desk.book).time(name, ns);
    }
}
