//! Two hosts that stand for one: storage mirrored block by block, heartbeat, fencing, and an address
//! that moves.
//!
//! [`Pair`] is a part of a machine. On the active host it is the [`Storage`] under a journal: a flush
//! completes when both disks have it, or when the peer is known to be out and its blocks are marked.
//! On the standby host it applies what the active one sends. Who is active is decided by a lease that
//! a [`Witness`] grants: the active host stops serving before its lease could be granted to the other.

#![forbid(unsafe_code)]

pub mod config;
mod pair;
mod witness;

pub use config::{PairConfig, WitnessConfig};
pub use pair::{Pair, PairEvent, Role};
pub use witness::Witness;

/// Tokens that a pair uses from its base on, for timers, connects, listeners and disk operations.
pub const PAIR_TOKENS: u64 = 1 << 20;
