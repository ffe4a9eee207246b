//! Options and limits of a journal.

use bytes::Bytes;

/// Options and limits of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// The directory, below the process's data directory, that belongs to the journal alone.
    pub dir: Bytes,
    /// Length at which a segment is closed and the next begun, bytes.
    pub segment_bytes: u64,
    /// Longest record, bytes.
    pub record_bytes_max: usize,
    /// Most bytes appended and not yet durable; `append` refuses beyond.
    pub pending_bytes_max: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            dir: Bytes::from_static(b"journal"),
            segment_bytes: 64 << 20,
            record_bytes_max: 8 << 20,
            pending_bytes_max: 64 << 20,
        }
    }
}
