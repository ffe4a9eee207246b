//! What stands around a child process: files that lie on its host, and where its input comes from
//! and its output goes.

use super::RealError;
use crate::program::around::{Around, Feed};
use crate::story::Setup;
use crate::story::files::{Content, File as StoryFile, log_line};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Before a log's first line whoever follows it is there.
const QUIET: Duration = Duration::from_millis(500);

/// The files of a run; those that grow do so until it is dropped.
pub(super) struct Files {
    over: Arc<AtomicBool>,
}

impl Files {
    /// Writes what lies on all hosts, and begins what grows there.
    pub(super) fn lay(setup: &Setup, work_dir: &Path) -> Result<Self, RealError> {
        let files = Self { over: Arc::new(AtomicBool::new(false)) };
        for file in &setup.files {
            for &host in &file.on {
                let name = &setup.hosts[host].name;
                files.lay_one(file, name, &work_dir.join(name))?;
            }
        }
        Ok(files)
    }

    fn lay_one(&self, file: &StoryFile, host: &str, data_dir: &Path) -> Result<(), RealError> {
        let path = data_dir.join(&file.name);
        let wrong = |error| RealError::Folder(path.clone(), error);
        std::fs::create_dir_all(data_dir).map_err(wrong)?;
        std::fs::write(&path, file.at_first()).map_err(wrong)?;
        let Content::Log { lines, gap } = file.content else { return Ok(()) };
        let mut log = OpenOptions::new().append(true).open(&path).map_err(wrong)?;
        let (over, host) = (Arc::clone(&self.over), host.to_owned());
        let began = Instant::now() + QUIET;
        let _grows = std::thread::spawn(move || {
            for nth in 0..lines {
                let at = began + gap.saturating_mul(u32::try_from(nth).unwrap_or(u32::MAX));
                std::thread::sleep(at.saturating_duration_since(Instant::now()));
                let written = log.write_all(log_line(&host, nth).as_bytes());
                if over.load(Ordering::Relaxed) || written.is_err() {
                    return;
                }
            }
        });
        Ok(())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Where a child's input comes from: and the command that gives it, if one does.
pub(super) fn input(
    around: &Around,
    data_dir: &Path,
    err: &File,
) -> Result<(Stdio, Option<Child>), RealError> {
    match &around.from {
        Feed::Nothing => Ok((Stdio::null(), None)),
        Feed::File(name) => {
            let path = data_dir.join(name);
            let file = File::open(&path).map_err(|error| RealError::Folder(path, error))?;
            Ok((file.into(), None))
        }
        Feed::Command(words) => {
            let wrong = |error| RealError::Start(words.join(" "), error);
            let (program, arguments) = words.split_first().expect("a pipe begins with a command");
            let mut command = Command::new(program);
            command.args(arguments).current_dir(data_dir).env("LC_ALL", "C").stdin(Stdio::null());
            command.stderr(err.try_clone().map_err(wrong)?);
            let mut child = command.stdout(Stdio::piped()).spawn().map_err(wrong)?;
            let out = child.stdout.take().expect("it was asked for");
            Ok((out.into(), Some(child)))
        }
    }
}

/// Where a child's output goes, if not to a file of the run's.
pub(super) fn output(
    around: &Around,
    data_dir: &Path,
) -> Result<Option<(std::path::PathBuf, File)>, RealError> {
    let Some(to) = &around.to else { return Ok(None) };
    let path = data_dir.join(&to.file);
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(to.append).truncate(!to.append);
    let file = options.open(&path).map_err(|error| RealError::Folder(path.clone(), error))?;
    Ok(Some((path, file)))
}
