//! The active half's side of the mirror: the tenant's operations, on this disk and the other.
//!
//! Operations complete when this disk has carried them out; flushes, when both disks have, or when
//! it is recorded that the other half was left behind.

use crate::blocks::Bitmap;
use crate::config::Bug;
use crate::files::Files;
use crate::ops::{Kind, OPS_MAX, Op, Ops};
use crate::resync::Resync;
use crate::stream::Stream;
use bytes::Bytes;
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
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
    pub(crate) base: u64,
    pub(crate) files: Files,
    pub(crate) ops: Ops,
    pub(crate) stream: Stream,
    pub(crate) peer: Peer,
    /// It is recorded, here and at the witness, that the other half is behind; not so from the
    /// moment when it might have everything.
    pub(crate) alone: bool,
    pub(crate) bitmap: Bitmap,
    /// The process of the other half that has everything but what the bitmap says.
    pub(crate) bitmap_life: Option<u64>,
    pub(crate) resync: Option<Resync>,
    /// Operations on names that wait for a resync's list of names.
    pub(crate) held: VecDeque<(Token, DiskOp)>,
    pub(crate) opening: BTreeSet<Bytes>,
    pub(crate) names_running: u32,
    /// Flushes that this disk has done and the other has not.
    waiting: Vec<u32>,
    pub(crate) done: VecDeque<(Token, DiskResult)>,
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
    pub(crate) fn tell(&mut self, number: u32) {
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
