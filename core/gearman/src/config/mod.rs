//! The command line of `gearmand`: every flag of the original's (1.1.20), and some of ours.
//!
//! A flag that steers machinery which is not here (threads, hash tables, queues in other servers)
//! is taken, its value is checked, and the log says so once. What would be missed if it were
//! silently left out (a protocol, a queue that keeps jobs, a key without `--ssl`) is refused.

mod extras;
mod flags;
mod help;
mod parse;
mod relay;
mod value;

pub use extras::ResultCache;
pub use help::HELP;
pub use parse::version_line;
pub use relay::{Alone, Relay};
pub(crate) use value::scaled;

use crate::PORT;
use crate::engine::{Dialect, Rules};
use crate::tenants::Tenants;
use core::time::Duration;
use std::sync::Arc;
use storytime_machine::{Limits, Listen, UsageError};

/// What `version` answers in the C server's dialect: the one that is followed.
pub const VERSION_GEARMAND: &str = "1.1.20";
/// What it answers in the Perl server's.
pub const VERSION_DANGA: &str = "1.130.1";
/// Where flags are read from if no other file is named, and nobody minds if it is not there.
pub const CONFIG_FILE: &str = "/etc/gearmand.conf";

/// Longest packet unless said otherwise, bytes.
const PACKET_BYTES_MAX: usize = 256 << 20;
/// Journal behind a checkpoint before the next one, unless said otherwise, bytes.
const CHECKPOINT_BYTES: u64 = 32 << 20;
/// How long a worker that has finished a job waits for the next one, unless said otherwise: longer
/// than a client takes to submit again, and not noticed by a worker with several servers.
const GRAB_PATIENCE: Duration = Duration::from_micros(500);
/// How long a handle waits for its job's result, unless said otherwise: longer than a quick job
/// takes, and not noticed by who waits for a slow one.
const ACK_PATIENCE: Duration = Duration::from_micros(500);
/// Room claimed ahead on the disk, bytes.
const RESERVE_BYTES: usize = 1 << 20;
/// Longest that can be asked for, bytes.
const PACKET_BYTES_CAP: usize = 1 << 30;
/// What all jobs may take unless said otherwise, and most that can be asked for, bytes.
const JOBS_BYTES_CAP: u64 = 1 << 40;
/// Pending output above which a connection is not read from, bytes.
const TX_HIGH_BYTES: usize = 256 << 10;
/// Pending output above which a connection is hung up on, bytes.
pub const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Pending output of all connections that are slow, and unread input of all, bytes each.
pub const HELD_BYTES_MAX: usize = 2 << 30;
/// The longest text reply that is written at once may pass the limit on output by so much, bytes.
const REPLY_SLACK_BYTES: usize = 64 << 20;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Serve.
    Serve(Box<Config>),
    /// `--check-args`, and all is well.
    Checked,
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// Options of a job server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--port`, if it was named.
    pub port: Option<u16>,
    /// `--listen`: an address, or a name that is looked up. Every address if none is named.
    pub listen: Option<String>,
    /// `--backlog`.
    pub backlog: u32,
    /// `--exceptions`: everybody is sent exceptions.
    pub exceptions: bool,
    /// `--job-retries`: which loss of its worker fails a job; none if no loss does.
    pub losses_max: Option<u32>,
    /// `--worker-wakeup`: sleeping workers that are woken for a job; 0 for all.
    pub wake_max: u32,
    /// `--grab-patience`: how long a worker that has just finished a job, or was woken, waits for
    /// one before it is told that there is none.
    pub grab_patience: Duration,
    /// `--ack-patience`: how long a handle waits for its job's result, if its client has one job
    /// under way at a time.
    pub ack_patience: Duration,
    /// `--job-handle-prefix`.
    pub handle_prefix: Option<String>,
    /// `--dialect`.
    pub dialect: Dialect,
    /// `--queue-dir`: the folder of the durable queue; none to keep jobs in memory alone. One that
    /// begins with `/` is as well below the process's data directory: the program makes that `/`.
    pub queue_dir: Option<String>,
    /// `--checkpoint-bytes`: least length of the durable queue's journal behind a checkpoint before
    /// the next one is made, bytes.
    pub checkpoint_bytes: u64,
    /// `--relay-to`: another job server has the queue, too.
    pub relay: Option<Relay>,
    /// How far ahead the journal claims room on the disk, bytes.
    pub reserve_bytes: usize,
    /// `--max-packet`, bytes.
    pub packet_bytes_max: usize,
    /// `--max-memory`: what all jobs may take, bytes, as [`Rules::jobs_bytes_max`] counts them.
    pub jobs_bytes_max: u64,
    /// Unfinished packets of all peers, and output that waits for all who are slow, bytes each:
    /// beyond that, who has most of it is hung up on.
    pub held_bytes_max: usize,
    /// `--ssl`: all connections are encrypted, and every peer must show a certificate. Which files
    /// that takes concerns the program around the server.
    pub tls: Option<TlsFiles>,
    /// `--http-port`: where HTTP is spoken, if anywhere.
    pub http_port: Option<u16>,
    /// `--result-cache` and its kind: where results of unique jobs are kept, if anywhere.
    pub result_cache: Option<ResultCache>,
    /// `--tenants`: the file of those who share the server; with it nobody else may use it.
    pub tenants_file: Option<String>,
    /// What is in that file: for the program to read.
    pub tenants: Option<Arc<Tenants>>,
    /// `--verbose`.
    pub verbosity: Verbosity,
    /// What concerns the program around the server.
    pub program: Program,
    /// Flags that were taken and mean nothing here, each in words.
    pub notes: Vec<String>,
}

/// What concerns the program around the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// `--daemon`.
    pub daemon: bool,
    /// `--pid-file`.
    pub pid_file: Option<String>,
    /// `--log-file`.
    pub log: Log,
    /// `--user`.
    pub user: Option<String>,
    /// `--file-descriptors`.
    pub files_max: Option<u64>,
    /// `--coredump`.
    pub core_dumps: bool,
}

/// Files of TLS, each in PEM form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// `--ssl-ca-file`: who vouches for peers.
    pub authorities: Option<String>,
    /// `--ssl-certificate`: the server's own.
    pub certificate: Option<String>,
    /// `--ssl-key`: its key, if it is not in the same file.
    pub key: Option<String>,
}

/// Where the log goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Log {
    /// `stderr`.
    #[default]
    Stderr,
    /// `none`.
    Nowhere,
    /// A file.
    File(String),
}

/// `--verbose`: how much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// What ends the server.
    Fatal,
    /// The same: nothing is in between.
    Alert,
    /// The same.
    Critical,
    /// And what went wrong.
    #[default]
    Error,
    /// And what may be wrong.
    Warning,
    /// And what an operator may want to know.
    Notice,
    /// And what happens.
    Info,
    /// And how.
    Debug,
}

impl Verbosity {
    /// All of them, the quietest first.
    pub const ALL: [Self; 8] = [
        Self::Fatal,
        Self::Alert,
        Self::Critical,
        Self::Error,
        Self::Warning,
        Self::Notice,
        Self::Info,
        Self::Debug,
    ];

    /// Its name on the command line, and in the answer to `verbose`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fatal => "FATAL",
            Self::Alert => "ALERT",
            Self::Critical => "CRITICAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: None,
            listen: None,
            backlog: 32,
            exceptions: false,
            losses_max: None,
            wake_max: 1,
            grab_patience: GRAB_PATIENCE,
            ack_patience: ACK_PATIENCE,
            handle_prefix: None,
            dialect: Dialect::default(),
            queue_dir: None,
            checkpoint_bytes: CHECKPOINT_BYTES,
            relay: None,
            reserve_bytes: RESERVE_BYTES,
            packet_bytes_max: PACKET_BYTES_MAX,
            jobs_bytes_max: JOBS_BYTES_CAP,
            held_bytes_max: HELD_BYTES_MAX,
            tls: None,
            http_port: None,
            tenants_file: None,
            tenants: None,
            result_cache: None,
            verbosity: Verbosity::default(),
            program: Program::default(),
            notes: Vec::new(),
        }
    }
}

impl Command {
    /// Reads the words behind `gearmand`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, UsageError> {
        parse::command(words, "")
    }

    /// As [`Self::from_words`], with the text of a file of flags; the words go before it.
    ///
    /// # Errors
    /// The first mistake.
    pub fn from_words_and_file<W: AsRef<str>>(words: &[W], file: &str) -> Result<Self, UsageError> {
        parse::command(words, file)
    }

    /// The file that the words name with `--config-file`.
    ///
    /// # Errors
    /// The first mistake.
    pub fn config_file<W: AsRef<str>>(words: &[W]) -> Result<Option<String>, UsageError> {
        parse::config_file(words)
    }
}

impl Config {
    /// The port to listen on.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(PORT)
    }

    /// What `version` answers.
    pub const fn version(&self) -> &'static str {
        match self.dialect {
            Dialect::Gearmand => VERSION_GEARMAND,
            Dialect::Danga => VERSION_DANGA,
        }
    }

    /// Longest body of an HTTP request: what a packet may hold, too. Bytes.
    pub const fn http_body_bytes_max(&self) -> usize {
        self.packet_bytes_max - crate::packet::HEADER_BYTES
    }

    /// What the engine is told.
    pub fn rules(&self) -> Rules {
        Rules {
            dialect: self.dialect,
            losses_max: self.losses_max,
            wake_max: self.wake_max,
            grab_patience: self.grab_patience,
            exceptions: self.exceptions,
            jobs_bytes_max: self.jobs_bytes_max,
            ..Rules::default()
        }
    }

    /// What the process needs.
    pub fn limits(&self) -> Limits {
        Limits {
            // A whole packet, and what came with it.
            rx_bytes_max: self.packet_bytes_max + (1 << 20),
            tx_high: TX_HIGH_BYTES,
            tx_low: TX_HIGH_BYTES / 4,
            tx_bytes_max: OUTPUT_BYTES_MAX + REPLY_SLACK_BYTES + self.packet_bytes_max,
            buffers_bytes_max: 4 * HELD_BYTES_MAX,
            ..Limits::default()
        }
    }

    /// The queue of connections that wait.
    pub fn listen_at(&self, at: storytime_machine::Endpoint) -> Listen {
        Listen { backlog: self.backlog, ..Listen::at(at) }
    }
}

#[cfg(test)]
mod tests;
