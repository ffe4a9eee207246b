//! Hosts, databases and shards, from a generated map.

use storytime_machine::Endpoint;

/// A user of the site: the key that rows are sharded by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UserId(pub u64);

/// A shard: the unit that users live on and that moves between hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u32);

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its number.
    pub id: ShardId,
    /// The name of its database; rows of different databases on one server do not meet.
    pub database: String,
    /// Where it is written.
    pub master: Endpoint,
    /// Where else it may be read.
    pub replicas: Vec<Endpoint>,
    /// Whether it may be read.
    pub readable: bool,
    /// Whether it may be written.
    pub writable: bool,
}

/// Hosts and shards.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ShardMap {
    /// Where the global directory is, if there is one.
    pub directory: Option<Endpoint>,
    /// By number.
    pub shards: Vec<Shard>,
}
