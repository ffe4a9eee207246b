//! Options and limits of a journal.

use bytes::Bytes;
use core::time::Duration;
use storytime_machine::disk::{IO_BYTES_MAX, path_is_valid};

use crate::format::{BATCH_HEADER_BYTES, RECORD_HEADER_BYTES, SECTOR_BYTES};

/// Longest piece of a checkpoint, bytes.
pub const PIECE_BYTES_MAX: usize = 8 << 20;
/// Most bytes read from the disk at once while records are read, unless one batch is longer.
pub const READ_BYTES: usize = 256 << 10;
/// Distance of the places that a journal remembers in a segment, to find records, bytes.
pub const INDEX_BYTES: u64 = 64 << 10;

/// Options and limits of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The directory, below the process's data directory, that belongs to the journal alone.
    pub dir: Bytes,
    /// Length at which a segment is closed and the next begun, bytes.
    pub segment_bytes: u64,
    /// Longest record, bytes.
    pub record_bytes_max: usize,
    /// Length at which a batch is closed; what is appended then goes with a later sync, bytes. A
    /// longer record is a batch of its own.
    pub batch_bytes_max: usize,
    /// Most bytes appended and not yet durable; `append` refuses beyond.
    pub pending_bytes_max: usize,
    /// How far ahead of the last batch a segment is filled with zeros: room that is ours for
    /// certain, and syncs that need not change the file's length. Bytes.
    pub reserve_bytes: usize,
    /// How many checkpoints are kept, at least 1, with the segments that they need: the older ones
    /// stand in for a newest one that rotted.
    pub checkpoints_kept: u32,
    /// How long a journal on a full disk waits before it looks for space again.
    pub space_retry: Duration,
    /// A planted mistake, to see that a check would find it.
    #[doc(hidden)]
    pub mistake: Mistake,
}

/// Mistakes that can be planted in a journal.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// None.
    None,
    /// Batches begin where the last one ended, within its sector.
    NoPadding,
    /// After a restart the last segment goes on behind the torn tail's start, which is not cut.
    GoesOnInPlace,
    /// A batch that is not whole is the end, whatever stands behind it.
    TakesDamageForTail,
    /// Batches are believed without their checksum.
    NoChecksum,
    /// A reset is believed as soon as its segment has its name.
    EpochOfSegments,
}

impl JournalOptions {
    /// Asserts the relations between the limits.
    ///
    /// # Panics
    /// If they make no sense.
    pub fn assert_valid(&self) {
        let overhead = BATCH_HEADER_BYTES + RECORD_HEADER_BYTES + 2 * SECTOR_BYTES;
        assert!(path_is_valid(&self.dir), "the journal's directory is no path");
        assert!(self.record_bytes_max + overhead <= IO_BYTES_MAX, "a record is one write");
        assert!(self.batch_bytes_max + overhead <= IO_BYTES_MAX, "a batch is one write");
        assert!(self.batch_bytes_max > 0, "a batch holds something");
        assert!(self.record_bytes_max <= self.pending_bytes_max, "every record fits when idle");
        assert!(self.reserve_bytes.is_multiple_of(SECTOR_BYTES), "whole sectors are reserved");
        assert!(self.reserve_bytes <= IO_BYTES_MAX, "a reserve is one write");
        assert!(self.segment_bytes > 2 * SECTOR_BYTES as u64, "a segment holds a batch");
        assert!(self.checkpoints_kept > 0, "the newest checkpoint is needed");
    }
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            dir: Bytes::from_static(b"journal"),
            segment_bytes: 64 << 20,
            record_bytes_max: 8 << 20,
            batch_bytes_max: 4 << 20,
            pending_bytes_max: 64 << 20,
            reserve_bytes: 1 << 20,
            checkpoints_kept: 2,
            space_retry: Duration::from_millis(100),
            mistake: Mistake::None,
        }
    }
}
