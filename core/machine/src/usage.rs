//! Mistakes in the command line of a program whose machine reads it.
//!
//! How words are read is each program's own: each follows an original.

use core::fmt;

/// A command line that cannot be used: the caller's mistake, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}
