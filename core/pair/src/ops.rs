//! Operations of the active half's own disk that are under way, or done and not yet told.

use bytes::Bytes;
use storytime_machine::{DiskResult, Time, Token};

/// Most operations under way at once.
pub(crate) const OPS_MAX: usize = 1 << 18;

/// What an operation is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The tenant's, outside the mirrored directories, or one that changes nothing.
    Plain,
    /// The tenant opens a file.
    Open {
        number: u32,
        path: Bytes,
        create: bool,
    },
    Read,
    Write {
        end: u64,
    },
    SetLen {
        len: u64,
    },
    /// The tenant flushes a file or, without one, a directory.
    Flush,
    /// One of several that have the file open, or the last, closes it.
    Close {
        last: bool,
    },
    Rename {
        from: Bytes,
        to: Bytes,
    },
    Unlink {
        path: Bytes,
    },
    MakeDir,
    /// A resync lists a directory.
    ResyncList {
        dir: Bytes,
    },
    ResyncOpen {
        number: u32,
        path: Bytes,
    },
    /// A read that tells when everything asked for before it has been done.
    ResyncMark {
        place: u64,
    },
    /// A block to compare or, `data`, to send.
    ResyncRead {
        at: u64,
        data: bool,
        place: u64,
    },
    /// The resync closes what nobody else has open.
    Release,
}

impl Kind {
    /// Whether it changes names or what files they stand for.
    pub(crate) const fn on_names(&self) -> bool {
        matches!(
            self,
            Self::Open { .. } | Self::Rename { .. } | Self::Unlink { .. } | Self::MakeDir
        )
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Op {
    /// The tenant's name for it.
    pub(crate) token: Token,
    pub(crate) kind: Kind,
    /// The mirrored file that it works on.
    pub(crate) file: Option<u32>,
    pub(crate) result: Option<DiskResult>,
    /// When the own disk was done.
    pub(crate) done_at: Time,
    /// Its places in the stream: the first, and how many.
    pub(crate) places: Option<(u64, u64)>,
    /// A flush: whether the other half is to do it, too, and the number that it was sent under.
    pub(crate) streamed: bool,
    pub(crate) seq: Option<u64>,
    /// A resync's: which one.
    pub(crate) run: u64,
}

impl Op {
    pub(crate) const fn new(token: Token, kind: Kind, file: Option<u32>) -> Self {
        let done_at = Time::ZERO;
        let (result, places, seq) = (None, None, None);
        Self { token, kind, file, result, done_at, places, streamed: false, seq, run: 0 }
    }
}

/// All of them, by index.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    ops: Vec<Option<Op>>,
    free: Vec<u32>,
}

impl Ops {
    pub(crate) fn insert(&mut self, op: Op) -> u32 {
        if let Some(index) = self.free.pop() {
            self.ops[index as usize] = Some(op);
            return index;
        }
        assert!(self.ops.len() < OPS_MAX, "the tenant bounds its operations");
        self.ops.push(Some(op));
        self.ops.len() as u32 - 1
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Op> {
        self.ops.get(index as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Op> {
        self.ops.get_mut(index as usize)?.as_mut()
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Op> {
        let op = self.ops.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(op)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Op> {
        self.ops.iter_mut().flatten()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Op> {
        self.ops.iter().flatten()
    }
}
