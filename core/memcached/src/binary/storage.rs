//! `set`, `add`, `replace`, `append`, `prepend`.
//!
//! A value that is there as a whole is stored in one copy. A short one is waited for where it is; a
//! long one goes into a draft as it comes, see [`upload`](super::upload).

use super::upload::Upload;
use super::wire::{Command, Header, Status, u32_at};
use super::{Request, Session, State, Step};
use crate::cache::{Cache, Key, Refused, Stored, Verb, Write};
use crate::clock::Expiry;
use crate::ops::Streams;

/// Values up to this many bytes are left in the input until they are whole.
const WAIT_BYTES_MAX: u32 = 16 << 10;

/// A store, but for its key and value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage {
    pub(super) header: Header,
    verb: Verb,
    pub(super) flags: u32,
    expires: Expiry,
    compare: Option<u64>,
}

impl Storage {
    fn of(session: &Session<'_>, request: &Request<'_>, verb: Verb) -> Self {
        let header = request.header;
        let (flags, expires) = match verb {
            Verb::Set | Verb::Add | Verb::Replace => {
                let exptime = u32_at(request.extras, 4);
                (u32_at(request.extras, 0), session.epoch.expiry(exptime, session.now))
            }
            // They keep what the old item has.
            Verb::Append | Verb::Prepend => (0, Expiry::NEVER),
        };
        // Where there are no versions, none is compared.
        let compare = (header.version != 0 && session.config.versions).then_some(header.version);
        // Whatever compares needs an old item, and replaces it.
        let verb = match verb {
            Verb::Add | Verb::Replace if compare.is_some() => Verb::Set,
            other => other,
        };
        Self { header, verb, flags, expires, compare }
    }

    pub(super) const fn write<'a>(&self, key: Key<'a>) -> Write<'a> {
        Write {
            key,
            verb: self.verb,
            flags: self.flags,
            expires: self.expires,
            compare: self.compare,
            version: None,
            invalidate: false,
            vivify: None,
        }
    }

    /// Tells watchers how it went.
    fn observe(&self, session: &Session<'_>, cache: &mut Cache, key: Key<'_>, stored: Stored) {
        if !session.shared.ops.hub.wants(Streams::MUTATIONS) {
            return;
        }
        let class = match stored {
            Stored::Stored { .. } => {
                cache.find(key, session.now).map_or(0, |item| cache.view(item).class())
            }
            _ => 0,
        };
        let command = match (self.compare, self.header.command) {
            (_, Command::Append) => "append",
            (_, Command::Prepend) => "prepend",
            (Some(_), _) => "cas",
            (None, Command::Add) => "add",
            (None, Command::Replace) => "replace",
            (None, _) => "set",
        };
        let ttl = self.expires.at().map_or(0, |at| at.0.saturating_sub(session.now.0));
        let item = (ttl, class, u64::from(self.header.value_bytes()));
        session.observe_store(key.bytes, stored.into(), command, item);
    }

    /// Tells how it went. A set that was refused also deletes what was there.
    pub(super) fn answer(
        &self,
        session: &mut Session<'_>,
        cache: &mut Cache,
        key: Key<'_>,
        stored: Stored,
    ) {
        self.observe(session, cache, key, stored);
        let header = &self.header;
        let status = match (stored, header.command) {
            (Stored::Stored { version, .. }, _) => return session.succeed(header, version),
            (Stored::Exists, _) | (Stored::NotStored, Command::Add) => Status::Exists,
            (Stored::NotFound, _) | (Stored::NotStored, Command::Replace) => Status::NotFound,
            (Stored::NotStored, _) => Status::NotStored,
            (Stored::TooLarge, Command::Append | Command::Prepend)
                if cache.fits(key.bytes.len(), self.flags, header.value_bytes().into()) =>
            {
                // It is too large only together with the old value.
                Status::NotStored
            }
            (Stored::TooLarge, _) => Status::TooLarge,
            (Stored::NoMemory, _) => Status::NoMemory,
        };
        let no_room = matches!(stored, Stored::TooLarge | Stored::NoMemory);
        if no_room && header.command == Command::Set {
            cache.discard(key, session.now);
        }
        if status == Status::NoMemory {
            session.fail_with(header, status, "Out of memory allocating item");
        } else {
            session.fail(header, status);
        }
    }

    /// There is no room for the value.
    pub(super) fn refuse(
        &self,
        session: &mut Session<'_>,
        cache: &mut Cache,
        key: Key<'_>,
        why: Refused,
    ) {
        let stored = match why {
            Refused::TooLarge => Stored::TooLarge,
            Refused::NoMemory => Stored::NoMemory,
        };
        self.answer(session, cache, key, stored);
    }
}

/// Answers a storage request, or begins to take its value.
#[inline]
pub(super) fn store(session: &mut Session<'_>, request: &Request<'_>, verb: Verb) -> Step {
    let value_bytes = request.header.value_bytes();
    let whole = request.behind.get(..value_bytes as usize);
    if whole.is_none() && value_bytes <= WAIT_BYTES_MAX {
        return Step::Await;
    }
    session.tally.lookups += 1;
    let storage = Storage::of(session, request, verb);
    let eaten = request.header.head_bytes();
    session.observe_set(request.key);
    let (mut cache, key) = session.shared.shard(request.key);
    let Some(value) = whole else {
        return match cache.draft(key, storage.flags, value_bytes, session.now) {
            Ok(draft) => {
                let upload = Upload::new(storage, request.key, draft);
                Step::Enter(State::AwaitValue(Box::new(upload)), eaten)
            }
            Err(why) => {
                storage.refuse(session, &mut cache, key, why);
                Step::Enter(State::Swallow { left: value_bytes }, eaten)
            }
        };
    };
    let stored = cache.store(&storage.write(key), value, session.now);
    storage.answer(session, &mut cache, key, stored);
    Step::Ate(eaten + value.len())
}
