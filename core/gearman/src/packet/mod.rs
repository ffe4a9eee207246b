//! The binary protocol: a header of 12 bytes (magic, kind, length; big-endian), then arguments that
//! are separated by NUL, of which the last runs to the end.
//!
//! Source: the PROTOCOL document of gearmand. What it says of a reduce job's arguments (three) is
//! not what servers and clients do (four, the third of them unused); this follows the latter.

mod kind;
mod read;
mod write;

pub use kind::{Kind, Magic};
pub use read::{Arguments, Bad, Packet, Parser, View};
pub use write::{SHARED_BYTES_MIN, put, put_with_data};

/// Length of a header, bytes.
pub const HEADER_BYTES: usize = 12;
/// Most arguments of a kind, the data included: a scheduled job's.
pub const ARGUMENTS_MAX: usize = 8;

/// The code of the error with which a server says that another one serves in its place.
pub const NOT_SERVING: &str = "NOT_SERVING";
