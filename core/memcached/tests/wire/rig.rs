//! A server in its shell, driven by hand: bytes in, bytes out, time as told.

use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use storytime_machine::effect::{Closing, OpKey};
use storytime_machine::{
    Addr, Boot, Conn, DiskOp, DiskResult, Drive, Effect, Endpoint, Limits, Machine, Now, Process,
    Rng, Setup, Time, Token, WallTime,
};
use storytime_memcached::{Config, Server, Shared};

/// 2007-05-24, when the talk was given.
pub(crate) const WALL_START: u64 = 1_180_000_000;

/// A server and its clock.
pub(crate) struct Rig {
    pub(crate) process: Process<Server>,
    now: Now,
    /// Datagrams that were sent and not taken.
    sent: Vec<Bytes>,
    /// Whether the listener takes connections.
    accepts: bool,
    /// Disk operations that were asked for and not carried out.
    asked: VecDeque<(OpKey, DiskOp)>,
}

/// A config from a command line.
pub(crate) fn config(line: &str) -> Config {
    Config::from_words(&line.split_whitespace().collect::<Vec<_>>()).expect("a good command line")
}

impl Rig {
    /// One worker with the options of a command line.
    pub(crate) fn new(line: &str) -> Self {
        let config = config(&format!("-t 1 {line}"));
        let limits = config.limits();
        Self::with(Server::alone(config), limits, 0)
    }

    /// Several workers over one data set.
    pub(crate) fn workers(n: u32, line: &str) -> Vec<Self> {
        let config = config(&format!("-t {n} {line}"));
        let shared = Arc::new(Shared::new(&config));
        let worker =
            |w| Self::with(Server::new(config.clone(), shared.clone()), config.limits(), w);
        (0..n).map(worker).collect()
    }

    pub(crate) fn with(server: Server, limits: Limits, worker: u32) -> Self {
        let mut setup = Setup::new(Rng::new(2007, 11211));
        setup.limits = limits;
        let wall = WallTime(WALL_START * 1_000_000_000);
        let now = Now { mono: Time(1 << 40), wall };
        let process = Process::new(server, setup);
        let mut rig =
            Self { process, now, sent: Vec::new(), accepts: false, asked: VecDeque::new() };
        rig.process.start(rig.now, Boot { host: 1, worker, incarnation: 0 });
        rig.check();
        rig
    }

    /// Whether the server takes connections.
    pub(crate) const fn accepts(&self) -> bool {
        self.accepts
    }

    /// A client connects.
    pub(crate) fn open(&mut self) -> Conn {
        let peer = Endpoint::tcp([127, 0, 0, 1], 40_000);
        let conn = self.process.accepted(self.now, Token(0), peer).expect("a free slot");
        self.check();
        conn
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now.mono += Duration::from_secs(seconds);
        self.now.wall = self.now.wall + Duration::from_secs(seconds);
    }

    /// How long the server can be left alone; nothing if it waits for input alone.
    pub(crate) fn rests(&mut self) -> Option<Duration> {
        self.process.tick(self.now);
        self.check();
        self.process.deadline().map(|deadline| deadline.since(self.now.mono))
    }

    /// Lets time pass, and what is due then happen.
    pub(crate) fn tick_after_millis(&mut self, millis: u64) {
        let by = Duration::from_millis(millis);
        (self.now.mono, self.now.wall) = (self.now.mono + by, self.now.wall + by);
        self.process.tick(self.now);
        self.check();
    }

    /// Lets time pass until something is due; whether there is something.
    pub(crate) fn tick_when_due(&mut self) -> bool {
        let Some(due) = self.process.deadline() else { return false };
        let millis = due.0.saturating_sub(self.now.mono.0).div_ceil(1_000_000);
        self.tick_after_millis(millis);
        true
    }

    /// The operator sends a signal.
    pub(crate) fn signal(&mut self, signal: storytime_machine::Signal) {
        self.process.signal(self.now, signal);
        self.check();
    }

    /// The operator wants an end.
    pub(crate) fn stop(&mut self) {
        self.process.stop(self.now);
        self.check();
    }

    /// Has a disk carry out at most so many operations that the server asks for.
    pub(crate) fn run_disk(
        &mut self,
        disk: &mut impl FnMut(DiskOp) -> DiskResult,
        operations_max: usize,
    ) {
        for _ in 0..operations_max {
            let Some((key, op)) = self.asked.pop_front() else { return };
            let result = disk(op);
            self.process.disk_done(self.now, key, result);
            self.check();
        }
    }

    /// A datagram arrives on a socket; the datagrams of the reply.
    pub(crate) fn datagram(&mut self, socket: Token, bytes: &[u8]) -> Vec<Bytes> {
        let from = Addr::new([127, 0, 0, 1].into(), 40_000);
        self.process.datagram(self.now, socket, from, bytes);
        self.check();
        core::mem::take(&mut self.sent)
    }

    /// Delivers bytes without taking replies.
    pub(crate) fn deliver(&mut self, conn: Conn, bytes: &[u8]) {
        if let Some(rx) = self.process.rx(conn) {
            rx.extend_from_slice(bytes);
            self.process.received(self.now, conn);
        }
        self.check();
    }

    /// Takes up to `max` bytes of replies.
    pub(crate) fn take(&mut self, conn: Conn, max: usize) -> Bytes {
        let mut out = BytesMut::new();
        self.process.take_output(self.now, conn, max, &mut out);
        self.check();
        out.freeze()
    }

    /// Takes everything that comes out until nothing does, resuming what was paused.
    pub(crate) fn take_all(&mut self, conn: Conn) -> Vec<u8> {
        let mut out = BytesMut::new();
        loop {
            let taken = self.process.take_output(self.now, conn, usize::MAX, &mut out);
            self.process.tick(self.now);
            self.check();
            if taken == 0 {
                return out.to_vec();
            }
        }
    }

    /// Delivers bytes and takes all replies.
    pub(crate) fn send(&mut self, conn: Conn, bytes: impl AsRef<[u8]>) -> String {
        self.deliver(conn, bytes.as_ref());
        String::from_utf8_lossy(&self.take_all(conn)).into_owned()
    }

    /// Whether the server has closed its side.
    pub(crate) fn has_hung_up(&self, conn: Conn) -> bool {
        self.process.view(conn).is_none_or(|view| view.closing != Closing::No)
    }

    /// The client closes its side.
    pub(crate) fn eof(&mut self, conn: Conn) {
        self.process.eof(self.now, conn);
        self.check();
    }

    /// The transport says that a connection is gone.
    pub(crate) fn gone(&mut self, conn: Conn) {
        self.process.gone(self.now, conn, storytime_machine::Gone::Closed);
        self.check();
    }

    /// Whether the server reads from a connection.
    pub(crate) fn reads(&self, conn: Conn) -> bool {
        self.process.view(conn).is_some_and(|view| view.read)
    }

    /// Replies that have not been taken, bytes.
    pub(crate) fn pending(&self, conn: Conn) -> usize {
        self.process.view(conn).map_or(0, |view| view.sendable)
    }

    /// Memory of the server beyond its connections' buffers, bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.process.machine().memory()
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let mut found = None;
        self.process.counters(&mut |each, value| {
            if each == name {
                found = Some(value);
            }
        });
        found.expect("a counter of that name")
    }

    fn check(&mut self) {
        self.process.invariants();
        assert_eq!(self.process.take_breach(), None, "the server keeps its byte caps");
        while self.process.next_dirty().is_some() {}
        while let Some(effect) = self.process.next_effect() {
            match effect {
                Effect::SendTo { bytes, .. } => self.sent.push(bytes),
                Effect::Accept { on, .. } => self.accepts = on,
                Effect::Disk { key, op } => self.asked.push_back((key, op)),
                Effect::Listen { listener, listen } => {
                    self.process.bound(self.now, listener, Ok(listen.at));
                }
                Effect::BindDatagram { socket, at } => {
                    self.process.bound(self.now, socket, Ok(Endpoint::Tcp(at)));
                }
                _ => {}
            }
        }
    }
}

/// Sends one stream to a fresh server in pieces, and returns all replies and whether it hung up.
pub(crate) fn replies(line: &str, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut rig = Rig::new(line);
    let conn = rig.open();
    let mut out = Vec::new();
    for piece in pieces {
        rig.deliver(conn, piece);
        out.extend(rig.take_all(conn));
    }
    rig.process.machine().shared().audit();
    (out, rig.has_hung_up(conn))
}
