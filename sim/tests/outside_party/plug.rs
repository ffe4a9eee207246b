//! A synchronous view of the simulated disk, with a plug that can be pulled at any operation.

use crate::Trouble;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use storytime_machine::{DiskError, DiskOk, DiskOp, DiskResult, FileId, OpKey, Rng, Time, Token};
use storytime_sim::disk::{DiskConfig, SimDisk};

const KEY: OpKey = OpKey::Machine(Token(0));
const OWNER: u32 = 0;

/// A disk, its clock, and its plug; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Plug {
    number: u32,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    disk: SimDisk,
    now: Time,
    /// Operations until the power goes.
    fuse: Option<u64>,
    off: bool,
    lengths: BTreeMap<Bytes, u64>,
    paths: BTreeMap<FileId, Bytes>,
}

impl Plug {
    /// A new disk, powered.
    pub(crate) fn new(config: &DiskConfig, seed: u64) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let inner = Inner {
            disk: SimDisk::new(config.clone(), Rng::new(seed, 2)),
            now: Time::ZERO,
            fuse: None,
            off: false,
            lengths: BTreeMap::new(),
            paths: BTreeMap::new(),
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { number, inner: Arc::new(Mutex::new(inner)) }
    }

    /// A name that no other disk of this process has.
    pub(crate) fn name(&self) -> String {
        format!("plug-{}", self.number)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the disk")
    }

    /// Lets the power go during the `ops`-th operation from now.
    pub(crate) fn pull_after(&self, ops: u64) {
        self.inner().fuse = Some(ops);
    }

    /// Lets the power go now, unless it is off.
    pub(crate) fn pull(&self) {
        let mut inner = self.inner();
        if !inner.off {
            inner.cut();
        }
    }

    /// Gives the power back.
    pub(crate) fn restore(&self) {
        let mut inner = self.inner();
        inner.off = false;
        inner.fuse = None;
        inner.disk.invariants();
    }

    /// Whether the power is off.
    pub(crate) fn is_off(&self) -> bool {
        self.inner().off
    }

    /// Carries an operation out; `Io` when the power is off or goes during it.
    pub(crate) fn run(&self, op: DiskOp) -> DiskResult {
        self.inner().run(op)
    }

    /// Opens a file.
    pub(crate) fn open(&self, path: &[u8], create: bool) -> Result<FileId, DiskError> {
        let path = Bytes::copy_from_slice(path);
        let mut inner = self.inner();
        match inner.run(DiskOp::Open { path: path.clone(), create })? {
            DiskOk::File { file, len } => {
                inner.lengths.insert(path.clone(), len);
                inner.paths.insert(file, path);
                Ok(file)
            }
            other => unreachable!("an open file, not {other:?}"),
        }
    }

    /// Reads; short at the end of the file.
    pub(crate) fn read(&self, file: FileId, at: u64, len: usize) -> Result<Bytes, DiskError> {
        match self.run(DiskOp::Read { file, at, len: len as u32 })? {
            DiskOk::Data(bytes) => Ok(bytes),
            other => unreachable!("data, not {other:?}"),
        }
    }

    /// Writes.
    pub(crate) fn write(&self, file: FileId, at: u64, data: &[u8]) -> Result<(), DiskError> {
        let mut inner = self.inner();
        inner.run(DiskOp::Write { file, at, data: Bytes::copy_from_slice(data) })?;
        let length = inner.length_mut(file);
        *length = (*length).max(at + data.len() as u64);
        Ok(())
    }

    /// Cuts or lengthens.
    pub(crate) fn set_len(&self, file: FileId, len: u64) -> Result<(), DiskError> {
        let mut inner = self.inner();
        inner.run(DiskOp::SetLen { file, len })?;
        *inner.length_mut(file) = len;
        Ok(())
    }

    /// Flushes a file.
    pub(crate) fn sync(&self, file: FileId) -> Result<(), DiskError> {
        self.run(DiskOp::Sync { file }).map(|_| ())
    }

    /// Flushes the names.
    pub(crate) fn sync_names(&self) -> Result<(), DiskError> {
        self.run(DiskOp::SyncDir { path: Bytes::new() }).map(|_| ())
    }

    /// How long a file is.
    pub(crate) fn len(&self, file: FileId) -> u64 {
        *self.inner().length_mut(file)
    }

    /// Whether there is a file.
    pub(crate) fn exists(&self, path: &[u8]) -> Result<bool, DiskError> {
        match self.run(DiskOp::List { path: Bytes::new() })? {
            DiskOk::Names(names) => Ok(names.iter().any(|name| name == path)),
            other => unreachable!("names, not {other:?}"),
        }
    }

    /// What an error of a database means.
    pub(crate) fn trouble(&self, error: impl ToString) -> Trouble {
        if self.is_off() { Trouble::PowerOff } else { Trouble::Broken(error.to_string()) }
    }
}

impl Inner {
    fn run(&mut self, op: DiskOp) -> DiskResult {
        if self.off {
            return Err(DiskError::Io);
        }
        let submitted = self.disk.submit(self.now, OWNER, KEY, op);
        if let Some(left) = &mut self.fuse {
            *left -= 1;
            if *left == 0 {
                self.cut();
                assert!(self.disk.complete(submitted.id).is_none(), "it died with the power");
                return Err(DiskError::Io);
            }
        }
        self.now = submitted.at;
        let (_, _, result) = self.disk.complete(submitted.id).expect("nobody died");
        result
    }

    fn cut(&mut self) {
        self.disk.power_cut(self.now);
        self.off = true;
        self.lengths.clear();
        self.paths.clear();
    }

    fn length_mut(&mut self, file: FileId) -> &mut u64 {
        // Without power nothing is known of any file.
        let path = self.paths.get(&file).cloned().unwrap_or_default();
        self.lengths.entry(path).or_default()
    }
}
