//! What stands above the databases: a directory of users, shards, sharded tables with their caches,
//! movers and balancers.

#![forbid(unsafe_code)]

pub mod map;
pub mod tables;

pub use map::ShardMap;
