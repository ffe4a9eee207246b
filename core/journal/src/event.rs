//! What a journal tells its owner.

use crate::{Lsn, Row, Rows};
use bytes::Bytes;
use core::fmt;

/// What a journal tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalEvent {
    /// Recovery: the next piece of the newest checkpoint, in order.
    Checkpoint(Bytes),
    /// Recovery: a record behind the checkpoint, in order.
    Record(Lsn, Bytes),
    /// Recovery is over; appending may begin.
    Ready(Recovery),
    /// Recovery refuses: the data needs an operator or a replica.
    Refused(Refusal),
    /// Every record up to this one survives a power cut.
    Durable(Lsn),
    /// A checkpoint is durable, and what it makes needless is being removed.
    Checkpointed(Lsn),
    /// A checkpoint or reset found no room and was given up; try again when there is space.
    CheckpointFailed(Lsn),
    /// The disk is full: appending refuses until [`JournalEvent::Space`].
    Full,
    /// There is space again.
    Space,
    /// What [`Journal::read`](crate::Journal::read) asked for: records in order, possibly fewer.
    Records(Vec<(Lsn, Bytes)>),
    /// A read failed.
    ReadFailed(ReadError),
    /// A sync or write failed: nothing after the last `Durable` may be trusted. The process must
    /// end.
    Failed(&'static str),
}

/// What recovery found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The last record that is there.
    pub last: Lsn,
    /// The record that the checkpoint stands at.
    pub checkpoint: Lsn,
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
    /// The rows of the decision table that applied.
    pub rows: Rows,
}

/// Why recovery refuses, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the decision table.
    pub row: Row,
    /// Which file.
    pub file: Bytes,
    /// Byte offset in it.
    pub at: u64,
    /// Records up to this one are whole: what can be saved.
    pub whole_to: Lsn,
}

/// Why a record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Longer than `record_bytes_max`: the caller's mistake.
    TooLong,
    /// Too much is waiting for the disk; try again after the next `Durable`.
    Busy,
    /// The disk is full.
    Full,
    /// Recovery is not over, or the journal has failed.
    NotReady,
}

/// Why records cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// A checkpoint has made them needless, and they are gone.
    Gone,
    /// They are not durable yet, or were never written.
    Ahead,
    /// The disk failed, or they are damaged.
    Damaged,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = String::from_utf8_lossy(&self.file);
        let Self { row, at, whole_to, .. } = self;
        write!(f, "{row}: {file} at byte {at}; records up to {} are whole", whole_to.0)
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the record is too long",
            Self::Busy => "too much waits for the disk",
            Self::Full => "the disk is full",
            Self::NotReady => "the journal is not open",
        })
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the records are gone",
            Self::Ahead => "the records are not there yet",
            Self::Damaged => "the records cannot be read",
        })
    }
}

impl std::error::Error for Refusal {}
impl std::error::Error for AppendError {}
impl std::error::Error for ReadError {}
