//! A client's options, what it does not take, and what it counts.

use super::Choice;
use crate::tenants::Credential;
use core::fmt;
use core::time::Duration;
use storytime_machine::Endpoint;

/// Options and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// The job servers, in their order.
    pub servers: Vec<Endpoint>,
    /// Which of them gets a job.
    pub choice: Choice,
    /// The names that the servers' certificates are for, in the servers' order; none of them for
    /// connections in clear text.
    pub tls_names: Vec<String>,
    /// As whose all is done, on servers that are shared.
    pub tenant: Option<Credential>,
    /// Whether exceptions are told apart from failures (`OPTION_REQ exceptions`).
    pub exceptions: bool,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// From submitting to `NotSent`, and from sending to the server's answer: not to the result.
    pub timeout: Duration,
    /// How long a server that failed is left alone.
    pub retry_after: Duration,
    /// The most that this becomes when it fails again and again.
    pub retry_after_max: Duration,
    /// How long a connection with jobs on it may be silent before an echo is asked for.
    pub probe_after: Duration,
    /// Most requests that have not ended, for all servers.
    pub requests_max: usize,
    /// Longest packet from a server, bytes.
    pub packet_bytes_max: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            tls_names: Vec::new(),
            tenant: None,
            choice: Choice::Failover,
            exceptions: false,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            retry_after: Duration::from_millis(500),
            retry_after_max: Duration::from_secs(10),
            probe_after: Duration::from_secs(10),
            requests_max: 16 << 10,
            packet_bytes_max: 64 << 20,
        }
    }
}

/// A request was not even taken: the caller's limits. No event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// `requests_max` are under way, or too many bytes of requests wait.
    TooMany,
    /// There is no such server, or none at all.
    NoServer,
    /// Longer than a connection's output can be.
    TooLong,
    /// No packet can say it: NUL in a function or key, or a time or reducer together with another
    /// priority than normal, or a time of a job that somebody waits for.
    BadJob,
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many requests are under way",
            Self::NoServer => "no such job server",
            Self::TooLong => "a job too long to be sent",
            Self::BadJob => "a job that no packet can say",
        })
    }
}

impl std::error::Error for NotAccepted {}

/// What a client counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClientCounters {
    /// Jobs and questions taken.
    pub requests: u64,
    /// Jobs that servers accepted.
    pub created: u64,
    /// Jobs that were done.
    pub completed: u64,
    /// Jobs that failed, with or without words.
    pub failed: u64,
    /// Requests that servers did not accept.
    pub refused: u64,
    /// Requests that were not sent.
    pub not_sent: u64,
    /// Requests of which nobody knows what became of them.
    pub lost: u64,
    /// Connects tried.
    pub connects: u64,
    /// Connects that did not come up.
    pub connects_failed: u64,
    /// Connections lost.
    pub connections_lost: u64,
    /// Echoes asked for because a connection was silent.
    pub probes: u64,
    /// Answers and results that came after their time.
    pub late: u64,
    /// Packets about jobs that the client does not know (any more).
    pub strays: u64,
}
