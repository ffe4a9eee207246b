//! A client as a part of other machines: connections to any number of servers, pipelined and
//! pooled, kept open or made anew for each request.
//!
//! ```text
//!           room on a connection                     reply
//!  ask ─┬──────────────────────────► pending on it ─────────► Ok(reply)
//!       │                               │ connection lost, or silent for too long
//!       │ none                          └───────────────────► Err(Unknown)
//!       └─► waiting for a server ─► as above
//!               │ its time runs out, or the server cannot be reached
//!               └───────────────────────────────────────────► Err(NotSent)
//! ```
//!
//! * Every request gets exactly one [`Event`]. [`Failure::NotSent`] is said only of requests of
//!   which no byte was handed to a connection; of all others nobody knows.
//! * Requests to one server over `Pooled(1)` are carried out in the order in which they were asked.
//!   More connections promise no order.
//! * On a pooled connection a request that runs out of time leaves its place behind, and its reply
//!   is dropped when it comes: the others are not harmed by one that is slow. A connection that was
//!   silent for all that time is broken. Other connections are broken at once.
//! * A server that could not be reached, or lost a connection with requests on it, is not connected
//!   to for [`retry_after`](ClientOptions::retry_after), doubled with each failure in a row up to
//!   [`RETRY_DOUBLINGS_MAX`] times, and up to a quarter more by chance. Meanwhile requests that
//!   find no open connection end as `NotSent` at once.
//! * A reply that is too long fails its request alone: it is dropped as it comes.
//! * A server that says it has too many clients took none of the requests on that connection: each
//!   of them ends with that error as its reply.
//! * Each method named `on_…` says whether the event was the client's.
//!
//! # Not modelled
//!
//! TLS, subscriptions, RESP3 (it does not ask for it; pushes are dropped and counted).

mod asked;
mod dispatch;
mod encode;
mod link;
mod send;

pub use crate::config::{REQUEST_BYTES_MAX, VALUE_BYTES_MAX};
pub use encode::put_request;

use crate::Reply;
use asked::Slab;
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::time::Duration;
use link::Link;
use std::collections::VecDeque;
use storytime_machine::{Conn, Endpoint, Time, Token};

/// Tokens that a client uses from its base on.
pub const CLIENT_TOKENS: u64 = 1 << 32;
/// Most servers of one client.
pub const SERVERS_MAX: usize = 1 << 16;
/// Most bytes of requests that wait for a connection, for all servers.
pub const WAITING_BYTES_MAX: usize = 64 << 20;
/// A connection takes no further request while so many bytes have not left it.
pub const UNSENT_BYTES_MAX: usize = 1 << 20;
/// How often the time that a failed server is left alone doubles.
pub const RETRY_DOUBLINGS_MAX: u32 = 3;
/// Most replies that a pooled connection drops before it is given up.
pub const LATE_REPLIES_MAX: u32 = 1024;

/// How connections are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// This many connections to each server, kept open, requests pipelined over them.
    Pooled(u32),
    /// This many connections to each server, kept open, one request at a time on each; more wait.
    Exclusive(u32),
    /// A connection for each request, closed behind the reply.
    PerRequest,
}

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How connections are used.
    pub keep: Keep,
    /// From asking to `Failure::NotSent` or `Failure::Unknown`.
    pub timeout: Duration,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a server that failed is left alone.
    pub retry_after: Duration,
    /// Most requests asked and not answered, for all servers.
    pub requests_max: usize,
    /// Longest reply, bytes.
    pub reply_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            keep: Keep::Pooled(1),
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(1),
            retry_after: Duration::from_millis(500),
            requests_max: 16 << 10,
            reply_bytes_max: 16 << 20,
        }
    }
}

/// Which server, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u32);

/// How a request ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// As given to `ask`.
    pub tag: u64,
    /// The server's reply (an error reply too), or why there is none. Strings in a reply share the
    /// memory of the connection's buffer: copy what is to be kept for long.
    pub outcome: Result<Reply, Failure>,
}

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It could not be sent: it certainly did not happen.
    NotSent,
    /// It was sent, and the connection ended or the time ran out: nobody knows whether it happened.
    Unknown,
    /// The server said something that is no reply. Nobody knows whether it happened.
    Garbled,
    /// It was answered, at greater length than [`reply_bytes_max`](ClientOptions::reply_bytes_max):
    /// nobody read whether it happened.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSent => "not sent: the server cannot be reached, or has no time",
            Self::Unknown => "sent, and no reply: nobody knows whether it happened",
            Self::Garbled => "the server said something that is no reply",
            Self::TooLong => "the reply is longer than is taken",
        })
    }
}

impl std::error::Error for Failure {}

/// A request was not even taken: the caller's limits. No event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// `requests_max` are under way, or too many bytes of requests wait.
    TooMany,
    /// No such server.
    NoServer,
    /// Longer than a server takes ([`REQUEST_BYTES_MAX`], and [`VALUE_BYTES_MAX`] for a word), or
    /// without a word.
    BadRequest,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many requests are under way",
            Self::NoServer => "no such server",
            Self::BadRequest => "a request too long, or without a word",
        })
    }
}

impl std::error::Error for NotAccepted {}

/// What a client counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClientCounters {
    /// Requests taken.
    pub requests: u64,
    /// Replies passed on, error replies too.
    pub replies: u64,
    /// Requests that were not sent.
    pub not_sent: u64,
    /// Requests of which nobody knows whether they happened.
    pub unknown: u64,
    /// Replies that were too long, and dropped.
    pub too_long: u64,
    /// Connects tried.
    pub connects: u64,
    /// Connects that did not come up.
    pub connects_failed: u64,
    /// Connections lost with requests on them.
    pub connections_lost: u64,
    /// Replies that came after their request had run out of time.
    pub late_replies: u64,
    /// What servers sent that nobody had asked for.
    pub pushes: u64,
}

/// One database of one server.
#[derive(Debug)]
struct Server {
    at: Endpoint,
    /// Its number, as in `SELECT`.
    database: u32,
    links: Vec<u32>,
    /// Requests that wait for a connection, in the order of asking.
    waiting: VecDeque<u32>,
    /// Not connected to before this.
    rests_until: Time,
    /// Failures since the last reply.
    failures: u32,
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// A link's.
    Link(u32),
    /// Nobody's any more: its end is awaited.
    Leaving,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    base: u64,
    password: Option<Bytes>,
    servers: Vec<Server>,
    /// Connections, dense and reused.
    links: Vec<Option<Link>>,
    /// The links whose places are free.
    free_links: Vec<u32>,
    /// Whose each of our connections is, by slot.
    by_slot: Vec<Option<(Conn, Of)>>,
    asked: Slab,
    waiting_bytes: usize,
    /// When the timer is due, if it is set.
    timer_at: Option<Time>,
    /// Empty buffers for requests that wait.
    spares: Vec<BytesMut>,
    events: VecDeque<Event>,
    counters: ClientCounters,
}

impl Client {
    /// A client without servers; its tokens are [`CLIENT_TOKENS`] consecutive ones from `base`.
    ///
    /// # Panics
    /// If the tokens run over.
    pub fn new(options: ClientOptions, base: Token) -> Self {
        assert!(base.0.checked_add(CLIENT_TOKENS).is_some(), "the client's tokens are numbers");
        Self {
            options,
            base: base.0,
            password: None,
            servers: Vec::new(),
            links: Vec::new(),
            free_links: Vec::new(),
            by_slot: Vec::new(),
            asked: Slab::default(),
            waiting_bytes: 0,
            timer_at: None,
            spares: Vec::new(),
            events: VecDeque::new(),
            counters: ClientCounters::default(),
        }
    }

    /// The same client, which shows this password (`AUTH`) on each connection.
    #[must_use]
    pub fn with_password(mut self, password: Bytes) -> Self {
        self.password = Some(password);
        self
    }

    /// Adds a server (or finds it, if it is there already), with its database 0.
    ///
    /// # Panics
    /// If there are [`SERVERS_MAX`] already.
    pub fn server(&mut self, at: &Endpoint) -> ServerId {
        self.database(at, 0)
    }

    /// Adds one database of a server, by its number in `SELECT` (or finds it).
    ///
    /// # Panics
    /// If there are [`SERVERS_MAX`] already.
    pub fn database(&mut self, at: &Endpoint, database: u32) -> ServerId {
        let same = |server: &Server| server.at == *at && server.database == database;
        if let Some(found) = self.servers.iter().position(same) {
            return ServerId(found as u32);
        }
        assert!(self.servers.len() < SERVERS_MAX, "more servers than a client can have");
        self.servers.push(Server {
            at: at.clone(),
            database,
            links: Vec::new(),
            waiting: VecDeque::new(),
            rests_until: Time::ZERO,
            failures: 0,
        });
        ServerId((self.servers.len() - 1) as u32)
    }

    /// Where a server is reached.
    pub fn endpoint(&self, server: ServerId) -> Option<&Endpoint> {
        self.servers.get(server.0 as usize).map(|server| &server.at)
    }

    /// Options and limits.
    pub const fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Requests asked and not answered.
    pub fn pending(&self) -> usize {
        self.asked.len()
    }

    /// Connections to a server, those that are being made included.
    pub fn connections(&self, server: ServerId) -> usize {
        self.servers.get(server.0 as usize).map_or(0, |server| server.links.len())
    }

    /// What happened so far.
    pub const fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    /// The next event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a connection is the client's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.of(conn).is_some()
    }

    /// Whether a timer's or connect's token is the client's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < CLIENT_TOKENS
    }

    fn of(&self, conn: Conn) -> Option<Of> {
        let (found, of) = (*self.by_slot.get(conn.index())?)?;
        (found == conn).then_some(of)
    }

    fn link(&mut self, index: u32) -> &mut Link {
        self.links[index as usize].as_mut().expect("a link is known until its end")
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the client, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        let mut under_way = 0;
        let mut links = 0;
        for (at, server) in self.servers.iter().enumerate() {
            under_way += server.waiting.len();
            links += server.links.len();
            for &index in &server.links {
                let link = self.links[index as usize].as_ref().expect("a server's links live");
                assert_eq!(link.server as usize, at, "a server's links know it");
                link.invariants();
                under_way += link.pending.len();
            }
            if let Keep::Pooled(max) | Keep::Exclusive(max) = self.options.keep {
                let max = max.max(1) as usize;
                assert!(server.links.len() <= max, "no more connections than wanted");
            }
        }
        assert_eq!(under_way, self.asked.len(), "a request waits in one place");
        assert_eq!(links + self.free_links.len(), self.links.len(), "a link has one server");
        assert!(self.asked.len() <= self.options.requests_max, "requests are bounded");
        assert!(self.asked.is_empty() || self.timer_at.is_some(), "every request has its deadline");
    }
}

/// Text of an error reply's first word, such as `READONLY`.
pub fn error_code(text: &Bytes) -> &[u8] {
    text.split(|&byte| byte == b' ').next().unwrap_or(&[])
}
