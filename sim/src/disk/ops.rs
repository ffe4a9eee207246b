//! Carrying operations out.

use super::SimDisk;
use super::cache::CHUNK_BYTES;
use super::config::{DamageKind, Full};
use super::handles::Handle;
use super::names::Target;
use super::pages::{PAGE_BYTES, SECTOR_BYTES};
use super::{FILE_BYTES_MAX, file::File};
use bytes::Bytes;
use storytime_machine::{DiskError, DiskOk, DiskOp, DiskResult, FileId, Time};

impl SimDisk {
    pub(super) fn carry_out(&mut self, owner: u32, op: DiskOp) -> DiskResult {
        debug_assert!(op.is_valid(), "others are refused when they are submitted");
        let done = |result: Result<(), DiskError>| result.map(|()| DiskOk::Done);
        match op {
            DiskOp::Write { file, at, data } => done(self.write(owner, file, at, data)),
            DiskOp::Sync { file } => done(self.number(owner, file).and_then(|n| self.sync(n))),
            DiskOp::Read { file, at, len } => self.read(owner, file, at, len).map(DiskOk::Data),
            DiskOp::SetLen { file, len } => done(self.set_len(owner, file, len)),
            DiskOp::Open { path, create } => self.open(owner, &path, create),
            DiskOp::Close { file } => done(self.close(owner, file)),
            DiskOp::Rename { from, to } => {
                let replaces = self.names.look_up(&to).is_some();
                self.change_names(replaces, |names, now, seq| names.rename(now, seq, &from, &to))
            }
            DiskOp::Unlink { path } => {
                self.change_names(true, |names, now, seq| names.unlink(now, seq, &path))
            }
            DiskOp::MakeDir { path } => {
                self.change_names(false, |names, now, seq| names.make_directory(now, seq, &path))
            }
            DiskOp::SyncDir { path } => {
                done(self.names.directory(&path).and_then(|d| self.sync_directory(d)))
            }
            DiskOp::List { path } => self.names.list(&path).map(DiskOk::Names),
        }
    }

    fn number(&self, owner: u32, id: FileId) -> Result<u32, DiskError> {
        self.handles.get(owner, id).ok_or(DiskError::Invalid)
    }

    /// Changes a file and keeps the disk's accounts of it.
    pub(super) fn with_file<R>(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut File) -> R,
    ) -> Option<R> {
        let file = self.files.get_mut(number as usize)?.as_deref_mut()?;
        let (allocated, dirty) = (file.allocated(), file.dirty_bytes);
        let result = change(file);
        self.used_bytes = self.used_bytes - allocated + file.allocated();
        self.dirty_bytes = self.dirty_bytes - dirty + file.dirty_bytes;
        if !file.listed
            && let Some(since) = file.dirty_since
        {
            file.listed = true;
            self.dirty.push_back((since, number));
            self.chore = self.chore.min(since + self.config.write_back);
        }
        Some(result)
    }

    fn write(&mut self, owner: u32, id: FileId, at: u64, data: Bytes) -> Result<(), DiskError> {
        let number = self.number(owner, id)?;
        let len = data.len() as u64;
        self.make_room(number, at + len)?;
        self.stats.writes += 1;
        self.seq += 1;
        let (now, seq) = (self.now, self.seq);
        self.with_file(number, |file| file.write(now, at, data, seq));
        self.fetch(number, at, len);
        if self.dirty_bytes > self.config.dirty_bytes_max {
            self.write_back_oldest();
        }
        Ok(())
    }

    fn set_len(&mut self, owner: u32, id: FileId, len: u64) -> Result<(), DiskError> {
        let number = self.number(owner, id)?;
        self.make_room(number, len)?;
        self.stats.writes += 1;
        self.seq += 1;
        let (now, seq) = (self.now, self.seq);
        self.with_file(number, |file| file.set_len(now, len, seq));
        Ok(())
    }

    /// Whether the file may grow to `len`.
    fn make_room(&mut self, number: u32, len: u64) -> Result<(), DiskError> {
        if len > FILE_BYTES_MAX {
            return Err(DiskError::Invalid);
        }
        let allocated = self.file(number).map_or(0, File::allocated);
        if len <= allocated || self.config.full == Full::AtSync {
            return Ok(());
        }
        let more = len.next_multiple_of(PAGE_BYTES as u64) - allocated;
        if !self.fits(more) {
            self.sweep();
        }
        if self.fits(more) { Ok(()) } else { Err(DiskError::NoSpace) }
    }

    /// Whether so many more bytes fit on the disk.
    pub(super) fn fits(&self, more: u64) -> bool {
        self.used_bytes + self.ballast_bytes + more <= self.config.capacity_bytes
    }

    /// Notes that a range is in the page cache.
    fn fetch(&mut self, number: u32, at: u64, len: u64) {
        let (files, settled) = (&mut self.files, self.device.is_empty());
        self.cache.insert(number, at, len, |(file, chunk)| {
            if let Some(Some(file)) = files.get_mut(file as usize)
                && settled
            {
                const PAGES: u64 = CHUNK_BYTES / PAGE_BYTES as u64;
                file.evict(chunk * PAGES..(chunk + 1) * PAGES);
            }
        });
    }

    fn read(&mut self, owner: u32, id: FileId, at: u64, len: u32) -> Result<Bytes, DiskError> {
        let number = self.number(owner, id)?;
        self.stats.reads += 1;
        let left = self.file(number).map_or(0, |file| file.len.saturating_sub(at));
        let len = u64::from(len).min(left);
        if len == 0 {
            return Ok(Bytes::new());
        }
        self.draw_read_faults(number, at, len);
        self.fetch(number, at, len);
        let mut bytes = vec![0; len as usize];
        let read = self.file(number).map_or(Ok(()), |file| file.read(at, &mut bytes));
        read.map(|()| bytes.into()).map_err(|_sector| DiskError::Io)
    }

    fn draw_read_faults(&mut self, number: u32, at: u64, len: u64) {
        let faults = self.config.faults;
        let (first, last) = (at / SECTOR_BYTES as u64, (at + len - 1) / SECTOR_BYTES as u64);
        if self.rng.chance(faults.read_fails) {
            let sector = self.rng.between(first, last);
            self.damage_sector(number, sector, DamageKind::Unreadable);
        }
        if self.rng.chance(faults.rot) {
            let sector = self.rng.between(first, last);
            self.damage_sector(number, sector, DamageKind::Rotted);
        }
    }

    fn open(&mut self, owner: u32, path: &Bytes, create: bool) -> DiskResult {
        let number = match self.names.look_up(path) {
            Some(Target::File(number)) => number,
            Some(Target::Directory(_)) => return Err(DiskError::Invalid),
            None if create => {
                let number = self.files.len() as u32;
                self.change_names(false, |names, now, seq| names.create(now, seq, path, number))?;
                self.files.push(Some(Box::default()));
                number
            }
            None => return Err(DiskError::NotFound),
        };
        let file = self.handles.open(Handle { file: number, owner }).ok_or(DiskError::Denied)?;
        let opened = self.file_mut(number).expect("a file with a name exists");
        opened.opens += 1;
        Ok(DiskOk::File { file, len: opened.len })
    }

    fn close(&mut self, owner: u32, id: FileId) -> Result<(), DiskError> {
        let number = self.handles.close(owner, id).ok_or(DiskError::Invalid)?;
        self.closed(number);
        Ok(())
    }

    /// Accounts for a closed handle.
    pub(super) fn closed(&mut self, number: u32) {
        if let Some(file) = self.file_mut(number) {
            file.opens -= 1;
        }
    }

    fn change_names(
        &mut self,
        loosens: bool,
        change: impl FnOnce(&mut super::Names, Time, u64) -> Result<(), DiskError>,
    ) -> DiskResult {
        self.seq += 1;
        change(&mut self.names, self.now, self.seq)?;
        if let Some(since) = self.names.dirty_since {
            self.chore = self.chore.min(since + self.config.write_back);
        }
        if self.names.pending().len() > NAME_CHANGES_MAX {
            self.flush_names();
        }
        if loosens {
            self.loose += 1;
            if self.loose > LOOSE_MIN + self.files.len() / 4 {
                self.sweep();
            }
        }
        Ok(DiskOk::Done)
    }

    /// Forgets files that have no name, are not open, and cannot come back.
    pub(super) fn sweep(&mut self) {
        self.loose = 0;
        let named = self.names.files(self.device.names());
        for (number, slot) in self.files.iter_mut().enumerate() {
            let gone = |file: &File| file.opens == 0 && !named.contains(&(number as u32));
            if let Some(file) = slot.take_if(|file| gone(file)) {
                self.used_bytes -= file.allocated();
                self.dirty_bytes -= file.dirty_bytes;
            }
        }
    }
}

/// Changes of names that may wait; more are written back at once.
const NAME_CHANGES_MAX: usize = 1 << 16;
/// Names taken away before files without a name are looked for.
const LOOSE_MIN: usize = 64;
