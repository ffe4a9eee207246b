//! `incr` and `decr`.

use super::line::Line;
use super::number::{decimal, u64_of};
use super::{Refusal, Session, Then};
use crate::store::{Arithmetic, DeltaOutcome, KEY_BYTES_MAX};

/// `incr <key> <amount> [noreply]`.
pub(super) fn incr(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    count(session, line, Arithmetic::Incr)
}

/// `decr <key> <amount> [noreply]`.
pub(super) fn decr(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    count(session, line, Arithmetic::Decr)
}

fn count(
    session: &mut Session<'_>,
    line: &Line<'_>,
    arithmetic: impl FnOnce(u64) -> Arithmetic,
) -> Then {
    let tokens = line.tokens();
    if tokens.len() < 3 {
        session.refuse(false, Refusal::BadFormat);
        return Then::Done;
    }
    let (key, noreply, now) = (tokens.get(1), tokens.noreply(), session.now);
    if key.len() > KEY_BYTES_MAX {
        session.refuse(noreply, Refusal::BadFormat);
        return Then::Done;
    }
    let Some(amount) = u64_of(tokens.get(2)) else {
        session.refuse(noreply, Refusal::BadDelta);
        return Then::Done;
    };
    session.tally.lookups += 1;
    let delta = arithmetic(amount);
    match session.shared.with(key, |store, key| store.add_delta(key, delta, now)) {
        DeltaOutcome::Number(n) => session.reply(noreply, decimal(n, &mut Default::default())),
        DeltaOutcome::NotFound => session.reply(noreply, b"NOT_FOUND"),
        DeltaOutcome::NotNumeric => session.refuse(noreply, Refusal::NotNumeric),
        DeltaOutcome::NoMemory => session.refuse(noreply, Refusal::NoMemoryForNumber),
    }
    Then::Done
}
