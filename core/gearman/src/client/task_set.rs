//! Many jobs and one end: submitted a few at a time, and again where they failed.

use super::{Client, Event, Handle, Job, NotAccepted};
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::VecDeque;
use storytime_machine::{Cx, Token};

/// Most tasks of a set.
pub const TASKS_MAX: usize = 1 << 20;

/// Options and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskSetOptions {
    /// Most jobs under way at once.
    pub in_flight_max: usize,
    /// How often a job is submitted until it succeeds. More than once means that it may run more
    /// than once.
    pub attempts_max: u32,
    /// How long after a failure it is submitted again.
    pub retry_after: Duration,
    /// Longest result of a job, all of its parts together, bytes. The rest is cut off.
    pub result_bytes_max: usize,
}

impl Default for TaskSetOptions {
    fn default() -> Self {
        Self {
            in_flight_max: 64,
            attempts_max: 1,
            retry_after: Duration::from_secs(1),
            result_bytes_max: 64 << 20,
        }
    }
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done; this is its result, all parts of it.
    Done(Bytes),
    /// It is in the background, and was accepted.
    Accepted(Handle),
    /// The client did not take it.
    NotAccepted(NotAccepted),
    /// It failed; this is the last attempt's end.
    Failed(Event),
}

/// A job of a set.
#[derive(Debug)]
struct Task {
    job: Job,
    attempts: u32,
    parts: BytesMut,
    outcome: Option<Outcome>,
}

/// Jobs that end together. A part of a machine, over a [`Client`]: the owner passes the client's
/// events and its own timers on.
#[derive(Debug)]
pub struct TaskSet {
    options: TaskSetOptions,
    first_tag: u64,
    timer: Token,
    tasks: Vec<Task>,
    /// Tasks to be submitted, in this order.
    ready: VecDeque<u32>,
    /// Tasks to be submitted when the timer comes.
    again: Vec<u32>,
    in_flight: usize,
    ended: usize,
}

impl TaskSet {
    /// An empty set, whose tasks have the tags from `first_tag` on, at most [`TASKS_MAX`]; `timer`
    /// is for submitting again.
    pub const fn new(options: TaskSetOptions, first_tag: u64, timer: Token) -> Self {
        Self {
            options,
            first_tag,
            timer,
            tasks: Vec::new(),
            ready: VecDeque::new(),
            again: Vec::new(),
            in_flight: 0,
            ended: 0,
        }
    }

    /// Adds a job, and returns its place in the set. It is submitted by the next
    /// [`TaskSet::submit`].
    ///
    /// # Panics
    /// If there are [`TASKS_MAX`] already.
    pub fn add(&mut self, job: Job) -> usize {
        assert!(self.tasks.len() < TASKS_MAX, "more tasks than a set can have");
        let place = self.tasks.len();
        self.tasks.push(Task { job, attempts: 0, parts: BytesMut::new(), outcome: None });
        self.ready.push_back(place as u32);
        place
    }

    /// Submits jobs as far as there is room.
    pub fn submit(&mut self, cx: &mut Cx, client: &mut Client) {
        while self.in_flight < self.options.in_flight_max.max(1) {
            let Some(place) = self.ready.pop_front() else { break };
            let task = &mut self.tasks[place as usize];
            task.parts.clear();
            match client.submit(cx, task.job.clone(), self.first_tag + u64::from(place)) {
                Ok(()) => {
                    task.attempts += 1;
                    self.in_flight += 1;
                }
                Err(NotAccepted::TooMany) => self.later(cx, place),
                Err(why) => self.end(place, Outcome::NotAccepted(why)),
            }
        }
    }

    /// An event of the client's; false if it is of no task of this set.
    pub fn on_event(&mut self, cx: &mut Cx, client: &mut Client, event: &Event) -> bool {
        let Some(place) = event.tag().checked_sub(self.first_tag) else { return false };
        let Some(task) = self.tasks.get_mut(place as usize) else { return false };
        let place = place as u32;
        assert!(task.outcome.is_none(), "a task ends once");
        match event {
            Event::Data { data, .. } => task.append(data, self.options.result_bytes_max),
            Event::Complete { data, .. } => {
                task.append(data, self.options.result_bytes_max);
                let result = task.parts.split().freeze();
                self.end(place, Outcome::Done(result));
            }
            Event::Created { handle, background: true, .. } => {
                self.end(place, Outcome::Accepted(*handle));
            }
            _ if !event.is_end() => {}
            _ if task.attempts < self.options.attempts_max => self.later(cx, place),
            _ => self.end(place, Outcome::Failed(event.clone())),
        }
        if event.is_end() {
            self.in_flight -= 1;
            self.submit(cx, client);
        }
        true
    }

    /// A timer came due; false if it is not this set's.
    pub fn on_timer(&mut self, cx: &mut Cx, client: &mut Client, timer: Token) -> bool {
        if timer != self.timer {
            return false;
        }
        self.ready.extend(self.again.drain(..));
        self.submit(cx, client);
        true
    }

    /// Whether every task has ended.
    pub const fn is_done(&self) -> bool {
        self.ended == self.tasks.len()
    }

    /// How a task ended, if it has.
    pub fn outcome(&self, place: usize) -> Option<&Outcome> {
        self.tasks.get(place)?.outcome.as_ref()
    }

    /// How each task ended, in their order.
    ///
    /// # Panics
    /// If one has not.
    pub fn into_outcomes(self) -> impl Iterator<Item = Outcome> {
        self.tasks.into_iter().map(|task| task.outcome.expect("asked for when all have ended"))
    }

    fn later(&mut self, cx: &mut Cx, place: u32) {
        if self.again.is_empty() {
            cx.after(self.timer, self.options.retry_after);
        }
        self.again.push(place);
    }

    fn end(&mut self, place: u32, outcome: Outcome) {
        self.tasks[place as usize].outcome = Some(outcome);
        self.ended += 1;
    }
}

impl Task {
    fn append(&mut self, part: &Bytes, bytes_max: usize) {
        let room = bytes_max.saturating_sub(self.parts.len());
        self.parts.extend_from_slice(&part[..part.len().min(room)]);
    }
}
