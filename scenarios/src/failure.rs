//! Failure files: everything that is needed to run a failing seed again, to the byte.

use crate::overlay::Override;
use crate::read::File;
use crate::run::Run;
use crate::simulate::{Options, run_simulated};
use crate::story::{Profile, Story};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Largest failure file, bytes.
pub const FAILURE_BYTES_MAX: u64 = 1 << 20;
/// The version of the format.
const FORMAT: u32 = 1;

/// A failing seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The version of this format.
    pub format: u32,
    /// A story's id or a scenario file's path.
    pub story: String,
    /// The seed.
    pub seed: u64,
    /// Whether the file's `[campaign]` was laid over it.
    pub campaign: bool,
    /// Arguments of `--set`.
    pub overrides: Vec<String>,
    /// The build that failed.
    pub build: String,
    /// Digest of the run.
    pub digest: String,
    /// Events of the run.
    pub events: u64,
    /// The first broken invariant or expectation.
    pub broken: String,
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The story that ran.
    pub story: Story,
    /// The run.
    pub run: Run,
    /// Whether the digest is that of the failure.
    pub same_digest: bool,
    /// The failing build, if it is not this one.
    pub other_build: Option<String>,
}

/// Why a failure file cannot be used: the caller's mistake.
#[derive(Debug)]
pub enum FailureError {
    /// It cannot be read or written.
    Io(PathBuf, std::io::Error),
    /// It is too large to be one.
    TooLarge(PathBuf, u64),
    /// It is not a failure file.
    Format(PathBuf, String),
    /// Its story cannot be read any more.
    Story(Box<crate::diagnostic::Diagnostic>),
}

impl fmt::Display for FailureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::TooLarge(path, bytes) => {
                let path = path.display();
                write!(
                    f,
                    "{path} has {bytes} bytes; a failure file has at most {FAILURE_BYTES_MAX}"
                )
            }
            Self::Format(path, what) => {
                write!(f, "{} is not a failure file: {what}", path.display())
            }
            Self::Story(diagnostic) => write!(f, "{diagnostic}"),
        }
    }
}

impl std::error::Error for FailureError {}

impl Failure {
    /// Describes a failed run; `None` if nothing failed.
    pub fn of(
        name: &str,
        story: &Story,
        run: &Run,
        overrides: &[String],
        build: &str,
    ) -> Option<Self> {
        let broken = run.first_failure(story)?;
        Some(Self {
            format: FORMAT,
            story: name.to_owned(),
            seed: run.seed,
            campaign: story.profile == Profile::Campaign,
            overrides: overrides.to_vec(),
            build: build.to_owned(),
            digest: format!("{:016x}", run.digest()),
            events: run.events(),
            broken,
        })
    }

    /// Writes the file into a folder, which is made if it is missing; returns its path.
    ///
    /// # Errors
    /// If the folder or file cannot be written.
    pub fn save(&self, folder: &Path, id: &str) -> Result<PathBuf, FailureError> {
        let path = folder.join(format!("{id}-{}.json", self.seed));
        let io = |error| FailureError::Io(path.clone(), error);
        std::fs::create_dir_all(folder).map_err(io)?;
        let mut text = serde_json::to_string_pretty(self).expect("plain data becomes JSON");
        text.push('\n');
        std::fs::write(&path, text).map_err(io)?;
        Ok(path)
    }

    /// Reads a failure file.
    ///
    /// # Errors
    /// If it cannot be read or is none.
    pub fn load(path: &Path) -> Result<Self, FailureError> {
        let io = |error| FailureError::Io(path.to_owned(), error);
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > FAILURE_BYTES_MAX {
            return Err(FailureError::TooLarge(path.to_owned(), bytes));
        }
        let text = std::fs::read_to_string(path).map_err(io)?;
        let failure: Self = serde_json::from_str(&text)
            .map_err(|error| FailureError::Format(path.to_owned(), error.to_string()))?;
        if failure.format != FORMAT {
            let what = format!("format {}, expected {FORMAT}", failure.format);
            return Err(FailureError::Format(path.to_owned(), what));
        }
        Ok(failure)
    }

    /// Reads the story as it was when the seed failed.
    ///
    /// # Errors
    /// If the story or an override cannot be read any more.
    pub fn open_story(&self) -> Result<Story, FailureError> {
        let profile = if self.campaign { Profile::Campaign } else { Profile::Full };
        let read = || {
            let file: File = crate::catalog::open(&self.story)?;
            let sets: Result<Vec<_>, _> =
                self.overrides.iter().map(|set| Override::from_argument(set)).collect();
            file.story(profile, &sets?)
        };
        read().map_err(FailureError::Story)
    }

    /// Runs it again.
    ///
    /// # Errors
    /// As [`Failure::open_story`].
    pub fn replay(&self, options: Options, build: &str) -> Result<Replay, FailureError> {
        let story = self.open_story()?;
        let run = run_simulated(&story, self.seed, options);
        let same_digest = format!("{:016x}", run.digest()) == self.digest;
        let other_build = (self.build != build).then(|| self.build.clone());
        Ok(Replay { story, run, same_digest, other_build })
    }
}
