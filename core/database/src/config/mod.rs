//! The command line of `dbd`.

mod help;
mod parse;

pub use help::HELP;

use crate::commands::Numbers;
use crate::replication::KEPT_BYTES_MAX;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::{Addr, Endpoint, IpAddr, Limits, UsageError};

/// What `dbd --version` prints.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Longest string, element or row, bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Longest request, and most memory of the requests that wait for an `EXEC`, bytes.
pub const REQUEST_BYTES_MAX: usize = 3 << 20;
/// Longest record, bytes: what the longest request can make.
pub const RECORD_BYTES_MAX: usize = 12 << 20;
/// Pending output above which a client is no longer read, bytes.
const TX_HIGH_BYTES: usize = 256 << 10;
/// Pending output above which a client is hung up on, bytes. What else is kept for it counts, too:
/// requests that wait for `EXEC`, and keys that it watches.
pub const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Input and output of all connections together, bytes.
const BUFFERS_BYTES_MAX: usize = 4 << 30;

// What the words of a request make is at most about as long as they are, and what is taken out of
// the content beside that is bounded by the same number.
const _: () = assert!(3 * REQUEST_BYTES_MAX + (1 << 20) <= RECORD_BYTES_MAX);

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Box<Config>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `--appendfsync always`: when a power cut cannot take it back.
    Always,
    /// `--appendfsync no`: at once, journalled behind. A power cut takes back what was acknowledged
    /// last; a killed process does so too.
    Behind,
    /// `--appendonly no`: at once, in memory alone. Every end of the process takes back everything.
    Never,
}

/// Where a server is, as it was typed: a name is looked up when the process starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Place {
    /// Its endpoint, if the host is an address and no name.
    pub fn endpoint(&self) -> Option<Endpoint> {
        self.host.parse::<IpAddr>().ok().map(|ip| self.at(ip))
    }

    /// Its endpoint, for the address that its name has.
    pub const fn at(&self, ip: IpAddr) -> Endpoint {
        Endpoint::Tcp(Addr::new(ip, self.port))
    }
}

/// Half of an HA pair, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairPlaces {
    /// Where this half listens for the other one.
    pub listen: u16,
    /// Where the other half listens.
    pub peer: Place,
    /// Who decides between them.
    pub witness: Place,
    /// The address that moves with the active role.
    pub address: Option<IpAddr>,
    /// Whether this half is active on a fresh pair.
    pub prefer_active: bool,
}

/// Pages that stand for rows bigger than memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// Pages in the file.
    pub pages: u64,
    /// Pages that memory holds.
    pub pool_pages: u64,
    /// Neighbouring rows of an owner that share a page.
    pub page_rows: u64,
    /// Records of a master whose pages are asked for before their turn comes.
    pub apply_ahead: u64,
}

/// One of two servers that replicate from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterMaster {
    /// The other one.
    pub other: Place,
    /// This server's number, from 1.
    pub server_number: u32,
    /// How many servers there are, the same on each. Each gives out row numbers that are this far
    /// apart, its own number first, also where several are drawn at once. 1: all numbers, and so
    /// does the other.
    pub servers: u32,
}

/// Options of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--port`.
    pub port: u16,
    /// `--bind`: every address if none is named.
    pub bind: Option<IpAddr>,
    /// `--dir`: below the process's data directory.
    pub dir: Bytes,
    /// `--databases`.
    pub databases: u32,
    /// `--maxclients`: further connections are told `ERR max number of clients reached`.
    pub clients_max: u32,
    /// `--maxmemory`, bytes; 0: no limit.
    pub memory_bytes_max: u64,
    /// `--requirepass`.
    pub password: Option<String>,
    /// `--appendonly` and `--appendfsync`.
    pub durability: Durability,
    /// `--checkpoint-bytes`: journal bytes after which a checkpoint is made.
    pub checkpoint_bytes: u64,
    /// How far ahead of the last record the journal's file is filled with zeros, bytes; whole
    /// sectors. No option: less of it makes tests of power cuts cheaper.
    pub reserve_bytes: usize,
    /// Most bytes of changed content that are kept for a replica which is being seeded. No option,
    /// for the same reason.
    pub kept_bytes_max: u64,
    /// `--read-only`.
    pub read_only: bool,
    /// `--max-runnable`: most requests under way; 0: no limit.
    pub runnable_max: u32,
    /// `--runnable-waits`: further ones wait for their turn; otherwise they are told `BUSY`.
    pub runnable_waits: bool,
    /// `--connection-memory`: what a connection costs, bytes.
    pub connection_bytes: u64,
    /// `--pages`, `--pool-pages`, `--page-rows`, `--apply-ahead`.
    pub paging: Option<Paging>,
    /// `--replicaof HOST PORT`.
    pub replica_of: Option<Place>,
    /// `--min-replicas-to-write N`: acknowledge only when so many replicas have it, too.
    pub replicas_to_write: u32,
    /// `--min-replicas-max-lag`: how long a replica may be silent and still count as there.
    pub replicas_lag_max: Duration,
    /// `--master-master`, `--server-number`, `--servers`.
    pub master_master: Option<MasterMaster>,
    /// `--pair …`: half of an HA pair.
    pub pair: Option<PairPlaces>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: crate::PORT,
            bind: None,
            dir: Bytes::from_static(b"dbd"),
            databases: 1024,
            clients_max: 10_000,
            memory_bytes_max: 0,
            password: None,
            durability: Durability::Always,
            checkpoint_bytes: 256 << 20,
            reserve_bytes: 1 << 20,
            kept_bytes_max: KEPT_BYTES_MAX,
            read_only: false,
            runnable_max: 0,
            runnable_waits: false,
            connection_bytes: 16 << 10,
            paging: None,
            replica_of: None,
            replicas_to_write: 0,
            replicas_lag_max: Duration::from_secs(10),
            master_master: None,
            pair: None,
        }
    }
}

impl Command {
    /// Reads the words behind `dbd`.
    ///
    /// # Errors
    /// The first mistake, and what would be right.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, UsageError> {
        parse::command(words)
    }
}

impl Config {
    /// Which row numbers the server gives out.
    pub fn numbers(&self) -> Numbers {
        self.master_master
            .as_ref()
            .map_or(Numbers::ALL, |two| Numbers { first: two.server_number, step: two.servers })
    }

    /// What the process needs.
    pub fn limits(&self) -> Limits {
        Limits {
            rx_bytes_max: REQUEST_BYTES_MAX + (128 << 10),
            tx_high: TX_HIGH_BYTES,
            tx_low: TX_HIGH_BYTES / 4,
            tx_bytes_max: OUTPUT_BYTES_MAX + (8 << 20),
            buffers_bytes_max: BUFFERS_BYTES_MAX,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests;
