//! Where the journal's disk operations go.

use storytime_journal::{Local, Storage};
use storytime_machine::{Cx, DiskOp, Token};
use storytime_pair::Pair;

/// The process's own disk, or that of two hosts that stand for one.
#[derive(Debug)]
pub(crate) enum Storages {
    /// The process's own disk.
    Local(Local),
    /// This half's and the other one's.
    Pair(Box<Pair>),
}

impl Storages {
    pub(super) const fn new() -> Self {
        Self::Local(Local)
    }

    /// This half of a pair, if it is one.
    pub(super) fn pair(&mut self) -> Option<&mut Pair> {
        match self {
            Self::Local(_) => None,
            Self::Pair(pair) => Some(pair),
        }
    }
}

impl Storage for Storages {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match self {
            Self::Local(local) => local.submit(cx, token, op),
            Self::Pair(pair) => pair.submit(cx, token, op),
        }
    }
}
