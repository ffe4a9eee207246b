//! A driver in one file. What every driver does, in this order, for each process:
//!
//! 1. feed one input: `start`, `accepted`, `received`, `tick`, …;
//! 2. drain what the process wants: output and closing of its connections, then its effects;
//! 3. when nothing moves any more, sleep until the earliest deadline, and `tick`.
//!
//! The network is a pair of byte queues per connection, [`WINDOW_BYTES`] long each way.

use crate::disk::Disk;
use std::collections::{BTreeMap, VecDeque};
use storytime_conformance::{Ending, Scene};
use storytime_machine::{
    Addr, AddressError, Boot, BytesMut, Closing, Conn, Drive, Effect, Endpoint, Gone, IpAddr,
    Ipv4Addr, Listen, Now, OpKey, Process, ResolveError, Rng, Setup, Time, Token, WallTime, nanos,
};

/// Where no host is.
pub(crate) const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Bytes that the network holds in one direction: what a reader that stops lets pile up.
const WINDOW_BYTES: usize = 64 << 10;
const FIRST_FREE_PORT: u16 = 40_000;

struct Host {
    ip: IpAddr,
    process: Box<dyn Drive>,
    disk: Disk,
    stop_at: Option<u64>,
}

/// One side of a connection, as a kernel would keep it.
struct End {
    host: usize,
    /// `None` while it waits in a listen queue, and after it is gone.
    conn: Option<Conn>,
    peer: usize,
    /// On its way to the peer.
    wire: BytesMut,
    fin_sent: bool,
    eof_told: bool,
    /// The peer reset us.
    reset: bool,
    /// Our side is gone: what arrives is answered by a reset.
    gone: bool,
    /// A flushed connection is gone at this time even if the peer never closes.
    linger_until: Option<u64>,
    wants_tls: bool,
}

struct Listener {
    host: usize,
    token: Token,
    listen: Listen,
    accepting: bool,
    /// Sides that wait to be accepted.
    queue: VecDeque<usize>,
}

struct Connecting {
    host: usize,
    token: Token,
    to: Endpoint,
    until: u64,
}

pub(crate) struct World {
    now: u64,
    limit: u64,
    hosts: Vec<Host>,
    ends: Vec<End>,
    listeners: Vec<Listener>,
    connecting: Vec<Connecting>,
    datagrams: BTreeMap<Addr, (usize, Token)>,
    names: Vec<(String, Vec<IpAddr>)>,
    /// Which host has an address besides its own.
    moved: BTreeMap<IpAddr, usize>,
    next_port: u16,
}

impl World {
    pub(crate) fn new(scene: Scene) -> Self {
        let hosts = scene.cast.into_iter().zip(0..).map(|(actor, stream)| {
            let setup = Setup { limits: actor.limits, ..Setup::new(Rng::new(1, stream)) };
            let process = Box::new(Process::new(actor.machine, setup));
            let stop_at = actor.stop_after.map(nanos);
            Host { ip: actor.ip, process, disk: Disk::default(), stop_at }
        });
        Self {
            now: 0,
            limit: nanos(scene.limit),
            hosts: hosts.collect(),
            ends: Vec::new(),
            listeners: Vec::new(),
            connecting: Vec::new(),
            datagrams: BTreeMap::new(),
            names: scene.names,
            moved: BTreeMap::new(),
            next_port: FIRST_FREE_PORT,
        }
    }

    pub(crate) fn play(mut self) -> Vec<Ending> {
        let now = self.clock();
        for host in 0..self.hosts.len() {
            self.hosts[host].process.start(now, Boot { host: 0, worker: 0, incarnation: 0 });
            self.serve(host);
        }
        loop {
            while self.move_bytes() | self.accept_and_connect() {}
            if self.hosts.iter().all(|host| host.process.exit().is_some()) || !self.sleep() {
                break;
            }
        }
        let ending = |h: &Host| h.process.exit().map_or(Ending::StillRunning, Ending::Exited);
        self.hosts.iter().map(ending).collect()
    }

    fn clock(&self) -> Now {
        Now { mono: Time(self.now), wall: WallTime(self.now) }
    }

    /// After each input: checks the machine, takes its output, then carries out its effects. Output
    /// goes first, because the last effect may be the exit.
    fn serve(&mut self, host: usize) {
        self.hosts[host].process.invariants();
        assert_eq!(self.hosts[host].process.take_breach(), None, "a cap was passed");
        while let Some(conn) = self.hosts[host].process.next_dirty() {
            if let Some(end) = self.end_of(host, conn) {
                self.send(end);
            }
        }
        while let Some(effect) = self.hosts[host].process.next_effect() {
            self.carry_out(host, effect);
        }
    }

    /// Runs one input and serves its outcome.
    fn input(&mut self, host: usize, feed: impl FnOnce(&mut dyn Drive, Now)) {
        let now = self.clock();
        feed(self.hosts[host].process.as_mut(), now);
        self.serve(host);
    }

    fn end_of(&self, host: usize, conn: Conn) -> Option<usize> {
        self.ends.iter().position(|end| end.host == host && end.conn == Some(conn))
    }

    // ---- connections ----------------------------------------------------------------------------

    /// Whether anything moved on any connection.
    fn move_bytes(&mut self) -> bool {
        let mut moved = false;
        for end in 0..self.ends.len() {
            moved |= self.send(end);
            moved |= self.receive(end);
        }
        moved
    }

    /// Takes output and closing from the process to the wire.
    fn send(&mut self, at: usize) -> bool {
        let now = self.clock();
        let end = &mut self.ends[at];
        let Some(conn) = end.conn else { return false };
        let process = &mut self.hosts[end.host].process;
        let room = WINDOW_BYTES - end.wire.len();
        let taken = process.take_output(now, conn, room, &mut end.wire);
        match process.view(conn).map(|view| view.closing) {
            Some(Closing::Abort) => {
                end.wire.clear();
                self.reset_peer(at);
                self.end(at, Gone::Aborted);
                return true;
            }
            Some(Closing::Fin | Closing::FinThenGone) if !end.fin_sent => end.fin_sent = true,
            Some(Closing::FinThenGone) if end.linger_until.is_none() => {
                end.linger_until = Some(now.mono.0 + nanos(process.limits().linger));
            }
            _ if taken > 0 => {}
            _ => return false,
        }
        // `take_output` may have run the machine: `drained`.
        let host = end.host;
        self.serve(host);
        true
    }

    /// Takes what is on the wire, and what happened to it, to the process.
    fn receive(&mut self, at: usize) -> bool {
        let (host, peer) = (self.ends[at].host, self.ends[at].peer);
        if self.ends[at].gone {
            // Nobody is here any more. Data that still comes is answered by a reset.
            if !self.ends[peer].wire.is_empty() {
                self.ends[peer].wire.clear();
                self.ends[peer].reset = true;
            }
            return false;
        }
        let Some(conn) = self.ends[at].conn else { return false };
        let wants = self.hosts[host].process.view(conn).is_some_and(|view| view.read);
        if wants && !self.ends[peer].wire.is_empty() {
            let bytes = self.ends[peer].wire.split();
            if let Some(rx) = self.hosts[host].process.rx(conn) {
                rx.extend_from_slice(&bytes);
            }
            self.input(host, |process, now| process.received(now, conn));
            return true;
        }
        let drained = self.ends[peer].wire.is_empty();
        if self.ends[peer].fin_sent && drained && !self.ends[at].eof_told {
            self.ends[at].eof_told = true;
            self.input(host, |process, now| process.eof(now, conn));
            return true;
        }
        let end = &self.ends[at];
        let lingered = end.linger_until.is_some_and(|until| until <= self.now);
        if end.reset && drained {
            self.end(at, Gone::Reset);
        } else if lingered || (end.fin_sent && end.eof_told) {
            self.end(at, Gone::Closed);
        } else {
            return false;
        }
        true
    }

    fn end(&mut self, at: usize, why: Gone) {
        let end = &mut self.ends[at];
        end.gone = true;
        if let Some(conn) = end.conn.take() {
            let host = end.host;
            self.input(host, |process, now| process.gone(now, conn, why));
        }
    }

    fn reset_peer(&mut self, at: usize) {
        let peer = self.ends[at].peer;
        self.ends[peer].reset = true;
    }

    /// Both sides have to ask. Nothing is encrypted here.
    fn start_tls(&mut self, host: usize, conn: Conn) {
        let Some(at) = self.end_of(host, conn) else { return };
        self.ends[at].wants_tls = true;
        let peer = self.ends[at].peer;
        if self.ends[peer].wants_tls {
            for at in [at, peer] {
                if let End { host, conn: Some(conn), .. } = self.ends[at] {
                    self.input(host, |process, now| process.secured(now, conn));
                }
            }
        }
    }

    // ---- listening and connecting ---------------------------------------------------------------

    fn accept_and_connect(&mut self) -> bool {
        let mut moved = false;
        for index in 0..self.listeners.len() {
            // Those that were served may have closed some.
            let Some(listener) = self.listeners.get_mut(index) else { break };
            let Some(at) = listener.queue.front().copied().filter(|_| listener.accepting) else {
                continue;
            };
            listener.queue.pop_front();
            moved = true;
            let (host, token) = (listener.host, listener.token);
            let peer = match listener.listen.at {
                Endpoint::Tcp(_) => {
                    Endpoint::tcp(self.hosts[self.ends[self.ends[at].peer].host].ip, 1)
                }
                Endpoint::Unix(_) => Endpoint::unix(""),
            };
            let now = self.clock();
            match self.hosts[host].process.accepted(now, token, peer) {
                Some(conn) => self.ends[at].conn = Some(conn),
                None => self.reset_peer(at),
            }
            self.serve(host);
        }
        for attempt in core::mem::take(&mut self.connecting) {
            moved |= self.connect(attempt);
        }
        moved
    }

    /// Tries a connect; puts it back when the listen queue is full.
    fn connect(&mut self, attempt: Connecting) -> bool {
        let Connecting { host, token, ref to, until } = attempt;
        let reached = |listener: &&mut Listener| match (&listener.listen.at, to) {
            (Endpoint::Tcp(at), Endpoint::Tcp(to)) => {
                let moved = self.moved.get(&to.ip()) == Some(&listener.host);
                at.port() == to.port() && (self.hosts[listener.host].ip == to.ip() || moved)
            }
            (at, to) => at == to,
        };
        let refusal = match self.listeners.iter_mut().find(reached) {
            Some(listener) if listener.queue.len() <= listener.listen.backlog as usize => {
                let (ours, theirs) = (self.ends.len(), self.ends.len() + 1);
                listener.queue.push_back(theirs);
                let server = listener.host;
                self.ends.push(new_end(host, theirs));
                self.ends.push(new_end(server, ours));
                let now = self.clock();
                match self.hosts[host].process.connected(now, token) {
                    Some(conn) => self.ends[ours].conn = Some(conn),
                    None => self.reset_peer(ours),
                }
                self.serve(host);
                return true;
            }
            Some(_) if self.now < until => {
                self.connecting.push(attempt);
                return false;
            }
            Some(_) => Gone::TimedOut,
            None if matches!(to, Endpoint::Tcp(to) if to.ip() == NOWHERE) => Gone::Unreachable,
            None => Gone::Refused,
        };
        self.input(host, |process, now| process.failed(now, token, refusal));
        true
    }

    // ---- effects --------------------------------------------------------------------------------

    fn carry_out(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Listen { listener, listen } => self.listen(host, listener, listen),
            Effect::Unlisten { listener } => self.unlisten(host, Some(listener)),
            Effect::Accept { listener, on } => {
                let mine = |l: &&mut Listener| l.host == host && l.token == listener;
                if let Some(found) = self.listeners.iter_mut().find(mine) {
                    found.accepting = on;
                }
            }
            Effect::Connect { connect: token, to, timeout } => {
                let until = self.now + nanos(timeout);
                self.connecting.push(Connecting { host, token, to, until });
            }
            Effect::Disk { key, op } => {
                let result = self.hosts[host].disk.run(op);
                self.disk_done(host, key, result);
            }
            Effect::BindDatagram { socket, at } => {
                let port = if at.port() == 0 { self.free_port() } else { at.port() };
                let at = Addr::new(self.hosts[host].ip, port);
                self.datagrams.insert(at, (host, socket));
                self.input(host, |process, now| process.bound(now, socket, Ok(at.into())));
            }
            Effect::SendTo { socket, to, bytes } => {
                let mine = |(_, at): &(&Addr, &(usize, Token))| **at == (host, socket);
                let from = self.datagrams.iter().find(mine).map(|(from, _)| *from);
                if let (Some(from), Some(&(host, socket))) = (from, self.datagrams.get(&to)) {
                    self.input(host, |process, now| process.datagram(now, socket, from, &bytes));
                }
            }
            Effect::Resolve { lookup, name } => {
                let found = self.names.iter().find(|(known, _)| *known == name);
                let result = found.map(|(_, ips)| ips.clone()).ok_or(ResolveError::NotFound);
                self.input(host, |process, now| process.resolved(now, lookup, result));
            }
            Effect::TakeAddress { ip } => {
                let owned = self.hosts.iter().any(|host| host.ip == ip);
                let result = if owned { Err(AddressError::Denied) } else { Ok(()) };
                if !owned {
                    self.moved.insert(ip, host);
                }
                self.input(host, |process, now| process.addressed(now, ip, result));
            }
            Effect::ReleaseAddress { ip } => {
                self.moved.retain(|&moved, &mut holder| moved != ip || holder != host);
            }
            Effect::StartTls { conn, .. } => self.start_tls(host, conn),
            Effect::Exit(_) => self.exit(host),
        }
    }

    fn disk_done(&mut self, host: usize, key: OpKey, result: storytime_machine::DiskResult) {
        self.input(host, |process, now| process.disk_done(now, key, result));
    }

    fn listen(&mut self, host: usize, token: Token, mut listen: Listen) {
        if let Endpoint::Tcp(at) = &mut listen.at {
            let port = if at.port() == 0 { self.free_port() } else { at.port() };
            *at = Addr::new(self.hosts[host].ip, port);
        }
        let at = listen.at.clone();
        let taken = self.listeners.iter().any(|listener| listener.listen.at == at);
        let result = if taken { Err(storytime_machine::BindError::InUse) } else { Ok(at) };
        if !taken {
            let queue = VecDeque::new();
            self.listeners.push(Listener { host, token, listen, accepting: false, queue });
        }
        self.input(host, |process, now| process.bound(now, token, result));
    }

    fn free_port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    fn unlisten(&mut self, host: usize, token: Option<Token>) {
        let closed = |l: &mut Listener| l.host == host && token.is_none_or(|t| t == l.token);
        let closed: Vec<_> = self.listeners.extract_if(.., closed).collect();
        for at in closed.into_iter().flat_map(|listener| listener.queue) {
            self.reset_peer(at);
        }
    }

    /// The process has ended: its listeners close, its connections end as a kernel ends them, with
    /// a reset where something was left unread.
    fn exit(&mut self, host: usize) {
        self.unlisten(host, None);
        self.connecting.retain(|attempt| attempt.host != host);
        self.datagrams.retain(|_, at| at.0 != host);
        for at in 0..self.ends.len() {
            if self.ends[at].host == host && !self.ends[at].gone {
                let peer = self.ends[at].peer;
                self.ends[peer].reset |= !self.ends[peer].wire.is_empty();
                self.ends[at].fin_sent = true;
                self.ends[at].gone = true;
                self.ends[at].conn = None;
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    /// Jumps to the next thing that is due and does it; false when nothing ever is, or too late.
    fn sleep(&mut self) -> bool {
        let deadlines = self.hosts.iter_mut().filter(|host| host.process.exit().is_none());
        let deadlines = deadlines.filter_map(|host| host.process.deadline().map(|at| at.0));
        let deadlines: Vec<u64> = deadlines.collect();
        let stops = self.hosts.iter().filter_map(|host| host.stop_at);
        let lingers = self.ends.iter().filter(|end| !end.gone).filter_map(|end| end.linger_until);
        let connects = self.connecting.iter().map(|attempt| attempt.until);
        let due = deadlines.into_iter().chain(stops).chain(lingers).chain(connects).min();
        let Some(due) = due.filter(|&due| due <= self.limit) else { return false };
        // A nanosecond at least, so that a timer that is always due does not stop the clock.
        self.now = due.max(self.now + 1);
        for host in 0..self.hosts.len() {
            if self.hosts[host].stop_at.is_some_and(|at| at <= self.now) {
                self.hosts[host].stop_at = None;
                self.input(host, |process, now| process.stop(now));
            }
            self.input(host, |process, now| process.tick(now));
        }
        true
    }
}

fn new_end(host: usize, peer: usize) -> End {
    End {
        host,
        conn: None,
        peer,
        wire: BytesMut::new(),
        fin_sent: false,
        eof_told: false,
        reset: false,
        gone: false,
        linger_until: None,
        wants_tls: false,
    }
}
