//! `stats` in all its forms, for both protocols.

use crate::session::Session;
use core::fmt;

/// What became of a `stats` request.
#[derive(Debug)]
pub(crate) enum Given {
    /// Every figure was given to `each`; the caller ends the list.
    Figures,
    /// Counters were set back: text answers `RESET`.
    Reset,
    /// Lines of text in the protocol's own form (`stats cachedump`, `stats detail dump`), ready to
    /// send, without the end mark.
    Lines(bytes::BytesMut),
    /// An answer that is a line of its own, such as `OK`.
    Line(&'static str),
    /// No such form.
    Unknown,
}

/// Gives the figures that `words` (behind `stats`) ask for.
pub(crate) fn stats(
    session: &Session<'_>,
    words: &[&[u8]],
    each: &mut dyn FnMut(&str, fmt::Arguments<'_>),
) -> Given {
    let _ = (session, words, each);
    todo!()
}
