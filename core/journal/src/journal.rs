//! The journal: its state, and where completions go.

use crate::checkpoint::{Checkpointing, WaitingReset};
use crate::making::Active;
use crate::read::Reader;
use crate::recover::Recovering;
use crate::segments::Segments;
use crate::writer::Writer;
use crate::{JOURNAL_TOKENS, JournalEvent, JournalOptions, Lsn, Storage};
use bytes::Bytes;
use std::collections::VecDeque;
use storytime_machine::{Cx, DiskResult, Token};

/// A durable log.
#[derive(Debug)]
pub struct Journal {
    pub(crate) options: JournalOptions,
    base: Token,
    pub(crate) state: State,
    pub(crate) events: VecDeque<JournalEvent>,
    /// Counts resets.
    pub(crate) epoch: u32,
    pub(crate) segments: Segments,
    pub(crate) active: Option<Active>,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    /// The records that the kept checkpoints stand at, in order. Record 0 stands for the beginning,
    /// which needs no file.
    pub(crate) checkpoints: Vec<Lsn>,
    pub(crate) checkpointing: Option<Checkpointing>,
    /// A reset that waits for the end of a checkpoint.
    pub(crate) waiting_reset: Option<WaitingReset>,
    /// Zeros for reserves.
    pub(crate) zeros: Bytes,
}

/// What the journal is doing.
#[derive(Debug)]
pub(crate) enum State {
    /// Not opened.
    Closed,
    /// Finding out what is there.
    Recovering(Box<Recovering>),
    /// Taking records.
    Open,
    /// Taking the checkpoint that another history begins with.
    Resetting,
    /// Recovery refused, or the disk failed. Completions are ignored.
    Ended,
}

/// What a token is for. Several operations on one file may share one: they complete in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    Recovery,
    Segment,
    Write,
    Reserve,
    Sync,
    Cut,
    Read,
    /// The file of a checkpoint.
    Checkpoint,
    /// The name of a checkpoint.
    CheckpointName,
    Ignored,
}

impl Tokens {
    const ALL: [Self; 10] = [
        Self::Recovery,
        Self::Segment,
        Self::Write,
        Self::Reserve,
        Self::Sync,
        Self::Cut,
        Self::Read,
        Self::Checkpoint,
        Self::CheckpointName,
        Self::Ignored,
    ];
}

const _: () = assert!(Tokens::ALL.len() as u64 <= JOURNAL_TOKENS);

impl Journal {
    /// A journal that is not open yet; its tokens are [`JOURNAL_TOKENS`] consecutive ones from
    /// `base`.
    ///
    /// # Panics
    /// If the options make no sense: see [`JournalOptions::assert_valid`].
    pub fn new(options: JournalOptions, base: Token) -> Self {
        options.assert_valid();
        Self {
            zeros: Bytes::from(vec![0; options.reserve_bytes]),
            options,
            base,
            state: State::Closed,
            events: VecDeque::new(),
            epoch: 0,
            segments: Segments::default(),
            active: None,
            writer: Writer::new(),
            reader: Reader::default(),
            checkpoints: Vec::new(),
            checkpointing: None,
            waiting_reset: None,
        }
    }

    /// Begins recovery: `Checkpoint`s, `Record`s, then `Ready` or `Refused`. Drain
    /// [`next_event`](Self::next_event) after each completion: a read's worth of records is told at
    /// a time.
    ///
    /// # Panics
    /// If it was opened before.
    pub fn open(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        assert!(matches!(self.state, State::Closed), "a journal is opened once");
        self.begin_recovery(cx, io);
    }

    pub(crate) const fn token(&self, what: Tokens) -> Token {
        Token(self.base.0 + what as u64)
    }

    /// Whether a disk token is the journal's.
    pub const fn owns(&self, token: Token) -> bool {
        token.0 >= self.base.0 && token.0 - self.base.0 < JOURNAL_TOKENS
    }

    /// A disk operation of the journal's completed. True if it was the journal's.
    pub fn on_disk(
        &mut self,
        cx: &mut Cx,
        io: &mut dyn Storage,
        token: Token,
        result: DiskResult,
    ) -> bool {
        if !self.owns(token) {
            return false;
        }
        let what = Tokens::ALL.get((token.0 - self.base.0) as usize).copied();
        if matches!(self.state, State::Ended) {
            return true;
        }
        match what {
            Some(Tokens::Recovery) => self.on_recovery(cx, io, result),
            Some(Tokens::Segment) => self.on_segment(cx, io, result),
            Some(Tokens::Write) => self.on_written(&result, true),
            Some(Tokens::Reserve) => self.on_written(&result, false),
            Some(Tokens::Sync) => self.on_synced(cx, io, &result),
            Some(Tokens::Cut) => self.on_cut(cx, io, &result),
            Some(Tokens::Read) => self.on_read(cx, io, result),
            Some(Tokens::Checkpoint) => self.on_checkpoint(cx, io, result),
            Some(Tokens::CheckpointName) => self.on_checkpoint_name(cx, io, &result),
            // A trim, close or removal that fails costs room and nothing else.
            Some(Tokens::Ignored) => self.look_again(cx, io),
            None => {}
        }
        true
    }

    /// What happened, in order.
    pub fn next_event(&mut self) -> Option<JournalEvent> {
        self.events.pop_front()
    }

    pub(crate) const fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The disk failed: nothing after the last `Durable` may be trusted.
    pub(crate) fn fail(&mut self, why: &'static str) {
        self.state = State::Ended;
        self.events.push_back(JournalEvent::Failed(why));
    }

    /// The oldest record that can be read; one more than the newest if there is none.
    pub fn oldest(&self) -> Lsn {
        self.segments.oldest()
    }

    /// The newest record that is durable.
    pub const fn durable(&self) -> Lsn {
        self.writer.durable
    }

    /// The newest record appended.
    pub const fn last(&self) -> Lsn {
        self.writer.last
    }

    /// Bytes appended and not yet durable.
    pub const fn pending_bytes(&self) -> usize {
        self.writer.pending_bytes
    }

    /// Whether the disk is full, so that `append` refuses.
    pub const fn is_full(&self) -> bool {
        self.writer.full
    }

    /// Whether records that were appended found no room and wait for it: until there is some, they
    /// do not become durable.
    pub fn waits_for_space(&self) -> bool {
        self.writer.is_parked()
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        assert!(self.writer.durable <= self.writer.last, "durable records were appended");
        let all_durable = self.writer.durable == self.writer.last;
        let open = matches!(self.state, State::Open);
        assert!(!open || all_durable == (self.writer.pending_bytes == 0), "pending is accounted");
        if let Some(active) = self.active {
            assert!(active.sealed <= active.end, "a segment does not shrink below its head");
            assert!(active.end <= active.reserved, "batches are within what was reserved");
        }
    }
}
