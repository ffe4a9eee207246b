//! Recovery's second part: the records behind the checkpoint, segment by segment.

use super::{Recovering, Step, Turn};
use crate::format::{self, BatchHeader, Header, HeaderError, Kind, Look, Name, SECTOR_BYTES};
use crate::journal::{Journal, Tokens};
use crate::making::Active;
use crate::options::{Mistake, READ_BYTES};
use crate::{JournalEvent, Lsn, Row, Storage};
use bytes::Bytes;
use storytime_machine::{Cx, DiskOk, DiskOp, DiskResult, FileId};

/// A segment that is being read.
#[derive(Debug)]
pub(super) struct Scan {
    name: Name,
    /// Which of `Recovering::segments`.
    index: usize,
    /// The first record of the segment behind it, which stands for the log from there on.
    until: Option<Lsn>,
    /// The record that comes next.
    next: Lsn,
    file: Option<FileId>,
    len: u64,
    /// Known once the header is read.
    header: Option<Header>,
    at: u64,
    /// Bytes read, and where they are in the file.
    window: Bytes,
    window_at: u64,
    hunt: Option<Hunt>,
}

/// There was no whole batch where one could be: is one behind it?
#[derive(Debug)]
struct Hunt {
    /// Where the next batch would have begun.
    from: u64,
    /// Where the last sector ends that is not all zeros.
    dirty_to: u64,
}

/// What the scan found out.
enum Found {
    /// Bytes are needed: so many from `Scan::at` on.
    Needs(usize),
    /// The next record is in the segment behind.
    Next,
    /// The log ends here.
    End,
    /// Recovery refuses, because of what is there.
    Bad(Row, u64),
}

impl Journal {
    /// Begins with the segment that holds the record behind the checkpoint.
    pub(super) fn first_segment(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
    ) -> Turn {
        let next = Lsn(r.checkpoint.0 + 1);
        let behind = r.segments.partition_point(|name| name.lsn <= next);
        if let Some(index) = behind.checked_sub(1) {
            for &name in &r.segments[..index] {
                self.segments.begin(name, None, 0);
            }
            return self.open_segment(r, cx, io, index, r.segments[index].lsn);
        }
        if r.segments.is_empty() && r.checkpoint == Lsn(0) && self.epoch == 0 {
            return self.new_segment(r, cx, io, next);
        }
        self.no_segment(r, next, Lsn(r.checkpoint.0))
    }

    /// The segment with `next` is not there.
    fn no_segment(&self, r: &Recovering, next: Lsn, whole_to: Lsn) -> Turn {
        let refusal = match &r.damaged {
            Some(damaged) => damaged.clone(),
            None => {
                let name = Name::segment(self.epoch, next);
                self.refusal(Row::SegmentMissing, name, 0, whole_to)
            }
        };
        Turn::Refuse(refusal)
    }

    fn open_segment(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        index: usize,
        next: Lsn,
    ) -> Turn {
        let name = r.segments[index];
        let until = r.segments.get(index + 1).map(|name| name.lsn);
        // Batches of the segments before were durable before this one was made.
        r.last = None;
        r.step = Step::Segment(Scan {
            name,
            index,
            until,
            next,
            file: None,
            len: 0,
            header: None,
            at: 0,
            window: Bytes::new(),
            window_at: 0,
            hunt: None,
        });
        let path = name.path(&self.options.dir);
        io.submit(cx, self.token(Tokens::Recovery), DiskOp::Open { path, create: false });
        Turn::Wait
    }

    /// A segment was opened, or a piece of it read.
    pub(super) fn on_segment_read(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        result: DiskResult,
    ) -> Turn {
        let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
        let whole_to = Lsn(scan.next.0 - 1);
        match result {
            Ok(DiskOk::File { file, len }) => (scan.file, scan.len) = (Some(file), len),
            Ok(DiskOk::Data(bytes)) => (scan.window, scan.window_at) = (bytes, scan.at),
            _ => {
                return Turn::Refuse(self.refusal(Row::Unreadable, scan.name, scan.at, whole_to));
            }
        }
        match self.scan_on(r) {
            Found::Needs(bytes) => self.read_segment(r, cx, io, bytes),
            Found::Next => {
                let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
                let (index, next) = (scan.index + 1, scan.next);
                self.close_scanned(cx, io, scan);
                self.open_segment(r, cx, io, index, next)
            }
            Found::End => self.end_of_log(r, cx, io),
            Found::Bad(row, at) => {
                let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
                let whole_to = Lsn(scan.next.0 - 1).max(r.checkpoint);
                Turn::Refuse(match &r.damaged {
                    // Standing in for a damaged checkpoint did not work out.
                    Some(damaged) => damaged.clone(),
                    None => self.refusal(row, scan.name, at, whole_to),
                })
            }
        }
    }

    fn read_segment(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        bytes: usize,
    ) -> Turn {
        let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
        let left = scan.len - scan.at;
        if scan.window_at == scan.at && scan.window.len() as u64 >= left.min(bytes as u64) {
            // The file is shorter than it was when it was opened.
            let whole_to = Lsn(scan.next.0 - 1);
            return Turn::Refuse(self.refusal(Row::Unreadable, scan.name, scan.at, whole_to));
        }
        let len = (bytes.max(READ_BYTES) as u64).min(left) as u32;
        let file = scan.file.expect("it was opened");
        io.submit(cx, self.token(Tokens::Recovery), DiskOp::Read { file, at: scan.at, len });
        Turn::Wait
    }

    /// Goes through what was read.
    fn scan_on(&mut self, r: &mut Recovering) -> Found {
        loop {
            let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
            let Some(header) = scan.header else {
                match scan.read_header() {
                    Ok(true) => {
                        let salt = scan.header.map(|header| header.salt);
                        self.segments.begin(scan.name, salt, scan.at);
                    }
                    Ok(false) => return Found::Needs(SECTOR_BYTES.min(scan.len as usize)),
                    Err(row) => return Found::Bad(row, 0),
                }
                continue;
            };
            if scan.hunt.is_some() {
                return scan.hunt_on(header);
            }
            if Some(scan.next) == scan.until {
                return Found::Next;
            }
            let mut look = BatchHeader::look(scan.rest(), scan.len - scan.at, header.salt);
            if look == Look::No && self.options.mistake == Mistake::NoChecksum {
                look = BatchHeader::claimed(scan.rest());
            }
            match look {
                Look::Needs(bytes) => return Found::Needs(bytes),
                Look::No if self.options.mistake == Mistake::TakesDamageForTail => {
                    return Found::End;
                }
                Look::No => scan.hunt = Some(Hunt { from: scan.at, dirty_to: scan.at }),
                Look::Whole(batch) => {
                    if let Err(found) = self.take_batch(r, batch) {
                        return found;
                    }
                }
            }
        }
    }

    /// Tells the records of a whole batch.
    fn take_batch(&mut self, r: &mut Recovering, batch: BatchHeader) -> Result<(), Found> {
        let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
        let at = scan.at;
        let crosses = scan.until.is_some_and(|until| batch.next() > until);
        if batch.first != scan.next || crosses {
            return Err(Found::Bad(Row::Sequence, at));
        }
        let bytes = scan.window.slice((at - scan.window_at) as usize..);
        let mut told = 0;
        for (lsn, record) in format::records(&bytes, batch) {
            told += 1;
            if lsn > r.checkpoint {
                self.events.push_back(JournalEvent::Record(lsn, record));
            }
        }
        if told != batch.count {
            return Err(Found::Bad(Row::Sequence, at));
        }
        let unpadded = self.options.mistake == Mistake::NoPadding;
        scan.at += if unpadded { batch.bytes as u64 } else { batch.stride() };
        scan.next = batch.next();
        self.segments.note_batch(batch.first, at, scan.at);
        r.last = Some((batch, bytes));
        Ok(())
    }

    fn close_scanned(&self, cx: &mut Cx, io: &mut dyn Storage, scan: &Scan) {
        let file = scan.file.expect("it was opened");
        io.submit(cx, self.token(Tokens::Ignored), DiskOp::Close { file });
    }

    /// The last segment is read.
    fn end_of_log(&mut self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
        let (next, name) = (scan.next, scan.name);
        let from = scan.hunt.as_ref().map_or(scan.at, |hunt| hunt.from);
        r.cut_bytes = scan.hunt.as_ref().map_or(0, |hunt| hunt.dirty_to - hunt.from);
        r.rows.insert(if r.cut_bytes > 0 { Row::TornTail } else { Row::Clean });
        if next.0 <= r.checkpoint.0 {
            return Turn::Refuse(self.refusal(Row::EndsEarly, name, from, r.checkpoint));
        }
        if self.options.mistake == Mistake::GoesOnInPlace {
            let header = scan.header.expect("it was read");
            let (file, salt, sealed) = (scan.file.expect("it was opened"), header.salt, from);
            let reserved = scan.len.max(from);
            self.active = Some(Active { name, file, salt, end: from, reserved, sealed });
            self.writer.begin_behind(Lsn(next.0 - 1));
            return Turn::Done;
        }
        self.close_scanned(cx, io, scan);
        self.new_segment(r, cx, io, next)
    }
}

impl Scan {
    /// What was read from `at` on.
    fn rest(&self) -> &[u8] {
        let skip = (self.at - self.window_at) as usize;
        self.window.get(skip..).unwrap_or_default()
    }

    /// Whether the header is read now.
    fn read_header(&mut self) -> Result<bool, Row> {
        if self.len < SECTOR_BYTES as u64 {
            return Err(Row::SegmentHeader);
        }
        if self.window.len() < SECTOR_BYTES {
            return Ok(false);
        }
        assert_eq!(self.name.kind, Kind::Segment, "segments are scanned");
        let header = Header::decode(self.name, &self.window).map_err(|error| match error {
            HeaderError::Damaged => Row::SegmentHeader,
            HeaderError::Foreign => Row::SegmentForeign,
            HeaderError::Newer => Row::NewerFormat,
        })?;
        self.header = Some(header);
        self.at = SECTOR_BYTES as u64;
        Ok(true)
    }

    /// Looks, sector by sector, for a whole batch behind the place where there was none.
    fn hunt_on(&mut self, header: Header) -> Found {
        let from = self.hunt.as_ref().expect("the caller hunts").from;
        if from < header.sealed {
            return Found::Bad(Row::DamageSealed, from);
        }
        while self.at < self.len {
            let sector = (self.len - self.at).min(SECTOR_BYTES as u64) as usize;
            if self.rest().len() < sector {
                return Found::Needs(sector);
            }
            let dirty = self.rest()[..sector].iter().any(|&byte| byte != 0);
            if dirty && self.at > from {
                match BatchHeader::look(self.rest(), self.len - self.at, header.salt) {
                    Look::Needs(bytes) => return Found::Needs(bytes),
                    Look::Whole(_) => return Found::Bad(Row::DamageBeforeTail, from),
                    Look::No => {}
                }
            }
            self.at += sector as u64;
            let hunt = self.hunt.as_mut().expect("the caller hunts");
            if dirty {
                hunt.dirty_to = self.at;
            }
        }
        let dirty = self.hunt.as_ref().is_some_and(|hunt| hunt.dirty_to > from);
        match self.until {
            None => Found::End,
            Some(_) if dirty => Found::Bad(Row::DamageBeforeTail, from),
            Some(_) => Found::Bad(Row::SegmentMissing, from),
        }
    }
}
