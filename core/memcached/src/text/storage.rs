//! `set`, `add`, `replace`, `append`, `prepend`, `cas` and `ms`: from their lines to the store.
//!
//! A data block that is there as a whole goes from the input into the cache in one copy. A small
//! one that is not stays in the input until it is; a large one is the business of
//! [`upload`](super::upload).

use super::line::Line;
use super::meta;
use super::number::{exptime_of, flags_of, i32_of, u64_of};
use super::upload::Upload;
use super::{Refusal, Session, State, Then};
use crate::cache::{Cache, Count, KEY_BYTES_MAX, Key, Refused, Stored, Verb, Write};
use crate::clock::{Epoch, Expiry, Seconds};
use crate::ops::{StoreStatus, Streams};
use std::sync::MutexGuard;

/// The largest length that may stand in a line, bytes: what the original's arithmetic leaves room
/// for.
const STATED_BYTES_MAX: i32 = i32::MAX - 2;
/// What stands behind a value.
pub(super) const LINE_END: &[u8] = b"\r\n";
/// A line and data block of at most so many bytes wait in the input until they are whole.
const AWAIT_WHOLE_BYTES_MAX: usize = 16 << 10;

/// A command that stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A classic one with a fixed verb.
    Classic(Verb),
    /// `cas`.
    Cas,
    /// `ms`.
    Meta,
}

/// What a storage line asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) key: &'a [u8],
    pub(super) verb: Verb,
    pub(super) flags: u32,
    pub(super) expires: Expiry,
    pub(super) compare: Option<u64>,
    pub(super) version: Option<u64>,
    pub(super) invalidate: bool,
    pub(super) vivify: Option<Expiry>,
    /// Length of the value, without its line end.
    pub(super) value_bytes: u32,
    /// A classic command's outcome is told to nobody.
    pub(super) noreply: bool,
    /// The outcome is told as `ms` does.
    pub(super) meta: Option<&'a meta::Flags<'a>>,
}

/// A storage line that is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct BadLine {
    pub(super) refusal: Refusal,
    pub(super) noreply: bool,
    /// Bytes of the data block, which is thrown away. If nobody knows how long it is, it will run
    /// as commands.
    pub(super) block_bytes: Option<u64>,
}

/// Runs a storage command, if its data block is whole, or sees to it that it is waited for.
pub(super) fn storage(
    session: &mut Session<'_>,
    command: Command,
    line: &Line<'_>,
    behind: &[u8],
) -> Then {
    command.with_header(line, session.epoch, session.now, |header| match header {
        Ok(header) => run(session, command, header, line, behind),
        Err(bad) => refuse_line(session, bad, line),
    })
}

fn run(
    session: &mut Session<'_>,
    command: Command,
    header: &Header<'_>,
    line: &Line<'_>,
    behind: &[u8],
) -> Then {
    let block_bytes = header.value_bytes as usize + LINE_END.len();
    if let Some(block) = behind.get(..block_bytes) {
        header.finish(session, block);
        return Then::Ate(line.whole_len() + block_bytes);
    }
    let shared = session.shared;
    let (mut cache, key) = shared.shard(header.key);
    let whole_bytes = line.whole_len() + block_bytes;
    let small = whole_bytes <= AWAIT_WHOLE_BYTES_MAX;
    if small && cache.fits(header.key.len(), header.flags, u64::from(header.value_bytes)) {
        return Then::AwaitWhole(whole_bytes);
    }
    match cache.draft(key, header.flags, header.value_bytes, session.now) {
        Ok(draft) => {
            drop(cache);
            let upload = Upload::new(command, line, key.hash, draft, session.now);
            Then::Enter(State::AwaitValue(Box::new(upload)), line.whole_len())
        }
        Err(refused) => {
            header.refuse(session, cache, key, refused);
            Then::Enter(State::Swallow { left: block_bytes as u64 }, line.whole_len())
        }
    }
}

fn refuse_line(session: &mut Session<'_>, bad: BadLine, line: &Line<'_>) -> Then {
    session.refuse(bad.noreply, bad.refusal);
    match bad.block_bytes {
        Some(left) => Then::Enter(State::Swallow { left }, line.whole_len()),
        None => Then::Done,
    }
}

/// The length that a line states, if it can be meant.
pub(super) fn stated_bytes(token: &[u8]) -> Option<u32> {
    i32_of(token).filter(|n| (0..=STATED_BYTES_MAX).contains(n)).map(i32::unsigned_abs)
}

impl Command {
    /// Reads a line, and hands what it asks for to `then`.
    #[inline]
    pub(super) fn with_header<R>(
        self,
        line: &Line<'_>,
        epoch: Epoch,
        now: Seconds,
        then: impl FnOnce(Result<&Header<'_>, BadLine>) -> R,
    ) -> R {
        match self {
            Self::Classic(verb) => match classic(line, verb, false, epoch, now) {
                Ok(header) => then(Ok(&header)),
                Err(bad) => then(Err(bad)),
            },
            Self::Cas => match classic(line, Verb::Set, true, epoch, now) {
                Ok(header) => then(Ok(&header)),
                Err(bad) => then(Err(bad)),
            },
            Self::Meta => meta::with_set_header(line, epoch, now, then),
        }
    }
}

/// Reads `<command> <key> <flags> <exptime> <bytes> [<version>] [noreply]`.
fn classic<'a>(
    line: &Line<'a>,
    verb: Verb,
    compares: bool,
    epoch: Epoch,
    now: Seconds,
) -> Result<Header<'a>, BadLine> {
    let tokens = line.tokens();
    let bad =
        |noreply, block_bytes| Err(BadLine { refusal: Refusal::BadFormat, noreply, block_bytes });
    let Some(value_bytes) = stated_bytes(tokens.get(4)) else { return bad(false, None) };
    let (key, noreply) = (tokens.get(1), tokens.noreply());
    let block_bytes = Some(u64::from(value_bytes) + LINE_END.len() as u64);
    let numbers = (flags_of(tokens.get(2)), exptime_of(tokens.get(3)));
    let (Some(flags), Some(exptime)) = numbers else { return bad(noreply, block_bytes) };
    let compare = if compares { u64_of(tokens.get(5)) } else { None };
    if key.len() > KEY_BYTES_MAX || (compares && compare.is_none()) {
        return bad(noreply, block_bytes);
    }
    let (version, vivify, invalidate, meta) = (None, None, false, None);
    let expires = epoch.expiry(exptime, now);
    Ok(Header {
        key,
        verb,
        flags,
        expires,
        compare,
        version,
        invalidate,
        vivify,
        value_bytes,
        noreply,
        meta,
    })
}

impl<'a> Header<'a> {
    /// The store that the line asks for.
    #[inline]
    pub(super) const fn write(&self, key: Key<'a>) -> Write<'a> {
        Write {
            key,
            verb: self.verb,
            flags: self.flags,
            expires: self.expires,
            compare: self.compare,
            version: self.version,
            invalidate: self.invalidate,
            vivify: self.vivify,
        }
    }

    /// Stores a block that is there as a whole, or refuses it.
    fn finish(&self, session: &mut Session<'_>, block: &[u8]) {
        session.tally.lookups += 1;
        session.observe_set(self.key);
        let shared = session.shared;
        let (mut cache, key) = shared.shard(self.key);
        if !cache.fits(self.key.len(), self.flags, u64::from(self.value_bytes)) {
            cache.count(Count::StoreTooLarge);
            return self.refuse(session, cache, key, Refused::TooLarge);
        }
        let Some(value) = block.strip_suffix(LINE_END) else {
            cache.count(Count::CmdSet);
            drop(cache);
            return self.refuse_block(session);
        };
        let stored = cache.store(&self.write(key), value, session.now);
        self.conclude(session, cache, key, stored);
    }

    /// The block does not end where the line said. `ms` tells even who wants to hear nothing.
    pub(super) fn refuse_block(&self, session: &mut Session<'_>) {
        session.refuse(self.noreply, Refusal::BadDataChunk);
    }

    /// Sees to what follows from the outcome, and tells it.
    pub(super) fn conclude(
        &self,
        session: &mut Session<'_>,
        mut cache: MutexGuard<'_, Cache>,
        key: Key<'_>,
        stored: Stored,
    ) {
        let joins = matches!(self.verb, Verb::Append | Verb::Prepend);
        let stored = match stored {
            // The new part alone fits: it is the whole that does not.
            Stored::TooLarge | Stored::NoMemory if joins => Stored::NotStored,
            Stored::TooLarge => return self.refuse(session, cache, key, Refused::TooLarge),
            Stored::NoMemory => return self.refuse(session, cache, key, Refused::NoMemory),
            stored => stored,
        };
        self.observe(session, &mut cache, key, stored.into());
        drop(cache);
        match &self.meta {
            None => session.reply(self.noreply, word(stored)),
            Some(flags) => meta::answer_set(session, flags, self.value_bytes, stored),
        }
    }

    /// No room for the value. A `set`, or any `ms`, must not leave the old value to be read as if
    /// it were the new.
    pub(super) fn refuse(
        &self,
        session: &mut Session<'_>,
        mut cache: MutexGuard<'_, Cache>,
        key: Key<'_>,
        refused: Refused,
    ) {
        if self.meta.is_some() || (self.verb == Verb::Set && self.compare.is_none()) {
            cache.discard(key, session.now);
        }
        let (refusal, status) = match refused {
            Refused::TooLarge => (Refusal::TooLarge, StoreStatus::TooLarge),
            Refused::NoMemory => (Refusal::NoMemory, StoreStatus::NoMemory),
        };
        self.observe(session, &mut cache, key, status);
        drop(cache);
        session.refuse(self.noreply, refusal);
    }

    fn observe(&self, session: &Session<'_>, cache: &mut Cache, key: Key<'_>, status: StoreStatus) {
        if !session.shared.ops.hub.wants(Streams::MUTATIONS) {
            return;
        }
        let command = match self.verb {
            Verb::Set if self.compare.is_some() => "cas",
            Verb::Set => "set",
            Verb::Add => "add",
            Verb::Replace => "replace",
            Verb::Append => "append",
            Verb::Prepend => "prepend",
        };
        let refused = matches!(status, StoreStatus::TooLarge | StoreStatus::NoMemory);
        let class = cache.find(key, session.now).map_or(0, |item| cache.view(item).class());
        let ttl = self.expires.at().map_or(0, |at| at.0.saturating_sub(session.now.0));
        let figures = if refused { (0, 0, 0) } else { (ttl, class, self.value_bytes.into()) };
        session.observe_store(self.key, status, command, figures);
    }
}

/// What a classic command is told.
const fn word(stored: Stored) -> &'static [u8] {
    match stored {
        Stored::Stored { .. } => b"STORED",
        Stored::Exists => b"EXISTS",
        Stored::NotFound => b"NOT_FOUND",
        Stored::NotStored | Stored::TooLarge | Stored::NoMemory => b"NOT_STORED",
    }
}
