//! A job in memory.

use super::ring::{Link, NONE, Nodes, Ring};
use super::slab::{Entry, Slab};
use super::types::{Kept, KeptWhen, Number, Payload, Priority, Submit};
use bytes::Bytes;
use storytime_machine::Time;
use storytime_machine::hash::{digest_bytes, fold};

/// Data from this length on is shared with the packet it came in, not copied.
pub(super) const SHARED_BYTES_MIN: usize = 4 << 10;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum State {
    /// Not durable yet, or its result is asked for elsewhere.
    #[default]
    Held,
    /// In the set of those whose time has not come.
    Waiting,
    /// In its function's queue.
    Queued,
    /// Lost its worker: in the set of those that go before the queue.
    Returned,
    /// With a worker.
    Running,
}

/// Nobody needs to wait for it.
pub(super) const BACKGROUND: u8 = 1;
/// The durable queue knows it.
pub(super) const KEPT: u8 = 2;
/// And has not synced its newest record.
pub(super) const UNSYNCED: u8 = 4;
/// To be dropped when it is reached; of the original's mistakes, see `Defect`.
pub(super) const IGNORED: u8 = 8;
/// Somebody else is asked for its result; no worker is given it meanwhile.
pub(super) const ASKED: u8 = 16;
const PRIORITY_SHIFT: u32 = 6;

/// A job. One cache line, and one allocation for the key and the data.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    /// Its place in the order of its queue, which it keeps when it loses its worker.
    pub(super) turn: u64,
    /// Unique key, then data unless that is long.
    body: Box<[u8]>,
    rare: Option<Box<Rare>>,
    pub(super) function: u32,
    /// In the queue, or among the jobs of a worker.
    pub(super) link: Link,
    pub(super) listeners: Ring,
    pub(super) worker: u32,
    pub(super) losses: u8,
    unique_bytes: u8,
    pub(super) state: State,
    pub(super) flags: u8,
}

const _: () = assert!(size_of::<Job>() == 64);

/// What few jobs have.
#[derive(Clone, Debug, Default)]
pub(super) struct Rare {
    pub(super) reducer: Option<Box<[u8]>>,
    pub(super) long: Option<Bytes>,
    /// Not before this second since 1970.
    pub(super) due: u64,
    pub(super) numerator: u32,
    pub(super) denominator: u32,
    /// When the worker's time is up.
    pub(super) deadline: Option<Time>,
    /// The worker that took too long, and the age of its connection: as long as nobody else has the
    /// job, its result will do.
    pub(super) overdue: Option<(u32, u32)>,
    /// The calendar that it was made of, and for which second.
    pub(super) fired: Option<(Number, u64)>,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            number: 0,
            turn: 0,
            body: Box::default(),
            rare: None,
            function: NONE,
            link: Link::default(),
            listeners: Ring::default(),
            worker: NONE,
            losses: 0,
            unique_bytes: 0,
            state: State::Held,
            flags: 0,
        }
    }
}

impl Entry for Job {
    fn free_link(&mut self) -> &mut u32 {
        &mut self.function
    }
}

impl Nodes for Slab<Job> {
    fn link(&self, at: u32) -> Link {
        self.get(at).link
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.get_mut(at).link
    }
}

impl Job {
    /// A job as it was submitted, in no queue.
    pub(super) fn new(number: u64, function: u32, submit: &Submit<'_>) -> Self {
        let Submit { unique, data, reducer, priority, .. } = *submit;
        let long = match data {
            Payload::Shared(bytes) if bytes.len() >= SHARED_BYTES_MIN => Some(bytes.clone()),
            _ => None,
        };
        let copied: &[u8] = if long.is_some() { &[] } else { &data };
        let mut body = Vec::with_capacity(unique.len() + copied.len());
        body.extend_from_slice(unique);
        body.extend_from_slice(copied);
        let mut job = Self {
            number,
            body: body.into_boxed_slice(),
            function,
            unique_bytes: u8::try_from(unique.len()).expect("the rules take no longer key"),
            flags: (priority as u8) << PRIORITY_SHIFT,
            ..Self::default()
        };
        if long.is_some() || reducer.is_some() {
            let reducer = reducer.map(Box::from);
            job.rare = Some(Box::new(Rare { reducer, long, ..Rare::default() }));
        }
        job
    }

    pub(super) const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    pub(super) const fn unset(&mut self, flag: u8) {
        self.flags &= !flag;
    }

    pub(super) const fn priority(&self) -> Priority {
        Priority::ALL[(self.flags >> PRIORITY_SHIFT) as usize]
    }

    pub(super) fn unique(&self) -> &[u8] {
        &self.body[..self.unique_bytes.into()]
    }

    pub(super) fn data(&self) -> Payload<'_> {
        match self.rare.as_ref().and_then(|rare| rare.long.as_ref()) {
            Some(long) => Payload::Shared(long),
            None => Payload::Slice(&self.body[self.unique_bytes.into()..]),
        }
    }

    pub(super) fn reducer(&self) -> Option<&[u8]> {
        self.rare.as_ref()?.reducer.as_deref()
    }

    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The second since 1970 before which it may not run.
    pub(super) fn due(&self) -> u64 {
        self.rare().map_or(0, |rare| rare.due)
    }

    /// Whether it is kept for anyone: for itself, or for those who listen.
    pub(super) const fn is_wanted(&self) -> bool {
        self.is(BACKGROUND) || !self.listeners.is_empty()
    }

    /// Bytes of data and key, shared data included.
    pub(super) fn bytes(&self) -> u64 {
        (self.body.len() + self.rare().and_then(|r| r.long.as_ref()).map_or(0, Bytes::len)) as u64
    }

    /// What joins jobs: none for those that are never joined.
    pub(super) fn key(&self) -> Option<Key<'_>> {
        match self.data() {
            Payload::Shared(long) => Key::of(self.function, self.unique(), long),
            Payload::Slice(data) => Key::of(self.function, self.unique(), data),
        }
    }

    /// What the durable queue remembers of it.
    pub(super) fn kept<'a>(&'a self, function: &'a [u8]) -> Kept<'a> {
        let when = match self.rare() {
            Some(Rare { fired: Some((calendar, second)), .. }) => {
                KeptWhen::Fired { calendar: *calendar, second: *second }
            }
            Some(rare) if rare.due > 0 => KeptWhen::Epoch(rare.due),
            _ => KeptWhen::Now,
        };
        Kept {
            number: Number(self.number),
            function,
            unique: self.unique(),
            reducer: self.reducer(),
            data: self.data(),
            priority: self.priority(),
            when,
        }
    }
}

/// What two submits have in common if they are the same job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    function: u32,
    /// Whether the bytes are the data.
    by_data: bool,
    bytes: &'a [u8],
}

impl<'a> Key<'a> {
    /// None for a job without key, and for one whose data is to be the key and is empty.
    pub(super) fn of(function: u32, unique: &'a [u8], data: &'a [u8]) -> Option<Self> {
        let by_data = unique == b"-";
        let bytes = if by_data { data } else { unique };
        (!bytes.is_empty()).then_some(Self { function, by_data, bytes })
    }

    pub(super) fn hash(self, secret: u64) -> u64 {
        let state = fold(secret, u64::from(self.function) << 1 | u64::from(self.by_data));
        digest_bytes(state, self.bytes)
    }
}
