//! One connection to one server, its requests and their fates.

use super::frame::{Expect, keys_of, opaque_of};
use super::{Piece, Request, Shape};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{Conn, Cx, PUSH_COPY_BYTES_MAX, Time};

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
}

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The pool's owner, with this tag.
    Owner(u64),
    /// The pool, to see whether an ejected server answers.
    Probe,
}

/// A request that awaits its reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) whose: Whose,
    pub(super) expect: Expect,
    pub(super) deadline: Time,
}

/// Requests put before the connection is up.
#[derive(Debug, Default)]
struct Unsent {
    queue: VecDeque<Bytes>,
    tail: BytesMut,
    bytes: usize,
}

/// One connection of a server.
#[derive(Debug)]
pub(super) struct Link {
    /// Index of its server.
    pub(super) server: u32,
    pub(super) stand: Stand,
    /// In the order of their requests.
    pub(super) pending: VecDeque<Pending>,
    /// CRC-32s of the keys of pending retrievals, in order.
    pub(super) keys: VecDeque<u32>,
    /// Quiet requests sent behind the last pending one.
    pub(super) quiet: u32,
    /// Quiet requests of which it is not known yet whether the server has seen them.
    pub(super) quiet_open: u32,
    unsent: Unsent,
    /// Whether the deadline timer is set.
    pub(super) timer_set: bool,
    /// Taken off the list of servers: ends with its last reply.
    pub(super) retired: bool,
}

impl Link {
    pub(super) fn new(server: u32) -> Self {
        Self {
            server,
            stand: Stand::Idle,
            pending: VecDeque::new(),
            keys: VecDeque::new(),
            quiet: 0,
            quiet_open: 0,
            unsent: Unsent::default(),
            timer_set: false,
            retired: false,
        }
    }

    /// Bytes of requests that have not left.
    pub(super) fn unsent_bytes(&self, cx: &Cx) -> usize {
        match self.stand {
            Stand::Up(conn) => cx.pending(conn),
            _ => self.unsent.bytes,
        }
    }

    /// Hands a request's bytes to the connection, or keeps them until it is up.
    pub(super) fn put(&mut self, cx: &mut Cx, pieces: &[Piece<'_>]) {
        let Stand::Up(conn) = self.stand else {
            pieces.iter().for_each(|piece| self.unsent.put(piece));
            return;
        };
        let tx = cx.tx(conn).expect("a link that is up has its side open");
        for piece in pieces {
            match piece {
                Piece::Copy(bytes) => tx.put(bytes),
                Piece::Share(bytes) => tx.push(bytes.clone()),
            }
        }
    }

    /// Sends what waited for the connection.
    pub(super) fn send_unsent(&mut self, cx: &mut Cx, conn: Conn) {
        let tx = cx.tx(conn).expect("a connection that just came up is open");
        self.unsent.queue.drain(..).for_each(|bytes| tx.push(bytes));
        tx.put(&self.unsent.tail);
        self.unsent.clear();
    }

    /// Notes that a request awaits its reply.
    pub(super) fn await_reply(&mut self, whose: Whose, request: &Request<'_>, deadline: Time) {
        let head = match request.pieces.first() {
            Some(Piece::Copy(bytes)) => bytes,
            Some(Piece::Share(bytes)) => &bytes[..],
            None => &[],
        };
        let (mut left, mut opaque) = (0, 0);
        match request.shape {
            Shape::Quiet => {
                self.quiet += 1;
                self.quiet_open += 1;
                return;
            }
            Shape::Values => {
                let before = self.keys.len();
                self.keys.extend(keys_of(head).map(crc32fast::hash));
                left = (self.keys.len() - before) as u32;
            }
            Shape::Meta { replies } => {
                assert!(replies > 0, "a reply to nothing is not awaited");
                left = replies;
                if replies == 1 {
                    opaque = opaque_of(head);
                }
            }
            _ => {}
        }
        let quiet_before = core::mem::take(&mut self.quiet);
        let expect = Expect { shape: request.shape, left, quiet_before, opaque };
        self.pending.push_back(Pending { whose, expect, deadline });
    }

    /// Takes all waiting requests, which have failed, and says how many quiet ones may be lost.
    pub(super) fn take_all(&mut self) -> (u32, impl Iterator<Item = Pending>) {
        self.unsent.clear();
        self.keys.clear();
        self.quiet = 0;
        (core::mem::take(&mut self.quiet_open), self.pending.drain(..))
    }

    /// Whether nothing will ever be heard of it again.
    pub(super) const fn is_over(&self) -> bool {
        self.retired && matches!(self.stand, Stand::Idle)
    }

    pub(super) fn invariants(&self) {
        let connected = matches!(self.stand, Stand::Up(_));
        let waiting = connected || self.stand == Stand::Connecting;
        assert!(waiting || self.pending.is_empty(), "requests wait only where a reply can come");
        assert!(
            self.stand == Stand::Connecting || self.unsent.bytes == 0,
            "requests are held back only while connecting"
        );
        assert!(self.pending.is_empty() || self.timer_set, "every request has its deadline");
        let retrievals = self.pending.iter().filter(|p| p.expect.shape == Shape::Values);
        let keys: usize = retrievals.map(|p| p.expect.left as usize).sum();
        assert_eq!(keys, self.keys.len(), "every key belongs to a retrieval");
    }
}

impl Unsent {
    fn put(&mut self, piece: &Piece<'_>) {
        self.bytes += piece.len();
        match piece {
            Piece::Share(bytes) if bytes.len() > PUSH_COPY_BYTES_MAX => {
                if !self.tail.is_empty() {
                    self.queue.push_back(self.tail.split().freeze());
                }
                self.queue.push_back(bytes.clone());
            }
            piece => self.tail.extend_from_slice(piece.as_slice()),
        }
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.tail.clear();
        self.bytes = 0;
    }
}
