//! Disk operations and their completions.
//!
//! Ordering: operations on one file are carried out and completed in the order of issue. Operations
//! on different files, and on names, may complete in any order; a machine that needs an order waits
//! for the completion.
//!
//! Durability: **only the `Ok` of a [`DiskOp::Sync`] makes a file's bytes and length durable, and
//! only the `Ok` of a [`DiskOp::SyncDir`] makes names in that directory durable** (creation,
//! rename, unlink). After an `Io` error of a sync the state of every byte written since the last
//! good sync is unknown, and a later sync that succeeds proves nothing about them: exit, or write
//! them elsewhere.
//!
//! Paths are relative to the process's data directory, components separated by `/`, without `.` or
//! `..`; the empty path is the data directory itself. [`path_is_valid`] says which are accepted.

use crate::FileId;
use bytes::Bytes;
use core::fmt;

/// Longest path, bytes.
pub const PATH_BYTES_MAX: usize = 1024;
/// Largest single read or write, bytes. Longer transfers are several operations.
pub const IO_BYTES_MAX: usize = 16 << 20;

/// What a machine asks of the disk. Each operation gets exactly one completion unless the process
/// dies first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOp {
    /// Opens a file for reading and writing. Completes with [`DiskOk::File`].
    Open {
        /// Which file.
        path: Bytes,
        /// Whether a missing file is created, empty. Its name is durable only after `SyncDir`.
        create: bool,
    },
    /// Reads up to `len` bytes at `at`; fewer only at the end of the file. [`DiskOk::Data`].
    Read {
        /// The open file.
        file: FileId,
        /// Byte offset.
        at: u64,
        /// At most [`IO_BYTES_MAX`].
        len: u32,
    },
    /// Writes all of `data` at `at`, lengthening the file where needed. [`DiskOk::Done`]; visible
    /// to reads at once, durable only after a sync.
    Write {
        /// The open file.
        file: FileId,
        /// Byte offset.
        at: u64,
        /// At most [`IO_BYTES_MAX`] bytes.
        data: Bytes,
    },
    /// Makes everything written to the file before this operation durable, with its length.
    Sync {
        /// The open file.
        file: FileId,
    },
    /// Cuts or lengthens (with zeros) the file.
    SetLen {
        /// The open file.
        file: FileId,
        /// New length, bytes.
        len: u64,
    },
    /// Closes the file. Outstanding operations on it complete first. Makes nothing durable.
    Close {
        /// The open file.
        file: FileId,
    },
    /// Atomically gives a file another name, replacing what had it. Durable after `SyncDir` of both
    /// directories.
    Rename {
        /// Old name.
        from: Bytes,
        /// New name.
        to: Bytes,
    },
    /// Removes a name. Open handles stay usable.
    Unlink {
        /// Which name.
        path: Bytes,
    },
    /// Creates a directory; `Ok` too if it is there already.
    MakeDir {
        /// Which directory.
        path: Bytes,
    },
    /// Makes the names in a directory durable.
    SyncDir {
        /// Which directory.
        path: Bytes,
    },
    /// Lists names in a directory, sorted bytewise. [`DiskOk::Names`].
    List {
        /// Which directory.
        path: Bytes,
    },
}

/// What a completed operation brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskOk {
    /// An opened file and its length in bytes.
    File {
        /// Handle for further operations.
        file: FileId,
        /// Length at opening, bytes.
        len: u64,
    },
    /// Bytes read.
    Data(Bytes),
    /// Sorted names, without their directory.
    Names(Vec<Bytes>),
    /// Done.
    Done,
}

/// Why an operation failed. The machine decides what that means; drivers never retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskError {
    /// No such file or directory.
    NotFound,
    /// The disk is full; nothing of this operation is promised to have happened.
    NoSpace,
    /// The device failed. On a sync: see the module's note on durability.
    Io,
    /// The caller's mistake: a closed or unknown file, a bad path, a transfer over
    /// [`IO_BYTES_MAX`].
    Invalid,
    /// The operating system refuses (permissions, open-file limit, read-only file system).
    Denied,
}

impl DiskError {
    /// A word for messages and traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "no such file or directory",
            Self::NoSpace => "no space left on device",
            Self::Io => "input/output error",
            Self::Invalid => "invalid operation",
            Self::Denied => "refused by the operating system",
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for DiskError {}

/// The outcome of one operation.
pub type DiskResult = Result<DiskOk, DiskError>;

impl DiskOp {
    /// The open file that the operation works on; `None` for operations on names.
    pub const fn file(&self) -> Option<FileId> {
        match self {
            Self::Read { file, .. }
            | Self::Write { file, .. }
            | Self::Sync { file }
            | Self::SetLen { file, .. }
            | Self::Close { file } => Some(*file),
            _ => None,
        }
    }

    /// Whether paths and sizes are within the rules above. Drivers answer `Invalid` otherwise.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Open { path, .. } | Self::Unlink { path } => {
                path_is_valid(path) && !path.is_empty()
            }
            Self::MakeDir { path } | Self::SyncDir { path } | Self::List { path } => {
                path_is_valid(path)
            }
            Self::Rename { from, to } => {
                path_is_valid(from) && path_is_valid(to) && !from.is_empty() && !to.is_empty()
            }
            Self::Read { at, len, .. } => {
                *len as usize <= IO_BYTES_MAX && at.checked_add(u64::from(*len)).is_some()
            }
            Self::Write { at, data, .. } => {
                data.len() <= IO_BYTES_MAX && at.checked_add(data.len() as u64).is_some()
            }
            Self::Sync { .. } | Self::SetLen { .. } | Self::Close { .. } => true,
        }
    }
}

/// Whether `path` is relative, within [`PATH_BYTES_MAX`], and free of empty, `.` and `..`
/// components and of NUL bytes. The empty path is valid (the data directory).
pub fn path_is_valid(path: &[u8]) -> bool {
    path.is_empty()
        || (path.len() <= PATH_BYTES_MAX
            && path.split(|&b| b == b'/').all(|part| {
                !part.is_empty() && part != b"." && part != b".." && !part.contains(&0)
            }))
}

/// The directory part of a path: empty for a name in the data directory.
pub fn parent(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&b| b == b'/').map_or(&[], |slash| &path[..slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_the_data_directory() {
        for good in ["", "a", "a/b.c", "..a/b..", "a/...b"] {
            assert!(path_is_valid(good.as_bytes()), "{good}");
        }
        for bad in ["/", "/a", "a/", "a//b", "..", "a/../b", ".", "a/./b", "a\0b"] {
            assert!(!path_is_valid(bad.as_bytes()), "{bad}");
        }
        assert!(!path_is_valid(&vec![b'a'; PATH_BYTES_MAX + 1]));
        assert_eq!(parent(b"a/b/c"), b"a/b");
        assert_eq!(parent(b"c"), b"");
    }

    #[test]
    fn oversized_transfers_are_the_callers_mistake() {
        let file = FileId(1);
        assert!(DiskOp::Read { file, at: 0, len: IO_BYTES_MAX as u32 }.is_valid());
        assert!(!DiskOp::Read { file, at: 0, len: IO_BYTES_MAX as u32 + 1 }.is_valid());
        assert!(!DiskOp::Read { file, at: u64::MAX, len: 1 }.is_valid());
        assert!(!DiskOp::Unlink { path: Bytes::new() }.is_valid());
    }
}
