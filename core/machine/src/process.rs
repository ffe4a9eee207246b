//! The shell around a machine that all drivers share.
//!
//! It owns connections, buffers, water marks, timers and outstanding file reads, so that a driver
//! only moves bytes and completions. A driver feeds one input, then drains
//! [`next_dirty`](crate::Drive::next_dirty) and [`next_effect`](crate::Drive::next_effect) until
//! both are empty, then arms one alarm for [`deadline`](crate::Drive::deadline).

use crate::buggify::Buggify;
use crate::effect::{Breach, OpKey};
use crate::slot::{PeerFin, Read, Slot, TlsState, Write};
use crate::{
    Conn, Costs, Cx, DiskOk, DiskOp, DiskResult, Effect, FILE_CHUNK_BYTES, Gone, Limits, Machine,
    Now, Rng, Slots, Tls,
};
use std::collections::VecDeque;

/// Resumed connections served in one step; the rest wait for the next, so that a machine which
/// pauses and resumes in circles cannot hold its process for ever.
const RESUMES_PER_STEP_MAX: usize = 64;

/// A machine in its shell.
#[derive(Debug)]
pub struct Process<M> {
    pub(crate) machine: M,
    pub(crate) cx: Cx,
    pub(crate) dirty: VecDeque<Conn>,
}

/// How a process is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Byte caps and water marks.
    pub limits: Limits,
    /// Service time of work; all zero outside the simulator.
    pub costs: Costs,
    /// The process's random stream.
    pub rng: Rng,
    /// Rare paths, in simulators.
    pub buggify: Option<Buggify>,
    /// Whether marks are collected.
    pub marks: bool,
}

impl Setup {
    /// Default limits, no costs, no rare paths.
    pub fn new(rng: Rng) -> Self {
        Self {
            limits: Limits::default(),
            costs: Costs::default(),
            rng,
            buggify: None,
            marks: false,
        }
    }
}

impl<M: Machine> Process<M> {
    /// Wraps a machine. It hears nothing before [`start`](crate::Drive::start).
    pub fn new(machine: M, setup: Setup) -> Self {
        let mut cx = Cx::new(setup.limits, setup.rng, setup.costs);
        cx.buggify = setup.buggify.map(Box::new);
        cx.marks = setup.marks.then(Default::default);
        Self { machine, cx, dirty: VecDeque::new() }
    }

    /// The machine, to look at.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The machine, for tests and load models that are steered from outside between steps.
    pub const fn machine_mut(&mut self) -> &mut M {
        &mut self.machine
    }

    /// Calls into the machine outside its inputs and gives it its hands: for parts of machines that
    /// are reached through no socket. Outputs are drained as after any input. `None` after an exit.
    pub fn call<R>(&mut self, now: Now, call: impl FnOnce(&mut M, &mut Cx) -> R) -> Option<R> {
        let result = self.begin(now).then(|| call(&mut self.machine, &mut self.cx));
        self.settle();
        result
    }

    pub(crate) fn begin(&mut self, now: Now) -> bool {
        debug_assert!(now.mono >= self.cx.now.mono, "a monotonic clock does not go back");
        self.cx.now = now;
        self.cx.exit.is_none()
    }

    /// Gives the machine the input that waits on `conn`, and the FIN behind it.
    pub(crate) fn deliver(&mut self, conn: Conn) {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        if slot.read == Read::Discard || matches!(slot.write, Write::Aborting(_)) {
            slot.rx.clear();
            if slot.accounted != slot.tx.memory() {
                self.cx.touch(conn);
            }
            return;
        }
        if slot.read != Read::Open || slot.starts_tls {
            // It waits, and counts. Clear text under a TLS start is seen to by `settle_conn`.
            self.cx.touch(conn);
            return;
        }
        if !slot.rx.is_empty() {
            let mut rx = core::mem::take(&mut slot.rx);
            self.machine.data(&mut self.cx, conn, &mut rx);
            let max = self.cx.limits.rx_bytes_max;
            let Some(slot) = self.cx.conns.get_mut(conn) else { return };
            slot.rx = rx;
            let unread = slot.rx.len();
            if unread >= max && slot.read == Read::Open {
                self.cx.breach = Some(Breach::UnreadInput { conn, bytes: unread });
            }
            if slot.accounted != unread + slot.tx.memory() && !slot.touched {
                self.cx.touch(conn);
            }
        }
        self.deliver_fin(conn);
    }

    /// Gives the machine what waited while a connection was paused.
    fn resume(&mut self, conn: Conn) {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        if slot.read == Read::Resuming {
            slot.read = Read::Open;
            self.cx.touch(conn);
            self.deliver(conn);
        }
    }

    pub(crate) fn deliver_fin(&mut self, conn: Conn) {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        if slot.fin == PeerFin::Held && slot.read == Read::Open && self.cx.exit.is_none() {
            slot.fin = PeerFin::Told;
            self.machine.eof(&mut self.cx, conn);
            self.cx.touch(conn);
        }
    }

    /// After every input: serves resumed connections, then looks at each touched one.
    pub(crate) fn settle(&mut self) {
        for _ in 0..RESUMES_PER_STEP_MAX {
            let Some(conn) = self.cx.resumed.pop_front() else { break };
            if self.cx.exit.is_some() {
                break;
            }
            self.resume(conn);
        }
        while let Some(conn) = self.cx.touched.pop() {
            self.settle_conn(conn);
        }
        if self.cx.listeners_changed && self.cx.exit.is_none() {
            self.cx.listeners_changed = false;
            self.settle_listeners();
        }
    }

    fn settle_conn(&mut self, conn: Conn) {
        let limits = self.cx.limits;
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        slot.touched = false;
        if slot.read == Read::Discard {
            slot.rx.clear();
        }
        let unread = slot.rx.len();
        if slot.tx.pending() > limits.tx_high {
            slot.slow = true;
        }
        let memory = slot.tx.memory();
        self.cx.buffered = self.cx.buffered + unread + memory - slot.accounted;
        slot.accounted = unread + memory;
        if memory > limits.tx_bytes_max {
            self.cx.breach = Some(Breach::PendingOutput { conn, bytes: memory });
        }
        if self.cx.buffered > limits.buffers_bytes_max {
            self.cx.breach = Some(Breach::Buffers { bytes: self.cx.buffered });
        }
        if slot.starts_tls && unread > 0 && !matches!(slot.write, Write::Aborting(_)) {
            slot.write = Write::Aborting(Gone::Misbehaved);
        }
        if !matches!(slot.write, Write::Aborting(_)) && self.cx.exit.is_none() {
            Self::ask_for_conn(&mut self.cx.effects, conn, slot);
        }
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push_back(conn);
        }
    }

    /// Asks the driver for what a connection needs: the next piece of a file, a handshake.
    #[inline]
    fn ask_for_conn(effects: &mut VecDeque<Effect>, conn: Conn, slot: &mut Slot) {
        if let Some(range) = slot.tx.begin_file_read() {
            let len = range.len.min(FILE_CHUNK_BYTES as u64) as u32;
            let op = DiskOp::Read { file: range.file, at: range.at, len };
            effects.push_back(Effect::Disk { key: OpKey::SendFile(conn), op });
        }
        if slot.tx.tls_due()
            && let TlsState::Wanted(tls) = &mut slot.tls
        {
            let tls = core::mem::replace(tls, Tls::Server);
            slot.tls = TlsState::Handshake;
            effects.push_back(Effect::StartTls { conn, tls });
        }
    }

    fn settle_listeners(&mut self) {
        let room = self.cx.conns.live() < self.cx.limits.conns_max;
        for listener in &mut self.cx.listeners {
            let wants = listener.listening
                && room
                && match listener.slots {
                    Slots::Unlimited => true,
                    Slots::AtMost(n) => listener.open < n,
                };
            if wants != listener.accepting {
                listener.accepting = wants;
                if listener.listening {
                    let effect = Effect::Accept { listener: listener.token, on: wants };
                    self.cx.effects.push_back(effect);
                }
            }
        }
        self.cx.listeners.retain(|l| l.listening || l.open > 0 || l.unbound);
    }

    pub(crate) fn free(&mut self, conn: Conn) {
        let Some(slot) = self.cx.conns.get(conn) else { return };
        let (accounted, listener) = (slot.accounted, slot.listener);
        self.cx.buffered -= accounted;
        if let Some(listener) = listener {
            // Listeners are few, and removed only when nothing refers to them.
            let found = self.cx.listeners.iter_mut().find(|l| l.number == listener);
            found.expect("a listener outlives its connections").open -= 1;
        }
        self.cx.conns.close(conn);
        self.cx.listeners_changed = true;
    }

    pub(crate) fn file_read(&mut self, conn: Conn, result: DiskResult) {
        let Some(slot) = self.cx.conns.get_mut(conn) else { return };
        let sent = match result {
            Ok(DiskOk::Data(bytes)) => slot.tx.end_file_read(bytes).is_ok(),
            _ => false,
        };
        if !sent && !matches!(slot.write, Write::Aborting(_)) {
            slot.write = Write::Aborting(Gone::FileFailed);
        }
        self.cx.touch(conn);
    }
}
