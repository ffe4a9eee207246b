//! Files in memory: every operation completes at once, nothing is ever lost.

use std::collections::BTreeMap;
use storytime_machine::{Bytes, DiskError, DiskOk, DiskOp, DiskResult, FileId, disk::parent};

/// What a path stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Dir,
    /// Index into the contents.
    File(usize),
}

/// The data directory of one process.
#[derive(Default)]
pub(crate) struct Disk {
    nodes: BTreeMap<Bytes, Node>,
    contents: Vec<Vec<u8>>,
    open: BTreeMap<FileId, usize>,
    opened: u32,
}

impl Disk {
    pub(crate) fn run(&mut self, op: DiskOp) -> DiskResult {
        if !op.is_valid() {
            return Err(DiskError::Invalid);
        }
        if let Some(file) = op.file() {
            let content = *self.open.get(&file).ok_or(DiskError::Invalid)?;
            return Ok(self.on_file(content, op));
        }
        self.on_name(op)
    }

    fn on_file(&mut self, content: usize, op: DiskOp) -> DiskOk {
        let bytes = &mut self.contents[content];
        match op {
            DiskOp::Read { at, len, .. } => {
                let from = bytes.len().min(usize::try_from(at).unwrap_or(usize::MAX));
                let to = bytes.len().min(from + len as usize);
                return DiskOk::Data(Bytes::copy_from_slice(&bytes[from..to]));
            }
            DiskOp::Write { at, data, .. } => {
                let at = at as usize;
                bytes.resize(bytes.len().max(at + data.len()), 0);
                bytes[at..at + data.len()].copy_from_slice(&data);
            }
            DiskOp::SetLen { len, .. } => bytes.resize(len as usize, 0),
            DiskOp::Close { file } => {
                self.open.remove(&file);
            }
            _ => {}
        }
        DiskOk::Done
    }

    fn on_name(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Open { path, create } => return self.open(&path, create),
            DiskOp::Rename { from, to } => {
                self.directory(parent(&to))?;
                let node = self.nodes.remove(&from).ok_or(DiskError::NotFound)?;
                self.nodes.insert(to, node);
            }
            DiskOp::Unlink { path } => {
                self.nodes.remove(&path).ok_or(DiskError::NotFound)?;
            }
            DiskOp::MakeDir { path } => {
                self.directory(parent(&path))?;
                self.nodes.insert(path, Node::Dir);
            }
            DiskOp::SyncDir { path } => self.directory(&path)?,
            DiskOp::List { path } => return self.list(&path),
            _ => unreachable!("operations on files were handled before"),
        }
        Ok(DiskOk::Done)
    }

    fn open(&mut self, path: &Bytes, create: bool) -> DiskResult {
        self.directory(parent(path))?;
        let content = match self.nodes.get(path) {
            Some(Node::File(content)) => *content,
            Some(Node::Dir) => return Err(DiskError::Invalid),
            None if !create => return Err(DiskError::NotFound),
            None => {
                self.contents.push(Vec::new());
                self.nodes.insert(path.clone(), Node::File(self.contents.len() - 1));
                self.contents.len() - 1
            }
        };
        self.opened += 1;
        let file = FileId(self.opened);
        self.open.insert(file, content);
        Ok(DiskOk::File { file, len: self.contents[content].len() as u64 })
    }

    fn directory(&self, path: &[u8]) -> Result<(), DiskError> {
        let there = path.is_empty() || self.nodes.get(path) == Some(&Node::Dir);
        if there { Ok(()) } else { Err(DiskError::NotFound) }
    }

    fn list(&self, path: &[u8]) -> DiskResult {
        self.directory(path)?;
        let skip = if path.is_empty() { 0 } else { path.len() + 1 };
        let inside = self.nodes.keys().filter(|name| parent(name) == path);
        Ok(DiskOk::Names(inside.map(|name| name.slice(skip..)).collect()))
    }
}
