//! The job server, as a machine: connections around the [`engine`](crate::engine).
//!
//! Packets and lines may come on one connection, in any order. A packet ends where its header says;
//! one that lies about that is told so and hung up on, and never takes bytes of the next.
//!
//! # What is bounded
//!
//! A packet by `--max-packet`, a line by [`LINE_BYTES_MAX`](crate::text::LINE_BYTES_MAX). Who does
//! not read is not read from; who is sent more than
//! [`OUTPUT_BYTES_MAX`](crate::config::OUTPUT_BYTES_MAX) without reading is hung up on. All
//! unfinished packets together, and all output that waits, by
//! [`HELD_BYTES_MAX`](crate::config::HELD_BYTES_MAX): who has most of it is hung up on. Who asks
//! for much lets others go first. Jobs (what they take, by `--max-memory`), functions and listeners
//! are the engine's to bound: `ERROR QUEUE_ERROR`.
//!
//! # Where it differs from the originals
//!
//! | what | C server 1.1.20 | here |
//! |---|---|---|
//! | a packet shorter than its arguments | swallows the next one | `ERROR INVALID_PACKET`, closed |
//! | a result of a job that was lost, or has ended | `ERROR JOB_NOT_FOUND` | counted |
//! | a result behind its time-out, if nobody else has the job | `ERROR JOB_NOT_FOUND` | taken |
//! | `WORK_FAIL` in place of an exception | a NUL behind the handle | none |
//! | `GET_STATUS` of a handle, unique key longer than 64 bytes | no answer | all zeros |
//! | an epoch beyond 64 bits | no answer | `ERROR INVALID_ARGUMENT` |
//! | `SUBMIT_JOB_SCHED` | `ERROR INVALID_COMMAND` | fires as its calendar says |
//! | a key whose job was abandoned, or cancelled | found, and never run | a new job |
//! | a background job whose last listener leaves | dropped | run |
//! | a cancelled job that runs | ends twice | ends once |
//! | `GRAB_JOB` behind an end, no job there | `NO_JOB` | a job, if one comes soon |
//! | `JOB_CREATED` to who has one job at a time | at once | with the result, if that comes soon |
//! | a job that lost its worker | goes to the end of the queue | keeps its place |
//! | high priority, functions of a worker | within a function; in order | of all; in turn |
//! | `CAN_DO` twice | two workers | one |
//! | `CAN_DO` of a sleeper, with jobs there | sleeps on | woken |
//! | `CANT_DO` of what runs | taken away | may end |
//! | names in text replies | as they came | control characters become `?` |
//! | `maxqueue` for a function that is not there | forgotten | kept |
//! | `create function` by a line without CR | loses a letter | does not |
//! | `drop function` | without case; with its jobs | by its name; if it has none |
//! | `counters` | `ERR UNKNOWN_COMMAND` | what happened so far, in numbers |
//! | first column of `workers` | the file descriptor | the connection's place |
//!
//! The tests that compare the two show most of these on both.
//!
//! Not modelled: `gladiator`, for which the Perl server needs a module that hardly anybody has.
//!
//! | module | holds |
//! |---|---|
//! | `serve` | input, cut into packets and lines; hanging up |
//! | `request` | what packets ask for |
//! | `results` | results of unique jobs, kept in memcached |
//! | `http` | jobs and counters over HTTP |
//! | `tenancy` | whose a connection is, and what its names mean |
//! | `monitor` | who is told what happens |
//! | `admin` | what lines ask for |
//! | `out` | replies on their way to connections |
//! | `acks` | handles that wait for their job's result |
//! | `session` | connections by their place |
//! | `handle` | names of jobs |
//! | `life` | listeners, timers |
//! | `secure` | TLS: handshakes that are under way |
//! | `relay` | one queue of two job servers |
//! | `reload` | what SIGHUP reads again |
//! | `recall` | jobs from the durable queue, and what waits for its disk |
//! | `turns` | connections that ask for much, and let others go first |
//! | `vigil` | workers that may be gone without a word |
//! | `around` | what the machine wants of the program around it |
//! | `counters`, `tokens` | numbers and names |

mod acks;
mod admin;
mod around;
mod counters;
mod handle;
mod http;
mod life;
mod monitor;
mod out;
mod recall;
mod relay;
mod reload;
mod request;
mod results;
mod secure;
mod serve;
mod session;
mod tenancy;
mod tokens;
mod turns;
mod vigil;

pub use around::{Nowhere, Surroundings};
pub use http::HEAD_BYTES_MAX;
pub use monitor::{BEHIND_BYTES_MAX, WATCHERS_MAX};
pub use results::{QUESTIONS_MAX, WAIT_MAX};

use crate::config::Config;
use crate::engine::{Engine, Number};
use crate::queue::Log;
use bytes::BytesMut;
use counters::Counters;
use handle::Handles;
use life::{Alarms, Door};
use monitor::Watchers;
use out::Wire;
use relay::Standby;
use results::Results;
use secure::Handshakes;
use session::Sessions;
use std::collections::VecDeque;
use std::sync::Arc;
use storytime_machine::{
    BindError, Boot, Close, Conn, Cx, DiskResult, Endpoint, Exit, Gone, IpAddr, Machine, Open,
    ResolveError, Signal, Token, Work,
};

/// Packets and lines; one unit each.
pub const WORK_PACKETS: Work = Work { index: 0, name: "gearmand_packets" };
/// Jobs submitted; one unit each.
pub const WORK_JOBS: Work = Work { index: 1, name: "gearmand_jobs" };

/// Where a server's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// One of two with a relay, and the other one serves, or nobody does yet.
    Following,
    /// Jobs are being read from the durable queue.
    Recovering,
    /// It does not listen everywhere yet.
    Starting,
    /// As it should be.
    Serving,
    /// It takes no connections any more, and ends when the last one has gone.
    Draining,
}

impl Phase {
    /// Whether jobs may be spoken of.
    const fn has_jobs(self) -> bool {
        !matches!(self, Self::Following | Self::Recovering)
    }
}

/// A job server.
#[derive(Debug)]
pub struct Gearmand {
    config: Config,
    around: Arc<dyn Surroundings>,
    phase: Phase,
    engine: Engine,
    handles: Handles,
    sessions: Sessions,
    /// The durable queue, if there is one.
    log: Option<Box<Log>>,
    /// As one of two with a relay: what it knows of the others.
    standby: Standby,
    /// The cache of results, if there is one.
    results: Option<Box<Results>>,
    counters: Counters,
    watchers: Watchers,
    listeners: Vec<Door>,
    /// Which of them is the first one of HTTP.
    http_from: usize,
    alarms: Alarms,
    /// What the connection that is being served has cost in this turn, beside its replies.
    toil: u64,
    /// Connections that had their turn and have sent more.
    waiting: VecDeque<Conn>,
    /// The next look at workers is set.
    vigil: bool,
    handshakes: Handshakes,
    /// It ends after this callback.
    stopping: Option<Exit>,
    /// A text reply being made.
    scratch: BytesMut,
}

impl Gearmand {
    /// A server that has not started.
    pub fn new(config: Config) -> Self {
        Self::within(config, Arc::new(Nowhere))
    }

    /// A server that has not started, in a program.
    pub fn within(config: Config, around: Arc<dyn Surroundings>) -> Self {
        Self {
            around,
            phase: Phase::Starting,
            engine: Engine::new(config.rules(), Number(1)),
            handles: Handles::new(""),
            sessions: Sessions::default(),
            log: config.queue_dir.as_deref().map(|dir| Box::new(Log::new(dir, &config))),
            standby: Standby::default(),
            results: config.result_cache.as_ref().map(|cache| Box::new(Results::new(cache))),
            counters: Counters::default(),
            watchers: Watchers::default(),
            listeners: Vec::new(),
            http_from: 0,
            alarms: Alarms::default(),
            toil: 0,
            waiting: VecDeque::new(),
            vigil: false,
            handshakes: Handshakes::default(),
            stopping: None,
            scratch: BytesMut::new(),
            config,
        }
    }

    /// The options.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The jobs, functions and workers.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What ends every callback.
    fn settle(&mut self, cx: &mut Cx) {
        self.hear_relay(cx);
        if !self.may_answer(cx) {
            return;
        }
        self.hear_results(cx);
        if self.phase.has_jobs() {
            if let Some(log) = &mut self.log {
                log.commit(cx, &self.engine);
            }
            self.hear_relay(cx);
            self.set_alarms(cx);
        }
        self.keep_vigil(cx);
        if self.stopping.is_some() || self.phase == Phase::Draining {
            self.end_if_due(cx);
        }
    }
}

impl Machine for Gearmand {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        let rules = crate::engine::Rules { secret: cx.rng().u64(), ..self.config.rules() };
        self.engine = Engine::new(rules, Number(1));
        self.engine.set_quotas(self.quotas());
        if self.config.tenants_file.is_some() && self.config.tenants.is_none() {
            return cx.exit(Exit::Failed("the file of --tenants was not read"));
        }
        self.handles = match &self.config.handle_prefix {
            Some(prefix) => Handles::new(prefix),
            None => Handles::new(&format!("H:host{}", boot.host)),
        };
        self.clock(cx);
        if let Some(results) = &mut self.results {
            results.start(cx);
        }
        match &mut self.log {
            Some(_) if self.config.relay.is_some() => self.begin_relay(cx),
            Some(log) => {
                self.phase = Phase::Recovering;
                log.open(cx);
            }
            None => self.begin_to_listen(cx),
        }
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.stopping = Some(Exit::Stopped);
        self.settle(cx);
    }

    fn signal(&mut self, cx: &mut Cx, signal: Signal) {
        match signal {
            Signal::Reload => self.reload(cx),
            Signal::User1 => self.drain(cx),
        }
        self.settle(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if self.pair().is_some_and(|pair| pair.on_open(cx, conn, &how)) {
            return self.settle(cx);
        }
        self.clock(cx);
        if self.cache_open(cx, conn, &how) {
            return self.settle(cx);
        }
        let Open::Accepted { peer, listener } = how else {
            unreachable!("nobody else connects to anybody");
        };
        self.counters.total_connections += 1;
        let http = listener >= tokens::listener(self.http_from);
        let standing = self.first_standing();
        self.sessions.insert(conn, peer, http, standing);
        if self.config.tls.is_some() {
            self.begin_tls(cx, conn);
        } else {
            self.http_await(cx, conn);
        }
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let pairs = self.pair().is_some_and(|pair| pair.on_data(cx, conn, rx));
        if !self.may_answer(cx) {
            return;
        }
        self.clock(cx);
        if !pairs && !self.cache_data(cx, conn, rx) && !self.http_data(cx, conn, rx) {
            self.serve(cx, conn, rx);
        }
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        let pairs = self.pair().is_some_and(|pair| pair.on_eof(cx, conn));
        if !pairs && self.may_answer(cx) {
            self.clock(cx);
            if !self.cache_eof(cx, conn) {
                self.hang_up(cx, conn, Close::Flush);
            }
        }
        self.settle(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        self.resume(cx, conn);
        self.watcher_drained(cx, conn);
    }

    fn secured(&mut self, cx: &mut Cx, conn: Conn) {
        self.is_secured(cx, conn);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        let pairs = self.pair().is_some_and(|pair| pair.on_gone(cx, conn, why));
        if !pairs && self.may_answer(cx) {
            self.clock(cx);
            if !self.cache_gone(cx, conn, why) {
                self.forget(cx, conn);
            }
        }
        self.settle(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let pairs = self.pair().is_some_and(|pair| pair.on_failed(cx, connect, why));
        self.clock(cx);
        let known = pairs || self.cache_failed(cx, connect, why);
        assert!(known, "nobody else connects to anybody");
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if self.relay_timer(cx, timer) || !self.may_answer(cx) {
            return self.settle(cx);
        }
        self.clock(cx);
        match tokens::leaving_slot(timer) {
            Some(slot) => self.lingers(cx, slot),
            None if self.cache_timer(cx, timer) => {}
            None if timer == tokens::MONITOR => self.tell_stats(cx),
            None if timer == tokens::VIGIL => self.look_around(cx),
            None if timer == tokens::TURN => self.next_turn(cx),
            None => self.tick(cx),
        }
        self.settle(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        self.clock(cx);
        match self.pair() {
            Some(pair) => assert!(pair.on_disk(cx, op, result), "the relay has the disk"),
            None => self.disk_done(cx, op, result),
        }
        self.settle(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        let found = result.as_deref().map_err(|why| *why);
        if !self.other_resolved(cx, lookup, &result) && !self.cache_resolved(cx, lookup, found) {
            self.name_found(cx, result);
        }
    }

    fn bound(&mut self, cx: &mut Cx, socket: Token, result: Result<Endpoint, BindError>) {
        if self.pair().is_some_and(|pair| pair.on_bound(cx, socket, &result)) {
            return self.settle(cx);
        }
        let nth = usize::try_from(socket.0).expect("listeners are few");
        self.door(cx, nth, result);
    }

    fn invariants(&self) {
        if self.phase != Phase::Recovering {
            // Jobs that come back are in no queue before the last of them is there.
            self.engine.invariants();
        }
        self.sessions.invariants();
        self.handshakes.invariants();
        self.watchers.invariants();
        if let Some(log) = &self.log {
            log.invariants();
        }
        if let Some(results) = &self.results {
            results.invariants();
        }
    }

    fn memory(&self) -> u64 {
        let results = self.results.as_ref().map_or(0, |results| results.memory());
        self.engine.memory() + self.sessions.memory() + self.scratch.capacity() as u64 + results
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.each_counter(each);
    }
}
