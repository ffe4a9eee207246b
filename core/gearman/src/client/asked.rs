//! Requests under way, by dense numbers that are reused.

use super::event::{Handle, Name};
use super::job::Job;
use bytes::Bytes;
use core::time::Duration;
use storytime_machine::Time;

/// No request.
pub(super) const NONE: u32 = u32::MAX;

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// A job; its unique key is drawn already.
    Submit(Job),
    /// How far is this job?
    Status(Handle),
    /// How far is the job with this key?
    StatusUnique(Bytes),
    /// The same bytes back, from this server.
    Echo(u32, Bytes),
}

/// Where a request is.
#[derive(Debug)]
pub(super) enum Place {
    /// It waits for a server's connection.
    Waiting(Box<Request>),
    /// It was sent to this server; the answer is awaited.
    Awaiting(u32),
    /// The server has the job, whose end is awaited.
    Running {
        /// The server.
        server: u32,
        /// The job's name there.
        name: Name,
        /// Another request that is the same job.
        next: u32,
    },
}

/// A request that has not ended.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) tag: u64,
    pub(super) place: Place,
    /// When it is given up if it was not sent.
    pub(super) deadline: Time,
    /// Whether the end of a job is that it was accepted.
    pub(super) background: bool,
    /// How long its result is waited for.
    pub(super) timeout: Option<Duration>,
    /// Whether the owner has yet to be told the end. If not, it keeps a place of a job that the
    /// server will speak to.
    pub(super) told: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Slab {
    slots: Vec<Option<Asked>>,
    free: Vec<u32>,
    /// How many have an owner that waits for the end.
    told: usize,
}

impl Slab {
    pub(super) fn insert(&mut self, asked: Asked) -> u32 {
        assert!(asked.told, "somebody asks");
        self.told += 1;
        match self.free.pop() {
            Some(free) => {
                self.slots[free as usize] = Some(asked);
                free
            }
            None => {
                self.slots.push(Some(asked));
                (self.slots.len() - 1) as u32
            }
        }
    }

    pub(super) fn find(&self, slot: u32) -> Option<&Asked> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn get(&mut self, slot: u32) -> &mut Asked {
        self.slots[slot as usize].as_mut().expect("a request is known until it ends")
    }

    pub(super) fn remove(&mut self, slot: u32) -> Asked {
        let asked = self.slots[slot as usize].take().expect("a request ends once");
        self.free.push(slot);
        self.told -= usize::from(asked.told);
        asked
    }

    /// The owner is told the end; the request keeps its place.
    pub(super) fn abandon(&mut self, slot: u32) {
        let asked = self.get(slot);
        assert!(asked.told, "a request ends once");
        asked.told = false;
        self.told -= 1;
    }

    /// The requests that are on a server's connection, by their numbers.
    pub(super) fn on_server(&self, of: u32) -> Vec<u32> {
        let here = |asked: &Asked| match asked.place {
            Place::Waiting(..) => false,
            Place::Awaiting(server) | Place::Running { server, .. } => server == of,
        };
        let slots = self.slots.iter().enumerate();
        let found = slots.filter(|(_, asked)| asked.as_ref().is_some_and(here));
        found.map(|(slot, _)| slot as u32).collect()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.slots.iter().flatten().map(|asked| &asked.place)
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Requests whose owner waits for the end.
    pub(super) const fn told(&self) -> usize {
        self.told
    }
}
