//! The poll-style interface between a process and whatever drives it.

use crate::buggify::Site;
use crate::effect::{Breach, Closing, OpKey, Output, View};
use crate::slot::{PeerFin, TlsState, Write};
use crate::{
    Addr, AddressError, BindError, Boot, Conn, DiskResult, Effect, Endpoint, Exit, Gone, IpAddr,
    Limits, Machine, Now, Open, Process, ResolveError, Signal, Time, Token,
};
use bytes::BytesMut;
use core::any::Any;
use std::collections::BTreeMap;
use std::io::IoSlice;

/// A process seen from a driver, whatever its machine.
///
/// Methods come in families:
///
/// * **inputs**, each of which runs the machine: [`start`](Self::start) to
///   [`datagram`](Self::datagram). Their `now` never goes back;
/// * **outputs**, drained after every input: [`next_dirty`](Self::next_dirty) with
///   [`view`](Self::view), [`slices`](Self::slices), [`take_output`](Self::take_output) and
///   [`sent`](Self::sent); [`next_effect`](Self::next_effect); [`deadline`](Self::deadline);
/// * **inspection**: the rest.
///
/// Inputs for a stale [`Conn`], and all inputs after an exit, do nothing.
pub trait Drive: Any + Send {
    /// Starts the machine.
    fn start(&mut self, now: Now, boot: Boot);
    /// Asks it to end.
    fn stop(&mut self, now: Now);
    /// Passes a signal on.
    fn signal(&mut self, now: Now, signal: Signal);
    /// A connection was taken from a listener's queue. `None` if the process has no slot for it:
    /// reset it.
    fn accepted(&mut self, now: Now, listener: Token, peer: Endpoint) -> Option<Conn>;
    /// A connect came up. `None` if the process has no slot for it: reset it; the machine was told.
    fn connected(&mut self, now: Now, connect: Token) -> Option<Conn>;
    /// A connect failed.
    fn failed(&mut self, now: Now, connect: Token, why: Gone);
    /// The input buffer of a connection, for the driver to append to before `received`.
    fn rx(&mut self, conn: Conn) -> Option<&mut BytesMut>;
    /// Bytes were appended to the input buffer.
    fn received(&mut self, now: Now, conn: Conn);
    /// The peer finished sending.
    fn eof(&mut self, now: Now, conn: Conn);
    /// The transport took `n` bytes that [`slices`](Self::slices) had offered.
    fn sent(&mut self, now: Now, conn: Conn, n: usize);
    /// TLS is up.
    fn secured(&mut self, now: Now, conn: Conn);
    /// The connection has ended; the machine is told and the slot freed.
    fn gone(&mut self, now: Now, conn: Conn, why: Gone);
    /// Fires what is due.
    fn tick(&mut self, now: Now);
    /// A disk operation completed.
    fn disk_done(&mut self, now: Now, key: OpKey, result: DiskResult);
    /// A look-up completed.
    fn resolved(&mut self, now: Now, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>);
    /// An address was taken, or not.
    fn addressed(&mut self, now: Now, ip: IpAddr, result: Result<(), AddressError>);
    /// A listener or datagram socket was bound, or not.
    fn bound(&mut self, now: Now, socket: Token, result: Result<Endpoint, BindError>);
    /// A datagram arrived.
    fn datagram(&mut self, now: Now, socket: Token, from: Addr, bytes: &[u8]);

    /// The next connection that the driver must look at: fresh output, or a change of what it is to
    /// do.
    fn next_dirty(&mut self) -> Option<Conn>;
    /// What the driver has to know of a connection; `None` for a stale handle.
    fn view(&self, conn: Conn) -> Option<View>;
    /// Fills `into` with sendable output and returns how many slices there are.
    fn slices<'a>(&'a self, conn: Conn, into: &mut [IoSlice<'a>]) -> usize;
    /// Moves up to `max` sendable bytes behind `into` and returns how many, as if they had been
    /// offered and sent: for transports that own their buffers.
    fn take_output(&mut self, now: Now, conn: Conn, max: usize, into: &mut BytesMut) -> usize;
    /// The next request to the driver.
    fn next_effect(&mut self) -> Option<Effect>;
    /// When [`tick`](Self::tick) must be called at the latest.
    fn deadline(&mut self) -> Option<Time>;
    /// The next effect, connection or breach, or else the deadline: after most inputs there is next
    /// to nothing, and one call tells.
    #[inline]
    fn next_output(&mut self) -> Output {
        if let Some(effect) = self.next_effect() {
            Output::Effect(effect)
        } else if let Some(conn) = self.next_dirty() {
            Output::Dirty(conn)
        } else if let Some(breach) = self.take_breach() {
            Output::Breach(breach)
        } else {
            Output::Nothing { deadline: self.deadline() }
        }
    }

    /// Live connections, by slot.
    fn conns(&self) -> Vec<Conn>;
    /// How the process ended, if it did of its own will.
    fn exit(&self) -> Option<Exit>;
    /// A bug of the machine that the shell noticed since the last call.
    fn take_breach(&mut self) -> Option<Breach>;
    /// CPU service time since the last call, nanoseconds.
    fn take_spent_ns(&mut self) -> u64;
    /// Runs the machine's own assertions.
    fn invariants(&self);
    /// Bytes of memory: buffers and what the machine says it holds.
    fn memory(&self) -> u64;
    /// The process's limits.
    fn limits(&self) -> Limits;
    /// Counters of the machine, then work units by kind.
    fn counters(&self, each: &mut dyn FnMut(&'static str, u64));
    /// Marks reached so far, where collected.
    fn marks(&self) -> Option<&BTreeMap<Site, u64>>;
    /// The process as `Any`, to get at a known machine.
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<M: Machine> Drive for Process<M> {
    fn start(&mut self, now: Now, boot: Boot) {
        if self.begin(now) {
            self.machine.start(&mut self.cx, boot);
        }
        self.settle();
    }

    fn stop(&mut self, now: Now) {
        if self.begin(now) {
            self.machine.stop(&mut self.cx);
        }
        self.settle();
    }

    fn signal(&mut self, now: Now, signal: Signal) {
        if self.begin(now) {
            self.machine.signal(&mut self.cx, signal);
        }
        self.settle();
    }

    fn accepted(&mut self, now: Now, listener: Token, peer: Endpoint) -> Option<Conn> {
        if !self.begin(now) || self.cx.conns.live() >= self.cx.limits.conns_max {
            return None;
        }
        let found = self.cx.listeners.iter_mut().find(|l| l.token == listener && l.listening)?;
        found.open += 1;
        let conn = self.cx.conns.open(Some(found.number));
        self.cx.listeners_changed = true;
        self.machine.open(&mut self.cx, conn, Open::Accepted { listener, peer });
        self.cx.touch(conn);
        self.settle();
        Some(conn)
    }

    fn connected(&mut self, now: Now, connect: Token) -> Option<Conn> {
        if !self.begin(now) {
            return None;
        }
        if self.cx.conns.live() >= self.cx.limits.conns_max {
            self.machine.failed(&mut self.cx, connect, Gone::NoResources);
            self.settle();
            return None;
        }
        let conn = self.cx.conns.open(None);
        self.cx.listeners_changed = true;
        self.machine.open(&mut self.cx, conn, Open::Connected { connect });
        self.cx.touch(conn);
        self.settle();
        Some(conn)
    }

    fn failed(&mut self, now: Now, connect: Token, why: Gone) {
        if self.begin(now) {
            self.machine.failed(&mut self.cx, connect, why);
        }
        self.settle();
    }

    #[inline]
    fn rx(&mut self, conn: Conn) -> Option<&mut BytesMut> {
        self.cx.conns.get_mut(conn).map(|slot| &mut slot.rx)
    }

    #[inline]
    fn received(&mut self, now: Now, conn: Conn) {
        if self.begin(now) {
            self.deliver(conn);
        }
        self.settle();
    }

    fn eof(&mut self, now: Now, conn: Conn) {
        if !self.begin(now) {
            return;
        }
        if let Some(slot) = self.cx.conns.get_mut(conn)
            && slot.fin == PeerFin::NotSeen
        {
            slot.fin = PeerFin::Held;
            self.deliver_fin(conn);
            self.cx.touch(conn);
        }
        self.settle();
    }

    fn sent(&mut self, now: Now, conn: Conn, n: usize) {
        if let Some(slot) = self.cx.conns.get_mut(conn) {
            slot.tx.advance(n);
            self.after_sent(now, conn);
        }
    }

    fn secured(&mut self, now: Now, conn: Conn) {
        if !self.begin(now) {
            return;
        }
        if let Some(slot) = self.cx.conns.get_mut(conn)
            && slot.tls == TlsState::Handshake
        {
            slot.tls = TlsState::Secured;
            slot.starts_tls = false;
            slot.tx.secured();
            self.machine.secured(&mut self.cx, conn);
            self.cx.touch(conn);
        }
        self.settle();
    }

    fn gone(&mut self, now: Now, conn: Conn, why: Gone) {
        if !self.begin(now) {
            return;
        }
        if let Some(slot) = self.cx.conns.get(conn) {
            let why = match slot.write {
                Write::Aborting(ours) => ours,
                _ => why,
            };
            self.machine.gone(&mut self.cx, conn, why);
            self.free(conn);
        }
        self.settle();
    }

    fn tick(&mut self, now: Now) {
        if self.begin(now) {
            let before = self.cx.timers.next_seq();
            while let Some(token) = self.cx.timers.pop_due(now.mono, before) {
                self.machine.timer(&mut self.cx, token);
                if self.cx.exit.is_some() {
                    break;
                }
            }
        }
        self.settle();
    }

    fn disk_done(&mut self, now: Now, key: OpKey, result: DiskResult) {
        if self.begin(now) {
            match key {
                OpKey::Machine(token) => self.machine.disk(&mut self.cx, token, result),
                OpKey::SendFile(conn) => self.file_read(conn, result),
            }
        }
        self.settle();
    }

    fn resolved(&mut self, now: Now, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        if self.begin(now) {
            self.machine.resolved(&mut self.cx, lookup, result);
        }
        self.settle();
    }

    fn addressed(&mut self, now: Now, ip: IpAddr, result: Result<(), AddressError>) {
        if self.begin(now) {
            self.machine.addressed(&mut self.cx, ip, result);
        }
        self.settle();
    }

    fn bound(&mut self, now: Now, socket: Token, result: Result<Endpoint, BindError>) {
        if !self.begin(now) {
            return;
        }
        // Without one it answers a datagram socket.
        if let Some(found) = self.cx.listeners.iter_mut().find(|l| l.token == socket && l.unbound) {
            found.unbound = false;
            found.listening &= result.is_ok();
            self.cx.listeners_changed = true;
        }
        self.machine.bound(&mut self.cx, socket, result);
        self.settle();
    }

    fn datagram(&mut self, now: Now, socket: Token, from: Addr, bytes: &[u8]) {
        if self.begin(now) {
            self.machine.datagram(&mut self.cx, socket, from, bytes);
        }
        self.settle();
    }

    #[inline]
    fn next_dirty(&mut self) -> Option<Conn> {
        loop {
            let conn = self.dirty.pop_front()?;
            if let Some(slot) = self.cx.conns.get_mut(conn) {
                slot.dirty = false;
                return Some(conn);
            }
        }
    }

    #[inline]
    fn view(&self, conn: Conn) -> Option<View> {
        let slot = self.cx.conns.get(conn)?;
        let sendable = slot.tx.sendable();
        let empty = slot.tx.pending() == 0;
        let closing = match slot.write {
            Write::Open => Closing::No,
            Write::Aborting(_) => Closing::Abort,
            Write::HalfClosing if empty => Closing::Fin,
            Write::Flushing if empty => Closing::FinThenGone,
            Write::HalfClosing | Write::Flushing => Closing::FlushThenFin,
        };
        Some(View { read: slot.wants_input(&self.cx.limits), sendable, closing })
    }

    fn slices<'a>(&'a self, conn: Conn, into: &mut [IoSlice<'a>]) -> usize {
        self.cx.conns.get(conn).map_or(0, |slot| slot.tx.slices(into))
    }

    #[inline]
    fn take_output(&mut self, now: Now, conn: Conn, max: usize, into: &mut BytesMut) -> usize {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return 0 };
        let taken = slot.tx.take(max, into);
        if taken > 0 {
            self.after_sent(now, conn);
        }
        taken
    }

    #[inline]
    fn next_effect(&mut self) -> Option<Effect> {
        let effect = self.cx.effects.pop_front()?;
        if matches!(effect, Effect::Exit(_)) {
            self.cx.effects.clear();
        }
        Some(effect)
    }

    #[inline]
    fn deadline(&mut self) -> Option<Time> {
        if self.cx.exit.is_some() {
            return None;
        }
        if !self.cx.resumed.is_empty() {
            return Some(self.cx.now.mono);
        }
        self.cx.timers.deadline()
    }

    fn conns(&self) -> Vec<Conn> {
        self.cx.conns.all().collect()
    }

    fn exit(&self) -> Option<Exit> {
        self.cx.exit
    }

    #[inline]
    fn take_breach(&mut self) -> Option<Breach> {
        self.cx.breach.take()
    }

    #[inline]
    fn take_spent_ns(&mut self) -> u64 {
        self.cx.take_spent_ns()
    }

    #[inline]
    fn invariants(&self) {
        self.machine.invariants();
    }

    fn memory(&self) -> u64 {
        self.cx.buffered as u64 + self.machine.memory()
    }

    fn limits(&self) -> Limits {
        self.cx.limits
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        self.machine.counters(each);
        for (name, units) in self.cx.work_done() {
            each(name, units);
        }
    }

    fn marks(&self) -> Option<&BTreeMap<Site, u64>> {
        self.cx.marks.as_ref()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl<M: Machine> Process<M> {
    /// Output left: the account, file read-ahead, `drained`, TLS and the last stage of closing.
    #[inline]
    fn after_sent(&mut self, now: Now, conn: Conn) {
        let low = self.cx.limits.tx_low;
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        let (pending, left) = (slot.tx.pending(), slot.rx.len());
        // The common case, a reader that keeps up on an open connection: nothing but the account.
        if pending == 0 && !slot.slow && slot.write == Write::Open && slot.tls == TlsState::Clear {
            self.cx.buffered = self.cx.buffered + left - slot.accounted;
            slot.accounted = left;
            slot.tx.give_back(&mut self.cx.spares);
            return;
        }
        self.cx.touch(conn);
        self.drain(now, conn, low);
        if let Some(slot) = self.cx.conns.get_mut(conn) {
            slot.tx.give_back(&mut self.cx.spares);
        }
        self.settle();
    }

    fn drain(&mut self, now: Now, conn: Conn, low: usize) {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        if slot.slow && slot.tx.pending() <= low {
            slot.slow = false;
            if slot.write == Write::Open && self.begin(now) {
                self.machine.drained(&mut self.cx, conn);
            }
        }
    }
}
