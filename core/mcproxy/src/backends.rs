//! The servers behind: for each pool of the config and each protocol a set of connections.
//!
//! A new config takes over every set whose pool has kept its name and options, with the connections
//! to the servers that stay. What is left closes behind its last reply.

use crate::config::{Config, Pool as PoolConfig};
use crate::front::Tongue;
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};
use storytime_machine::{Addr, Conn, Cx, Endpoint, Gone, IpAddr, Open, Token};
use storytime_memcached::client::pool::{
    POOL_TOKENS, Pool, PoolEvent, PoolOptions, Probe, Refusal, Request, ServerId, Standing,
};

/// First token of the pools; the proxy's own lie below.
const BASE: u64 = 1 << 32;
/// Most sets, those that are being left included.
const SETS_MAX: usize = 1024;
/// Most bytes of requests that wait to leave on one connection.
const UNSENT_BYTES_MAX: usize = 8 << 20;
/// Most requests under way on one connection.
const PENDING_MAX: usize = 16 << 10;

/// Addresses of the hosts that a config names.
pub(crate) type Names = BTreeMap<String, Option<IpAddr>>;

/// What a server was asked, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerStats {
    pub(crate) requests: u64,
    pub(crate) replies: u64,
    pub(crate) failures: u64,
    pub(crate) refused: u64,
}

/// A server of a set, in the order of the config.
#[derive(Debug)]
pub(crate) struct Server {
    /// `host:port`, as the config has it.
    pub(crate) name: String,
    /// None while its name has no address.
    id: Option<ServerId>,
    pub(crate) stats: ServerStats,
}

/// The connections of one pool in one protocol.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) pool_name: String,
    pub(crate) tongue: Tongue,
    pool: Pool,
    pub(crate) servers: Vec<Server>,
    retired: bool,
    /// Connects that came up or failed.
    connects_ended: u64,
    /// Connections that are not gone.
    conns: u32,
}

/// All sets.
#[derive(Debug, Default)]
pub(crate) struct Backends {
    sets: Vec<Option<Set>>,
    /// The sets of each pool of the config: text, binary.
    current: Vec<[usize; 2]>,
    /// The set of each connection, by slot.
    by_slot: Vec<Option<(Conn, u32)>>,
    events: VecDeque<PoolEvent>,
    /// A server was ejected or rejoined: keys lie elsewhere.
    pub(crate) moved: bool,
}

/// There is no room for a config's sets beside those being left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany;

fn options(pool: &PoolConfig, tongue: Tongue, value_bytes_max: usize) -> PoolOptions {
    PoolOptions {
        conns_per_server: pool.connections,
        connect_timeout: pool.connect_timeout,
        request_timeout: pool.request_timeout,
        pending_max: PENDING_MAX,
        unsent_bytes_max: UNSENT_BYTES_MAX.max(value_bytes_max),
        value_bytes_max,
        health: pool.health,
        probe: if tongue == Tongue::Text { Probe::Version } else { Probe::Noop },
    }
}

fn endpoint(host: &str, port: u16, names: &Names) -> Option<Endpoint> {
    let ip = host.parse().ok().or_else(|| names.get(host).copied().flatten())?;
    Some(Endpoint::Tcp(Addr::new(ip, port)))
}

impl Backends {
    /// Uses the servers of this config from now on.
    ///
    /// # Errors
    /// If there is no room; nothing has changed then that requests would notice.
    pub(crate) fn apply(
        &mut self,
        cx: &mut Cx,
        config: &Config,
        names: &Names,
    ) -> Result<(), TooMany> {
        let mut current = Vec::with_capacity(config.pools.len());
        for pool in &config.pools {
            let text = self.set_for(pool, Tongue::Text, config.value_bytes_max)?;
            let binary = self.set_for(pool, Tongue::Binary, config.value_bytes_max)?;
            current.push([text, binary]);
        }
        for (pool, sets) in config.pools.iter().zip(&current) {
            for &set in sets {
                self.set_mut(set).use_servers(cx, pool, names)?;
            }
        }
        let kept: Vec<usize> = current.iter().flatten().copied().collect();
        for (at, set) in self.sets.iter_mut().enumerate() {
            if let Some(set) = set.as_mut().filter(|set| !set.retired && !kept.contains(&at)) {
                set.retire(cx);
            }
        }
        self.current = current;
        self.moved = true;
        self.reap();
        Ok(())
    }

    fn set_for(
        &mut self,
        pool: &PoolConfig,
        tongue: Tongue,
        value_bytes_max: usize,
    ) -> Result<usize, TooMany> {
        let options = options(pool, tongue, value_bytes_max);
        let same = |set: &Set| {
            let alike = set.pool_name == pool.name && set.tongue == tongue && !set.retired;
            alike && *set.pool.options() == options
        };
        if let Some(at) = self.sets.iter().position(|set| set.as_ref().is_some_and(same)) {
            return Ok(at);
        }
        let free = self.sets.iter().position(Option::is_none).unwrap_or(self.sets.len());
        if free == SETS_MAX {
            return Err(TooMany);
        }
        let set = Set {
            pool_name: pool.name.clone(),
            tongue,
            pool: Pool::new(options, Token(BASE + free as u64 * POOL_TOKENS)),
            servers: Vec::new(),
            retired: false,
            connects_ended: 0,
            conns: 0,
        };
        match self.sets.get_mut(free) {
            Some(place) => *place = Some(set),
            None => self.sets.push(Some(set)),
        }
        Ok(free)
    }

    fn set_mut(&mut self, set: usize) -> &mut Set {
        self.sets[set].as_mut().expect("a set in use is there")
    }

    /// The set of a pool of the config.
    pub(crate) fn set_of(&self, pool: usize, tongue: Tongue) -> usize {
        self.current[pool][usize::from(tongue == Tongue::Binary)]
    }

    /// A server of a set, as long as somebody may still ask about it.
    pub(crate) fn server(&mut self, set: usize, node: usize) -> Option<&mut Server> {
        self.sets.get_mut(set)?.as_mut()?.servers.get_mut(node)
    }

    /// The sets in use, of one pool after the other.
    pub(crate) fn in_use(&self) -> impl Iterator<Item = &Set> {
        let set = |&at: &usize| self.sets[at].as_ref().expect("a set in use is there");
        self.current.iter().flatten().map(set)
    }

    /// Every server of the config once, as set and node, for requests to all of them.
    pub(crate) fn everyone(&self, tongue: Tongue) -> Vec<(usize, usize)> {
        let mut met: Vec<&str> = Vec::new();
        let mut everyone = Vec::new();
        for sets in &self.current {
            let at = sets[usize::from(tongue == Tongue::Binary)];
            let set = self.sets[at].as_ref().expect("a set in use is there");
            for (node, server) in set.servers.iter().enumerate() {
                if !met.contains(&server.name.as_str()) {
                    met.push(&server.name);
                    everyone.push((at, node));
                }
            }
        }
        everyone
    }

    /// Which servers of a pool of the config may hold keys: those that nobody has ejected.
    pub(crate) fn alive(&self, pool: usize) -> Vec<bool> {
        let sets = self.current[pool].map(|at| self.sets[at].as_ref());
        let [text, binary] = sets.map(|set| set.expect("a set in use is there"));
        (0..text.servers.len()).map(|node| !text.is_out(node) && !binary.is_out(node)).collect()
    }

    /// Sends a request.
    pub(crate) fn send(
        &mut self,
        cx: &mut Cx,
        (set, node): (usize, usize),
        request: &Request<'_>,
    ) -> Result<(), Refusal> {
        let set = self.set_mut(set);
        let server = &mut set.servers[node];
        let sent = match server.id {
            Some(id) => set.pool.send(cx, id, request),
            None => Err(Refusal::Down),
        };
        match sent {
            Ok(()) => server.stats.requests += 1,
            Err(_) => server.stats.refused += 1,
        }
        sent
    }

    /// The next event of any set.
    pub(crate) fn next_event(&mut self) -> Option<PoolEvent> {
        self.events.pop_front()
    }

    fn drain(&mut self, at: usize) {
        let Some(set) = &mut self.sets[at] else { return };
        while let Some(event) = set.pool.next_event() {
            match event {
                PoolEvent::Ejected(_) | PoolEvent::Rejoined(_) => self.moved = true,
                event => self.events.push_back(event),
            }
        }
        self.reap();
    }

    /// Forgets sets of which nothing will be heard any more.
    fn reap(&mut self) {
        for place in &mut self.sets {
            if place.as_ref().is_some_and(Set::is_over) {
                *place = None;
            }
        }
    }

    // ---- what the machine passes on ---------------------------------------------------------

    /// Whether a connection leads to a server.
    pub(crate) fn owns(&self, conn: Conn) -> bool {
        self.set_of_conn(conn).is_some()
    }

    fn set_of_conn(&self, conn: Conn) -> Option<usize> {
        let (of, set) = (*self.by_slot.get(conn.index())?)?;
        (of == conn).then_some(set as usize)
    }

    fn set_of_token(&self, token: Token) -> Option<usize> {
        let at = usize::try_from(token.0.checked_sub(BASE)? / POOL_TOKENS).ok()?;
        self.sets.get(at)?.as_ref().map(|_| at)
    }

    pub(crate) fn on_open(&mut self, cx: &mut Cx, conn: Conn, connect: Token) {
        let at = self.set_of_token(connect).expect("a set lives until its connects have ended");
        if self.by_slot.len() <= conn.index() {
            self.by_slot.resize(conn.index() + 1, None);
        }
        self.by_slot[conn.index()] = Some((conn, at as u32));
        let set = self.set_mut(at);
        set.connects_ended += 1;
        set.conns += 1;
        set.pool.on_open(cx, conn, &Open::Connected { connect });
        self.drain(at);
    }

    pub(crate) fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let Some(at) = self.set_of_conn(conn) else { return };
        if !self.set_mut(at).pool.on_data(cx, conn, rx) {
            rx.clear();
        }
        self.drain(at);
    }

    pub(crate) fn on_eof(&mut self, cx: &mut Cx, conn: Conn) {
        let Some(at) = self.set_of_conn(conn) else { return };
        self.set_mut(at).pool.on_eof(cx, conn);
        self.drain(at);
    }

    pub(crate) fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        let Some(at) = self.set_of_conn(conn) else { return };
        self.by_slot[conn.index()] = None;
        let set = self.set_mut(at);
        set.conns -= 1;
        set.pool.on_gone(cx, conn, why);
        self.drain(at);
    }

    pub(crate) fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let Some(at) = self.set_of_token(connect) else { return };
        let set = self.set_mut(at);
        set.connects_ended += 1;
        set.pool.on_failed(cx, connect, why);
        self.drain(at);
    }

    pub(crate) fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        let Some(at) = self.set_of_token(timer) else { return false };
        self.set_mut(at).pool.on_timer(cx, timer);
        self.drain(at);
        true
    }

    pub(crate) fn invariants(&self) {
        self.sets.iter().flatten().for_each(|set| set.pool.invariants());
        for &at in self.current.iter().flatten() {
            let set = self.sets[at].as_ref();
            assert!(set.is_some_and(|set| !set.retired), "a set in use is not being left");
        }
    }
}

impl Set {
    fn use_servers(
        &mut self,
        cx: &mut Cx,
        config: &PoolConfig,
        names: &Names,
    ) -> Result<(), TooMany> {
        let mut servers: Vec<Server> = Vec::with_capacity(config.servers.len());
        for node in &config.servers {
            let name = format!("{}:{}", node.host, node.port);
            let old = self.servers.iter().find(|server| server.name == name);
            let stats = old.map_or_else(ServerStats::default, |server| server.stats);
            let id = match endpoint(&node.host, node.port, names) {
                None => None,
                Some(at) => {
                    let known = self.servers.iter().chain(&servers).filter_map(|server| server.id);
                    let same = known.into_iter().find(|&id| *self.pool.endpoint(id) == at);
                    match same {
                        Some(id) => Some(id),
                        None => Some(self.pool.add(cx.now(), at).map_err(|_| TooMany)?),
                    }
                }
            };
            servers.push(Server { name, id, stats });
        }
        let old = core::mem::replace(&mut self.servers, servers);
        for id in old.into_iter().filter_map(|server| server.id) {
            if !self.servers.iter().any(|server| server.id == Some(id)) {
                self.pool.remove(cx, id);
            }
        }
        Ok(())
    }

    fn retire(&mut self, cx: &mut Cx) {
        self.retired = true;
        let ids: Vec<ServerId> = self.servers.iter_mut().filter_map(|s| s.id.take()).collect();
        for (at, &id) in ids.iter().enumerate() {
            if !ids[..at].contains(&id) {
                self.pool.remove(cx, id);
            }
        }
    }

    fn is_over(&self) -> bool {
        let connecting = self.pool.counters().connects > self.connects_ended;
        self.retired && self.conns == 0 && !connecting && self.pool.pending() == 0
    }

    /// Whether keys are placed without this server.
    fn is_out(&self, node: usize) -> bool {
        let id = self.servers[node].id;
        id.is_some_and(|id| self.pool.standing(id) == Standing::Ejected)
    }

    /// How a server stands, in a word.
    pub(crate) fn standing(&self, node: usize) -> &'static str {
        match self.servers[node].id.map(|id| self.pool.standing(id)) {
            None => "unresolved",
            Some(Standing::Up) => "up",
            Some(Standing::Resting) => "resting",
            Some(Standing::Ejected) => "ejected",
        }
    }

    /// Connections that are not gone.
    pub(crate) const fn conns(&self) -> u32 {
        self.conns
    }
}
