//! Faults on order, for timelines and tests, and what they did.

use super::DiskFaults;
use super::SimDisk;
use super::config::{Damage, DamageKind, DiskConfig, Lies};
use super::names::Target;
use super::pages::{PAGE_BYTES, SECTOR_BYTES};
use super::queue::Costs;
use storytime_machine::{DiskError, Time};

impl SimDisk {
    /// How the disk is.
    pub const fn config(&self) -> &DiskConfig {
        &self.config
    }

    /// Changes how the disk is, from now on; what is queued keeps its times. A layer that stops
    /// lying empties its cache at the next flush.
    ///
    /// # Panics
    /// If the configuration makes no sense: see [`DiskConfig::assert_valid`].
    pub fn set_config(&mut self, config: DiskConfig) {
        self.config = config.resolved();
        self.costs = Costs::new(&self.config);
        self.cache.resize(self.config.cache_bytes_max);
        self.chore = Time::ZERO; // due times may have changed: look at all of them
    }

    /// Changes which layers lie. Naming none makes the disk honest under every profile.
    pub const fn set_lies(&mut self, lies: Lies) {
        self.config.lies = lies;
    }

    /// Changes the faults drawn at random.
    ///
    /// # Panics
    /// If the range of stalls is empty.
    pub fn set_faults(&mut self, faults: DiskFaults) {
        self.config.faults = faults;
        self.config.assert_valid();
    }

    /// Makes the next `count` syncs that reach the device fail.
    pub const fn fail_next_syncs(&mut self, count: u32) {
        self.syncs_to_fail = count;
    }

    /// Takes all room but `left_bytes` away.
    pub fn fill(&mut self, left_bytes: u64) {
        let taken = self.used_bytes.saturating_add(left_bytes);
        self.ballast_bytes = self.config.capacity_bytes.saturating_sub(taken);
    }

    /// Gives back what [`fill`](Self::fill) took.
    pub const fn unfill(&mut self) {
        self.ballast_bytes = 0;
    }

    /// The device does nothing until `until`; what is already queued keeps its times.
    pub fn stall_until(&mut self, until: Time) {
        self.queue.stalled = self.queue.stalled.max(until);
    }

    /// Empties the page cache of what needs no flush: data that a failed sync lost is then seen to
    /// be lost.
    pub fn drop_caches(&mut self) {
        self.cache.clear();
        if self.device.is_empty() {
            for file in self.files.iter_mut().flatten() {
                file.evict(0..u64::MAX);
            }
        }
    }

    /// Damages the sector at byte `at` of a file: rots it or makes it unreadable, until it is
    /// written again. The other kinds happen only by themselves and are `Invalid` here.
    ///
    /// # Errors
    /// `NotFound` without such a file, `Invalid` beyond its end.
    pub fn damage_file(&mut self, path: &[u8], at: u64, kind: DamageKind) -> Result<(), DiskError> {
        let number = self.file_number(path).ok_or(DiskError::NotFound)?;
        let inside = self.file(number).is_some_and(|file| at < file.durable_len);
        if !inside || !matches!(kind, DamageKind::Rotted | DamageKind::Unreadable) {
            return Err(DiskError::Invalid);
        }
        self.damage_sector(number, at / SECTOR_BYTES as u64, kind);
        Ok(())
    }

    pub(super) fn damage_sector(&mut self, number: u32, sector: u64, kind: DamageKind) {
        let bit = self.rng.index(SECTOR_BYTES * 8);
        let Some(file) = self.files.get_mut(number as usize).and_then(Option::as_deref_mut) else {
            return;
        };
        // Only what is on the medium can be hurt there.
        if file.durable.page(sector * SECTOR_BYTES as u64 / PAGE_BYTES as u64).is_none() {
            return;
        }
        match kind {
            DamageKind::Unreadable => {
                file.unreadable.insert(sector);
            }
            _ => {
                let mut bytes = file.durable.sector(sector);
                bytes[bit / 8] ^= 1 << (bit % 8);
                file.durable.set_sector(sector, &bytes);
            }
        }
        self.generation += 1;
        self.damage.note(number, sector, kind);
    }

    /// The disk's own number of the file that has a name now.
    pub fn file_number(&self, path: &[u8]) -> Option<u32> {
        match self.names.look_up(path) {
            Some(Target::File(number)) => Some(number),
            _ => None,
        }
    }

    /// Damage done so far, one by one up to [`FAULT_DAMAGE_MAX`](super::FAULT_DAMAGE_MAX).
    pub fn damage(&self) -> &[Damage] {
        &self.damage.list
    }

    /// How many sectors were damaged so far.
    pub const fn damage_count(&self) -> u64 {
        self.damage.count
    }

    /// Whether the disk has no room for `more` bytes.
    pub fn is_full(&self, more: u64) -> bool {
        !self.fits(more)
    }
}
