//! Load on loopback sockets: connections that each have one exchange under way.
//!
//! One thread with epoll, so that the load costs little beside the server. A request is written as
//! one piece, and the next one follows when its whole reply has come back. Replies are known by
//! their length alone, but for the first one on each connection, which is compared whole.

use crate::epoll_echo::{EVENTS_MAX, READ_BYTES_MAX};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One write, and what comes back for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request, or several in one piece.
    pub request: Vec<u8>,
    /// The whole reply.
    pub reply: Vec<u8>,
    /// Operations in it, for the account.
    pub operations: u64,
}

impl Exchange {
    /// A batch of messages to an echo.
    pub fn echo(batch: usize, message_bytes: usize) -> Self {
        assert!(batch > 0 && message_bytes > 0, "no load at all");
        let request = vec![b'm'; batch * message_bytes];
        Self { reply: request.clone(), request, operations: batch as u64 }
    }
}

/// Nothing coming back for this long means that the server is stuck.
const PATIENCE: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };
/// Longest round trip that is told apart, microseconds.
const ROUND_TRIP_US_MAX: u64 = 10_000_000;

/// What a while of load was like.
#[derive(Clone, Debug)]
pub struct Run {
    /// Operations that were answered.
    pub operations: u64,
    /// Their time, wall clock.
    pub length: Duration,
    /// Round trips, or time since an exchange was due, microseconds.
    pub round_trips: Histogram<u64>,
}

impl Run {
    /// Nothing measured yet.
    pub fn new() -> Self {
        let round_trips = Histogram::new_with_max(ROUND_TRIP_US_MAX, 3);
        let round_trips = round_trips.expect("three digits below ten seconds");
        Self { operations: 0, length: Duration::ZERO, round_trips }
    }

    /// So many operations were answered after so long.
    pub fn answered(&mut self, operations: u64, took: Duration) {
        self.operations += operations;
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.round_trips.saturating_record(us.max(1));
    }

    /// Adds what another caller measured in the same while.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.round_trips.add(&other.round_trips).expect("both have the same bounds");
    }

    /// Operations in a second.
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.length.as_secs_f64()
    }
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

/// Open connections to a server.
pub struct Load {
    poll: rustix::fd::OwnedFd,
    callers: Vec<Caller>,
    exchanges: Arc<[Exchange]>,
    buffer: Vec<u8>,
    events: Vec<epoll::Event>,
}

#[derive(Debug)]
struct Caller {
    socket: TcpStream,
    /// Which exchange is under way or comes next.
    at: usize,
    /// Bytes of the reply that have come back.
    back: usize,
    /// Since when the exchange is under way, or was due.
    since: Option<Instant>,
    /// Exchanges done; the first one is looked at.
    done: u64,
}

impl Load {
    /// Connects. The connections begin at places in `exchanges` that lie evenly apart, and take
    /// them in turn.
    ///
    /// # Errors
    /// If nobody listens there, or the operating system refuses sockets.
    pub fn start(to: SocketAddr, conns: usize, exchanges: Arc<[Exchange]>) -> io::Result<Self> {
        assert!(conns > 0 && !exchanges.is_empty(), "no load at all");
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut callers = Vec::with_capacity(conns);
        for index in 0..conns {
            let socket = TcpStream::connect(to)?;
            socket.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&poll, &socket, data, epoll::EventFlags::IN)?;
            socket.set_nonblocking(true)?;
            let at = index * exchanges.len() / conns;
            callers.push(Caller { socket, at, back: 0, since: None, done: 0 });
        }
        let (buffer, events) = (vec![0; READ_BYTES_MAX], Vec::with_capacity(EVENTS_MAX));
        Ok(Self { poll, callers, exchanges, buffer, events })
    }

    /// Closed loop: keeps an exchange under way on every connection for a while.
    ///
    /// # Errors
    /// If a connection breaks, a reply is wrong, or the server is silent for five seconds.
    pub fn run(&mut self, length: Duration) -> io::Result<Run> {
        let (start, mut run) = (Instant::now(), Run::new());
        for index in 0..self.callers.len() {
            if self.callers[index].since.is_none() {
                self.send(index, start)?;
            }
        }
        while start.elapsed() < length {
            self.wait(Some(&PATIENCE))?;
            let events = core::mem::take(&mut self.events);
            for event in &events {
                let index = event.data.u64() as usize;
                if let Some(since) = self.take_in(index)? {
                    let now = Instant::now();
                    run.answered(self.exchanges[self.callers[index].at].operations, now - since);
                    self.advance(index);
                    self.send(index, now)?;
                }
            }
            self.events = events;
        }
        run.length = start.elapsed();
        Ok(run)
    }

    /// Open loop: exchanges are due at an even rate, whether earlier ones were answered or not, and
    /// their time counts from when they were due.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_at(&mut self, per_second: u64, length: Duration) -> io::Result<Run> {
        assert!(per_second > 0, "no load at all");
        let (start, mut run) = (Instant::now(), Run::new());
        let gap = Duration::from_secs(1) / u32::try_from(per_second).expect("a rate for one host");
        let mut due = start;
        let mut idle: Vec<usize> = (0..self.callers.len()).collect();
        while start.elapsed() < length {
            while due <= Instant::now() {
                let Some(index) = idle.pop() else { break };
                self.send(index, due)?;
                due += gap;
            }
            self.wait(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
            let events = core::mem::take(&mut self.events);
            for event in &events {
                let index = event.data.u64() as usize;
                if let Some(since) = self.take_in(index)? {
                    let operations = self.exchanges[self.callers[index].at].operations;
                    run.answered(operations, since.elapsed());
                    self.advance(index);
                    idle.insert(0, index);
                }
            }
            self.events = events;
        }
        self.settle()?;
        run.length = start.elapsed();
        Ok(run)
    }

    /// Waits until nothing is under way.
    fn settle(&mut self) -> io::Result<()> {
        while self.callers.iter().any(|caller| caller.since.is_some()) {
            self.wait(Some(&PATIENCE))?;
            let events = core::mem::take(&mut self.events);
            for event in &events {
                let index = event.data.u64() as usize;
                if self.take_in(index)?.is_some() {
                    self.advance(index);
                }
            }
            self.events = events;
        }
        Ok(())
    }

    /// Every exchange once, on one connection after the other; to fill a server.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn each_once(&mut self) -> io::Result<()> {
        for at in 0..self.exchanges.len() {
            let index = at % self.callers.len();
            self.callers[index].at = at;
            self.send(index, Instant::now())?;
            loop {
                self.wait(Some(&PATIENCE))?;
                if self.take_in(index)?.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn wait(&mut self, patience: Option<&Timespec>) -> io::Result<()> {
        self.events.clear();
        let none = epoll::wait(&self.poll, spare_capacity(&mut self.events), patience)? == 0;
        if none && patience == Some(&PATIENCE) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the server is silent"));
        }
        Ok(())
    }

    fn advance(&mut self, index: usize) {
        let caller = &mut self.callers[index];
        caller.at = (caller.at + 1) % self.exchanges.len();
    }

    fn send(&mut self, index: usize, since: Instant) -> io::Result<()> {
        let caller = &mut self.callers[index];
        assert!(caller.since.is_none() && caller.back == 0, "one exchange at a time");
        caller.since = Some(since);
        caller.socket.write_all(&self.exchanges[caller.at].request)
    }

    /// Reads what came back; if that completed the reply, since when it was under way.
    fn take_in(&mut self, index: usize) -> io::Result<Option<Instant>> {
        let caller = &mut self.callers[index];
        let reply = &self.exchanges[caller.at].reply;
        let read = caller.socket.read(&mut self.buffer)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
        }
        let back = caller.back + read;
        let fits = back <= reply.len();
        if !fits || (caller.done == 0 && self.buffer[..read] != reply[caller.back..back]) {
            let says = String::from_utf8_lossy(&self.buffer[..read.min(80)]).into_owned();
            return Err(io::Error::other(format!("a wrong reply: {says:?}")));
        }
        caller.back = back;
        if back < reply.len() {
            return Ok(None);
        }
        caller.back = 0;
        caller.done += 1;
        Ok(caller.since.take())
    }
}
