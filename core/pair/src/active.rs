//! The active half's side of the mirror: the tenant's operations, on this disk and the other.
//!
//! Operations complete when this disk has carried them out; flushes, when both disks have, or when
//! it is recorded that the other half was left behind.

use crate::blocks::Bitmap;
use crate::config::Bug;
use crate::files::Files;
use crate::ops::{Kind, OPS_MAX, Op, Ops};
use crate::resync::Resync;
use crate::stream::{Body, Mark, Stream};
use crate::wire::{self, PIECE_BYTES_MAX};
use bytes::Bytes;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use storytime_machine::disk::parent;
use storytime_machine::{Conn, Cx, DiskError, DiskOk, DiskOp, DiskResult, Time, Token};

/// How the other half stands, as the active one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Away,
    AwaitConnect,
    AwaitWelcome {
        conn: Conn,
    },
    /// Changes flow.
    Follows {
        conn: Conn,
        life: u64,
        phase: Phase,
    },
}

/// How far a following half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its disk is being made equal.
    Resync,
    /// All was sent; from here on flushes wait for it.
    Joining,
    /// It has everything.
    Equal,
}

/// What a mirror counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) flushes: u64,
    pub(crate) flushes_mirrored: u64,
    pub(crate) resyncs: u64,
    pub(crate) resyncs_quick: u64,
    pub(crate) blocks_compared: u64,
    pub(crate) blocks_sent: u64,
    pub(crate) peer_lost: u64,
}

/// The mirror.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) dirs: Vec<Bytes>,
    pub(crate) bug: Option<Bug>,
    base: u64,
    pub(crate) files: Files,
    pub(crate) ops: Ops,
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    /// It is recorded, here and at the witness, that the other half is behind; not so from the
    /// moment when it might have everything.
    pub(crate) alone: bool,
    bitmap: Bitmap,
    /// The process of the other half that has everything but what the bitmap says.
    bitmap_life: Option<u64>,
    pub(crate) resync: Option<Resync>,
    /// Operations on names that wait for a resync's list of names.
    held: VecDeque<(Token, DiskOp)>,
    opening: BTreeSet<Bytes>,
    pub(crate) names_running: u32,
    /// Flushes that this disk has done and the other has not.
    waiting: Vec<u32>,
    done: VecDeque<(Token, DiskResult)>,
    /// Counts resyncs, so that what is left of an earlier one is known.
    pub(crate) run: u64,
    /// Why the connection has to end.
    pub(crate) broken: bool,
    pub(crate) counts: Counts,
}

impl Active {
    /// A mirror whose other half is behind; it uses [`OPS_MAX`] disk tokens from `base` on.
    pub(crate) fn new(dirs: Vec<Bytes>, bug: Option<Bug>, base: u64) -> Self {
        Self {
            dirs,
            bug,
            base,
            files: Files::default(),
            ops: Ops::default(),
            stream: Stream::default(),
            peer: Peer::Away,
            alone: true,
            bitmap: Bitmap::default(),
            bitmap_life: None,
            resync: None,
            held: VecDeque::new(),
            opening: BTreeSet::new(),
            names_running: 0,
            waiting: Vec::new(),
            done: VecDeque::new(),
            run: 0,
            broken: false,
            counts: Counts::default(),
        }
    }

    pub(crate) const fn phase(&self) -> Option<Phase> {
        match self.peer {
            Peer::Follows { phase, .. } => Some(phase),
            _ => None,
        }
    }

    pub(crate) const fn conn(&self) -> Option<Conn> {
        match self.peer {
            Peer::AwaitWelcome { conn } | Peer::Follows { conn, .. } => Some(conn),
            _ => None,
        }
    }

    /// What the tenant is to be told next.
    pub(crate) fn next_done(&mut self) -> Option<(Token, DiskResult)> {
        self.done.pop_front()
    }

    pub(crate) const fn owns(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < OPS_MAX as u64
    }

    // ---- the tenant's operations ---------------------------------------------------------------

    /// Takes an operation of the tenant.
    pub(crate) fn submit(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        match &op {
            DiskOp::Open { path, .. } | DiskOp::Unlink { path } if self.in_dirs(path) => {
                self.submit_name(cx, token, op);
            }
            DiskOp::Rename { from, to } => {
                let (from, to) = (self.in_dirs(from), self.in_dirs(to));
                assert_eq!(from, to, "a file does not leave the mirrored directories");
                if from { self.submit_name(cx, token, op) } else { self.plain(cx, token, op) }
            }
            DiskOp::MakeDir { path } | DiskOp::SyncDir { path } if self.dirs.contains(path) => {
                self.submit_name(cx, token, op);
            }
            _ => match op.file().and_then(|id| self.files.number(id)) {
                Some(number) => self.submit_on_file(cx, token, number, op),
                None => self.plain(cx, token, op),
            },
        }
        self.pump(cx);
    }

    fn in_dirs(&self, path: &[u8]) -> bool {
        self.dirs.iter().any(|dir| dir[..] == *parent(path))
    }

    fn plain(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        self.start(cx, Op::new(token, Kind::Plain, None), op);
    }

    /// Sends an operation to the own disk.
    pub(crate) fn start(&mut self, cx: &mut Cx, op: Op, what: DiskOp) -> u32 {
        self.names_running += u32::from(op.kind.on_names());
        let index = self.ops.insert(op);
        cx.disk(Token(self.base + u64::from(index)), what);
        index
    }

    /// Whether changes go to the other half.
    const fn streams(&self) -> bool {
        matches!(self.peer, Peer::Follows { .. })
    }

    /// Gives a change its place in the stream, or marks what it touches.
    fn mirror(&mut self, index: u32, changes: impl IntoIterator<Item = wire::Op>, mark: Mark) {
        if !self.streams() {
            if self.bitmap_life.is_some() {
                match mark {
                    Mark::Nothing => {}
                    Mark::Range { path, from, to } => self.bitmap.mark(&path, from, to),
                    Mark::All(path) => self.bitmap.mark_all(&path),
                }
            }
            return;
        }
        let mut places: Option<(u64, u64)> = None;
        for change in changes {
            let place = self.stream.push(Body::Await(change), mark.clone(), None);
            places = Some(places.map_or((place, 1), |(first, count)| (first, count + 1)));
        }
        if let Some(op) = self.ops.get_mut(index) {
            op.places = places;
        }
    }

    /// Gives a flush its place: both disks work on it at the same time.
    fn mirror_flush(&mut self, index: u32, flush: wire::Op) {
        self.counts.flushes += 1;
        if self.streams() {
            self.stream.push(Body::Ready(flush), Mark::Nothing, Some(index));
            if let Some(op) = self.ops.get_mut(index) {
                op.streamed = true;
            }
        }
    }

    fn submit_name(&mut self, cx: &mut Cx, token: Token, op: DiskOp) {
        if let DiskOp::Open { path, .. } = &op
            && let Some(number) = self.files.at_path(path)
        {
            let file = self.files.get_mut(number).expect("names and files agree");
            file.refs += 1;
            let ok = DiskOk::File { file: file.id, len: file.len_asked };
            return self.done.push_back((token, Ok(ok)));
        }
        let being_opened = |path: &Bytes| self.opening.contains(path);
        let clashes = match &op {
            DiskOp::Open { path, .. } | DiskOp::Unlink { path } => being_opened(path),
            DiskOp::Rename { from, to } => being_opened(from) || being_opened(to),
            _ => false,
        };
        let flush = matches!(op, DiskOp::SyncDir { .. });
        if clashes || (!flush && self.resync.as_ref().is_some_and(Resync::holds_names)) {
            return self.held.push_back((token, op));
        }
        let what = op.clone();
        match op {
            DiskOp::Open { path, create } => {
                let number = self.files.next_number();
                self.opening.insert(path.clone());
                let kind = Kind::Open { number, path: path.clone(), create };
                let index = self.start(cx, Op::new(token, kind, None), what);
                let mark = if create { Mark::All(path.clone()) } else { Mark::Nothing };
                self.mirror(index, [wire::Op::Open { file: number, path, create }], mark);
            }
            DiskOp::Rename { from, to } => {
                let kind = Kind::Rename { from: from.clone(), to: to.clone() };
                let index = self.start(cx, Op::new(token, kind, None), what);
                let mark = Mark::All(to.clone());
                self.mirror(index, [wire::Op::Rename { from, to }], mark);
            }
            DiskOp::Unlink { path } => {
                let kind = Kind::Unlink { path: path.clone() };
                let index = self.start(cx, Op::new(token, kind, None), what);
                self.mirror(index, [wire::Op::Unlink { path }], Mark::Nothing);
            }
            DiskOp::MakeDir { path } => {
                let index = self.start(cx, Op::new(token, Kind::MakeDir, None), what);
                self.mirror(index, [wire::Op::MakeDir { path }], Mark::Nothing);
            }
            DiskOp::SyncDir { path } => {
                let index = self.start(cx, Op::new(token, Kind::Flush, None), what);
                self.mirror_flush(index, wire::Op::SyncDir { path });
            }
            _ => unreachable!("only operations on names come here"),
        }
    }

    fn submit_on_file(&mut self, cx: &mut Cx, token: Token, number: u32, op: DiskOp) {
        let file = self.files.get_mut(number).expect("a known handle has a file");
        let (path, len) = (file.path.clone(), file.len_asked);
        let range = |from: u64, to: u64| match path {
            Some(path) => Mark::Range { path, from, to },
            None => Mark::Nothing,
        };
        let what = op.clone();
        let new = |kind| Op::new(token, kind, Some(number));
        let index = match op {
            DiskOp::Write { at, data, .. } => {
                let end = at + data.len() as u64;
                file.len_asked = len.max(end);
                let index = self.start(cx, new(Kind::Write { end }), what);
                let pieces = (0..data.len()).step_by(PIECE_BYTES_MAX).map(|from| {
                    let data = data.slice(from..data.len().min(from + PIECE_BYTES_MAX));
                    wire::Op::Write { file: number, at: at + from as u64, data }
                });
                self.mirror(index, pieces, range(at.min(len), end));
                index
            }
            DiskOp::SetLen { len: to, .. } => {
                file.len_asked = to;
                let index = self.start(cx, new(Kind::SetLen { len: to }), what);
                let change = wire::Op::SetLen { file: number, len: to };
                self.mirror(index, [change], range(len.min(to), len.max(to)));
                index
            }
            DiskOp::Sync { .. } => {
                let index = self.start(cx, new(Kind::Flush), what);
                self.mirror_flush(index, wire::Op::Sync { file: number });
                index
            }
            DiskOp::Close { .. } if file.refs > 1 => {
                file.refs -= 1;
                let mut op = new(Kind::Close { last: false });
                op.result = Some(Ok(DiskOk::Done));
                self.ops.insert(op)
            }
            DiskOp::Close { .. } => {
                self.files.closing(number);
                let index = self.start(cx, new(Kind::Close { last: true }), what);
                self.mirror(index, [wire::Op::Close { file: number }], Mark::Nothing);
                index
            }
            _ => self.start(cx, new(Kind::Read), what),
        };
        if let Some(file) = self.files.get_mut(number) {
            file.told.push_back(index);
        }
        self.tell(number);
    }

    // ---- completions ---------------------------------------------------------------------------

    /// An operation of the own disk completed.
    pub(crate) fn on_disk(&mut self, cx: &mut Cx, token: Token, result: DiskResult) {
        let index = (token.0 - self.base) as u32;
        let Some(op) = self.ops.get(index) else { return };
        let (kind, file, places, run) = (op.kind.clone(), op.file, op.places, op.run);
        if let Some((first, count)) = places {
            let happened = result.is_ok();
            (first..first + count).for_each(|place| self.stream.settle(place, happened));
        }
        self.names_running -= u32::from(kind.on_names());
        match kind {
            Kind::ResyncList { .. }
            | Kind::ResyncOpen { .. }
            | Kind::ResyncMark { .. }
            | Kind::ResyncRead { .. } => {
                self.ops.remove(index);
                self.on_resync(cx, kind, file, run, result);
            }
            Kind::Release => {
                self.ops.remove(index);
                if let Some(number) = file {
                    self.files.closed(number);
                }
            }
            _ => self.on_tenants(cx, index, kind, file, result),
        }
        self.advance(cx);
        self.release_held(cx);
        self.pump(cx);
    }

    fn on_tenants(
        &mut self,
        cx: &Cx,
        index: u32,
        kind: Kind,
        file: Option<u32>,
        result: DiskResult,
    ) {
        if let Kind::Open { path, .. } = &kind {
            self.opening.remove(path);
        }
        if let Ok(ok) = &result {
            self.happened(kind, file, ok);
        }
        let op = self.ops.get_mut(index).expect("an operation under way is known");
        (op.result, op.done_at) = (Some(result), cx.now());
        match (&op.kind, file) {
            (Kind::Flush, _) => {
                self.waiting.push(index);
                self.settle();
            }
            (_, Some(number)) => self.tell(number),
            (_, None) => self.tell_one(index),
        }
    }

    /// What the pair itself has to know of a success.
    fn happened(&mut self, kind: Kind, file: Option<u32>, ok: &DiskOk) {
        match (kind, ok) {
            (Kind::Open { number, path, .. }, DiskOk::File { file, len }) => {
                self.files.opened(number, *file, path, *len);
            }
            (Kind::Write { end }, _) => {
                if let Some(file) = file.and_then(|number| self.files.get_mut(number)) {
                    file.len = file.len.max(end);
                }
            }
            (Kind::SetLen { len }, _) => {
                if let Some(file) = file.and_then(|number| self.files.get_mut(number)) {
                    file.len = len;
                }
            }
            (Kind::Rename { from, to }, _) => {
                self.files.renamed(&from, &to);
                if let Some(resync) = &mut self.resync {
                    resync.renamed(&from, &to);
                }
            }
            (Kind::Unlink { path }, _) => {
                self.files.unlinked(&path);
                self.bitmap.remove(&path);
            }
            _ => {}
        }
    }

    /// Whether the tenant may be told of an operation.
    fn is_over(&self, index: u32) -> bool {
        let Some(op) = self.ops.get(index) else { return false };
        match &op.result {
            None => false,
            Some(Ok(_)) if op.kind == Kind::Flush => {
                let mirrored = op.seq.is_some_and(|seq| seq <= self.stream.acked());
                mirrored || !self.needs_peer() || self.bug == Some(Bug::AckBeforePeer)
            }
            Some(_) => true,
        }
    }

    /// Whether a flush has to be on the other disk, too.
    fn needs_peer(&self) -> bool {
        !self.alone
    }

    /// Tells flushes that need not wait any longer.
    pub(crate) fn settle(&mut self) {
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.retain(|&index| {
            let waits = |op: &Op| op.kind == Kind::Flush && op.result.is_some();
            if !self.ops.get(index).is_some_and(waits) {
                return false; // told with another one of its file
            }
            if !self.is_over(index) {
                return true;
            }
            match self.ops.get(index).and_then(|op| op.file) {
                Some(number) => self.tell(number),
                None => self.tell_one(index),
            }
            false
        });
        self.waiting = waiting;
    }

    /// Tells the tenant of a file's operations, in their order.
    fn tell(&mut self, number: u32) {
        while let Some(file) = self.files.get(number)
            && let Some(&index) = file.told.front()
            && self.is_over(index)
        {
            if let Some(file) = self.files.get_mut(number) {
                file.told.pop_front();
            }
            self.tell_one(index);
        }
    }

    fn tell_one(&mut self, index: u32) {
        let Some(op) = self.ops.remove(index) else { return };
        let result = op.result.unwrap_or(Err(DiskError::Invalid));
        if op.kind == Kind::Flush && op.seq.is_some_and(|seq| seq <= self.stream.acked()) {
            self.counts.flushes_mirrored += 1;
        }
        if op.kind == (Kind::Close { last: true })
            && let Some(number) = op.file
        {
            self.files.closed(number);
        }
        self.done.push_back((op.token, result));
    }

    pub(crate) fn release_held(&mut self, cx: &mut Cx) {
        for _ in 0..self.held.len() {
            let Some((token, op)) = self.held.pop_front() else { return };
            self.submit_name(cx, token, op);
        }
    }

    /// Sends what may leave.
    pub(crate) fn pump(&mut self, cx: &mut Cx) {
        let Peer::Follows { conn, .. } = self.peer else { return };
        let ops = &mut self.ops;
        self.stream.pump(cx, conn, |index, seq| {
            if let Some(op) = ops.get_mut(index) {
                op.seq = Some(seq);
            }
        });
        self.broken |= self.stream.overflows();
    }

    // ---- the other half ------------------------------------------------------------------------

    /// The other half follows: everything is sent to it from here on.
    pub(crate) fn follows(&mut self, cx: &mut Cx, conn: Conn, life: u64) {
        assert!(self.alone, "a half that is overwritten was left behind first");
        let quick = self.bitmap_life.take() == Some(life);
        let bitmap = core::mem::take(&mut self.bitmap);
        self.peer = Peer::Follows { conn, life, phase: Phase::Resync };
        self.stream.begin();
        self.begin_resync(cx, quick.then_some(bitmap));
    }

    /// It is equal now.
    pub(crate) fn equal(&mut self) {
        let Peer::Follows { conn, life, .. } = self.peer else { return };
        self.peer = Peer::Follows { conn, life, phase: Phase::Equal };
        self.alone = false; // already so, unless it was too early
        // Flushes that began before the resync: it has brought their bytes over and flushed them.
        for op in self.ops.iter_mut().filter(|op| op.kind == Kind::Flush && !op.streamed) {
            op.seq = Some(0);
        }
        self.settle();
    }

    /// Its connection is gone.
    pub(crate) fn lost(&mut self, cx: &mut Cx) {
        if let Peer::Follows { life, phase, .. } = self.peer {
            self.counts.peer_lost += 1;
            self.bitmap.clear();
            self.bitmap_life = None;
            self.stream.lose(&mut self.bitmap);
            match phase {
                Phase::Equal => self.bitmap_life = Some(life),
                Phase::Resync | Phase::Joining => self.bitmap.clear(),
            }
        }
        self.peer = Peer::Away;
        self.broken = false;
        self.alone |= self.bug == Some(Bug::NoBehindMark);
        for op in self.ops.iter_mut() {
            (op.places, op.seq, op.streamed) = (None, None, false);
        }
        self.end_resync(cx);
        self.settle();
        self.release_held(cx);
    }

    /// A number up to which the other half has everything. False if it makes no sense.
    pub(crate) fn acked(&mut self, seq: u64) -> bool {
        let sane = self.stream.ack(seq);
        self.settle();
        sane
    }

    /// It is recorded that the other half was left behind.
    pub(crate) fn left_behind(&mut self) {
        self.alone = true;
        self.settle();
    }

    /// Whether a flush has waited for the other half too long.
    pub(crate) fn is_stuck(&self, now: Time, patience: Duration) -> bool {
        let flush = |&index: &u32| self.ops.get(index);
        let mut waiting = self.waiting.iter().filter_map(flush);
        waiting.any(|op| op.result.is_some() && now.since(op.done_at) > patience)
    }

    pub(crate) fn invariants(&self) {
        self.files.invariants();
        self.stream.invariants();
        let names = self.ops.iter().filter(|op| op.kind.on_names() && op.result.is_none());
        assert_eq!(names.count(), self.names_running as usize, "changes of names are counted");
        assert!(self.phase() != Some(Phase::Equal) || !self.alone, "an equal half is not behind");
    }
}
