//! Results of unique jobs, kept in memcached for who submits the same job again.
//!
//! A foreground job with a unique key waits for word of the cache before it is queued; its client
//! has its handle meanwhile. If the result is there, the job ends with it and no worker hears of
//! it. Who submits the same job while the cache is asked joins that job, so the cache is asked
//! once. What a worker then completes is put into the cache, `WORK_DATA` and all.
//!
//! The cache can only ever help: a question that is not answered within [`WAIT_MAX`] is a miss, and
//! so is every question while the server that would have it rests after a failure. No more than
//! [`QUESTIONS_MAX`] questions are open at once; jobs beyond them are not asked about.
//!
//! Not kept: results of background jobs, of jobs with a reducer, of jobs whose worker warned, and
//! failures. What a result depends on beside function and key is not known here: that all of it is
//! in the key is for whoever turns the cache on to see to.
//!
//! | module | holds |
//! |---|---|
//! | `key` | what a result is kept under |
//! | `parts` | data that came before its result |
//! | `seam` | where the server and its cache meet |
//!
//! In memcached a value is the data of all `WORK_DATA`, then that of `WORK_COMPLETE`; its flags
//! say how long the first is.

mod key;
mod parts;
mod seam;

use super::tokens;
use crate::config::ResultCache;
use crate::engine::{Number, Payload, Ran, Submit, Work};
use crate::tools::Place;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use parts::Parts;
use storytime_machine::{Cx, Endpoint, IpAddr};
use storytime_memcached::client::{
    Client, ClientOptions, DeadServer, Event, HealthOptions, Node, Outcome, Piece, PoolOptions,
    Scheme, ServerSpec, Store, Value, Verb,
};

/// Longest that a job waits for word of the cache.
pub const WAIT_MAX: Duration = Duration::from_millis(50);
/// Most questions that are open at once.
pub const QUESTIONS_MAX: usize = 4 << 10;
/// Most bytes that wait to leave for one server: results that do not fit are not kept.
const UNSENT_BYTES_MAX: usize = 16 << 20;
/// Longest rest of a server that failed.
const REST_MAX: Duration = Duration::from_secs(10);
/// A name that was not found is looked up again after so long.
const LOOK_UP_EVERY: Duration = Duration::from_secs(10);
/// The tag of what is stored; questions have the numbers of their jobs, which are above.
const STORED: u64 = 0;

/// The cache, as the server uses it.
#[derive(Debug)]
pub(super) struct Results {
    client: Client,
    places: Vec<Place>,
    found: Vec<Option<IpAddr>>,
    seconds: i32,
    bytes_max: usize,
    /// Questions that are open.
    questions: usize,
    parts: Parts,
    /// The operator was told that it cannot be reached.
    missed: bool,
    /// The key being written.
    key: BytesMut,
    counters: Counters,
}

/// What happened since the start.
#[derive(Debug, Default)]
struct Counters {
    hits: u64,
    misses: u64,
    /// Questions that nobody answered, and those that could not be asked.
    unanswered: u64,
    stores: u64,
    /// Results that could not be kept.
    not_stored: u64,
}

impl Results {
    pub(super) fn new(config: &ResultCache) -> Self {
        let pool = PoolOptions {
            connect_timeout: WAIT_MAX,
            request_timeout: WAIT_MAX,
            pending_max: 2 * QUESTIONS_MAX,
            unsent_bytes_max: UNSENT_BYTES_MAX,
            value_bytes_max: config.bytes_max,
            health: HealthOptions { pause_max: REST_MAX, ..HealthOptions::default() },
            ..PoolOptions::default()
        };
        let options = ClientOptions {
            scheme: Scheme::KetamaWeighted,
            dead_server: DeadServer::Fail,
            piece_bytes_max: config.bytes_max,
            pool,
            ..ClientOptions::default()
        };
        Self {
            client: Client::new(options, tokens::RESULTS),
            found: config.servers.iter().map(|place| place.host.parse().ok()).collect(),
            places: config.servers.clone(),
            seconds: i32::try_from(config.seconds).expect("the command line has no more"),
            bytes_max: config.bytes_max,
            questions: 0,
            parts: Parts::default(),
            missed: false,
            key: BytesMut::new(),
            counters: Counters::default(),
        }
    }

    /// Looks up where the servers are.
    pub(super) fn start(&mut self, cx: &mut Cx) {
        self.look_up(cx);
        self.use_found(cx);
    }

    fn look_up(&self, cx: &mut Cx) {
        for (nth, place) in self.places.iter().enumerate() {
            if self.found[nth].is_none() {
                cx.resolve(tokens::cache_lookup(nth), place.host.as_str());
            }
        }
    }

    fn use_found(&mut self, cx: &mut Cx) {
        let all = self.places.iter().zip(&self.found);
        let known = all.filter_map(|(place, ip)| {
            let node = Node::new(place.host.clone(), place.port);
            (*ip).map(|ip| ServerSpec { node, at: Endpoint::tcp(ip, place.port) })
        });
        let known: Vec<ServerSpec> = known.collect();
        self.client.set_servers(cx, &known).expect("the command line names few");
    }

    /// A name was looked up; false if it has no address.
    fn resolved(&mut self, cx: &mut Cx, nth: usize, ips: &[IpAddr]) -> bool {
        match ips.iter().find(|ip| ip.is_ipv4()).or_else(|| ips.first()) {
            Some(&ip) => {
                self.found[nth] = Some(ip);
                self.use_found(cx);
            }
            None => cx.after(tokens::CACHE_LOOK_UP, LOOK_UP_EVERY),
        }
        !ips.is_empty()
    }

    /// Asks for the result of a job. False if it cannot be asked for.
    fn ask(&mut self, cx: &mut Cx, number: Number, job: &Submit<'_>) -> bool {
        let asked = self.questions < QUESTIONS_MAX
            && key::write(job.function, job.unique, &job.data, &mut self.key)
            && self.client.get(cx, &self.key, number.0).is_ok();
        if asked {
            self.questions += 1;
        } else {
            self.counters.unanswered += 1;
        }
        asked
    }

    /// A worker says something of a job. `runs` says whether one still runs.
    fn note(
        &mut self,
        cx: &mut Cx,
        number: Number,
        job: &Ran<'_>,
        work: &Work<'_>,
        runs: impl Fn(Number) -> bool,
    ) {
        if job.background || job.splits || job.unique.is_empty() {
            return;
        }
        match work {
            Work::Status { .. } => {}
            Work::Data(data) => self.parts.add(number, job.losses, data, self.bytes_max, runs),
            Work::Warning(_) => self.parts.spoil(number, job.losses),
            Work::Fail | Work::Exception(_) => drop(self.parts.take(number, job.losses)),
            Work::Complete(result) => {
                if let Some(data) = self.parts.take(number, job.losses) {
                    self.keep(cx, job, data, result);
                }
            }
        }
    }

    fn keep(&mut self, cx: &mut Cx, job: &Ran<'_>, mut data: BytesMut, result: &Payload<'_>) {
        if data.len() + result.len() > self.bytes_max {
            return;
        }
        if !key::write(job.function, job.unique, &job.data, &mut self.key) {
            return;
        }
        let flags = u32::try_from(data.len()).expect("results are bounded");
        let value = match (data.is_empty(), result) {
            (true, Payload::Slice(result)) => Piece::Copy(result),
            (true, Payload::Shared(result)) => Piece::Share((*result).clone()),
            (false, result) => {
                data.extend_from_slice(result);
                Piece::Share(data.freeze())
            }
        };
        let store = Store { flags, exptime: self.seconds, ..Store::new(Verb::Set, value) };
        if self.client.store(cx, &self.key, store, STORED).is_err() {
            self.counters.not_stored += 1;
        }
    }

    /// The next answer to a question: the job, and its result if there is one.
    fn next(&mut self) -> Option<(Number, Option<Value>)> {
        loop {
            let Event { tag, outcome } = self.client.next_event()?;
            let counters = &mut self.counters;
            if tag == STORED {
                match outcome {
                    Outcome::Stored => counters.stores += 1,
                    _ => counters.not_stored += 1,
                }
                continue;
            }
            self.questions -= 1;
            let (counter, found) = match outcome {
                // What others put there may be anything.
                Outcome::Hit(value) if value.flags as usize <= value.data.len() => {
                    (&mut counters.hits, Some(value))
                }
                Outcome::Hit(_) | Outcome::Miss => (&mut counters.misses, None),
                _ => (&mut counters.unanswered, None),
            };
            *counter += 1;
            return Some((Number(tag), found));
        }
    }

    /// The data that came before a result, and the result.
    fn parts_of(value: Value) -> (Bytes, Bytes) {
        let mut data = value.data;
        let result = data.split_off(value.flags as usize);
        (data, result)
    }

    /// Tells the counters, all of them zero where there is no cache.
    pub(super) fn each_counter(this: Option<&Self>, each: &mut dyn FnMut(&'static str, u64)) {
        let none = Counters::default();
        let counters = this.map_or(&none, |results| &results.counters);
        for (name, value) in [
            ("result_cache_hits", counters.hits),
            ("result_cache_misses", counters.misses),
            ("result_cache_unanswered", counters.unanswered),
            ("result_cache_stores", counters.stores),
            ("result_cache_not_stored", counters.not_stored),
            ("result_cache_questions", this.map_or(0, |results| results.questions as u64)),
        ] {
            each(name, value);
        }
    }

    pub(super) fn memory(&self) -> u64 {
        self.parts.bytes() as u64
    }

    pub(super) fn invariants(&self) {
        self.client.invariants();
        self.parts.invariants();
        assert!(self.questions <= QUESTIONS_MAX, "questions are bounded");
    }
}
