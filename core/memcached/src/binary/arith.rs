//! `incr`, `decr`.

use super::wire::{Command, Status, u32_at, u64_at};
use super::{Request, Session};
use crate::cache::{Counted, Delta, Stored, Verb, Write};

/// As an exptime: nothing is stored where there was nothing.
const DO_NOT_CREATE: u32 = u32::MAX;

/// Answers `incr` or `decr`: 8 bytes delta, 8 bytes initial value, 4 bytes exptime.
pub(super) fn count(session: &mut Session<'_>, request: &Request<'_>) {
    let header = &request.header;
    let (delta, initial) = (u64_at(request.extras, 0), u64_at(request.extras, 8));
    let exptime = u32_at(request.extras, 16);
    let delta = match header.command {
        Command::Increment => Delta::Incr(delta),
        _ => Delta::Decr(delta),
    };
    session.tally.lookups += 1;
    let compare = (header.version != 0).then_some(header.version);
    let (mut cache, key) = session.shared.shard(request.key);
    let (value, version) = match cache.arithmetic(key, delta, compare, None, session.now) {
        Counted::Number { value, item } => (value, cache.view(item).version()),
        Counted::Exists => return session.fail(header, Status::Exists),
        Counted::NotNumeric => return session.fail(header, Status::NotNumeric),
        Counted::NoMemory => {
            let text = "Out of memory incrementing value";
            return session.fail_with(header, Status::NoMemory, text);
        }
        Counted::NotFound if exptime == DO_NOT_CREATE => {
            return session.fail(header, Status::NotFound);
        }
        Counted::NotFound => {
            let write = Write {
                key,
                verb: Verb::Add,
                flags: 0,
                expires: session.epoch.expiry(exptime, session.now),
                compare: None,
                version: None,
                invalidate: false,
                vivify: None,
            };
            let mut digits = Default::default();
            let digits = crate::text::decimal(initial, &mut digits);
            match cache.store(&write, digits, session.now) {
                Stored::Stored { version, .. } => (initial, version),
                Stored::TooLarge | Stored::NoMemory => {
                    let text = "Out of memory allocating new item";
                    return session.fail_with(header, Status::NoMemory, text);
                }
                Stored::NotStored | Stored::Exists | Stored::NotFound => {
                    return session.fail(header, Status::NotStored);
                }
            }
        }
    };
    drop(cache);
    session.succeed_with(header, version, &value.to_be_bytes());
}
