//! Recovery's first part: the newest whole checkpoint.

use super::{Recovering, Turn};
use crate::journal::Journal;
use crate::{Lsn, Storage};
use storytime_machine::{Cx, DiskResult};

/// A checkpoint that is being read.
#[derive(Debug)]
pub(super) struct CheckpointScan {}

impl Journal {
    pub(super) fn try_checkpoint(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
    ) -> Turn {
        r.checkpoint = Lsn(0);
        self.first_segment(r, cx, io)
    }

    pub(super) fn on_checkpoint_read(
        &mut self,
        _r: &mut Recovering,
        _cx: &mut Cx,
        _io: &mut dyn Storage,
        _result: DiskResult,
    ) -> Turn {
        unreachable!("no checkpoint is read yet")
    }
}
