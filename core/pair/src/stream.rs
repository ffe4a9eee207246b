//! What the active half sends, in the order in which it was asked for.
//!
//! A change takes its place in the queue when it is asked for and leaves it when the own disk has
//! carried it out: one that failed here is not sent. Flushes leave when they come to the front, so
//! that both disks flush at the same time. Reads for a resync take their place, too: what was read
//! is sent between exactly those changes between which it was read.

use crate::blocks::Bitmap;
use crate::wire::{self, Op};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use storytime_machine::{Conn, Cx};

/// Most bytes sent and not acknowledged.
pub(crate) const WINDOW_BYTES_MAX: usize = 2 << 20;
/// Most bytes that wait to be sent; a half that is so far behind is given up.
pub(crate) const QUEUE_BYTES_MAX: usize = 256 << 20;

/// What a lost change leaves to be sent later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Nothing,
    /// Part of a file.
    Range {
        path: Bytes,
        from: u64,
        to: u64,
    },
    /// A name that stands for something new.
    All(Bytes),
}

/// Where a change stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// The own disk has not carried it out.
    Await(Op),
    /// The own disk reads it.
    AwaitRead,
    /// It may leave.
    Ready(Op),
    /// It did not happen.
    Dropped,
}

#[derive(Debug)]
struct Entry {
    body: Body,
    mark: Mark,
    /// The operation that wants to know the number that it is sent under.
    asker: Option<u32>,
}

/// A check that was sent: the block.
pub(crate) type Block = (u32, u64);

/// The queue, and what was sent.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    entries: VecDeque<Entry>,
    /// Place of the first entry.
    first: u64,
    queue_bytes: usize,
    seq: u64,
    acked: u64,
    unacked: VecDeque<(u64, usize, Mark)>,
    unacked_bytes: usize,
    checks: BTreeMap<u64, Block>,
    /// Where frames are put together, kept for its memory.
    scratch: BytesMut,
}

impl Stream {
    /// A connection begins.
    pub(crate) fn begin(&mut self) {
        let place = self.first + self.entries.len() as u64;
        let scratch = core::mem::take(&mut self.scratch);
        *self = Self { first: place, scratch, ..Self::default() };
    }

    /// Puts a change at the end; its place.
    pub(crate) fn push(&mut self, body: Body, mark: Mark, asker: Option<u32>) -> u64 {
        if let Body::Await(op) | Body::Ready(op) = &body {
            self.queue_bytes += op.bytes();
        }
        self.entries.push_back(Entry { body, mark, asker });
        self.first + self.entries.len() as u64 - 1
    }

    /// The own disk has carried the change at a place out, or has not.
    pub(crate) fn settle(&mut self, place: u64, happened: bool) {
        let Some(entry) = self.entry(place) else { return };
        let body = core::mem::replace(&mut entry.body, Body::Dropped);
        let bytes = match body {
            Body::Await(op) if happened => {
                entry.body = Body::Ready(op);
                0
            }
            Body::Await(op) | Body::Ready(op) => op.bytes(),
            Body::AwaitRead | Body::Dropped => 0,
        };
        self.queue_bytes -= bytes;
    }

    /// The read at a place came back.
    pub(crate) fn fill(&mut self, place: u64, op: Op) {
        let bytes = op.bytes();
        if let Some(entry) = self.entry(place) {
            entry.body = Body::Ready(op);
            self.queue_bytes += bytes;
        }
    }

    fn entry(&mut self, place: u64) -> Option<&mut Entry> {
        self.entries.get_mut(usize::try_from(place.checked_sub(self.first)?).ok()?)
    }

    /// Sends what may leave; calls `sent` with each asker and the number.
    pub(crate) fn pump(&mut self, cx: &mut Cx, conn: Conn, mut sent: impl FnMut(u32, u64)) {
        let Some(tx) = cx.tx(conn) else { return };
        while self.unacked_bytes < WINDOW_BYTES_MAX
            && let Some(entry) = self.entries.front()
            && !matches!(entry.body, Body::Await(_) | Body::AwaitRead)
        {
            let Entry { body, mark, asker } = self.entries.pop_front().expect("it is there");
            self.first += 1;
            let Body::Ready(op) = body else { continue };
            self.seq += 1;
            let seq = self.seq;
            self.queue_bytes -= op.bytes();
            self.unacked_bytes += op.bytes();
            self.unacked.push_back((seq, op.bytes(), mark));
            if let Op::Check { file, at, .. } = op {
                self.checks.insert(seq, (file, at));
            }
            if let Some(asker) = asker {
                sent(asker, seq);
            }
            self.scratch.clear();
            wire::put_head(&mut self.scratch, seq, &op);
            tx.put(&self.scratch);
            if let Op::Write { data, .. } = op {
                tx.push(data);
            }
        }
    }

    /// The other half has carried out everything up to `seq`. False if it was never sent.
    pub(crate) fn ack(&mut self, seq: u64) -> bool {
        if seq > self.seq {
            return false;
        }
        self.acked = self.acked.max(seq);
        while let Some(&(first, bytes, _)) = self.unacked.front()
            && first <= seq
        {
            self.unacked_bytes -= bytes;
            self.unacked.pop_front();
        }
        true
    }

    /// The block that a check was about.
    pub(crate) fn checked(&mut self, seq: u64) -> Option<Block> {
        self.checks.remove(&seq)
    }

    pub(crate) const fn acked(&self) -> u64 {
        self.acked
    }

    /// Bytes that wait to be sent.
    pub(crate) const fn queued_bytes(&self) -> usize {
        self.queue_bytes
    }

    pub(crate) const fn overflows(&self) -> bool {
        self.queue_bytes > QUEUE_BYTES_MAX
    }

    /// The connection is gone: what the other half may not have is marked.
    pub(crate) fn lose(&mut self, bitmap: &mut Bitmap) {
        let sent = self.unacked.iter().map(|(_, _, mark)| mark);
        for mark in sent.chain(self.entries.iter().map(|entry| &entry.mark)) {
            match mark {
                Mark::Nothing => {}
                Mark::Range { path, from, to } => bitmap.mark(path, *from, *to),
                Mark::All(path) => bitmap.mark_all(path),
            }
        }
        self.begin();
    }

    pub(crate) fn invariants(&self) {
        assert!(self.acked <= self.seq, "only what was sent is acknowledged");
        let sum: usize = self.unacked.iter().map(|(_, bytes, _)| bytes).sum();
        assert_eq!(sum, self.unacked_bytes, "what is not acknowledged is accounted for");
    }
}
