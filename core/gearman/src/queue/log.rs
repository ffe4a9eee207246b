//! The journal of a job server: records in, tickets out, checkpoints.

use super::record::{JOB_BYTES_MAX, NotARecord, RECORD_BYTES_MAX, Record, kept_bytes_max};
use crate::config::{Alone, Config};
use crate::engine::{Cursor, Engine, Kept, Number, Out, Refusal, Ticket};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_journal::{AppendError, JOURNAL_TOKENS, Journal, JournalEvent, JournalOptions};
use storytime_machine::{Cx, DiskResult, Token};
use storytime_pair::{Mirror, Pair, Storages};

/// The journal's tokens of disk operations begin here.
const JOURNAL_BASE: Token = Token(1 << 48);
const _: () = assert!(JOURNAL_BASE.0.checked_add(JOURNAL_TOKENS).is_some());

/// Numbers of jobs are taken from the journal so many at a time.
const NUMBERS_TAKEN: u64 = 1 << 16;
/// More are taken when no more than this are left, so that nobody waits for it.
const NUMBERS_LOW: u64 = NUMBERS_TAKEN / 2;
/// Most bytes of records that are not durable yet; more jobs are refused.
const PENDING_BYTES_MAX: usize = 64 << 20;
/// Room beside that for records that nobody refuses: numbers, and that a job is over.
const PENDING_SLACK_BYTES: usize = 1 << 20;
/// Shortest and longest segment of the journal, bytes.
const SEGMENT_BYTES_MIN: u64 = 16 << 10;
const SEGMENT_BYTES_MAX: u64 = 64 << 20;
/// A piece of a checkpoint is closed when it has so many bytes.
const PIECE_BYTES: usize = 256 << 10;
const _: () = assert!(PIECE_BYTES + RECORD_BYTES_MAX <= storytime_journal::PIECE_BYTES_MAX);

/// Where a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none.
    Idle,
    /// Pieces are being written, from here on.
    Pieces(Cursor),
    /// The journal makes it durable.
    AwaitDurable,
}

/// What happened in the journal, for the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Recovery is over.
    Ready,
    /// Up to here records are durable.
    Durable(Ticket),
    /// Recovery refuses: why, in words.
    Refused(String),
    /// The disk failed.
    Failed(&'static str),
}

/// The journal of a job server.
#[derive(Debug)]
pub(crate) struct Log {
    journal: Journal,
    dir: Bytes,
    io: Storages,
    /// Whether a relay's jobs may be on one disk alone.
    alone: Alone,
    /// Records up to here are durable here, and wait for the other disk.
    one_sided: Option<Ticket>,
    /// Numbers below this one are taken.
    taken: u64,
    /// Jobs that are over, and of which the journal could not be told yet. No more than there are
    /// jobs in it.
    untold: VecDeque<Number>,
    phase: Phase,
    /// Bytes of records behind the last checkpoint. When there are as many as the checkpoint has,
    /// and at least `least_bytes`, it is time for the next one.
    uncovered_bytes: u64,
    least_bytes: u64,
    /// Bytes of the last checkpoint, or of the one under way.
    checkpoint_bytes: u64,
    checkpoints: u64,
    scratch: BytesMut,
}

impl Log {
    /// A journal in this folder, which is not open yet.
    pub(crate) fn new(dir: &str, config: &Config) -> Self {
        let dir = Bytes::copy_from_slice(dir.trim_start_matches('/').as_bytes());
        let options = JournalOptions {
            reserve_bytes: config.reserve_bytes,
            // A checkpoint leaves some segments behind, and cuts whole ones.
            segment_bytes: (config.checkpoint_bytes / 4)
                .clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
            dir: dir.clone(),
            record_bytes_max: RECORD_BYTES_MAX,
            pending_bytes_max: PENDING_BYTES_MAX,
            ..JournalOptions::default()
        };
        Self {
            journal: Journal::new(options, JOURNAL_BASE),
            dir,
            io: Storages::Own,
            alone: config.relay.as_ref().map(|relay| relay.alone).unwrap_or_default(),
            one_sided: None,
            taken: 0,
            untold: VecDeque::new(),
            phase: Phase::Idle,
            uncovered_bytes: 0,
            least_bytes: config.checkpoint_bytes,
            checkpoint_bytes: 0,
            checkpoints: 0,
            scratch: BytesMut::new(),
        }
    }

    /// The journal's folder.
    pub(crate) const fn dir(&self) -> &Bytes {
        &self.dir
    }

    /// Where disk operations go. Before it is opened.
    pub(crate) fn set_storage(&mut self, storage: Storages) {
        assert_eq!(self.journal.last().0, 0, "a journal stays where it was opened");
        self.io = storage;
    }

    /// This half of a pair, if the queue is on one.
    pub(crate) fn pair(&mut self) -> Option<&mut Pair> {
        self.io.pair()
    }

    /// The same, to look at.
    pub(crate) fn look_pair(&self) -> Option<&Pair> {
        self.io.look()
    }

    /// Whether what is durable is so wherever it has to be.
    fn is_where_it_has_to_be(&self) -> bool {
        let equal = || self.io.look().is_none_or(|pair| pair.mirror() == Mirror::Equal);
        self.alone == Alone::Accept || equal()
    }

    pub(crate) fn open(&mut self, cx: &mut Cx) {
        self.journal.open(cx, &mut self.io);
    }

    /// Remembers a job.
    pub(crate) fn keep(&mut self, job: &Kept<'_>) -> Result<Ticket, Refusal> {
        const LONG: &str = "the job is too long for the durable queue: 4 MiB at most";
        const FULL: &str = "the disk of the durable queue is full";
        const ALONE: &str = "the other job server has not got everything, try again";
        const BUSY: &str = "the disk of the durable queue is behind, try again";
        if !self.is_where_it_has_to_be() {
            return Err(Refusal::QueueBusy(ALONE));
        }
        if kept_bytes_max(job) > JOB_BYTES_MAX {
            return Err(Refusal::QueueBusy(LONG));
        }
        let room = PENDING_BYTES_MAX - PENDING_SLACK_BYTES - RECORD_BYTES_MAX;
        if self.journal.pending_bytes() > room {
            return Err(Refusal::QueueBusy(BUSY));
        }
        self.append(&Record::Kept(*job)).map(Ticket).map_err(|why| match why {
            AppendError::Full => Refusal::QueueBusy(FULL),
            AppendError::Busy | AppendError::NotReady => Refusal::QueueBusy(BUSY),
            AppendError::TooLong => Refusal::QueueBusy(LONG),
        })
    }

    /// A job need not be remembered any more.
    pub(crate) fn forget(&mut self, number: Number) {
        if !self.untold.is_empty() || self.append(&Record::Ended(number)).is_err() {
            self.untold.push_back(number);
        }
    }

    fn append(&mut self, record: &Record<'_>) -> Result<u64, AppendError> {
        self.scratch.clear();
        record.write(&mut self.scratch);
        let lsn = self.journal.append(&self.scratch)?;
        self.uncovered_bytes += self.scratch.len() as u64;
        Ok(lsn.0)
    }

    /// What ends every callback: numbers for the next jobs, a checkpoint if it is time, and
    /// everything on its way to the disk.
    pub(crate) fn commit(&mut self, cx: &mut Cx, engine: &Engine) {
        while let Some(&number) = self.untold.front() {
            if self.append(&Record::Ended(number)).is_err() {
                break;
            }
            self.untold.pop_front();
        }
        let next = engine.next_number().0;
        if next + NUMBERS_LOW > self.taken {
            let taken = next + NUMBERS_TAKEN;
            // On a full disk no new job is taken either.
            if self.append(&Record::Numbers(taken)).is_ok() {
                self.taken = taken;
            }
        }
        self.checkpoint(cx, engine);
        self.journal.commit(cx, &mut self.io);
    }

    fn checkpoint(&mut self, cx: &mut Cx, engine: &Engine) {
        if self.phase == Phase::Idle
            && self.uncovered_bytes > self.checkpoint_bytes.max(self.least_bytes)
        {
            let last = self.journal.last();
            self.journal.begin_checkpoint(cx, &mut self.io, last);
            self.phase = Phase::Pieces(Cursor::Start);
            (self.uncovered_bytes, self.checkpoint_bytes) = (0, 0);
            self.scratch.clear();
            Record::Numbers(self.taken).write(&mut self.scratch);
            self.piece(cx);
        }
        while let Phase::Pieces(from) = self.phase
            && self.journal.wants_checkpoint_piece()
        {
            self.scratch.clear();
            let mut cursor = Some(from);
            while let Some(from) = cursor
                && self.scratch.len() < PIECE_BYTES
            {
                let out = &mut self.scratch;
                cursor = engine.each_kept(from, 1, &mut |job| Record::Kept(job).write(out));
            }
            self.piece(cx);
            self.phase = match cursor {
                Some(from) => Phase::Pieces(from),
                None => {
                    self.journal.end_checkpoint(cx, &mut self.io);
                    Phase::AwaitDurable
                }
            };
        }
    }

    fn piece(&mut self, cx: &mut Cx) {
        self.checkpoint_bytes += self.scratch.len() as u64;
        self.journal.checkpoint_piece(cx, &mut self.io, &self.scratch);
    }

    /// A disk operation completed. True if it was the journal's.
    pub(crate) fn on_disk(&mut self, cx: &mut Cx, token: Token, result: DiskResult) -> bool {
        self.journal.on_disk(cx, &mut self.io, token, result)
    }

    /// What happened; in recovery the engine gets its jobs back on the way.
    pub(crate) fn next(&mut self, engine: &mut Engine) -> Option<Progress> {
        const FOREIGN: &str = "the journal of the queue was written by another program";
        if self.one_sided.is_some() && self.is_where_it_has_to_be() {
            return self.one_sided.take().map(Progress::Durable);
        }
        while let Some(event) = self.journal.next_event() {
            match event {
                JournalEvent::Checkpoint(piece) => {
                    self.checkpoint_bytes += piece.len() as u64;
                    if self.restore(engine, &piece).is_err() {
                        return Some(Progress::Failed(FOREIGN));
                    }
                }
                JournalEvent::Record(_, record) => {
                    self.uncovered_bytes += record.len() as u64;
                    if self.restore(engine, &record).is_err() {
                        return Some(Progress::Failed(FOREIGN));
                    }
                }
                JournalEvent::Ready(_) => return Some(Progress::Ready),
                JournalEvent::Refused(refusal) => {
                    return Some(Progress::Refused(refusal.to_string()));
                }
                JournalEvent::Durable(lsn) if self.is_where_it_has_to_be() => {
                    return Some(Progress::Durable(Ticket(lsn.0)));
                }
                JournalEvent::Durable(lsn) => self.one_sided = Some(Ticket(lsn.0)),
                JournalEvent::Checkpointed(_) => {
                    self.checkpoints += 1;
                    self.phase = Phase::Idle;
                }
                // It is tried again when as much has been written once more.
                JournalEvent::CheckpointFailed(_) => self.phase = Phase::Idle,
                JournalEvent::Failed(why) => return Some(Progress::Failed(why)),
                // New jobs find out by themselves; nothing is read.
                JournalEvent::Full
                | JournalEvent::Space
                | JournalEvent::Records(_)
                | JournalEvent::ReadFailed(_) => {}
            }
        }
        None
    }

    fn restore(&mut self, engine: &mut Engine, mut from: &[u8]) -> Result<(), NotARecord> {
        while !from.is_empty() {
            match Record::read(&mut from)? {
                Record::Kept(job) => engine.restore(job),
                Record::Ended(number) => engine.restore_forgotten(number),
                Record::Numbers(taken) => self.taken = self.taken.max(taken),
            }
        }
        Ok(())
    }

    /// Recovery is over: jobs go into their queues, and numbers go on above all that were taken.
    pub(crate) fn begin(&self, engine: &mut Engine, out: &mut impl Out) {
        engine.restore_numbers(Number(self.taken));
        engine.restored(out);
    }

    pub(crate) fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("queue_full", u64::from(self.journal.is_full()));
        each("queue_pending_bytes", self.journal.pending_bytes() as u64);
        each("queue_records", self.journal.last().0);
        each("queue_checkpoints", self.checkpoints);
        each("queue_untold", self.untold.len() as u64);
        if let Some(pair) = self.io.look() {
            pair.counters(each);
        }
    }

    pub(crate) fn invariants(&self) {
        self.journal.invariants();
        if let Some(pair) = self.io.look() {
            pair.invariants();
        }
    }
}
