//! The rows of the decision table.

use core::fmt;

/// What recovery found, and what follows from it: the rows of its decision table.
///
/// | row | found | decision |
/// |---|---|---|
/// | `Empty` | no file of the journal | begin at record 1 |
/// | `Clean` | every batch whole, zeros or nothing behind the last | go on |
/// | `TornTail` | the last segment ends in bytes that are no whole batch, and none is behind them | cut: they were never acknowledged |
/// | `Unfinished` | a file that had not got its name yet | removed |
/// | `ResetUndone` | segments of a reset whose checkpoint had not got its name yet | removed |
/// | `ResetDone` | files from before a reset | removed |
/// | `Needless` | files that the kept checkpoints make needless | removed |
/// | `OlderCheckpoint` | the newest checkpoint is damaged; an older one and the segments behind it are whole | go on from that one |
/// | `NoRoom` | everything is whole, and the disk is full | go on; `append` refuses |
/// | `DamageBeforeTail` | bytes that are no whole batch, and a whole one behind them or a segment that follows: they had been acknowledged | refuse |
/// | `DamageSealed` | a damaged batch that its segment began with: it was durable before the segment had its name | refuse |
/// | `SegmentMissing` | the records that come next are in no file | refuse |
/// | `SegmentHeader` | a named segment without a whole header, even of zero length: a name comes after a sync | refuse |
/// | `SegmentForeign` | a segment's header names another one | refuse |
/// | `NewerFormat` | a file of a newer program | refuse |
/// | `Sequence` | a whole batch whose number is lower or higher than what comes next | refuse |
/// | `CheckpointDamaged` | no checkpoint is whole, and the segments do not begin at record 1 | refuse |
/// | `EndsEarly` | the log ends before what the checkpoint stands for | refuse |
/// | `Unreadable` | the disk does not give a file's bytes | refuse |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Row {
    /// No file of the journal.
    Empty,
    /// Every batch whole.
    Clean,
    /// The last write did not come through.
    TornTail,
    /// A file without its name.
    Unfinished,
    /// A reset that was not finished.
    ResetUndone,
    /// Leftovers of what a reset replaced.
    ResetDone,
    /// Leftovers of what a checkpoint replaced.
    Needless,
    /// The newest checkpoint is damaged, an older one stands in.
    OlderCheckpoint,
    /// The disk is full.
    NoRoom,
    /// Acknowledged bytes are damaged.
    DamageBeforeTail,
    /// Bytes are damaged that were durable before the segment had its name.
    DamageSealed,
    /// Records are in no file.
    SegmentMissing,
    /// A segment has no header.
    SegmentHeader,
    /// A segment's header names another one.
    SegmentForeign,
    /// Written by a newer program.
    NewerFormat,
    /// A batch out of order.
    Sequence,
    /// No checkpoint is whole.
    CheckpointDamaged,
    /// The log ends before the checkpoint.
    EndsEarly,
    /// The disk fails to read.
    Unreadable,
}

impl Row {
    /// Every row.
    pub const ALL: [Self; 19] = [
        Self::Empty,
        Self::Clean,
        Self::TornTail,
        Self::Unfinished,
        Self::ResetUndone,
        Self::ResetDone,
        Self::Needless,
        Self::OlderCheckpoint,
        Self::NoRoom,
        Self::DamageBeforeTail,
        Self::DamageSealed,
        Self::SegmentMissing,
        Self::SegmentHeader,
        Self::SegmentForeign,
        Self::NewerFormat,
        Self::Sequence,
        Self::CheckpointDamaged,
        Self::EndsEarly,
        Self::Unreadable,
    ];

    /// Whether recovery refuses.
    pub const fn refuses(self) -> bool {
        self as u8 >= Self::DamageBeforeTail as u8
    }

    /// What was found, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "the journal is empty",
            Self::Clean => "the journal is whole",
            Self::TornTail => "the last write did not come through and was cut",
            Self::Unfinished => "an unfinished file was removed",
            Self::ResetUndone => "an unfinished reset was undone",
            Self::ResetDone => "leftovers from before a reset were removed",
            Self::Needless => "leftovers from before a checkpoint were removed",
            Self::OlderCheckpoint => "the newest checkpoint is damaged, an older one stands in",
            Self::NoRoom => "the disk is full",
            Self::DamageBeforeTail => "acknowledged records are damaged",
            Self::DamageSealed => "the records that a segment began with are damaged",
            Self::SegmentMissing => "a segment is missing",
            Self::SegmentHeader => "a segment has no whole header",
            Self::SegmentForeign => "a segment's header names another segment",
            Self::NewerFormat => "a file was written by a newer program",
            Self::Sequence => "records are out of order",
            Self::CheckpointDamaged => "the checkpoint is damaged and nothing stands in for it",
            Self::EndsEarly => "the log ends before what the checkpoint stands for",
            Self::Unreadable => "the disk cannot read a file",
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The rows that applied.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows(u32);

impl Rows {
    /// Adds one.
    pub const fn insert(&mut self, row: Row) {
        self.0 |= 1 << row as u8;
    }

    /// Whether one is among them.
    pub const fn contains(self, row: Row) -> bool {
        self.0 & 1 << row as u8 != 0
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Row> {
        Row::ALL.into_iter().filter(move |&row| self.contains(row))
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
