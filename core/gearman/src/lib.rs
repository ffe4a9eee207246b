//! Gearman: a job server that loses nothing it promised, its clients and its workers.
//!
//! | module | holds |
//! |---|---|
//! | [`packet`] | the binary protocol: kinds, arguments, a bounded parser, writing |
//! | [`text`] | the text protocol: an operator's commands |
//! | [`config`] | the command line |
//! | [`tenants`] | who shares a server |
//! | [`engine`] | the rules: functions, jobs, workers, listeners; no connection, clock or disk |
//! | [`queue`] | the durable queue: what of the engine's state outlives the process |
//! | [`server`] | the job server, as a machine |
//! | [`client`] | submits jobs, as a part of other machines |
//! | [`worker`] | takes jobs, as a part of other machines |
//! | [`adapter`] | a machine that is one client or one worker |
//! | [`tools`] | `gearman` and `gearadmin`, as machines |
//!
//! # Two layers
//!
//! The [`engine`] is plain data with methods: who sent what, and to whom replies go. Bytes,
//! connections, timers and the journal are the server's. So the rules can be searched exhaustively
//! as they are, not as a model of them, and the server can be changed without touching a rule.

#![forbid(unsafe_code)]

pub mod adapter;
pub mod client;
pub mod config;
pub mod engine;
mod links;
pub mod packet;
pub mod queue;
pub mod server;
pub mod tenants;
pub mod text;
pub mod tools;
pub mod worker;

pub use config::{Command, Config};
pub use server::Gearmand;

/// The port that is used when none is named.
pub const PORT: u16 = 4730;
