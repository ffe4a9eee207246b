//! A machine that owns a journal and does with it what a test says.

use crate::lying::{Lie, Lying};
use std::collections::VecDeque;
use storytime_journal::{
    AppendError, Journal, JournalEvent, JournalOptions, Lsn, ReadError, Recovery, Refusal,
};
use storytime_machine::{Boot, Bytes, Cx, DiskResult, Exit, Machine, Token};

/// What happened to the journal, as its owner knows it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) records: Vec<(Lsn, Bytes)>,
    pub(crate) ready: Option<Recovery>,
    pub(crate) refused: Option<Refusal>,
    pub(crate) failed: Option<&'static str>,
    pub(crate) durable: Lsn,
    pub(crate) appended: Vec<Result<Lsn, AppendError>>,
    pub(crate) read: Option<Result<Vec<(Lsn, Bytes)>, ReadError>>,
    pub(crate) checkpointed: Option<Lsn>,
    pub(crate) checkpoint_failed: Option<Lsn>,
    pub(crate) events: Vec<JournalEvent>,
}

#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) journal: Journal,
    pub(crate) io: Lying,
    pub(crate) seen: Seen,
    /// Pieces of a checkpoint under way, to be given; then it ends.
    giving: Option<VecDeque<Bytes>>,
}

impl Owner {
    pub(crate) fn new(options: JournalOptions, lie: Lie) -> Self {
        Self {
            journal: Journal::new(options, Token(1 << 20)),
            io: Lying::new(lie),
            seen: Seen::default(),
            giving: None,
        }
    }

    pub(crate) fn append(&mut self, cx: &mut Cx, records: &[Bytes]) {
        for record in records {
            self.seen.appended.push(self.journal.append(record));
        }
        self.journal.commit(cx, &mut self.io);
        self.drain(cx);
    }

    pub(crate) fn checkpoint(&mut self, cx: &mut Cx, at: Lsn, pieces: &[Bytes]) {
        self.seen.checkpointed = None;
        self.giving = Some(pieces.to_vec().into());
        self.journal.begin_checkpoint(cx, &mut self.io, at);
        self.drain(cx);
    }

    pub(crate) fn reset(&mut self, cx: &mut Cx, at: Lsn, pieces: &[Bytes]) {
        self.seen.checkpointed = None;
        self.giving = Some(pieces.to_vec().into());
        self.journal.reset(cx, &mut self.io, at);
        self.drain(cx);
    }

    pub(crate) fn read(&mut self, cx: &mut Cx, from: Lsn, bytes_max: usize) {
        self.seen.read = None;
        self.journal.read(cx, &mut self.io, from, bytes_max);
        self.drain(cx);
    }

    pub(crate) fn commit(&mut self, cx: &mut Cx) {
        self.journal.commit(cx, &mut self.io);
        self.drain(cx);
    }

    fn give(&mut self, cx: &mut Cx) {
        while let Some(pieces) = &mut self.giving
            && self.journal.wants_checkpoint_piece()
        {
            match pieces.pop_front() {
                Some(piece) => self.journal.checkpoint_piece(cx, &mut self.io, &piece),
                None => {
                    self.giving = None;
                    self.journal.end_checkpoint(cx, &mut self.io);
                }
            }
        }
    }

    fn drain(&mut self, cx: &mut Cx) {
        self.give(cx);
        while let Some(event) = self.journal.next_event() {
            match event.clone() {
                JournalEvent::Checkpoint(piece) => self.seen.pieces.push(piece),
                JournalEvent::Record(lsn, bytes) => self.seen.records.push((lsn, bytes)),
                JournalEvent::Ready(recovery) => {
                    self.seen.ready = Some(recovery);
                    self.seen.durable = recovery.last;
                }
                JournalEvent::Refused(refusal) => {
                    self.seen.refused = Some(refusal);
                    cx.exit(Exit::Failed("refused"));
                }
                JournalEvent::Durable(lsn) => self.seen.durable = lsn,
                JournalEvent::Checkpointed(at) => self.seen.checkpointed = Some(at),
                JournalEvent::CheckpointFailed(at) => self.seen.checkpoint_failed = Some(at),
                JournalEvent::Records(records) => self.seen.read = Some(Ok(records)),
                JournalEvent::ReadFailed(error) => self.seen.read = Some(Err(error)),
                JournalEvent::Failed(why) => {
                    self.seen.failed = Some(why);
                    cx.exit(Exit::Failed(why));
                }
                JournalEvent::Full | JournalEvent::Space => {}
            }
            self.seen.events.push(event);
        }
    }
}

impl Machine for Owner {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.journal.open(cx, &mut self.io);
        self.drain(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        let result = self.io.completed(op, result);
        assert!(self.journal.on_disk(cx, &mut self.io, op, result), "nobody else asks");
        self.commit(cx);
    }

    fn invariants(&self) {
        self.journal.invariants();
    }
}
