//! Makes a segment: written under another name, synced, renamed, and the directory synced, so that
//! a segment that has its name is whole up to where it says.

use crate::Storage;
use crate::format::{Header, Name, SECTOR_BYTES};
use bytes::{Bytes, BytesMut};
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId, Token};

/// The segment that batches go to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active {
    pub(crate) name: Name,
    pub(crate) file: FileId,
    pub(crate) salt: u64,
    /// Where the next batch goes: everything before is durable.
    pub(crate) end: u64,
    /// Zeros were written up to here.
    pub(crate) reserved: u64,
    /// Where the first batch goes that it did not begin with.
    pub(crate) sealed: u64,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Open,
    /// Whatever an earlier attempt left is cut off.
    Empty,
    Head,
    Reserve,
    Sync,
    Rename,
    SyncDir,
    /// There was no room; nothing is awaited.
    Parked,
}

/// A segment that is being made.
#[derive(Debug)]
pub(crate) struct Making {
    name: Name,
    salt: u64,
    head: Bytes,
    reserve: Bytes,
    step: Step,
    file: Option<FileId>,
    /// There was no room for the head.
    no_room: bool,
    /// There was no room for the reserve.
    full: bool,
    /// The reserve is done without, because a sync missed the room for it.
    bare: bool,
    token: Token,
}

/// How far it came.
#[derive(Debug)]
pub(crate) enum Made {
    /// Something is awaited.
    NotYet,
    /// It is there, durably; whether its reserve found no room.
    Done(Active, bool),
    /// The disk is full; [`Making::retry`] tries again.
    NoRoom,
    /// The disk failed.
    Failed,
}

impl Making {
    /// Begins: header, then `carried` (whole padded batches), then `reserve` (zeros).
    pub(crate) fn begin(
        cx: &mut Cx,
        io: &mut dyn Storage,
        token: Token,
        dir: &[u8],
        header: Header,
        carried: &[u8],
        reserve: Bytes,
    ) -> Self {
        let mut head = BytesMut::with_capacity(SECTOR_BYTES + carried.len());
        header.encode(&mut head);
        head.extend_from_slice(carried);
        assert_eq!(head.len() as u64, header.sealed, "sealed is what it begins with");
        let path = header.name.unfinished(dir);
        io.submit(cx, token, DiskOp::Open { path, create: true });
        Self {
            name: header.name,
            salt: header.salt,
            head: head.freeze(),
            reserve,
            step: Step::Open,
            file: None,
            no_room: false,
            full: false,
            bare: false,
            token,
        }
    }

    pub(crate) const fn is_parked(&self) -> bool {
        matches!(self.step, Step::Parked)
    }

    /// After `NoRoom`: once more.
    pub(crate) fn retry(&mut self, cx: &mut Cx, io: &mut dyn Storage, dir: &[u8]) {
        assert_eq!(self.step, Step::Parked, "a retry follows a failure");
        (self.no_room, self.full, self.bare) = (false, false, false);
        match self.file {
            Some(file) => self.write(cx, io, file, true),
            None => {
                self.step = Step::Open;
                let path = self.name.unfinished(dir);
                io.submit(cx, self.token, DiskOp::Open { path, create: true });
            }
        }
    }

    fn write(&mut self, cx: &mut Cx, io: &mut dyn Storage, file: FileId, over: bool) {
        let head = self.head.clone();
        let reserve = if self.bare { Bytes::new() } else { self.reserve.clone() };
        let at = head.len() as u64;
        if over {
            io.submit(cx, self.token, DiskOp::SetLen { file, len: 0 });
        }
        io.submit(cx, self.token, DiskOp::Write { file, at: 0, data: head });
        io.submit(cx, self.token, DiskOp::Write { file, at, data: reserve });
        io.submit(cx, self.token, DiskOp::Sync { file });
        self.step = if over { Step::Empty } else { Step::Head };
    }

    /// An operation with its token completed.
    pub(crate) fn on_disk(
        &mut self,
        cx: &mut Cx,
        io: &mut dyn Storage,
        dir: &Bytes,
        result: DiskResult,
    ) -> Made {
        let full = result == Err(DiskError::NoSpace);
        if result.is_err() && !full {
            return Made::Failed;
        }
        match self.step {
            Step::Open => match result {
                Ok(DiskOk::File { file, len }) => {
                    self.file = Some(file);
                    self.write(cx, io, file, len > 0);
                }
                _ if full => return self.park(),
                _ => return Made::Failed,
            },
            Step::Empty => self.step = Step::Head,
            Step::Head => {
                self.no_room = full;
                self.step = Step::Reserve;
            }
            Step::Reserve => {
                self.full = full;
                self.step = Step::Sync;
            }
            Step::Sync => return self.synced(cx, io, dir, full),
            Step::Rename => {
                if full {
                    return self.park();
                }
                self.step = Step::SyncDir;
                io.submit(cx, self.token, DiskOp::SyncDir { path: dir.clone() });
            }
            Step::SyncDir if full => return Made::Failed,
            Step::SyncDir => return self.done(),
            Step::Parked => panic!("nothing was asked for"),
        }
        Made::NotYet
    }

    fn synced(&mut self, cx: &mut Cx, io: &mut dyn Storage, dir: &Bytes, full: bool) -> Made {
        let file = self.file.expect("it was opened");
        if full && !self.no_room && !self.bare {
            // The room was missed only now: do without a reserve, and write everything again.
            self.bare = true;
            self.write(cx, io, file, true);
            return Made::NotYet;
        }
        if full || self.no_room {
            return self.park();
        }
        self.step = Step::Rename;
        let (from, to) = (self.name.unfinished(dir), self.name.path(dir));
        io.submit(cx, self.token, DiskOp::Rename { from, to });
        Made::NotYet
    }

    fn park(&mut self) -> Made {
        self.step = Step::Parked;
        Made::NoRoom
    }

    fn done(&self) -> Made {
        let sealed = self.head.len() as u64;
        let full = self.full || self.bare;
        let reserve = if full { 0 } else { self.reserve.len() as u64 };
        let active = Active {
            name: self.name,
            file: self.file.expect("it was opened"),
            salt: self.salt,
            end: sealed,
            reserved: sealed + reserve,
            sealed,
        };
        Made::Done(active, full)
    }
}
