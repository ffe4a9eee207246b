//! A client as a part of other machines: submits jobs to any number of job servers, and asks after
//! them.
//!
//! ```text
//!          a server can be reached          accepted                 its worker ended it
//!  submit ───────────────► on a connection ──────────► running ─────────► Complete, Failed,
//!     │                         │     │      Created      │               Exception
//!     │ none can, in time       │     └► Refused          │ connection lost, or its time is over
//!     └► NotSent                └────────────────► Lost ◄─┘
//! ```
//!
//! * Every job and every question ends with exactly one event whose [`Event::is_end`] is true;
//!   a job in the background ends when the server has accepted it.
//! * [`Event::NotSent`] is said only of requests of which no byte was handed to a connection.
//!   What was sent and not answered is [`Event::Lost`], and never sent again by the client itself:
//!   whoever knows that a job may run twice submits it again (see [`TaskSet`]).
//! * A server that cannot be reached, or lost a connection that was needed, is left alone for
//!   [`retry_after`](ClientOptions::retry_after), doubled with each failure in a row up to
//!   [`retry_after_max`](ClientOptions::retry_after_max), and up to a quarter more by chance.
//!   Jobs go to the next server meanwhile; when all rest, they end as `NotSent` at once.
//! * There is one connection to each server, made when it is needed. When jobs wait on one that is
//!   silent, an echo is asked for, so that a server without power is noticed. So it is before one
//!   that was silent for long gets a job, because it may be gone without a word.
//! * A connection that owes an answer for longer than a connect may take gets no more requests:
//!   they wait, and go elsewhere if it breaks.
//! * A request that is not answered in time leaves its place behind, and its answer is dropped when
//!   it comes: the others are not harmed. A connection that was silent for all that time is broken.
//! * Two jobs of one client may be the same job to the server, which then says everything twice;
//!   the client gives each its own copy.
//! * Each method named `on_…` says whether the event was the client's.
//!
//! # Not modelled
//!
//! Taking a job back: the protocol has no word for it.

mod asked;
mod choice;
mod dispatch;
mod event;
mod job;
mod map_reduce;
mod options;
mod packets;
mod send;
mod server;
mod task_set;

pub use crate::engine::Priority;
pub use crate::links::{SERVERS_MAX, ServerId};
pub use choice::{Choice, perl_hash};
pub use event::{Event, HANDLE_BYTES_MAX, Handle, JobStatus, Name, Progress, Why};
pub use job::{FRESH_BYTES, Job, Unique, When};
pub use map_reduce::{MapReduce, concatenate, lines, pieces, sum};
pub use options::{ClientCounters, ClientOptions, NotAccepted};
pub use task_set::{Outcome, TASKS_MAX, TaskSet, TaskSetOptions};

use crate::links::{LinkOptions, Links, Stand};
use asked::{Place, Slab};
use server::Server;
use std::collections::VecDeque;
use storytime_machine::{Conn, Endpoint, Time, Token};

/// Tokens that a client uses from its base on.
pub const CLIENT_TOKENS: u64 = 1 << 33;
/// Most bytes of requests that wait for a connection, for all servers.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// Most requests of a connection that ran out of time and whose answers are still awaited.
pub const LATE_MAX: usize = 1024;
/// Most jobs of a connection that ran out of time and whose end is still awaited.
pub const ABANDONED_MAX: u32 = 4096;

/// First token of the jobs' own timers, behind the base.
const JOB_TIMERS: u64 = 1 << 32;
const _: () = assert!((SERVERS_MAX as u64) < JOB_TIMERS, "tokens do not overlap");

/// A client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    base: u64,
    links: Links,
    servers: Vec<Server>,
    asked: Slab,
    waiting_bytes: usize,
    /// The server that gets what may go anywhere.
    current: Option<u32>,
    /// Closed, and nothing was asked since.
    closed: bool,
    /// When the timer is due, if it is set.
    timer_at: Option<Time>,
    events: VecDeque<Event>,
    counters: ClientCounters,
}

impl Client {
    /// A client; its tokens are [`CLIENT_TOKENS`] consecutive ones from `base`.
    ///
    /// # Panics
    /// If the tokens run over, or there are more than [`SERVERS_MAX`] servers.
    pub fn new(options: ClientOptions, base: Token) -> Self {
        assert!(base.0.checked_add(CLIENT_TOKENS).is_some(), "the client's tokens are numbers");
        let link = LinkOptions {
            connect_timeout: options.connect_timeout,
            retry_after: options.retry_after,
            retry_after_max: options.retry_after_max,
            packet_bytes_max: options.packet_bytes_max,
        };
        let mut client = Self {
            links: Links::new(link, base.0),
            base: base.0,
            servers: Vec::new(),
            asked: Slab::default(),
            waiting_bytes: 0,
            current: None,
            closed: false,
            timer_at: None,
            events: VecDeque::new(),
            counters: ClientCounters::default(),
            options,
        };
        for (nth, at) in client.options.servers.iter().enumerate() {
            client.links.add(at, client.options.tls_names.get(nth));
        }
        client.servers.resize_with(client.links.len() as usize, Server::default);
        client
    }

    /// Adds a server, which is talked to in clear text, or finds one.
    ///
    /// # Panics
    /// If there are [`SERVERS_MAX`] already.
    pub fn server(&mut self, at: &Endpoint) -> ServerId {
        let server = self.links.add(at, None);
        self.servers.resize_with(self.links.len() as usize, Server::default);
        ServerId(server)
    }

    /// Where a server is reached.
    pub fn endpoint(&self, server: ServerId) -> Option<&Endpoint> {
        self.links.endpoint(server.0)
    }

    /// Options and limits.
    pub const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Requests that have not ended.
    pub const fn pending(&self) -> usize {
        self.asked.told()
    }

    /// What happened so far.
    pub fn counters(&self) -> ClientCounters {
        let links = self.links.counters;
        ClientCounters {
            connects: links.connects,
            connects_failed: links.connects_failed,
            connections_lost: links.lost,
            ..self.counters
        }
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a connection is the client's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.links.of(conn).is_some()
    }

    /// Whether a timer's or connect's token is the client's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < CLIENT_TOKENS
    }

    /// Whether no connection is left; see [`Client::close`].
    pub fn is_closed(&self) -> bool {
        self.links.is_closed()
    }

    const fn timer_token(&self) -> Token {
        Token(self.base + SERVERS_MAX as u64)
    }

    const fn job_timer(&self, slot: u32) -> Token {
        Token(self.base + JOB_TIMERS + slot as u64)
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the client, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.links.invariants();
        let mut under_way = 0;
        for (at, server) in self.servers.iter().enumerate() {
            let up = matches!(self.links.stand(at as u32), Stand::Up(_));
            assert!(up || server.is_quiet(), "what is sent is on a connection");
            under_way += server.waiting.len() + server.awaited_slots();
        }
        let running = |place: &Place| matches!(place, Place::Running { .. });
        under_way += self.asked.places().filter(|place| running(place)).count();
        assert_eq!(under_way, self.asked.len(), "a request is in one place");
        assert!(self.asked.told() <= self.options.requests_max, "requests are bounded");
        assert!(self.waiting_bytes <= WAITING_BYTES_MAX, "what waits is bounded");
        assert!(self.asked.len() == 0 || self.timer_at.is_some(), "somebody watches what waits");
    }
}
