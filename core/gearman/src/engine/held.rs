//! What waits for the disk: jobs that are not durable yet, and what is to be told meanwhile.
//!
//! Clients match `JOB_CREATED` with their submits by order alone. So while one answer to a
//! connection waits for a sync, the answers behind it wait as well, and so do the results of jobs
//! whose handle the client cannot know yet.

use super::Engine;
use super::job::{State, UNSYNCED};
use super::ring::NONE;
use super::types::{Number, Out, Peer, Refusal, Reply, Ticket, Work};
use bytes::Bytes;
use std::collections::VecDeque;

/// A queue by tickets.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) queue: VecDeque<Later>,
    /// Data of what workers said, bytes.
    work_bytes: u64,
    /// The newest ticket.
    pub(super) last: Ticket,
}

/// What happens when a ticket is durable.
#[derive(Clone, Debug)]
pub(super) struct Later {
    pub(super) ticket: Ticket,
    pub(super) number: Number,
    /// Who is told, if anyone, and the age of that connection.
    pub(super) to: u32,
    pub(super) age: u32,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// The job's newest record is durable; its client gets the handle.
    Synced,
    /// The client gets the handle.
    Created,
    /// The client gets a refusal.
    Error(Refusal),
    /// The client is told something of a job.
    Work(Box<OwnedWork>),
}

#[derive(Clone, Debug)]
pub(super) enum OwnedWork {
    Status(Bytes, Bytes),
    Data(Bytes),
    Warning(Bytes),
    Complete(Bytes),
    Fail,
    Exception(Bytes),
}

impl What {
    fn bytes(&self) -> u64 {
        let Self::Work(work) = self else { return 0 };
        match &**work {
            OwnedWork::Data(data)
            | OwnedWork::Warning(data)
            | OwnedWork::Complete(data)
            | OwnedWork::Exception(data) => data.len() as u64,
            OwnedWork::Status(numerator, denominator) => {
                (numerator.len() + denominator.len()) as u64
            }
            OwnedWork::Fail => 0,
        }
    }
}

impl From<Work<'_>> for OwnedWork {
    fn from(work: Work<'_>) -> Self {
        match work {
            Work::Status { numerator, denominator } => {
                Self::Status(Bytes::copy_from_slice(numerator), Bytes::copy_from_slice(denominator))
            }
            Work::Data(data) => Self::Data(data.to_bytes()),
            Work::Warning(data) => Self::Warning(data.to_bytes()),
            Work::Complete(data) => Self::Complete(data.to_bytes()),
            Work::Fail => Self::Fail,
            Work::Exception(data) => Self::Exception(data.to_bytes()),
        }
    }
}

impl OwnedWork {
    fn borrow(&self) -> Work<'_> {
        match self {
            Self::Status(numerator, denominator) => Work::Status { numerator, denominator },
            Self::Data(data) => Work::Data(data.into()),
            Self::Warning(data) => Work::Warning(data.into()),
            Self::Complete(data) => Work::Complete(data.into()),
            Self::Fail => Work::Fail,
            Self::Exception(data) => Work::Exception(data.into()),
        }
    }
}

impl Held {
    pub(super) const fn new() -> Self {
        Self { queue: VecDeque::new(), work_bytes: 0, last: Ticket::NOW }
    }

    /// Takes the first out that is durable.
    fn next(&mut self, upto: Ticket) -> Option<Later> {
        self.queue.front().filter(|later| later.ticket <= upto)?;
        let later = self.queue.pop_front()?;
        self.work_bytes -= later.what.bytes();
        Some(later)
    }
}

impl Engine {
    /// Tells a connection something of its jobs: at once, or behind what waits for it already.
    #[inline]
    pub(super) fn reply(&mut self, out: &mut impl Out, to: u32, number: Number, what: Reply<'_>) {
        if self.peers.get(to).held == 0 {
            out.send(Peer(to), what);
            return;
        }
        let what = match what {
            Reply::Created { .. } => What::Created,
            Reply::Error(refusal) => What::Error(refusal),
            Reply::Work(_, work) => What::Work(Box::new(work.into())),
            Reply::Noop | Reply::NoJob | Reply::Assign(_) => {
                unreachable!("answers to workers wait for nobody")
            }
        };
        // There is room to be told that there is no room.
        let most = match what {
            What::Error(_) => 2 * self.rules.held_max as usize,
            _ => self.rules.held_max as usize,
        };
        let bytes = self.held.work_bytes + what.bytes();
        if self.held.queue.len() >= most || bytes > self.rules.held_bytes_max {
            // The disk stands still, and a worker does not.
            return out.overrun(Peer(to));
        }
        self.hold(self.held.last, to, number, what);
    }

    /// Puts something off until a ticket is durable.
    pub(super) fn hold(&mut self, ticket: Ticket, to: u32, number: Number, what: What) {
        assert!(ticket >= self.held.last, "tickets grow");
        self.held.last = ticket;
        let age = if to == NONE {
            0
        } else {
            let peer = self.peers.get_mut(to);
            peer.held += 1;
            peer.age
        };
        self.held.work_bytes += what.bytes();
        self.held.queue.push_back(Later { ticket, number, to, age, what });
    }

    /// The journal is durable up to here: what waited for it goes on.
    pub fn durable(&mut self, out: &mut impl Out, upto: Ticket) {
        while let Some(Later { number, to, age, what, .. }) = self.held.next(upto) {
            if matches!(what, What::Synced) {
                self.synced(out, number);
            }
            if to == NONE || self.peers.get(to).age != age {
                continue;
            }
            self.peers.get_mut(to).held -= 1;
            let reply = match &what {
                What::Synced | What::Created => Reply::Created { number, alone: false },
                What::Error(refusal) => Reply::Error(*refusal),
                What::Work(work) => Reply::Work(number, work.borrow()),
            };
            out.send(Peer(to), reply);
        }
    }

    /// A job is as durable as it is to be.
    fn synced(&mut self, out: &mut impl Out, number: Number) {
        if let Some(calendar) = self.calendars.get_mut(&number) {
            calendar.unsynced = false;
        }
        let Some(at) = self.index.by_number(number) else { return };
        let job = self.jobs.get_mut(at);
        job.unset(UNSYNCED);
        if job.state == State::Held {
            self.make_ready(out, at);
        }
    }
}
