//! `debugtime`: moves the server's clock, for tests that cannot wait.

use super::{Answer, number};
use crate::session::Session;

/// `debugtime p` stops the clock, `debugtime r` lets it go on, `debugtime <seconds>` moves it.
pub(super) fn command(session: &Session<'_>, words: &[&[u8]]) -> Answer {
    let offset = &session.shared.ops.offset;
    match words.first().copied() {
        Some(b"p") => offset.pause(session.now),
        Some(b"r") => offset.resume(),
        Some(seconds) => match number(seconds) {
            Some(by) => offset.advance(by),
            None => return Answer::Unknown,
        },
        None => return Answer::Unknown,
    }
    Answer::Line("OK")
}
