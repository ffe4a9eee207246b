//! A web server's connection to the modelled database: queries out, answers in, deadlines.

use super::query::{Garbled, KEY_BYTES_MAX, Verb, read_answer, write_query};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Duration;
use storytime_machine::{Close, Conn, Cx, Endpoint, Time, Token};

/// Names the connect, the deadline timer and the retry timer; each kind has its own name space, and
/// the two timers differ.
pub(super) const CONNECT: Token = Token(1);
pub(super) const DEADLINE: Token = Token(2);
pub(super) const RETRY: Token = Token(3);

/// Pause between a lost connection and the next attempt.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// Nobody tries; the next query fails until the retry timer fires.
    Down,
    /// A connect is under way; queries wait in `unsent`.
    Connecting,
    /// Connected.
    Up(Conn),
}

/// A query under way.
#[derive(Clone, Copy, Debug)]
struct Pending {
    id: u32,
    deadline: Time,
    answered: bool,
}

/// The connection.
#[derive(Debug)]
pub(super) struct DbLink {
    at: Endpoint,
    timeout: Duration,
    row_bytes_max: usize,
    stand: Stand,
    unsent: BytesMut,
    /// In the order of asking, so that the first has the first deadline.
    pending: VecDeque<Pending>,
    next_id: u32,
}

/// A query's end: its row, or none if the database refused, fell silent or went away.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: u32,
    pub(super) row: Option<BytesMut>,
}

impl DbLink {
    pub(super) fn new(at: Endpoint, timeout: Duration, row_bytes_max: usize) -> Self {
        assert!(!timeout.is_zero(), "an answer has some time to come");
        Self {
            at,
            timeout,
            row_bytes_max,
            stand: Stand::Down,
            unsent: BytesMut::new(),
            pending: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Connects, if nobody does.
    pub(super) fn connect(&mut self, cx: &mut Cx) {
        if self.stand == Stand::Down {
            self.stand = Stand::Connecting;
            cx.connect(CONNECT, self.at.clone(), self.timeout);
        }
    }

    /// Asks for a row or its change; the answer carries the returned number. `None` while the
    /// database is away.
    pub(super) fn ask(&mut self, cx: &mut Cx, verb: Verb, key: &[u8]) -> Option<u32> {
        assert!(key.len() <= KEY_BYTES_MAX, "keys are made by us");
        let id = self.next_id;
        match self.stand {
            Stand::Down => return None,
            Stand::Connecting => write_query(&mut self.unsent, id, verb, key),
            Stand::Up(conn) => cx.tx(conn)?.write_with(|into| write_query(into, id, verb, key)),
        }
        self.next_id = self.next_id.wrapping_add(1);
        let deadline = cx.now() + self.timeout;
        if self.pending.is_empty() {
            cx.at(DEADLINE, deadline);
        }
        self.pending.push_back(Pending { id, deadline, answered: false });
        Some(id)
    }

    pub(super) fn opened(&mut self, cx: &mut Cx, conn: Conn) {
        assert!(self.stand == Stand::Connecting, "one connect at a time");
        self.stand = Stand::Up(conn);
        if let Some(tx) = cx.tx(conn) {
            tx.push(self.unsent.split().freeze());
        }
    }

    pub(super) fn owns(&self, conn: Conn) -> bool {
        self.stand == Stand::Up(conn)
    }

    /// The next answer at the front of the input.
    pub(super) fn next_answer(&mut self, cx: &mut Cx, rx: &mut BytesMut) -> Option<Answered> {
        match read_answer(rx, self.row_bytes_max) {
            Ok(None) => None,
            Ok(Some(answer)) => {
                self.settle(answer.id);
                Some(Answered { id: answer.id, row: answer.row })
            }
            Err(Garbled) => {
                rx.clear();
                if let Stand::Up(conn) = self.stand {
                    cx.close(conn, Close::Abort);
                }
                None
            }
        }
    }

    /// Marks a query as answered, and forgets those at the front that are.
    fn settle(&mut self, id: u32) {
        // Answers come nearly in order, so the search ends soon.
        if let Some(found) = self.pending.iter_mut().find(|pending| pending.id == id) {
            found.answered = true;
        }
        while self.pending.front().is_some_and(|pending| pending.answered) {
            self.pending.pop_front();
        }
    }

    /// The deadline timer fired: takes the queries that ran out of time and sets it anew.
    pub(super) fn expired(&mut self, cx: &mut Cx) -> Vec<u32> {
        let mut late = Vec::new();
        while let Some(front) = self.pending.front() {
            if front.deadline > cx.now() {
                cx.at(DEADLINE, front.deadline);
                break;
            }
            if !front.answered {
                late.push(front.id);
            }
            self.pending.pop_front();
        }
        late
    }

    /// The connection is gone, or did not come up: all its queries fail. Tried again later.
    pub(super) fn lost(&mut self, cx: &mut Cx) -> Vec<u32> {
        self.stand = Stand::Down;
        self.unsent.clear();
        cx.cancel(DEADLINE);
        cx.after(RETRY, RETRY_DELAY);
        self.pending.drain(..).filter(|pending| !pending.answered).map(|p| p.id).collect()
    }

    pub(super) fn invariants(&self) {
        assert!(self.stand != Stand::Down || self.pending.is_empty(), "nobody would answer");
        assert!(
            self.stand == Stand::Connecting || self.unsent.is_empty(),
            "queries are held back only while connecting"
        );
    }
}
