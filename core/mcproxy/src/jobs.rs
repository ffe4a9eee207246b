//! Requests under way, from the clients' side: whom to answer, and which servers were asked.

use crate::front::{Dress, ForAll, Request};
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Conn;
use storytime_memcached::client::pool::{Failure, Refusal};

/// Legs that a tag can tell apart.
const LEGS_MAX: usize = 1 << 16;

/// A job; stale ones find nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct JobId {
    pub(crate) slot: u32,
    pub(crate) age: u16,
}

/// Who is to be answered, and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(crate) to: To,
    pub(crate) dress: Dress,
}

/// Who waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum To {
    /// A client, with a place in the order of its replies.
    Client { conn: Conn, seq: u64 },
    /// A large value, of which this is a piece.
    Split { slot: u32, piece: u32 },
}

/// What a server said, in whole frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) first: Bytes,
    pub(crate) rest: Vec<Bytes>,
}

/// Why a server said nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// The request was not taken.
    Refused(Refusal),
    /// The request failed on its way.
    Failed(Failure),
}

impl Why {
    /// Whether the server has certainly not seen the request.
    pub(crate) const fn unseen(self) -> bool {
        use storytime_machine::Gone::{NoResources, Refused, Unreachable};
        matches!(
            self,
            Self::Refused(_) | Self::Failed(Failure::Lost(Refused | Unreachable | NoResources))
        )
    }
}

/// A server and what came of asking it.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) set: usize,
    pub(crate) node: usize,
    /// Frames so far.
    pub(crate) reply: Reply,
    pub(crate) end: End,
}

/// How a leg stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// No end yet.
    Awaited,
    /// Its reply is whole.
    Replied,
    /// There will be none.
    Failed(Why),
}

/// What a job is for.
#[derive(Debug)]
pub(crate) enum Task {
    /// A client's request, along its route.
    Routed,
    /// A client's request to all servers.
    All(ForAll),
    /// Reading a value from a warm pool, to be copied.
    Fetch {
        /// Where it goes.
        cold: usize,
        /// Longest life of the copy.
        ttl: Option<Duration>,
        /// The key was written meanwhile: the copy would be stale.
        given_up: bool,
    },
    /// Adding a value to a cold pool.
    Add {
        /// Where it goes.
        cold: usize,
        /// The key was written meanwhile, on another connection.
        given_up: bool,
    },
    /// Something nobody waits for.
    Background,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Job {
    age: u16,
    pub(crate) live: bool,
    pub(crate) task: Task,
    pub(crate) request: Option<Request>,
    /// Index of the plan in the table of this generation.
    pub(crate) plan: usize,
    pub(crate) generation: u32,
    pub(crate) group: usize,
    pub(crate) legs: Vec<Leg>,
    /// Legs of the present group begin here; those before belong to groups that were answered for.
    pub(crate) legs_from: usize,
    /// Legs without an end.
    pub(crate) awaited: usize,
    pub(crate) waiters: Vec<Waiter>,
    pub(crate) answered: bool,
    /// An answer of an earlier group, should no later one have a better.
    pub(crate) fallback: Option<Reply>,
    /// Whether `settle` is to look at it.
    pub(crate) queued: bool,
}

/// All jobs.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    slots: Vec<Job>,
    free: Vec<u32>,
}

impl Job {
    fn new() -> Self {
        Self {
            age: 0,
            live: false,
            task: Task::Background,
            request: None,
            plan: 0,
            generation: 0,
            group: 0,
            legs: Vec::new(),
            legs_from: 0,
            awaited: 0,
            waiters: Vec::new(),
            answered: false,
            fallback: None,
            queued: false,
        }
    }

    /// The request of a job that has one key.
    pub(crate) fn keyed(&self) -> &Request {
        self.request.as_ref().expect("a routed job has a request")
    }

    /// The legs of the present group.
    pub(crate) fn present(&self) -> &[Leg] {
        &self.legs[self.legs_from..]
    }
}

impl Jobs {
    /// A new job.
    pub(crate) fn add(&mut self, task: Task, request: Option<Request>) -> JobId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Job::new());
            u32::try_from(self.slots.len() - 1).expect("clients bound the jobs")
        });
        let job = &mut self.slots[slot as usize];
        assert!(!job.live, "a free slot is not live");
        job.live = true;
        (job.task, job.request) = (task, request);
        (job.plan, job.group, job.legs_from, job.awaited) = (0, 0, 0, 0);
        (job.answered, job.queued, job.fallback) = (false, false, None);
        JobId { slot, age: job.age }
    }

    pub(crate) fn get(&mut self, id: JobId) -> Option<&mut Job> {
        self.slots.get_mut(id.slot as usize).filter(|job| job.live && job.age == id.age)
    }

    /// A job that is known to be there.
    pub(crate) fn of(&mut self, id: JobId) -> &mut Job {
        self.get(id).expect("a job lives until all of its legs have ended")
    }

    /// Forgets a job but keeps its buffers for the next.
    pub(crate) fn remove(&mut self, id: JobId) {
        let job = self.of(id);
        assert_eq!(job.awaited, 0, "a job lives until all of its legs have ended");
        job.live = false;
        job.age = job.age.wrapping_add(1);
        job.request = None;
        job.fallback = None;
        job.task = Task::Background;
        job.legs.clear();
        job.waiters.clear();
        self.free.push(id.slot);
    }

    /// Jobs under way.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Job> {
        self.slots.iter().filter(|job| job.live)
    }
}

/// The tag of a leg.
pub(crate) fn tag(job: JobId, leg: usize) -> u64 {
    assert!(leg < LEGS_MAX, "a job has few legs");
    u64::from(job.slot) << 32 | (leg as u64) << 16 | u64::from(job.age)
}

/// The job and the leg of a tag.
pub(crate) const fn untag(tag: u64) -> (JobId, usize) {
    let id = JobId { slot: (tag >> 32) as u32, age: tag as u16 };
    (id, (tag >> 16) as usize & (LEGS_MAX - 1))
}

impl Reply {
    /// A reply that came in one piece.
    pub(crate) const fn of(first: Bytes) -> Self {
        Self { first, rest: Vec::new() }
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.first.is_empty() {
            self.first = bytes;
        } else {
            self.rest.push(bytes);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.rest.iter().map(Bytes::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_their_leg_and_stale_ones_find_nothing() {
        let mut jobs = Jobs::default();
        let first = jobs.add(Task::Background, None);
        assert_eq!(untag(tag(first, 65_535)), (first, 65_535));
        jobs.remove(first);
        let second = jobs.add(Task::Background, None);
        assert_eq!(second.slot, first.slot);
        assert!(jobs.get(first).is_none() && jobs.get(second).is_some());
    }
}
