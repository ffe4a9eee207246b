//! Making the other disk equal while the tenant goes on writing.
//!
//! First the names: changes of names wait until the directories have been listed. Then the files,
//! one after the other: length, then block by block. After a mere break of the connection the
//! blocks that were touched meanwhile are sent; after a restart of either side every block is
//! compared, by digest, whatever the disk there says of its age: one that lied about flushes may
//! have lost anything. Reads take their place in the [stream](crate::stream) among the tenant's
//! writes.
//!
//! Not modelled: a limit on the resync's rate. It has at most [`BLOCKS_UNDER_WAY_MAX`] blocks under
//! way, and the tenant's operations pass between them.

use crate::active::{Active, Peer, Phase};
use crate::blocks::{BLOCK_BYTES, Bitmap, Touched};
use crate::config::Bug;
use crate::ops::{Kind, Op};
use crate::stream::{Body, Mark};
use crate::wire::{self, NAMES_MAX};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::hash::digest_bytes;
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, Token};

/// Most blocks being read, compared or sent at once.
pub(crate) const BLOCKS_UNDER_WAY_MAX: u32 = 16;

/// A resync.
#[derive(Debug)]
pub(crate) struct Resync {
    stage: Stage,
    /// What was touched, if the other half has all the rest.
    touched: Option<Bitmap>,
    /// Files whose turn has yet to come.
    left: BTreeSet<Bytes>,
    /// Names by directory, as listed.
    listed: BTreeMap<Bytes, Vec<Bytes>>,
}

#[derive(Debug)]
enum Stage {
    /// Changes of names under way have to end.
    AwaitNames,
    /// The directories are being listed: how many are to come.
    AwaitList { left: usize },
    /// The next file.
    NextFile,
    /// It is being opened; changes of names wait.
    AwaitOpen,
    /// What was asked for before has to be done, so that its length is known.
    AwaitMark { file: u32, path: Bytes },
    /// Its blocks.
    Blocks(Blocks),
    /// All was sent.
    Over,
}

/// A file at work.
#[derive(Debug)]
struct Blocks {
    file: u32,
    plan: Plan,
    /// Being read, compared or sent.
    under_way: u32,
}

#[derive(Debug)]
enum Plan {
    /// Compare every block from `next` up to a length.
    Compare { next: u64, end: u64 },
    /// Send these.
    Send(BTreeSet<u64>),
}

impl Resync {
    /// Whether changes of names have to wait.
    pub(crate) const fn holds_names(&self) -> bool {
        matches!(self.stage, Stage::AwaitNames | Stage::AwaitList { .. } | Stage::AwaitOpen)
    }

    /// The tenant has renamed a file: what has yet to be sent of it goes under the new name.
    pub(crate) fn renamed(&mut self, from: &Bytes, to: &Bytes) {
        if self.left.remove(from) {
            self.left.insert(to.clone());
        }
        if let Some(touched) = &mut self.touched {
            touched.rename(from, to);
        }
    }
}

impl Active {
    /// Begins, with what was touched if the other half has all the rest.
    pub(crate) fn begin_resync(&mut self, cx: &mut Cx, touched: Option<Bitmap>) {
        self.run += 1;
        self.counts.resyncs += 1;
        self.counts.resyncs_quick += u64::from(touched.is_some());
        self.stream.push(Body::Ready(wire::Op::Begin), Mark::Nothing, None);
        self.resync = Some(Resync {
            stage: Stage::AwaitNames,
            touched,
            left: BTreeSet::new(),
            listed: BTreeMap::new(),
        });
        self.advance(cx);
        self.pump(cx);
    }

    /// The connection is gone, or it is done.
    pub(crate) fn end_resync(&mut self, cx: &mut Cx) {
        self.run += 1;
        let Some(resync) = self.resync.take() else { return };
        match resync.stage {
            Stage::Blocks(Blocks { file, .. }) | Stage::AwaitMark { file, .. } => {
                self.release(cx, file);
            }
            _ => {}
        }
    }

    /// Takes the steps that can be taken now.
    pub(crate) fn advance(&mut self, cx: &mut Cx) {
        loop {
            let names_rest = self.names_running == 0;
            let Some(resync) = &mut self.resync else { return };
            match &mut resync.stage {
                Stage::AwaitNames if names_rest => {
                    resync.stage = Stage::AwaitList { left: self.dirs.len() };
                    for path in self.dirs.clone() {
                        let kind = Kind::ResyncList { dir: path.clone() };
                        self.start_own(cx, kind, None, DiskOp::List { path });
                    }
                }
                Stage::NextFile => {
                    if !self.next_file(cx) {
                        return;
                    }
                }
                Stage::Blocks(blocks) if blocks.is_over() => {
                    let file = blocks.file;
                    resync.stage = Stage::NextFile;
                    let flush = Body::Ready(wire::Op::Sync { file });
                    self.stream.push(flush, Mark::Nothing, None);
                    self.release(cx, file);
                }
                Stage::Blocks(blocks) if blocks.under_way < BLOCKS_UNDER_WAY_MAX => {
                    let forgets = self.bug == Some(Bug::ForgetsBlock);
                    match blocks.next(forgets) {
                        Some((at, data)) => self.read_block(cx, at, data),
                        None => return,
                    }
                }
                _ => return,
            }
        }
    }

    fn start_own(&mut self, cx: &mut Cx, kind: Kind, file: Option<u32>, what: DiskOp) {
        let op = Op { run: self.run, ..Op::new(Token(0), kind, file) };
        self.start(cx, op, what);
    }

    /// Turns to the next file. False if it has to wait.
    fn next_file(&mut self, cx: &mut Cx) -> bool {
        let Some(resync) = &mut self.resync else { return false };
        let Some(path) = resync.left.first().cloned() else {
            // Only a half that is marked as inconsistent can be told that it no longer is.
            if self.stream.acked() > 0 {
                self.finish();
            }
            return false;
        };
        if let Some(number) = self.files.at_path(&path) {
            let file = self.files.get_mut(number).expect("names and files agree");
            file.refs += 1;
            self.mark_file(cx, number, path);
            return true;
        }
        if self.names_running > 0 {
            return false;
        }
        resync.left.remove(&path);
        resync.stage = Stage::AwaitOpen;
        let kind = Kind::ResyncOpen { number: self.files.next_number(), path: path.clone() };
        self.start_own(cx, kind, None, DiskOp::Open { path, create: false });
        false
    }

    fn finish(&mut self) {
        if let Some(resync) = &mut self.resync {
            resync.stage = Stage::Over;
        }
        self.stream.push(Body::Ready(wire::Op::Finish), Mark::Nothing, None);
        if let Peer::Follows { phase: phase @ Phase::Resync, .. } = &mut self.peer {
            *phase = Phase::Joining;
            self.alone = false;
        }
    }

    /// Waits for what was asked for before: then the length is known.
    fn mark_file(&mut self, cx: &mut Cx, number: u32, path: Bytes) {
        let id = self.files.get(number).expect("an open file is known").id;
        if let Some(resync) = &mut self.resync {
            resync.left.remove(&path);
            resync.stage = Stage::AwaitMark { file: number, path };
        }
        let place = self.stream.push(Body::AwaitRead, Mark::Nothing, None);
        let kind = Kind::ResyncMark { place };
        self.start_own(cx, kind, Some(number), DiskOp::Read { file: id, at: 0, len: 1 });
    }

    fn read_block(&mut self, cx: &mut Cx, at: u64, data: bool) {
        let Some(Resync { stage: Stage::Blocks(blocks), .. }) = &self.resync else { return };
        let number = blocks.file;
        let id = self.files.get(number).expect("a file at work is open").id;
        let place = self.stream.push(Body::AwaitRead, Mark::Nothing, None);
        let read = DiskOp::Read { file: id, at, len: BLOCK_BYTES as u32 };
        self.start_own(cx, Kind::ResyncRead { at, data, place }, Some(number), read);
    }

    /// Gives back the resync's own hold on a file.
    fn release(&mut self, cx: &mut Cx, number: u32) {
        let Some(file) = self.files.get_mut(number) else { return };
        file.refs -= 1;
        if file.refs > 0 {
            return;
        }
        let id = file.id;
        self.files.closing(number);
        self.start_own(cx, Kind::Release, Some(number), DiskOp::Close { file: id });
        let close = Body::Ready(wire::Op::Close { file: number });
        if matches!(self.peer, Peer::Follows { .. }) {
            self.stream.push(close, Mark::Nothing, None);
        }
    }

    /// An operation of a resync's completed.
    pub(crate) fn on_resync(
        &mut self,
        cx: &mut Cx,
        kind: Kind,
        file: Option<u32>,
        run: u64,
        result: DiskResult,
    ) {
        let stale = run != self.run;
        match (kind, result) {
            (Kind::ResyncOpen { number, path }, Ok(DiskOk::File { file, len })) => {
                self.files.opened(number, file, path.clone(), len);
                if stale { self.release(cx, number) } else { self.mark_file(cx, number, path) }
            }
            _ if stale => {}
            // It has lost its name since it was listed.
            (Kind::ResyncOpen { .. }, Err(DiskError::NotFound)) => {
                if let Some(resync) = &mut self.resync {
                    resync.stage = Stage::NextFile;
                }
            }
            (Kind::ResyncList { dir }, Ok(DiskOk::Names(names))) => self.listed(dir, names),
            (Kind::ResyncMark { place }, Ok(_)) => self.marked(place),
            (Kind::ResyncRead { at, data, place }, Ok(DiskOk::Data(bytes))) => {
                let file = file.expect("a block is of a file");
                self.block_read((file, at), data, place, bytes);
            }
            // Without its own disk it brings nobody up to date.
            _ => self.broken = true,
        }
    }

    fn listed(&mut self, dir: Bytes, names: Vec<Bytes>) {
        let Some(resync) = &mut self.resync else { return };
        let Stage::AwaitList { left } = &mut resync.stage else { return };
        *left -= 1;
        if names.len() > NAMES_MAX {
            self.broken = true;
            return;
        }
        for name in &names {
            resync.left.insert([&dir[..], b"/", &name[..]].concat().into());
        }
        resync.listed.insert(dir, names);
        if *left == 0 {
            resync.stage = Stage::NextFile;
            for (dir, names) in core::mem::take(&mut resync.listed) {
                let op = wire::Op::Names { dir, names };
                self.stream.push(Body::Ready(op), Mark::Nothing, None);
            }
        }
    }

    /// Everything asked for before has been done to the file.
    fn marked(&mut self, place: u64) {
        let Some(resync) = &mut self.resync else { return };
        let Stage::AwaitMark { file, path } = &resync.stage else { return };
        let (number, path) = (*file, path.clone());
        let end = self.files.get(number).map_or(0, |file| file.len);
        let plan = match &resync.touched {
            None => Plan::Compare { next: 0, end },
            Some(touched) => match touched.get(&path) {
                Some(Touched::All) => Plan::Compare { next: 0, end },
                Some(Touched::Blocks(blocks)) => Plan::Send(blocks.clone()),
                None => Plan::Send(BTreeSet::new()),
            },
        };
        resync.stage = Stage::Blocks(Blocks { file: number, plan, under_way: 0 });
        self.stream.fill(place, wire::Op::File { file: number, path, len: end });
    }

    fn block_read(&mut self, block: (u32, u64), data: bool, place: u64, bytes: Bytes) {
        let (file, at) = block;
        if !data {
            self.counts.blocks_compared += 1;
            let (len, digest) = (bytes.len() as u32, digest_bytes(0, &bytes));
            return self.stream.fill(place, wire::Op::Check { file, at, len, digest });
        }
        self.counts.blocks_sent += 1;
        if bytes.is_empty() {
            self.stream.settle(place, false); // cut off meanwhile
        } else {
            self.stream.fill(place, wire::Op::Write { file, at, data: bytes });
        }
        self.block_over();
    }

    fn block_over(&mut self) {
        if let Some(Resync { stage: Stage::Blocks(blocks), .. }) = &mut self.resync {
            blocks.under_way -= 1;
        }
    }

    /// The other half has compared a block. False if it was not asked to.
    pub(crate) fn checked(&mut self, cx: &mut Cx, seq: u64, same: bool) -> bool {
        let Some((_, at)) = self.stream.checked(seq) else { return false };
        if same {
            self.block_over();
        } else {
            self.read_block(cx, at, true);
        }
        self.advance(cx);
        self.pump(cx);
        true
    }
}

impl Blocks {
    /// Whether nothing is left or under way.
    fn is_over(&self) -> bool {
        let none_left = match &self.plan {
            Plan::Compare { next, end } => next >= end,
            Plan::Send(blocks) => blocks.is_empty(),
        };
        none_left && self.under_way == 0
    }

    /// The next block: where, and whether to send it without comparing.
    fn next(&mut self, forgets: bool) -> Option<(u64, bool)> {
        let (at, data) = match &mut self.plan {
            Plan::Compare { next, end } => {
                if forgets && *next == 0 {
                    *next += BLOCK_BYTES;
                }
                let at = *next;
                *next += BLOCK_BYTES;
                (at < *end).then_some((at, false))?
            }
            Plan::Send(blocks) => (blocks.pop_first()? * BLOCK_BYTES, true),
        };
        self.under_way += 1;
        Some((at, data))
    }
}
