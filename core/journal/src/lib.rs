//! One durable log for every component that promises to keep something.
//!
//! A [`Journal`] is a part of a machine, not a machine of its own: its owner passes on the disk
//! completions whose tokens are the journal's, and drains [`Journal::next_event`].
//!
//! ```text
//!  append ─► buffer ─► one write ─► one sync ─► Durable(lsn)      whatever was appended while a
//!                ▲                    │                           sync was in flight rides with
//!                └────────────────────┘                           the next
//! ```

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
pub use options::JournalOptions;
pub use rows::{Row, Rows};
pub use storage::{Local, Storage};

/// Number of a record, from 1; 0 stands for "before the first".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Lsn(pub u64);

/// Tokens that a journal uses from its base on.
pub const JOURNAL_TOKENS: u64 = 1 << 16;
