//! Jobs of job servers: those that the load's jobs submit, and those that are the load's to do.

use super::hands::Came;
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::models::PAGES_MAX;
use crate::read::{Parts, work};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use storytime_gearman::client::{Choice, Client, ClientOptions, Event, Job};
use storytime_gearman::worker::{JobId, NotTaken, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Conn, Cx, Endpoint, Gone, Open, Token};

/// What a load has to do with job servers: none of it, unless its workload says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobServers {
    /// The hosts that run them.
    pub hosts: Vec<usize>,
    /// Whether each host has to do with the one on itself alone.
    pub own: bool,
    /// Which of them gets a job.
    pub choice: Choice,
    /// What the load's own workers do, and how long a job may take; nothing if it only submits.
    pub functions: Vec<(Bytes, Option<Duration>)>,
    /// The same for each group of hosts, if they are not all alike: host n is in group n modulo
    /// their number.
    pub groups: Vec<Vec<(Bytes, Option<Duration>)>>,
    /// Most jobs that a host has at once.
    pub at_once: u32,
    /// Whether exceptions are told apart from failures.
    pub exceptions: bool,
    /// Requests and connects may take so long; for the result of a job a client waits longer.
    pub timeout: Duration,
}

impl JobServers {
    /// Those that a load names, and its `timeout`.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self> {
        Ok(Self {
            hosts: work::job_servers(fields, parts)?,
            timeout: fields.quantity("timeout", DURATION, Some(Duration::from_secs(3)))?,
            ..Self::default()
        })
    }

    /// The same for a load that does jobs, too: so many at once on each host as the field `at_once`
    /// says.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn of_workers(
        fields: &Fields<'_>,
        parts: &Parts<'_>,
        functions: impl IntoIterator<Item = Bytes>,
        at_once: &str,
    ) -> Checked<Self> {
        Ok(Self {
            functions: functions.into_iter().map(|function| (function, None)).collect(),
            at_once: fields.integer(at_once, 1..=PAGES_MAX, None)? as u32,
            ..Self::read(fields, parts)?
        })
    }
}

/// A job that a job server gave to this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// What is to be done.
    pub function: Bytes,
    /// By which it is told from others; empty for none.
    pub unique: Bytes,
    /// The function that does the parts, if it is to be split.
    pub reducer: Option<Bytes>,
    /// With what.
    pub data: Bytes,
    /// Its name at its server, which no other job there has.
    pub handle: Bytes,
}

/// What one step of a job says to whoever waits for it, before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A part of the result.
    Part(Bytes),
    /// How far it is: so much of so much.
    Progress(u64, u64),
}

/// Whose a submitted job is.
#[derive(Clone, Copy, Debug)]
struct Owner {
    /// The job's tag that submitted it.
    tag: u64,
    /// Which of the jobs that this one submitted.
    nth: u32,
}

/// The link to job servers.
#[derive(Debug)]
pub(super) struct Jobs {
    client: Client,
    worker: Option<Worker>,
    /// Whether it takes no more jobs, and the process exits.
    leaves: bool,
    submitted: BTreeMap<u64, Owner>,
    next: u64,
    /// What this host does at the moment, by a number that the machine knows it by.
    assigned: BTreeMap<u32, (JobId, Assigned)>,
    next_assigned: u32,
    /// Ends of what could not be submitted.
    at_once: VecDeque<(Owner, Event)>,
}

/// Something for the machine.
#[derive(Debug)]
pub(super) enum Arrived {
    /// A job has come: its number.
    Job(u32),
    /// Something came for the load's job with this tag.
    For(u64, Came),
}

impl Jobs {
    pub(super) fn new(servers: &JobServers, at: &[Endpoint], base: Token) -> Self {
        let worker_base = Token(base.0 + storytime_gearman::client::CLIENT_TOKENS);
        let worker = WorkerOptions {
            servers: at.to_vec(),
            functions: servers.functions.clone(),
            jobs_max: servers.at_once.max(1) as usize,
            grab: storytime_gearman::engine::Grab::All,
            connect_timeout: servers.timeout,
            timeout: servers.timeout,
            ..WorkerOptions::default()
        };
        let client = ClientOptions {
            servers: at.to_vec(),
            choice: servers.choice,
            exceptions: servers.exceptions,
            connect_timeout: servers.timeout,
            timeout: servers.timeout,
            requests_max: 1 << 20,
            ..ClientOptions::default()
        };
        Self {
            client: Client::new(client, base),
            worker: (!servers.functions.is_empty()).then(|| Worker::new(worker, worker_base)),
            leaves: false,
            submitted: BTreeMap::new(),
            next: 0,
            assigned: BTreeMap::new(),
            next_assigned: 0,
            at_once: VecDeque::new(),
        }
    }

    pub(super) fn start(&mut self, cx: &mut Cx) {
        if let Some(worker) = &mut self.worker {
            worker.start(cx);
        }
    }

    /// Cuts the worker's connections, as if its process died.
    pub(super) fn hang_up(&mut self, cx: &mut Cx) {
        if let Some(worker) = &mut self.worker {
            worker.hang_up(cx);
        }
    }

    /// Takes no more jobs.
    pub(super) fn leave(&mut self, cx: &mut Cx) {
        if let Some(worker) = &mut self.worker {
            self.leaves = true;
            worker.leave(cx);
        }
    }

    /// Whether the last job has ended since, and the job servers have heard of it.
    pub(super) fn has_left(&self) -> bool {
        self.leaves && self.worker.as_ref().is_none_or(Worker::is_closed)
    }

    /// Submits a job, the `nth` of those of the load's job with this tag.
    pub(super) fn submit(&mut self, cx: &mut Cx, job: Job, tag: u64, nth: u32) {
        let owner = Owner { tag, nth };
        let number = self.next;
        self.next += 1;
        match self.client.submit(cx, job, number) {
            Ok(()) => drop(self.submitted.insert(number, owner)),
            Err(_) => self.at_once.push_back((owner, Event::NotSent { tag: number })),
        }
    }

    /// What the job with this number is.
    pub(super) fn assigned(&self, number: u32) -> Option<&Assigned> {
        self.assigned.get(&number).map(|(_, assigned)| assigned)
    }

    /// Tells something of a job before its end. What a slow server does not take is not told.
    pub(super) fn say(&mut self, cx: &mut Cx, number: u32, said: &Said) -> Result<(), NotTaken> {
        let Some((worker, (job, _))) = self.worker.as_mut().zip(self.assigned.get(&number)) else {
            return Err(NotTaken::Unknown);
        };
        match said {
            Said::Part(data) => worker.data(cx, *job, data),
            Said::Progress(done, of) => worker.status(cx, *job, *done, *of),
        }
    }

    /// Ends a job: with its result, or without one.
    pub(super) fn end(&mut self, cx: &mut Cx, number: u32, result: Option<Bytes>) {
        let Some((job, _)) = self.assigned.remove(&number) else { return };
        let worker = self.worker.as_mut().expect("only a worker is given jobs");
        // A job that is somebody else's by now is over for this host, too.
        let _gone = match result {
            Some(data) => worker.complete(cx, job, data),
            None => worker.fail(cx, job),
        };
    }

    pub(super) fn next_arrived(&mut self) -> Option<Arrived> {
        if let Some((owner, event)) = self.at_once.pop_front() {
            return Some(Arrived::For(owner.tag, Came::Job { nth: owner.nth, event }));
        }
        while let Some(event) = self.worker.as_mut().and_then(Worker::next_event) {
            if let WorkerEvent::Job { job, handle, function, unique, reducer, data } = event {
                let unique = unique.unwrap_or_default();
                let handle = Bytes::copy_from_slice(handle.name.as_bytes());
                let assigned = Assigned { function, unique, reducer, data, handle };
                let number = self.next_assigned;
                self.next_assigned = number.wrapping_add(1);
                self.assigned.insert(number, (job, assigned));
                return Some(Arrived::Job(number));
            }
        }
        while let Some(event) = self.client.next_event() {
            let tag = event.tag();
            let owner = match event.is_end() {
                true => self.submitted.remove(&tag),
                false => self.submitted.get(&tag).copied(),
            };
            if let Some(owner) = owner {
                return Some(Arrived::For(owner.tag, Came::Job { nth: owner.nth, event }));
            }
        }
        None
    }

    pub(super) fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        self.client.on_open(cx, conn, how)
            || self.worker.as_mut().is_some_and(|worker| worker.on_open(cx, conn, how))
    }

    pub(super) fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        self.client.on_data(cx, conn, rx)
            || self.worker.as_mut().is_some_and(|worker| worker.on_data(cx, conn, rx))
    }

    pub(super) fn on_drained(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        self.client.on_drained(cx, conn)
            || self.worker.as_mut().is_some_and(|worker| worker.on_drained(cx, conn))
    }

    pub(super) fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        self.client.on_eof(cx, conn)
            || self.worker.as_mut().is_some_and(|worker| worker.on_eof(cx, conn))
    }

    pub(super) fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        self.client.on_gone(cx, conn, why)
            || self.worker.as_mut().is_some_and(|worker| worker.on_gone(cx, conn, why))
    }

    pub(super) fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        self.client.on_failed(cx, connect, why)
            || self.worker.as_mut().is_some_and(|worker| worker.on_failed(cx, connect, why))
    }

    pub(super) fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        self.client.on_timer(cx, timer)
            || self.worker.as_mut().is_some_and(|worker| worker.on_timer(cx, timer))
    }

    pub(super) fn invariants(&self) {
        self.client.invariants();
        if let Some(worker) = &self.worker {
            worker.invariants();
        }
        assert!(self.submitted.len() <= self.client.pending(), "every end is told");
    }
}
