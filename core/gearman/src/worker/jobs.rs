//! The jobs that the owner has, by dense numbers that are reused.

use super::Name;
use crate::packet::Kind;
use bytes::Bytes;

/// A job that the owner has. Of a job that ended, it is inert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId {
    slot: u32,
    age: u32,
}

/// A job.
#[derive(Debug)]
pub(super) struct Job {
    /// Its server; none if the job is somebody else's by now.
    pub(super) server: Option<u32>,
    pub(super) name: Name,
    /// Its function's place among the worker's, if it is one of them.
    pub(super) function: Option<usize>,
    /// Its end, which waits for room on the connection.
    pub(super) end: Option<(Kind, Bytes)>,
    /// Whether the owner waits for room.
    pub(super) waits: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    slots: Vec<(u32, Option<Job>)>,
    free: Vec<u32>,
}

impl Jobs {
    pub(super) fn insert(&mut self, job: Job) -> JobId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            (self.slots.len() - 1) as u32
        });
        let (age, place) = &mut self.slots[slot as usize];
        assert!(place.is_none(), "a free place holds no job");
        *place = Some(job);
        JobId { slot, age: *age }
    }

    pub(super) fn get(&mut self, id: JobId) -> Option<&mut Job> {
        let (age, job) = self.slots.get_mut(id.slot as usize)?;
        if *age == id.age { job.as_mut() } else { None }
    }

    /// A job's function, by its place among the worker's.
    pub(super) fn function(&self, id: JobId) -> Option<usize> {
        self.slots.get(id.slot as usize)?.1.as_ref()?.function
    }

    pub(super) fn remove(&mut self, id: JobId) -> Option<Job> {
        let (age, place) = self.slots.get_mut(id.slot as usize)?;
        if *age != id.age {
            return None;
        }
        let job = place.take()?;
        *age = age.wrapping_add(1);
        self.free.push(id.slot);
        Some(job)
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The jobs of a server.
    pub(super) fn on_server(&self, server: u32) -> impl Iterator<Item = JobId> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(move |(slot, (age, job))| {
            let job = job.as_ref()?;
            (job.server == Some(server)).then_some(JobId { slot: slot as u32, age: *age })
        })
    }
}
