//! The text protocol: a line of words for operators, answered with lines.
//!
//! A line ends with LF, or CR LF; words are separated by spaces; the name of a command is read
//! without case. Which commands there are, and what is said to a wrong one, is the dialect's: the
//! C server's answers are followed to the byte, and so are the Perl server's to its own commands.
//!
//! Not kept of the C server: that `create function` ended by LF alone loses the name's last byte,
//! and that `drop function` finds functions without case.

mod request;
mod wrong;

pub use request::{Line, Request, Watch, line};
pub use wrong::Wrong;

/// Most words of a line; who sends more is hung up on.
pub const WORDS_MAX: usize = 5;
/// Longest line with its end, bytes; who sends more is hung up on.
pub const LINE_BYTES_MAX: usize = 8 << 10;

#[cfg(test)]
mod tests;
