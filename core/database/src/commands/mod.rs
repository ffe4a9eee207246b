//! The commands, each family in a file of its own.
//!
//! | module | holds |
//! |---|---|
//! | [`spec`] | what is known of a command before it runs |
//! | [`table`] | all of them, by name |
//! | [`exec`] | what a command on content works with |
//! | [`fault`] | errors and their texts |
//! | [`marks`] | what was read and written, for whoever waits for it |
//!
//! A command on content computes effects, which are applied at once and journalled together as one
//! record; its reply waits until the record is durable. Commands on the server itself are in
//! [`server`](crate::server).

pub mod exec;
pub mod fault;
pub mod marks;
pub mod spec;
pub mod table;

mod counters;
mod expire;
mod generic;
mod hashes;
mod lists;
pub(crate) mod number;
mod rows;
mod scan;
mod sets;
mod sorted;
mod strings;

pub use exec::{Bounds, Exec, Tally};
pub use fault::Fault;
pub(crate) use generic::database;
pub use marks::Marks;
pub use rows::{Numbers, row_digest};
pub use spec::{Flags, Run, Spec};
pub use table::Commands;

/// How a command ended; its reply is written if it is well.
pub type Outcome = Result<(), Fault>;
