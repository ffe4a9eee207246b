//! `touch`.

use super::line::Line;
use super::number::i32_of;
use super::{Refusal, Session, Then};
use crate::cache::{Access, KEY_BYTES_MAX};

/// `touch <key> <exptime> [noreply]`.
pub(super) fn touch(session: &mut Session<'_>, line: &Line<'_>) -> Then {
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
