//! Sharding as a part of other machines: an application server, a batch job.
//!
//! It is no machine of its own. Its owner passes on the events of the connections and tokens that
//! are the part's (the methods named `on_…`), asks, and then drains
//! [`next_event`](Sharding::next_event).
//!
//! * Every request gets exactly one event, or an error at once.
//! * Users are looked up in memcached, then in the directory; reads and writes go to the shard's
//!   database over a [client of it](storytime_database::client). Whoever is not where he was
//!   thought to be is looked up anew, past the caches, a bounded number of times. See
//!   [`home`](crate::home) for why no read or write can go wrong by that.
//! * What caches promise is written down in [`options`](crate::options).
//! * The map can be exchanged at any time. What is under way goes on where it was sent.
//! * The tokens of timers and connects are [`SHARDING_TOKENS`] consecutive ones from a base that
//!   the owner gives.
//!
//! | module | holds |
//! |---|---|
//! | `dispatch` | what the owner passes on |
//! | `job` | requests under way |
//! | `place` | where a user is, and reads that check it |
//! | `rows`, `clause` | reading |
//! | `write`, `touch` | writing, and what caches are told |
//! | `register`, `number` | names, new users, numbers |
//! | `fan_out` | several requests at once |
//! | `index` | the index for questions across shards |
//! | `wire` | words and replies |
//!
//! # Not modelled
//!
//! Reads from replicas (they may be behind their master, and a home row that is behind protects
//! nobody), transactions over several users, pages through lists larger than a reply.

mod clause;
mod dispatch;
mod fan_out;
mod index;
mod job;
mod number;
mod place;
mod register;
mod rows;
mod touch;
mod wire;
mod write;

use crate::map::{NAME_BYTES_MAX, ShardId, ShardMap};
use crate::options::{CacheOptions, Options};
use crate::outcome::{Error, Event, NotAccepted, Outcome};
use crate::request::{CHANGES_MAX, Change, ITEMS_MAX, PARTS_MAX, Request};
use bytes::Bytes;
use index::Feed;
use job::{Input, Job, JobId, Jobs, Whose, Work};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storytime_database::client::{self as database, Failure, ServerId};
use storytime_machine::{Cx, Time, Token};
use storytime_memcached::client::{self as memcached, Key, Op, Outcome as Cached, ServerSpec};

/// Tokens that the part uses from its base on.
pub const SHARDING_TOKENS: u64 = database::CLIENT_TOKENS + memcached::CLIENT_TOKENS + 2;
/// The timer of deadlines, behind both clients' tokens.
const DEADLINE_TIMER: u64 = database::CLIENT_TOKENS + memcached::CLIENT_TOKENS;
/// The timer of the index, behind both clients' tokens.
const INDEX_TIMER: u64 = DEADLINE_TIMER + 1;

/// What the part counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ShardingCounters {
    /// Requests taken from the owner.
    pub requests: u64,
    /// Requests to databases, those of the index apart.
    pub database_requests: u64,
    /// Requests to memcached; a retrieval of many keys counts once.
    pub cache_requests: u64,
    /// Places found in memcached.
    pub place_hits: u64,
    /// Places asked for in memcached and not found.
    pub place_misses: u64,
    /// Lists and counts found in memcached.
    pub list_hits: u64,
    /// Lists and counts asked for in memcached and not found.
    pub list_misses: u64,
    /// Rows found in memcached.
    pub row_hits: u64,
    /// Rows asked for in memcached and not found.
    pub row_misses: u64,
    /// Times a user was not where he was thought to be.
    pub relocations: u64,
    /// Writes refused because their user was being moved.
    pub read_only: u64,
    /// Writes tried again because another writer was faster.
    pub retries: u64,
    /// Writes whose caches could not all be told.
    pub caches_not_told: u64,
    /// Parts of fan-outs that did not make it by the deadline.
    pub parts_late: u64,
    /// Entries written to the index.
    pub index_written: u64,
    /// Entries that found no place in the index's queue.
    pub index_dropped: u64,
}

/// The part.
#[derive(Debug)]
pub struct Sharding {
    options: Options,
    base: u64,
    map: ShardMap,
    database: database::Client,
    /// The database client's server of each shard.
    stores: BTreeMap<ShardId, ServerId>,
    directory: Option<ServerId>,
    memcached: Option<memcached::Client>,
    jobs: Jobs,
    /// What jobs have yet to be told.
    inputs: VecDeque<(JobId, u16, Input)>,
    deadlines: BTreeSet<(Time, JobId)>,
    feed: Feed,
    events: VecDeque<Event>,
    counters: ShardingCounters,
}

impl Sharding {
    /// A part that follows this map and uses the tokens from `base` on.
    ///
    /// # Panics
    /// If the tokens run over.
    pub fn new(options: Options, map: ShardMap, base: Token) -> Self {
        assert!(base.0.checked_add(SHARDING_TOKENS).is_some(), "the part's tokens are numbers");
        let behind = Token(base.0 + database::CLIENT_TOKENS);
        let caching = options.cache.as_ref();
        let memcached =
            caching.map(|cache| memcached::Client::new(cache.memcached.clone(), behind));
        let mut part = Self {
            database: database::Client::new(options.database.clone(), base),
            options,
            base: base.0,
            map: ShardMap::default(),
            stores: BTreeMap::new(),
            directory: None,
            memcached,
            jobs: Jobs::default(),
            inputs: VecDeque::new(),
            deadlines: BTreeSet::new(),
            feed: Feed::default(),
            events: VecDeque::new(),
            counters: ShardingCounters::default(),
        };
        part.set_map(map);
        part
    }

    /// Follows another map from now on.
    pub fn set_map(&mut self, map: ShardMap) {
        let database = &mut self.database;
        let mut server = |store: &crate::map::Store| database.database(&store.at, store.select);
        self.stores = map
            .shards
            .iter()
            .filter_map(|shard| map.master(shard.id).map(|store| (shard.id, server(&store))))
            .collect();
        self.directory = map.directory.as_ref().map(&mut server);
        self.feed.set_server(map.index.as_ref().map(&mut server));
        self.map = map;
    }

    /// Uses these memcached servers from now on.
    ///
    /// # Errors
    /// If there are too many; nothing changes then.
    pub fn set_caches(
        &mut self,
        cx: &mut Cx,
        servers: &[ServerSpec],
    ) -> Result<(), memcached::TooManyServers> {
        match &mut self.memcached {
            Some(client) => client.set_servers(cx, servers),
            None => Ok(()),
        }
    }

    /// The map in use.
    pub const fn map(&self) -> &ShardMap {
        &self.map
    }

    /// What happened so far.
    pub const fn counters(&self) -> &ShardingCounters {
        &self.counters
    }

    /// The connections to databases.
    pub const fn database(&self) -> &database::Client {
        &self.database
    }

    /// The connections to memcached, if there are any.
    pub const fn memcached(&self) -> Option<&memcached::Client> {
        self.memcached.as_ref()
    }

    /// Requests under way, parts of others included.
    pub fn pending(&self) -> usize {
        self.jobs.len()
    }

    /// Asks.
    ///
    /// # Errors
    /// If the request is not taken; see [`NotAccepted`].
    pub fn ask(&mut self, cx: &mut Cx, request: Request, tag: u64) -> Result<(), NotAccepted> {
        self.begin(request, Whose::Caller(tag))?;
        self.counters.requests += 1;
        self.run(cx);
        Ok(())
    }

    /// Makes a job of a request; it begins with the next run.
    fn begin(&mut self, request: Request, whose: Whose) -> Result<(), NotAccepted> {
        check(&request)?;
        if matches!((&request, whose), (Request::FanOut { .. }, Whose::Part { .. })) {
            return Err(NotAccepted::Nested);
        }
        if self.jobs.len() >= self.options.requests_max {
            return Err(NotAccepted::TooMany);
        }
        let id = self.jobs.insert(Job::new(request, whose)).ok_or(NotAccepted::TooMany)?;
        self.inputs.push_back((id, 0, Input::Begin));
        Ok(())
    }

    /// Goes on until everybody waits for somebody outside.
    fn run(&mut self, cx: &mut Cx) {
        loop {
            while let Some(event) = self.database.next_event() {
                if !self.index_replied(cx, event.tag, &event.outcome) {
                    let (id, part) = JobId::from_tag(event.tag);
                    self.inputs.push_back((id, part, Input::Database(event.outcome)));
                }
            }
            while let Some(event) = self.memcached.as_mut().and_then(memcached::Client::next_event)
            {
                let (id, part) = JobId::from_tag(event.tag);
                self.inputs.push_back((id, part, Input::Cache(event.outcome)));
            }
            let Some((id, part, input)) = self.inputs.pop_front() else { break };
            self.step(cx, id, part, input);
        }
    }

    /// Tells a job what happened.
    fn step(&mut self, cx: &mut Cx, id: JobId, part: u16, input: Input) {
        // What comes late to a job that has ended is dropped.
        let Some(mut job) = self.jobs.take(id) else { return };
        let outcome = match self.advance(cx, id, &mut job, part, input) {
            Ok(None) => return self.jobs.put_back(id, job),
            Ok(Some(outcome)) => Ok(outcome),
            Err(error) => Err(error),
        };
        self.jobs.end(id);
        match job.whose {
            Whose::Caller(tag) => self.events.push_back(Event { tag, outcome }),
            Whose::Part { parent, index } => {
                self.inputs.push_back((parent, index, Input::Part(outcome)));
            }
        }
    }

    fn advance(
        &mut self,
        cx: &mut Cx,
        id: JobId,
        job: &mut Job,
        part: u16,
        input: Input,
    ) -> Result<Option<Outcome>, Error> {
        let Some(input) = self.settle_place(cx, id, job, input)? else { return Ok(None) };
        match job.work {
            Work::Locate { .. } => self.locate_step(cx, id, job),
            Work::Rows(_) => self.rows_step(cx, id, job, input),
            Work::Clause(_) => self.clause_step(cx, id, job, input),
            Work::Write(_) => self.write_step(cx, id, job, part, input),
            Work::Register(_) => self.register_step(cx, id, job, input),
            Work::Find => self.find_step(cx, id, job, input),
            Work::Number(_) => self.number_step(cx, id, job, input),
            Work::Raw { .. } => self.raw_step(cx, id, job, input),
            Work::Latest { .. } => self.latest_step(cx, id, job, input),
            Work::FanOut(_) => self.fan_out_step(cx, id, job, part, input),
        }
    }

    /// Asks a database; its answer, or that there is none, is told later.
    fn ask_database(&mut self, cx: &mut Cx, id: JobId, server: ServerId, words: &[Bytes]) {
        self.counters.database_requests += 1;
        let words: Vec<&[u8]> = words.iter().map(|word| &word[..]).collect();
        if self.database.ask(cx, server, &words, id.tag(0)).is_err() {
            self.inputs.push_back((id, 0, Input::Database(Err(Failure::NotSent))));
        }
    }

    /// Asks memcached; its answer, or that there is none, is told later.
    fn ask_cache(&mut self, cx: &mut Cx, id: JobId, part: u16, key: &[u8], op: &Op<'_>) {
        self.counters.cache_requests += 1;
        let client = self.memcached.as_mut().expect("caches are asked where there are any");
        if let Err(why) = client.ask(cx, key, op, id.tag(part)) {
            self.inputs.push_back((id, part, Input::Cache(Cached::NotAccepted(why))));
        }
    }

    /// Asks memcached for several values.
    fn ask_cache_many(&mut self, cx: &mut Cx, id: JobId, keys: &[Vec<u8>]) {
        self.counters.cache_requests += 1;
        let client = self.memcached.as_mut().expect("caches are asked where there are any");
        let keys: Vec<Key<'_>> = keys.iter().map(Key::from).collect();
        if let Err(why) = client.get_many(cx, &keys, id.tag(0)) {
            self.inputs.push_back((id, 0, Input::Cache(Cached::NotAccepted(why))));
        }
    }

    /// Tells memcached something that nobody waits for.
    fn tell_cache(&mut self, cx: &mut Cx, key: &[u8], op: &Op<'_>) {
        if let Some(client) = &mut self.memcached {
            self.counters.cache_requests += 1;
            // A cache that does not take a value misses it next time.
            let _ = client.ask_quietly(cx, key, op);
        }
    }

    /// What is cached, if anything is.
    const fn caching(&self) -> Option<&CacheOptions> {
        self.options.cache.as_ref()
    }
}

/// Whether a table's or user's name can be part of a key and a word.
fn is_name(name: &[u8], bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&name.len()) && name.iter().all(|&b| b > b' ' && b != 0x7f)
}

/// Looks at what the caller asks for.
fn check(request: &Request) -> Result<(), NotAccepted> {
    let count_is_good = match request {
        Request::Rows { items, .. } => (1..=ITEMS_MAX).contains(&items.len()),
        Request::List { query, .. } => query.limit > 0,
        Request::Select { query, .. } => (1..=ITEMS_MAX as u32).contains(&query.limit),
        Request::Write { changes, .. } => (1..=CHANGES_MAX).contains(&changes.len()),
        Request::FanOut { parts, at_once, .. } => {
            (1..=PARTS_MAX).contains(&parts.len()) && *at_once > 0
        }
        Request::Number { count, .. } | Request::GlobalNumber { count, .. } => *count > 0,
        Request::Latest { limit, .. } => *limit > 0,
        Request::Shard { words, .. } => !words.is_empty(),
        Request::Find { .. }
        | Request::Register { .. }
        | Request::Locate { .. }
        | Request::Count { .. } => true,
    };
    if !count_is_good {
        return Err(NotAccepted::BadCount);
    }
    let is_table = |table: &Bytes| is_name(table, NAME_BYTES_MAX);
    let names_are_good = match request {
        Request::Find { name } | Request::Register { name, .. } => {
            is_name(name, crate::directory::USER_NAME_BYTES_MAX)
        }
        Request::List { table, .. }
        | Request::Count { table, .. }
        | Request::Rows { table, .. }
        | Request::Select { table, .. }
        | Request::Number { table, .. }
        | Request::GlobalNumber { space: table, .. }
        | Request::Latest { table, .. } => is_table(table),
        Request::Write { changes, .. } => changes.iter().map(Change::table).all(is_table),
        Request::Locate { .. } | Request::Shard { .. } => true,
        Request::FanOut { parts, .. } => return parts.iter().try_for_each(check),
    };
    if names_are_good { Ok(()) } else { Err(NotAccepted::BadName) }
}
