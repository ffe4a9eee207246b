//! A long value on its way in: it goes into a draft piece by piece.

use super::Session;
use super::storage::Storage;
use crate::cache::{Draft, Refused};
use crate::shared::Shared;

/// A value of which a part has come.
#[derive(Debug)]
pub(crate) struct Upload {
    storage: Storage,
    key: Box<[u8]>,
    draft: Draft,
}

/// How far an upload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes were eaten, and more are missing.
    Await(usize),
    /// So many bytes were eaten, and the value is whole.
    Complete(usize),
    /// There is no memory for what is still to come.
    NoMemory {
        /// Bytes of the value that are still in the input or to come.
        left: u32,
    },
}

impl Upload {
    pub(super) fn new(storage: Storage, key: &[u8], draft: Draft) -> Self {
        Self { storage, key: key.into(), draft }
    }

    /// Takes the next piece of the value.
    pub(super) fn take(&mut self, session: &Session<'_>, input: &[u8]) -> Progress {
        let missing = self.draft.missing();
        let piece = &input[..input.len().min(missing)];
        if piece.is_empty() && missing > 0 {
            return Progress::Await(0);
        }
        let (mut cache, _) = session.shared.shard(&self.key);
        if cache.fill(&mut self.draft, piece, session.now).is_err() {
            let left = u32::try_from(missing).expect("a body's length has 32 bits");
            return Progress::NoMemory { left };
        }
        if piece.len() == missing {
            Progress::Complete(piece.len())
        } else {
            Progress::Await(piece.len())
        }
    }

    /// Stores the value, which is whole.
    pub(super) fn complete(self, session: &mut Session<'_>) {
        let (mut cache, key) = session.shared.shard(&self.key);
        let stored = cache.commit(self.draft, &self.storage.write(key), session.now);
        self.storage.answer(session, &mut cache, key, stored);
    }

    /// Gives the value up for want of memory.
    pub(super) fn refuse(self, session: &mut Session<'_>) {
        let (mut cache, key) = session.shared.shard(&self.key);
        cache.abandon(self.draft);
        self.storage.refuse(session, &mut cache, key, Refused::NoMemory);
    }

    /// Gives the value up: the connection is gone.
    pub(super) fn abandon(self, shared: &Shared) {
        let (mut cache, _) = shared.shard(&self.key);
        cache.abandon(self.draft);
    }
}
