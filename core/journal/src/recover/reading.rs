//! A file that recovery reads from its beginning, a window of it in memory at a time.

use crate::Storage;
use crate::format::Name;
use crate::options::READ_BYTES;
use bytes::Bytes;
use storytime_machine::{Cx, DiskOk, DiskOp, DiskResult, FileId, Token};

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) name: Name,
    file: Option<FileId>,
    /// How long it was when it was opened, bytes.
    pub(super) len: u64,
    /// Where in the file the reader is.
    pub(super) at: u64,
    /// Bytes read, and where they are in the file.
    window: Bytes,
    window_at: u64,
    /// How many were asked for.
    asked: usize,
}

impl Reading {
    /// Opens a file.
    pub(super) fn open(
        cx: &mut Cx,
        io: &mut dyn Storage,
        token: Token,
        dir: &[u8],
        name: Name,
    ) -> Self {
        io.submit(cx, token, DiskOp::Open { path: name.path(dir), create: false });
        let window = Bytes::new();
        Self { name, file: None, len: 0, at: 0, window, window_at: 0, asked: 0 }
    }

    /// It was opened, or a piece of it read. False if it cannot be read, or has become shorter.
    pub(super) fn take(&mut self, result: DiskResult) -> bool {
        match result {
            Ok(DiskOk::File { file, len }) => (self.file, self.len) = (Some(file), len),
            Ok(DiskOk::Data(bytes)) => (self.window, self.window_at) = (bytes, self.at),
            _ => return false,
        }
        self.window.len() >= self.asked
    }

    /// Asks for more: at least so many bytes from where the reader is. False if the file has no
    /// more than what is there.
    pub(super) fn read(
        &mut self,
        cx: &mut Cx,
        io: &mut dyn Storage,
        token: Token,
        bytes: usize,
    ) -> bool {
        let left = self.len - self.at;
        if self.rest().len() as u64 >= left.min(bytes as u64) {
            return false;
        }
        let len = (bytes.max(READ_BYTES) as u64).min(left) as u32;
        self.asked = len as usize;
        io.submit(cx, token, DiskOp::Read { file: self.file(), at: self.at, len });
        true
    }

    /// Begins with the first byte again, as if nothing had been read.
    pub(super) fn rewind(&mut self) {
        (self.at, self.window, self.window_at) = (0, Bytes::new(), 0);
    }

    /// What was read from where the reader is.
    pub(super) fn rest(&self) -> &[u8] {
        self.window.get(self.skipped()..).unwrap_or_default()
    }

    /// The same, `skip` bytes further on.
    pub(super) fn rest_from(&self, skip: usize) -> Bytes {
        self.window.slice(self.skipped() + skip..)
    }

    fn skipped(&self) -> usize {
        (self.at - self.window_at) as usize
    }

    pub(super) const fn file(&self) -> FileId {
        self.file.expect("it was opened")
    }

    /// Closes the file, if it was opened.
    pub(super) fn close(&self, cx: &mut Cx, io: &mut dyn Storage, token: Token) {
        if let Some(file) = self.file {
            io.submit(cx, token, DiskOp::Close { file });
        }
    }
}
