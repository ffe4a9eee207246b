//! `touch`.

use super::line::Line;
use super::number::i32_of;
use super::{Refusal, Session, Then};
use crate::cache::Access;

/// `touch <key> <exptime> [noreply]`.
pub(super) fn touch(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let Some((tokens, key, noreply)) = session.keyed(line, 3) else { return Then::Done };
    let now = session.now;
    let Some(wire) = i32_of(tokens.get(2)) else {
        session.refuse(noreply, Refusal::BadExptime);
        return Then::Done;
    };
    session.tally.lookups += 1;
    let expires = session.epoch.expiry(wire, now);
    let (mut cache, key) = session.shared.shard(key);
    let touched = cache.fetch(key, Access::Touch(expires), now);
    session.observe_lookup(key.bytes, touched.map(|item| cache.view(item)));
    drop(cache);
    session.reply(noreply, if touched.is_ok() { b"TOUCHED" } else { b"NOT_FOUND" });
    Then::Done
}
