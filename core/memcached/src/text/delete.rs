//! `delete`.

use super::line::Line;
use super::{Refusal, Session, Then};
use crate::cache::Deleted;

/// `delete <key> [0] [noreply]`. The oldest clients send a time; 0 is the one that means what a
/// delete does. More words than that are no delete: most likely they are keys that were meant to be
/// deleted too.
pub(super) fn delete(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let Some((tokens, key, noreply)) = session.keyed(line, 2) else { return Then::Done };
    let more = tokens.len().saturating_sub(2 + usize::from(noreply));
    if more > 1 || (more == 1 && tokens.get(2) != b"0") {
        session.refuse(noreply, Refusal::BadFormat);
        return Then::Done;
    }
    session.tally.lookups += 1;
    session.observe_delete(key);
    let shared = session.shared;
    let (mut cache, key) = shared.shard(key);
    session.observe_find(&mut cache, key);
    let deleted = session.remove(&mut cache, key, None, "delete");
    drop(cache);
    match deleted {
        Deleted::Deleted => session.reply(noreply, b"DELETED"),
        Deleted::NotFound => session.reply(noreply, b"NOT_FOUND"),
        Deleted::Exists => unreachable!("no version was asked for"),
    }
    Then::Done
}
