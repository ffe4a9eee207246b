//! Errors and their texts, in Redis's words where Redis has the error.

use core::fmt;
use std::borrow::Cow;

/// Why a command did not do what was asked: the text of the error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub Cow<'static, str>);

impl Fault {
    /// An error with a fixed text.
    pub const fn of(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key holds something else.
pub const WRONG_TYPE: Fault =
    Fault::of("WRONGTYPE Operation against a key holding the wrong kind of value");
/// Options that do not fit together.
pub const SYNTAX: Fault = Fault::of("ERR syntax error");
/// No whole number.
pub const NOT_INTEGER: Fault = Fault::of("ERR value is not an integer or out of range");
/// No number.
pub const NOT_FLOAT: Fault = Fault::of("ERR value is not a valid float");
/// A count below zero.
pub const NOT_POSITIVE: Fault = Fault::of("ERR value is out of range, must be positive");
/// The result has no place in 64 bits.
pub const OVERFLOW: Fault = Fault::of("ERR increment or decrement would overflow");
/// The result is no number.
pub const NOT_FINITE: Fault = Fault::of("ERR increment would produce NaN or Infinity");
/// There is no such key, and there must be.
pub const NO_KEY: Fault = Fault::of("ERR no such key");
/// A string above the limit.
pub const STRING_TOO_LONG: Fault =
    Fault::of("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
/// A database that is not there.
pub const NO_DB: Fault = Fault::of("ERR DB index is out of range");
/// A cursor that was never given out.
pub const BAD_CURSOR: Fault = Fault::of("ERR invalid cursor");
/// The name of a table is empty or too long.
pub const BAD_TABLE: Fault = Fault::of("ERR a table's name has 1 to 64 bytes");
/// An owner or item that is no number.
pub const BAD_NUMBER: Fault =
    Fault::of("ERR owners and items are decimal numbers from 0 to 18446744073709551615");
/// A row's value above the limit.
pub const ROW_TOO_LONG: Fault = Fault::of("ERR a row's value has at most 1048576 bytes");
/// What a record can hold is below what is asked for.
pub const TOO_MUCH: Fault =
    Fault::of("ERR this changes too much at once; ask for fewer elements at a time");

/// Too few or too many words.
pub fn arity(command: &str) -> Fault {
    format!("ERR wrong number of arguments for '{command}' command").into()
}

/// An end that cannot be.
pub fn bad_expire(command: &str) -> Fault {
    format!("ERR invalid expire time in '{command}' command").into()
}
