//! Hosts and shards, from a generated map.
//!
//! A host is one database server with its replicas; a shard is a database number on a host. Many
//! shards share a host (*virtual shards*), so that a host can be split without touching users. The
//! map is text, made by a tool and exchanged while applications run; what is in it wins over what
//! anybody remembers:
//!
//! ```text
//! map 12
//! directory 10.0.0.1:6379 select 0
//! index 10.0.0.9:6379 select 0
//! scheme directory otherwise 9
//! table photos modulo 1 2
//! host sharddbhost001 10.0.1.1:6379 replicas 10.0.1.2:6379
//! shard 1 host sharddbhost001 database sharddb001 select 0 flags rw
//! shard 2 host sharddbhost001 database sharddb001 select 1 flags r
//! shard 9 host sharddbhost001 database master select 2 flags rw
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `parse` | the text, with the line and column of the first mistake |
//! | `print` | the same text, canonical |
//! | `generate` | a map made from hosts × databases × shards |

mod generate;
mod parse;
mod print;

pub use generate::{GENERATED_SHARDS_MAX, Plan, generate};
pub use parse::{MAP_BYTES_MAX, MapError, parse};

use crate::scheme::Scheme;
use core::fmt;
use std::collections::BTreeMap;
use storytime_machine::Endpoint;

/// Most shards of a map.
pub const SHARDS_MAX: usize = 65_536;
/// Most hosts of a map.
pub const HOSTS_MAX: usize = 4_096;
/// Longest name of a table, database or host, bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A user of the site: the key that rows are sharded by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(pub u64);

/// A shard: the unit that users live on and that moves between hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u32);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A numbered database of a server: rows of different ones do not meet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Store {
    /// The server.
    pub at: Endpoint,
    /// As `SELECT` names it.
    pub select: u32,
}

/// Whether something may be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flags {
    /// Whether it may be read.
    pub read: bool,
    /// Whether it may be written.
    pub write: bool,
}

impl Flags {
    /// Everything is allowed.
    pub const READ_WRITE: Self = Self { read: true, write: true };
    /// Writes are refused.
    pub const READ_ONLY: Self = Self { read: true, write: false };

    /// From `rw`, `r`, `w` or `-`.
    pub fn from_text(text: &str) -> Option<Self> {
        Some(match text {
            "rw" => Self::READ_WRITE,
            "r" => Self::READ_ONLY,
            "w" => Self { read: false, write: true },
            "-" => Self { read: false, write: false },
            _ => return None,
        })
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "-",
        })
    }
}

/// A database server and its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name in the map.
    pub name: String,
    /// Where it is written and read.
    pub master: Endpoint,
    /// Where else it may be read.
    pub replicas: Vec<Endpoint>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number.
    pub id: ShardId,
    /// Index of its host in [`ShardMap::hosts`].
    pub host: usize,
    /// A label for shards that are counted and moved together.
    pub database: String,
    /// The number of its database on the host; no other shard of the host has it.
    pub select: u32,
    /// Whether it may be read and written.
    pub flags: Flags,
}

/// Hosts, shards and schemes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardMap {
    /// Grows with every map that is given out.
    pub version: u64,
    /// Where the global directory is, if there is one.
    pub directory: Option<Store>,
    /// Where the index for questions across shards is, if there is one.
    pub index: Option<Store>,
    /// How tables are partitioned that are not named in `tables`.
    pub scheme: Scheme,
    /// How other tables are partitioned.
    pub tables: BTreeMap<String, Scheme>,
    /// In the order of the text.
    pub hosts: Vec<Host>,
    /// Ascending by number.
    pub shards: Vec<Shard>,
}

impl Default for ShardMap {
    /// A map of nothing: no shard, no directory.
    fn default() -> Self {
        Self {
            version: 0,
            directory: None,
            index: None,
            scheme: Scheme::Directory { otherwise: None },
            tables: BTreeMap::new(),
            hosts: Vec::new(),
            shards: Vec::new(),
        }
    }
}

impl ShardMap {
    /// Finds a shard.
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.shards.binary_search_by_key(&id, |shard| shard.id).ok().map(|at| &self.shards[at])
    }

    /// Finds a shard to change its flags or host.
    pub fn shard_mut(&mut self, id: ShardId) -> Option<&mut Shard> {
        let found = self.shards.binary_search_by_key(&id, |shard| shard.id);
        found.ok().map(|at| &mut self.shards[at])
    }

    /// The host that a shard is on.
    pub fn host_of(&self, id: ShardId) -> Option<&Host> {
        self.shard(id).map(|shard| &self.hosts[shard.host])
    }

    /// Where a shard is written and read.
    pub fn master(&self, id: ShardId) -> Option<Store> {
        let shard = self.shard(id)?;
        Some(Store { at: self.hosts[shard.host].master.clone(), select: shard.select })
    }

    /// Where else a shard may be read.
    pub fn replicas(&self, id: ShardId) -> impl Iterator<Item = Store> {
        let found = self.shard(id).map(|shard| (&self.hosts[shard.host], shard.select));
        let stores = found.map(|(host, select)| {
            host.replicas.iter().map(move |at| Store { at: at.clone(), select })
        });
        stores.into_iter().flatten()
    }

    /// Shards of a host, by the host's name.
    pub fn shards_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Shard> {
        self.shards.iter().filter(move |shard| self.hosts[shard.host].name == host)
    }

    /// How a table is partitioned.
    pub fn scheme_of(&self, table: &str) -> &Scheme {
        self.tables.get(table).unwrap_or(&self.scheme)
    }

    /// The shard for a user who is new: shards that take writes, in turn by the user's number.
    pub fn shard_for_new(&self, user: UserId) -> Option<ShardId> {
        let legacy = self.scheme.otherwise();
        let open = || self.shards.iter().filter(|s| s.flags.write && Some(s.id) != legacy);
        let count = open().count() as u64;
        let nth = user.0.checked_rem(count)? as usize;
        open().nth(nth).map(|shard| shard.id)
    }

    /// What is wrong with the map as a whole; `None` if nothing is.
    pub fn mistake(&self) -> Option<String> {
        if self.shards.len() > SHARDS_MAX || self.hosts.len() > HOSTS_MAX {
            return Some(format!("at most {SHARDS_MAX} shards and {HOSTS_MAX} hosts"));
        }
        for pair in self.shards.windows(2) {
            if pair[0].id >= pair[1].id {
                return Some(format!("shard {} is there twice or out of order", pair[1].id));
            }
        }
        if let Some(lost) = self.shards.iter().find(|shard| shard.host >= self.hosts.len()) {
            return Some(format!("shard {} is on a host that is not there", lost.id));
        }
        let mut places: Vec<_> = self.shards.iter().map(|s| (s.host, s.select, s.id)).collect();
        places.sort_unstable();
        for pair in places.windows(2) {
            if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
                let host = &self.hosts[pair[0].0].name;
                let (one, other, select) = (pair[0].2, pair[1].2, pair[0].1);
                return Some(format!("shards {one} and {other} share select {select} of {host}"));
            }
        }
        self.mistake_of_schemes()
    }

    fn mistake_of_schemes(&self) -> Option<String> {
        for scheme in core::iter::once(&self.scheme).chain(self.tables.values()) {
            if let Some(lost) = scheme.shards().find(|&id| self.shard(id).is_none()) {
                return Some(format!("a scheme names shard {lost}, which is not there"));
            }
            if scheme.asks_directory() && self.directory.is_none() && !self.shards.is_empty() {
                return Some("a scheme asks the directory, and there is none".to_owned());
            }
            if let Some(mistake) = scheme.mistake() {
                return Some(mistake.to_owned());
            }
        }
        None
    }
}
