//! One process and everything its tasks share.
//!
//! Every task of a process (connections, listeners, the alarm, completions) takes a [`Turn`], feeds
//! inputs and settles: it carries out what the process asks and wakes the tasks of connections that
//! the step touched. A turn reads the clock once. The lock around it is never contended while the
//! process runs on its own thread, except by somebody who looks at counters.

use crate::address::{Change, Changes};
use crate::bell::Bell;
use crate::clock::Readings;
use crate::disk::Disk;
use crate::net::{Datagrams, Doors, Socket};
use crate::{Host, address, alarm, connect, datagram, link, listen, resolve};
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use storytime_machine::{
    Boot, Breach, BytesMut, Conn, Drive, Effect, Endpoint, Exit, Now, Output, Signal, Time, Tls,
    Token,
};
use tracing::{debug, error};

/// What the tasks of one process share.
pub(crate) struct Worker {
    pub(crate) host: Arc<Host>,
    /// Listening sockets, shared with the other workers of the same port.
    pub(crate) doors: Arc<Doors>,
    pub(crate) boot: Boot,
    /// How many processes share the listening sockets.
    pub(crate) siblings: u32,
    core: Mutex<Core>,
}

/// The state behind the lock.
pub(crate) struct Core {
    pub(crate) drive: Box<dyn Drive>,
    pub(crate) now: Now,
    readings: Readings,
    /// By connection slot.
    pub(crate) seats: Vec<Seat>,
    /// Connections with a task.
    pub(crate) links: usize,
    pub(crate) gates: BTreeMap<Token, Gate>,
    /// Listeners opened so far.
    listeners: u64,
    pub(crate) datagrams: BTreeMap<Token, Arc<Datagrams>>,
    pub(crate) alarm: Alarm,
    pub(crate) addresses: Changes,
    pub(crate) disk: Disk,
    /// Connections that do not read until the disk has caught up.
    held: Vec<Conn>,
    /// Where short reads go; what came is copied to the connection's buffer.
    pub(crate) inbox: Box<[u8]>,
    /// An empty buffer for the next read, which goes from connection to connection.
    pub(crate) spare: BytesMut,
    pub(crate) stats: Stats,
    pub(crate) life: Life,
}

/// What the task of a connection is told from outside it.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    pub(crate) waker: Option<Waker>,
    /// A handshake to begin.
    pub(crate) tls: Option<Tls>,
    /// The machine broke a rule over this connection: reset it.
    pub(crate) breached: bool,
    /// On the list of those that wait for the disk.
    held: bool,
}

/// Whether a listener takes connections.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Tells it from a later listener of the same token.
    pub(crate) serial: u64,
    pub(crate) on: bool,
    pub(crate) waker: Option<Waker>,
}

/// The one alarm of the process.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    /// What the sleep is set to: at or before the deadline.
    pub(crate) armed: Option<Time>,
    pub(crate) waker: Option<Waker>,
}

/// How the process is to end, what it is asked from outside, and who waits for it.
#[derive(Default)]
pub(crate) struct Life {
    pub(crate) stop: bool,
    /// Signals not yet passed on; one of each kind is enough.
    pub(crate) signals: Vec<Signal>,
    pub(crate) killed: bool,
    pub(crate) panicked: bool,
    /// What others of this program want done between two steps, in order; each of them waits for
    /// its own.
    pub(crate) calls: VecDeque<Call>,
    /// Nobody looks at this any more.
    pub(crate) over: bool,
    pub(crate) exit: Option<Exit>,
    pub(crate) waker: Option<Waker>,
}

/// Something to be done with the process in its own thread.
pub(crate) type Call = Box<dyn FnOnce(&mut dyn Drive, Now) + Send>;

// madsim has no signals.
#[cfg(not(madsim))]
impl Life {
    /// A signal for the machine. Like the operating system's, it counts once until it is heard.
    pub(crate) fn pass(&mut self, signal: Signal) {
        if !self.signals.contains(&signal) {
            self.signals.push(signal);
        }
    }
}

/// The driver's own counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) opened: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) disk_ops: u64,
    pub(crate) datagrams_in: u64,
    pub(crate) datagrams_out: u64,
    pub(crate) datagrams_dropped: u64,
    pub(crate) breaches: u64,
}

/// One turn of one task: the lock, and one reading of the clocks.
pub(crate) struct Turn<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    core: MutexGuard<'a, Core>,
}

impl Worker {
    pub(crate) fn new(
        host: Arc<Host>,
        doors: Arc<Doors>,
        (boot, siblings): (Boot, u32),
        drive: Box<dyn Drive>,
    ) -> Arc<Self> {
        let mut readings = Readings::new(host.clock);
        let core = Core {
            drive,
            now: readings.now(),
            readings,
            seats: Vec::new(),
            links: 0,
            gates: BTreeMap::new(),
            listeners: 0,
            datagrams: BTreeMap::new(),
            alarm: Alarm::default(),
            addresses: Changes::default(),
            disk: Disk::new(&host),
            held: Vec::new(),
            inbox: vec![0; link::INBOX_BYTES].into_boxed_slice(),
            spare: BytesMut::new(),
            stats: Stats::default(),
            life: Life::default(),
        };
        Arc::new(Self { host, doors, boot, siblings, core: Mutex::new(core) })
    }

    /// Begins a turn.
    #[inline]
    pub(crate) fn turn(self: &Arc<Self>) -> Turn<'_> {
        let mut core = self.look();
        core.now = core.readings.now();
        Turn { worker: self, core }
    }

    /// The state, to look at: no input may be fed. A panic of the machine leaves it readable.
    #[inline]
    pub(crate) fn look(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes how the process is to end and wakes whoever sees to it.
    pub(crate) fn tell(&self, change: impl FnOnce(&mut Life)) {
        let mut core = self.look();
        change(&mut core.life);
        core.life.wake();
    }

    /// Names and values of the machine's and the driver's counters.
    pub(crate) fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let core = self.look();
        core.drive.counters(each);
        each("driver_connections_opened", core.stats.opened);
        each("driver_connections_live", core.links as u64);
        each("driver_bytes_in", core.stats.bytes_in);
        each("driver_bytes_out", core.stats.bytes_out);
        each("driver_disk_ops", core.stats.disk_ops);
        each("driver_datagrams_in", core.stats.datagrams_in);
        each("driver_datagrams_out", core.stats.datagrams_out);
        each("driver_datagrams_dropped", core.stats.datagrams_dropped);
        each("driver_breaches", core.stats.breaches);
        each("driver_memory_bytes", core.drive.memory());
    }
}

impl Seat {
    /// Whether something other than bytes is to be seen to.
    pub(crate) const fn is_urgent(&self) -> bool {
        self.breached || self.tls.is_some()
    }
}

impl Life {
    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl Core {
    /// Wakes the task of a connection, if it has one yet: a new task looks by itself.
    pub(crate) fn wake(&self, conn: Conn) {
        if let Some(waker) = self.seats.get(conn.index()).and_then(|seat| seat.waker.as_ref()) {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn seat(&mut self, conn: Conn) -> &mut Seat {
        if self.seats.len() <= conn.index() {
            self.seats.resize_with(conn.index() + 1, Seat::default);
        }
        &mut self.seats[conn.index()]
    }

    /// Has the connection's task woken when the disk has caught up.
    pub(crate) fn hold(&mut self, conn: Conn) {
        if !std::mem::replace(&mut self.seat(conn).held, true) {
            self.held.push(conn);
        }
    }

    /// The disk has caught up: connections are read again.
    pub(crate) fn release(&mut self) {
        while let Some(conn) = self.held.pop() {
            self.seat(conn).held = false;
            self.wake(conn);
        }
    }

    /// Closes the sockets that have no connection.
    pub(crate) fn close(&mut self) {
        self.datagrams.clear();
        for waker in std::mem::take(&mut self.gates).into_values().filter_map(|gate| gate.waker) {
            waker.wake();
        }
    }
}

impl Deref for Turn<'_> {
    type Target = Core;
    #[inline]
    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Turn<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Turn<'_> {
    /// A runtime swallows a task's panic; a machine's panic is a bug that must end the process.
    #[inline]
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.core.life.panicked = true;
            self.core.life.wake();
        }
    }
}

impl Turn<'_> {
    /// Reads the clocks again, in a turn that waited.
    pub(crate) fn refresh(&mut self) {
        let core = &mut *self.core;
        core.now = core.readings.now();
    }

    /// After every input: carries out what the process asks, wakes the connections that the step
    /// touched, and moves the alarm if it has to ring earlier. `own` is the connection whose task
    /// is running and looks for itself.
    #[inline]
    pub(crate) fn settle(&mut self, own: Option<Conn>) {
        let deadline = loop {
            match self.drive.next_output() {
                Output::Nothing { deadline } => break deadline,
                Output::Dirty(conn) if Some(conn) == own => {}
                Output::Dirty(conn) => self.wake(conn),
                Output::Effect(effect) => self.carry_out(effect),
                Output::Breach(breach) => self.breached(breach),
            }
        };
        if let Some(at) = deadline
            && self.alarm.armed.is_none_or(|armed| at < armed)
        {
            self.alarm.armed = Some(at);
            if let Some(waker) = &self.alarm.waker {
                waker.wake_by_ref();
            }
        }
        if self.worker.host.check_invariants {
            self.drive.invariants();
        }
    }

    #[cold]
    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Listen { listener, listen } => {
                self.listeners += 1;
                let serial = self.listeners;
                self.gates.insert(listener, Gate { serial, ..Gate::default() });
                let worker = Arc::clone(self.worker);
                tokio::spawn(listen::serve(worker, (listener, serial), listen));
            }
            Effect::Unlisten { listener } => {
                if let Some(waker) = self.gates.remove(&listener).and_then(|gate| gate.waker) {
                    waker.wake();
                }
            }
            Effect::Accept { listener, on } => {
                if let Some(gate) = self.gates.get_mut(&listener) {
                    gate.on = on;
                    if let Some(waker) = &gate.waker {
                        waker.wake_by_ref();
                    }
                }
            }
            Effect::Connect { connect, to, timeout } => {
                let worker = Arc::clone(self.worker);
                tokio::spawn(connect::attempt(worker, connect, to, timeout));
            }
            Effect::Disk { key, op } => {
                self.stats.disk_ops += 1;
                let worker = self.worker;
                self.core.disk.submit(worker, key, op);
            }
            Effect::BindDatagram { socket, at } => {
                tokio::spawn(datagram::serve(Arc::clone(self.worker), socket, at));
            }
            Effect::SendTo { socket, to, bytes } => datagram::send(self, socket, to, bytes),
            Effect::Resolve { lookup, name } => {
                tokio::spawn(resolve::look_up(Arc::clone(self.worker), lookup, name));
            }
            Effect::TakeAddress { ip } => self.change_address(Change::Take(ip)),
            Effect::ReleaseAddress { ip } => self.change_address(Change::Release(ip)),
            Effect::StartTls { conn, tls } => {
                self.seat(conn).tls = Some(tls);
                self.wake(conn);
            }
            Effect::Exit(exit) => self.exiting(exit),
        }
    }

    /// Has an address taken or given up, behind what was asked before.
    fn change_address(&mut self, change: Change) {
        self.addresses.waiting.push_back(change);
        if !std::mem::replace(&mut self.addresses.running, true) {
            tokio::spawn(address::make(Arc::clone(self.worker)));
        }
    }

    /// The process ends: every connection offers its output once more, then all is closed.
    fn exiting(&mut self, exit: Exit) {
        debug!(?exit, worker = self.worker.boot.worker, "process ends of its own will");
        self.life.exit = Some(exit);
        self.life.wake();
        for seat in &self.seats {
            if let Some(waker) = &seat.waker {
                waker.wake_by_ref();
            }
        }
    }

    /// A bug of the machine that costs memory: say so aloud and end the connection behind it.
    #[cold]
    fn breached(&mut self, breach: Breach) {
        self.stats.breaches += 1;
        let culprit = match breach {
            Breach::UnreadInput { conn, .. } | Breach::PendingOutput { conn, .. } => Some(conn),
            Breach::Buffers { .. } => {
                let pending = |c: &Conn| self.drive.view(*c).map_or(0, |view| view.sendable);
                self.drive.conns().into_iter().max_by_key(pending)
            }
        };
        error!(?breach, ?culprit, "the machine broke a byte cap; its connection is reset");
        if let Some(conn) = culprit {
            self.seat(conn).breached = true;
            self.wake(conn);
        }
    }

    /// Gives a new connection its task.
    pub(crate) fn open(&mut self, conn: Conn, socket: Socket, peer: &Endpoint) {
        debug!(?conn, %peer, "connection opened");
        *self.seat(conn) = Seat::default();
        self.links += 1;
        self.stats.opened += 1;
        tokio::spawn(link::Link::new(Arc::clone(self.worker), conn, socket));
    }
}

/// Runs a process to its end; `None` if it was killed. Leaves tasks behind, which the caller ends
/// with their runtime.
pub(crate) async fn live(worker: Arc<Worker>) -> Option<Exit> {
    let bell = Bell::new().expect("a new process has a descriptor left for its alarm");
    tokio::spawn(alarm::ring(Arc::clone(&worker), bell));
    {
        let mut turn = worker.turn();
        let now = turn.now;
        turn.drive.start(now, worker.boot);
        turn.settle(None);
    }
    let over = Over(&worker);
    let mut stopping = false;
    let ending = std::future::poll_fn(|cx| {
        let mut turn = worker.turn();
        assert!(!turn.life.panicked, "a task of the process panicked: see the message above");
        if turn.life.killed {
            return std::task::Poll::Ready(None);
        }
        for signal in core::mem::take(&mut turn.life.signals) {
            let now = turn.now;
            turn.drive.signal(now, signal);
            turn.settle(None);
        }
        while let Some(call) = turn.life.calls.pop_front() {
            let core = &mut *turn.core;
            call(&mut *core.drive, core.now);
            turn.settle(None);
        }
        if turn.life.stop && !stopping {
            stopping = true;
            let now = turn.now;
            turn.drive.stop(now);
            turn.settle(None);
        }
        if turn.life.exit.is_some() && turn.links == 0 {
            return std::task::Poll::Ready(turn.life.exit);
        }
        turn.life.waker = Some(cx.waker().clone());
        std::task::Poll::Pending
    })
    .await;
    drop(over);
    worker.look().close();
    ending
}

/// Lets go of those who wait for calls into a process that has ended, also by a panic.
struct Over<'a>(&'a Worker);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let mut core = self.0.look();
        core.life.over = true;
        core.life.calls.clear();
    }
}
