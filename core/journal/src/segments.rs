//! The segments that exist, and where in them records are.

use crate::Lsn;
use crate::format::Name;
use crate::options::INDEX_BYTES;
use std::collections::VecDeque;

/// A segment.
#[derive(Clone, Debug)]
struct Segment {
    name: Name,
    /// `None` for one that recovery had no need to read: it is kept for an older checkpoint.
    salt: Option<u64>,
    /// Where batches begin, some of them: the first, and then one each [`INDEX_BYTES`].
    places: Vec<(Lsn, u64)>,
    /// Where its durable batches end.
    end: u64,
}

/// A place in a segment to look for records from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) name: Name,
    pub(crate) salt: u64,
    pub(crate) at: u64,
    /// Where the segment's durable batches end.
    pub(crate) end: u64,
}

/// The segments, in order; the last is the one that is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Segments {
    list: VecDeque<Segment>,
}

impl Segments {
    /// A segment that ends at `end`; it replaces the last one if that begins with the same record.
    pub(crate) fn begin(&mut self, name: Name, salt: Option<u64>, end: u64) {
        if self.list.back().is_some_and(|last| last.name == name) {
            self.list.pop_back();
        }
        assert!(self.list.back().is_none_or(|last| last.name < name), "segments are in order");
        self.list.push_back(Segment { name, salt, places: Vec::new(), end });
    }

    /// A batch of the last segment, from `at` to `end`, is durable.
    pub(crate) fn note_batch(&mut self, first: Lsn, at: u64, end: u64) {
        let last = self.list.back_mut().expect("a batch is in a segment");
        assert!(last.end <= end, "a segment grows");
        last.end = end;
        if last.places.last().is_none_or(|&(_, place)| at >= place + INDEX_BYTES) {
            last.places.push((first, at));
        }
    }

    /// The first record of the first segment that was read or written.
    pub(crate) fn oldest(&self) -> Lsn {
        let known = self.list.iter().find(|segment| segment.salt.is_some());
        known.map_or(Lsn(1), |segment| segment.name.lsn)
    }

    /// A place that was found before, with the segment's present end.
    pub(crate) fn renew(&self, place: Place) -> Option<Place> {
        let found = self.list.binary_search_by_key(&place.name, |segment| segment.name).ok()?;
        let segment = &self.list[found];
        (segment.salt == Some(place.salt)).then_some(Place { end: segment.end, ..place })
    }

    /// A place at or before a record.
    pub(crate) fn find(&self, lsn: Lsn) -> Option<Place> {
        let behind = self.list.partition_point(|segment| segment.name.lsn <= lsn);
        let segment = self.list.get(behind.checked_sub(1)?)?;
        let place = segment.places.partition_point(|&(first, _)| first <= lsn);
        let &(_, at) = segment.places.get(place.checked_sub(1)?)?;
        Some(Place { name: segment.name, salt: segment.salt?, at, end: segment.end })
    }

    /// Forgets the segments before the one that holds the record behind `at`, and names them.
    pub(crate) fn take_needless(&mut self, at: Lsn) -> Vec<Name> {
        let mut names = Vec::new();
        while self.list.len() > 1 && self.list[1].name.lsn.0 <= at.0 + 1 {
            names.extend(self.list.pop_front().map(|segment| segment.name));
        }
        names
    }

    /// Forgets all.
    pub(crate) fn take_all(&mut self) -> Vec<Name> {
        self.list.drain(..).map(|segment| segment.name).collect()
    }
}
