//! Writes the data set to its files.

use super::format::{BLOCK_BYTES_MAX, Item, Meta, cut_block, put_item_head};
use super::{Names, ask};
use crate::cache::Cursor;
use crate::clock::{Epoch, Seconds};
use crate::shared::Shared;
use bytes::BytesMut;
use core::sync::atomic::Ordering;
use storytime_machine::{Bytes, Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// Items of at most this many bytes are taken several at a time.
const SMALL_ITEM_BYTES: u64 = 1 << 20;
/// Items taken under one lock, where they are small.
const PIECE_ITEMS_MAX: usize = 16;

/// A saving under way. Nobody changes the data set meanwhile.
#[derive(Debug)]
pub(crate) struct Save {
    names: Names,
    step: Step,
    meta: Meta,
    now: Seconds,
    /// Items taken under one lock.
    piece: usize,
    /// Where the walk over the items is; `None` behind the last.
    place: Option<(usize, Cursor)>,
    /// Items that are not in a block yet.
    contents: BytesMut,
    blocks: u64,
}

/// What is awaited.
#[derive(Clone, Copy, Debug)]
enum Step {
    OpenItems,
    EmptyItems(FileId),
    WriteItems(FileId),
    SyncItems,
    OpenMeta,
    WriteMeta(FileId),
    SyncMeta,
    Rename,
    SyncNames,
}

impl Save {
    /// Begins.
    pub(crate) fn begin(cx: &mut Cx, shared: &Shared, file: &str, largest_item_bytes: u64) -> Self {
        let names = Names::of(file);
        let now = shared.seconds(cx.now());
        let index_power = shared.ops.index_power.load(Ordering::Relaxed);
        let saving = cx.rng().u64();
        ask(cx, DiskOp::Open { path: names.items.clone(), create: true });
        Self {
            names,
            step: Step::OpenItems,
            meta: Meta { saving, items: 0, file_bytes: 0, version_max: 0, index_power },
            now,
            piece: if largest_item_bytes > SMALL_ITEM_BYTES { 1 } else { PIECE_ITEMS_MAX },
            place: Some((0, Cursor::default())),
            contents: BytesMut::new(),
            blocks: 0,
        }
    }

    /// Items written so far.
    pub(crate) const fn items(&self) -> u64 {
        self.meta.items
    }

    /// A disk operation completed. Whether all is done.
    ///
    /// # Errors
    /// If the disk fails: what was written so far has no `.meta` and will not be read.
    pub(crate) fn disk(
        &mut self,
        cx: &mut Cx,
        shared: &Shared,
        result: DiskResult,
    ) -> Result<bool, DiskError> {
        let done = result?;
        self.step = match (self.step, done) {
            (Step::OpenItems, DiskOk::File { file, .. }) => {
                ask(cx, DiskOp::SetLen { file, len: 0 });
                Step::EmptyItems(file)
            }
            (Step::EmptyItems(file) | Step::WriteItems(file), _) => self.write(cx, shared, file),
            (Step::SyncItems, _) => {
                ask(cx, DiskOp::Open { path: self.names.meta_new.clone(), create: true });
                Step::OpenMeta
            }
            (Step::OpenMeta, DiskOk::File { file, .. }) => {
                ask(cx, DiskOp::Write { file, at: 0, data: self.meta.encode() });
                Step::WriteMeta(file)
            }
            (Step::WriteMeta(file), _) => {
                ask(cx, DiskOp::Sync { file });
                Step::SyncMeta
            }
            (Step::SyncMeta, _) => {
                let (from, to) = (self.names.meta_new.clone(), self.names.meta.clone());
                ask(cx, DiskOp::Rename { from, to });
                Step::Rename
            }
            (Step::Rename, _) => {
                ask(cx, DiskOp::SyncDir { path: Bytes::new() });
                Step::SyncNames
            }
            (Step::SyncNames, _) => return Ok(true),
            (Step::OpenItems | Step::OpenMeta, other) => {
                unreachable!("opening a file completes with it, and not with {other:?}")
            }
        };
        Ok(false)
    }

    /// Writes the next block, or has all of them made durable behind the last.
    fn write(&mut self, cx: &mut Cx, shared: &Shared, file: FileId) -> Step {
        while self.contents.len() < BLOCK_BYTES_MAX {
            let Some((shard, cursor)) = self.place else { break };
            self.place = self.take(shared, shard, cursor);
        }
        if self.contents.is_empty() {
            ask(cx, DiskOp::Sync { file });
            return Step::SyncItems;
        }
        let data = cut_block(&mut self.contents, self.meta.saving, self.blocks);
        self.blocks += 1;
        let at = self.meta.file_bytes;
        self.meta.file_bytes += data.len() as u64;
        ask(cx, DiskOp::Write { file, at, data });
        Step::WriteItems(file)
    }

    /// Takes the next items. Where the walk goes on.
    fn take(&mut self, shared: &Shared, shard: usize, cursor: Cursor) -> Option<(usize, Cursor)> {
        let epoch: Epoch = shared.epoch();
        let (contents, meta) = (&mut self.contents, &mut self.meta);
        let next = shared.cache_at(shard).walk(cursor, self.piece, self.now, &mut |item| {
            let expires = item.expires().at().map_or(0, |at| epoch.date(at));
            let head = Item {
                key: item.key(),
                value: b"",
                flags: item.flags(),
                expires,
                version: item.version(),
                stale: item.stale(),
                token_won: item.token_won(),
            };
            let value_bytes = u32::try_from(item.value_len()).expect("values are below 4 GB");
            put_item_head(&head, value_bytes, contents);
            item.copy_value(false, contents);
            meta.items += 1;
            meta.version_max = meta.version_max.max(item.version());
        });
        match next {
            Some(cursor) => Some((shard, cursor)),
            None if shard + 1 < shared.shards() => Some((shard + 1, Cursor::default())),
            None => None,
        }
    }
}
