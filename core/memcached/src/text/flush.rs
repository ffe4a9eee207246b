//! `flush_all`.

use super::line::Line;
use super::number::i32_of;
use super::{Refusal, Session, Then};
use crate::cache::Count;

/// `flush_all [<exptime>] [noreply]`: at once, or when the time comes.
pub(super) fn flush_all(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    let noreply = tokens.noreply();
    session.shared.count(Count::CmdFlush);
    if !session.config.flush_enabled {
        session.refuse(noreply, Refusal::FlushDisabled);
        return Then::Done;
    }
    let has_time = tokens.len() != if noreply { 2 } else { 1 };
    let wire = if has_time { i32_of(tokens.get(1)) } else { Some(0) };
    let Some(wire) = wire else {
        session.refuse(noreply, Refusal::BadExptime);
        return Then::Done;
    };
    let at = if wire > 0 { session.epoch.expiry(wire, session.now).at() } else { None };
    session.shared.flush_all(at, session.now);
    session.reply(noreply, b"OK");
    Then::Done
}
