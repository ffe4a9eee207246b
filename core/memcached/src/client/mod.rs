//! A memcached client as a part of other machines: an application server that caches, a proxy.
//!
//! It is no machine of its own. Its owner passes on the events of the connections and tokens that
//! are the client's, calls [`get`](Client::get), [`set`](Client::set) and the rest, and then drains
//! [`next_event`](Client::next_event).
//!
//! * One connection per server, pipelined; replies are matched in order, and a reply that cannot
//!   belong to its request breaks the connection.
//! * The tokens of timers and connects are [`CLIENT_TOKENS`] consecutive ones from a base that the
//!   owner gives.
//! * Every request gets exactly one event, or an error at once.
//! * A request that is not answered in time breaks its connection, as replies behind it could no
//!   longer be told apart; all requests on it fail.
//! * A server that failed is left alone for a while that grows with every failure in a row;
//!   requests for it are answered at once, as [`DeadServer`] says.
//! * The list of servers can change at any time. Requests under way finish where they were sent.
//!
//! # Not modelled
//!
//! Several keys in one request, versions, flags, counters, moving a dead server's keys to the
//! others, UDP, the binary protocol.

mod ask;
mod dispatch;
mod link;
pub mod placement;
pub mod pool;
mod reply;

pub use placement::{ExplicitHash, KeyHash, Node, Placement, Scheme};

use ask::Ask;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use link::{Link, Stand};
use std::collections::VecDeque;
use storytime_machine::{Close, Conn, Cx, Endpoint, Gone, Token};

/// Tokens that a client uses from its base on.
pub const CLIENT_TOKENS: u64 = LINKS_MAX as u64;
/// Most servers, those that are being left included.
pub const LINKS_MAX: usize = 1024;

/// One server to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// As placement sees it.
    pub node: Node,
    /// Where it is reached.
    pub at: Endpoint,
}

/// What becomes of requests for a server that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadServer {
    /// They fail.
    Fail,
    /// A get misses and nothing is stored, as with Cache::Memcached: a cache that is away is an
    /// empty cache.
    Miss,
}

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How keys are placed.
    pub scheme: Scheme,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a reply may take, connecting included.
    pub request_timeout: Duration,
    /// Pause after the first failure of a server.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// What becomes of requests during it.
    pub dead_server: DeadServer,
    /// Most requests under way per server.
    pub pending_max: usize,
    /// Most bytes of requests waiting to leave per server.
    pub unsent_bytes_max: usize,
    /// Largest value that is taken, bytes.
    pub value_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            scheme: Scheme::Classic,
            connect_timeout: Duration::from_millis(250),
            request_timeout: Duration::from_secs(1),
            pause_min: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
            dead_server: DeadServer::Miss,
            pending_max: 1024,
            unsent_bytes_max: 4 << 20,
            value_bytes_max: 1 << 20,
        }
    }
}

/// The end of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// As given with the request.
    pub tag: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value.
    Hit(Bytes),
    /// No value.
    Miss,
    /// Stored.
    Stored,
    /// Not stored: the key was there, or the server is down and that counts as such.
    NotStored,
    /// Deleted.
    Deleted,
    /// Nothing to delete, or the server is down and that counts as such.
    NotFound,
    /// It is not known what became of it.
    Failed(Failure),
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
    /// The server answered with an error.
    Refused,
    /// The server answered what was not asked.
    OutOfStep,
}

/// Why a request was not accepted: the caller's to handle. Nothing was sent, no event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// The key is empty, longer than 250 bytes, or has a space or a control character in it.
    BadKey,
    /// The value is larger than the options allow.
    ValueTooLarge,
    /// There are no servers.
    NoServers,
    /// Too many requests or bytes wait for that server.
    Busy,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadKey => "a key has 1 to 250 bytes without spaces and control characters",
            Self::ValueTooLarge => "the value is larger than value_bytes_max",
            Self::NoServers => "there are no servers",
            Self::Busy => "too many requests wait for that server",
        })
    }
}

impl std::error::Error for NotAccepted {}

/// The list of servers is longer than a client can use: the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyServers;

impl fmt::Display for TooManyServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {LINKS_MAX} servers, those being left included")
    }
}

impl std::error::Error for TooManyServers {}

/// What a client counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClientCounters {
    /// Requests accepted.
    pub requests: u64,
    /// Gets that found a value.
    pub hits: u64,
    /// Gets that found none.
    pub misses: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Requests answered at once because their server was down.
    pub down: u64,
    /// Connections lost, broken or not come up.
    pub connections_lost: u64,
}

/// The client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    base: u64,
    placement: Placement,
    /// The link of each server of the list.
    route: Vec<u32>,
    links: Vec<Option<Link>>,
    /// The link of each of our connections, by slot.
    by_slot: Vec<Option<(Conn, u32)>>,
    events: VecDeque<Event>,
    counters: ClientCounters,
}

impl Client {
    /// A client without servers, which uses the tokens from `base` on.
    pub fn new(options: ClientOptions, base: Token) -> Self {
        assert!(base.0.checked_add(CLIENT_TOKENS).is_some(), "the client's tokens are numbers");
        let placement = Placement::new(options.scheme, &[]);
        Self {
            options,
            base: base.0,
            placement,
            route: Vec::new(),
            links: Vec::new(),
            by_slot: Vec::new(),
            events: VecDeque::new(),
            counters: ClientCounters::default(),
        }
    }

    /// Uses this list of servers from now on. Keys are placed anew; connections to servers that
    /// stay are kept, those to others end with their last reply.
    ///
    /// # Errors
    /// If there are too many; nothing changes then.
    pub fn set_servers(
        &mut self,
        cx: &mut Cx,
        servers: &[ServerSpec],
    ) -> Result<(), TooManyServers> {
        let kept = |link: &Option<Link>| {
            link.as_ref().is_some_and(|l| !servers.iter().any(|s| s.at == l.at) || l.retired)
        };
        if servers.len() + self.links.iter().filter(|link| kept(link)).count() > LINKS_MAX {
            return Err(TooManyServers);
        }
        for index in 0..self.links.len() {
            let gone = |l: &Link| !l.retired && !servers.iter().any(|s| s.at == l.at);
            if self.links[index].as_ref().is_some_and(gone) {
                self.retire(cx, index);
            }
        }
        self.route = servers.iter().map(|server| self.link_for(&server.at)).collect();
        let nodes: Vec<Node> = servers.iter().map(|server| server.node.clone()).collect();
        self.placement = Placement::new(self.options.scheme, &nodes);
        Ok(())
    }

    fn link_for(&mut self, at: &Endpoint) -> u32 {
        let same = |l: &Option<Link>| l.as_ref().is_some_and(|l| l.at == *at && !l.retired);
        let index = self.links.iter().position(same).unwrap_or_else(|| {
            let link = Some(Link::new(at.clone()));
            match self.links.iter().position(Option::is_none) {
                Some(free) => {
                    self.links[free] = link;
                    free
                }
                None => {
                    self.links.push(link);
                    self.links.len() - 1
                }
            }
        });
        assert!(index < LINKS_MAX, "the list was checked against the limit");
        index as u32
    }

    fn retire(&mut self, cx: &mut Cx, index: usize) {
        let Some(link) = &mut self.links[index] else { return };
        link.retired = true;
        if let Stand::Up(conn) = link.stand
            && link.pending.is_empty()
        {
            link.stand = Stand::Closing(conn);
            cx.close(conn, Close::Flush);
        }
        self.reap(cx, index);
    }

    /// Forgets a retired link of which nothing will be heard any more.
    fn reap(&mut self, cx: &mut Cx, index: usize) {
        if self.links[index].as_ref().is_some_and(Link::is_over) {
            cx.cancel(self.token(index));
            self.links[index] = None;
        }
    }

    const fn token(&self, index: usize) -> Token {
        Token(self.base + index as u64)
    }

    /// How keys are placed now.
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    // ---- requests ------------------------------------------------------------------------------

    /// Asks for a value: ends as `Hit`, `Miss` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn get(&mut self, cx: &mut Cx, key: &[u8], tag: u64) -> Result<(), NotAccepted> {
        self.ask(cx, key, tag, &Ask::Get)
    }

    /// Stores a value for `exptime` seconds, 0 for ever: ends as `Stored`, `NotStored` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn set(
        &mut self,
        cx: &mut Cx,
        key: &[u8],
        value: &[u8],
        exptime: u32,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, key, tag, &Ask::Set { verb: "set", value, exptime })
    }

    /// Stores a value where none is: ends as `Stored`, `NotStored` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn add(
        &mut self,
        cx: &mut Cx,
        key: &[u8],
        value: &[u8],
        exptime: u32,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, key, tag, &Ask::Set { verb: "add", value, exptime })
    }

    /// Deletes a value: ends as `Deleted`, `NotFound` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn delete(&mut self, cx: &mut Cx, key: &[u8], tag: u64) -> Result<(), NotAccepted> {
        self.ask(cx, key, tag, &Ask::Delete)
    }
}
