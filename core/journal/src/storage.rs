//! Where a journal's disk operations go: to the disk, or to something that stands for it.

use storytime_machine::{Cx, DiskOp, Token};

/// Takes disk operations. Completions come back through
/// [`Journal::on_disk`](crate::Journal::on_disk) under the same rules as those of a disk: order per
/// file, and only the completion of a sync makes anything durable.
pub trait Storage {
    /// Carries the operation out; exactly one completion with this token follows.
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp);
}

/// The process's own disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

impl Storage for Local {
    fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        cx.disk(token, op);
    }
}
