//! Which random stream of a seed serves what, so that no two purposes share one.
//!
//! Streams from [`CALLERS`] up are never used by the world itself: load models, timelines and tests
//! take theirs from there.

/// Fault plans.
pub const FAULTS: u64 = 1;
/// Processes: this plus the process's number and life.
pub(crate) const PROCESSES: u64 = 1 << 48;
/// Rare paths inside machines, by process and life.
pub(crate) const BUGGIFY: u64 = 1 << 49;
/// Disks, by host.
pub(crate) const DISKS: u64 = 3 << 32;
/// Paths, by the two hosts.
pub(crate) const PATHS: u64 = 1 << 44;
/// The first stream that the world leaves to its callers.
pub const CALLERS: u64 = 1 << 56;
