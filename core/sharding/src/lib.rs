//! What stands above the databases: a directory of users, shards, sharded tables with their caches,
//! movers and balancers.
//!
//! | module | holds |
//! |---|---|
//! | [`map`] | hosts and shards, from a generated map that can be exchanged while running |
//! | [`scheme`] | which shard a user's rows are on: vertical, range, modulo, hash, directory |
//! | [`home`] | who may write a user's rows, and where: the protocol of readers, writers and movers |
//! | [`directory`] | names and user ids, as the global database keeps them |
//! | [`part`] | sharding as a part of other machines |
//! | [`request`], [`outcome`], [`items`] | what may be asked of it, and what comes of it |
//! | [`options`] | what it caches, and what that promises |
//! | [`mover`] | moves of users between shards |
//! | [`balance`] | which users should move |
//! | [`split`] | one host becomes two |
//! | [`fixer`] | data that is stored twice, and kept the same |

#![forbid(unsafe_code)]

pub mod balance;
pub mod directory;
pub mod fixer;
pub mod home;
pub mod items;
pub mod map;
pub mod mover;
pub mod options;
pub mod outcome;
pub mod part;
pub mod request;
pub mod scheme;
pub mod split;

pub use home::{Home, HomeState, Place};
pub use items::Items;
pub use map::{Host, Shard, ShardId, ShardMap, Store, UserId};
pub use options::{CacheOptions, Care, Options, Revisions, RowMode};
pub use outcome::{Entry, Error, Event, NotAccepted, Outcome, Row, Written};
pub use part::{SHARDING_TOKENS, Sharding, ShardingCounters};
pub use request::{Change, Query, Request};
pub use scheme::{Located, Scheme};
