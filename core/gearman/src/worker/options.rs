//! A worker's options, what it tells its owner, what it does not take, and what it counts.

use super::{Handle, JobId, ServerId};
use crate::engine::{Dialect, Grab};
use crate::tenants::Credential;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;
use storytime_machine::{Endpoint, Gone};

/// Options and limits.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The job servers.
    pub servers: Vec<Endpoint>,
    /// The names that the servers' certificates are for, in the servers' order; none of them for
    /// connections in clear text.
    pub tls_names: Vec<String>,
    /// As whose all is done, on servers that are shared.
    pub tenant: Option<Credential>,
    /// What the worker can do, and how long a job may take before the server gives it to somebody
    /// else (or, in the other dialect, lets it fail).
    pub functions: Vec<(Bytes, Option<Duration>)>,
    /// Most jobs at once, for all servers.
    pub jobs_max: usize,
    /// What it wants to be told of a job.
    pub grab: Grab,
    /// The name under which operators see it.
    pub client_id: Option<Bytes>,
    /// The servers' dialect: time-outs are told in milliseconds or in seconds, an exception is the
    /// end of a job or not, and of a job more than [`Grab::Plain`] can be told or not.
    pub dialect: Dialect,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// How long a server may take to answer.
    pub timeout: Duration,
    /// How long a server may be silent before it is asked again.
    pub poll_after: Duration,
    /// How long a server that failed is left alone.
    pub retry_after: Duration,
    /// The most that this becomes when it fails again and again.
    pub retry_after_max: Duration,
    /// Longest packet from a server, bytes.
    pub packet_bytes_max: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            tls_names: Vec::new(),
            tenant: None,
            functions: Vec::new(),
            jobs_max: 1,
            grab: Grab::Unique,
            client_id: None,
            dialect: Dialect::Gearmand,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            poll_after: Duration::from_secs(10),
            retry_after: Duration::from_millis(500),
            retry_after_max: Duration::from_secs(10),
            packet_bytes_max: 64 << 20,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// A job to be done.
    Job {
        /// By which the owner speaks of it.
        job: JobId,
        /// Its name on its server.
        handle: Handle,
        /// Its function.
        function: Bytes,
        /// Its unique key, if the worker grabs with keys.
        unique: Option<Bytes>,
        /// The function that does the parts, if it is to be split.
        reducer: Option<Bytes>,
        /// Its data.
        data: Bytes,
    },
    /// The connection was lost: the server gives the job to somebody else. The owner ends the job
    /// all the same, so that another may come in its place; if it did already, its result did not
    /// leave.
    JobGone {
        /// Which.
        job: JobId,
    },
    /// Parts of a job's result are taken again.
    Room {
        /// Which.
        job: JobId,
    },
    /// A server is connected.
    Up {
        /// Which.
        server: ServerId,
    },
    /// A server is not connected (any more); it is tried again after a while.
    Down {
        /// Which.
        server: ServerId,
        /// Why.
        why: Down,
    },
}

/// Why a server is not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// It could not be reached.
    NotReached(Gone),
    /// The connection was lost.
    Lost,
    /// It did not answer.
    Silent,
    /// It said what no job server says.
    Garbled,
    /// It is shared, and does not know the worker's tenant, or was not told of one.
    Stranger,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached(why) => write!(f, "cannot be reached: {why}"),
            Self::Lost => f.write_str("connection lost"),
            Self::Silent => f.write_str("does not answer"),
            Self::Garbled => f.write_str("says what no job server says"),
            Self::Stranger => f.write_str("is for its tenants, and the worker is none of them"),
        }
    }
}

/// What the owner says of a job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It has no such job (any more): it ended it already.
    Unknown,
    /// The job is somebody else's by now. If this was its end, it is over.
    Gone,
    /// The server takes no more at the moment; [`WorkerEvent::Room`] tells when it does.
    Full,
    /// Longer than a connection's output can be. The job goes on.
    TooLong,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no such job",
            Self::Gone => "the job is somebody else's by now",
            Self::Full => "the server takes no more at the moment",
            Self::TooLong => "a result too long to be sent",
        })
    }
}

impl std::error::Error for NotTaken {}

/// What a worker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct WorkerCounters {
    /// Jobs assigned.
    pub jobs: u64,
    /// Results handed to a connection.
    pub completed: u64,
    /// Failures handed to a connection, with or without words.
    pub failed: u64,
    /// Jobs that became somebody else's.
    pub jobs_gone: u64,
    /// Times a server was asked for a job.
    pub grabs: u64,
    /// Times the worker went to sleep at a server.
    pub sleeps: u64,
    /// Times it was woken.
    pub wakes: u64,
    /// Errors that servers told.
    pub errors: u64,
    /// Echoes asked for because a server was silent.
    pub probes: u64,
    /// Connects tried.
    pub connects: u64,
    /// Connects that did not come up.
    pub connects_failed: u64,
    /// Connections lost.
    pub connections_lost: u64,
}
