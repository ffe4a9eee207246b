//! `delete`.

use super::line::Line;
use super::{Refusal, Session, Then};
use crate::cache::{Deleted, KEY_BYTES_MAX};

/// `delete <key> [0] [noreply]`. The oldest clients send a time; 0 is the one that means what a
/// delete does. More words than that are no delete: most likely they are keys that were meant to be
/// deleted too.
pub(super) fn delete(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let tokens = line.tokens();
    if tokens.len() < 2 {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    let (key, noreply) = (tokens.get(1), tokens.len() > 2 && tokens.noreply());
    let rest = tokens.len() - 2 - usize::from(noreply);
    if key.len() > KEY_BYTES_MAX || rest > 1 || (rest == 1 && tokens.get(2) != b"0") {
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
