//! `-l`: the log in a file, which may be moved away under it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A log file. Its clones are the same.
#[derive(Clone, Debug)]
pub(super) struct LogFile {
    path: Arc<Path>,
    file: Arc<Mutex<File>>,
}

impl LogFile {
    pub(super) fn open(path: &str) -> io::Result<Self> {
        // The process may leave its folder.
        let path: PathBuf = std::path::absolute(path)?;
        let file = append(&path)?;
        Ok(Self { path: path.into(), file: Arc::new(Mutex::new(file)) })
    }

    /// Begins a new file where the old one was; if that cannot be, goes on with the old one.
    pub(super) fn reopen(&self) {
        match append(&self.path) {
            Ok(file) => *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file,
            Err(why) => tracing::error!("the log goes on in the old file: {why}"),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_was_moved_away_begins_anew() {
        let folder = std::env::temp_dir().join(format!("gearmand-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (here, there) = (folder.join("log"), folder.join("log.1"));
        let mut log = LogFile::open(here.to_str().expect("it is text")).unwrap();
        log.write_all(b"one\n").unwrap();
        std::fs::rename(&here, &there).unwrap();
        log.clone().write_all(b"two\n").unwrap();
        log.reopen();
        log.write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&here).unwrap(), "three\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
