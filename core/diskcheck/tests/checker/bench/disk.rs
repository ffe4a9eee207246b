//! A disk in memory with one lying layer of choice.

use std::collections::BTreeMap;
use storytime_machine::{Bytes, DiskError, DiskOk, DiskOp, DiskResult, FileId, Rng};

const SECTOR: usize = 512;

/// What happens between an acknowledged flush and the platter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lie {
    /// It is on the platter.
    None,
    /// It stays in the page cache.
    FileSystem,
    /// It goes through a queue of so many entries, first in first out.
    Controller(usize),
    /// Sectors go through a cache of so many, drained in any order; lengths and names do not.
    Drive(usize),
}

/// Something on its way to the platter.
#[derive(Clone, Debug)]
enum Entry {
    Sector { inode: usize, index: usize, bytes: Vec<u8> },
    Len { inode: usize, len: usize },
    Names(BTreeMap<Bytes, usize>),
}

#[derive(Default)]
struct Image {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<Bytes, usize>,
}

pub(crate) struct Disk {
    lie: Lie,
    pub(crate) rng: Rng,
    /// What operations see.
    cached: Image,
    /// What a power cut leaves.
    platter: Image,
    /// Written since the last flush of the file: (inode, sector).
    dirty: Vec<(usize, usize)>,
    queue: Vec<Entry>,
    open: BTreeMap<FileId, usize>,
    next_file: u32,
    /// Fail the next flush.
    pub(crate) fail_sync: bool,
}

impl Disk {
    pub(crate) fn new(lie: Lie, rng: Rng) -> Self {
        Self {
            lie,
            rng,
            cached: Image::default(),
            platter: Image::default(),
            dirty: Vec::new(),
            queue: Vec::new(),
            open: BTreeMap::new(),
            next_file: 0,
            fail_sync: false,
        }
    }

    pub(crate) fn run(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Open { path, create } => self.open(path, create),
            DiskOp::Read { file, at, len } => {
                let data = &self.cached.inodes[self.open[&file]];
                let from = data.len().min(at as usize);
                let to = data.len().min(at as usize + len as usize);
                Ok(DiskOk::Data(Bytes::copy_from_slice(&data[from..to])))
            }
            DiskOp::Write { file, at, data } => {
                let (inode, at) = (self.open[&file], at as usize);
                let content = &mut self.cached.inodes[inode];
                content.resize(content.len().max(at + data.len()), 0);
                content[at..at + data.len()].copy_from_slice(&data);
                let sectors = at / SECTOR..(at + data.len()).div_ceil(SECTOR);
                self.dirty.extend(sectors.map(|sector| (inode, sector)));
                Ok(DiskOk::Done)
            }
            DiskOp::SetLen { file, len } => {
                self.cached.inodes[self.open[&file]].resize(len as usize, 0);
                Ok(DiskOk::Done)
            }
            DiskOp::Sync { .. } if self.fail_sync => Err(DiskError::Io),
            DiskOp::Sync { file } => {
                self.flush(self.open[&file]);
                Ok(DiskOk::Done)
            }
            DiskOp::Rename { from, to } => {
                let inode = self.cached.names.remove(&from).ok_or(DiskError::NotFound)?;
                self.cached.names.insert(to, inode);
                Ok(DiskOk::Done)
            }
            DiskOp::SyncDir { .. } => {
                self.queue_up(Entry::Names(self.cached.names.clone()));
                Ok(DiskOk::Done)
            }
            DiskOp::Close { file } => {
                self.open.remove(&file);
                Ok(DiskOk::Done)
            }
            DiskOp::MakeDir { .. } => Ok(DiskOk::Done),
            DiskOp::Unlink { .. } | DiskOp::List { .. } => unreachable!("nobody asks for it"),
        }
    }

    fn open(&mut self, path: Bytes, create: bool) -> DiskResult {
        let inode = match self.cached.names.get(&path) {
            Some(&inode) => inode,
            None if create => {
                let inode = self.cached.inodes.len();
                self.cached.inodes.push(Vec::new());
                self.platter.inodes.push(Vec::new());
                self.cached.names.insert(path, inode);
                inode
            }
            None => return Err(DiskError::NotFound),
        };
        self.next_file += 1;
        let file = FileId(self.next_file);
        self.open.insert(file, inode);
        Ok(DiskOk::File { file, len: self.cached.inodes[inode].len() as u64 })
    }

    fn flush(&mut self, inode: usize) {
        let len = self.cached.inodes[inode].len();
        self.queue_up(Entry::Len { inode, len });
        let (mine, others) = self.dirty.iter().copied().partition(|&(i, _)| i == inode);
        self.dirty = others;
        let mine: Vec<(usize, usize)> = mine;
        for (inode, index) in mine {
            let bytes = sector(&self.cached.inodes[inode], index);
            self.queue_up(Entry::Sector { inode, index, bytes });
        }
    }

    fn queue_up(&mut self, entry: Entry) {
        let data = matches!(entry, Entry::Sector { .. });
        match self.lie {
            Lie::FileSystem => {}
            Lie::None => self.platter.apply(&entry),
            Lie::Drive(_) if !data => self.platter.apply(&entry),
            Lie::Controller(room) => {
                self.queue.push(entry);
                while self.queue.len() > room {
                    let first = self.queue.remove(0);
                    self.platter.apply(&first);
                }
            }
            Lie::Drive(room) => {
                self.queue.push(entry);
                while self.queue.len() > room {
                    let any = self.queue.remove(self.rng.index(self.queue.len()));
                    self.platter.apply(&any);
                }
            }
        }
    }

    /// The page cache's write-back reaches a file.
    pub(crate) fn write_back(&mut self, path: &str) {
        let inode = self.cached.names[path.as_bytes()];
        self.platter.inodes[inode] = self.cached.inodes[inode].clone();
    }

    /// The page cache's write-back reaches the names.
    pub(crate) fn write_back_names(&mut self) {
        self.platter.names = self.cached.names.clone();
    }

    /// Power is cut: of what was not flushed any sector may have reached the platter.
    pub(crate) fn cut(&mut self) {
        if self.lie != Lie::FileSystem {
            for (inode, index) in core::mem::take(&mut self.dirty) {
                if self.rng.below(2) == 0 {
                    let bytes = sector(&self.cached.inodes[inode], index);
                    self.platter.apply(&Entry::Sector { inode, index, bytes });
                }
            }
        }
        self.queue.clear();
        self.open.clear();
        self.cached.inodes = self.platter.inodes.clone();
        self.cached.names = self.platter.names.clone();
    }

    /// Flips one bit of a file.
    pub(crate) fn rot(&mut self, path: &str, at: usize) {
        let inode = self.cached.names[path.as_bytes()];
        self.cached.inodes[inode][at] ^= 1;
    }

    /// Overwrites part of a file with another part of it.
    pub(crate) fn misdirect(&mut self, path: &str, from: usize, to: usize, len: usize) {
        let inode = self.cached.names[path.as_bytes()];
        self.cached.inodes[inode].copy_within(from..from + len, to);
    }
}

fn sector(content: &[u8], index: usize) -> Vec<u8> {
    let at = content.len().min(index * SECTOR);
    content[at..content.len().min(at + SECTOR)].to_vec()
}

impl Image {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Names(names) => self.names = names.clone(),
            Entry::Len { inode, len } => self.inodes[*inode].resize(*len, 0),
            Entry::Sector { inode, index, bytes } => {
                let content = &mut self.inodes[*inode];
                // A sector beyond the length that is known is lost with the length.
                let at = content.len().min(index * SECTOR);
                let len = bytes.len().min(content.len() - at);
                content[at..at + len].copy_from_slice(&bytes[..len]);
            }
        }
    }
}
