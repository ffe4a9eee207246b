//! A journalled, replicated record store that speaks RESP.
//!
//! | module | holds |
//! |---|---|
//! | [`resp`] | the wire: requests, replies, RESP2 and RESP3 |
//! | [`client`] | a client as a part of other machines |
//! | [`replication`] | masters and replicas: log shipping, promotion, divergence |
//! | [`config`] | the command line of `dbd` |
//! | [`server`] | the machine |

#![forbid(unsafe_code)]

pub mod client;
pub mod config;
pub mod replication;
pub mod resp;
pub mod server;

pub use config::{Command, Config, HELP, UsageError, VERSION};
pub use resp::Reply;
pub use server::Database;

/// The port that is used when none is named.
pub const PORT: u16 = 6379;
