//! What the owner passes on, and what comes of it.
//!
//! Each method says whether the event was the client's; if not, the owner deals with it.

use super::link::{Link, Stand};
use super::reply::{Parsed, Reply, parse};
use super::{CLIENT_TOKENS, Client, ClientCounters, Event, Failure, Outcome};
use bytes::{Buf, BytesMut};
use storytime_machine::{Close, Conn, Cx, Gone, Open, Token};

/// Failures in a row after which the pause grows no more.
const DOUBLINGS_MAX: u32 = 16;

impl Client {
    /// The next end of a request.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether a timer's or connect's token is the client's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < CLIENT_TOKENS
    }

    /// Whether a connection is the client's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.link_of(conn).is_some()
    }

    fn link_of(&self, conn: Conn) -> Option<usize> {
        let (of, index) = (*self.by_slot.get(conn.index())?)?;
        (of == conn).then_some(index as usize)
    }

    fn index_of(&self, token: Token) -> Option<usize> {
        if !self.owns_token(token) {
            return None;
        }
        let index = usize::try_from(token.0 - self.base).ok()?;
        self.links.get(index).is_some_and(Option::is_some).then_some(index)
    }

    /// A connection is up.
    pub fn on_open(&mut self, cx: &mut Cx, conn: Conn, how: &Open) -> bool {
        let Open::Connected { connect } = how else { return false };
        if !self.owns_token(*connect) {
            return false;
        }
        let Some(index) = self.index_of(*connect) else {
            cx.close(conn, Close::Abort);
            return true;
        };
        if self.by_slot.len() <= conn.index() {
            self.by_slot.resize(conn.index() + 1, None);
        }
        self.by_slot[conn.index()] = Some((conn, index as u32));
        let link = self.links[index].as_mut().expect("index_of finds live links");
        assert_eq!(link.stand, Stand::Connecting, "one connect at a time");
        link.stand = Stand::Up(conn);
        link.failures = 0;
        if let Some(tx) = cx.tx(conn) {
            tx.push(link.unsent.split().freeze());
        }
        self.close_if_left(cx, index);
        true
    }

    /// Bytes arrived.
    pub fn on_data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) -> bool {
        let Some(index) = self.link_of(conn) else { return false };
        let Some(link) = &mut self.links[index] else { return true };
        if link.stand != Stand::Up(conn) {
            rx.clear();
            return true;
        }
        let mut eaten = 0;
        let mut in_step = true;
        while eaten < rx.len() {
            let Some(pending) = link.pending.front() else {
                in_step = false;
                break;
            };
            match parse(pending.awaits, &rx[eaten..], self.options.value_bytes_max) {
                Parsed::Await => break,
                Parsed::Nonsense => {
                    in_step = false;
                    break;
                }
                Parsed::Whole(reply, len) => {
                    eaten += len;
                    let outcome = outcome(reply, &mut self.counters);
                    self.events.push_back(Event { tag: pending.tag, outcome });
                    link.pending.pop_front();
                }
            }
        }
        rx.advance(eaten);
        if in_step {
            self.close_if_left(cx, index);
        } else {
            rx.clear();
            cx.close(conn, Close::Abort);
            self.lost(cx, index, Failure::OutOfStep);
        }
        true
    }

    /// The server closed its side: replies that are missing will not come.
    pub fn on_eof(&mut self, cx: &mut Cx, conn: Conn) -> bool {
        let Some(index) = self.link_of(conn) else { return false };
        cx.close(conn, Close::Flush);
        self.ended(cx, index, conn, Gone::Closed);
        true
    }

    /// A connection is gone.
    pub fn on_gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) -> bool {
        let Some(index) = self.link_of(conn) else { return false };
        self.by_slot[conn.index()] = None;
        self.ended(cx, index, conn, why);
        true
    }

    /// A connect did not come up.
    pub fn on_failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) -> bool {
        if !self.owns_token(connect) {
            return false;
        }
        if let Some(index) = self.index_of(connect) {
            self.lost(cx, index, Failure::Lost(why));
        }
        true
    }

    /// A timer came due: requests on this link were not answered in time, or their successors have
    /// more time.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if !self.owns_token(timer) {
            return false;
        }
        let Some(index) = self.index_of(timer) else { return true };
        let link = self.links[index].as_mut().expect("index_of finds live links");
        link.timer_set = false;
        let Some(first) = link.pending.front() else { return true };
        if cx.now() < first.deadline {
            link.timer_set = true;
            cx.at(timer, first.deadline);
            return true;
        }
        match link.stand {
            Stand::Up(conn) => {
                cx.close(conn, Close::Abort);
                self.lost(cx, index, Failure::TimedOut);
            }
            // The connect has its own time-out; whoever waited for it waits no more.
            _ => self.fail_all(index, Failure::TimedOut),
        }
        true
    }

    /// A connection ended in one way or another; if nobody waited for it, that is no failure.
    fn ended(&mut self, cx: &mut Cx, index: usize, conn: Conn, why: Gone) {
        let Some(link) = &mut self.links[index] else { return };
        match link.stand {
            Stand::Up(up) if up == conn && !link.pending.is_empty() => {
                self.lost(cx, index, Failure::Lost(why));
            }
            Stand::Up(up) | Stand::Closing(up) if up == conn => {
                link.stand = Stand::Idle;
                self.reap(cx, index);
            }
            _ => {}
        }
    }

    /// A link failed: its requests fail, and it is left alone for a while.
    fn lost(&mut self, cx: &mut Cx, index: usize, why: Failure) {
        self.fail_all(index, why);
        self.counters.connections_lost += 1;
        let Some(link) = &mut self.links[index] else { return };
        let doubled = self.options.pause_min * (1 << link.failures.min(DOUBLINGS_MAX));
        let pause = doubled.min(self.options.pause_max);
        // Up to half as much again, so that a thousand clients do not come back at once.
        let pause = pause + cx.rng().duration(core::time::Duration::ZERO, pause / 2);
        link.failures = link.failures.saturating_add(1);
        link.stand = Stand::Down { until: cx.now() + pause };
        self.reap(cx, index);
    }

    fn fail_all(&mut self, index: usize, why: Failure) {
        let Some(link) = &mut self.links[index] else { return };
        for pending in link.take_all() {
            self.counters.failures += 1;
            self.events.push_back(Event { tag: pending.tag, outcome: Outcome::Failed(why) });
        }
    }

    /// A link whose server was taken off the list closes once nothing is awaited.
    fn close_if_left(&mut self, cx: &mut Cx, index: usize) {
        let Some(link) = &mut self.links[index] else { return };
        if let Stand::Up(conn) = link.stand
            && link.retired
            && link.pending.is_empty()
        {
            link.stand = Stand::Closing(conn);
            cx.close(conn, Close::Flush);
        }
    }

    /// What happened so far.
    pub const fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    /// Requests under way.
    pub fn pending(&self) -> usize {
        self.links.iter().flatten().map(|link| link.pending.len()).sum()
    }

    /// Asserts what must hold between any two calls.
    ///
    /// # Panics
    /// If it does not: a bug of the client, or of an owner that passed something on twice.
    pub fn invariants(&self) {
        self.links.iter().flatten().for_each(Link::invariants);
        for &index in &self.route {
            let link = self.links[index as usize].as_ref();
            assert!(link.is_some_and(|link| !link.retired), "a server of the list is not left");
        }
    }
}

fn outcome(reply: Reply, counters: &mut ClientCounters) -> Outcome {
    match reply {
        Reply::Hit(value) => {
            counters.hits += 1;
            Outcome::Hit(value)
        }
        Reply::Miss => {
            counters.misses += 1;
            Outcome::Miss
        }
        Reply::Stored => Outcome::Stored,
        Reply::NotStored => Outcome::NotStored,
        Reply::Deleted => Outcome::Deleted,
        Reply::NotFound => Outcome::NotFound,
        Reply::Error => {
            counters.failures += 1;
            Outcome::Failed(Failure::Refused)
        }
    }
}
