//! A machine alone on its host: a process, a disk, and clients that answer at once.
//!
//! A small driver for one process that runs thousands of times faster than a world. Events happen
//! in the order of their times; a completed operation and its telling are two events. Not modelled:
//! a network (clients sit on the host; connects of the machine's own are refused, datagrams lost,
//! names unknown, TLS resets), CPU time, flow control of clients beyond reading or not.

use crate::clock::Clock;
use crate::disk::{SimDisk, Submitted};
use bytes::BytesMut;
use core::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use storytime_machine::{
    BindError, Boot, Closing, Conn, Cx, DiskOp, DiskResult, Drive, Effect, Endpoint, Exit, Gone,
    IpAddr, Machine, Now, OpKey, Process, ResolveError, Setup, Time, Token,
};

/// Events that [`Lone::run_until`] and recoveries allow a machine by default.
pub const EVENTS_MAX: u64 = 1_000_000;

/// Port of the first client; each has the next.
const CLIENT_PORT: u16 = 40_000;

/// A machine alone on its host.
#[derive(Debug)]
pub struct Lone<M> {
    process: Process<M>,
    disk: SimDisk,
    now: Time,
    life: u32,
    invariants: bool,
    /// Operations that were submitted: when, which, and whether they change anything.
    pending: BinaryHeap<Reverse<(Time, u64, bool)>>,
    /// What the machine has yet to be told.
    answers: VecDeque<Answer>,
    listeners: Vec<Listener>,
    clients: Vec<Peer>,
    exit: Option<Exit>,
    broken: Option<String>,
    submitted: u64,
    changes: u64,
}

/// A client's connection to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(usize);

/// What [`Lone::advance`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// An operation was carried out on the disk; the machine does not know yet.
    Completed,
    /// The machine was told something.
    Told,
    /// Nothing: the machine waits for nothing.
    Quiet,
}

#[derive(Debug)]
enum Answer {
    Disk(OpKey, DiskResult),
    Bound(Token, Result<Endpoint, BindError>),
    Refused(Token),
    Unknown(Token),
    Addressed(IpAddr),
    Gone(Conn, Gone),
}

#[derive(Debug)]
struct Listener {
    token: Token,
    at: Endpoint,
    accepting: bool,
}

/// The far side of a connection.
#[derive(Debug)]
struct Peer {
    conn: Conn,
    /// From the machine.
    inbox: BytesMut,
    /// For the machine, while it does not read.
    outbox: BytesMut,
    open: bool,
    reads: bool,
}

impl<M: Machine> Lone<M> {
    /// Boots a machine on a disk. `life` is how often its host was booted before.
    pub fn boot(machine: M, setup: Setup, disk: SimDisk, now: Time, life: u32) -> Self {
        let mut lone = Self {
            process: Process::new(machine, setup),
            disk,
            now,
            life,
            invariants: true,
            pending: BinaryHeap::new(),
            answers: VecDeque::new(),
            listeners: Vec::new(),
            clients: Vec::new(),
            exit: None,
            broken: None,
            submitted: 0,
            changes: 0,
        };
        let clock = lone.clock();
        lone.process.start(clock, Boot { host: 0, worker: 0, incarnation: life });
        lone.drain();
        lone
    }

    /// Whether the machine's `invariants` are called after each of its steps; at first they are.
    pub const fn set_invariants(&mut self, on: bool) {
        self.invariants = on;
    }

    // ---- looking -------------------------------------------------------------------------------

    /// The host's clock.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The machine.
    pub const fn machine(&self) -> &M {
        self.process.machine()
    }

    /// The disk.
    pub const fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The disk, to make it full, slow or broken.
    pub const fn disk_mut(&mut self) -> &mut SimDisk {
        &mut self.disk
    }

    /// How the process ended, if it did.
    pub const fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// A rule of the contract that the machine broke, if it did.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Whether no operation is under way and the machine has been told everything; timers may run.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && self.answers.is_empty()
    }

    /// Disk operations submitted so far in this life.
    pub const fn submitted(&self) -> u64 {
        self.submitted
    }

    /// A number that grows whenever a power cut could leave something else: with every operation
    /// submitted or carried out that changes content or names, and with every sync carried out.
    pub(super) const fn changes(&self) -> u64 {
        self.changes + self.disk.generation()
    }

    /// Whether it takes connections on a port.
    pub fn listens(&self, port: u16) -> bool {
        self.listener(port).is_some()
    }

    fn listener(&self, port: u16) -> Option<Token> {
        let found = self.listeners.iter().find(|l| l.accepting && l.at.port() == Some(port))?;
        Some(found.token)
    }

    // ---- acting --------------------------------------------------------------------------------

    /// Calls into the machine with its hands: for what is not reached by sockets. `None` if the
    /// process has ended.
    pub fn call<R>(&mut self, call: impl FnOnce(&mut M, &mut Cx) -> R) -> Option<R> {
        let now = self.clock();
        let result = self.process.call(now, call);
        self.drain();
        result
    }

    /// Connects a client to a port; `None` if the machine takes no connections there.
    pub fn connect(&mut self, port: u16) -> Option<Client> {
        let listener = self.listener(port)?;
        let now = self.clock();
        let port = CLIENT_PORT.wrapping_add(self.clients.len() as u16);
        let from = Endpoint::tcp([127, 0, 0, 1], port);
        let conn = self.process.accepted(now, listener, from)?;
        let peer =
            Peer { conn, inbox: BytesMut::new(), outbox: BytesMut::new(), open: true, reads: true };
        self.clients.push(peer);
        self.drain();
        Some(Client(self.clients.len() - 1))
    }

    /// Sends bytes from a client. They are lost if its connection is gone.
    pub fn send(&mut self, client: Client, bytes: &[u8]) {
        self.clients[client.0].outbox.extend_from_slice(bytes);
        self.deliver(client.0);
        self.drain();
    }

    /// What a client has received and not taken yet.
    pub fn received(&mut self, client: Client) -> &mut BytesMut {
        &mut self.clients[client.0].inbox
    }

    /// Whether a client takes what the machine sends; at first it does.
    pub fn set_reads(&mut self, client: Client, on: bool) {
        self.clients[client.0].reads = on;
        self.settle(self.clients[client.0].conn);
        self.drain();
    }

    /// Whether a client's connection stands.
    pub fn is_open(&self, client: Client) -> bool {
        self.clients[client.0].open
    }

    /// Resets a client's connection.
    pub fn reset(&mut self, client: Client) {
        let peer = &mut self.clients[client.0];
        if core::mem::take(&mut peer.open) {
            let conn = peer.conn;
            let now = self.clock();
            self.process.gone(now, conn, Gone::Reset);
            self.drain();
        }
    }

    // ---- time ----------------------------------------------------------------------------------

    /// Lets the next thing happen.
    pub fn advance(&mut self) -> Happened {
        if self.exit.is_some() {
            return Happened::Quiet;
        }
        if let Some(answer) = self.answers.pop_front() {
            self.tell(answer);
            self.drain();
            return Happened::Told;
        }
        let timer = self.process.deadline();
        let operation = self.pending.peek().map(|Reverse((at, ..))| *at);
        match (operation, timer) {
            (Some(at), timer) if timer.is_none_or(|timer| at <= self.world_time(timer)) => {
                self.complete();
                Happened::Completed
            }
            (_, Some(timer)) => {
                self.now = self.now.max(self.world_time(timer));
                let now = self.clock();
                self.process.tick(now);
                self.drain();
                Happened::Told
            }
            (_, None) => Happened::Quiet,
        }
    }

    /// Runs until `done` holds; false if it does not within [`EVENTS_MAX`] events, or the machine
    /// ends or waits for nothing before.
    pub fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..EVENTS_MAX {
            if done(self) {
                return true;
            }
            if self.advance() == Happened::Quiet {
                return done(self);
            }
        }
        false
    }

    fn complete(&mut self) {
        let Some(Reverse((at, id, changes))) = self.pending.pop() else { return };
        self.now = self.now.max(at);
        self.changes += u64::from(changes);
        if let Some((owner, key, result)) = self.disk.complete(id) {
            debug_assert_eq!(owner, self.life, "nobody else uses the disk");
            self.answers.push_back(Answer::Disk(key, result));
        }
    }

    const fn world_time(&self, deadline: Time) -> Time {
        deadline // A good clock, from zero.
    }

    fn clock(&self) -> Now {
        Clock::default().read(self.now)
    }

    // ---- the machine's inputs and outputs ------------------------------------------------------

    fn tell(&mut self, answer: Answer) {
        let now = self.clock();
        match answer {
            Answer::Disk(key, result) => self.process.disk_done(now, key, result),
            Answer::Bound(token, result) => self.process.bound(now, token, result),
            Answer::Refused(connect) => self.process.failed(now, connect, Gone::Refused),
            Answer::Unknown(lookup) => {
                self.process.resolved(now, lookup, Err(ResolveError::NotFound));
            }
            Answer::Addressed(ip) => self.process.addressed(now, ip, Ok(())),
            Answer::Gone(conn, why) => self.process.gone(now, conn, why),
        }
    }

    /// Gives a client's bytes to the machine, if it reads.
    fn deliver(&mut self, client: usize) {
        let peer = &mut self.clients[client];
        let reads = self.process.view(peer.conn).is_some_and(|view| view.read);
        if !reads || peer.outbox.is_empty() {
            return;
        }
        let Some(rx) = self.process.rx(peer.conn) else { return };
        rx.extend_from_slice(&peer.outbox);
        peer.outbox.clear();
        let conn = peer.conn;
        let now = self.clock();
        self.process.received(now, conn);
    }

    /// Carries out what the machine asks for.
    fn drain(&mut self) {
        loop {
            if let Some(conn) = self.process.next_dirty() {
                self.settle(conn);
            } else if let Some(effect) = self.process.next_effect() {
                self.carry_out(effect);
            } else {
                break;
            }
        }
        if let Some(breach) = self.process.take_breach() {
            self.broken.get_or_insert_with(|| format!("byte cap passed: {breach:?}"));
        }
        if self.invariants {
            self.process.invariants();
        }
    }

    /// Takes a connection's output, and closes it as far as the machine wants.
    fn settle(&mut self, conn: Conn) {
        let now = self.clock();
        let Some(view) = self.process.view(conn) else { return };
        // Without a client it is being accepted: `connect` looks again.
        let Some(client) = self.clients.iter().position(|p| p.conn == conn && p.open) else {
            return;
        };
        let reads = self.clients[client].reads;
        if view.closing != Closing::Abort && view.sendable > 0 && reads {
            let inbox = &mut self.clients[client].inbox;
            self.process.take_output(now, conn, usize::MAX, inbox);
        }
        let Some(view) = self.process.view(conn) else { return };
        let why = match view.closing {
            Closing::No | Closing::FlushThenFin => return self.deliver(client),
            Closing::Abort => Gone::Aborted,
            Closing::Fin | Closing::FinThenGone => Gone::Closed,
        };
        self.clients[client].open = false;
        self.answers.push_back(Answer::Gone(conn, why));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Disk { key, op } => {
                let changes = changes(&op);
                self.changes += u64::from(changes);
                let Submitted { id, at } = self.disk.submit(self.now, self.life, key, op);
                self.submitted += 1;
                self.pending.push(Reverse((at, id, changes)));
            }
            Effect::Listen { listener, listen } => {
                let at = listen.at;
                self.listeners.push(Listener { token: listener, at: at.clone(), accepting: false });
                self.answers.push_back(Answer::Bound(listener, Ok(at)));
            }
            Effect::Unlisten { listener } => self.listeners.retain(|l| l.token != listener),
            Effect::Accept { listener, on } => {
                let found = self.listeners.iter_mut().find(|l| l.token == listener);
                found.into_iter().for_each(|listener| listener.accepting = on);
            }
            Effect::Connect { connect, .. } => self.answers.push_back(Answer::Refused(connect)),
            Effect::BindDatagram { socket, at } => {
                self.answers.push_back(Answer::Bound(socket, Ok(at.into())));
            }
            Effect::Resolve { lookup, .. } => self.answers.push_back(Answer::Unknown(lookup)),
            Effect::TakeAddress { ip } => self.answers.push_back(Answer::Addressed(ip)),
            Effect::StartTls { conn, .. } => {
                self.answers.push_back(Answer::Gone(conn, Gone::Misbehaved));
            }
            Effect::SendTo { .. } | Effect::ReleaseAddress { .. } => {}
            Effect::Exit(exit) => self.exit = Some(exit),
        }
    }
}

/// Whether an operation that is under way may have changed something.
const fn changes(op: &DiskOp) -> bool {
    !matches!(
        op,
        DiskOp::Read { .. } | DiskOp::List { .. } | DiskOp::Sync { .. } | DiskOp::SyncDir { .. }
    )
}
