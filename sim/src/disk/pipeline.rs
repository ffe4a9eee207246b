//! The way from the page cache through controller and drive to the medium, by sync or by time.

use super::SimDisk;
use super::config::{AfterFailedSync, DamageKind, Full, Profile};
use super::device::Entry;
use super::names::Change;
use super::pages::{PAGE_SECTORS, SECTOR_BYTES};
use storytime_machine::{DiskError, Time};

impl SimDisk {
    /// Lets time pass: write-back of what is old, caches that drain.
    pub fn advance(&mut self, now: Time) {
        while self.chore <= now && self.chore < Time::MAX {
            self.now = self.now.max(self.chore);
            self.chores();
        }
        self.now = self.now.max(now);
    }

    fn chores(&mut self) {
        self.generation += 1;
        let age = self.config.write_back;
        while let Some(&(since, _)) = self.dirty.front()
            && since + age <= self.now
        {
            self.write_back_oldest();
        }
        if self.names.dirty_since.is_some_and(|since| since + age <= self.now) {
            self.flush_names();
        }
        self.drain();
        let files = self.dirty.front().map_or(Time::MAX, |&(since, _)| since + age);
        let names = self.names.dirty_since.map_or(Time::MAX, |since| since + age);
        self.chore = files.min(names).min(self.device.due());
    }

    /// Writes the file back that heads the list of dirty ones, or puts it where it belongs.
    pub(super) fn write_back_oldest(&mut self) {
        let Some((listed, number)) = self.dirty.pop_front() else { return };
        self.generation += 1;
        let friendly = self.config.profile == Profile::Friendly;
        let Some(file) = self.file_mut(number) else { return };
        file.listed = false;
        match file.dirty_since {
            // It was flushed and became dirty again after it was listed.
            Some(since) if since > listed => {
                file.listed = true;
                self.dirty.push_back((since, number));
            }
            Some(_) if friendly => self.flush_everything(),
            Some(_) => self.flush_file(number),
            None => {}
        }
    }

    /// Makes a file's content and length durable, as far as the layers are honest.
    pub(super) fn sync(&mut self, number: u32) -> Result<(), DiskError> {
        self.stats.syncs += 1;
        self.generation += 1;
        if self.config.lies.file_system {
            self.stats.syncs_lied += 1;
            let seq = self.seq;
            self.with_file(number, |file| file.acknowledged = seq);
            return Ok(());
        }
        let dirty = self.file(number).is_some_and(|file| file.is_dirty());
        if dirty && self.config.full == Full::AtSync && !self.fits(0) {
            self.sweep();
            if !self.fits(0) {
                return Err(DiskError::NoSpace);
            }
        }
        if self.draw_failure() {
            self.fail_sync(number);
            return Err(DiskError::Io);
        }
        self.stats.syncs_lied += u64::from(self.config.lies.any());
        if self.config.profile == Profile::Friendly {
            self.flush_everything();
        } else if dirty && !self.config.lies.any() && self.rng.chance(self.config.faults.misdirect)
        {
            self.misdirect(number);
        } else {
            self.flush_file(number);
        }
        Ok(())
    }

    /// Makes a directory's names durable, as far as the layers are honest.
    pub(super) fn sync_directory(&mut self, directory: u32) -> Result<(), DiskError> {
        self.stats.syncs += 1;
        self.generation += 1;
        if self.config.lies.file_system {
            self.stats.syncs_lied += 1;
            self.names.acknowledged = self.seq;
            return Ok(());
        }
        if self.draw_failure() {
            // Names stay in the log: the next sync of the directory makes them durable.
            return Err(DiskError::Io);
        }
        self.stats.syncs_lied += u64::from(self.config.lies.any());
        if self.config.profile == Profile::Friendly {
            self.flush_everything();
        } else {
            let changes = self.names.take_synced(directory);
            self.send_names(changes);
            self.flush_device();
        }
        Ok(())
    }

    fn draw_failure(&mut self) -> bool {
        let ordered = self.syncs_to_fail > 0;
        self.syncs_to_fail = self.syncs_to_fail.saturating_sub(1);
        let fails = ordered || self.rng.chance(self.config.faults.sync_fails);
        self.stats.syncs_failed += u64::from(fails);
        fails
    }

    fn fail_sync(&mut self, number: u32) {
        let reverts = self.config.after_failed_sync == AfterFailedSync::RevertsToOld;
        let mut rng = self.rng.clone();
        let lost = self.with_file(number, |file| file.fail_flush(&mut rng, reverts));
        self.rng = rng;
        for sector in lost.into_iter().flatten() {
            self.damage.note(number, sector, DamageKind::LostByFailedSync);
        }
    }

    /// Flushes a file with one of its sectors put in the place of another one of the disk.
    fn misdirect(&mut self, number: u32) {
        let Some(file) = self.file_mut(number) else { return };
        file.spill();
        let dirty: Vec<u64> = file
            .view
            .iter()
            .flat_map(|(page, cached)| {
                cached.dirty_sectors().map(move |sector| page * PAGE_SECTORS as u64 + sector as u64)
            })
            .collect();
        if dirty.is_empty() {
            self.flush_file(number);
            return;
        }
        let sector = dirty[self.rng.index(dirty.len())];
        let old = self.file(number).map(|file| file.durable.sector(sector));
        self.flush_file(number);
        let victim = self.victim();
        let Some((file, old)) = self.file_mut(number).zip(old) else { return };
        let new = file.durable.sector(sector);
        file.durable.set_sector(sector, &old);
        self.damage.note(number, sector, DamageKind::WrittenElsewhere);
        if let Some((other, place)) = victim
            && (other, place) != (number, sector)
            && let Some(file) = self.file_mut(other)
        {
            file.durable.set_sector(place, &new);
            self.damage.note(other, place, DamageKind::Overwritten);
        }
    }

    /// A durable sector of any file.
    fn victim(&mut self) -> Option<(u32, u64)> {
        let sectors = |file: &super::File| file.durable_len.div_ceil(SECTOR_BYTES as u64);
        let total = self.files.iter().flatten().map(|file| sectors(file)).sum::<u64>();
        let mut left = if total == 0 { return None } else { self.rng.below(total) };
        for (number, file) in self.files.iter().enumerate() {
            let Some(file) = file else { continue };
            if left < sectors(file) {
                return Some((number as u32, left));
            }
            left -= sectors(file);
        }
        None
    }

    /// Sends everything dirty on its way.
    pub(super) fn flush_everything(&mut self) {
        let dirty = |file: &Option<Box<super::File>>| file.as_ref().is_some_and(|f| f.is_dirty());
        let numbers: Vec<usize> =
            (0..self.files.len()).filter(|&number| dirty(&self.files[number])).collect();
        for number in numbers {
            self.flush_file(number as u32);
        }
        self.flush_names();
    }

    fn flush_file(&mut self, number: u32) {
        if !self.config.lies.controller && !self.config.lies.drive {
            self.flush_device();
            self.with_file(number, |file| file.commit(true));
            return;
        }
        let drained = self.device.is_empty();
        let flushed = self.with_file(number, |file| {
            if drained {
                file.forget();
            }
            file.take_flush()
        });
        let Some(flushed) = flushed else { return };
        if let Some(len) = flushed.cut {
            self.send(Entry::Truncated { file: number, len });
        }
        for (sector, bytes) in flushed.runs {
            self.send(Entry::Run { file: number, sector, bytes });
        }
        self.send(Entry::Length { file: number, len: flushed.len });
        self.flush_device();
    }

    /// Sends all changes of names on their way.
    pub(super) fn flush_names(&mut self) {
        self.generation += 1;
        let changes = self.names.take_all();
        self.send_names(changes);
        self.flush_device();
    }

    fn send_names(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.send(Entry::Names(changes));
        }
    }

    fn send(&mut self, entry: Entry) {
        if self.config.lies.controller {
            self.device.push(self.now, entry, &self.config.controller);
            self.chore = self.chore.min(self.device.due());
        } else {
            self.pass_to_drive(entry);
        }
    }

    fn pass_to_drive(&mut self, entry: Entry) {
        match entry {
            Entry::Run { file, sector, bytes } => {
                for (index, bytes) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    self.pass_sector((file, sector + index as u64), bytes);
                }
            }
            Entry::Truncated { file, len } => {
                self.device.truncate(file, len);
                self.with_file(file, |file| {
                    file.durable.truncate(len);
                    file.durable_len = file.durable_len.min(len);
                });
            }
            Entry::Length { file, len } => {
                self.with_file(file, |file| file.durable_len = len);
            }
            Entry::Names(changes) => self.names.settle(&changes),
        }
    }

    fn pass_sector(&mut self, place: (u32, u64), bytes: &[u8]) {
        if self.config.lies.drive {
            self.device.put(self.now, place, bytes, &self.config.drive);
            self.chore = self.chore.min(self.device.due());
        } else {
            self.store(place, bytes);
        }
    }

    pub(super) fn store(&mut self, (number, sector): (u32, u64), bytes: &[u8]) {
        if let Some(file) = self.file_mut(number) {
            file.durable.set_sector(sector, bytes);
            file.unreadable.remove(&sector);
        }
    }

    /// What a cache flush does: honest layers empty themselves.
    fn flush_device(&mut self) {
        if self.device.is_empty() {
            return;
        }
        if !self.config.lies.controller {
            while let Some(entry) = self.device.pop_any() {
                self.pass_to_drive(entry);
            }
            if !self.config.lies.drive {
                for (place, bytes) in self.device.take_all() {
                    self.store(place, &bytes[..]);
                }
            }
        }
        self.drain();
    }

    /// What the caches do by themselves.
    fn drain(&mut self) {
        while let Some(entry) = self.device.pop(self.now, &self.config.controller) {
            self.pass_to_drive(entry);
        }
        while let Some((place, bytes)) =
            self.device.take(self.now, &self.config.drive, &mut self.rng)
        {
            self.store(place, &bytes[..]);
        }
    }
}
