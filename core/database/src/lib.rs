//! A journalled, replicated record store that speaks RESP.
//!
//! | module | holds |
//! |---|---|
//! | [`resp`] | the wire: requests, replies, RESP2 and RESP3 |
//! | [`client`] | a client as a part of other machines |
//! | [`record`] | effects, as they are journalled |
//! | [`store`] | the content, changed by effects alone |
//! | [`commands`] | what clients may ask, each family in a file |
//! | [`replication`] | masters and replicas: log shipping, promotion, divergence |
//! | [`paging`] | the input and output of content bigger than memory |
//! | [`config`] | the command line of `dbd` |
//! | [`server`] | the machine |

#![forbid(unsafe_code)]

pub mod client;
pub mod commands;
pub mod config;
pub mod paging;
pub mod record;
pub mod replication;
pub mod resp;
pub mod server;
pub mod store;

mod glob;

pub use config::{Command, Config, HELP, VERSION};
pub use resp::Reply;
pub use server::Database;

/// The port that is used when none is named.
pub const PORT: u16 = 6379;
