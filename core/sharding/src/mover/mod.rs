//! Moves users from shard to shard while they are read and written.
mod copy;
pub mod decide;
pub mod job;
mod ledger;
pub mod options;
pub mod record;
pub mod request;
mod sweep;
#[cfg(test)]
mod tests;
