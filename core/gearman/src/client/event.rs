//! What a client tells its owner.

use crate::links::ServerId;
use bytes::Bytes;
use core::fmt;

/// Longest handle, bytes.
pub const HANDLE_BYTES_MAX: usize = 64;

/// A job's name on its server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    len: u8,
    bytes: [u8; HANDLE_BYTES_MAX],
}

impl Name {
    /// This name; `None` if it is empty or too long to be one.
    pub fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; HANDLE_BYTES_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        (!name.is_empty()).then_some(Self { len: name.len() as u8, bytes })
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A job that a server accepted: which server, and its name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// The server.
    pub server: ServerId,
    /// The name.
    pub name: Name,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is done, in parts of `denominator`.
    pub numerator: u64,
    /// What there is to do.
    pub denominator: u64,
}

/// What a server says of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct JobStatus {
    /// Whether it knows the job: one that ended is unknown.
    pub known: bool,
    /// Whether a worker has it.
    pub running: bool,
    /// How far it is.
    pub progress: Progress,
    /// How many clients wait for it; only told of jobs asked for by unique key.
    pub clients: Option<u64>,
}

/// Why nobody knows how a job ended, or whether it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The connection was lost.
    Connection,
    /// The time ran out. The job may run on.
    Time,
    /// The server said something that is no packet, or not an answer.
    Garbled,
}

/// Something that happened to a submitted job or another request, by its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server has the job. The end of a job in the background.
    Created {
        /// As given with the request.
        tag: u64,
        /// The job, for asking after it.
        handle: Handle,
        /// Whether this is all that will be told.
        background: bool,
    },
    /// A part of the result.
    Data {
        /// As given with the request.
        tag: u64,
        /// The part.
        data: Bytes,
    },
    /// A warning.
    Warning {
        /// As given with the request.
        tag: u64,
        /// The warning.
        data: Bytes,
    },
    /// How far the job is.
    Status {
        /// As given with the request.
        tag: u64,
        /// So far.
        progress: Progress,
    },
    /// An end: the job is done.
    Complete {
        /// As given with the request.
        tag: u64,
        /// The result, or its last part.
        data: Bytes,
    },
    /// An end: the job failed.
    Failed {
        /// As given with the request.
        tag: u64,
    },
    /// An end: the job failed with words; only where
    /// [`exceptions`](super::ClientOptions::exceptions) are asked for.
    Exception {
        /// As given with the request.
        tag: u64,
        /// The words.
        data: Bytes,
    },
    /// An end: nobody knows what became of it.
    Lost {
        /// As given with the request.
        tag: u64,
        /// The job, if the server had accepted it.
        handle: Option<Handle>,
        /// Why.
        why: Why,
    },
    /// An end: no server can be reached in time. It certainly did not happen.
    NotSent {
        /// As given with the request.
        tag: u64,
    },
    /// An end: the server does not accept it.
    Refused {
        /// As given with the request.
        tag: u64,
        /// Such as `QUEUE_ERROR`.
        code: Bytes,
        /// In words.
        text: Bytes,
    },
    /// The end of a question after a job.
    StatusIs {
        /// As given with the request.
        tag: u64,
        /// The answer.
        status: JobStatus,
    },
    /// The end of an echo.
    Echoed {
        /// As given with the request.
        tag: u64,
        /// The same bytes.
        data: Bytes,
    },
}

impl Event {
    /// As given with the request.
    pub const fn tag(&self) -> u64 {
        match self {
            Self::Created { tag, .. }
            | Self::Data { tag, .. }
            | Self::Warning { tag, .. }
            | Self::Status { tag, .. }
            | Self::Complete { tag, .. }
            | Self::Failed { tag }
            | Self::Exception { tag, .. }
            | Self::Lost { tag, .. }
            | Self::NotSent { tag }
            | Self::Refused { tag, .. }
            | Self::StatusIs { tag, .. }
            | Self::Echoed { tag, .. } => *tag,
        }
    }

    /// Whether it is the last event with its tag.
    pub const fn is_end(&self) -> bool {
        match self {
            Self::Created { background, .. } => *background,
            Self::Data { .. } | Self::Warning { .. } | Self::Status { .. } => false,
            Self::Complete { .. }
            | Self::Failed { .. }
            | Self::Exception { .. }
            | Self::Lost { .. }
            | Self::NotSent { .. }
            | Self::Refused { .. }
            | Self::StatusIs { .. }
            | Self::Echoed { .. } => true,
        }
    }
}
