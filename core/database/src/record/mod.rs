//! What is written to the journal: the effects of requests, with absolute results.
//!
//! A request that changes something becomes one record, and so does a whole transaction. Effects
//! hold results and not questions (the new value and not the increment, the instant and not the
//! time to live), so that live execution, recovery and replication apply the same bytes and come to
//! the same content.
//!
//! ```text
//! term u64 | wall clock, ms u64 | effect … effect
//! effect: operation u8, then its fields; lengths and small numbers as varints
//! ```
//!
//! The database and the key of an effect are left out where they are those of the one before it in
//! the same record.

mod effect;
mod reader;
mod varint;
mod writer;

pub use effect::{Effect, End};
pub use reader::{Effects, Garbled, RecordView};
pub use writer::RecordWriter;

pub(crate) use varint::{put_bytes, put_varint, take_bytes, take_varint};

/// Bytes of a record before its effects.
pub const HEADER_BYTES: usize = 16;
