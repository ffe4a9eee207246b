//! What a job can do: ask the cache, ask the database, pause, count.

use super::desk::{DETACHED, Desk, PAUSES};
use super::jobs::{Assigned, Said};
use super::{WORK_CPU, lock};
use crate::models::pages::Page;
use crate::models::query::Verb;
use bytes::{Bytes, BytesMut};
use std::time::{Duration, Instant};
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_gearman::client::{Event as JobEvent, Job};
use storytime_machine::{Cx, Rng, Time, Token, nanos};
use storytime_memcached::client::{
    Client, Count, FillId, Key, MetaGet, NotAccepted, Op, Outcome, Placement, Store,
    Verb as Condition,
};
use storytime_sharding::mover::wire::Line;
use storytime_sharding::{
    Error as ShardsError, Outcome as Sharded, Request, ShardMap, ShardingCounters,
};

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

    /// One of several, drawn by their weights; the first if nothing has any.
    pub fn draw<K: Copy>(&mut self, all: &[(K, u64)]) -> K {
        let sum: u64 = all.iter().map(|(_, weight)| weight).sum();
        let mut drawn = self.rng().below(sum.max(1));
        let chosen = all.iter().find(|(_, weight)| {
            let before = drawn;
            drawn = drawn.saturating_sub(*weight);
            before < *weight
        });
        chosen.unwrap_or(&all[0]).0
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

    /// The worker of this host dies, and another one takes its place: its connections to the job
    /// servers are cut, and what they gave it is theirs again. What it had begun the workload has
    /// to leave alone.
    pub fn hang_up(&mut self) {
        if let Some(jobs) = &mut self.desk.jobs {
            jobs.hang_up(self.cx);
        }
    }

    /// The process holds so much memory from now on, bytes. With more than its host has, it is
    /// killed.
    pub const fn hold(&mut self, bytes: u64) {
        self.desk.memory = bytes;
    }

    /// The process takes no more jobs of job servers, and exits when it has ended those that it
    /// has. Whoever supervises its host starts it again.
    pub fn leave(&mut self) {
        if let Some(jobs) = &mut self.desk.jobs {
            jobs.leave(self.cx);
        }
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

    /// Says a word under a metric. Of several hosts the last one's counts: all must say the same.
    pub fn word(&mut self, name: &str, word: String) {
        lock(&self.desk.book).word(name, word);
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
