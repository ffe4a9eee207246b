//! What a proxy is told: where it listens, its pools of servers, and the routes of keys to them.
//!
//! Plain data. It comes from a file that somebody else read, or from the short form of the
//! [command line](words). Whether it makes sense is found by [`Table::compile`](crate::table).

pub mod words;

use core::fmt;
use core::time::Duration;
use storytime_machine::{ANY, Endpoint, Limits};
use storytime_memcached::client::placement::{KeyHash, Node, Scheme};
use storytime_memcached::client::pool::HealthOptions;

/// The port if none is given.
pub const PORT: u16 = 11211;
/// Most pools.
pub const POOLS_MAX: usize = 64;
/// Most routes.
pub const ROUTES_MAX: usize = 256;
/// Most servers of a pool.
pub const SERVERS_MAX: usize = 512;
/// Most targets of a route.
pub const TARGETS_MAX: usize = 8;
/// Most listeners.
pub const LISTENERS_MAX: usize = 16;
/// Longest prefix of keys, bytes.
pub const PREFIX_BYTES_MAX: usize = 250;
/// Largest value that can be taken in, bytes.
pub const VALUE_BYTES_MAX: usize = 32 << 20;
/// Most connections to one server and protocol.
pub const CONNECTIONS_MAX: u32 = 64;

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where clients come in.
    pub listen: Vec<Endpoint>,
    /// Most clients at once; more are told and hung up on.
    pub clients_max: u32,
    /// Largest value that is taken in, bytes.
    pub value_bytes_max: usize,
    /// Values above so many bytes are stored in pieces; none are if it is left out.
    pub split_bytes: Option<usize>,
    /// Where this proxy is, for zone-aware routes.
    pub zone: Option<String>,
    /// Whether equal gets that are under way at the same time are one.
    pub share_gets: bool,
    /// The pools.
    pub pools: Vec<Pool>,
    /// The routes. Without any, the first pool takes all keys.
    pub routes: Vec<Route>,
}

/// Servers that share keys among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// The servers, in an order that counts for placement.
    pub servers: Vec<Node>,
    /// How keys are placed.
    pub placement: Scheme,
    /// The marks around the part of a key that places it.
    pub hash_tag: Option<(u8, u8)>,
    /// Connections per server and protocol.
    pub connections: u32,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a reply may take, connecting included.
    pub request_timeout: Duration,
    /// When servers are left alone, and how they come back.
    pub health: HealthOptions,
    /// Where it is.
    pub zone: Option<String>,
}

/// Where keys go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// The start of the keys that it takes; without one only other routes lead to it.
    pub prefix: Option<String>,
    /// How it uses its targets.
    pub kind: RouteKind,
    /// Names of pools or of other routes, in order.
    pub to: Vec<String>,
    /// What a read gets if no server could be asked.
    pub on_failure: OnFailure,
    /// Most reads per second.
    pub reads_per_second: Option<u64>,
    /// Most writes per second.
    pub writes_per_second: Option<u64>,
}

/// How a route uses its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// The one target.
    Direct,
    /// The first target that answers.
    Failover {
        /// Whether a miss counts as no answer.
        on_miss: bool,
        /// Whether writes go to the next target too; else they fail with the first.
        writes: bool,
    },
    /// Reads go to the target in the proxy's own zone first, writes to all; the answer is that of
    /// the nearest.
    Zones,
    /// Writes go to all, and fail unless all have done it. Reads go to the first that answers.
    AllSync,
    /// Everything goes to all; the first answer counts.
    AllFastest,
    /// Two targets, cold and warm. What the cold one misses is read from the warm one and copied.
    WarmUp {
        /// Longest life of a copy; without one it lives as long as the original.
        ttl: Option<Duration>,
    },
}

/// What a read gets if no server could be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// A miss: a cache that is away is an empty cache.
    #[default]
    Miss,
    /// An error that says which server and why.
    Error,
}

/// Part of a config, to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// All of it.
    Whole,
    /// The pool with this index.
    Pool(usize),
    /// The route with this index.
    Route(usize),
}

/// A config that makes no sense: the operator's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What, as a sentence without a full stop.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ConfigError {}

/// The names of placements, for files and command lines.
pub const PLACEMENTS: &[(&str, Scheme)] = &[
    ("ketama", Scheme::KetamaWeighted),
    ("ketama-even", Scheme::Ketama(KeyHash::Md5)),
    ("modula", Scheme::Modula(KeyHash::OneAtATime)),
    ("modula-crc", Scheme::Modula(KeyHash::Crc)),
    ("classic", Scheme::Classic),
];

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Endpoint::any(PORT)],
            clients_max: 10_000,
            value_bytes_max: 1 << 20,
            split_bytes: None,
            zone: None,
            share_gets: true,
            pools: Vec::new(),
            routes: Vec::new(),
        }
    }
}

impl Config {
    /// Byte caps and water marks that fit this config.
    pub fn limits(&self) -> Limits {
        const { assert!(LINE_ROOM_BYTES > 4096, "the longest line fits beside a value") };
        let rx_bytes_max = (self.value_bytes_max + LINE_ROOM_BYTES).max(2 << 20);
        let tx_bytes_max = (self.value_bytes_max * 2 + LINE_ROOM_BYTES).max(64 << 20);
        Limits { rx_bytes_max, tx_bytes_max, ..Limits::default() }
    }
}

/// Room for command lines and reply lines around a value, bytes.
const LINE_ROOM_BYTES: usize = 64 << 10;

impl Pool {
    /// A pool with the defaults.
    pub fn new(name: impl Into<String>, servers: Vec<Node>) -> Self {
        Self {
            name: name.into(),
            servers,
            placement: Scheme::KetamaWeighted,
            hash_tag: None,
            connections: 1,
            connect_timeout: Duration::from_millis(250),
            request_timeout: Duration::from_millis(500),
            health: HealthOptions { failure_limit: 3, ..HealthOptions::default() },
            zone: None,
        }
    }
}

impl Route {
    /// A route with the defaults.
    pub fn new(name: impl Into<String>, kind: RouteKind, to: &[&str]) -> Self {
        Self {
            name: name.into(),
            prefix: None,
            kind,
            to: to.iter().map(|&name| name.to_owned()).collect(),
            on_failure: OnFailure::Miss,
            reads_per_second: None,
            writes_per_second: None,
        }
    }
}

/// Reads `host`, `host:port` or `[v6]:port`; the port is [`PORT`] if left out.
///
/// # Errors
/// In words, what is wrong with it.
pub fn host_and_port(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("a `[` without its `]`")?;
            (host, behind.strip_prefix(':').or_else(|| behind.is_empty().then_some("")))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("")),
        },
    };
    let port = match port.ok_or("expected a `:` and a port behind the `]`")? {
        "" if !text.ends_with(':') => PORT,
        digits => digits
            .parse()
            .ok()
            .filter(|&port| port > 0)
            .ok_or_else(|| format!("`{digits}` is no port (1 to 65535)"))?,
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(format!("`{text}` names no host"));
    }
    Ok((host.to_owned(), port))
}

/// Reads an address to listen on: `port`, `ip:port`, or `unix:path`.
///
/// # Errors
/// In words, what is wrong with it.
pub fn listener(text: &str) -> Result<Endpoint, String> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(Endpoint::unix(path));
    }
    if let Ok(port) = text.parse() {
        return Ok(Endpoint::tcp(ANY, port));
    }
    match text.parse() {
        Ok(addr) => Ok(Endpoint::Tcp(addr)),
        Err(_) => Err(format!("`{text}` is no address to listen on")),
    }
}

/// What [`listener`] takes, for messages.
pub const LISTENER_WANTED: &str =
    "a port such as \"11211\", \"127.0.0.1:11211\" or \"unix:proxy.sock\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_with_or_without_a_port() {
        assert_eq!(host_and_port("cache1"), Ok(("cache1".into(), PORT)));
        assert_eq!(host_and_port("cache1:11212"), Ok(("cache1".into(), 11212)));
        assert_eq!(host_and_port("[::1]:7"), Ok(("::1".into(), 7)));
        assert_eq!(host_and_port("[::1]"), Ok(("::1".into(), PORT)));
        for wrong in ["", ":1", "a:", "a:0", "a:x", "a:70000", "[::1", "[::1]7", "a b:1"] {
            assert!(host_and_port(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listeners_are_ports_addresses_or_paths() {
        assert_eq!(listener("7"), Ok(Endpoint::any(7)));
        assert_eq!(listener("127.0.0.1:7"), Ok(Endpoint::tcp([127, 0, 0, 1], 7)));
        assert_eq!(listener("unix:a"), Ok(Endpoint::unix("a")));
        assert!(listener("unix:").is_err() && listener("cache1:7").is_err());
    }
}
