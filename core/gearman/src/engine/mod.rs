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

mod calendar;
mod rules;
mod types;

pub use rules::{Defect, Dialect, Retries, Rules};
pub use types::{
    Assign, Grab, JobStatus, Kept, KeptWhen, NotDropped, Number, Out, Payload, Peer, Priority,
    Refusal, Reply, Submit, Ticket, Timeout, When, Work,
};

use storytime_machine::Time;

/// The state of a job server.
#[derive(Clone, Debug)]
pub struct Engine {
    rules: Rules,
}

/// A function, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionView<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Jobs that have not ended: queued, running, waiting for their time or for the disk.
    pub jobs: u32,
    /// Those that run.
    pub running: u32,
    /// Those that could run, by priority.
    pub queued: [u32; 3],
    /// Workers that can do it.
    pub workers: u32,
    /// Its limits by priority; 0 for none.
    pub queue_max: [u32; 3],
}

/// A job, as operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobView<'a> {
    /// Its number.
    pub number: Number,
    /// Its function.
    pub function: &'a [u8],
    /// Its unique key, as it was submitted.
    pub unique: &'a [u8],
    /// How often it lost its worker.
    pub losses: u32,
    /// Whether nobody waits for it any more: it runs, and its result will be thrown away.
    pub ignored: bool,
    /// Whether it is in a queue.
    pub queued: bool,
    /// Who runs it.
    pub worker: Option<Peer>,
    /// How many clients wait for it.
    pub listeners: u32,
}

impl Engine {
    /// A server without jobs, whose first one will have this number.
    pub fn new(rules: Rules, first: Number) -> Self {
        let _ = first;
        Self { rules }
    }

    /// Sets both clocks: to be called before the other methods whenever time went by. Seconds are
    /// those since 1970.
    pub fn clock(&mut self, now: Time, wall_seconds: u64) {
        let _ = (now, wall_seconds);
    }

    /// A client submits a job. Answered by [`Reply::Created`], as soon as the job is as durable as
    /// it is to be, or [`Reply::Error`]; answers to one connection keep the order of its submits.
    pub fn submit(&mut self, out: &mut impl Out, from: Peer, job: &Submit<'_>) {
        let _ = (out, from, job);
    }

    /// A worker can do a function.
    pub fn can_do(&mut self, out: &mut impl Out, from: Peer, function: &[u8], timeout: Timeout) {
        let _ = (out, from, function, timeout);
    }

    /// A worker cannot do a function any more. What it has begun it may finish.
    pub fn cant_do(&mut self, out: &mut impl Out, from: Peer, function: &[u8]) {
        let _ = (out, from, function);
    }

    /// A worker can do nothing any more.
    pub fn reset_abilities(&mut self, out: &mut impl Out, from: Peer) {
        let _ = (out, from);
    }

    /// A worker goes to sleep.
    pub fn pre_sleep(&mut self, out: &mut impl Out, from: Peer) {
        let _ = (out, from);
    }

    /// A worker asks for a job.
    pub fn grab(&mut self, out: &mut impl Out, from: Peer, how: Grab) {
        let _ = (out, from, how);
    }

    /// A worker says something of its job. Of a job that is not its own (any more) nothing is
    /// passed on.
    pub fn work(&mut self, out: &mut impl Out, from: Peer, number: Number, work: Work<'_>) {
        let _ = (out, from, number, work);
    }

    /// How far a job is.
    pub fn get_status(&self, number: Number) -> JobStatus {
        let _ = number;
        JobStatus::default()
    }

    /// How far the oldest job with this unique key is, whatever its function.
    pub fn get_status_unique(&self, unique: &[u8]) -> JobStatus {
        let _ = unique;
        JobStatus::default()
    }

    /// A client wants to be told exceptions.
    pub fn option_exceptions(&mut self, from: Peer) {
        let _ = from;
    }

    /// A connection ended: it waits for nothing any more, and what it ran is lost.
    pub fn gone(&mut self, out: &mut impl Out, from: Peer) {
        let _ = (out, from);
    }

    /// The journal is durable up to here: what waited for it goes on.
    pub fn durable(&mut self, out: &mut impl Out, upto: Ticket) {
        let _ = (out, upto);
    }

    /// Does what is due by both clocks: jobs for later, time-outs, workers that do not wake.
    pub fn tick(&mut self, out: &mut impl Out) {
        let _ = out;
    }

    /// The second since 1970 at which [`tick`](Self::tick) is to be called.
    pub fn next_due(&self) -> Option<u64> {
        None
    }

    /// The time at which [`tick`](Self::tick) is to be called.
    pub fn next_expiry(&self) -> Option<Time> {
        None
    }

    /// An operator cancels a job; its listeners are told that it failed. False if there is none.
    pub fn cancel(&mut self, out: &mut impl Out, number: Number) -> bool {
        let _ = (out, number);
        false
    }

    /// An operator makes a function known.
    ///
    /// # Errors
    /// Its name is too long, or there are too many.
    pub fn create_function(&mut self, function: &[u8]) -> Result<(), Refusal> {
        let _ = function;
        Ok(())
    }

    /// An operator drops a function without workers and jobs.
    ///
    /// # Errors
    /// There is none, or it is in use.
    pub fn drop_function(&mut self, function: &[u8]) -> Result<(), NotDropped> {
        let _ = function;
        Ok(())
    }

    /// Sets the limits of a function's queue by priority, 0 for none, also if it is new.
    ///
    /// # Errors
    /// Its name is too long, or there are too many.
    pub fn max_queue(&mut self, function: &[u8], limits: [u32; 3]) -> Result<(), Refusal> {
        let _ = (function, limits);
        Ok(())
    }

    /// Recovery, before anything else: a job that was kept.
    pub fn restore(&mut self, job: Kept<'_>) {
        let _ = job;
    }

    /// Recovery: a kept job that was forgotten.
    pub fn restore_forgotten(&mut self, number: Number) {
        let _ = number;
    }

    /// Calls `each` for every job that is to be remembered, in the order of their numbers:
    /// what a checkpoint holds.
    pub fn each_kept(&self, each: &mut dyn FnMut(Kept<'_>)) {
        let _ = each;
    }

    /// The number that the next job gets.
    pub fn next_number(&self) -> Number {
        Number(1)
    }

    /// All functions, the oldest first.
    pub fn functions(&self) -> impl Iterator<Item = FunctionView<'_>> {
        core::iter::empty()
    }

    /// What a connection can do, in the order in which it said so.
    pub fn abilities(&self, of: Peer) -> impl Iterator<Item = &[u8]> {
        let _ = of;
        core::iter::empty()
    }

    /// All jobs, in no particular order. Looks at each place for a job.
    pub fn all_jobs(&self) -> impl Iterator<Item = JobView<'_>> {
        core::iter::empty()
    }

    /// The jobs that a connection runs, the oldest first.
    pub fn jobs_of(&self, worker: Peer) -> impl Iterator<Item = JobView<'_>> {
        let _ = worker;
        core::iter::empty()
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> u32 {
        0
    }

    /// How many places of clients that wait there are.
    pub fn listeners(&self) -> u32 {
        0
    }

    /// How many replies wait for a sync.
    pub fn held(&self) -> u32 {
        0
    }

    /// Bytes in use.
    pub fn memory(&self) -> u64 {
        0
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Panics if the state is not one that can be.
    pub fn invariants(&self) {}
}
