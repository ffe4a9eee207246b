//! `delete`.

use super::line::Line;
use super::{Refusal, Session, Then};
use crate::store::KEY_BYTES_MAX;

/// `delete <key> [anything] [noreply]`. What stands between key and noreply is ignored, as the
/// oldest clients send a time there.
pub(super) fn delete(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    if tokens.len() < 2 {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    let (key, noreply, now) = (tokens.get(1), tokens.noreply(), session.now);
    if key.len() > KEY_BYTES_MAX {
        session.refuse(noreply, Refusal::BadFormat);
        return Then::Done;
    }
    session.tally.lookups += 1;
    let deleted = session.shared.with(key, |store, key| store.delete(key, now));
    session.reply(noreply, if deleted { b"DELETED" } else { b"NOT_FOUND" });
    Then::Done
}
