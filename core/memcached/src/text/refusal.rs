//! Why a request was refused, and what the peer is told.

use core::fmt;

/// A request that was refused. The wire reply follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The peer named no command that exists.
    UnknownCommand,
    /// The peer left something out, or a key, flags, length or version is malformed.
    BadFormat,
    /// The peer's data block does not end where it said.
    BadDataChunk,
    /// The peer's expiry time is no number.
    BadExptime,
    /// The peer's amount to count by is no number.
    BadDelta,
    /// The peer counts what is no number.
    NotNumeric,
    /// The operator switched `flush_all` off.
    FlushDisabled,
    /// The value is larger than the server stores.
    TooLarge,
    /// No room could be made for a value.
    NoMemory,
    /// No room could be made for a longer number.
    NoMemoryForNumber,
}

impl Refusal {
    /// The reply line, without its end.
    pub const fn wire(self) -> &'static str {
        match self {
            Self::UnknownCommand => "ERROR",
            Self::BadFormat => "CLIENT_ERROR bad command line format",
            Self::BadDataChunk => "CLIENT_ERROR bad data chunk",
            Self::BadExptime => "CLIENT_ERROR invalid exptime argument",
            Self::BadDelta => "CLIENT_ERROR invalid numeric delta argument",
            Self::NotNumeric => "CLIENT_ERROR cannot increment or decrement non-numeric value",
            Self::FlushDisabled => "CLIENT_ERROR flush_all not allowed",
            Self::TooLarge => "SERVER_ERROR object too large for cache",
            Self::NoMemory => "SERVER_ERROR out of memory storing object",
            Self::NoMemoryForNumber => "SERVER_ERROR out of memory",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wire())
    }
}
