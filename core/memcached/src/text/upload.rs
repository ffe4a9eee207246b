//! A large data block that arrives in pieces: it goes into an item that is not yet to be found,
//! which takes memory as it grows. A peer that states a large length and sends nothing costs
//! nothing but its line.

use super::Session;
use super::line::Line;
use super::storage::{Command, LINE_END};
use crate::cache::{Draft, Key, Refused};
use crate::clock::Seconds;
use crate::shared::Shared;

/// A data block that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Upload {
    command: Command,
    /// The command line, which is read again when the block is whole.
    line: Box<[u8]>,
    /// When the line came: expiry times count from then.
    since: Seconds,
    /// The hash of the key.
    hash: u64,
    draft: Draft,
}

const IN_ORDER: &str = "the line was in order when it came";

/// How far an upload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes were taken; more is to come.
    Await(usize),
    /// The line end is there, or something else in its place; nothing was taken.
    Whole,
    /// There is no more memory. So many bytes of the block are still to come.
    Refused {
        /// Why.
        refused: Refused,
        /// Bytes to throw away.
        left: u64,
    },
}

impl Upload {
    pub(super) fn new(
        command: Command,
        line: &Line<'_>,
        hash: u64,
        draft: Draft,
        since: Seconds,
    ) -> Self {
        Self { command, line: line.whole().into(), since, hash, draft }
    }

    /// Takes what has arrived.
    pub(super) fn take(&mut self, session: &mut Session<'_>, input: &[u8]) -> Progress {
        let missing = self.draft.missing();
        if missing == 0 {
            let whole = input.len() >= LINE_END.len();
            return if whole { Progress::Whole } else { Progress::Await(0) };
        }
        let piece = &input[..missing.min(input.len())];
        let owner = Key { bytes: b"", hash: self.hash };
        let filled = session.shared.shard_of(owner).fill(&mut self.draft, piece, session.now);
        match filled {
            Ok(()) => Progress::Await(piece.len()),
            Err(refused) => Progress::Refused { refused, left: (missing + LINE_END.len()) as u64 },
        }
    }

    /// The block is whole, and `end` stands in the place of its line end: stores it, or refuses it.
    pub(super) fn complete(self, session: &mut Session<'_>, end: &[u8]) {
        assert_eq!(self.draft.missing(), 0, "the whole value has arrived");
        session.tally.lookups += 1;
        let Self { command, line, since, hash, draft } = self;
        command.with_header(&Line::new(&line), session.epoch, since, |header| {
            let header = header.expect(IN_ORDER);
            session.observe_set(header.key);
            let (shared, now) = (session.shared, session.now);
            let key = Key { bytes: header.key, hash };
            let mut cache = shared.shard_of(key);
            if end == LINE_END {
                let stored = cache.commit(draft, &header.write(key), now);
                header.conclude(session, cache, key, stored);
            } else {
                cache.abandon(draft);
                drop(cache);
                header.refuse_block(session);
            }
        });
    }

    /// There was no memory for the next piece.
    pub(super) fn refuse(self, session: &mut Session<'_>, refused: Refused) {
        let Self { command, line, since, hash, draft } = self;
        command.with_header(&Line::new(&line), session.epoch, since, |header| {
            let (header, shared) = (header.expect(IN_ORDER), session.shared);
            let key = Key { bytes: header.key, hash };
            let mut cache = shared.shard_of(key);
            cache.abandon(draft);
            header.refuse(session, cache, key, refused);
        });
    }

    /// The connection is gone: gives back what was set aside.
    pub(super) fn abandon(self, shared: &Shared) {
        shared.shard_of(Key { bytes: b"", hash: self.hash }).abandon(self.draft);
    }
}
