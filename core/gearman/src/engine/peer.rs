//! Connections: what they can do, what they run, and what they wait for.

use super::ring::{Link, NONE, Nodes, Ring};
use super::slab::{Entry, Slab};
use super::types::{Grab, Peer};
use storytime_machine::Time;

/// Whether a worker wants jobs, and how it is to be told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Sleep {
    /// It works, or is no worker.
    #[default]
    Awake,
    /// It asked for a job, there was none, and it is not answered yet.
    Asking { how: Grab, until: Time },
    /// It wants to be woken.
    Asleep,
    /// It was woken for a function, and is waited for.
    Woken { function: u32, until: Time },
    /// It was woken and did not come; another one was woken in its place.
    Overdue,
}

/// A connection.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerState {
    /// How many connections had this number before: what was held for them is not sent to it.
    pub(super) age: u32,
    pub(super) exceptions: bool,
    /// Replies to it that wait for a sync.
    pub(super) held: u32,
    /// Its places among those who wait for jobs.
    pub(super) listeners: Ring,
    /// The jobs that it runs.
    pub(super) jobs: Ring,
    pub(super) abilities: Vec<u32>,
    /// Where in `abilities` the next job is looked for first.
    pub(super) turn: usize,
    /// Whether it was ever handed a job.
    pub(super) has_worked: bool,
    pub(super) sleep: Sleep,
    /// It has ended a job since it last asked for one.
    pub(super) finished: bool,
    /// Among those who were woken, or those who ask.
    pub(super) link: Link,
}

impl PeerState {
    /// Whether it waits for the answer to its request for a job.
    #[inline]
    pub(super) const fn asks(&self) -> bool {
        matches!(self.sleep, Sleep::Asking { .. })
    }

    /// When it is answered, or waited for no more.
    pub(super) const fn waits_until(&self) -> Option<Time> {
        match self.sleep {
            Sleep::Woken { until, .. } | Sleep::Asking { until, .. } => Some(until),
            Sleep::Awake | Sleep::Asleep | Sleep::Overdue => None,
        }
    }
}

/// All connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    places: Vec<PeerState>,
}

impl Peers {
    /// How many connections there have been at a time.
    pub(super) const fn len(&self) -> usize {
        self.places.len()
    }

    /// The connection's state, which is made if it has none.
    #[inline]
    pub(super) fn touch(&mut self, peer: Peer) -> &mut PeerState {
        let at = peer.0 as usize;
        if at >= self.places.len() {
            self.places.resize_with(at + 1, PeerState::default);
        }
        &mut self.places[at]
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> &PeerState {
        &self.places[at as usize]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> &mut PeerState {
        &mut self.places[at as usize]
    }

    pub(super) fn find(&self, peer: Peer) -> Option<&PeerState> {
        self.places.get(peer.0 as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &PeerState)> {
        (0..).zip(&self.places)
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.places.capacity() * size_of::<PeerState>()) as u64
    }
}

impl Nodes for Peers {
    fn link(&self, at: u32) -> Link {
        self.get(at).link
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.get_mut(at).link
    }
}

/// That a worker can do a function.
#[derive(Clone, Debug)]
pub(super) struct Ability {
    pub(super) function: u32,
    pub(super) peer: u32,
    /// How long a job may take, nanoseconds; 0 for no limit.
    pub(super) timeout: u64,
    /// Among the function's sleepers, before which are those who ask.
    pub(super) link: Link,
}

impl Default for Ability {
    fn default() -> Self {
        Self { function: NONE, peer: NONE, timeout: 0, link: Link::default() }
    }
}

impl Entry for Ability {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.function
    }
}

impl Nodes for Slab<Ability> {
    fn link(&self, at: u32) -> Link {
        self.get(at).link
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.get_mut(at).link
    }
}

/// That a client waits for a job.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) peer: u32,
    pub(super) job: u32,
    of_job: Link,
    of_peer: Link,
}

impl Listener {
    pub(super) fn new(peer: u32, job: u32) -> Self {
        Self { peer, job, ..Self::default() }
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self { peer: NONE, job: NONE, of_job: Link::default(), of_peer: Link::default() }
    }
}

impl Entry for Listener {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.job
    }
}

/// The ring of a job's listeners.
pub(super) struct OfJob;
/// The ring of a connection's places among listeners.
pub(super) struct OfPeer;

impl Nodes<OfJob> for Slab<Listener> {
    fn link(&self, at: u32) -> Link {
        self.get(at).of_job
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.get_mut(at).of_job
    }
}

impl Nodes<OfPeer> for Slab<Listener> {
    fn link(&self, at: u32) -> Link {
        self.get(at).of_peer
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.get_mut(at).of_peer
    }
}
