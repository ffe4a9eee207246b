//! Moves users from shard to shard while they are read and written.
//!
//! A [`Coordinator`] hands moves to long-lived [`Mover`]s. What is true about a move stands in
//! three rows, and nowhere else:
//!
//! | row | database | says |
//! |---|---|---|
//! | [`move`](record) | directory | that there is a move, from where to where, how far it is |
//! | [`place`](crate::home) | directory, same owner | where the user is looked for |
//! | [`home`](crate::home) | old and new shard | who may write there |
//!
//! # The steps
//!
//! Each step is one `ROW.BATCH`, atomic in its database, which checks the version of the row that
//! it rests on. Reads are not listed.
//!
//! | | step | `move` | `place` | old `home` | new `home` |
//! |---|---|---|---|---|---|
//! | 0 | ordered | **copying** | old | active | none, or moved |
//! | 1 | [`Claim`](decide::Action::Claim) | **written anew** | old | active | |
//! | 2 | [`ClaimDest`](decide::Action::ClaimDest) | copying | old | active | **arriving** |
//! | 3 | [`Copy`](decide::Action::Copy), again and again | copying | old | active | rows |
//! | 4 | [`Freeze`](decide::Action::Freeze) | copying | old | **readonly** | arriving |
//! | 5 | the last copy; number spaces; every row compared | copying | old | readonly | rows |
//! | 6 | [`Switch`](decide::Action::Switch) | **switched** | **new** | readonly | arriving |
//! | 7 | [`Retire`](decide::Action::Retire) | switched | new | **moved** | arriving |
//! | 8 | [`Activate`](decide::Action::Activate) | switched | new | moved | **active** |
//! | 9 | the cache is told | switched | new | moved | active |
//! | 10 | [`Drop`](decide::Action::Drop) | switched | new | moved, rows deleted | active |
//! | 11 | [`Close`](decide::Action::Close) | **deleted** | new | moved | active |
//!
//! The user cannot write from 4 to 8, and can read all the time. The old shard says `moved` before
//! the new one takes writes: who reads rows and `home` together never shows what is out of date.
//!
//! A user who has been read-only for too long, or whose new shard does not answer, may write again
//! ([`Thaw`](decide::Action::Thaw): old `home` active), and the move is tried later. A move that is
//! called off before step 6 (`undoing`) goes back: old `home`
//! **active** ([`Reopen`](decide::Action::Reopen)), new `home` **moved**
//! ([`Abandon`](decide::Action::Abandon)), the copied rows deleted, `move` **deleted**.
//!
//! # Crashes
//!
//! A mover remembers nothing that a successor needs. Whoever takes up a move reads the rows, and
//! [`decide`](decide::decide) is a function of what they say:
//!
//! | `move` | old `home` | new `home` | so the predecessor got to | next |
//! |---|---|---|---|---|
//! | none | | | the end | nothing |
//! | copying | active | none, moved | 0, 1 | 1 |
//! | copying | active | arriving | 2, 3, or thawed | 1, 2, then compares and copies what differs |
//! | copying | readonly | arriving | 4, 5 | 1, 2, 4 (written anew), 5 |
//! | switched | readonly | arriving | 6 | 1, 7 |
//! | switched | moved | arriving | 7 | 1, 8 |
//! | switched | moved | active | 8, 9, 10 | 1, 9, 10 |
//! | undoing | active, readonly | not active | anything up to 5 | 1, reopen, abandon, drop, 11 |
//! | any other | | | nothing that a mover does | nothing is touched, somebody must look |
//!
//! # Frozen movers, late requests
//!
//! A mover that was frozen, or a request that lay in a dead connection, may come back at any time.
//! It can do no harm, because *whoever goes on writes every row that he relies on anew, before he
//! relies on it*, and a version is never used again:
//!
//! * The version that [`Claim`](decide::Action::Claim) writes is the fence number of this mover. It
//!   stands in every `home` that he writes. Nobody acts on a `home` with a higher number than his.
//! * All writes of rows check the `home` of their shard, as it was claimed; the switch checks
//!   `move`. So the claim of a successor makes everything void that was sent before.
//! * A mover whose own request got no answer does the same to himself: he forgets all claims, reads
//!   everything and claims anew.
//! * Leases only say when somebody else is sent; nothing is right or wrong because of a clock.
//!
//! # Modules
//!
//! | module | holds |
//! |---|---|
//! | [`decide`] | the tables above as a function |
//! | [`job`] | one move: asks, hears, decides |
//! | `copy`, `ledger` | makes rows equal, and remembers what is |
//! | `sweep` | deletes what is left behind |
//! | [`record`], [`request`] | the move's row; what is asked of databases |
//! | [`machine`] | a mover |
//! | [`coordinator`], [`list`] | who is sent to which move, and when |
//! | [`wire`] | the lines that they exchange |
//! | [`config`], [`named`] | command lines; hosts by name |
//!
//! # Not modelled
//!
//! A directory or a shard that loses acknowledged writes: promote only replicas that have them all
//! (`--min-replicas-to-write`), or versions and with them fence numbers repeat. Rows that were
//! written past the check of `home`. A user whose rows do not fit into a mover's ledger
//! ([`JobOptions::rows_max`]) is not moved.

pub mod config;
pub mod coordinator;
mod copy;
pub mod decide;
pub mod job;
mod ledger;
pub mod list;
pub mod machine;
pub mod named;
pub mod options;
pub mod record;
pub mod request;
mod sweep;
pub mod wire;

#[cfg(test)]
mod tests;

pub use config::{CoordinatorConfig, MoverConfig};
pub use coordinator::Coordinator;
pub use list::Delays;
pub use machine::Mover;
pub use named::Named;
pub use options::{CoordinatorOptions, JobOptions, MoverOptions};
