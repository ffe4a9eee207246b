//! What goes into the rules and what comes out: names, jobs, replies, records.

use super::calendar::FIELDS;
use bytes::Bytes;
use core::fmt;
use core::ops::Deref;
use core::time::Duration;

/// A connection, by a small dense number that its owner may use again after
/// [`Engine::gone`](super::Engine::gone).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u32);

/// A job's number: the last part of its handle. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(pub u64);

/// Up to where the journal must be durable before something may happen. Grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Nothing to wait for.
    pub const NOW: Self = Self(0);
}

/// How long a worker may take for a job of a function; none for as long as it likes.
pub type Timeout = Option<Duration>;

/// Bytes that are not the rules' business: to be copied if short, shared if long.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// To be copied.
    Slice(&'a [u8]),
    /// May be kept by reference count instead.
    Shared(&'a Bytes),
}

impl Payload<'_> {
    /// The bytes, owned: by reference count where that is possible.
    pub fn to_bytes(&self) -> Bytes {
        match self {
            Self::Slice(slice) => Bytes::copy_from_slice(slice),
            Self::Shared(bytes) => (*bytes).clone(),
        }
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Slice(slice) => slice,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload<'_> {}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(slice: &'a [u8]) -> Self {
        Self::Slice(slice)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(slice: &'a [u8; N]) -> Self {
        Self::Slice(slice)
    }
}

impl<'a> From<&'a Bytes> for Payload<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self::Shared(bytes)
    }
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

impl Priority {
    /// All of them, the first to be served first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];
}

/// When a job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When<'a> {
    /// At once.
    Now,
    /// From this second since 1970 on.
    Epoch(u64),
    /// At the times of a calendar, again and again: minute, hour, day of the month, month, day of
    /// the week, as [`Calendar`](super::Calendar) reads them.
    Calendar([&'a [u8]; FIELDS]),
}

/// A job that a client submits. What is kept of it is copied, long data excepted.
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key: empty for none, `-` for the data itself.
    pub unique: &'a [u8],
    /// Its data.
    pub data: Payload<'a>,
    /// Its reducer, if it is to be split.
    pub reducer: Option<&'a [u8]>,
    /// Its place in the queue.
    pub priority: Priority,
    /// Whether nobody waits for it. A job for later is a background job in any case.
    pub background: bool,
    /// When it may run.
    pub when: When<'a>,
}

/// What a worker says of its job, and what listeners are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work<'a> {
    /// `WORK_STATUS`: how far it is, in decimal digits.
    Status {
        /// So many parts are done.
        numerator: &'a [u8],
        /// Of so many.
        denominator: &'a [u8],
    },
    /// `WORK_DATA`.
    Data(Payload<'a>),
    /// `WORK_WARNING`.
    Warning(Payload<'a>),
    /// `WORK_COMPLETE`.
    Complete(Payload<'a>),
    /// `WORK_FAIL`.
    Fail,
    /// `WORK_EXCEPTION`.
    Exception(Payload<'a>),
}

/// What goes to a connection. Handles are numbers here; the owner writes them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// `JOB_CREATED`.
    Created {
        /// The job.
        number: Number,
        /// Whether its client waits for this job, and for no other.
        alone: bool,
    },
    /// `NOOP`.
    Noop,
    /// `NO_JOB`.
    NoJob,
    /// `JOB_ASSIGN`, or with the unique key, or with the reducer.
    Assign(Assign<'a>),
    /// `WORK_…`.
    Work(Number, Work<'a>),
    /// `ERROR`.
    Error(Refusal),
}

/// A job for a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assign<'a> {
    /// The job.
    pub number: Number,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key, as it was submitted.
    pub unique: &'a [u8],
    /// Its reducer, if it has one.
    pub reducer: Option<&'a [u8]>,
    /// Its data.
    pub data: Payload<'a>,
    /// What the worker asked to be told.
    pub how: Grab,
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

/// Why something is not done. `Display` is the text for the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The unique key is too long.
    UniqueTooLong,
    /// The function's name is too long.
    FunctionTooLong,
    /// There are as many functions as there may be.
    TooManyFunctions,
    /// The worker can do as much as it may.
    TooManyAbilities,
    /// Whoever submits it has as much as they may.
    QuotaUsedUp,
    /// The queue is full: of the function, or of the server.
    QueueFull,
    /// The durable queue takes nothing now: its disk is full, or too much waits for it.
    QueueBusy(&'static str),
    /// There are as many calendar jobs as there may be.
    TooManyCalendars,
    /// The calendar's words are none, or name a time that never comes.
    Calendar,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UniqueTooLong => "Unique value too large",
            Self::FunctionTooLong => "Function name too large",
            Self::TooManyFunctions => "Too many functions",
            Self::TooManyAbilities => "Too many functions for one worker",
            Self::QuotaUsedUp => "Quota is used up",
            Self::QueueFull => "Job queue is full",
            Self::QueueBusy(why) => why,
            Self::TooManyCalendars => "Too many scheduled jobs",
            Self::Calendar => "Schedule not understood",
        })
    }
}

/// What a durable queue must remember of a job. A second one of the same number takes the place of
/// the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<'a> {
    /// The job.
    pub number: Number,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key.
    pub unique: &'a [u8],
    /// Its reducer.
    pub reducer: Option<&'a [u8]>,
    /// Its data.
    pub data: Payload<'a>,
    /// Its place in the queue.
    pub priority: Priority,
    /// When it may run.
    pub when: KeptWhen<'a>,
}

/// When a remembered job may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptWhen<'a> {
    /// At once.
    Now,
    /// From this second since 1970 on.
    Epoch(u64),
    /// Never itself: it is a calendar, of which jobs are made.
    Calendar {
        /// Its words.
        words: [&'a [u8]; FIELDS],
        /// The second up to which its times are done with.
        upto: u64,
    },
    /// At once; it was made of a calendar, whose times up to this second are done with thereby.
    Fired {
        /// The calendar.
        calendar: Number,
        /// The second that it is for.
        second: u64,
    },
}

/// Where the engine's replies and records go.
pub trait Out {
    /// A reply to a connection.
    fn send(&mut self, to: Peer, reply: Reply<'_>);

    /// A job for the durable queue. The ticket is not below that of the call before;
    /// [`Ticket::NOW`] if there is nothing to wait for.
    ///
    /// # Errors
    /// The queue takes nothing now.
    fn keep(&mut self, job: Kept<'_>) -> Result<Ticket, Refusal>;

    /// A kept job ended, or was cancelled: it need not be remembered. If this is lost in a crash,
    /// the job runs once more.
    fn forget(&mut self, number: Number);

    /// More waits for the disk on behalf of a connection than may wait: the connection is to be
    /// ended, since the reply that would come next is lost.
    fn overrun(&mut self, of: Peer);

    /// Whether anybody watches: only then is [`happened`](Self::happened) called.
    fn watched(&self) -> bool {
        false
    }

    /// Something happened to a job. Not told of jobs that come back after a restart.
    fn happened(&mut self, event: Happening<'_>) {
        let _ = event;
    }
}

/// What happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is there.
    Submitted,
    /// A submit found it by its key.
    Joined,
    /// A worker has it.
    Assigned,
    /// Its worker takes too long.
    TimedOut,
    /// Its worker was lost, and it goes back into its queue.
    Requeued,
    /// It ended with a result.
    Completed,
    /// It ended with a result that was known elsewhere.
    Answered,
    /// Its worker told an exception: its end, but in the Perl server's dialect.
    Excepted,
    /// It failed.
    Failed,
    /// An operator ended it.
    Cancelled,
    /// It had to make room for another one.
    Dropped,
    /// It ended because nobody waits for it any more.
    Abandoned,
}

impl Happened {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Joined => "joined",
            Self::Assigned => "assigned",
            Self::TimedOut => "timed_out",
            Self::Requeued => "requeued",
            Self::Completed => "completed",
            Self::Answered => "answered",
            Self::Excepted => "exception",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Dropped => "dropped",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Something that happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening<'a> {
    /// What.
    pub what: Happened,
    /// The job.
    pub number: Number,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key, as it was submitted.
    pub unique: &'a [u8],
    /// The worker that has it.
    pub worker: Option<Peer>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct JobStatus {
    /// Whether there is such a job (and it has not ended).
    pub known: bool,
    /// Whether a worker has it.
    pub running: bool,
    /// So many parts are done.
    pub numerator: u32,
    /// Of so many.
    pub denominator: u32,
    /// So many places of clients that wait for it; counted where it is asked for by unique key.
    pub clients: u32,
}

/// Why a function cannot be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDropped {
    /// There is none of this name.
    Unknown,
    /// A worker can do it, or a job is there for it.
    InUse,
}
