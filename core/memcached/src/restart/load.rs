//! Reads the data set from its files, and removes them.

use super::format::{BLOCK_BYTES_MAX, BLOCK_HEAD_BYTES, META_BYTES, Meta, first_item, take_block};
use super::{Names, ask};
use crate::cache::{Verb, Write};
use crate::clock::Seconds;
use crate::shared::Shared;
use bytes::{Buf, BytesMut};
use core::sync::atomic::Ordering;
use storytime_machine::{Bytes, Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// Bytes of one read: a whole block and a bit.
const READ_BYTES: u32 = (BLOCK_BYTES_MAX + BLOCK_HEAD_BYTES) as u32;
/// Longest item that is waited for, bytes: key, value and head.
const ITEM_BYTES_MAX: usize = (1 << 30) + 1024;

/// A loading under way. Nobody is served meanwhile.
#[derive(Debug)]
pub(crate) struct Load {
    names: Names,
    step: Step,
    now: Seconds,
    meta: Option<Meta>,
    /// Read, and not a whole block yet.
    file: BytesMut,
    /// Of whole blocks, and not a whole item yet.
    contents: BytesMut,
    at: u64,
    blocks: u64,
    items: u64,
    /// What is wrong with the items.
    damage: Option<&'static str>,
}

/// What is awaited.
#[derive(Clone, Copy, Debug)]
enum Step {
    OpenMeta,
    ReadMeta,
    OpenItems,
    ReadItems(FileId),
    RemoveMeta,
    RemoveItems,
    SyncNames,
}

/// How a loading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loaded {
    /// It goes on.
    NotYet,
    /// There was nothing.
    Nothing,
    /// Items that were taken in.
    Items(u64),
    /// The files are damaged or do not belong together; the server starts empty.
    Damaged(&'static str),
    /// `.meta` is not one of ours.
    Foreign,
}

impl Load {
    /// Begins.
    pub(crate) fn begin(cx: &mut Cx, shared: &Shared, file: &str) -> Self {
        let names = Names::of(file);
        ask(cx, DiskOp::Open { path: names.meta.clone(), create: false });
        Self {
            names,
            step: Step::OpenMeta,
            now: shared.seconds(cx.now()),
            meta: None,
            file: BytesMut::new(),
            contents: BytesMut::new(),
            at: 0,
            blocks: 0,
            items: 0,
            damage: None,
        }
    }

    /// A disk operation completed.
    ///
    /// # Errors
    /// If the disk fails in another way than by lost or damaged items.
    pub(crate) fn disk(
        &mut self,
        cx: &mut Cx,
        shared: &Shared,
        result: DiskResult,
    ) -> Result<Loaded, DiskError> {
        self.step = match (self.step, result) {
            (Step::OpenMeta, Err(DiskError::NotFound)) => return Ok(Loaded::Nothing),
            (Step::OpenMeta, Ok(DiskOk::File { file, len })) => {
                if len != META_BYTES as u64 {
                    return Ok(Loaded::Foreign);
                }
                ask(cx, DiskOp::Read { file, at: 0, len: META_BYTES as u32 });
                Step::ReadMeta
            }
            (Step::ReadMeta, Ok(DiskOk::Data(bytes))) => {
                self.meta = Meta::decode(&bytes);
                if self.meta.is_none() {
                    return Ok(Loaded::Foreign);
                }
                ask(cx, DiskOp::Open { path: self.names.items.clone(), create: false });
                Step::OpenItems
            }
            (Step::OpenItems, Err(DiskError::NotFound)) => self.damaged(cx, "there are no items"),
            (Step::OpenItems, Ok(DiskOk::File { file, .. })) => self.read(cx, file),
            (Step::ReadItems(file), Ok(DiskOk::Data(bytes))) => self.take(cx, shared, file, &bytes),
            (Step::ReadItems(_), Err(DiskError::Io)) => self.damaged(cx, "they cannot be read"),
            (Step::RemoveMeta, Ok(_)) => {
                ask(cx, DiskOp::Unlink { path: self.names.items.clone() });
                Step::RemoveItems
            }
            (Step::RemoveItems, Ok(_) | Err(DiskError::NotFound)) => {
                ask(cx, DiskOp::SyncDir { path: Bytes::new() });
                Step::SyncNames
            }
            (Step::SyncNames, Ok(_)) => return Ok(self.end(shared)),
            (_, Err(failure)) => return Err(failure),
            (step, Ok(other)) => unreachable!("{step:?} does not complete with {other:?}"),
        };
        Ok(Loaded::NotYet)
    }

    fn meta(&self) -> &Meta {
        self.meta.as_ref().expect("it was read before the items")
    }

    fn read(&mut self, cx: &mut Cx, file: FileId) -> Step {
        ask(cx, DiskOp::Read { file, at: self.at, len: READ_BYTES });
        Step::ReadItems(file)
    }

    /// Takes in what was read, and reads on, or ends.
    fn take(&mut self, cx: &mut Cx, shared: &Shared, file: FileId, bytes: &[u8]) -> Step {
        self.at += bytes.len() as u64;
        self.file.extend_from_slice(bytes);
        let saving = self.meta().saving;
        loop {
            match take_block(&mut self.file, &mut self.contents, saving, self.blocks) {
                Ok(true) => self.blocks += 1,
                Ok(false) => break,
                Err(_) => return self.damaged(cx, "a block is damaged or of another time"),
            }
            if !self.take_items(shared) {
                return self.damaged(cx, "an item is too long to be one");
            }
        }
        if !bytes.is_empty() {
            return self.read(cx, file);
        }
        let Meta { items, file_bytes, .. } = *self.meta();
        let left = self.file.len() + self.contents.len();
        if (self.at, self.items, left) != (file_bytes, items, 0) {
            return self.damaged(cx, "some are missing");
        }
        self.remove(cx)
    }

    /// Stores the whole items at the front. `false` if one is longer than any can be.
    fn take_items(&mut self, shared: &Shared) -> bool {
        let epoch = shared.epoch();
        while let Some((item, len)) = first_item(&self.contents) {
            let expires = epoch.expiry_at(item.expires);
            if !expires.has_passed(self.now) {
                let (mut cache, key) = shared.shard(item.key);
                let write = Write {
                    key,
                    verb: Verb::Set,
                    flags: item.flags,
                    expires,
                    compare: None,
                    version: Some(item.version),
                    invalidate: false,
                    vivify: None,
                };
                // What this server has no room for is evicted or left out, as with any store.
                let _ = cache.store(&write, item.value, self.now);
                if (item.stale || item.token_won)
                    && let Ok(id) = cache.find(key, self.now)
                {
                    cache.set_stale(id, item.stale);
                    cache.set_token_won(id, item.token_won);
                }
            }
            self.items += 1;
            self.contents.advance(len);
        }
        self.contents.len() <= ITEM_BYTES_MAX
    }

    fn damaged(&mut self, cx: &mut Cx, how: &'static str) -> Step {
        self.damage = Some(how);
        self.remove(cx)
    }

    fn remove(&mut self, cx: &mut Cx) -> Step {
        ask(cx, DiskOp::Unlink { path: self.names.meta.clone() });
        Step::RemoveMeta
    }

    fn end(&mut self, shared: &Shared) -> Loaded {
        match self.damage {
            Some(how) => {
                shared.clear();
                Loaded::Damaged(how)
            }
            None => {
                let Meta { version_max, index_power, .. } = *self.meta();
                shared.each_cache(|cache| {
                    cache.begin_versions_above(version_max);
                    cache.reset_counts();
                });
                shared.ops.index_power.fetch_max(index_power, Ordering::Relaxed);
                Loaded::Items(self.items)
            }
        }
    }
}
