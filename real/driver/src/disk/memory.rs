//! A disk in memory, for madsim: what the driver does around a disk, without one.
//!
//! Not modelled: durability, faults, space. Those are the simulator's business; here every byte
//! written survives every process.

use super::Files;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storytime_machine::disk::parent;
use storytime_machine::{Bytes, DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// The disk of a host. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<Tree>>);

type Contents = Arc<Mutex<Vec<u8>>>;

/// Names of a disk; the data directory itself is always there.
#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<Bytes, Contents>,
    dirs: BTreeMap<Bytes, ()>,
}

/// The disk in the hands of one process.
pub(crate) struct MemoryFiles {
    disk: MemoryDisk,
    open: Mutex<(u32, BTreeMap<FileId, Contents>)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryDisk {
    pub(crate) fn process(&self) -> MemoryFiles {
        MemoryFiles { disk: self.clone(), open: Mutex::default() }
    }
}

impl Tree {
    fn dir(&self, path: &[u8]) -> Result<(), DiskError> {
        let there = path.is_empty() || self.dirs.contains_key(path);
        if there { Ok(()) } else { Err(DiskError::NotFound) }
    }

    fn open(&mut self, path: Bytes, create: bool) -> Result<Contents, DiskError> {
        self.dir(parent(&path))?;
        match self.files.get(&path) {
            Some(contents) => Ok(Arc::clone(contents)),
            None if self.dirs.contains_key(&path) => Err(DiskError::Invalid),
            None if create => Ok(Arc::clone(self.files.entry(path).or_default())),
            None => Err(DiskError::NotFound),
        }
    }

    fn rename(&mut self, from: &Bytes, to: Bytes) -> Result<(), DiskError> {
        self.dir(parent(&to))?;
        if self.dirs.contains_key(from) || self.dirs.contains_key(&to) {
            return Err(DiskError::Invalid);
        }
        let contents = self.files.remove(from).ok_or(DiskError::NotFound)?;
        self.files.insert(to, contents);
        Ok(())
    }

    fn make_dir(&mut self, path: Bytes) -> Result<(), DiskError> {
        self.dir(parent(&path))?;
        if self.files.contains_key(&path) {
            return Err(DiskError::Invalid);
        }
        if !path.is_empty() {
            self.dirs.insert(path, ());
        }
        Ok(())
    }

    fn list(&self, path: &[u8]) -> Result<Vec<Bytes>, DiskError> {
        self.dir(path)?;
        let skip = if path.is_empty() { 0 } else { path.len() + 1 };
        let all = self.files.keys().chain(self.dirs.keys());
        let mut names: Vec<Bytes> =
            all.filter(|name| parent(name) == path).map(|name| name.slice(skip..)).collect();
        names.sort_unstable();
        Ok(names)
    }
}

impl Files for MemoryFiles {
    fn carry_out(&self, op: DiskOp) -> DiskResult {
        let mut tree = lock(&self.disk.0);
        match op {
            DiskOp::Open { path, create } => {
                let contents = tree.open(path, create)?;
                let len = lock(&contents).len() as u64;
                let mut open = lock(&self.open);
                let file = FileId(open.0);
                open.0 += 1;
                open.1.insert(file, contents);
                Ok(DiskOk::File { file, len })
            }
            DiskOp::Rename { from, to } => tree.rename(&from, to).map(|()| DiskOk::Done),
            DiskOp::Unlink { path } => {
                tree.files.remove(&path).map(|_| DiskOk::Done).ok_or(DiskError::NotFound)
            }
            DiskOp::MakeDir { path } => tree.make_dir(path).map(|()| DiskOk::Done),
            DiskOp::SyncDir { path } => tree.dir(&path).map(|()| DiskOk::Done),
            DiskOp::List { path } => tree.list(&path).map(DiskOk::Names),
            DiskOp::Close { file } => {
                let closed = lock(&self.open).1.remove(&file);
                closed.map(|_| DiskOk::Done).ok_or(DiskError::Invalid)
            }
            DiskOp::Read { file, at, len } => self.read(file, at, len),
            DiskOp::Write { file, at, data } => {
                let contents = self.file(file)?;
                let mut contents = lock(&contents);
                let range = at as usize..at as usize + data.len();
                let len = contents.len().max(range.end);
                contents.resize(len, 0);
                contents[range].copy_from_slice(&data);
                Ok(DiskOk::Done)
            }
            DiskOp::SetLen { file, len } => {
                lock(&*self.file(file)?).resize(len as usize, 0);
                Ok(DiskOk::Done)
            }
            DiskOp::Sync { file } => self.file(file).map(|_| DiskOk::Done),
        }
    }
}

impl MemoryFiles {
    fn file(&self, file: FileId) -> Result<Contents, DiskError> {
        lock(&self.open).1.get(&file).cloned().ok_or(DiskError::Invalid)
    }

    fn read(&self, file: FileId, at: u64, len: u32) -> DiskResult {
        let contents = self.file(file)?;
        let contents = lock(&contents);
        let from = contents.len().min(at as usize);
        let to = contents.len().min(from + len as usize);
        Ok(DiskOk::Data(Bytes::copy_from_slice(&contents[from..to])))
    }
}
