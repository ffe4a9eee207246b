//! Two hosts that stand for one: storage mirrored block by block, heartbeat, fencing, and an address
//! that moves.
//!
//! [`Pair`] is a part of a machine. On the active host it is the [`Storage`] under a journal: a flush
//! completes when both disks have it, or when the peer is known to be out and its blocks are marked.
//! On the standby host it applies what the active one sends. Who is active is decided by a lease that
//! a [`Witness`] grants: the active host stops serving before its lease could be granted to the other.

#![forbid(unsafe_code)]

mod active;
mod apply;
mod asks;
pub mod blocks;
mod cell;
pub mod config;
mod court;
mod files;
pub mod generation;
mod leader;
mod ops;
mod pair;
mod resync;
mod standby;
mod stream;
mod wire;
mod witness;

pub use config::{PairConfig, UsageError, WitnessCommand, WitnessConfig};
pub use generation::{Generation, Standing};
pub use pair::{LEASE_OVER, Mirror, Pair, PairEvent, Role, SAME_HALF, SPLIT_BRAIN};
pub use witness::{WITNESS_CONNS_MAX, Witness};

/// Tokens that a pair uses from its base on, for timers, connects, listeners and disk operations.
pub const PAIR_TOKENS: u64 = 1 << 20;
