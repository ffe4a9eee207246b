//! A worker as a part of other machines: takes jobs from any number of job servers.
//!
//! ```text
//!  per server:
//!             connected            asked              a job
//!   Away ─────────────► Awake ◄──────────► AwaitJob ─────────► Awake, and the job is the owner's
//!                         ▲                    │ none
//!                         │ woken, or long ago │
//!                         └──── Asleep ◄── Dry ◄┘ once every server was asked
//! ```
//!
//! * Servers are asked in turn, one after the other, so that none is preferred. When all of those
//!   that are awake have no job, the worker goes to sleep at all of them (`PRE_SLEEP`), and is
//!   woken by `NOOP`. It asks again by itself after [`poll_after`](WorkerOptions::poll_after), so
//!   that a lost wake-up or a server without power is noticed.
//! * At most [`jobs_max`](WorkerOptions::jobs_max) jobs are the owner's at once. Each is ended by
//!   [`complete`](Worker::complete), [`fail`](Worker::fail) or [`exception`](Worker::exception), or
//!   the owner is told [`WorkerEvent::JobGone`]: the server gives the job to somebody else. The
//!   owner ends it all the same, because until then it counts as being worked on.
//! * A result is handed to the connection. Whether the server got it is not known: if the
//!   connection is lost before, the job runs again elsewhere. The protocol has no word for it.
//! * A result that finds the connection full waits; a part of a result that does is refused
//!   ([`NotTaken::Full`]), and [`WorkerEvent::Room`] follows.
//! * A server that cannot be reached, or whose connection was lost, is left alone for
//!   [`retry_after`](WorkerOptions::retry_after), doubled with each failure in a row up to
//!   [`retry_after_max`](WorkerOptions::retry_after_max), and up to a quarter more by chance.
//! * Each method named `on_…` says whether the event was the worker's.
//!
//! # Not modelled
//!
//! Jobs that are pushed without being asked for (`ALL_YOURS`, which no server does).

mod dispatch;
mod duty;
mod jobs;
mod options;
mod work;

pub use crate::client::{Handle, Name, SERVERS_MAX, ServerId};
pub use crate::engine::{Dialect, Grab};
pub use jobs::JobId;
pub use options::{Down, NotTaken, WorkerCounters, WorkerEvent, WorkerOptions};

use crate::links::{LinkOptions, Links, Stand};
use bytes::Bytes;
use core::time::Duration;
use duty::{Duty, Server};
use jobs::Jobs;
use std::collections::VecDeque;
use storytime_machine::{Conn, Endpoint, Time, Token};

/// Tokens that a worker uses from its base on.
pub const WORKER_TOKENS: u64 = SERVERS_MAX as u64 + 1;
/// Most jobs that a worker has at once.
pub const JOBS_MAX: usize = 1 << 16;
/// Most functions of a worker.
pub const FUNCTIONS_MAX: usize = 1 << 12;

/// A function.
#[derive(Debug)]
struct Function {
    name: Bytes,
    /// How long a job may take.
    timeout: Option<Duration>,
    /// Whether the worker still can do it.
    can: bool,
}

/// A worker.
#[derive(Debug)]
pub struct Worker {
    options: WorkerOptions,
    base: u64,
    links: Links,
    servers: Vec<Server>,
    /// What it can do, and what it could.
    functions: Vec<Function>,
    jobs: Jobs,
    /// Servers that were asked and have not answered.
    asked: usize,
    /// The server that is asked next.
    next: u32,
    /// Takes no more jobs, and leaves.
    leaves: bool,
    /// When the timer is due, if it is set.
    timer_at: Option<Time>,
    events: VecDeque<WorkerEvent>,
    counters: WorkerCounters,
}

impl Worker {
    /// A worker; its tokens are [`WORKER_TOKENS`] consecutive ones from `base`. It does nothing
    /// before [`Worker::start`].
    ///
    /// # Panics
    /// If the tokens run over, there are more than [`SERVERS_MAX`] servers or [`FUNCTIONS_MAX`]
    /// functions, or it may have no job or more than [`JOBS_MAX`].
    pub fn new(mut options: WorkerOptions, base: Token) -> Self {
        assert!(base.0.checked_add(WORKER_TOKENS).is_some(), "the worker's tokens are numbers");
        assert!((1..=JOBS_MAX).contains(&options.jobs_max), "a worker works");
        assert!(options.functions.len() <= FUNCTIONS_MAX, "more functions than there can be");
        let link = LinkOptions {
            connect_timeout: options.connect_timeout,
            retry_after: options.retry_after,
            retry_after_max: options.retry_after_max,
            packet_bytes_max: options.packet_bytes_max,
        };
        let mut links = Links::new(link, base.0);
        for (nth, at) in options.servers.iter().enumerate() {
            links.add(at, options.tls_names.get(nth));
        }
        let mut servers = Vec::new();
        servers.resize_with(links.len() as usize, Server::default);
        let functions = core::mem::take(&mut options.functions).into_iter();
        let functions = functions.map(|(name, timeout)| Function { name, timeout, can: true });
        Self {
            base: base.0,
            links,
            servers,
            functions: functions.collect(),
            jobs: Jobs::default(),
            asked: 0,
            next: 0,
            leaves: false,
            timer_at: None,
            events: VecDeque::new(),
            counters: WorkerCounters::default(),
            options,
        }
    }

    /// Where a server is reached.
    pub fn endpoint(&self, server: ServerId) -> Option<&Endpoint> {
        self.links.endpoint(server.0)
    }

    /// Jobs that the owner has, those whose server is gone included.
    pub const fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Whether no connection is left; see [`Worker::leave`].
    pub fn is_closed(&self) -> bool {
        self.links.is_closed()
    }

    /// What happened so far.
    pub const fn counters(&self) -> WorkerCounters {
        let links = self.links.counters;
        WorkerCounters {
            connects: links.connects,
            connects_failed: links.connects_failed,
            connections_lost: links.lost,
            ..self.counters
        }
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<WorkerEvent> {
        self.events.pop_front()
    }

    /// Whether a connection is the worker's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.links.of(conn).is_some()
    }

    /// Whether a timer's or connect's token is the worker's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < WORKER_TOKENS
    }

    const fn timer_token(&self) -> Token {
        Token(self.base + SERVERS_MAX as u64)
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the worker, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.links.invariants();
        let asked = self.servers.iter().filter(|server| server.duty == Duty::AwaitJob).count();
        assert_eq!(asked, self.asked, "who was asked is counted");
        assert!(self.jobs.len() + asked <= self.options.jobs_max, "no more jobs than wanted");
        for (at, server) in self.servers.iter().enumerate() {
            let up = matches!(self.links.stand(at as u32), Stand::Up(_));
            assert_eq!(up, server.duty != Duty::Away, "a server that is away has no connection");
            assert!(!up || self.timer_at.is_some(), "every connection is watched");
            assert_eq!(self.jobs.on_server(at as u32).count(), server.jobs, "jobs are counted");
        }
    }
}
