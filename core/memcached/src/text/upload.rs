//! The data block of a storage command.
//!
//! A block that is there as a whole goes from the input into the item in one copy. Otherwise it is
//! collected in the allocation that becomes the item. That allocation grows with what arrives, to
//! at most twice as much, and is set aside from the server's memory limit: a peer that states a
//! large length and sends nothing costs nothing.

use super::{Refusal, Session};
use crate::clock::Expiry;
use crate::store::{Count, NewItem, NoMemory, StoreOutcome, Verb, blob};
use bytes::{Bytes, BytesMut};

/// First allocation for a block that arrives in pieces, bytes.
const FIRST_BYTES: usize = 4 << 10;
const LINE_END: &[u8] = b"\r\n";

/// What a storage line said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) verb: Verb,
    pub(super) key_len: u8,
    pub(super) flags: u32,
    pub(super) expires: Expiry,
    pub(super) noreply: bool,
}

/// A data block that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Upload {
    header: Header,
    /// The key, and as much of the block as has arrived.
    blob: BytesMut,
    /// Key and whole block, bytes.
    blob_bytes: usize,
    /// Set aside from the memory limit, bytes.
    reserved: u64,
}

/// How far an upload came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many bytes were taken; more is to come.
    Await(usize),
    /// So many bytes were taken, and it is whole.
    Complete(usize),
    /// Refused and given back; so many bytes of the block are still to come.
    NoMemory {
        /// Bytes to throw away.
        left: u64,
    },
}

impl Header {
    /// Stores a block that is there as a whole.
    pub(super) fn finish_whole(self, session: &mut Session<'_>, key: &[u8], block: &[u8]) {
        if block.ends_with(LINE_END) {
            self.store(session, blob(key, block));
        } else {
            self.bad_chunk(session, key);
        }
    }

    fn bad_chunk(self, session: &mut Session<'_>, key: &[u8]) {
        session.shared.with(key, |store, _| store.stats_mut().add(Count::CmdSet));
        session.refuse(self.noreply, Refusal::BadDataChunk);
    }

    fn store(self, session: &mut Session<'_>, blob: Bytes) {
        session.tally.lookups += 1;
        let Self { verb, key_len, flags, expires, noreply } = self;
        let now = session.now;
        let mut key = [0; u8::MAX as usize];
        let key = &mut key[..usize::from(key_len)];
        key.copy_from_slice(&blob[..usize::from(key_len)]);
        let item = NewItem { blob, key_len, flags, expires };
        let outcome = session.shared.with(key, |store, key| store.store(verb, key, item, now));
        match outcome {
            StoreOutcome::Stored => session.reply(noreply, b"STORED"),
            StoreOutcome::NotStored => session.reply(noreply, b"NOT_STORED"),
            StoreOutcome::Exists => session.reply(noreply, b"EXISTS"),
            StoreOutcome::NotFound => session.reply(noreply, b"NOT_FOUND"),
            StoreOutcome::NoMemory => session.refuse(noreply, Refusal::NoMemory),
        }
    }

    /// No room for the block: `set` must not leave the old value to be read as if it were the new.
    fn no_memory(self, session: &mut Session<'_>, key: &[u8]) {
        let now = session.now;
        session.shared.with(key, |store, key| {
            store.stats_mut().add(Count::StoreNoMemory);
            if self.verb == Verb::Set {
                store.discard(key, now);
            }
        });
        session.refuse(self.noreply, Refusal::NoMemory);
    }
}

impl Upload {
    /// Begins to collect a block of so many bytes, line end included.
    ///
    /// # Errors
    /// If there is no memory for its first part; the peer was told.
    pub(super) fn begin(
        session: &mut Session<'_>,
        header: Header,
        key: &[u8],
        block_bytes: usize,
    ) -> Result<Self, NoMemory> {
        let blob_bytes = key.len() + block_bytes;
        let first = blob_bytes.min(FIRST_BYTES);
        let now = session.now;
        let room = session.shared.with(key, |store, _| store.reserve(first as u64, now));
        if room.is_err() {
            header.no_memory(session, key);
            return Err(NoMemory);
        }
        let mut blob = BytesMut::with_capacity(first);
        blob.extend_from_slice(key);
        Ok(Self { header, blob, blob_bytes, reserved: first as u64 })
    }

    /// Takes what has arrived.
    pub(super) fn take(&mut self, session: &mut Session<'_>, input: &[u8]) -> Progress {
        let missing = self.blob_bytes - self.blob.len();
        let taken = missing.min(input.len());
        let needed = self.blob.len() + taken;
        if needed as u64 > self.reserved && self.grow(session, needed).is_err() {
            let key_len = usize::from(self.header.key_len);
            let key = self.blob.split_to(key_len);
            session.shared.with(&key, |store, _| store.release(self.reserved));
            self.header.no_memory(session, &key);
            return Progress::NoMemory { left: missing as u64 };
        }
        self.blob.extend_from_slice(&input[..taken]);
        if taken == missing { Progress::Complete(taken) } else { Progress::Await(taken) }
    }

    fn grow(&mut self, session: &mut Session<'_>, needed: usize) -> Result<(), NoMemory> {
        let target = self.blob_bytes.min(2 * needed);
        assert!(target >= needed, "an upload never outgrows its stated length");
        let more = target as u64 - self.reserved;
        let now = session.now;
        session.shared.with(self.key(), |store, _| store.reserve(more, now))?;
        self.reserved = target as u64;
        // Not BytesMut::reserve, which may take more than asked for.
        let mut larger = BytesMut::with_capacity(target);
        larger.extend_from_slice(&self.blob);
        self.blob = larger;
        Ok(())
    }

    /// The block is whole: stores it, or refuses it.
    pub(super) fn complete(self, session: &mut Session<'_>) {
        assert_eq!(self.blob.len(), self.blob_bytes, "the whole block has arrived");
        session.shared.with(self.key(), |store, _| store.release(self.reserved));
        if self.blob.ends_with(LINE_END) {
            // An exact copy of a small block frees the slack of its buffer; a large one has none.
            let exact = self.blob.capacity() == self.blob.len();
            let blob = if exact { self.blob.freeze() } else { Bytes::copy_from_slice(&self.blob) };
            self.header.store(session, blob);
        } else {
            self.header.bad_chunk(session, self.key());
        }
    }

    /// The connection is gone: gives back what was set aside.
    pub(crate) fn abandon(self, shared: &crate::shared::Shared) {
        shared.with(self.key(), |store, _| store.release(self.reserved));
    }

    fn key(&self) -> &[u8] {
        &self.blob[..usize::from(self.header.key_len)]
    }
}
