//! Two hosts that stand for one: storage mirrored to another host's disk, heartbeat, fencing, and
//! an address that moves. What DRBD, heartbeat and a floating address were to the databases of
//! 2004.
//!
//! [`Pair`] is a part of a machine. On the active half it is the
//! [`Storage`](storytime_journal::Storage) under a journal: every operation on the mirrored
//! directories goes to the own disk and, in the same order, to the other half. Operations complete
//! when the own disk has carried them out; a flush, when *both* disks have, or when it is recorded
//! that the other half was left behind. On the standby it carries out what comes. Who is active is
//! decided by a lease that a [`Witness`] on a third host grants.
//!
//! ```text
//!     tenant (a journal)              heartbeats, changes, flushes
//!         │ submit   ▲ completions  ┌────────────────────────────────┐
//!         ▼          │              │                                ▼
//!     active half ──► own disk ─────┘                            standby ──► its disk
//!         │                                                          │
//!         └─ lease, "the other is behind" / "equal" ─► witness ◄─────┘ asks when it
//!                                              (a record on its disk)   hears nothing
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | options of both programs, the witness's command line |
//! | [`generation`] | which disk is newer; split brain |
//! | [`blocks`] | which blocks the other half has not got |
//! | `pair`, `marks`, `standby`, `leader` | a half: its marks, following, leading |
//! | `active`, `submit`, `ops`, `files`, `stream`, `resync` | the active half's side of the mirror |
//! | `apply` | the standby's side |
//! | `court`, `witness`, `asks` | who may serve: the decision, the machine, the questions |
//! | `storage` | a pair, or the process's own disk |
//! | `cell`, `wire` | a durable mark; frames |
//!
//! # How to use it
//!
//! The owner passes on every event (the methods named `on_…`, which say whether it was the pair's),
//! drains [`Pair::next_event`] after each callback and after each use of the storage, and
//!
//! * at [`PairEvent::Activate`] opens its journal on the pair as storage, and serves;
//! * gives each [`PairEvent::Disk`] to its journal;
//! * at [`PairEvent::Fenced`] ends the process at once, with that reason; whoever supervises it
//!   starts it again, and it comes back as standby;
//! * asks [`Pair::serves`] at the beginning of every callback and answers nobody if it says no: a
//!   process that was stopped for a while learns only there that its time is over.
//!
//! # Why nothing acknowledged is lost
//!
//! The witness's record says which halves have every acknowledged flush; only those can be granted
//! the lease, and a half that takes it is alone in the record from that moment. The record changes
//! on disk before anybody is told, and the active half counts on the other one for every flush from
//! before it says "equal" until it has heard that "behind" is recorded. No clock takes part in
//! this.
//!
//! The lease is for reads: with it there is at most one half that answers. It is counted from the
//! moment at which it was *asked for*, on the own monotonic clock, and used for less than its
//! length by twice [`config::DRIFT_PPM`], so that it ends before anybody could have granted it to
//! the other half, as long as no clock is off by more than that. A standby's answer to a heartbeat
//! is a promise not to ask for the lease for one lease time; it is as good as the witness's word.
//! Neither a witness nor a half remembers its promises over a restart, so both keep still for one
//! lease time after it. What was sent before the end of a lease may arrive after it.
//!
//! # Who serves, when links or hosts fail
//!
//! A: the active half, S: the standby, equal before the failure; W: the witness.
//!
//! | A–S | A–W | S–W | who serves | flushes |
//! |---|---|---|---|---|
//! | up | up | up | A | on both disks |
//! | up | **cut** | up | A, by S's promises | on both disks |
//! | up | up | **cut** | A | on both disks |
//! | up | **cut** | **cut** | A, by S's promises; W may be dead | on both disks |
//! | **cut** | up | up | A | wait until W has recorded that S is behind, then on one disk |
//! | **cut** | up | **cut** | A | the same; S may be dead |
//! | **cut** | **cut** | up | S, after A's lease | on one disk; A may be dead |
//! | **cut** | **cut** | **cut** | nobody: A stops when its lease ends | |
//!
//! A link that carries packets in one direction only counts as cut, with one worse case: if W hears
//! A but A does not hear W while A–S is cut, W records that S is behind, and A never learns of it.
//! Then nobody serves, because nobody can know whether A went on.
//!
//! | also | |
//! |---|---|
//! | W away, then S dies | A's flushes wait and its lease ends: with neither of the two it might be the one that is cut off |
//! | S behind, A dies | nobody serves until A is back: S has not got everything |
//! | A dies during S's resync | the same: the disk of S is neither old nor new |
//! | A and S die, both equal | the first one that is back and asks |
//! | A restarts | it keeps still for one lease time, and S takes over |
//! | W lost its disk | A stops; the marks on *both* disks decide, so both halves have to be there |
//! | a half's disk was exchanged | it follows the other, and never serves while it is empty |
//! | both wrote alone (disks or witnesses exchanged by hand) | refused, with [`SPLIT_BRAIN`]; never merged |
//!
//! # Resync
//!
//! After a break of the connection alone, what was touched meanwhile is sent ([`blocks`]). After a
//! restart of either process, every block of every file is compared by digest, and what differs is
//! sent: the mark of a disk that lies about flushes may be newer than its content. Changes go on
//! meanwhile. The standby's mark says "inconsistent" from before the first change until everything
//! is flushed, and the witness hears of it after that.
//!
//! With disks that lie, a power cut of one half loses nothing that was acknowledged: the other half
//! goes on with what it has, and brings the liar up to date. A power cut of both loses what both
//! disks lied about.
//!
//! # Where its ports may be
//!
//! Whoever reaches them is believed. There is no authentication and no encryption between the
//! halves, nor between them and the witness: a stranger at a half's port can pass for the active
//! half and have the standby write what it likes, one at the witness's port can take the lease, and
//! one who listens in between reads everything. All of these ports belong on a private network,
//! such as a cable between the two hosts. A password of the tenant's protects its own port alone.
//!
//! # Considered and rejected
//!
//! *Completing writes only when both disks have them*: only flushes promise anything, so only they
//! wait. *A bitmap on disk*, as DRBD's activity log: after a restart comparing reads all blocks but
//! believes nobody, and the files here are a journal's, not a disk of terabytes. *Two nodes with a
//! quorum disk or a second cable in place of a witness*: they cannot tell a dead peer from a cut
//! one. *Failing back to the preferred half*: it costs a second interruption and gains nothing.
//!
//! # Not modelled
//!
//! More than two halves; encryption or authentication (see above); a rate limit of the resync;
//! directories in mirrored directories; repair of sectors of the active half's own disk from the
//! other. Contents of ranges whose write *failed* on the active half (a full disk) may differ until
//! they are written again; the next comparison makes them equal.

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
mod marks;
mod ops;
mod pair;
mod resync;
mod standby;
mod storage;
mod stream;
mod submit;
mod wire;
mod witness;

pub use config::{PairConfig, UsageError, WitnessCommand, WitnessConfig};
pub use generation::{Generation, Standing};
pub use pair::{LEASE_OVER, Mirror, Pair, PairEvent, Role, SAME_HALF, SPLIT_BRAIN};
pub use storage::Storages;
pub use witness::{WITNESS_CONNS_MAX, Witness};

/// Tokens that a pair uses from its base on, for timers, connects, listeners and disk operations.
pub const PAIR_TOKENS: u64 = 1 << 20;
