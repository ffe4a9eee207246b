//! `md`.

use super::flags::{Flags, KeyRoom};
use super::{parse, put_code, refuse};
use crate::cache::{Cache, Count, Deleted, ItemId, Key};
use crate::clock::Expiry;
use crate::text::line::Line;
use crate::text::{Refusal, Session, Then};

/// `md <key> <flag>*`.
///
/// | flag | |
/// |---|---|
/// | `C` | only this version |
/// | `I` | marks as stale in place of deleting, under a new version; `T` then sets the expiry time |
/// | `x` | empties value and client flags in place of deleting; `T` and `F` then set them anew |
/// | `E` | the version that what stays gets |
/// | `b` `k` `O` `q` | as everywhere |
pub(in crate::text) fn delete(session: &mut Session<'_>, line: &Line<'_>) -> Then {
    let mut room = KeyRoom::default();
    let flags = parse(session, line, &mut room);
    let flags = match flags.and_then(|flags| flags.check_opaque().map(|()| flags)) {
        Ok(flags) => flags,
        Err(refusal) => return refuse(session, refusal),
    };
    session.tally.lookups += 1;
    let (shared, now) = (session.shared, session.now);
    let (mut cache, key) = shared.shard(flags.key);
    let (empties, marks) = (flags.has(b'x'), flags.has(b'I'));
    session.observe_find(&mut cache, key);
    let deleted = if !empties && !marks {
        session.remove(&mut cache, key, flags.compare, "md")
    } else {
        match cache.find(key, now) {
            Err(_) => {
                cache.count(Count::DeleteMisses);
                Deleted::NotFound
            }
            Ok(item) if flags.compare.is_some_and(|c| c != cache.view(item).version()) => {
                cache.count(Count::DeleteMisses);
                Deleted::Exists
            }
            Ok(item) => {
                if !marks {
                    cache.count_delete(item);
                    session.observe_removal(&cache, item, "md");
                }
                if !keep(&mut cache, key, item, &flags) {
                    drop(cache);
                    return refuse(session, Refusal::NoMemoryForNumber);
                }
                Deleted::Deleted
            }
        }
    };
    drop(cache);
    match deleted {
        Deleted::Deleted if flags.has(b'q') => {}
        Deleted::Deleted => put_code(session, &flags, b"HD"),
        Deleted::NotFound => put_code(session, &flags, b"NF"),
        Deleted::Exists => put_code(session, &flags, b"EX"),
    }
    Then::Done
}

/// Empties or marks what is not to be deleted. Returns whether there was room for it.
fn keep(cache: &mut Cache, key: Key<'_>, item: ItemId, flags: &Flags<'_>) -> bool {
    let (empties, marks) = (flags.has(b'x'), flags.has(b'I'));
    let kept = match empties {
        true => cache.store_empty(key, flags.client_flags, flags.ttl.unwrap_or(Expiry::NEVER)),
        false => Some(item),
    };
    let Some(item) = kept else { return false };
    if marks {
        if let Some(ttl) = flags.ttl {
            cache.set_expires(item, ttl);
        }
        cache.set_stale(item, true);
        // The next reader may win.
        cache.set_token_won(item, false);
    }
    if marks || flags.version.is_some() {
        cache.set_version(item, flags.version);
    }
    true
}
