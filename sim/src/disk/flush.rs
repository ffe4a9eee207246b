//! What a flush, a failing flush and a power cut do to one file.

use super::chooser::{Choice, Chooser};
use super::file::{Cached, Cut, File, Length};
use super::pages::{PAGE_SECTORS, SECTOR_BYTES, Sector};
use storytime_machine::{Rng, Time, hash};

/// What a file sends towards the device.
#[derive(Clone, Debug)]
pub(super) struct Flushed {
    /// Runs of dirty sectors: the first sector, and the bytes.
    pub(super) runs: Vec<(u64, Vec<u8>)>,
    /// Where it was truncated, if it was.
    pub(super) cut: Option<u64>,
    /// Its length.
    pub(super) len: u64,
}

/// How a power cut picks among versions.
pub(super) enum Pick<'a> {
    /// Nothing unflushed survives.
    Durable,
    /// The newest version that is not newer than this one.
    UpTo(u64),
    /// One choice per sector and length.
    Each {
        /// Who chooses.
        chooser: &'a mut dyn Chooser,
        /// Garbage behind tears, stale bytes in blocks that were not written.
        hostile: bool,
    },
}

/// What a power cut did to a file.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) kept: u64,
    pub(super) lost: u64,
    pub(super) torn: u64,
    /// Of the lost ones, those that a lying file system had acknowledged.
    pub(super) lost_acknowledged: u64,
    /// Digest of what changed against the durable content; 0 if nothing did.
    pub(super) survivors: u64,
}

impl File {
    /// Makes the newest versions durable: an honest flush. Cached pages go when `forget` says that
    /// the medium has everything.
    pub(super) fn commit(&mut self, forget: bool) {
        if let Some(cut) = self.cut.take() {
            self.durable.truncate(cut.len);
        }
        if !self.tail.is_empty() {
            self.commit_tail();
        }
        for &page in &self.dirty_pages {
            let cached = &self.view[&page];
            for sector in cached.dirty_sectors() {
                let number = page * PAGE_SECTORS as u64 + sector as u64;
                self.durable.set_sector(number, cached.sector(sector));
                self.unreadable.remove(&number);
            }
        }
        self.durable_len = self.len;
        self.clean(forget);
    }

    fn commit_tail(&mut self) {
        let mut at = self.tail_at;
        for chunk in self.tail.drain(..) {
            self.durable.write(at, &chunk.data);
            at += chunk.data.len() as u64;
        }
        debug_assert_eq!(at, self.len, "the tail ends the file");
        if !self.unreadable.is_empty() {
            let first = self.tail_at / SECTOR_BYTES as u64;
            self.unreadable.split_off(&first);
        }
    }

    /// Takes everything that is dirty for the device; readers go on seeing it in the cache.
    pub(super) fn take_flush(&mut self) -> Flushed {
        self.spill();
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        for &page in &self.dirty_pages {
            let cached = &self.view[&page];
            for sector in cached.dirty_sectors() {
                let number = page * PAGE_SECTORS as u64 + sector as u64;
                match runs.last_mut() {
                    Some((first, bytes))
                        if *first + (bytes.len() / SECTOR_BYTES) as u64 == number =>
                    {
                        bytes.extend_from_slice(cached.sector(sector));
                    }
                    _ => runs.push((number, cached.sector(sector).to_vec())),
                }
            }
        }
        let cut = self.cut.take().map(|cut| cut.len);
        self.masked = self.masked.into_iter().chain(cut).min();
        let flushed = Flushed { runs, cut, len: self.len };
        self.clean(false);
        flushed
    }

    fn clean(&mut self, forget: bool) {
        while let Some(page) = self.dirty_pages.pop_first() {
            if let Some(cached) = self.view.get_mut(&page) {
                cached.dirty = 0;
                cached.older.clear();
            }
        }
        if forget {
            self.forget();
        }
        self.lens.clear();
        self.dirty_bytes = 0;
        self.dirty_since = None;
    }

    /// Forgets cached pages that say nothing that the medium does not say: for when all caches
    /// below are empty.
    pub(super) fn forget(&mut self) {
        self.view.retain(|_, cached| cached.dirty | cached.orphan != 0);
        self.masked = None;
    }

    /// A flush that fails: each dirty sector and the length is durable or thrown away. Returns the
    /// sectors thrown away.
    pub(super) fn fail_flush(&mut self, rng: &mut Rng, reverts: bool) -> Vec<u64> {
        self.spill();
        let mut lost = Vec::new();
        if let Some(cut) = self.cut.take() {
            self.durable.truncate(cut.len);
            self.durable_len = self.durable_len.min(cut.len);
        }
        if rng.below(2) == 1 {
            self.durable_len = self.len;
        }
        for page in &self.dirty_pages {
            let cached = self.view.get_mut(page).expect("dirty pages are cached");
            for sector in cached.dirty_sectors() {
                let number = page * PAGE_SECTORS as u64 + sector as u64;
                if rng.below(2) == 1 {
                    self.durable.set_sector(number, cached.sector(sector));
                    self.unreadable.remove(&number);
                } else {
                    cached.orphan |= 1 << sector;
                    lost.push(number);
                }
            }
        }
        self.clean(false);
        if reverts {
            self.view.clear();
            self.len = self.durable_len;
        }
        lost
    }

    /// The power goes: what was not flushed becomes one of its versions. Of the file in the cache
    /// nothing remains.
    pub(super) fn crash(&mut self, number: u32, pick: &mut Pick<'_>, rng: &mut Rng) -> Outcome {
        self.spill();
        let (len, cut_happened) = self.crash_len(number, pick);
        let cut = self.cut.take();
        if let Some(cut) = cut
            && cut_happened
        {
            self.durable.truncate(cut.len);
        }
        let mut outcome = Outcome::default();
        if cut_happened || len != self.durable_len {
            let cut = cut.filter(|_| cut_happened).map_or(u64::MAX, |cut| cut.len);
            outcome.survives(number, hash::fold(len, cut));
        }
        for (page, cached) in core::mem::take(&mut self.view) {
            for sector in cached.dirty_sectors() {
                let id = page * PAGE_SECTORS as u64 + sector as u64;
                let beyond = |cut: Cut| id * SECTOR_BYTES as u64 >= cut.len;
                if !cut_happened && cut.is_some_and(beyond) {
                    outcome.lose(cached.seqs[sector] <= self.acknowledged);
                    continue;
                }
                let survivor = survivor(number, id, &cached, sector, pick);
                let changed = self.crash_sector(id, survivor, pick, rng, &mut outcome);
                if id * (SECTOR_BYTES as u64) < len
                    && let Some(digest) = changed
                {
                    outcome.survives(number, digest);
                }
                if survivor != Some(cached.sector(sector)) {
                    outcome.lose(oldest(&cached, sector) <= self.acknowledged);
                }
            }
        }
        self.durable_len = len;
        self.durable.truncate(len);
        self.len = len;
        self.clean(true);
        (self.acknowledged, self.queued_bytes, self.opens) = (0, 0, 0);
        (self.listed, self.lane) = (false, Time::ZERO);
        outcome
    }

    /// The length after a crash, and whether the truncation before it happened.
    fn crash_len(&self, number: u32, pick: &mut Pick<'_>) -> (u64, bool) {
        let chosen = match pick {
            Pick::Durable => 0,
            Pick::UpTo(seq) => self.lens.partition_point(|length| length.seq <= *seq),
            Pick::Each { .. } if self.lens.is_empty() => 0,
            Pick::Each { chooser, .. } => {
                let options = self.lens.len() as u32 + 1;
                chooser.choose(Choice::Length { file: number }, options) as usize
            }
        };
        let Some(index) = chosen.checked_sub(1) else { return (self.durable_len, false) };
        let Length { seq, len } = self.lens[index];
        (len, self.cut.is_some_and(|cut| cut.seq <= seq))
    }

    /// Decides what a sector holds, and returns a digest of it if it is not what was durable.
    fn crash_sector(
        &mut self,
        id: u64,
        survivor: Option<&[u8]>,
        pick: &mut Pick<'_>,
        rng: &mut Rng,
        outcome: &mut Outcome,
    ) -> Option<u64> {
        let mut torn: Sector;
        let bytes = match (survivor, pick) {
            (None, Pick::Each { hostile: true, .. })
                if id * SECTOR_BYTES as u64 >= self.durable_len =>
            {
                torn = [0; SECTOR_BYTES];
                rng.fill(&mut torn);
                &torn[..]
            }
            (None, _) => return None,
            (Some(new), Pick::Each { chooser, hostile }) => {
                let whole = chooser.tear(id).min(SECTOR_BYTES);
                outcome.kept += 1;
                if whole < SECTOR_BYTES {
                    outcome.torn += 1;
                    torn = self.durable.sector(id);
                    torn[..whole].copy_from_slice(&new[..whole]);
                    if *hostile {
                        rng.fill(&mut torn[whole..]);
                    }
                    &torn[..]
                } else {
                    new
                }
            }
            (Some(new), _) => {
                outcome.kept += 1;
                new
            }
        };
        self.unreadable.remove(&id);
        self.durable.replace_sector(id, bytes).then(|| digest_sector(id, bytes))
    }
}

/// Digest of a sector, four words at a time: a power cut that is tried thousands of times spends
/// its time here.
pub(super) fn digest_sector(id: u64, bytes: &[u8]) -> u64 {
    let mut lanes = [id, 1, 2, 3];
    for words in bytes.chunks_exact(32) {
        for (lane, word) in lanes.iter_mut().zip(words.chunks_exact(8)) {
            *lane = hash::fold(*lane, u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
    }
    lanes.into_iter().fold(0, hash::fold)
}

/// The version of a dirty sector that survives; `None` for the durable one.
fn survivor<'c>(
    file: u32,
    id: u64,
    cached: &'c Cached,
    sector: usize,
    pick: &mut Pick<'_>,
) -> Option<&'c [u8]> {
    let older = cached.versions(sector).count();
    let index = match pick {
        Pick::Durable => 0,
        Pick::UpTo(seq) if cached.seqs[sector] <= *seq => older + 1,
        Pick::UpTo(seq) => cached.versions(sector).filter(|version| version.seq <= *seq).count(),
        Pick::Each { chooser, .. } => {
            chooser.choose(Choice::Sector { file, sector: id }, older as u32 + 2) as usize
        }
    };
    if index == older + 1 {
        return Some(cached.sector(sector));
    }
    let index = index.checked_sub(1)?;
    cached.versions(sector).nth(index).map(|version| &version.data[..])
}

/// The first version of a dirty sector since the last flush.
fn oldest(cached: &Cached, sector: usize) -> u64 {
    cached.versions(sector).next().map_or(cached.seqs[sector], |version| version.seq)
}

impl Outcome {
    fn survives(&mut self, file: u32, what: u64) {
        self.survivors = hash::fold(hash::fold(self.survivors, u64::from(file)), what);
    }

    fn lose(&mut self, acknowledged: bool) {
        self.lost += 1;
        self.lost_acknowledged += u64::from(acknowledged);
    }
}
