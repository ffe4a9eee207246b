//! What a machine can do.

use crate::buggify::{Buggify, Site};
use crate::effect::Breach;
use crate::slot::{Read, Slots as ConnSlots, TlsState, Write};
use crate::timers::Timers;
use crate::{
    Addr, Close, Conn, Costs, DATAGRAM_BYTES_MAX, DiskOp, Effect, Endpoint, Exit, Gone, IpAddr,
    Limits, Listen, Now, OpKey, Rng, Slots, Time, Tls, Token, Tx, WORK_KINDS_MAX, WallTime, Work,
};
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

/// The hands of a machine: clocks, randomness, connections, timers, disk and the rest.
///
/// Concrete and not generic, so that a machine's code is the same in the simulator and on the real
/// runtime. Calls with a stale [`Conn`] do nothing. Nothing takes effect before the machine's
/// method returns; effects are then carried out in the order of the calls.
pub struct Cx {
    pub(crate) now: Now,
    pub(crate) limits: Limits,
    pub(crate) rng: Rng,
    pub(crate) conns: ConnSlots,
    pub(crate) listeners: Vec<Listener>,
    /// Something happened on which it depends which of them take connections.
    pub(crate) listeners_changed: bool,
    /// Number of the next listener.
    next_listener: u64,
    pub(crate) timers: Timers,
    pub(crate) effects: VecDeque<Effect>,
    /// Connections that this step touched and `settle` has to look at.
    pub(crate) touched: Vec<Conn>,
    /// Connections that were resumed with input or a FIN still to be told.
    pub(crate) resumed: VecDeque<Conn>,
    pub(crate) exit: Option<Exit>,
    pub(crate) breach: Option<Breach>,
    pub(crate) buffered: usize,
    /// Empty buffers for output, which go from connection to connection.
    pub(crate) spares: Vec<BytesMut>,
    costs: Costs,
    spent_ps: u64,
    work: [u64; WORK_KINDS_MAX],
    work_names: [&'static str; WORK_KINDS_MAX],
    pub(crate) buggify: Option<Box<Buggify>>,
    pub(crate) marks: Option<BTreeMap<Site, u64>>,
}

/// A listener and its slots.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) token: Token,
    /// Tells listeners apart that had the same token one after the other.
    pub(crate) number: u64,
    pub(crate) slots: Slots,
    /// Connections accepted here and not yet gone.
    pub(crate) open: u32,
    /// Whether the driver was last told to accept.
    pub(crate) accepting: bool,
    pub(crate) listening: bool,
    /// `bound` has yet to tell its outcome.
    pub(crate) unbound: bool,
}

/// A datagram longer than [`DATAGRAM_BYTES_MAX`]: the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramTooLong {
    /// Its length, bytes.
    pub bytes: usize,
}

impl fmt::Display for DatagramTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a datagram of {} bytes, at most {DATAGRAM_BYTES_MAX} fit", self.bytes)
    }
}

impl std::error::Error for DatagramTooLong {}

impl Cx {
    pub(crate) fn new(limits: Limits, rng: Rng, costs: Costs) -> Self {
        limits.assert_valid();
        Self {
            now: Now::default(),
            limits,
            rng,
            conns: ConnSlots::default(),
            listeners: Vec::new(),
            listeners_changed: false,
            next_listener: 0,
            timers: Timers::default(),
            effects: VecDeque::new(),
            touched: Vec::new(),
            resumed: VecDeque::new(),
            exit: None,
            breach: None,
            buffered: 0,
            costs,
            spent_ps: 0,
            work: [0; WORK_KINDS_MAX],
            work_names: [""; WORK_KINDS_MAX],
            buggify: None,
            marks: None,
            spares: Vec::new(),
        }
    }

    // ---- clocks and chance -------------------------------------------------------------------

    /// This host's monotonic clock, the same throughout one call.
    #[inline]
    pub const fn now(&self) -> Time {
        self.now.mono
    }

    /// This host's wall clock, the same throughout one call.
    #[inline]
    pub const fn wall_clock(&self) -> WallTime {
        self.now.wall
    }

    /// This process's stream of random numbers.
    #[inline]
    pub const fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// The byte caps and water marks of this process.
    #[inline]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether to take a rare but legal path here. Always false outside a simulator's fault plan.
    #[inline]
    pub fn buggify(&mut self, site: Site) -> bool {
        self.buggify.as_mut().is_some_and(|buggify| buggify.fires(site))
    }

    /// Notes that a rare path was taken, so that a campaign can fail when it never was.
    #[inline]
    pub fn reached(&mut self, mark: Site) {
        if let Some(marks) = &mut self.marks {
            *marks.entry(mark).or_default() += 1;
        }
    }

    // ---- stream connections --------------------------------------------------------------------

    /// Opens a listener under a token of the machine's choice; `bound` tells the outcome.
    ///
    /// # Panics
    /// If a listener has that token.
    pub fn listen(&mut self, listener: Token, listen: Listen) {
        assert!(self.listener(listener).is_none(), "a listener's token is used once at a time");
        self.listeners.push(Listener {
            token: listener,
            number: self.next_listener,
            slots: listen.slots,
            open: 0,
            accepting: false,
            listening: true,
            unbound: true,
        });
        self.next_listener += 1;
        self.listeners_changed = true;
        self.effects.push_back(Effect::Listen { listener, listen });
    }

    /// Closes a listener: its queue is reset, accepted connections stay.
    pub fn unlisten(&mut self, listener: Token) {
        if let Some(found) = self.listener(listener) {
            found.listening = false;
            self.listeners_changed = true;
            self.effects.push_back(Effect::Unlisten { listener });
        }
    }

    /// Changes how many connections a listener holds at once. Lowering it closes none.
    pub fn set_slots(&mut self, listener: Token, slots: Slots) {
        if let Some(found) = self.listener(listener) {
            found.slots = slots;
            self.listeners_changed = true;
        }
    }

    fn listener(&mut self, token: Token) -> Option<&mut Listener> {
        self.listeners.iter_mut().find(|l| l.token == token && l.listening)
    }

    /// Connects; `open` or `failed` follows within `timeout`.
    pub fn connect(&mut self, connect: Token, to: impl Into<Endpoint>, timeout: Duration) {
        self.effects.push_back(Effect::Connect { connect, to: to.into(), timeout });
    }

    /// The output of a connection; `None` if it is gone or our side of it is closed.
    #[inline]
    pub fn tx(&mut self, conn: Conn) -> Option<&mut Tx> {
        let slot = self.conns.get_mut(conn)?;
        if slot.write != Write::Open {
            return None;
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(conn);
        }
        slot.tx.borrow(&mut self.spares);
        Some(&mut slot.tx)
    }

    /// Bytes of output that the transport has not taken; 0 for a stale handle.
    #[inline]
    pub fn pending(&self, conn: Conn) -> usize {
        self.conns.get(conn).map_or(0, |slot| slot.tx.pending())
    }

    /// Stops (`true`) or resumes (`false`) reading. While stopped the transport's window closes and
    /// the peer feels it; on resuming, input left in the buffer is delivered again.
    pub fn pause(&mut self, conn: Conn, on: bool) {
        let Some(slot) = self.conns.get_mut(conn) else { return };
        match (slot.read, on) {
            (Read::Open | Read::Resuming, true) => slot.read = Read::Paused,
            (Read::Paused, false) => {
                slot.read = Read::Resuming;
                self.resumed.push_back(conn);
            }
            _ => return,
        }
        self.touch(conn);
    }

    /// Closes a connection; see [`Close`]. Later calls can only make it harsher.
    pub fn close(&mut self, conn: Conn, how: Close) {
        let Some(slot) = self.conns.get_mut(conn) else { return };
        match (slot.write, how) {
            (Write::Aborting(_), _) => return,
            (_, Close::Abort) => {
                slot.write = Write::Aborting(Gone::Aborted);
                slot.read = Read::Discard;
            }
            (Write::Flushing, _) => return,
            (_, Close::Flush) => {
                slot.write = Write::Flushing;
                slot.read = Read::Discard;
            }
            (Write::Open, Close::Write) => slot.write = Write::HalfClosing,
            (Write::HalfClosing, Close::Write) => return,
        }
        self.touch(conn);
    }

    /// Starts TLS: output put so far leaves in clear text, all later output waits for the
    /// handshake. `secured` or `gone(Misbehaved)` follows; until then no input is told. Input left
    /// unread behind this call, or coming in clear text after it, resets the connection: trusting
    /// it would be the classic STARTTLS injection.
    pub fn start_tls(&mut self, conn: Conn, tls: Tls) {
        let Some(slot) = self.conns.get_mut(conn) else { return };
        if slot.tls == TlsState::Clear && slot.write == Write::Open {
            slot.tls = TlsState::Wanted(tls);
            slot.starts_tls = true;
            slot.tx.start_tls();
            self.touch(conn);
        }
    }

    #[inline]
    pub(crate) fn touch(&mut self, conn: Conn) {
        if let Some(slot) = self.conns.get_mut(conn)
            && !slot.touched
        {
            slot.touched = true;
            self.touched.push(conn);
        }
    }

    // ---- timers, disk, datagrams, names ---------------------------------------------------------

    /// Sets or moves a timer. A time that has passed means now.
    pub fn at(&mut self, timer: Token, when: Time) {
        self.timers.set(timer, when.max(self.now.mono));
    }

    /// Sets or moves a timer to `delay` from now.
    pub fn after(&mut self, timer: Token, delay: Duration) {
        self.timers.set(timer, self.now.mono + delay);
    }

    /// Cancels a timer; no matter if it is not set.
    pub fn cancel(&mut self, timer: Token) {
        self.timers.cancel(timer);
    }

    /// Asks for a disk operation; [`Machine::disk`](crate::Machine::disk) gets the outcome.
    pub fn disk(&mut self, op: Token, what: DiskOp) {
        self.effects.push_back(Effect::Disk { key: OpKey::Machine(op), op: what });
    }

    /// Opens a datagram socket; `bound` tells the outcome. Listeners and datagram sockets share one
    /// name space, because `bound` answers both.
    pub fn bind_datagram(&mut self, socket: Token, at: Addr) {
        self.effects.push_back(Effect::BindDatagram { socket, at });
    }

    /// Sends a datagram. It may be lost, doubled or overtaken; nobody tells.
    ///
    /// # Errors
    /// If it is longer than [`DATAGRAM_BYTES_MAX`].
    pub fn send_to(
        &mut self,
        socket: Token,
        to: Addr,
        bytes: impl Into<Bytes>,
    ) -> Result<(), DatagramTooLong> {
        let bytes = bytes.into();
        if bytes.len() > DATAGRAM_BYTES_MAX {
            return Err(DatagramTooLong { bytes: bytes.len() });
        }
        self.effects.push_back(Effect::SendTo { socket, to, bytes });
        Ok(())
    }

    /// Looks a host name up; [`Machine::resolved`](crate::Machine::resolved) gets the outcome.
    pub fn resolve(&mut self, lookup: Token, name: impl Into<String>) {
        self.effects.push_back(Effect::Resolve { lookup, name: name.into() });
    }

    /// Makes an address this host's, besides its own; `addressed` tells the outcome. Packets for it
    /// come here from then on, whoever had it before; connections of before are reset when they are
    /// heard of.
    pub fn take_address(&mut self, ip: IpAddr) {
        self.effects.push_back(Effect::TakeAddress { ip });
    }

    /// Gives an address up. Connections to it are not told.
    pub fn release_address(&mut self, ip: IpAddr) {
        self.effects.push_back(Effect::ReleaseAddress { ip });
    }

    // ---- the process itself ---------------------------------------------------------------------

    /// Ends the process after this call. The machine hears nothing more, and nothing that it asks
    /// for after this is carried out.
    pub fn exit(&mut self, exit: Exit) {
        if self.exit.is_none() {
            self.exit = Some(exit);
            self.effects.push_back(Effect::Exit(exit));
        }
    }

    /// Counts CPU work: a metric on the real runtime, service time in the simulator.
    #[inline]
    pub fn work(&mut self, kind: Work, units: u64) {
        let index = usize::from(kind.index);
        self.work[index] += units;
        self.work_names[index] = kind.name;
        self.spent_ps = self.spent_ps.saturating_add(self.costs.0[index].saturating_mul(units));
    }

    /// Service time counted since the last call, whole nanoseconds; the rest counts in the next
    /// call.
    #[inline]
    pub(crate) fn take_spent_ns(&mut self) -> u64 {
        let ns = self.spent_ps / 1000;
        self.spent_ps -= ns * 1000;
        ns
    }

    pub(crate) fn work_done(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.work_names
            .iter()
            .zip(self.work)
            .filter(|(name, _)| !name.is_empty())
            .map(|(&n, u)| (n, u))
    }
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("now", &self.now)
            .field("conns", &self.conns.live())
            .field("buffered", &self.buffered)
            .field("effects", &self.effects)
            .finish_non_exhaustive()
    }
}
