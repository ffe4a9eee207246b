//! What stands above the databases: a directory of users, shards, sharded tables with their caches,
//! movers and balancers.
//!
//! | module | holds |
//! |---|---|
//! | [`map`] | hosts, databases and shards |
//! | [`home`] | the rows that say where a user is and who may write |
//! | [`tables`] | objects per table and user |

#![forbid(unsafe_code)]

pub mod home;
pub mod map;
pub mod mover;
pub mod tables;

pub use home::{Home, HomeState, Place};
pub use map::ShardMap;
