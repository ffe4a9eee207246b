//! Handles that wait for the result of their job.
//!
//! A client that has one job under way at a time can do nothing with its handle: it waits for the
//! result. If that comes soon, `JOB_CREATED` and `WORK_COMPLETE` are one write and one wake-up of
//! the client in place of two. So a handle may wait for
//! [`Config::ack_patience`](crate::Config::ack_patience); whatever else is said to the client goes
//! behind it, and takes it along.
//!
//! Not every client that submits a job when it has none waits for the result: some wait for the
//! handle, and then submit the next one. Kept waiting, such a client would have its jobs done one
//! after the other. So only who has had one job at a time [`ALONE_MIN`] times in a row is, and
//! every [`PROBE_EVERY`]th time it is not: if the next submit comes before the result, it is of
//! those who wait for handles.

use super::out::Wire;
use super::session::Sessions;
use crate::engine::ring::{Link, Nodes};
use crate::engine::{Number, Peer};
use crate::packet::Kind;
use storytime_machine::Time;

/// So many jobs in a row that had their client's attention alone make it wait for a handle.
const ALONE_MIN: u8 = 8;
/// Of so many handles to a client that waits one comes at once, to see what it does then.
const PROBE_EVERY: u8 = 16;

/// What a client has shown, and is kept from it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ack {
    /// Jobs in a row that were submitted while no other was under way.
    alone: u8,
    /// The handle that waits, and until when.
    waits: Option<(Number, Time)>,
    link: Link,
}

impl Ack {
    /// Whether the handle of a job may wait that was submitted alone, or was not.
    fn may_wait(&mut self, alone: bool) -> bool {
        if !alone {
            self.alone = 0;
            return false;
        }
        if self.alone < ALONE_MIN {
            self.alone += 1;
            return false;
        }
        self.alone += 1;
        if self.alone == ALONE_MIN + PROBE_EVERY {
            self.alone = ALONE_MIN;
            return false;
        }
        true
    }

    /// Whether a handle waits.
    #[inline]
    pub(super) const fn waits(&self) -> bool {
        self.waits.is_some()
    }
}

/// Why a place of the ring has a connection.
const IN_RING: &str = "a connection leaves the ring before it goes";

impl Nodes for Sessions {
    fn link(&self, at: u32) -> Link {
        self.look(at as usize).expect(IN_RING).ack.link
    }
    fn link_mut(&mut self, at: u32) -> &mut Link {
        &mut self.at(at as usize).expect(IN_RING).ack.link
    }
}

impl Sessions {
    /// The handle of a connection waits.
    fn put_off(&mut self, of: Peer, number: Number, until: Time) {
        let Some(session) = self.at(of.0 as usize) else { return };
        let before = session.ack.waits.replace((number, until));
        assert!(before.is_none(), "what waits goes before anything else");
        let mut acks = self.acks;
        acks.push_back(self, of.0);
        self.acks = acks;
    }

    /// The handle that waits, which does so no more.
    pub(super) fn take_ack(&mut self, of: Peer) -> Option<Number> {
        let (number, _) = self.at(of.0 as usize)?.ack.waits.take()?;
        let mut acks = self.acks;
        acks.remove(self, of.0);
        self.acks = acks;
        Some(number)
    }

    /// Whose handle is to go first, and when.
    pub(super) fn next_ack(&self) -> Option<(Peer, Time)> {
        let first = self.acks.first()?;
        let (_, until) = self.look(first as usize).expect(IN_RING).ack.waits?;
        Some((Peer(first), until))
    }

    pub(super) fn ack_invariants(&self) {
        let untils = self.acks.iter(self).map(|at| {
            let waits = self.look(at as usize).expect(IN_RING).ack.waits;
            waits.expect("only whose handle waits is in the ring").1
        });
        let untils: Vec<Time> = untils.collect();
        assert!(untils.is_sorted(), "handles go in the order in which they came");
        let waiting = self.iter().filter(|session| session.ack.waits()).count();
        assert_eq!(untils.len(), waiting, "every handle that waits has its turn");
    }
}

impl Wire<'_> {
    /// A client gets the handle of its job, or will. `alone` if it waits for this job and for no
    /// other.
    pub(super) fn created(&mut self, to: Peer, number: Number, alone: bool) {
        let Some(session) = self.sessions.at(to.0 as usize) else { return };
        if self.ack_patience.is_zero() || !session.ack.may_wait(alone) {
            return self.put_created(to, number);
        }
        self.tell_ack(to);
        self.sessions.put_off(to, number, self.cx.now() + self.ack_patience);
    }

    fn put_created(&mut self, to: Peer, number: Number) {
        let handle = self.handles.write(number);
        self.put(to, Kind::JobCreated, &[handle.as_bytes()]);
    }

    /// If a handle waits, it waits no longer.
    pub(super) fn tell_ack(&mut self, to: Peer) {
        if let Some(number) = self.sessions.take_ack(to) {
            self.put_created(to, number);
        }
    }

    /// Handles that have waited until then go. Their jobs take longer: the next ones do not wait.
    pub(super) fn tell_acks(&mut self, until: Time) {
        while let Some((to, _)) = self.sessions.next_ack().filter(|&(_, due)| due <= until) {
            if let Some(session) = self.sessions.at(to.0 as usize) {
                session.ack.alone = 0;
            }
            self.tell_ack(to);
        }
    }
}
