//! The rules of a job server, as plain data with methods.
//!
//! A method is one packet, or one thing that happened: a connection ended, a sync completed, time
//! went by. Replies go out through [`Out`], at once and in order. Nothing here blocks, waits, or
//! knows bytes on a wire.
//!
//! # The life of a job
//!
//! ```text
//!             durable: until the sync            not before its time
//!  submitted ───────────────────────► held ──────────────────────────► queued ◄──────────┐
//!                                                                        │ grabbed       │ worker lost,
//!                                                                        ▼               │ timed out
//!                                                                     running ───────────┘
//!                                                                        │ complete, fail, exception
//!                                                                        ▼
//!                                                                      ended: every listener told
//! ```
//!
//! A job is *kept for* its listeners, or for itself (background). It is dropped unrun only when
//! neither is left; and a submit that finds it by its unique key makes it wanted again, or
//! background, whatever it was before. These two sentences are what the original gets wrong in four
//! ways.

use bytes::Bytes;
use core::time::Duration;

/// A connection, by a small dense number that its owner reuses after [`Engine::gone`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u32);

/// A job's number: the last part of its handle. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

/// Up to where the journal must be durable before something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Nothing to wait for.
    pub const NOW: Self = Self(0);
}

/// Whose habits the server has where the originals disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The C server's.
    #[default]
    Gearmand,
    /// The original Perl server's.
    Danga,
}

/// Which job of a function goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before all others.
    High,
    /// Neither.
    Normal,
    /// After all others.
    Low,
}

/// When a job may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum When {
    /// At once.
    Now,
    /// From this wall-clock second on.
    Epoch(u64),
    /// At the times of a calendar, again and again: minute, hour, day of the month, month, day of
    /// the week, in the words of cron.
    Calendar(Box<[Bytes; 5]>),
}

/// A job that a client submits.
#[derive(Clone, Debug)]
pub struct Submit {
    /// Its function.
    pub function: Bytes,
    /// Its unique key: empty for none, `-` for the data itself.
    pub unique: Bytes,
    /// Its data.
    pub data: Bytes,
    /// Its reducer, if it is to be split.
    pub reducer: Option<Bytes>,
    /// Its place in the queue.
    pub priority: Priority,
    /// Whether nobody waits for it.
    pub background: bool,
    /// When it may run.
    pub when: When,
}

/// What goes to a connection. Handles are numbers here; the owner writes them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `JOB_CREATED`.
    Created(Number),
    /// `NOOP`.
    Noop,
    /// `NO_JOB`.
    NoJob,
    /// `JOB_ASSIGN`, or with the unique key, or with the reducer, as the worker asked.
    Assign {
        number: Number,
        function: Bytes,
        unique: Bytes,
        reducer: Option<Bytes>,
        data: Bytes,
        how: Grab,
    },
    /// `WORK_STATUS`.
    Status { number: Number, numerator: Bytes, denominator: Bytes },
    /// `WORK_DATA`.
    Data(Number, Bytes),
    /// `WORK_WARNING`.
    Warning(Number, Bytes),
    /// `WORK_COMPLETE`.
    Complete(Number, Bytes),
    /// `WORK_FAIL`.
    Fail(Number),
    /// `WORK_EXCEPTION`.
    Exception(Number, Bytes),
    /// `ERROR`.
    Error(Refusal),
}

/// What a worker wants to be told of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grab {
    /// Handle, function, data.
    Plain,
    /// And the unique key.
    Unique,
    /// And the reducer, if there is one.
    All,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The unique key is too long.
    UniqueTooLong,
    /// The queue is full.
    QueueFull,
    /// The durable queue takes nothing now: its disk is full, or too much waits for it.
    QueueBusy(&'static str),
    /// The calendar's words are none.
    Calendar,
    /// The job is not this worker's (any more): what it says of it is not passed on.
    NotYours(Late),
}

/// What a worker said of a job that is not its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// A result or status.
    Result,
    /// A part of a result, or a warning.
    Data,
    /// An exception.
    Exception,
}

/// What a durable queue must remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A background job is in the queue.
    Queued {
        number: Number,
        function: Bytes,
        unique: Bytes,
        reducer: Option<Bytes>,
        data: Bytes,
        priority: Priority,
        when: When,
    },
    /// It ended, or was dropped.
    Ended(Number),
}

/// Where the engine's replies and records go.
pub trait Out {
    /// A reply to a connection.
    fn send(&mut self, to: Peer, reply: Reply);

    /// A record for the durable queue; [`Ticket::NOW`] if there is none to wait for.
    ///
    /// # Errors
    /// The queue takes nothing now.
    fn keep(&mut self, record: Record) -> Result<Ticket, Refusal>;
}

/// Options and limits.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whose habits.
    pub dialect: Dialect,
    /// How often a job may be lost with its worker before it fails; none for no limit.
    pub retries_max: Option<u32>,
    /// How many sleeping workers are woken for a job; 0 for all.
    pub wake_max: u32,
    /// Whether functions take turns, instead of the order in which a worker named them.
    pub round_robin: bool,
    /// Longest unique key, bytes.
    pub unique_bytes_max: usize,
}

/// The state of a job server.
#[derive(Clone, Debug)]
pub struct Engine {
    _rules: Rules,
}

/// How long a worker may take for a job of a function.
pub type Timeout = Option<Duration>;
