//! Where the journal's disk operations go.

use storytime_journal::{Local, Storage};
use storytime_machine::{Cx, DiskOp, Token};

/// The process's own disk.
#[derive(Debug)]
pub(crate) enum Storages {
    /// The process's own disk.
    Local(Local),
}

impl Storages {
    pub(super) const fn new() -> Self {
        Self::Local(Local)
    }
}

impl Storage for Storages {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match self {
            Self::Local(local) => local.submit(cx, token, op),
        }
    }
}
