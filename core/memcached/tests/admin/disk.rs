//! A disk by hand: what is written is there at once, what is synced stays.

use bytes::Bytes;
use std::collections::BTreeMap;
use storytime_machine::{DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// Files by name, and what a power cut would leave of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    /// By number: contents now, and contents that last.
    files: Vec<(Vec<u8>, Vec<u8>)>,
    names: BTreeMap<Bytes, usize>,
    lasting: BTreeMap<Bytes, usize>,
}

impl Disk {
    /// Carries out one operation.
    pub(crate) fn run(&mut self, op: DiskOp) -> DiskResult {
        assert!(op.is_valid(), "{op:?}");
        match op {
            DiskOp::Open { path, create } => {
                let at = match self.names.get(&path) {
                    Some(&at) => at,
                    None if !create => return Err(DiskError::NotFound),
                    None => {
                        self.files.push((Vec::new(), Vec::new()));
                        self.names.insert(path, self.files.len() - 1);
                        self.files.len() - 1
                    }
                };
                let len = self.files[at].0.len() as u64;
                return Ok(DiskOk::File { file: FileId(at as u32), len });
            }
            DiskOp::Read { file, at, len } => {
                let data = &self.file(file).0;
                let from = data.len().min(at as usize);
                let to = data.len().min(from + len as usize);
                return Ok(DiskOk::Data(Bytes::copy_from_slice(&data[from..to])));
            }
            DiskOp::Write { file, at, data } => {
                let (now, at) = (&mut self.file(file).0, at as usize);
                now.resize(now.len().max(at + data.len()), 0);
                now[at..at + data.len()].copy_from_slice(&data);
            }
            DiskOp::SetLen { file, len } => self.file(file).0.resize(len as usize, 0),
            DiskOp::Sync { file } => {
                let (now, lasting) = self.file(file);
                lasting.clone_from(now);
            }
            DiskOp::Rename { from, to } => {
                let at = self.names.remove(&from).ok_or(DiskError::NotFound)?;
                self.names.insert(to, at);
            }
            DiskOp::Unlink { path } => {
                self.names.remove(&path).ok_or(DiskError::NotFound)?;
            }
            DiskOp::SyncDir { .. } => self.lasting = self.names.clone(),
            other => unreachable!("{other:?} is not asked for"),
        }
        Ok(DiskOk::Done)
    }

    fn file(&mut self, file: FileId) -> &mut (Vec<u8>, Vec<u8>) {
        &mut self.files[file.0 as usize]
    }

    /// The contents of a file, to damage.
    pub(crate) fn contents(&mut self, name: &'static str) -> Option<&mut Vec<u8>> {
        let at = *self.names.get(name.as_bytes())?;
        Some(&mut self.files[at].0)
    }

    /// The disk after a power cut: only what lasts.
    pub(crate) fn cut(&self) -> Self {
        let files = self.files.iter().map(|(_, lasting)| (lasting.clone(), lasting.clone()));
        let names = self.lasting.clone();
        Self { files: files.collect(), names: names.clone(), lasting: names }
    }

    /// Whether there are no files.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
