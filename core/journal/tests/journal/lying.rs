//! A storage that makes one mistake of a careless program, for checks that must find it.

use std::collections::BTreeMap;
use storytime_journal::{Local, Storage};
use storytime_machine::{Bytes, Cx, DiskOk, DiskOp, DiskResult, FileId, Token};

/// Which mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
    /// Batches are acknowledged without their sync.
    NoBatchSync,
    /// A segment gets its name without a sync of what it begins with.
    NoSegmentSync,
    /// A segment's name is not synced.
    NoSegmentName,
    /// A checkpoint gets its name without a sync.
    NoCheckpointSync,
    /// A checkpoint's name is not synced before what it makes needless is removed.
    NoCheckpointName,
    /// A checkpoint is written under its name.
    CheckpointInPlace,
    /// A segment is written under its name.
    SegmentInPlace,
}

/// The disk, with a mistake.
#[derive(Debug, Default)]
pub(crate) struct Lying {
    pub(crate) lie: Lie,
    opening: BTreeMap<Token, Bytes>,
    files: BTreeMap<FileId, File>,
    /// What the last rename was of.
    renamed: Bytes,
}

#[derive(Debug)]
struct File {
    path: Bytes,
    synced: bool,
}

impl Lying {
    pub(crate) fn new(lie: Lie) -> Self {
        Self { lie, ..Self::default() }
    }

    /// What the journal is to be told of a completion.
    pub(crate) fn completed(&mut self, token: Token, result: DiskResult) -> DiskResult {
        match result {
            Ok(DiskOk::File { file, .. }) => {
                if let Some(path) = self.opening.remove(&token) {
                    self.files.insert(file, File { path, synced: false });
                }
                result
            }
            // Read in place of a sync.
            Ok(DiskOk::Data(bytes)) if bytes.is_empty() && self.lie != Lie::None => {
                Ok(DiskOk::Done)
            }
            other => other,
        }
    }

    fn drops_sync(&mut self, file: FileId) -> bool {
        let Some(File { path, synced }) = self.files.get_mut(&file) else { return false };
        let first = !core::mem::replace(synced, true);
        let segment = contains(path, b".seg");
        match self.lie {
            Lie::NoBatchSync => segment && !first,
            Lie::NoSegmentSync => segment && first,
            Lie::NoCheckpointSync => contains(path, b".ckpt"),
            _ => false,
        }
    }

    fn in_place(&self, path: &Bytes) -> bool {
        match self.lie {
            Lie::CheckpointInPlace => contains(path, b".ckpt"),
            Lie::SegmentInPlace => contains(path, b".seg"),
            _ => false,
        }
    }

    fn drops_name(&self) -> bool {
        match self.lie {
            Lie::NoSegmentName => contains(&self.renamed, b".seg"),
            Lie::NoCheckpointName => contains(&self.renamed, b".ckpt"),
            _ => false,
        }
    }
}

fn contains(path: &[u8], what: &[u8]) -> bool {
    path.windows(what.len()).any(|window| window == what)
}

/// Does nothing and completes.
fn nothing(dir: &Bytes) -> DiskOp {
    DiskOp::MakeDir { path: dir.clone() }
}

impl Storage for Lying {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        let op = match op {
            DiskOp::Open { path, create } => {
                self.opening.insert(token, path.clone());
                let named = path.strip_suffix(b".tmp").map(|p| path.slice(..p.len()));
                let path = named.filter(|_| self.in_place(&path)).unwrap_or(path);
                DiskOp::Open { path, create }
            }
            DiskOp::Sync { file } if self.drops_sync(file) => DiskOp::Read { file, at: 0, len: 0 },
            DiskOp::Rename { from, to } => {
                self.renamed = to.clone();
                if self.in_place(&to) {
                    nothing(&Bytes::new())
                } else {
                    DiskOp::Rename { from, to }
                }
            }
            DiskOp::SyncDir { path } if self.drops_name() => nothing(&path),
            other => other,
        };
        Local.submit(cx, token, op);
    }
}
