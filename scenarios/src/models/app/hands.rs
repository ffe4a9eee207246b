//! What a job can do: ask the cache, ask the database, pause, count.

use super::figures::Book;
use super::lock;
use super::machine::AppConfig;
use crate::models::db_link::DbLink;
use crate::models::query::Verb;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::{Conn, Cx, Endpoint, Rng, Time, Token, nanos};
use storytime_memcached::client::{
    Client, Count, FillId, Key, MetaGet, NotAccepted, Op, Outcome, Placement, Store,
    Verb as Condition,
};

/// The tag of a cache request whose end nobody waits for.
pub(super) const DETACHED: u64 = u64::MAX;
/// The cache client's tokens begin here.
pub(super) const CLIENT: Token = Token(1 << 32);
/// The timer of the n-th job's pause is this plus n.
pub(super) const PAUSES: u64 = 1 << 41;

/// What came for a job.
#[derive(Debug)]
pub enum Came {
    /// The cache's answer; what could not even be sent was not accepted.
    Cache(Outcome),
    /// A row of the database; none if it refused, fell silent or is away.
    Row(Option<BytesMut>),
    /// A pause is over.
    Woke,
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
}

impl Desk {
    pub(super) fn new(config: &AppConfig, book: Arc<Mutex<Book>>) -> Self {
        let link = |(at, row_bytes_max): &(_, u32)| {
            DbLink::new(Endpoint::clone(at), config.timeout, *row_bytes_max as usize)
        };
        Self {
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
}

/// What one job works with.
pub struct Hands<'a> {
    pub(super) cx: &'a mut Cx,
    pub(super) desk: &'a mut Desk,
    /// The job's tag.
    pub(super) tag: u64,
    pub(super) user: Option<u32>,
    pub(super) lane: u32,
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
