//! What a journal tells its owner.

use crate::Lsn;
use bytes::Bytes;

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
    /// A checkpoint is durable, and segments that it makes needless are gone.
    Checkpointed(Lsn),
    /// The disk is full: appending refuses until [`JournalEvent::Space`].
    Full,
    /// There is space again.
    Space,
    /// What [`Journal::read`](crate::Journal::read) asked for: records in order, possibly fewer.
    Records(Vec<(Lsn, Bytes)>),
    /// A read failed.
    ReadFailed(ReadError),
    /// A sync or write failed: nothing after the last `Durable` may be trusted. The process must end.
    Failed(&'static str),
}

/// What recovery found: a row of its decision table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The last record that is there.
    pub last: Lsn,
    /// The record that the checkpoint stands at.
    pub checkpoint: Lsn,
    /// Bytes of a torn tail that were cut.
    pub cut_bytes: u64,
}

/// Why recovery refuses, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The row of the decision table.
    pub why: &'static str,
    /// Which file.
    pub file: Bytes,
    /// Byte offset in it.
    pub at: u64,
    /// Records up to this one are whole.
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
