//! `delete`, `flush`.

use super::wire::{Status, u32_at};
use super::{Request, Session};
use crate::cache::{Count, Deleted};

/// Answers `delete`.
pub(super) fn delete(session: &mut Session<'_>, request: &Request<'_>) {
    let header = &request.header;
    session.tally.lookups += 1;
    let compare = (header.version != 0).then_some(header.version);
    let (mut cache, key) = session.shared.shard(request.key);
    session.observe_delete(request.key);
    // Who wants to know of it must be told what it was.
    let seen = if session.watches_deletions() {
        let found = cache.find(key, session.now).ok();
        found.map(|item| cache.view(item)).map(|item| (item.class(), item.value_len()))
    } else {
        None
    };
    let deleted = cache.delete(key, compare, session.now);
    drop(cache);
    if let (Deleted::Deleted, Some((class, value_bytes))) = (deleted, seen) {
        session.observe_deleted(request.key, "delete", class, value_bytes);
    }
    match deleted {
        Deleted::Deleted => session.succeed(header, 0),
        Deleted::NotFound => session.fail(header, Status::NotFound),
        Deleted::Exists => session.fail(header, Status::Exists),
    }
}

/// Answers `flush`: at once, or with 4 bytes exptime when the time comes.
pub(super) fn flush(session: &mut Session<'_>, request: &Request<'_>) {
    let header = &request.header;
    if !session.config.flush_enabled {
        return session.fail(header, Status::AuthFailed);
    }
    let exptime = if request.extras.is_empty() { 0 } else { u32_at(request.extras, 0) };
    let at = session.epoch.expiry(exptime, session.now).at();
    session.shared.flush_all(at, session.now);
    session.shared.count(Count::CmdFlush);
    session.succeed(header, 0);
}
