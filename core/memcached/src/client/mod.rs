//! A memcached client as a part of other machines: an application server that caches, a load
//! generator.
//!
//! It is no machine of its own. Its owner passes on the events of the connections and tokens that
//! are the client's (the methods named `on_…`), asks, and then drains
//! [`next_event`](Client::next_event).
//!
//! * Every request gets exactly one event, or an error at once. [`Outcome::Fill`] is the one
//!   exception: an event before the end. Requests sent [without a reply](Client::ask_quietly) get
//!   none.
//! * A key is placed by its own hash, by one of the caller's choice or by a master key; see
//!   [`Key`]. It may be given as plain bytes.
//! * A server that fails is left alone for a while ([`pool`]); requests for it are answered at
//!   once, as [`DeadServer`] says. If servers are ejected, placement does without them until they
//!   have rejoined.
//! * The list of servers can change at any time. Requests under way finish where they were sent.
//! * Values and flags are passed through; serialising is left to the caller.
//! * The tokens of timers and connects are [`CLIENT_TOKENS`] consecutive ones from a base that the
//!   owner gives.
//!
//! | module | holds |
//! |---|---|
//! | [`pool`] | connections, pipelining, time-outs, ejection; what proxies stand on |
//! | [`placement`] | which server holds a key |
//! | [`op`] | requests about one key |
//! | [`gather`] | requests to several servers, gathered |
//! | [`meta`] | meta commands: flags, leases |
//! | [`buffered`] | writes that are held back |
//! | [`fetch`] | ask now, collect later |
//! | [`read_through`] | on a miss the owner is asked once |
//! | [`update`] | read, change, store if nobody was faster |
//! | [`large`] | values in pieces |
//!
//! # Not modelled
//!
//! UDP, TLS, authentication, replicas, compression. The binary protocol has no meta commands.

mod binary;
pub mod buffered;
mod dispatch;
pub mod fetch;
pub mod gather;
mod key;
pub mod large;
pub mod meta;
pub mod op;
pub mod outcome;
pub mod placement;
pub mod pool;
pub mod read_through;
mod request;
mod slab;
mod text;
pub mod update;

pub use buffered::{BufferOptions, Held};
pub use fetch::{Collected, FetchId};
pub use gather::Command;
pub use key::{Key, Place, Prefix};
pub use meta::{MetaArithmetic, MetaCode, MetaDelete, MetaGet, MetaMode, MetaReply, MetaSet};
pub use op::{Count, Initial, Op, RawMeta, Store, Verb};
pub use outcome::{Event, NotAccepted, Outcome, Value};
pub use placement::{ExplicitHash, KeyHash, Node, Placement, ProxyRing, Scheme};
pub use pool::{Failure, HealthOptions, Piece, PoolOptions, TooManyServers};
pub use read_through::FillId;
pub use update::{Update, Updater};

use buffered::Buffer;
use bytes::BytesMut;
use core::time::Duration;
use fetch::Fetch;
use gather::Gather;
use large::Large;
use pool::{Pool, Probe, ServerId, Standing};
use read_through::Fills;
use request::Whose;
use slab::Slab;
use std::collections::VecDeque;
use storytime_machine::{Cx, Endpoint, Token};
use update::UpdateLoop;

/// Tokens that a client uses from its base on.
pub const CLIENT_TOKENS: u64 = pool::POOL_TOKENS + 1;

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
    /// empty cache. Keys of a retrieval of many miss too if their server fails meanwhile. Updates
    /// fail all the same: they would take it for somebody who was faster.
    Miss,
}

/// What is spoken with the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Classic text and meta commands.
    Text,
    /// Binary.
    Binary,
}

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How keys are placed.
    pub scheme: Scheme,
    /// What is spoken.
    pub protocol: Protocol,
    /// What is put before every key.
    pub prefix: Prefix,
    /// What becomes of requests for a server that is down.
    pub dead_server: DeadServer,
    /// Whether writes are held back, and how long.
    pub buffer: Option<BufferOptions>,
    /// How long the owner may take to fill in a value.
    pub fill_timeout: Duration,
    /// Longest piece of a large value, bytes.
    pub piece_bytes_max: usize,
    /// Connections. Its largest value bounds what may be stored, too.
    pub pool: PoolOptions,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            scheme: Scheme::Classic,
            protocol: Protocol::Text,
            prefix: Prefix::default(),
            dead_server: DeadServer::Miss,
            buffer: None,
            fill_timeout: Duration::from_secs(5),
            piece_bytes_max: 500 << 10,
            pool: PoolOptions::default(),
        }
    }
}

/// What a client counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClientCounters {
    /// Requests accepted.
    pub requests: u64,
    /// Values found.
    pub hits: u64,
    /// Values not found.
    pub misses: u64,
    /// Requests that failed on the way; of a gathering each server's share.
    pub failures: u64,
    /// Requests that a server answered with an error.
    pub refused: u64,
    /// Requests answered at once because their server was down.
    pub down: u64,
    /// Requests without a reply that were never sent because their server was down.
    pub lost_quietly: u64,
    /// Values that an owner filled in and that could not be sent to be stored.
    pub fills_not_stored: u64,
}

/// The client.
#[derive(Debug)]
pub struct Client {
    options: ClientOptions,
    base: u64,
    pool: Pool,
    nodes: Vec<Node>,
    /// The pool's server of each server of the list.
    route: Vec<ServerId>,
    placement: Placement,
    asked: Slab,
    gathers: Vec<Option<Gather>>,
    /// By the pool's numbers.
    buffers: Vec<Buffer>,
    fetches: Vec<Fetch>,
    fills: Fills,
    updates: Vec<Option<UpdateLoop>>,
    large: Vec<Option<Large>>,
    /// Where command lines are written, kept for its memory.
    head: BytesMut,
    events: VecDeque<Event>,
    counters: ClientCounters,
}

impl Client {
    /// A client without servers, which uses the tokens from `base` on.
    ///
    /// # Panics
    /// If the tokens run over, or pieces of large values are longer than values may be.
    pub fn new(options: ClientOptions, base: Token) -> Self {
        assert!(base.0.checked_add(CLIENT_TOKENS).is_some(), "the client's tokens are numbers");
        assert!(options.piece_bytes_max > 0, "a large value has pieces");
        let probe = match options.protocol {
            Protocol::Text => options.pool.probe,
            Protocol::Binary => Probe::Noop,
        };
        let pool = Pool::new(PoolOptions { probe, ..options.pool.clone() }, base);
        let placement = Placement::new(options.scheme, &[]);
        Self {
            options,
            base: base.0,
            pool,
            nodes: Vec::new(),
            route: Vec::new(),
            placement,
            asked: Slab::default(),
            gathers: Vec::new(),
            buffers: Vec::new(),
            fetches: Vec::new(),
            fills: Fills::default(),
            updates: Vec::new(),
            large: Vec::new(),
            head: BytesMut::new(),
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
        let mut known: Vec<(Endpoint, ServerId)> =
            self.route.iter().map(|&id| (self.pool.endpoint(id).clone(), id)).collect();
        let before = known.len();
        let mut route = Vec::with_capacity(servers.len());
        for server in servers {
            if let Some((_, id)) = known.iter().find(|(at, _)| *at == server.at) {
                route.push(*id);
                continue;
            }
            match self.pool.add(cx.now(), server.at.clone()) {
                Ok(id) => {
                    known.push((server.at.clone(), id));
                    route.push(id);
                }
                Err(why) => {
                    known[before..].iter().for_each(|(_, id)| self.pool.remove(cx, *id));
                    return Err(why);
                }
            }
        }
        self.empty_buffers(cx);
        for (_, id) in known.drain(..).filter(|(_, id)| !route.contains(id)) {
            self.pool.remove(cx, id);
        }
        self.nodes = servers.iter().map(|server| server.node.clone()).collect();
        self.route = route;
        self.place_anew();
        Ok(())
    }

    /// Servers were ejected or rejoined, or the list is another.
    fn place_anew(&mut self) {
        let is_live = |&id: &ServerId| self.pool.standing(id) != Standing::Ejected;
        let live: Vec<bool> = self.route.iter().map(is_live).collect();
        self.placement = Placement::with_live(self.options.scheme, &self.nodes, &live);
    }

    /// How keys are placed now: by index in the list of servers.
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// How a server of the list stands.
    pub fn standing(&self, server: usize) -> Standing {
        self.pool.standing(self.route[server])
    }

    /// What happened so far.
    pub const fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    /// The connections below.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Requests under way, those held back included.
    pub fn pending(&self) -> usize {
        self.asked.len()
    }

    // ---- requests ------------------------------------------------------------------------------

    /// Asks something about a key; [`Op`] says how each request ends.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn ask<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        op: &Op<'_>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.start(cx, &key.into(), op, Some(Whose::Caller(tag)))
    }

    /// Sends a write whose reply nobody awaits (`noreply`): no event follows. An error that a
    /// server answers in spite of it is counted by the [pool], or costs the connection.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn ask_quietly<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        op: &Op<'_>,
    ) -> Result<(), NotAccepted> {
        self.start(cx, &key.into(), op, None)
    }

    /// Asks for a value: ends as `Hit`, `Miss` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn get<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, key, &Op::Get, tag)
    }

    /// Stores a value: ends as `Stored`, `NotStored`, `Exists`, `NotFound`, `Refused` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn store<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        store: Store<'_>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, key, &Op::Store(store), tag)
    }

    /// Stores a value without flags for `exptime` seconds, 0 for ever, whatever is there.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn set<'k, 'v>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        value: impl Into<Piece<'v>>,
        exptime: i32,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.store(cx, key, Store { exptime, ..Store::new(Verb::Set, value) }, tag)
    }

    /// Stores a value where none is.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn add<'k, 'v>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        value: impl Into<Piece<'v>>,
        exptime: i32,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.store(cx, key, Store { exptime, ..Store::new(Verb::Add, value) }, tag)
    }

    /// Deletes a value: ends as `Deleted`, `NotFound`, `Refused` or `Failed`.
    ///
    /// # Errors
    /// If the request is not accepted; see [`NotAccepted`].
    pub fn delete<'k>(
        &mut self,
        cx: &mut Cx,
        key: impl Into<Key<'k>>,
        tag: u64,
    ) -> Result<(), NotAccepted> {
        self.ask(cx, key, &Op::Delete, tag)
    }
}
