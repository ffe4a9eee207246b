//! One durable log for every component that promises to keep something.
//!
//! A [`Journal`] is a part of a machine, not a machine of its own: its owner passes on the disk
//! completions whose tokens are the journal's, and drains [`Journal::next_event`] after each call.
//!
//! ```text
//!  append ─► buffer ─► one write ─► one sync ─► Durable(lsn)      whatever was appended while a
//!                ▲                    │                           sync was in flight rides with
//!                └────────────────────┘                           the next
//! ```
//!
//! # What holds
//!
//! * A record that [`JournalEvent::Durable`] named survives any power cut on a disk whose syncs are
//!   honest, and any end of the process.
//! * What recovery tells is a prefix of what was appended, whole records only.
//! * A batch begins at a sector's start and is padded to a sector's end: no later write touches a
//!   sector that holds acknowledged bytes, so a torn one takes none of them.
//! * At most one batch on the disk is not acknowledged, because the next one is written after the
//!   last one's sync. Broken bytes with a whole batch behind them are therefore damage, and
//!   refused; broken bytes at the end are a torn tail, and cut. [`Row`] is the decision table.
//! * After a failed write or sync the journal ends with [`JournalEvent::Failed`]; nothing is tried
//!   again. A full disk is no failure: `append` refuses, and what was taken is written again,
//!   whole, when there is space.
//!
//! # What does not
//!
//! A damaged *last* batch cannot be told from a torn one and is cut; a replica has it. A disk that
//! lies about syncs loses what it lied about; damage before the tail is seen all the same. The
//! directory is not locked against a second process.
//!
//! | module | holds |
//! |---|---|
//! | [`options`], [`event`], [`rows`] | limits, what the owner is told, the decision table |
//! | [`storage`] | where operations go |
//! | `writer`, `making` | appending and group commit; how a segment comes to be |
//! | `checkpoint` | checkpoints, and resets with another history |
//! | `recover` | the way from a directory to `Ready` |
//! | `read`, `segments` | reading back, and where records are |
//! | `format` | the bytes of it all |

#![forbid(unsafe_code)]

pub mod event;
pub mod options;
pub mod rows;
pub mod storage;

mod checkpoint;
mod format;
mod journal;
mod making;
mod read;
mod recover;
mod segments;
mod writer;

pub use event::{AppendError, JournalEvent, ReadError, Recovery, Refusal};
pub use journal::Journal;
pub use options::{JournalOptions, PIECE_BYTES_MAX};
pub use rows::{Row, Rows};
pub use storage::{Local, Storage};

/// Number of a record, from 1; 0 stands for "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lsn(pub u64);

/// Tokens that a journal uses from its base on.
pub const JOURNAL_TOKENS: u64 = 1 << 16;
