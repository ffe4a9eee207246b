//! A connection: its parser, transaction and replies that wait.

use super::turns::Turn;
use crate::commands::Spec;
use crate::config::REQUEST_BYTES_MAX;
use crate::resp::{Args, Out, Parser};
use bytes::{Buf as _, Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_journal::Lsn;
use storytime_machine::{Conn, Endpoint, Time};

/// Room for replies that a connection keeps while none waits, bytes.
const HELD_KEPT_BYTES_MAX: usize = 4 << 10;

/// A reply that waits, or several that wait for the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    /// The record that has to be durable first.
    pub(super) wait: Lsn,
    /// Other things that have to be there first: pages, a checkpoint.
    pub(super) things: u32,
    /// Its bytes.
    pub(super) bytes: usize,
    /// Whether it tells of a change: then it becomes an error if too few replicas have it.
    pub(super) write: bool,
}

/// A request of a transaction.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) spec: &'static Spec,
    bytes: Vec<u8>,
    spans: Vec<(u32, u32)>,
}

impl Queued {
    pub(super) fn new(spec: &'static Spec, args: Args<'_>) -> Self {
        let mut bytes = Vec::with_capacity(args.bytes());
        let mut spans = Vec::with_capacity(args.len());
        for word in args.iter() {
            let from = bytes.len() as u32;
            bytes.extend_from_slice(word);
            spans.push((from, bytes.len() as u32));
        }
        Self { spec, bytes, spans }
    }

    pub(super) fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Memory that a request costs while it waits, bytes: a short one costs more than its words.
    pub(super) fn memory(args: Args<'_>) -> usize {
        size_of::<Self>() + args.bytes() + args.len() * size_of::<(u32, u32)>()
    }
}

/// Whether requests are collected.
#[derive(Debug, Default)]
pub(super) enum Multi {
    /// They run as they come.
    #[default]
    Off,
    /// They run at `EXEC`.
    Collecting {
        /// So far.
        queued: Vec<Queued>,
        /// Their memory, bytes.
        bytes: usize,
    },
    /// One of them was refused: `EXEC` will be, too, and nothing is kept for it.
    Failed,
}

/// A connection.
#[derive(Debug)]
pub struct Session {
    pub(super) conn: Conn,
    pub(super) id: u64,
    pub(super) peer: Endpoint,
    pub(super) name: Bytes,
    pub(super) driver_name: Bytes,
    pub(super) driver_version: Bytes,
    pub(super) db: u32,
    pub(super) resp3: bool,
    pub(super) known: bool,
    pub(super) opened: Time,
    pub(super) last: Time,
    pub(super) last_command: &'static str,
    pub(super) parser: Parser,
    pub(super) multi: Multi,
    /// Keys that it watches.
    pub(super) watched: Vec<(u32, Bytes)>,
    /// One of them has changed.
    pub(super) broken: bool,
    /// Replies that wait, in order, and their bytes.
    held: VecDeque<Held>,
    held_out: BytesMut,
    /// A reply that is made when what it waits for is known: its number, and the reply then. It
    /// stands behind those that wait, and nothing is read until it has left.
    late: Option<(u64, Bytes)>,
    /// The last record that it wrote.
    pub(super) last_write: Lsn,
    /// It is replication's from now on.
    pub(super) adopted: bool,
    /// The number of the first of them.
    pub(super) first_held: u64,
    /// On the server's list of those whose replies wait.
    pub(super) waiting: bool,
    /// Not read until its replies have left, or its turn has come.
    pub(super) paused: bool,
    pub(super) turn: Turn,
    /// Hung up on once its replies have left; reads nothing more.
    pub(super) leaving: bool,
}

/// A request on the server or a connection.
#[derive(Debug)]
pub struct Call<'a> {
    /// Whose it is.
    pub session: &'a mut Session,
    /// Its words.
    pub args: Args<'a>,
    /// The reply.
    pub out: &'a mut Out,
}

impl Session {
    pub(super) fn new(conn: Conn, id: u64, peer: Endpoint, known: bool, now: Time) -> Self {
        Self {
            conn,
            id,
            peer,
            name: Bytes::new(),
            driver_name: Bytes::new(),
            driver_version: Bytes::new(),
            db: 0,
            resp3: false,
            known,
            opened: now,
            last: now,
            last_command: "NULL",
            parser: Parser::default(),
            multi: Multi::Off,
            watched: Vec::new(),
            broken: false,
            held: VecDeque::new(),
            held_out: BytesMut::new(),
            late: None,
            last_write: Lsn(0),
            adopted: false,
            first_held: 0,
            waiting: false,
            paused: false,
            turn: Turn::None,
            leaving: false,
        }
    }

    /// Bytes of replies that wait.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_out.len()
    }

    /// Bytes of requests that wait for `EXEC`.
    pub(super) const fn queued_bytes(&self) -> usize {
        match self.multi {
            Multi::Collecting { bytes, .. } => bytes,
            Multi::Off | Multi::Failed => 0,
        }
    }

    /// Bytes of memory that it holds beside its connection's buffers: replies, requests, and names
    /// of keys.
    pub(super) fn memory(&self) -> usize {
        let watched = self.watched.iter().map(|(_, key)| key.len() + size_of::<(u32, Bytes)>());
        self.held_bytes() + self.queued_bytes() + watched.sum::<usize>()
    }

    /// How many replies wait.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The number of the next reply that waits.
    pub(super) fn next_number(&self) -> u64 {
        self.first_held + self.held.len() as u64
    }

    /// Puts a reply behind those that wait; its number, unless it leaves with the one before, which
    /// it may if they are not told apart any more.
    pub(super) fn hold(&mut self, held: Held, reply: &[u8], together: bool) -> Option<u64> {
        assert_eq!(held.bytes, reply.len(), "a reply knows its length");
        self.held_out.extend_from_slice(reply);
        if let Some(last) = self.held.back_mut()
            && together
            && held.wait <= last.wait
            && held.things == 0
            && self.late.is_none()
        {
            last.bytes += held.bytes;
            return None;
        }
        self.held.push_back(held);
        Some(self.first_held + self.held.len() as u64 - 1)
    }

    /// The reply of this number, which waits, will be told later.
    pub(super) fn hold_late(&mut self, number: u64) {
        assert!(self.late.is_none(), "nothing is read while one is late");
        self.late = Some((number, Bytes::new()));
    }

    /// Whether a reply is late.
    pub(super) const fn is_late(&self) -> bool {
        self.late.is_some()
    }

    /// The late reply is known.
    pub(super) fn tell_late(&mut self, reply: Bytes) {
        let Some((number, late)) = &mut self.late else { return };
        *late = reply;
        let number = *number;
        self.thing_is_there(number);
    }

    /// One of the things that a reply waits for is there.
    pub(super) fn thing_is_there(&mut self, number: u64) {
        let Some(at) = number.checked_sub(self.first_held) else { return };
        if let Some(held) = usize::try_from(at).ok().and_then(|at| self.held.get_mut(at)) {
            held.things = held.things.saturating_sub(1);
        }
    }

    /// The first reply that waits.
    pub(super) fn first(&self) -> Option<Held> {
        self.held.front().copied()
    }

    /// Takes the first reply that waits; `send` gets it in one piece or two.
    pub(super) fn release(&mut self, mut send: impl FnMut(&[u8])) {
        let held = self.held.pop_front().expect("the caller looked at it");
        send(&self.held_out[..held.bytes]);
        if self.held.is_empty() {
            // The next one has all of the room again, and an idle connection holds little.
            self.held_out.clear();
            if self.held_out.capacity() > HELD_KEPT_BYTES_MAX {
                self.held_out = BytesMut::new();
            }
        } else {
            self.held_out.advance(held.bytes);
        }
        if self.late.as_ref().is_some_and(|(number, _)| *number == self.first_held)
            && let Some((_, late)) = self.late.take()
        {
            send(&late);
        }
        self.first_held += 1;
    }

    pub(super) fn invariants(&self) {
        let bytes: usize = self.held.iter().map(|held| held.bytes).sum();
        assert_eq!(bytes, self.held_out.len(), "every byte belongs to a reply");
        assert!(self.held.is_empty() || self.waiting, "who waits is on the list");
        assert!(self.queued_bytes() <= REQUEST_BYTES_MAX, "a transaction is bounded");
    }
}
