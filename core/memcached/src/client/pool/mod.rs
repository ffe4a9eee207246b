//! Connections to servers, as a part of other machines: requests as bytes and the [`Shape`] of
//! their replies in, replies as bytes out. It knows neither keys nor placement; [`Client`] and
//! proxies stand on it.
//!
//! * Some connections per server, pipelined. Requests of one `lane` leave on one connection and are
//!   answered in their order; other lanes may be faster.
//! * Every request gets exactly one end (a last [`PoolEvent::Reply`] or [`PoolEvent::Failed`]), or
//!   a [`Refusal`] at once. [`Shape::Quiet`] ones get no event.
//! * A reply is passed on as it comes, in whole frames: values of a long retrieval do not wait for
//!   its `END`. The bytes are those of the connection's buffer, not copies: keep them for long, and
//!   they keep the buffer.
//! * A reply that cannot belong to its request breaks the connection. So does a request that is not
//!   answered in time, as replies behind it could no longer be told apart; all requests on that
//!   connection fail.
//! * An error line behind quiet requests may belong to any of them. If a request waits behind them,
//!   nobody can tell, and the connection is broken; else the error is counted. Binary packets say
//!   whose they are.
//! * A server that failed [`failure_limit`](HealthOptions::failure_limit) times within a window
//!   rests for a pause that grows with every rest, until it was up for
//!   [`stable_after`](HealthOptions::stable_after). Then the next request tries; or, with
//!   [`auto_eject`](HealthOptions::auto_eject), the server is told to be ejected, is probed, and
//!   rejoins once it has answered.
//! * The tokens of timers and connects are [`POOL_TOKENS`] consecutive ones from a base that the
//!   owner gives. Each method named `on_…` says whether the event was the pool's.
//!
//! [`Client`]: super::Client
//!
//! # Not modelled
//!
//! Servers that answer a retrieval in another order than they were asked in, replies without an
//! end (`watch`), UDP, TLS, authentication.

mod dispatch;
pub(crate) mod frame;
mod health;
mod link;
mod piece;
mod send;
mod shape;
#[cfg(test)]
mod tests;

pub use health::Standing;
pub use piece::Piece;
pub use shape::{Shape, Words};

use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use health::Health;
use link::{Link, Stand};
use std::collections::VecDeque;
use storytime_machine::{Close, Conn, Cx, Endpoint, Gone, Time, Token};

/// Most servers, those that are being left included.
pub const SERVERS_MAX: usize = 1024;
/// Most connections, those that are being left included.
pub const LINKS_MAX: usize = 8192;
/// Tokens that a pool uses from its base on.
pub const POOL_TOKENS: u64 = (LINKS_MAX + SERVERS_MAX) as u64;

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Connections per server; at least 1.
    pub conns_per_server: u32,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a reply may take to its end, connecting included.
    pub request_timeout: Duration,
    /// Most requests under way per connection.
    pub pending_max: usize,
    /// Most bytes of requests waiting to leave per connection.
    pub unsent_bytes_max: usize,
    /// Largest value that is taken in a reply, bytes. Must fit into the input buffer of a
    /// connection with its line.
    pub value_bytes_max: usize,
    /// When servers rest, and how they come back.
    pub health: HealthOptions,
    /// How an ejected server is asked whether it is back.
    pub probe: Probe,
}

/// When servers rest, and how they come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthOptions {
    /// Failures within the window that make a server rest.
    pub failure_limit: u32,
    /// The window.
    pub failure_window: Duration,
    /// First pause. It doubles with every rest.
    pub pause_min: Duration,
    /// Longest pause, but for up to half as much again by chance.
    pub pause_max: Duration,
    /// Whether a server that rests is ejected, and stays out until it has answered probes.
    pub auto_eject: bool,
    /// Answered probes in a row after which it rejoins.
    pub probes_to_rejoin: u32,
    /// How long a server must be up before its pauses begin anew.
    pub stable_after: Duration,
}

/// A request whose answer shows that a server is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Text `version`.
    Version,
    /// Binary no-op.
    Noop,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            conns_per_server: 1,
            connect_timeout: Duration::from_millis(250),
            request_timeout: Duration::from_secs(1),
            pending_max: 1024,
            unsent_bytes_max: 4 << 20,
            value_bytes_max: 1 << 20,
            health: HealthOptions::default(),
            probe: Probe::Version,
        }
    }
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self {
            failure_limit: 1,
            failure_window: Duration::from_secs(10),
            pause_min: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
            auto_eject: false,
            probes_to_rejoin: 2,
            stable_after: Duration::from_secs(10),
        }
    }
}

/// A server of a pool. Valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub(super) u32);

impl ServerId {
    /// Dense and reused: good as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What comes back.
    pub shape: Shape,
    /// The bytes, in order. For [`Shape::Values`] and [`Shape::Meta`] the first piece holds the
    /// whole command line.
    pub pieces: &'a [Piece<'a>],
    /// Requests of one lane keep their order.
    pub lane: u64,
    /// Comes back with the event.
    pub tag: u64,
}

/// What the owner hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEvent {
    /// Whole frames of a reply.
    Reply {
        /// As given with the request.
        tag: u64,
        /// The frames.
        bytes: Bytes,
        /// Whether the reply ends here.
        last: bool,
    },
    /// A request failed; it is not known what became of it.
    Failed {
        /// As given with the request.
        tag: u64,
        /// Why.
        why: Failure,
    },
    /// A server takes no requests until it has rejoined.
    Ejected(ServerId),
    /// A server takes requests again.
    Rejoined(ServerId),
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server failed lately and is left alone.
    Down,
    /// No reply in time.
    TimedOut,
    /// The connection ended, or did not come up.
    Lost(Gone),
    /// The server answered what was not asked.
    OutOfStep,
}

/// Why a request was not taken. Nothing was sent, no event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many requests or bytes wait for that server.
    Busy,
    /// The server failed lately and is left alone.
    Down,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("the server failed lately and is left alone for a while"),
            Self::TimedOut => f.write_str("no reply in time"),
            Self::Lost(why) => write!(f, "the connection is gone: {why}"),
            Self::OutOfStep => f.write_str("the server answered what was not asked"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "too many requests wait for that server",
            Self::Down => "the server failed lately and is left alone for a while",
        })
    }
}

impl std::error::Error for Refusal {}

/// There is no room for one more server or its connections: the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyServers;

impl fmt::Display for TooManyServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "more than {SERVERS_MAX} servers or {LINKS_MAX} connections, those being left included"
        )
    }
}

impl std::error::Error for TooManyServers {}

/// What a pool counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PoolCounters {
    /// Requests taken.
    pub requests: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests refused because their server was down.
    pub down: u64,
    /// Requests refused because too much waited.
    pub busy: u64,
    /// Connects tried.
    pub connects: u64,
    /// Connections lost with requests on them, broken, or not come up.
    pub connections_lost: u64,
    /// Quiet requests that were on their way when their connection ended.
    pub quiet_unknown: u64,
    /// Errors that quiet requests got.
    pub quiet_errors: u64,
    /// Times a server was ejected.
    pub ejections: u64,
    /// Times a server rejoined.
    pub rejoins: u64,
}

#[derive(Debug)]
struct Server {
    at: Endpoint,
    links: Vec<u32>,
    health: Health,
    retired: bool,
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    base: u64,
    servers: Vec<Option<Server>>,
    links: Vec<Option<Link>>,
    /// The link of each of our connections, by slot.
    by_slot: Vec<Option<(Conn, u32)>>,
    events: VecDeque<PoolEvent>,
    counters: PoolCounters,
}

impl Pool {
    /// A pool without servers, which uses the tokens from `base` on.
    ///
    /// # Panics
    /// If there are to be no connections, or the tokens run over.
    pub fn new(options: PoolOptions, base: Token) -> Self {
        assert!(base.0.checked_add(POOL_TOKENS).is_some(), "the pool's tokens are numbers");
        assert!(options.conns_per_server > 0, "a server is reached over a connection");
        Self {
            options,
            base: base.0,
            servers: Vec::new(),
            links: Vec::new(),
            by_slot: Vec::new(),
            events: VecDeque::new(),
            counters: PoolCounters::default(),
        }
    }

    /// Options and limits.
    pub const fn options(&self) -> &PoolOptions {
        &self.options
    }

    /// Adds a server; connects with the first request.
    ///
    /// # Errors
    /// If there are too many.
    pub fn add(&mut self, now: Time, at: Endpoint) -> Result<ServerId, TooManyServers> {
        let free = self.servers.iter().position(Option::is_none).unwrap_or(self.servers.len());
        let conns = self.options.conns_per_server as usize;
        let used = self.links.iter().flatten().count();
        if free == SERVERS_MAX || used + conns > LINKS_MAX {
            return Err(TooManyServers);
        }
        let links = (0..conns).map(|_| self.add_link(free as u32)).collect();
        let server = Some(Server { at, links, health: Health::new(now), retired: false });
        match self.servers.get_mut(free) {
            Some(slot) => *slot = server,
            None => self.servers.push(server),
        }
        Ok(ServerId(free as u32))
    }

    fn add_link(&mut self, server: u32) -> u32 {
        let link = Some(Link::new(server));
        let free = self.links.iter().position(Option::is_none).unwrap_or(self.links.len());
        match self.links.get_mut(free) {
            Some(slot) => *slot = link,
            None => self.links.push(link),
        }
        free as u32
    }

    /// Leaves a server. Requests under way finish; then its connections close.
    pub fn remove(&mut self, cx: &mut Cx, server: ServerId) {
        let Some(found) = self.servers[server.index()].as_mut().filter(|s| !s.retired) else {
            return;
        };
        found.retired = true;
        cx.cancel(self.probe_token(server.index()));
        for n in 0..self.server(server).links.len() {
            let index = self.server(server).links[n] as usize;
            if let Some(link) = &mut self.links[index] {
                link.retired = true;
            }
            self.close_if_left(cx, index);
            self.reap(cx, index);
        }
    }

    fn server(&self, server: ServerId) -> &Server {
        self.servers[server.index()].as_ref().expect("an id is used until its server is removed")
    }

    /// Where a server is reached.
    pub fn endpoint(&self, server: ServerId) -> &Endpoint {
        &self.server(server).at
    }

    /// How a server stands.
    pub fn standing(&self, server: ServerId) -> Standing {
        self.server(server).health.standing()
    }

    /// Requests under way to a server.
    pub fn pending_of(&self, server: ServerId) -> usize {
        let links = self.server(server).links.iter();
        links.flat_map(|&link| &self.links[link as usize]).map(|link| link.pending.len()).sum()
    }

    /// Requests under way.
    pub fn pending(&self) -> usize {
        self.links.iter().flatten().map(|link| link.pending.len()).sum()
    }

    /// What happened so far.
    pub const fn counters(&self) -> &PoolCounters {
        &self.counters
    }

    const fn link_token(&self, link: usize) -> Token {
        Token(self.base + link as u64)
    }

    const fn probe_token(&self, server: usize) -> Token {
        Token(self.base + (LINKS_MAX + server) as u64)
    }

    /// A link whose server was taken off the list closes once nothing is awaited.
    fn close_if_left(&mut self, cx: &mut Cx, index: usize) {
        let Some(link) = &mut self.links[index] else { return };
        if let Stand::Up(conn) = link.stand
            && link.retired
            && link.pending.is_empty()
        {
            link.stand = Stand::Closing(conn);
            cx.close(conn, Close::Flush);
        }
    }

    /// Forgets a retired link of which nothing will be heard any more, and its server with its last
    /// link.
    fn reap(&mut self, cx: &mut Cx, index: usize) {
        let Some(link) = self.links[index].as_ref().filter(|link| link.is_over()) else { return };
        let server = link.server as usize;
        cx.cancel(self.link_token(index));
        self.links[index] = None;
        let of = self.servers[server].as_mut().expect("a server lives as long as its links");
        of.links.retain(|&link| link as usize != index);
        if of.links.is_empty() {
            self.servers[server] = None;
        }
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the pool, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.links.iter().flatten().for_each(Link::invariants);
        for (index, server) in self.servers.iter().enumerate() {
            let Some(server) = server else { continue };
            for &link in &server.links {
                let link = self.links[link as usize].as_ref();
                let ours = link.is_some_and(|link| link.server as usize == index);
                assert!(ours, "a server's links know it");
            }
            let all = server.links.len() == self.options.conns_per_server as usize;
            assert!(all || server.retired, "a server in use has all its links");
        }
    }
}
