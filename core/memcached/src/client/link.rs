//! One connection to one server, its requests and their fates.

use super::reply::Awaits;
use bytes::BytesMut;
use std::collections::VecDeque;
use storytime_machine::{Conn, Endpoint, Time};

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Not connected; the next request connects.
    Idle,
    /// A connect is under way; requests wait.
    Connecting,
    /// Connected.
    Up(Conn),
    /// Connected, and our side is closed: the server was taken off the list.
    Closing(Conn),
    /// It failed; nobody tries before this time.
    Down {
        /// When the next request may try again.
        until: Time,
    },
}

/// A request that awaits its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) tag: u64,
    pub(super) awaits: Awaits,
    pub(super) deadline: Time,
}

/// One server's connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) at: Endpoint,
    pub(super) stand: Stand,
    /// In the order of their requests.
    pub(super) pending: VecDeque<Pending>,
    /// Requests put before the connection is up.
    pub(super) unsent: BytesMut,
    /// Failures in a row.
    pub(super) failures: u32,
    /// Whether the deadline timer is set.
    pub(super) timer_set: bool,
    /// Taken off the list of servers: ends with its last reply.
    pub(super) retired: bool,
}

impl Link {
    pub(super) fn new(at: Endpoint) -> Self {
        Self {
            at,
            stand: Stand::Idle,
            pending: VecDeque::new(),
            unsent: BytesMut::new(),
            failures: 0,
            timer_set: false,
            retired: false,
        }
    }

    /// Takes all waiting requests, which have failed.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Pending> {
        self.unsent.clear();
        self.pending.drain(..)
    }

    /// Whether nothing will ever be heard of it again.
    pub(super) const fn is_over(&self) -> bool {
        self.retired && matches!(self.stand, Stand::Idle | Stand::Down { .. })
    }

    pub(super) fn invariants(&self) {
        let connected = matches!(self.stand, Stand::Up(_));
        let waiting = connected || self.stand == Stand::Connecting;
        assert!(waiting || self.pending.is_empty(), "requests wait only where a reply can come");
        assert!(
            self.stand == Stand::Connecting || self.unsent.is_empty(),
            "requests are held back only while connecting"
        );
        assert!(self.pending.is_empty() || self.timer_set, "every request has its deadline");
    }
}
