//! What a half's disk says of itself, and what becomes allowed when it says so durably.

use crate::cell::CellEvent;
use crate::generation::Standing;
use crate::pair::{Pair, State};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{Cx, DiskOp, DiskResult};

/// A mark on its way to the disk, and what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marking {
    pub(crate) version: u64,
    pub(crate) standing: Standing,
    pub(crate) then: Then,
}

/// What a durable mark allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// To be active.
    Activate,
    /// To acknowledge flushes alone.
    GoAlone,
    /// Nothing: the other half is equal, as the witness has it already.
    Equal,
    /// To be overwritten.
    Begin,
    /// To say that it is equal.
    Finish,
}

impl Pair {
    /// Writes a mark; what it allows follows when it is durable.
    pub(crate) fn mark(&mut self, cx: &mut Cx, standing: Standing, then: Then) {
        let mut bytes = BytesMut::new();
        standing.put(&mut bytes);
        let version = self.cell.write(cx, bytes.freeze());
        self.marking = Some(Marking { version, standing, then });
    }

    pub(crate) fn on_cell(&mut self, cx: &mut Cx, result: DiskResult) {
        match self.cell.on_disk(cx, result) {
            None => {}
            Some(CellEvent::Failed(why)) => self.fence(cx, why),
            Some(CellEvent::Opened(content)) => {
                let standing = content.map(|mut bytes| Standing::take(&mut bytes));
                match standing {
                    None => {}
                    Some(Some(standing)) => self.standing = standing,
                    Some(None) => return self.fence(cx, "the mark is of another version"),
                }
                if self.state == State::Opening {
                    self.state = State::Waiting;
                }
            }
            Some(CellEvent::Written(version)) => {
                if let Some(marking) = self.marking.take_if(|marking| marking.version <= version) {
                    self.standing = marking.standing;
                    self.marked(cx, marking.then);
                }
            }
        }
    }

    fn marked(&mut self, cx: &mut Cx, then: Then) {
        match (then, self.state) {
            (Then::Activate, State::Activating) => self.activate(cx),
            (Then::GoAlone, State::Active) => self.active.left_behind(),
            (Then::Begin | Then::Finish, State::Waiting) => self.follower_marked(cx, then),
            _ => {}
        }
    }
}

/// What makes the mirrored directories, with those above them, and makes their names durable.
pub(crate) fn setup(dirs: &[Bytes]) -> VecDeque<DiskOp> {
    let mut ops = VecDeque::new();
    for dir in dirs {
        let ends = dir.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in ends.chain([dir.len()]) {
            let path = dir.slice(..end);
            let above = Bytes::copy_from_slice(storytime_machine::disk::parent(&path));
            ops.push_back(DiskOp::MakeDir { path });
            ops.push_back(DiskOp::SyncDir { path: above });
        }
    }
    ops
}
