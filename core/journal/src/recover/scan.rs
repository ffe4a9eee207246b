//! Recovery's second part: the records behind the checkpoint, segment by segment.

use super::reading::Reading;
use super::{Recovering, Step, Turn};
use crate::format::{self, BatchHeader, Header, HeaderError, Kind, Look, Name, SECTOR_BYTES};
use crate::journal::{Journal, Tokens};
use crate::making::Active;
use crate::options::Mistake;
use crate::{JournalEvent, Lsn, Row, Storage};
use storytime_machine::{Cx, DiskResult};

/// A segment that is being read.
#[derive(Debug)]
pub(super) struct Scan {
    reading: Reading,
    /// Which of `Recovering::segments`.
    index: usize,
    /// The first record of the segment behind it, which stands for the log from there on.
    until: Option<Lsn>,
    /// The record that comes next.
    next: Lsn,
    /// Known once the header is read.
    header: Option<Header>,
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
    /// Bytes are needed: so many from where the reader is.
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
        let reading = Reading::open(cx, io, self.token(Tokens::Recovery), &self.options.dir, name);
        r.step = Step::Segment(Scan { reading, index, until, next, header: None, hunt: None });
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
        if !scan.reading.take(result) {
            return self.unreadable(scan);
        }
        match self.scan_on(r) {
            Found::Needs(bytes) => {
                let token = self.token(Tokens::Recovery);
                let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
                let reads = scan.reading.read(cx, io, token, bytes);
                if reads { Turn::Wait } else { self.unreadable(scan) }
            }
            Found::Next => {
                let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
                let (index, next) = (scan.index + 1, scan.next);
                scan.reading.close(cx, io, self.token(Tokens::Ignored));
                self.open_segment(r, cx, io, index, next)
            }
            Found::End => self.end_of_log(r, cx, io),
            Found::Bad(row, at) => {
                let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
                let whole_to = Lsn(scan.next.0 - 1).max(r.checkpoint);
                Turn::Refuse(match &r.damaged {
                    // Standing in for a damaged checkpoint did not work out.
                    Some(damaged) => damaged.clone(),
                    None => self.refusal(row, scan.reading.name, at, whole_to),
                })
            }
        }
    }

    fn unreadable(&self, scan: &Scan) -> Turn {
        let (name, whole_to) = (scan.reading.name, Lsn(scan.next.0 - 1));
        Turn::Refuse(self.refusal(Row::Unreadable, name, scan.reading.at, whole_to))
    }

    /// Goes through what was read.
    fn scan_on(&mut self, r: &mut Recovering) -> Found {
        loop {
            let Step::Segment(scan) = &mut r.step else { panic!("a segment is being read") };
            let Some(header) = scan.header else {
                match scan.read_header() {
                    Ok(true) => {
                        let salt = scan.header.map(|header| header.salt);
                        self.segments.begin(scan.reading.name, salt, scan.reading.at);
                    }
                    Ok(false) => return Found::Needs(SECTOR_BYTES),
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
            let (reading, at) = (&scan.reading, scan.reading.at);
            let mut look = BatchHeader::look(reading.rest(), reading.len - at, header.salt);
            if look == Look::No && self.options.mistake == Mistake::NoChecksum {
                look = BatchHeader::claimed(reading.rest());
            }
            match look {
                Look::Needs(bytes) => return Found::Needs(bytes),
                Look::No if self.options.mistake == Mistake::TakesDamageForTail => {
                    return Found::End;
                }
                Look::No => scan.hunt = Some(Hunt { from: at, dirty_to: at }),
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
        let at = scan.reading.at;
        let crosses = scan.until.is_some_and(|until| batch.next() > until);
        if batch.first != scan.next || crosses {
            return Err(Found::Bad(Row::Sequence, at));
        }
        let bytes = scan.reading.rest_from(0);
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
        scan.reading.at += if unpadded { batch.bytes as u64 } else { batch.stride() };
        scan.next = batch.next();
        self.segments.note_batch(batch.first, at, scan.reading.at);
        r.last = Some((batch, bytes));
        Ok(())
    }

    /// The last segment is read.
    fn end_of_log(&mut self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        let Step::Segment(scan) = &r.step else { panic!("a segment was read") };
        let (next, name) = (scan.next, scan.reading.name);
        let from = scan.hunt.as_ref().map_or(scan.reading.at, |hunt| hunt.from);
        r.cut_bytes = scan.hunt.as_ref().map_or(0, |hunt| hunt.dirty_to - hunt.from);
        r.rows.insert(if r.cut_bytes > 0 { Row::TornTail } else { Row::Clean });
        if next.0 <= r.checkpoint.0 {
            return Turn::Refuse(self.refusal(Row::EndsEarly, name, from, r.checkpoint));
        }
        if self.options.mistake == Mistake::GoesOnInPlace {
            let header = scan.header.expect("it was read");
            let (file, salt, sealed) = (scan.reading.file(), header.salt, from);
            let reserved = scan.reading.len.max(from);
            self.active = Some(Active { name, file, salt, end: from, reserved, sealed });
            self.writer.begin_behind(Lsn(next.0 - 1));
            return Turn::Done;
        }
        scan.reading.close(cx, io, self.token(Tokens::Ignored));
        self.new_segment(r, cx, io, next)
    }
}

impl Scan {
    /// Whether the header is read now.
    fn read_header(&mut self) -> Result<bool, Row> {
        let reading = &mut self.reading;
        if reading.len < SECTOR_BYTES as u64 {
            return Err(Row::SegmentHeader);
        }
        if reading.rest().len() < SECTOR_BYTES {
            return Ok(false);
        }
        assert_eq!(reading.name.kind, Kind::Segment, "segments are scanned");
        let header = Header::decode(reading.name, reading.rest()).map_err(|error| match error {
            HeaderError::Damaged => Row::SegmentHeader,
            HeaderError::Foreign => Row::SegmentForeign,
            HeaderError::Newer => Row::NewerFormat,
        })?;
        self.header = Some(header);
        reading.at = SECTOR_BYTES as u64;
        Ok(true)
    }

    /// Looks, sector by sector, for a whole batch behind the place where there was none.
    fn hunt_on(&mut self, header: Header) -> Found {
        let from = self.hunt.as_ref().expect("the caller hunts").from;
        if from < header.sealed {
            return Found::Bad(Row::DamageSealed, from);
        }
        let reading = &mut self.reading;
        while reading.at < reading.len {
            let left = reading.len - reading.at;
            let sector = left.min(SECTOR_BYTES as u64) as usize;
            if reading.rest().len() < sector {
                return Found::Needs(sector);
            }
            let dirty = reading.rest()[..sector].iter().any(|&byte| byte != 0);
            if dirty && reading.at > from {
                match BatchHeader::look(reading.rest(), left, header.salt) {
                    Look::Needs(bytes) => return Found::Needs(bytes),
                    Look::Whole(_) => return Found::Bad(Row::DamageBeforeTail, from),
                    Look::No => {}
                }
            }
            reading.at += sector as u64;
            let hunt = self.hunt.as_mut().expect("the caller hunts");
            if dirty {
                hunt.dirty_to = reading.at;
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
