//! What can be chosen: habits, options, limits.

use super::types::Timeout;
use core::time::Duration;

/// Whose habits the server has where the originals disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// The C server's.
    #[default]
    Gearmand,
    /// The original Perl server's: time-outs count seconds and fail the job, as a lost worker does;
    /// an exception is not the end; a full queue drops its newest; high priority is a stack.
    Danga,
}

impl Dialect {
    /// How long a worker may take, from the number that `CAN_DO_TIMEOUT` carries: milliseconds, of
    /// which the C server takes at least a thousand, or seconds. None for zero.
    pub const fn timeout(self, number: u64) -> Timeout {
        const LEAST_MILLIS: u64 = 1_000;
        match (self, number) {
            (_, 0) => None,
            (Self::Gearmand, ..LEAST_MILLIS) => Some(Duration::from_millis(LEAST_MILLIS)),
            (Self::Gearmand, millis) => Some(Duration::from_millis(millis)),
            (Self::Danga, seconds) => Some(Duration::from_secs(seconds)),
        }
    }
}

/// What 0 means as the number of `--job-retries`. Any other means the same in all versions of the C
/// server: the loss of this number fails the job; negative for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Retries {
    /// As in 1.1.20: no limit.
    #[default]
    Unlimited,
    /// As in 2.0, where 0 and 1 are the same: the first loss fails the job.
    None,
}

impl Retries {
    /// Largest number that can be asked for: losses are counted no further.
    pub const NUMBER_MAX: i64 = u8::MAX as i64;

    /// The loss that fails a job; none if no loss does.
    pub const fn losses_max(self, number: i64) -> Option<u32> {
        assert!(number <= Self::NUMBER_MAX, "losses are counted so far");
        match (self, number) {
            (_, ..0) | (Self::Unlimited, 0) => None,
            (Self::None, 0) => Some(1),
            (_, 1..) => Some(number as u32),
        }
    }
}

/// What a job takes beside its data and its key, bytes: its place, and how it is found.
pub const JOB_BYTES: u64 = 96;

/// Options and limits.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whose habits.
    pub dialect: Dialect,
    /// Which loss of its worker fails a job; none if no loss does.
    pub losses_max: Option<u32>,
    /// How many sleeping workers are woken for a job; 0 for all.
    pub wake_max: u32,
    /// How long a woken worker is waited for before another one is woken in its place.
    pub wake_patience: Duration,
    /// How long a worker that has just finished a job, or was woken, waits for one before it is
    /// told that there is none; zero to tell it at once.
    pub grab_patience: Duration,
    /// Whether functions of equal priority take turns, instead of the order in which a worker
    /// named them, the latest first.
    pub round_robin: bool,
    /// Whether every connection is told exceptions without asking.
    pub exceptions: bool,
    /// Longest unique key, bytes; at most 255.
    pub unique_bytes_max: u8,
    /// Longest name of a function, bytes.
    pub function_bytes_max: usize,
    /// Most functions.
    pub functions_max: u32,
    /// Most functions that one worker can do.
    pub abilities_max: u32,
    /// Most jobs.
    pub jobs_max: u32,
    /// Most bytes that jobs may take: their data and keys, and [`JOB_BYTES`] each.
    pub jobs_bytes_max: u64,
    /// Most places of clients that wait for jobs; one client may have many.
    pub listeners_max: u32,
    /// Most replies that wait for a sync.
    pub held_max: u32,
    /// Most bytes of what workers said of jobs that waits for a sync of their clients' other jobs.
    pub held_bytes_max: u64,
    /// Most calendar jobs.
    pub calendars_max: u32,
    /// Secret of the hashes, so that clients cannot choose keys that collide.
    pub secret: u64,
    /// A mistake of the original, to show that the search for it finds it.
    #[doc(hidden)]
    pub defect: Option<Defect>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            dialect: Dialect::Gearmand,
            losses_max: None,
            wake_max: 1,
            wake_patience: Duration::from_millis(100),
            grab_patience: Duration::ZERO,
            round_robin: true,
            exceptions: false,
            unique_bytes_max: 64,
            function_bytes_max: 4 << 10,
            functions_max: 1 << 16,
            abilities_max: 4 << 10,
            jobs_max: 1 << 28,
            jobs_bytes_max: 1 << 40,
            listeners_max: 1 << 28,
            held_max: 1 << 20,
            held_bytes_max: 256 << 20,
            calendars_max: 10_000,
            secret: 0,
            defect: None,
        }
    }
}

/// The original's four ways to lose accepted work. Each switches one mistake on.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A foreground job whose client left stays in the queue as one to be dropped, and a client
    /// that finds it by its key waits for it in vain.
    DeadJobFound,
    /// A background job is dropped when the last client leaves that came to wait for it.
    BackgroundForgotten,
    /// A background submit that finds an abandoned foreground job is accepted and never run.
    BackgroundOntoAbandoned,
    /// A cancelled job is still found by its key; and a running one ends twice.
    CancelledFound,
}
