//! `incr` and `decr`.

use super::backward::Backward;
use super::line::Line;
use super::number::u64_of;
use super::{Refusal, Session, Then};
use crate::cache::{Counted, Delta};

/// `incr <key> <amount> [noreply]`.
pub(super) fn incr(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    count(session, line, Delta::Incr)
}

/// `decr <key> <amount> [noreply]`.
pub(super) fn decr(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    count(session, line, Delta::Decr)
}

fn count(session: &mut Session<'_>, line: &Line<'_>, delta: impl FnOnce(u64) -> Delta) -> Then {
    let Some((tokens, key, noreply)) = session.keyed(line, 3) else { return Then::Done };
    let now = session.now;
    let Some(amount) = u64_of(tokens.get(2)) else {
        session.refuse(noreply, Refusal::BadDelta);
        return Then::Done;
    };
    session.tally.lookups += 1;
    let shared = session.shared;
    let (mut cache, key) = shared.shard(key);
    session.observe_find(&mut cache, key);
    let counted = cache.arithmetic(key, delta(amount), None, None, now);
    drop(cache);
    match counted {
        Counted::Number { value, .. } => {
            session.reply(noreply, Backward::of(value).as_bytes());
        }
        Counted::NotFound => session.reply(noreply, b"NOT_FOUND"),
        Counted::NotNumeric => session.refuse(noreply, Refusal::NotNumeric),
        Counted::NoMemory => session.refuse(noreply, Refusal::NoMemoryForNumber),
        Counted::Exists => unreachable!("no version was asked for"),
    }
    Then::Done
}
