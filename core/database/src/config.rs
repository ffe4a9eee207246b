//! The command line of `dbd`.

use bytes::Bytes;
use core::fmt;
use storytime_machine::{Endpoint, Limits};

/// What `dbd --help` prints.
pub const HELP: &str = "";
/// What `dbd --version` prints.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Box<Config>),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// Options of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--port`.
    pub port: u16,
    /// `--dir`: below the process's data directory.
    pub dir: Bytes,
    /// `--maxclients`: further connections are told `ERR max number of clients reached`.
    pub clients_max: u32,
    /// `--replicaof HOST PORT`.
    pub replica_of: Option<Endpoint>,
    /// `--min-replicas-to-write N`: acknowledge only when so many replicas have it, too.
    pub replicas_to_write: u32,
    /// `--pair …`: half of an HA pair.
    pub pair: Option<storytime_pair::PairConfig>,
}

/// A mistake in the command line: the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

#[allow(clippy::todo, unused_variables)]
impl Command {
    /// Reads the words behind `dbd`.
    ///
    /// # Errors
    /// The first mistake, and what would be right.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, UsageError> {
        todo!()
    }
}

impl Config {
    /// What the process needs.
    pub fn limits(&self) -> Limits {
        Limits::default()
    }
}
