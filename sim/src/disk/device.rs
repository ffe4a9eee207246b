//! The volatile caches of a lying controller and a lying drive.
//!
//! Honest layers hold nothing here: a flush passes through them. Not modelled: caches that help
//! reads.

use super::config::CacheConfig;
use super::names::Change;
use super::pages::{SECTOR_BYTES, Sector};
use std::collections::{BTreeMap, VecDeque};
use storytime_machine::{Duration, Rng, Time};

/// Something on its way to the medium.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// Consecutive sectors of a file.
    Run { file: u32, sector: u64, bytes: Vec<u8> },
    /// A truncation, ahead of what was written behind it.
    Truncated { file: u32, len: u64 },
    /// A file's length.
    Length { file: u32, len: u64 },
    /// Changes of names.
    Names(Vec<Change>),
}

/// Which sector of which file.
pub(super) type Place = (u32, u64);

/// Both caches.
#[derive(Clone, Debug, Default)]
pub(super) struct Device {
    fifo: VecDeque<Entry>,
    fifo_bytes: u64,
    fifo_due: Time,
    cached: BTreeMap<Place, Box<Sector>>,
    order: Vec<Place>,
    drive_due: Time,
}

impl Entry {
    /// What it takes in a cache, bytes.
    fn bytes(&self) -> u64 {
        match self {
            Self::Run { bytes, .. } => bytes.len() as u64,
            Self::Truncated { .. } | Self::Length { .. } => SECTOR_BYTES as u64,
            Self::Names(changes) => (changes.len() * SECTOR_BYTES) as u64,
        }
    }
}

impl CacheConfig {
    fn drain_time(&self, bytes: u64) -> Duration {
        let transfer = bytes.saturating_mul(1_000_000_000) / self.bytes_per_s;
        Duration::from_nanos(1_000_000_000 / u64::from(self.iops) + transfer)
    }
}

impl Device {
    /// Whether everything acknowledged is on the medium.
    pub(super) fn is_empty(&self) -> bool {
        self.fifo.is_empty() && self.cached.is_empty()
    }

    /// Whether the controller holds acknowledged writes.
    pub(super) fn controller_holds(&self) -> bool {
        !self.fifo.is_empty()
    }

    /// When the next thing drains.
    pub(super) fn due(&self) -> Time {
        let controller = if self.fifo.is_empty() { Time::MAX } else { self.fifo_due };
        let drive = if self.cached.is_empty() { Time::MAX } else { self.drive_due };
        controller.min(drive)
    }

    /// Takes an entry into the controller's cache.
    pub(super) fn push(&mut self, now: Time, entry: Entry, config: &CacheConfig) {
        if self.fifo.is_empty() {
            self.fifo_due = now + config.drain_time(entry.bytes());
        }
        self.fifo_bytes += entry.bytes();
        self.fifo.push_back(entry);
    }

    /// The next entry of the controller's cache that is due, or that must go to make room.
    pub(super) fn pop(&mut self, now: Time, config: &CacheConfig) -> Option<Entry> {
        let overfull = self.fifo_bytes > config.bytes_max;
        if self.fifo.is_empty() || (self.fifo_due > now && !overfull) {
            return None;
        }
        let entry = self.pop_any();
        if let Some(next) = self.fifo.front() {
            self.fifo_due += config.drain_time(next.bytes());
        }
        entry
    }

    /// The oldest entry of the controller's cache, due or not.
    pub(super) fn pop_any(&mut self) -> Option<Entry> {
        let entry = self.fifo.pop_front()?;
        self.fifo_bytes -= entry.bytes();
        Some(entry)
    }

    /// Takes a sector into the drive's cache.
    pub(super) fn put(&mut self, now: Time, place: Place, bytes: &[u8], config: &CacheConfig) {
        if self.cached.is_empty() {
            self.drive_due = now + config.drain_time(SECTOR_BYTES as u64);
        }
        let mut sector = Box::new([0; SECTOR_BYTES]);
        sector.copy_from_slice(bytes);
        if self.cached.insert(place, sector).is_none() {
            self.order.push(place);
        }
    }

    /// A sector of the drive's cache, any one, if one is due or must go to make room.
    pub(super) fn take(
        &mut self,
        now: Time,
        config: &CacheConfig,
        rng: &mut Rng,
    ) -> Option<(Place, Box<Sector>)> {
        let overfull = (self.cached.len() * SECTOR_BYTES) as u64 > config.bytes_max;
        if self.cached.is_empty() || (self.drive_due > now && !overfull) {
            return None;
        }
        if self.drive_due <= now {
            self.drive_due += config.drain_time(SECTOR_BYTES as u64);
        }
        let place = self.order.swap_remove(rng.index(self.order.len()));
        let sector = self.cached.remove(&place).expect("the order lists what is cached");
        Some((place, sector))
    }

    /// Empties the drive's cache.
    pub(super) fn take_all(&mut self) -> BTreeMap<Place, Box<Sector>> {
        self.order.clear();
        core::mem::take(&mut self.cached)
    }

    /// Forgets cached sectors of a file from `len` bytes on.
    pub(super) fn truncate(&mut self, file: u32, len: u64) {
        let first = len.div_ceil(SECTOR_BYTES as u64);
        let beyond = |place: &Place| place.0 == file && place.1 >= first;
        self.order.retain(|place| !beyond(place));
        self.cached.retain(|place, _| !beyond(place));
        let partial = (len % SECTOR_BYTES as u64) as usize;
        if partial > 0
            && let Some(sector) = self.cached.get_mut(&(file, len / SECTOR_BYTES as u64))
        {
            sector[partial..].fill(0);
        }
    }

    /// Changes of names that the controller holds.
    pub(super) fn names(&self) -> impl Iterator<Item = &Change> {
        self.fifo.iter().flat_map(|entry| match entry {
            Entry::Names(changes) => &changes[..],
            _ => &[],
        })
    }

    /// Throws the controller's cache away and returns how many sectors and changes of names that
    /// were.
    pub(super) fn lose_controller(&mut self) -> (u64, u64) {
        let (mut sectors, mut names) = (0, 0);
        while let Some(entry) = self.pop_any() {
            match entry {
                Entry::Run { bytes, .. } => sectors += (bytes.len() / SECTOR_BYTES) as u64,
                Entry::Names(changes) => names += changes.len() as u64,
                Entry::Truncated { .. } | Entry::Length { .. } => {}
            }
        }
        (sectors, names)
    }
}
