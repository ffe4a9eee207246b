//! What the owner passes on, and what comes of it.
//!
//! Each method says whether the event was the pool's; if not, the owner deals with it.

use super::frame::{Step, stray_error};
use super::health::{Recovery, Verdict};
use super::link::{Link, Stand, Whose};
use super::{Failure, LINKS_MAX, POOL_TOKENS, Pool, PoolCounters, PoolEvent, ServerId};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{Close, Conn, Cx, Gone, Open, Token};

/// Lines that answer most requests: no buffer is kept for them.
const COMMON: [&[u8]; 12] = [
    b"STORED\r\n",
    b"END\r\n",
    b"HD\r\n",
    b"EN\r\n",
    b"NOT_STORED\r\n",
    b"NOT_FOUND\r\n",
    b"DELETED\r\n",
    b"TOUCHED\r\n",
    b"EXISTS\r\n",
    b"OK\r\n",
    b"NF\r\n",
    b"MN\r\n",
];
const COMMON_BYTES_MAX: usize = 12;

/// How reading a link's input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// All that is whole was eaten.
    InStep,
    /// The server answered what was not asked.
    OutOfStep,
    /// An error that cannot be told to be one request's: nobody's fault.
    Ambiguous,
}

impl Pool {
    /// The next event.
    pub fn next_event(&mut self) -> Option<PoolEvent> {
        self.events.pop_front()
    }

    /// Whether a timer's or connect's token is the pool's.
    pub const fn owns_token(&self, token: Token) -> bool {
        token.0 >= self.base && token.0 - self.base < POOL_TOKENS
    }

    /// Whether a connection is the pool's.
    pub fn owns(&self, conn: Conn) -> bool {
        self.link_of(conn).is_some()
    }

    fn link_of(&self, conn: Conn) -> Option<usize> {
        let (of, index) = (*self.by_slot.get(conn.index())?)?;
        (of == conn).then_some(index as usize)
    }

    /// The live link of a token that is the pool's.
    fn index_of(&self, token: Token) -> Option<usize> {
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
        link.send_unsent(cx, conn);
        link.stand = Stand::Up(conn);
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
        let mut ends = Ends::default();
        let max = self.options.value_bytes_max;
        let mut read = read(link, rx, max, &mut self.events, &mut self.counters, &mut ends);
        if read == Read::InStep && rx.len() >= cx.limits().rx_bytes_max {
            // More would never be read.
            read = Read::OutOfStep;
        }
        if ends.replies > 0 {
            self.succeeded(cx, index, ends.probe);
        }
        if read == Read::InStep {
            self.close_if_left(cx, index);
        } else {
            rx.clear();
            cx.close(conn, Close::Abort);
            let blame = read == Read::OutOfStep;
            self.lost(cx, index, Failure::OutOfStep, blame);
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
            self.lost(cx, index, Failure::Lost(why), true);
        }
        true
    }

    /// A timer came due: requests on a link were not answered in time, or their successors have
    /// more time; or an ejected server is to be probed.
    pub fn on_timer(&mut self, cx: &mut Cx, timer: Token) -> bool {
        if !self.owns_token(timer) {
            return false;
        }
        let offset = (timer.0 - self.base) as usize;
        if offset >= LINKS_MAX {
            self.probe(cx, offset - LINKS_MAX);
            return true;
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
                self.lost(cx, index, Failure::TimedOut, true);
            }
            // The connect has its own time-out; whoever waited for it waits no more.
            _ => drop(self.fail_all(index, Failure::TimedOut)),
        }
        true
    }

    /// A connection ended in one way or another; if nobody waited for it, that is no failure.
    fn ended(&mut self, cx: &mut Cx, index: usize, conn: Conn, why: Gone) {
        let Some(link) = &mut self.links[index] else { return };
        match link.stand {
            Stand::Up(up) if up == conn && !link.pending.is_empty() => {
                self.lost(cx, index, Failure::Lost(why), true);
            }
            Stand::Up(up) | Stand::Closing(up) if up == conn => {
                link.stand = Stand::Idle;
                self.fail_all(index, Failure::Lost(why));
                self.reap(cx, index);
            }
            _ => {}
        }
    }

    /// A link failed: its requests fail, and its server may have to rest.
    fn lost(&mut self, cx: &mut Cx, index: usize, why: Failure, blame: bool) {
        let probe = self.fail_all(index, why);
        self.counters.connections_lost += 1;
        let Some(link) = &mut self.links[index] else { return };
        link.stand = Stand::Idle;
        let id = ServerId(link.server);
        if blame {
            self.failed(cx, id, probe);
        }
        self.reap(cx, index);
    }

    /// Fails all requests on a link, and says whether a probe was among them.
    fn fail_all(&mut self, index: usize, why: Failure) -> bool {
        let Some(link) = &mut self.links[index] else { return false };
        let mut probe = false;
        let (quiet, pending) = link.take_all();
        self.counters.quiet_unknown += u64::from(quiet);
        for pending in pending {
            match pending.whose {
                Whose::Owner(tag) => {
                    self.counters.failures += 1;
                    self.events.push_back(PoolEvent::Failed { tag, why });
                }
                Whose::Probe => probe = true,
            }
        }
        probe
    }

    fn failed(&mut self, cx: &mut Cx, id: ServerId, probe: bool) {
        let server = self.servers[id.index()].as_mut();
        let server = server.expect("a server lives as long as its links");
        let now = cx.now();
        let verdict = server.health.failed(now, probe, &self.options.health, cx.rng());
        let retired = server.retired;
        match verdict {
            Verdict::Borne | Verdict::Rests => {}
            Verdict::Ejected { .. } | Verdict::StaysOut { .. } if retired => {}
            Verdict::Ejected { probe_at } => {
                self.counters.ejections += 1;
                self.events.push_back(PoolEvent::Ejected(id));
                cx.at(self.probe_token(id.index()), probe_at);
            }
            Verdict::StaysOut { probe_at } => cx.at(self.probe_token(id.index()), probe_at),
        }
    }

    fn succeeded(&mut self, cx: &mut Cx, index: usize, probe: bool) {
        let Some(link) = &self.links[index] else { return };
        let id = ServerId(link.server);
        let server = self.servers[id.index()].as_mut();
        let server = server.expect("a server lives as long as its links");
        match server.health.succeeded(cx.now(), probe, &self.options.health) {
            Recovery::None => {}
            _ if server.retired => {}
            Recovery::ProbeAgain { probe_at } => cx.at(self.probe_token(id.index()), probe_at),
            Recovery::Rejoined => {
                self.counters.rejoins += 1;
                self.events.push_back(PoolEvent::Rejoined(id));
            }
        }
    }
}

/// Replies that ended in one reading.
#[derive(Default)]
struct Ends {
    replies: u32,
    probe: bool,
}

/// Eats all whole frames at the front of a link's input.
fn read(
    link: &mut Link,
    rx: &mut BytesMut,
    max: usize,
    events: &mut VecDeque<PoolEvent>,
    counters: &mut PoolCounters,
    ends: &mut Ends,
) -> Read {
    while !rx.is_empty() {
        let Some(pending) = link.pending.front_mut() else {
            match stray_error(rx) {
                Step::Await if link.quiet > 0 => return Read::InStep,
                Step::QuietError { bytes } if link.quiet > 0 => {
                    link.quiet -= 1;
                    link.quiet_open -= 1;
                    counters.quiet_errors += 1;
                    rx.advance(bytes);
                    continue;
                }
                _ => return Read::OutOfStep,
            }
        };
        let mut eaten = 0;
        let end = loop {
            match pending.expect.step(&mut link.keys, &rx[eaten..], max) {
                Step::Frame { bytes, last: true } => {
                    eaten += bytes;
                    break Ok(true);
                }
                Step::Frame { bytes, last: false } => eaten += bytes,
                Step::Await => break Ok(false),
                Step::QuietError { bytes } if eaten == 0 => {
                    pending.expect.quiet_before -= 1;
                    link.quiet_open -= 1;
                    counters.quiet_errors += 1;
                    rx.advance(bytes);
                }
                Step::Ambiguous => break Err(Read::Ambiguous),
                Step::QuietError { .. } | Step::Nonsense => break Err(Read::OutOfStep),
            }
        };
        let last = match end {
            Ok(last) => last,
            Err(read) => return read,
        };
        if eaten > 0
            && let Whose::Owner(tag) = pending.whose
        {
            let bytes = take(rx, eaten);
            events.push_back(PoolEvent::Reply { tag, bytes, last });
        } else {
            rx.advance(eaten);
        }
        if !last {
            return Read::InStep;
        }
        let done = link.pending.pop_front().expect("the front is being read");
        link.quiet_open -= done.expect.quiet_before;
        ends.replies += 1;
        ends.probe |= done.whose == Whose::Probe;
    }
    Read::InStep
}

/// Takes a reply off the front of the input.
fn take(rx: &mut BytesMut, len: usize) -> Bytes {
    if len <= COMMON_BYTES_MAX
        && let Some(common) = COMMON.iter().find(|line| rx[..len] == ***line)
    {
        rx.advance(len);
        return Bytes::from_static(common);
    }
    rx.split_to(len).freeze()
}
