//! The rules of a job server, as plain data with methods.
//!
//! A method is one packet, or one thing that happened: a connection ended, a sync completed, time
//! went by. Replies go out through [`Out`], at once and in order. Nothing here blocks, waits, or
//! knows bytes on a wire.
//!
//! # The life of a job
//!
//! ```text
//!             durable: until the sync      not before its time
//!  submitted ─────────────────────────► held ───────────► queued ◄──────────┐
//!                                                           │ grabbed       │ worker lost,
//!                                                           ▼               │ timed out
//!                                                        running ───────────┘
//!                                                           │ complete, fail, exception
//!                                                           ▼
//!                                                         ended: every listener told
//! ```
//!
//! A job is *kept for* its listeners, or for itself (background). It is dropped unrun only when
//! neither is left; and a submit that finds it by its unique key makes it wanted again, or
//! background, whatever it was before. These two sentences are what the original gets wrong in four
//! ways.
//!
//! # Where this follows neither original
//!
//! - A job that lost its worker keeps its place in the queue; the C server puts it at the end.
//! - `CANT_DO` and `RESET_ABILITIES` leave the worker what it has begun; the C server gives it to
//!   another one as well.
//! - What a worker says of a job that is not its own (any more) is swallowed and counted. The C
//!   server answers with an error, of which Perl workers die.
//! - A worker that names a function twice can do it once.
//! - A queued job that a submit finds by its key runs no later than that submit asks for.
//! - A limit of a queue holds for functions that are new, too. As in the C server it is set by
//!   priority and compared with all jobs of the function.
//! - Woken are as many workers as there are jobs, the one that slept longest first; and another
//!   one, if it does not come within [`Rules::wake_patience`].
//! - A worker that asks for a job when it has finished one may be told only after
//!   [`Rules::grab_patience`] that there is none.

mod accounts;
mod answer;
mod ask;
mod calendar;
mod calendars;
mod check;
mod function;
mod held;
mod index;
mod job;
mod leave;
mod look;
mod peer;
mod restore;
pub(crate) mod ring;
mod rules;
mod slab;
mod submit;
mod tell;
mod times;
mod types;
mod wake;
mod work;

pub use accounts::Quota;
pub use answer::Ran;
pub use calendar::{Calendar, FIELDS};
pub use look::{Counters, FunctionView, JobView};
pub use restore::Cursor;
pub use rules::{Defect, Dialect, JOB_BYTES, Retries, Rules};
pub use types::{
    Assign, Grab, Happened, Happening, JobStatus, Kept, KeptWhen, NotDropped, Number, Out, Payload,
    Peer, Priority, Refusal, Reply, Submit, Ticket, Timeout, When, Work,
};

#[doc(hidden)]
pub use check::Part;

use calendars::CalendarJob;
use function::Functions;
use held::Held;
use index::Index;
use job::Job;
use peer::{Ability, Listener, Peers};
use ring::Ring;
use slab::Slab;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::Time;

/// The state of a job server.
#[derive(Clone, Debug)]
pub struct Engine {
    rules: Rules,
    now: Time,
    wall_seconds: u64,
    next_number: u64,
    next_turn: u64,
    jobs: Slab<Job>,
    index: Index,
    /// Bytes of jobs' data and keys.
    jobs_bytes: u64,
    listeners: Slab<Listener>,
    abilities: Slab<Ability>,
    functions: Functions,
    peers: Peers,
    /// Workers that were woken and have yet to come, by when their time is up.
    woken: Ring,
    /// Workers that asked for a job and are not answered yet, by when they are to be.
    asking: Ring,
    held: Held,
    /// Jobs that lost their worker, by function, priority and turn.
    returned: BTreeSet<(u32, u8, u64, u32)>,
    /// Running jobs whose worker has a time-out.
    deadlines: BTreeSet<(Time, Number)>,
    /// Jobs and calendars by the second since 1970 at which they are due.
    dues: BTreeSet<(u64, Number)>,
    calendars: BTreeMap<Number, CalendarJob>,
    counters: Counters,
}

impl Engine {
    /// A server without jobs, whose first one will have this number (or 1).
    pub fn new(rules: Rules, first: Number) -> Self {
        Self {
            now: Time::ZERO,
            wall_seconds: 0,
            next_number: first.0.max(1),
            next_turn: 0,
            jobs: Slab::default(),
            index: Index::new(rules.secret),
            jobs_bytes: 0,
            listeners: Slab::default(),
            abilities: Slab::default(),
            functions: Functions::new(rules.secret),
            peers: Peers::default(),
            woken: Ring::default(),
            asking: Ring::default(),
            held: Held::new(),
            returned: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            dues: BTreeSet::new(),
            calendars: BTreeMap::new(),
            counters: Counters::default(),
            rules,
        }
    }

    /// Sets both clocks: to be called before the other methods whenever time went by. Seconds are
    /// those since 1970.
    pub fn clock(&mut self, now: Time, wall_seconds: u64) {
        assert!(now >= self.now, "the monotonic clock does not go back");
        self.now = now;
        self.wall_seconds = wall_seconds;
    }

    /// The rules.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The number that the next job gets.
    pub const fn next_number(&self) -> Number {
        Number(self.next_number)
    }
}
