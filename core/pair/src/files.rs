//! The files that the active half's tenant has open.
//!
//! A path that is open already is opened only once on the disk and shared, because a disk keeps the
//! order of operations per open file: only so does everything that is sent of a file have one
//! order.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use storytime_machine::FileId;

/// A file of a mirrored directory.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    pub(crate) id: FileId,
    /// Its name now; `None` once it has none.
    pub(crate) path: Option<Bytes>,
    /// How many have it open.
    pub(crate) refs: u32,
    /// Its length on the own disk, as far as operations have completed, bytes.
    pub(crate) len: u64,
    /// The same once everything asked for has succeeded, bytes.
    pub(crate) len_asked: u64,
    /// The tenant's operations on it whose completion it has not been told, oldest first.
    pub(crate) told: VecDeque<u32>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_number: BTreeMap<u32, OpenFile>,
    by_id: BTreeMap<FileId, u32>,
    by_path: BTreeMap<Bytes, u32>,
    last: u32,
}

impl Files {
    /// A number for a file that is being opened.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    pub(crate) fn opened(&mut self, number: u32, id: FileId, path: Bytes, len: u64) {
        self.by_path.insert(path.clone(), number);
        self.by_id.insert(id, number);
        let file =
            OpenFile { id, path: Some(path), refs: 1, len, len_asked: len, told: VecDeque::new() };
        self.by_number.insert(number, file);
    }

    /// The last one that had it open closes it: nobody else may share it from now on.
    pub(crate) fn closing(&mut self, number: u32) {
        if let Some(file) = self.by_number.get_mut(&number)
            && let Some(path) = file.path.take()
        {
            self.by_path.remove(&path);
        }
    }

    pub(crate) fn number(&self, id: FileId) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn at_path(&self, path: &[u8]) -> Option<u32> {
        self.by_path.get(path).copied()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&OpenFile> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut OpenFile> {
        self.by_number.get_mut(&number)
    }

    /// It is closed.
    pub(crate) fn closed(&mut self, number: u32) {
        assert!(
            self.by_number.get(&number).is_none_or(|file| file.path.is_none()),
            "it was closing"
        );
        if let Some(file) = self.by_number.remove(&number) {
            self.by_id.remove(&file.id);
        }
    }

    pub(crate) fn renamed(&mut self, from: &Bytes, to: &Bytes) {
        self.unlinked(to);
        if let Some(number) = self.by_path.remove(from) {
            self.by_path.insert(to.clone(), number);
            if let Some(file) = self.by_number.get_mut(&number) {
                file.path = Some(to.clone());
            }
        }
    }

    pub(crate) fn unlinked(&mut self, path: &Bytes) {
        if let Some(number) = self.by_path.remove(path)
            && let Some(file) = self.by_number.get_mut(&number)
        {
            file.path = None;
        }
    }

    pub(crate) fn invariants(&self) {
        assert_eq!(self.by_id.len(), self.by_number.len(), "each file has one handle");
        for (path, number) in &self.by_path {
            let named = self.by_number.get(number).and_then(|file| file.path.as_ref());
            assert_eq!(named, Some(path), "names and files agree");
        }
    }
}
