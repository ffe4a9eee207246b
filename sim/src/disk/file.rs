//! One file: durable content, what readers see, and every version in between.
//!
//! Three states of a file's unflushed part, cheapest first: none (readers see the durable pages);
//! a *tail* of appended buffers kept as they came, which a flush copies once; *cached pages*, which
//! remember per sector whether it is dirty and which contents it had since the last flush.

use super::pages::{PAGE_BYTES, PAGE_SECTORS, Page, Pages, SECTOR_BYTES, Sector, by_page, locate};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use storytime_machine::Time;

/// Appended buffers kept as they came; more turn into cached pages.
const TAIL_CHUNKS_MAX: usize = 4096;
/// Versions remembered per sector between two flushes; beyond it the oldest is forgotten, which
/// only narrows what a power cut may choose from.
const SECTOR_VERSIONS_MAX: usize = 64;
/// Lengths remembered between two flushes; beyond it every second one is forgotten.
const LENGTHS_MAX: usize = 256;

/// A file.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    pub(super) durable: Pages,
    pub(super) durable_len: u64,
    pub(super) len: u64,
    /// Pages whose content in the cache may differ from the durable one.
    pub(super) view: BTreeMap<u64, Cached>,
    /// Those of them with something that a flush must write.
    pub(super) dirty_pages: BTreeSet<u64>,
    /// Lengths since the last flush.
    pub(super) lens: Vec<Length>,
    /// The lowest truncation since the last flush.
    pub(super) cut: Option<Cut>,
    /// The lowest truncation that a lying device has not carried out for certain.
    pub(super) masked: Option<u64>,
    /// Unflushed appends. While there are any, `view`, `lens` and `cut` are empty.
    pub(super) tail: Vec<Chunk>,
    pub(super) tail_at: u64,
    /// Sectors that cannot be read until they are written again.
    pub(super) unreadable: BTreeSet<u64>,
    /// Since when something waits to be flushed.
    pub(super) dirty_since: Option<Time>,
    pub(super) dirty_bytes: u64,
    /// Whether the disk's list of dirty files names this one.
    pub(super) listed: bool,
    /// Bytes of writes that are queued.
    pub(super) queued_bytes: u64,
    /// When the last queued operation on it completes.
    pub(super) lane: Time,
    /// When the last completed operation on it completed.
    pub(super) completed: Time,
    pub(super) opens: u32,
    /// Versions up to this one were acknowledged by a file system that lied.
    pub(super) acknowledged: u64,
}

/// A page in the cache.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    pub(super) data: Arc<Page>,
    /// One bit per sector with content that a flush must write.
    pub(super) dirty: u8,
    /// One bit per sector whose content a failed flush threw away.
    pub(super) orphan: u8,
    /// Version of each dirty sector.
    pub(super) seqs: [u64; PAGE_SECTORS],
    /// Overwritten contents since the last flush, oldest first.
    pub(super) older: Vec<Older>,
}

/// An overwritten content of a dirty sector.
#[derive(Clone, Debug)]
pub(super) struct Older {
    pub(super) sector: u8,
    pub(super) seq: u64,
    pub(super) data: Arc<Sector>,
}

/// A length that the file had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    pub(super) seq: u64,
    pub(super) len: u64,
}

/// A truncation: everything durable from `len` on reads as zeros.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) seq: u64,
    pub(super) len: u64,
}

/// An appended buffer.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) seq: u64,
    pub(super) data: Bytes,
}

impl File {
    /// Room that the file takes, bytes.
    pub(super) fn allocated(&self) -> u64 {
        self.len.max(self.durable_len).next_multiple_of(PAGE_BYTES as u64)
    }

    /// Whether a flush would have anything to write.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty_since.is_some()
    }

    /// Separate transfers that a flush of what is dirty now would take.
    pub(super) fn dirty_runs(&self) -> u64 {
        let (mut runs, mut next) = (u64::from(!self.tail.is_empty()), 0);
        for &page in &self.dirty_pages {
            runs += u64::from(page != next || runs == 0);
            next = page + 1;
        }
        runs
    }

    /// Writes all of `data` as version `seq`.
    pub(super) fn write(&mut self, now: Time, at: u64, data: Bytes, seq: u64) {
        if data.is_empty() {
            return;
        }
        self.dirty_since.get_or_insert(now);
        let appends = at == self.len
            && self.view.is_empty()
            && self.lens.is_empty()
            && self.tail.len() < TAIL_CHUNKS_MAX;
        if appends && self.cut.is_none() {
            if self.tail.is_empty() {
                self.tail_at = at;
            }
            self.len += data.len() as u64;
            self.dirty_bytes += data.len() as u64;
            self.tail.push(Chunk { seq, data });
            return;
        }
        self.spill();
        self.write_cached(at, &data, seq);
    }

    /// Turns the tail into cached pages, so that every sector has its versions.
    pub(super) fn spill(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        assert!(self.view.is_empty() && self.lens.is_empty(), "a tail stands alone");
        self.len = self.tail_at;
        self.dirty_bytes = 0;
        let mut chunks = core::mem::take(&mut self.tail);
        for chunk in chunks.drain(..) {
            self.write_cached(self.len, &chunk.data, chunk.seq);
        }
        self.tail = chunks;
    }

    fn write_cached(&mut self, at: u64, data: &[u8], seq: u64) {
        by_page(at, data.len(), |page, offset, range| {
            let (first, last) = (offset / SECTOR_BYTES, (offset + range.len() - 1) / SECTOR_BYTES);
            let cached = self.cache_page(page);
            let clean = cached.dirty.count_zeros();
            let was_clean = cached.dirty == 0;
            for sector in first..=last {
                cached.begin_version(sector, seq);
            }
            let fresh = clean - cached.dirty.count_zeros();
            let bytes = Arc::make_mut(&mut cached.data);
            bytes[offset..offset + range.len()].copy_from_slice(&data[range]);
            self.dirty_bytes += u64::from(fresh) * SECTOR_BYTES as u64;
            if was_clean {
                self.dirty_pages.insert(page);
            }
        });
        let end = at + data.len() as u64;
        if end > self.len {
            self.note_len(end, seq);
        }
    }

    fn note_len(&mut self, len: u64, seq: u64) {
        self.len = len;
        if self.lens.len() == LENGTHS_MAX {
            let mut keep = false;
            self.lens.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.lens.push(Length { seq, len });
    }

    /// Cuts or lengthens the file as version `seq`.
    pub(super) fn set_len(&mut self, now: Time, len: u64, seq: u64) {
        if len == self.len {
            return;
        }
        self.spill();
        self.dirty_since.get_or_insert(now);
        if len < self.len {
            self.truncate_view(len, seq);
            if self.cut.is_none_or(|cut| len < cut.len) {
                self.cut = Some(Cut { seq, len });
            }
        }
        self.note_len(len, seq);
    }

    fn truncate_view(&mut self, len: u64, seq: u64) {
        let (page, offset) = locate(len);
        let gone = page + u64::from(offset > 0);
        drop(self.view.split_off(&gone));
        drop(self.dirty_pages.split_off(&gone));
        if let Some(cached) = self.view.get_mut(&page) {
            cached.truncate(offset, seq);
            if cached.dirty == 0 {
                self.dirty_pages.remove(&page);
            }
        }
        let dirty: u32 = self.dirty_pages.iter().map(|p| self.view[p].dirty.count_ones()).sum();
        self.dirty_bytes = u64::from(dirty) * SECTOR_BYTES as u64;
    }

    /// Fills `out` with what readers see at `at`; the caller keeps within the length. `Err` names a
    /// sector that cannot be read.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), u64> {
        debug_assert!(at + out.len() as u64 <= self.len);
        if out.is_empty() {
            return Ok(());
        }
        self.find_unreadable(at, out.len() as u64)?;
        let whole = self.cut.is_none() && self.masked.is_none();
        by_page(at, out.len(), |page, offset, range| {
            let n = range.len();
            match (self.view.get(&page), self.durable.page(page)) {
                (Some(cached), _) => out[range].copy_from_slice(&cached.data[offset..offset + n]),
                (None, Some(page)) if whole => {
                    out[range].copy_from_slice(&page[offset..offset + n]);
                }
                (None, None) => out[range].fill(0),
                _ => out[range].copy_from_slice(&self.base(page)[offset..offset + n]),
            }
        });
        self.read_tail(at, out);
        Ok(())
    }

    fn find_unreadable(&self, at: u64, len: u64) -> Result<(), u64> {
        if self.unreadable.is_empty() {
            return Ok(());
        }
        let (first, last) = (at / SECTOR_BYTES as u64, (at + len - 1) / SECTOR_BYTES as u64);
        let on_medium = |sector: &&u64| {
            let (page, offset) = locate(**sector * SECTOR_BYTES as u64);
            let held = self.view.get(&page).map_or(0, |cached| cached.dirty | cached.orphan);
            held & (1 << (offset / SECTOR_BYTES)) == 0
        };
        self.unreadable.range(first..=last).find(on_medium).map_or(Ok(()), |&sector| Err(sector))
    }

    fn read_tail(&self, at: u64, out: &mut [u8]) {
        let end = at + out.len() as u64;
        let mut chunk_at = self.tail_at;
        for chunk in &self.tail {
            let chunk_end = chunk_at + chunk.data.len() as u64;
            let (from, to) = (chunk_at.max(at), chunk_end.min(end));
            if from < to {
                let source = &chunk.data[(from - chunk_at) as usize..(to - chunk_at) as usize];
                out[(from - at) as usize..(to - at) as usize].copy_from_slice(source);
            }
            chunk_at = chunk_end;
        }
    }

    /// A page as a reader sees it who has no cached one: durable, less what was truncated.
    fn base(&self, page: u64) -> Page {
        let mut bytes = self.durable.page(page).copied().unwrap_or([0; PAGE_BYTES]);
        if let Some(len) = self.cut.map(|cut| cut.len).into_iter().chain(self.masked).min() {
            let keep = len.saturating_sub(page * PAGE_BYTES as u64).min(PAGE_BYTES as u64);
            bytes[keep as usize..].fill(0);
        }
        bytes
    }

    fn cache_page(&mut self, page: u64) -> &mut Cached {
        if !self.view.contains_key(&page) {
            let data = Arc::new(self.base(page));
            let cached =
                Cached { data, dirty: 0, orphan: 0, seqs: [0; PAGE_SECTORS], older: Vec::new() };
            self.view.insert(page, cached);
        }
        self.view.get_mut(&page).expect("it was inserted above")
    }

    /// Drops cached pages in a range of pages that hold nothing to be flushed: what a failed flush
    /// lost is then seen to be lost.
    pub(super) fn evict(&mut self, pages: core::ops::Range<u64>) {
        let clean: Vec<u64> = self
            .view
            .range(pages)
            .filter(|(_, cached)| cached.dirty == 0 && cached.orphan != 0)
            .map(|(&page, _)| page)
            .collect();
        for page in clean {
            self.view.remove(&page);
        }
    }

    /// Asserts what holds between any two operations.
    pub(super) fn invariants(&self) {
        let stands_alone = self.view.is_empty() && self.lens.is_empty() && self.cut.is_none();
        assert!(self.tail.is_empty() || stands_alone, "a tail stands alone");
        assert!(self.dirty_bytes == 0 || self.is_dirty(), "dirty bytes without a dirty file");
        assert!(self.cut.is_none_or(|cut| cut.seq > 0), "a truncation is a version");
        for (page, cached) in &self.view {
            let listed = self.dirty_pages.contains(page);
            assert_eq!(cached.dirty != 0, listed, "page {page}: the list of dirty pages");
            assert_eq!(cached.dirty & cached.orphan, 0, "page {page}: both dirty and thrown away");
            let of_dirty = |older: &Older| cached.dirty & (1 << older.sector) != 0;
            assert!(cached.older.iter().all(of_dirty), "page {page}: versions of a clean sector");
        }
    }
}

impl Cached {
    /// Turns everything from `offset` on into zeros that need no flush.
    fn truncate(&mut self, offset: usize, seq: u64) {
        let boundary = offset / SECTOR_BYTES;
        if !offset.is_multiple_of(SECTOR_BYTES) && self.dirty & (1 << boundary) != 0 {
            self.begin_version(boundary, seq);
        }
        Arc::make_mut(&mut self.data)[offset..].fill(0);
        let gone = offset.div_ceil(SECTOR_BYTES);
        for sector in gone..PAGE_SECTORS {
            self.dirty &= !(1 << sector);
            self.orphan &= !(1 << sector);
        }
        self.older.retain(|older| usize::from(older.sector) < gone);
    }

    /// Keeps the present content of a dirty sector as an older version, and marks the new one.
    fn begin_version(&mut self, sector: usize, seq: u64) {
        let bit = 1 << sector;
        if self.dirty & bit != 0 && self.seqs[sector] != seq {
            let at = sector * SECTOR_BYTES;
            let data: &Sector = self.data[at..at + SECTOR_BYTES].try_into().expect("a sector");
            let data = Arc::new(*data);
            if self.versions(sector).count() == SECTOR_VERSIONS_MAX {
                let oldest = self.older.iter().position(|o| usize::from(o.sector) == sector);
                self.older.remove(oldest.expect("there are versions of it"));
            }
            self.older.push(Older { sector: sector as u8, seq: self.seqs[sector], data });
        }
        self.dirty |= bit;
        self.orphan &= !bit;
        self.seqs[sector] = seq;
    }

    /// Overwritten contents of one sector, oldest first.
    pub(super) fn versions(&self, sector: usize) -> impl Iterator<Item = &Older> {
        self.older.iter().filter(move |older| usize::from(older.sector) == sector)
    }

    /// One sector's newest bytes.
    pub(super) fn sector(&self, sector: usize) -> &[u8] {
        &self.data[sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES]
    }

    /// Sectors that a flush must write.
    pub(super) fn dirty_sectors(&self) -> impl Iterator<Item = usize> + use<> {
        let dirty = self.dirty;
        (0..PAGE_SECTORS).filter(move |sector| dirty & (1 << sector) != 0)
    }
}
