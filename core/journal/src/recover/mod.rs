//! Recovery: finds out what is there and decides by the table in [`Row`].
//!
//! ```text
//!  directory ─► list ─► unfinished files away ─► newest whole checkpoint ─► segments behind it
//!                                                                             │
//!  Ready ◄─ leftovers away ◄─ a new segment that begins with the last batch ◄─┘
//! ```
//!
//! The log never goes on in an old segment. The last batch is the only one that may not have been
//! acknowledged, and it may be in the page cache only (the process died before its sync, or the
//! sync failed), where a later sync would find nothing to do. So it is written again, elsewhere: a
//! new segment begins with it, and from its first record on that segment stands for the log. A torn
//! tail of the old one is thereby cut, atomically and durably.

mod checkpoint;
mod reading;
mod scan;

use crate::format::{self, BatchHeader, Header, Kind, Name, UNFINISHED};
use crate::journal::{Journal, State, Tokens};
use crate::making::{Made, Making};
use crate::options::Mistake;
use crate::{JournalEvent, Lsn, Recovery, Refusal, Row, Rows, Storage};
use bytes::{Bytes, BytesMut};
use checkpoint::CheckpointScan;
use scan::Scan;
use std::collections::VecDeque;
use storytime_machine::{Cx, DiskOk, DiskOp, DiskResult, disk};

/// Recovery at work.
#[derive(Debug)]
pub(crate) struct Recovering {
    step: Step,
    rows: Rows,
    /// Unfinished files, to be removed.
    unfinished: VecDeque<Bytes>,
    /// Leftovers, to be removed once the names are durable.
    leftovers: Vec<Name>,
    /// Segments of this epoch, in order.
    segments: Vec<Name>,
    /// Checkpoints of this epoch that have not been tried, in order.
    checkpoints: Vec<Name>,
    /// The newest checkpoint's damage.
    damaged: Option<Refusal>,
    /// The record that the chosen checkpoint stands at.
    checkpoint: Lsn,
    cut_bytes: u64,
    /// The last whole batch, as it is in its segment.
    last: Option<(BatchHeader, Bytes)>,
}

/// What is awaited.
#[derive(Debug)]
enum Step {
    /// The journal's directory, or one above it: so many bytes of its path.
    MakeDir(usize),
    /// That its name is durable.
    SyncDir(usize),
    List,
    Unlink,
    Checkpoint(CheckpointScan),
    Segment(Scan),
    NewSegment(Box<Making>),
    Leftovers,
}

/// What a part of recovery wants next.
enum Turn {
    /// Something is awaited.
    Wait,
    /// It is done.
    Done,
    /// It cannot go on.
    Refuse(Refusal),
}

impl Journal {
    pub(crate) fn begin_recovery(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let mut recovering = Box::new(Recovering {
            step: Step::List,
            rows: Rows::default(),
            unfinished: VecDeque::new(),
            leftovers: Vec::new(),
            segments: Vec::new(),
            checkpoints: Vec::new(),
            damaged: None,
            checkpoint: Lsn(0),
            cut_bytes: 0,
            last: None,
        });
        self.make_dir(&mut recovering, cx, io, 0);
        self.state = State::Recovering(recovering);
    }

    /// Makes the next directory of the path, of which `done` bytes exist; then lists.
    fn make_dir(&self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage, done: usize) {
        let (dir, token) = (&self.options.dir, self.token(Tokens::Recovery));
        if done >= dir.len() {
            r.step = Step::List;
            io.submit(cx, token, DiskOp::List { path: dir.clone() });
            return;
        }
        let from = if done == 0 { 0 } else { done + 1 };
        let end = dir[from..].iter().position(|&b| b == b'/').map_or(dir.len(), |at| from + at);
        r.step = Step::MakeDir(end);
        io.submit(cx, token, DiskOp::MakeDir { path: dir.slice(..end) });
    }

    pub(crate) fn on_recovery(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: DiskResult) {
        let State::Recovering(mut r) = core::mem::replace(&mut self.state, State::Closed) else {
            panic!("recovery's completions come while it is at work");
        };
        let token = self.token(Tokens::Recovery);
        let turn = match (&mut r.step, result) {
            (Step::MakeDir(end), Ok(_)) => {
                let (end, path) = (*end, self.options.dir.slice(..*end));
                r.step = Step::SyncDir(end);
                let path = path.slice(..disk::parent(&path).len());
                io.submit(cx, token, DiskOp::SyncDir { path });
                Turn::Wait
            }
            (Step::SyncDir(end), Ok(_)) => {
                let end = *end;
                self.make_dir(&mut r, cx, io, end);
                Turn::Wait
            }
            (Step::MakeDir(_) | Step::SyncDir(_) | Step::List, Err(_)) => {
                return self.fail("the journal's directory cannot be had");
            }
            (Step::List, Ok(DiskOk::Names(names))) => {
                self.sort_names(&mut r, &names);
                self.unlink_next(&mut r, cx, io)
            }
            (Step::Unlink, Ok(_)) => self.unlink_next(&mut r, cx, io),
            (Step::Unlink, Err(_)) => return self.fail("an unfinished file cannot be removed"),
            (Step::Checkpoint(_), result) => self.on_checkpoint_read(&mut r, cx, io, result),
            (Step::Segment(_), result) => self.on_segment_read(&mut r, cx, io, result),
            (Step::NewSegment(making), result) => {
                match making.on_disk(cx, io, &self.options.dir, result) {
                    Made::NotYet => Turn::Wait,
                    Made::NoRoom => return self.fail("no room to open the journal"),
                    Made::Failed => return self.fail("the journal's new segment failed"),
                    Made::Done(active, full) => {
                        self.writer.full = full;
                        self.switch_to(cx, io, active);
                        self.note_kept(&mut r);
                        self.remove_next(&mut r, cx, io)
                    }
                }
            }
            // What cannot be removed costs room and nothing else.
            (Step::Leftovers, _) => self.remove_next(&mut r, cx, io),
            (Step::List, Ok(_)) => panic!("a list is names"),
        };
        match turn {
            Turn::Wait => self.state = State::Recovering(r),
            Turn::Done => self.ready(*r),
            Turn::Refuse(refusal) => {
                self.state = State::Ended;
                self.events.push_back(JournalEvent::Refused(refusal));
            }
        }
    }

    /// Sorts what is in the directory; what is not the journal's is left alone.
    fn sort_names(&mut self, r: &mut Recovering, names: &[Bytes]) {
        let mut found: Vec<Name> = Vec::new();
        for text in names {
            if text.strip_suffix(UNFINISHED).is_some_and(|stem| Name::parse(stem).is_some()) {
                r.rows.insert(Row::Unfinished);
                r.unfinished.push_back(format::path(&self.options.dir, text));
            } else if let Some(name) = Name::parse(text) {
                found.push(name);
            }
        }
        // A reset is over when the checkpoint that it begins with has its name.
        let believed = self.options.mistake == Mistake::EpochOfSegments;
        let epochs = found.iter().filter(|name| name.kind == Kind::Checkpoint || believed);
        self.epoch = epochs.map(|name| name.epoch).max().unwrap_or(0);
        if found.is_empty() {
            r.rows.insert(Row::Empty);
        }
        for name in found {
            match name.kind {
                _ if name.epoch > self.epoch => {
                    r.rows.insert(Row::ResetUndone);
                    r.leftovers.push(name);
                }
                _ if name.epoch < self.epoch => {
                    r.rows.insert(Row::ResetDone);
                    r.leftovers.push(name);
                }
                Kind::Segment => r.segments.push(name),
                Kind::Checkpoint => r.checkpoints.push(name),
            }
        }
        r.segments.sort_unstable();
        r.checkpoints.sort_unstable();
    }

    fn unlink_next(&mut self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        match r.unfinished.pop_front() {
            Some(path) => {
                r.step = Step::Unlink;
                io.submit(cx, self.token(Tokens::Recovery), DiskOp::Unlink { path });
                Turn::Wait
            }
            None => self.try_checkpoint(r, cx, io),
        }
    }

    /// The segments are read: the log goes on in a new one.
    fn new_segment(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        next: Lsn,
    ) -> Turn {
        let salt = cx.rng().u64();
        let mut carried = BytesMut::new();
        let mut first = next;
        if let Some((header, batch)) = &r.last {
            first = header.first;
            carried.extend_from_slice(&batch[..header.bytes]);
            format::seal(&mut carried, header.first, header.count, salt);
            if self.options.mistake != Mistake::NoPadding {
                format::pad(&mut carried);
            }
        }
        self.writer.begin_behind(Lsn(next.0 - 1));
        let sealed = (format::SECTOR_BYTES + carried.len()) as u64;
        let header = Header { name: Name::segment(self.epoch, first), salt, sealed };
        let token = self.token(Tokens::Recovery);
        let reserve = self.reserve_for(sealed);
        let making = Making::begin(cx, io, token, &self.options.dir, header, &carried, reserve);
        r.step = Step::NewSegment(Box::new(making));
        Turn::Wait
    }

    /// The new segment is there: notes what is kept, and what is needless.
    fn note_kept(&mut self, r: &mut Recovering) {
        if let Some((header, _)) = &r.last {
            let end = self.active.map_or(0, |active| active.sealed);
            self.segments.note_batch(header.first, format::SECTOR_BYTES as u64, end);
        }
        let from_one = r.segments.first().is_none_or(|name| name.lsn == Lsn(1));
        if self.epoch == 0 && from_one {
            self.checkpoints.push(Lsn(0));
        }
        let older = r.checkpoints.iter().map(|name| name.lsn);
        self.checkpoints.extend(older);
        if self.checkpoints.last() != Some(&r.checkpoint) {
            self.checkpoints.push(r.checkpoint);
        }
        let needless = self.take_needless();
        if !needless.is_empty() {
            r.rows.insert(Row::Needless);
            r.leftovers.extend(needless);
        }
    }

    /// Removes the next leftover. The directory was synced since it was listed, so what made the
    /// file needless is durable; and its name may be used again, so its removal is waited for.
    fn remove_next(&self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        let Some(name) = r.leftovers.pop() else { return Turn::Done };
        r.step = Step::Leftovers;
        let path = name.path(&self.options.dir);
        io.submit(cx, self.token(Tokens::Recovery), DiskOp::Unlink { path });
        Turn::Wait
    }

    /// Recovery is over.
    fn ready(&mut self, mut r: Recovering) {
        if self.writer.full {
            r.rows.insert(Row::NoRoom);
        }
        self.state = State::Open;
        let recovery = Recovery {
            last: self.writer.last,
            checkpoint: r.checkpoint,
            cut_bytes: r.cut_bytes,
            rows: r.rows,
        };
        self.events.push_back(JournalEvent::Ready(recovery));
        if self.writer.full {
            self.events.push_back(JournalEvent::Full);
        }
    }

    pub(crate) fn refusal(&self, row: Row, name: Name, at: u64, whole_to: Lsn) -> Refusal {
        assert!(row.refuses(), "{row:?} goes on");
        Refusal { row, file: name.path(&self.options.dir), at, whole_to }
    }
}
