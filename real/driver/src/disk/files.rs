//! Files of the operating system.
//!
//! Every path is opened beneath the data directory's own handle. On Linux the kernel refuses to
//! follow a symbolic link out of it; elsewhere the last component is not followed.
//!
//! Not done: preallocation, direct I/O, locks against a second process on the same directory.

use super::Files;
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use storytime_machine::disk::parent;
use storytime_machine::{Bytes, DiskError, DiskOk, DiskOp, DiskResult, FileId};

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The files of one process.
pub(crate) struct HostFiles {
    data_dir: PathBuf,
    /// The data directory's handle; opened, and the directory made, by the first operation.
    root: OnceLock<OwnedFd>,
    open: Mutex<OpenFiles>,
}

#[derive(Default)]
struct OpenFiles {
    next: u32,
    by_id: BTreeMap<FileId, Arc<File>>,
}

impl Files for HostFiles {
    fn carry_out(&self, op: DiskOp) -> DiskResult {
        self.try_op(op).map_err(|error| reason(&error))
    }
}

impl HostFiles {
    pub(crate) fn new(data_dir: &Path) -> Self {
        let (data_dir, root) = (data_dir.to_path_buf(), OnceLock::new());
        Self { data_dir, root, open: Mutex::default() }
    }

    fn try_op(&self, op: DiskOp) -> io::Result<DiskOk> {
        match op {
            DiskOp::Open { path, create } => self.open(&path, create),
            DiskOp::Read { file, at, len } => read(&*self.file(file)?, at, len),
            DiskOp::Write { file, at, data } => done(self.file(file)?.write_all_at(&data, at)),
            // Bytes and length, without the times that `fsync` also waits for.
            DiskOp::Sync { file } => done(self.file(file)?.sync_data()),
            DiskOp::SetLen { file, len } => done(self.file(file)?.set_len(len)),
            DiskOp::Close { file } => self.close(file),
            DiskOp::Rename { from, to } => {
                let (old, new) = (self.dir(parent(&from))?, self.dir(parent(&to))?);
                done(fs::renameat(old, leaf(&from), new, leaf(&to)))
            }
            DiskOp::Unlink { path } => {
                let dir = self.dir(parent(&path))?;
                done(fs::unlinkat(dir, leaf(&path), AtFlags::empty()))
            }
            DiskOp::MakeDir { path } => self.make_dir(&path),
            DiskOp::SyncDir { path } => done(fs::fsync(self.dir(&path)?)),
            DiskOp::List { path } => self.list(&path),
        }
    }

    fn table(&self) -> std::sync::MutexGuard<'_, OpenFiles> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: FileId) -> io::Result<Arc<File>> {
        self.table().by_id.get(&id).cloned().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn root(&self) -> io::Result<&OwnedFd> {
        if self.root.get().is_none() {
            std::fs::create_dir_all(&self.data_dir)?;
            let root = fs::open(&self.data_dir, DIRECTORY, Mode::empty())?;
            // Another lane may have been quicker; one handle is as good as the other.
            let _ = self.root.set(root);
        }
        Ok(self.root.get().expect("set above"))
    }

    /// Opens `path` beneath the data directory.
    fn beneath(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let (root, path) = (self.root()?, if path.is_empty() { b"." } else { path });
        let mode = Mode::from_raw_mode(0o666);
        #[cfg(target_os = "linux")]
        {
            use fs::ResolveFlags;
            let create = if flags.contains(OFlags::CREATE) { mode } else { Mode::empty() };
            match fs::openat2(root, path, flags, create, ResolveFlags::BENEATH) {
                // A kernel before 5.6, or a sandbox that does not know the call.
                Err(Errno::NOSYS) => {}
                opened => return Ok(opened?),
            }
        }
        Ok(fs::openat(root, path, flags | OFlags::NOFOLLOW, mode)?)
    }

    fn dir(&self, path: &[u8]) -> io::Result<OwnedFd> {
        self.beneath(path, DIRECTORY)
    }

    fn open(&self, path: &[u8], create: bool) -> io::Result<DiskOk> {
        // Non-blocking, or opening a pipe that somebody put there would wait for its reader.
        let mut flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        flags.set(OFlags::CREATE, create);
        let file = File::from(self.beneath(path, flags)?);
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut open = self.table();
        let id = FileId(open.next);
        open.next = open.next.wrapping_add(1);
        let before = open.by_id.insert(id, Arc::new(file));
        assert!(before.is_none(), "four thousand million files were opened in between");
        Ok(DiskOk::File { file: id, len: found.len() })
    }

    fn close(&self, id: FileId) -> io::Result<DiskOk> {
        let closed = self.table().by_id.remove(&id);
        closed.map(|_| DiskOk::Done).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn make_dir(&self, path: &[u8]) -> io::Result<DiskOk> {
        if path.is_empty() {
            return done(self.root().map(drop));
        }
        let dir = self.dir(parent(path))?;
        match fs::mkdirat(&dir, leaf(path), Mode::from_raw_mode(0o777)) {
            Err(Errno::EXIST) => {
                let found = fs::statat(&dir, leaf(path), AtFlags::SYMLINK_NOFOLLOW)?;
                match FileType::from_raw_mode(found.st_mode) {
                    FileType::Directory => Ok(DiskOk::Done),
                    _ => Err(io::ErrorKind::InvalidInput.into()),
                }
            }
            made => done(made),
        }
    }

    fn list(&self, path: &[u8]) -> io::Result<DiskOk> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.dir(path)?.as_fd())? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(Bytes::copy_from_slice(name));
            }
        }
        names.sort_unstable();
        Ok(DiskOk::Names(names))
    }
}

fn done<E: Into<io::Error>>(result: Result<(), E>) -> io::Result<DiskOk> {
    result.map(|()| DiskOk::Done).map_err(Into::into)
}

/// The last component of a path.
fn leaf(path: &[u8]) -> &OsStr {
    let dir = parent(path).len();
    OsStr::from_bytes(if dir == 0 { path } else { &path[dir + 1..] })
}

/// Reads until `len` bytes are there or the file ends.
fn read(file: &File, at: u64, len: u32) -> io::Result<DiskOk> {
    let mut data = vec![0; len as usize];
    let mut filled = 0;
    while filled < data.len() {
        match file.read_at(&mut data[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(DiskOk::Data(data.into()))
}

/// An error in the contract's words. What the device or the kernel did not name is its failure: a
/// machine must not take an unknown error for harmless.
fn reason(error: &io::Error) -> DiskError {
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => DiskError::NotFound,
        Some(Errno::NOSPC | Errno::DQUOT) => DiskError::NoSpace,
        Some(
            Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::MFILE | Errno::NFILE | Errno::TXTBSY,
        ) => DiskError::Denied,
        Some(
            Errno::INVAL
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::EXIST
            | Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::XDEV
            | Errno::FBIG
            | Errno::NOTEMPTY
            | Errno::NXIO,
        ) => DiskError::Invalid,
        Some(_) => DiskError::Io,
        None if error.kind() == io::ErrorKind::InvalidInput => DiskError::Invalid,
        None => DiskError::Io,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_a_broken_one_and_a_refusal_are_told_apart() {
        let of = |errno: Errno| reason(&errno.into());
        assert_eq!([of(Errno::NOSPC), of(Errno::DQUOT)], [DiskError::NoSpace; 2]);
        assert_eq!([of(Errno::IO), of(Errno::NODEV), of(Errno::STALE)], [DiskError::Io; 3]);
        let refusals = [Errno::ACCESS, Errno::PERM, Errno::ROFS, Errno::MFILE, Errno::NFILE];
        assert_eq!(refusals.map(of), [DiskError::Denied; 5]);
        assert_eq!([of(Errno::XDEV), of(Errno::LOOP)], [DiskError::Invalid; 2], "ways out");
    }

    #[test]
    fn a_path_is_a_directory_and_a_leaf() {
        assert_eq!((parent(b"a/b/c"), leaf(b"a/b/c")), (&b"a/b"[..], OsStr::new("c")));
        assert_eq!((parent(b"c"), leaf(b"c")), (&b""[..], OsStr::new("c")));
    }
}
