//! One connection to one server.

use crate::resp::ReplyReader;
use std::collections::VecDeque;
use storytime_machine::{Conn, Time};

/// How a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// A connect is under way.
    Connecting,
    /// Connected; so many replies to `AUTH` and `SELECT` are awaited before it takes requests.
    AwaitGreeting(Conn, u32),
    /// It takes requests.
    Up(Conn),
}

/// One connection to one server.
#[derive(Debug)]
pub(super) struct Link {
    /// Index of its server.
    pub(super) server: u32,
    pub(super) stand: Stand,
    /// Requests on it, in their order.
    pub(super) pending: VecDeque<u32>,
    /// Replies at the front that are dropped: their requests ran out of time.
    pub(super) late: u32,
    /// When the server was last heard, or the connection came up.
    pub(super) heard: Time,
    /// Whether anything was answered on it.
    pub(super) answered: bool,
    pub(super) reader: ReplyReader,
}

impl Link {
    pub(super) fn new(server: u32, now: Time, reply_bytes_max: usize) -> Self {
        Self {
            server,
            stand: Stand::Connecting,
            pending: VecDeque::new(),
            late: 0,
            heard: now,
            answered: false,
            reader: ReplyReader::new(reply_bytes_max),
        }
    }

    /// Replies that it has still to bring.
    pub(super) fn awaited(&self) -> usize {
        self.pending.len() + self.late as usize
    }

    pub(super) fn invariants(&self) {
        let up = matches!(self.stand, Stand::Up(_));
        assert!(up || self.awaited() == 0, "requests are sent only where they can be answered");
    }
}
