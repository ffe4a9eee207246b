//! Appending and group commit: one batch is on its way at a time.
//!
//! Because the next batch is written only after the last one's sync, at most one batch on the disk
//! is not acknowledged. That is what lets recovery tell a torn tail from damage.

use crate::format::{self, BATCH_HEADER_BYTES, Header, Name, RECORD_HEADER_BYTES, padded};
use crate::journal::{Journal, State, Tokens};
use crate::making::{Active, Made, Making};
use crate::options::Mistake;
use crate::{AppendError, JournalEvent, Lsn, Storage};
use bytes::{BufMut as _, Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{Cx, DiskError, DiskOp, DiskResult, Time};

/// Buffers kept for later batches.
const SPARES_MAX: usize = 2;
/// Longest buffer that is kept, bytes.
const SPARE_BYTES_MAX: usize = 1 << 20;

/// Records that will be one batch; its header is not filled in yet.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: BytesMut,
    first: Lsn,
    count: u32,
}

/// What the writer waits for.
#[derive(Debug, Default)]
pub(crate) enum Writing {
    /// Records.
    #[default]
    Idle,
    /// The sync behind a batch, or behind zeros alone.
    Sync(Outcome),
    /// The cut that takes off what found no room; whether the batch fits without it.
    Cut(bool),
    /// Space for the batch in flight.
    Space,
    /// A new segment.
    Segment(Box<Making>),
}

/// What came of the operations before a sync.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Zeros go up to here if they found room.
    reserve: Option<u64>,
    no_room: bool,
    no_reserve: bool,
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) struct InFlight {
    bytes: Bytes,
    first: Lsn,
    count: u32,
    /// Of `Writer::pending_bytes`.
    pending: usize,
}

impl InFlight {
    const fn last(&self) -> Lsn {
        Lsn(self.first.0 + self.count as u64 - 1)
    }
}

/// Everything between `append` and `Durable`.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) writing: Writing,
    batches: VecDeque<Batch>,
    in_flight: Option<InFlight>,
    spares: Vec<BytesMut>,
    /// Bytes of records, with their headers, that are not durable.
    pub(crate) pending_bytes: usize,
    pub(crate) last: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) full: bool,
    /// When space was last looked for.
    pub(crate) looked_at: Time,
}

impl Writer {
    pub(crate) const fn new() -> Self {
        Self {
            writing: Writing::Idle,
            batches: VecDeque::new(),
            in_flight: None,
            spares: Vec::new(),
            pending_bytes: 0,
            last: Lsn(0),
            durable: Lsn(0),
            full: false,
            looked_at: Time::ZERO,
        }
    }

    /// Begins behind `last`, with nothing appended.
    pub(crate) fn begin_behind(&mut self, last: Lsn) {
        self.batches.clear();
        (self.in_flight, self.pending_bytes) = (None, 0);
        (self.last, self.durable) = (last, last);
    }

    /// Whether the batch that is next waits for the disk to have room.
    pub(crate) fn is_parked(&self) -> bool {
        match &self.writing {
            Writing::Space => true,
            Writing::Segment(making) => making.is_parked(),
            _ => false,
        }
    }

    /// Drops what is not on its way.
    pub(crate) fn drop_waiting(&mut self) {
        self.batches.clear();
        if self.is_parked() {
            (self.writing, self.in_flight) = (Writing::Idle, None);
        }
        let sent = self.in_flight.as_ref();
        self.pending_bytes = sent.map_or(0, |batch| batch.pending);
        self.last = sent.map_or(self.durable, InFlight::last);
    }

    fn push(&mut self, record: &[u8], batch_bytes_max: usize) {
        let framed = RECORD_HEADER_BYTES + record.len();
        self.last = Lsn(self.last.0 + 1);
        let fits = |batch: &Batch| batch.bytes.len() + framed <= batch_bytes_max;
        if !self.batches.back().is_some_and(fits) {
            let mut bytes = self.spares.pop().unwrap_or_default();
            bytes.clear();
            bytes.resize(BATCH_HEADER_BYTES, 0);
            self.batches.push_back(Batch { bytes, first: self.last, count: 0 });
        }
        let batch = self.batches.back_mut().expect("it was pushed above");
        batch.bytes.put_u32_le(record.len() as u32);
        batch.bytes.put_slice(record);
        batch.count += 1;
        self.pending_bytes += framed;
    }

    /// Keeps a written batch's buffer for another one.
    fn recycle(&mut self, bytes: Bytes) {
        if let Ok(buffer) = bytes.try_into_mut()
            && self.spares.len() < SPARES_MAX
            && buffer.capacity() <= SPARE_BYTES_MAX
        {
            self.spares.push(buffer);
        }
    }
}

impl Journal {
    /// Takes a record; it is written with the next [`commit`](Self::commit). Nothing is promised
    /// before [`JournalEvent::Durable`] names it or a later one.
    ///
    /// # Errors
    /// If it is too long, too much waits, the disk is full, or recovery is not over. Nothing of the
    /// record is kept then.
    pub fn append(&mut self, record: &[u8]) -> Result<Lsn, AppendError> {
        if record.len() > self.options.record_bytes_max {
            return Err(AppendError::TooLong);
        }
        if !matches!(self.state, State::Open) {
            return Err(AppendError::NotReady);
        }
        if self.writer.full {
            return Err(AppendError::Full);
        }
        let after = self.writer.pending_bytes + RECORD_HEADER_BYTES + record.len();
        if after > self.options.pending_bytes_max && self.writer.pending_bytes > 0 {
            return Err(AppendError::Busy);
        }
        self.writer.push(record, self.options.batch_bytes_max);
        Ok(self.writer.last)
    }

    /// Starts writing what was appended, unless a write or sync is in flight: then it rides with
    /// the next. Call it once behind each callback that appended, in which a disk operation of the
    /// journal completed, or that was refused with [`AppendError::Full`]: a full disk is then
    /// looked at again. Whoever calls it a little later, behind what else is there to be read, has
    /// more ride along; [`wants_commit`](Self::wants_commit) tells whether it would begin anything.
    pub fn commit(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        if !matches!(self.state, State::Open) {
            return;
        }
        let due = self.is_space_due(cx);
        match &mut self.writer.writing {
            Writing::Idle if !self.writer.batches.is_empty() => self.write_next(cx, io),
            Writing::Idle if self.writer.full && due => self.look_for_space(cx, io),
            Writing::Space if due => self.write_in_flight(cx, io),
            Writing::Segment(making) if making.is_parked() && due => {
                self.writer.looked_at = cx.now();
                making.retry(cx, io, &self.options.dir);
            }
            _ => {}
        }
    }

    /// Whether records wait for [`commit`](Self::commit), and nothing is in flight.
    pub fn wants_commit(&self) -> bool {
        let idle = matches!((&self.state, &self.writer.writing), (State::Open, Writing::Idle));
        idle && !self.writer.batches.is_empty()
    }

    /// Whether a full disk is to be looked at again.
    fn is_space_due(&self, cx: &Cx) -> bool {
        let looked = self.writer.looked_at;
        looked == Time::ZERO || cx.now() >= looked + self.options.space_retry
    }

    /// Sends the next batch on its way.
    fn write_next(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let active = self.active.expect("an open journal has a segment");
        let Some(batch) = self.writer.batches.front() else { return };
        let end = active.end + padded(batch.bytes.len()) as u64;
        if end > self.options.segment_bytes && active.end > active.sealed {
            let first = batch.first;
            self.begin_segment(cx, io, Name::segment(self.epoch, first));
            return;
        }
        let mut batch = self.writer.batches.pop_front().expect("it was looked at above");
        let pending = batch.bytes.len() - BATCH_HEADER_BYTES;
        format::seal(&mut batch.bytes, batch.first, batch.count, active.salt);
        if self.options.mistake != Mistake::NoPadding {
            format::pad(&mut batch.bytes);
        }
        let Batch { bytes, first, count } = batch;
        self.writer.in_flight = Some(InFlight { bytes: bytes.freeze(), first, count, pending });
        self.write_in_flight(cx, io);
    }

    /// Batch, zeros ahead of it where they run short, and sync.
    fn write_in_flight(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let active = self.active.expect("an open journal has a segment");
        let in_flight = self.writer.in_flight.as_ref().expect("the caller has a batch");
        let data = in_flight.bytes.clone();
        let end = active.end + data.len() as u64;
        let file = active.file;
        io.submit(cx, self.token(Tokens::Write), DiskOp::Write { file, at: active.end, data });
        let due = self.is_space_due(cx);
        let wanted = end + self.zeros.len() as u64 / 2 > active.reserved;
        let mut reserve = None;
        if wanted && (!self.writer.full || due) {
            reserve = self.submit_reserve(cx, io, active.reserved.max(end));
        }
        self.writer.looked_at = cx.now();
        io.submit(cx, self.token(Tokens::Sync), DiskOp::Sync { file });
        self.writer.writing = Writing::Sync(Outcome { reserve, ..Outcome::default() });
    }

    /// Writes zeros from `at` on, up to where the segment may end; returns where they end.
    fn submit_reserve(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: u64) -> Option<u64> {
        let file = self.active?.file;
        let room = self.options.segment_bytes.saturating_sub(at);
        let len = (self.zeros.len() as u64).min(room) as usize;
        if len == 0 {
            return None;
        }
        let data = self.zeros.slice(..len);
        io.submit(cx, self.token(Tokens::Reserve), DiskOp::Write { file, at, data });
        Some(at + len as u64)
    }

    /// On a full disk, with nothing to write: are zeros taken again?
    fn look_for_space(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        self.writer.looked_at = cx.now();
        let active = self.active.expect("an open journal has a segment");
        match self.submit_reserve(cx, io, active.reserved) {
            Some(end) => {
                let file = active.file;
                io.submit(cx, self.token(Tokens::Sync), DiskOp::Sync { file });
                let outcome = Outcome { reserve: Some(end), ..Outcome::default() };
                self.writer.writing = Writing::Sync(outcome);
            }
            // The segment needs no more: the next batch will tell.
            None => self.set_full(false),
        }
    }

    fn set_full(&mut self, full: bool) {
        if self.writer.full != full {
            self.writer.full = full;
            self.events.push_back(if full { JournalEvent::Full } else { JournalEvent::Space });
        }
    }

    /// The write of a batch (`true`) or of zeros completed.
    pub(crate) fn on_written(&mut self, result: &DiskResult, batch: bool) {
        let Writing::Sync(outcome) = &mut self.writer.writing else {
            panic!("a write completes before the sync behind it");
        };
        match result {
            Ok(_) => {}
            Err(DiskError::NoSpace) if batch => outcome.no_room = true,
            Err(DiskError::NoSpace) => outcome.no_reserve = true,
            Err(_) => self.fail("a write to the journal failed"),
        }
    }

    /// The sync behind a batch completed: it is durable, or there was no room for it.
    pub(crate) fn on_synced(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: &DiskResult) {
        let Writing::Sync(outcome) = self.writer.writing else {
            panic!("a sync completes once");
        };
        let missed = match result {
            Ok(_) => false,
            Err(DiskError::NoSpace) => true,
            Err(_) => return self.fail("a sync of the journal failed"),
        };
        if missed || outcome.no_room {
            self.take_off(cx, io, outcome);
            return;
        }
        let active = self.active.as_mut().expect("an open journal has a segment");
        if let Some(end) = outcome.reserve
            && !outcome.no_reserve
        {
            active.reserved = end;
        }
        if let Some(batch) = self.writer.in_flight.take() {
            let at = active.end;
            active.end += batch.bytes.len() as u64;
            active.reserved = active.reserved.max(active.end);
            self.writer.durable = batch.last();
            self.writer.pending_bytes -= batch.pending;
            self.segments.note_batch(batch.first, at, active.end);
            self.writer.recycle(batch.bytes);
            if matches!(self.state, State::Open) {
                self.events.push_back(JournalEvent::Durable(self.writer.durable));
            }
        }
        let looked = outcome.reserve.is_some();
        let full_reserve = self.zeros.is_empty() || active.reserved >= self.options.segment_bytes;
        if outcome.no_reserve {
            self.set_full(true);
        } else if looked || full_reserve {
            self.set_full(false);
        }
        // The next batch waits for `commit`: whoever hears of this one may append at once.
        self.writer.writing = Writing::Idle;
        self.checkpoint_on(cx, io);
    }

    /// There was no room. If it was missed for zeros, only they are taken off; else the file ends
    /// again where the durable batches end.
    fn take_off(&mut self, cx: &mut Cx, io: &mut dyn Storage, outcome: Outcome) {
        self.set_full(true);
        let active = self.active.as_mut().expect("an open journal has a segment");
        let len = self.writer.in_flight.as_ref().map_or(0, |batch| batch.bytes.len() as u64);
        let zeros = outcome.reserve.is_some() && !outcome.no_room;
        let fits = zeros && active.end + len <= active.reserved;
        if !fits {
            active.reserved = active.end;
        }
        let (file, len) = (active.file, active.reserved);
        self.writer.writing = Writing::Cut(fits);
        io.submit(cx, self.token(Tokens::Cut), DiskOp::SetLen { file, len });
    }

    /// The cut completed.
    pub(crate) fn on_cut(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: &DiskResult) {
        let Writing::Cut(fits) = self.writer.writing else { panic!("a cut completes once") };
        if result.is_err() {
            return self.fail("a cut of the journal failed");
        }
        let waits = self.writer.in_flight.is_some();
        self.writer.writing = if waits { Writing::Space } else { Writing::Idle };
        if waits && fits && matches!(self.state, State::Open) {
            // Written anew, and not only synced: what a failed sync left is unknown.
            self.write_in_flight(cx, io);
            return;
        }
        self.went_on(cx, io);
    }

    /// Something was removed: there may be space now.
    pub(crate) fn look_again(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        if self.writer.full {
            self.writer.looked_at = Time::ZERO;
            self.commit(cx, io);
        }
    }

    /// Begins another segment.
    pub(crate) fn begin_segment(&mut self, cx: &mut Cx, io: &mut dyn Storage, name: Name) {
        let sealed = format::SECTOR_BYTES as u64;
        let header = Header { name, salt: cx.rng().u64(), sealed };
        let token = self.token(Tokens::Segment);
        let reserve = self.reserve_for(sealed);
        let making = Making::begin(cx, io, token, &self.options.dir, header, &[], reserve);
        self.writer.writing = Writing::Segment(Box::new(making));
    }

    /// Zeros for a segment that begins with so many bytes.
    pub(crate) fn reserve_for(&self, sealed: u64) -> Bytes {
        let room = self.options.segment_bytes.saturating_sub(sealed);
        self.zeros.slice(..room.min(self.zeros.len() as u64) as usize)
    }

    /// An operation of a segment in the making completed.
    pub(crate) fn on_segment(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: DiskResult) {
        let Writing::Segment(making) = &mut self.writer.writing else {
            panic!("a segment is made by the writer");
        };
        match making.on_disk(cx, io, &self.options.dir, result) {
            Made::NotYet => {}
            Made::NoRoom if matches!(self.state, State::Resetting) => {
                // The owner has thrown its own state away: a restart finds the old one.
                self.fail("no room to reset the journal");
            }
            Made::NoRoom => {
                self.writer.looked_at = cx.now();
                self.set_full(true);
            }
            Made::Failed => self.fail("a new segment of the journal could not be made"),
            Made::Done(active, full) => {
                self.writer.writing = Writing::Idle;
                self.set_full(full);
                if matches!(self.state, State::Resetting) {
                    self.reset_segment(cx, io, active);
                } else {
                    self.switch_to(cx, io, active);
                    self.went_on(cx, io);
                }
            }
        }
    }

    /// Batches go to this segment from now on.
    pub(crate) fn switch_to(&mut self, cx: &mut Cx, io: &mut dyn Storage, active: Active) {
        if let Some(old) = self.active.replace(active) {
            // Zeros behind the last batch are of no use any more, and no harm if they stay.
            let ignored = self.token(Tokens::Ignored);
            io.submit(cx, ignored, DiskOp::SetLen { file: old.file, len: old.end });
            io.submit(cx, ignored, DiskOp::Close { file: old.file });
        }
        self.segments.begin(active.name, Some(active.salt), active.end);
    }

    /// What may follow a completed step of the writer.
    fn went_on(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        if matches!(self.writer.writing, Writing::Idle) && !self.writer.batches.is_empty() {
            self.write_next(cx, io);
        }
        self.checkpoint_on(cx, io);
    }
}
