//! Requests under way.

use super::clause::{Clause, ClauseJob};
use super::fan_out::FanOutJob;
use super::number::NumberJob;
use super::place::Seat;
use super::register::RegisterJob;
use super::rows::RowsJob;
use super::write::WriteJob;
use crate::map::{ShardId, UserId};
use crate::outcome::{Error, Outcome};
use crate::request::Request;
use bytes::Bytes;
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_memcached::client::Outcome as Cached;

/// Bits of a tag for each of a job's place and age.
const ID_BITS: u32 = 24;
/// Bits of a tag for the part of a job.
const PART_BITS: u32 = 16;
/// Most jobs at once.
const JOBS_MAX: usize = (1 << ID_BITS) - 1;

/// A job: its place, and how many had it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobId {
    slot: u32,
    age: u32,
}

impl JobId {
    /// The tag of something that a part of this job asks.
    pub(super) const fn tag(self, part: u16) -> u64 {
        (self.slot as u64) << (ID_BITS + PART_BITS) | (self.age as u64) << PART_BITS | part as u64
    }

    /// Who asked.
    pub(super) const fn from_tag(tag: u64) -> (Self, u16) {
        let mask = (1 << ID_BITS) - 1;
        let slot = (tag >> (ID_BITS + PART_BITS)) as u32;
        (Self { slot, age: ((tag >> PART_BITS) & mask) as u32 }, tag as u16)
    }
}

/// Who hears how a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The owner, with this tag.
    Caller(u64),
    /// A fan-out.
    Part { parent: JobId, index: u16 },
}

/// What a job is told.
#[derive(Debug)]
pub(super) enum Input {
    /// Begin.
    Begin,
    /// It is known where the user is; ask there.
    Located,
    /// The user is where he was thought to be, and this is what his shard replied.
    Checked(Reply),
    /// A database replied, or did not.
    Database(Result<Reply, Failure>),
    /// Memcached replied, or did not.
    Cache(Cached),
    /// A part of a fan-out has ended.
    Part(Result<Outcome, Error>),
    /// The time is up.
    Deadline,
}

/// What a job does.
#[derive(Debug)]
pub(super) enum Work {
    Locate { cached: bool },
    Rows(RowsJob),
    Clause(ClauseJob),
    Write(WriteJob),
    Register(RegisterJob),
    Find,
    Number(NumberJob),
    Raw { shard: ShardId, words: Vec<Bytes> },
    Latest { limit: u32 },
    FanOut(FanOutJob),
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) whose: Whose,
    pub(super) user: UserId,
    /// The table, or the number space.
    pub(super) table: Bytes,
    pub(super) seat: Seat,
    pub(super) work: Work,
}

impl Job {
    pub(super) fn new(request: Request, whose: Whose) -> Self {
        let nobody = UserId(0);
        let (user, table, work) = match request {
            Request::Find { name } => (nobody, name, Work::Find),
            Request::Register { name, shard } => {
                (nobody, name, Work::Register(RegisterJob::new(shard)))
            }
            Request::Locate { user, cached } => (user, Bytes::new(), Work::Locate { cached }),
            Request::List { table, user, query } => {
                (user, table, Work::Clause(ClauseJob::new(Clause::List(query), false)))
            }
            Request::Select { table, user, query } => {
                (user, table, Work::Clause(ClauseJob::new(Clause::List(query), true)))
            }
            Request::Count { table, user, min, max } => {
                (user, table, Work::Clause(ClauseJob::new(Clause::Count { min, max }, false)))
            }
            Request::Rows { table, user, items } => (user, table, Work::Rows(RowsJob::new(items))),
            Request::Write { user, changes, index } => {
                let table = changes[0].table().clone();
                (user, table, Work::Write(WriteJob::new(changes, index)))
            }
            Request::Number { table, user, count } => {
                (user, table, Work::Number(NumberJob::new(count, false)))
            }
            Request::GlobalNumber { space, count } => {
                (nobody, space, Work::Number(NumberJob::new(count, true)))
            }
            Request::Shard { shard, words } => (nobody, Bytes::new(), Work::Raw { shard, words }),
            Request::Latest { table, limit } => (nobody, table, Work::Latest { limit }),
            Request::FanOut { parts, at_once, deadline } => {
                (nobody, Bytes::new(), Work::FanOut(FanOutJob::new(parts, at_once, deadline)))
            }
        };
        Self { whose, user, table, seat: Seat::default(), work }
    }
}

/// All jobs, by dense numbers that are reused.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    age: u32,
    /// Away while it is being advanced.
    job: Option<Box<Job>>,
}

impl Jobs {
    /// Takes a job up; `None` if there is no room.
    pub(super) fn insert(&mut self, job: Job) -> Option<JobId> {
        let job = Some(Box::new(job));
        if let Some(slot) = self.free.pop() {
            let found = &mut self.slots[slot as usize];
            found.job = job;
            return Some(JobId { slot, age: found.age });
        }
        if self.slots.len() == JOBS_MAX {
            return None;
        }
        self.slots.push(Slot { age: 0, job });
        Some(JobId { slot: self.slots.len() as u32 - 1, age: 0 })
    }

    /// A job to be advanced; `None` if it has ended.
    pub(super) fn take(&mut self, id: JobId) -> Option<Box<Job>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.age == id.age { slot.job.take() } else { None }
    }

    /// It goes on.
    pub(super) fn put_back(&mut self, id: JobId, job: Box<Job>) {
        let slot = &mut self.slots[id.slot as usize];
        assert!(slot.age == id.age && slot.job.is_none(), "a job is put back where it was");
        slot.job = Some(job);
    }

    /// It has ended.
    pub(super) fn end(&mut self, id: JobId) {
        let slot = &mut self.slots[id.slot as usize];
        assert!(slot.age == id.age && slot.job.is_none(), "a job ends once");
        slot.age = (slot.age + 1) & ((1 << ID_BITS) - 1);
        self.free.push(id.slot);
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
