//! What stands above the databases: a directory of users, shards, sharded tables with their caches,
//! movers and balancers.
//!
//! | module | holds |
//! |---|---|
//! | [`map`] | hosts and shards, from a generated map that can be exchanged while running |
//! | [`scheme`] | which shard a user's rows are on: vertical, range, modulo, hash, directory |
//! | [`home`] | who may write a user's rows, and where: the protocol of readers, writers and movers |
//! | [`directory`] | names and user ids, as the global database keeps them |

#![forbid(unsafe_code)]

pub mod directory;
pub mod home;
pub mod map;
pub mod scheme;

pub use home::{Home, HomeState, Place};
pub use map::{Host, Shard, ShardId, ShardMap, Store, UserId};
pub use scheme::{Located, Scheme};
