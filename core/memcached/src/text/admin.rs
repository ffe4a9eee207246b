//! `version`, `verbosity`, and what is no command.

use super::line::Line;
use super::number::u32_of;
use super::{Refusal, Session, Then};
use crate::VERSION;

/// Highest level that makes a difference.
const VERBOSITY_MAX: u32 = 2;

/// `version`.
pub(super) fn version(session: &mut Session<'_>) -> Then {
    session.tx.put(b"VERSION ");
    session.reply(false, VERSION.as_bytes());
    Then::Done
}

/// `verbosity <level> [noreply]`.
pub(super) fn verbosity(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    match u32_of(tokens.get(1)) {
        Some(level) => {
            session.shared.set_verbosity(level.min(VERBOSITY_MAX) as u8);
            session.reply(tokens.noreply(), b"OK");
        }
        None => session.refuse(tokens.noreply(), Refusal::BadFormat),
    }
    Then::Done
}

/// Anything else. A browser, or someone who makes one talk to us, is hung up on.
pub(super) fn unknown(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    if tokens.len() > 1 && tokens.last().starts_with(b"HTTP/") {
        return Then::HangUp;
    }
    session.refuse(tokens.noreply(), Refusal::UnknownCommand);
    Then::Done
}
