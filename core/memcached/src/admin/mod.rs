//! Commands about the server itself: `stats`, `watch`, `slabs`, `lru`, `lru_crawler` and the rest.
//!
//! The text protocol hands over the words of a line that it does not know itself, the binary
//! protocol asks [`stats`] alone.

pub(crate) mod stats;
mod stream;

pub(crate) use stream::{Stream, Streamed};

use crate::session::Session;

/// What became of a line.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answered, or told not to.
    Done,
    /// No such command: the caller answers `ERROR`.
    Unknown,
    /// The connection shows something that goes on, until it ends or for ever.
    Stream(Box<Stream>),
    /// The whole server is to end.
    Shutdown {
        /// `shutdown graceful`.
        graceful: bool,
    },
}

/// Runs a command about the server. `words[0]` is its name; `pipelined` says that more input is
/// behind it already.
pub(crate) fn command(session: &mut Session<'_>, words: &[&[u8]], pipelined: bool) -> Outcome {
    let _ = (session, words, pipelined);
    todo!()
}
