//! Reading durable records back: for replicas that catch up.

use crate::format::{self, BatchHeader, Look, Name};
use crate::journal::{Journal, State, Tokens};
use crate::options::READ_BYTES;
use crate::segments::Place;
use crate::{JournalEvent, Lsn, ReadError, Storage};
use bytes::Bytes;
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// Reads one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    request: Option<Request>,
    /// The segment that was read last, on a handle of its own: reads on the writer's would wait for
    /// its syncs.
    open: Option<(Name, FileId)>,
    /// Where the batch is that the next record begins.
    cursor: Option<(Lsn, Place)>,
}

#[derive(Debug)]
struct Request {
    /// The record that comes next.
    next: Lsn,
    bytes_max: usize,
    /// Where to look on.
    place: Place,
    found: Vec<(Lsn, Bytes)>,
    bytes: usize,
}

impl Journal {
    /// Reads durable records from `from` on, about `bytes_max` bytes of them and at least one.
    /// Answered with `Records` or `ReadFailed`.
    ///
    /// # Panics
    /// If a read is under way: see [`is_reading`](Self::is_reading).
    pub fn read(&mut self, cx: &mut Cx, io: &mut dyn Storage, from: Lsn, bytes_max: usize) {
        assert!(!self.is_reading(), "one read at a time");
        let refuse = match self.state {
            State::Open if from > self.writer.durable => Some(ReadError::Ahead),
            State::Open if from < self.segments.oldest() => Some(ReadError::Gone),
            State::Open => None,
            _ => Some(ReadError::Gone),
        };
        if let Some(error) = refuse {
            self.events.push_back(JournalEvent::ReadFailed(error));
            return;
        }
        let place = match self.reader.cursor {
            Some((next, place)) if next == from => self.segments.renew(place),
            _ => None,
        };
        let place = match place {
            Some(place) if place.at < place.end => Some(place),
            _ => self.segments.find(from),
        };
        let Some(place) = place else {
            self.events.push_back(JournalEvent::ReadFailed(ReadError::Gone));
            return;
        };
        let found = Vec::new();
        self.reader.request = Some(Request { next: from, bytes_max, place, found, bytes: 0 });
        self.read_on(cx, io, 0);
    }

    /// Whether a read is under way.
    pub const fn is_reading(&self) -> bool {
        self.reader.request.is_some()
    }

    /// Opens the segment of the request, or reads at least `needed` bytes of it.
    fn read_on(&mut self, cx: &mut Cx, io: &mut dyn Storage, needed: usize) {
        let token = self.token(Tokens::Read);
        let Some(request) = &self.reader.request else { return };
        let place = request.place;
        match self.reader.open {
            Some((name, file)) if name == place.name => {
                let want = request.bytes_max.clamp(format::SECTOR_BYTES, READ_BYTES);
                let len = (needed.max(want) as u64).min(place.end - place.at) as u32;
                io.submit(cx, token, DiskOp::Read { file, at: place.at, len });
            }
            other => {
                if let Some((_, file)) = other {
                    self.reader.open = None;
                    io.submit(cx, self.token(Tokens::Ignored), DiskOp::Close { file });
                }
                let path = place.name.path(&self.options.dir);
                io.submit(cx, token, DiskOp::Open { path, create: false });
            }
        }
    }

    /// A segment was opened, or a part of it read.
    pub(crate) fn on_read(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: DiskResult) {
        let Some(request) = &mut self.reader.request else { panic!("a read was asked for") };
        match result {
            Ok(DiskOk::File { file, .. }) => {
                self.reader.open = Some((request.place.name, file));
                self.read_on(cx, io, 0);
            }
            _ if !matches!(self.state, State::Open) => self.read_failed(ReadError::Gone),
            Ok(DiskOk::Data(window)) => match request.take(&window) {
                Taken::Enough => self.answer_read(),
                Taken::Needs(bytes) => self.read_on(cx, io, bytes),
                Taken::EndOfSegment => self.next_segment(cx, io),
                Taken::Damage => self.read_failed(ReadError::Damaged),
            },
            Ok(_) => panic!("a read brings data"),
            Err(DiskError::NotFound) => self.read_failed(ReadError::Gone),
            Err(_) => self.read_failed(ReadError::Damaged),
        }
    }

    /// The segment holds no more.
    fn next_segment(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let Some(request) = &mut self.reader.request else { return };
        if !request.found.is_empty() || request.next > self.writer.durable {
            return self.answer_read();
        }
        match self.segments.find(request.next) {
            Some(place) if place.name != request.place.name => {
                request.place = place;
                self.read_on(cx, io, 0);
            }
            _ => self.read_failed(ReadError::Damaged),
        }
    }

    fn answer_read(&mut self) {
        let Some(request) = self.reader.request.take() else { return };
        self.reader.cursor = Some((request.next, request.place));
        self.events.push_back(JournalEvent::Records(request.found));
    }

    fn read_failed(&mut self, error: ReadError) {
        self.reader.request = None;
        self.events.push_back(JournalEvent::ReadFailed(error));
    }
}

/// What was in a part of a segment.
enum Taken {
    Enough,
    Needs(usize),
    EndOfSegment,
    Damage,
}

impl Request {
    /// Takes records from what was read at `place`.
    fn take(&mut self, window: &Bytes) -> Taken {
        let mut at = 0;
        loop {
            let left = self.place.end - self.place.at;
            if left == 0 {
                return Taken::EndOfSegment;
            }
            let rest = window.slice(at..);
            let batch = match BatchHeader::look(&rest, left, self.place.salt) {
                Look::Whole(batch) if batch.first <= self.next => batch,
                Look::Needs(_) if !self.found.is_empty() => return Taken::Enough,
                Look::Needs(bytes) if rest.len() < bytes && (at > 0 || window.len() < bytes) => {
                    return Taken::Needs(bytes);
                }
                _ => return Taken::Damage,
            };
            for (lsn, record) in format::records(&rest, batch) {
                if lsn < self.next {
                    continue;
                }
                if self.bytes >= self.bytes_max && !self.found.is_empty() {
                    return Taken::Enough;
                }
                self.bytes += record.len();
                self.next = Lsn(lsn.0 + 1);
                self.found.push((lsn, record));
            }
            at += (batch.stride() as usize).min(rest.len());
            self.place.at += batch.stride();
        }
    }
}
