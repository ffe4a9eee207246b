//! Where a tenant's disk operations go.

use crate::Pair;
use storytime_journal::{Local, Storage};
use storytime_machine::{Cx, DiskOp, Token};

/// The process's own disk, or that of two hosts that stand for one.
#[derive(Debug, Default)]
pub enum Storages {
    /// The process's own disk.
    #[default]
    Own,
    /// This half's and the other one's.
    Pair(Box<Pair>),
}

impl Storages {
    /// This half of a pair, if it is one.
    pub fn pair(&mut self) -> Option<&mut Pair> {
        match self {
            Self::Own => None,
            Self::Pair(pair) => Some(pair),
        }
    }

    /// The same, to look at.
    pub fn look(&self) -> Option<&Pair> {
        match self {
            Self::Own => None,
            Self::Pair(pair) => Some(pair),
        }
    }
}

impl Storage for Storages {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match self {
            Self::Own => Local.submit(cx, token, op),
            Self::Pair(pair) => pair.submit(cx, token, op),
        }
    }
}
