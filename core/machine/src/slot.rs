//! Bookkeeping of a process's connections: a slab with ages.

use crate::{Conn, Gone, Limits, Tls, Tx};
use bytes::BytesMut;

/// One place for a connection; reused, with a higher age.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) age: u32,
    pub(crate) live: bool,
    pub(crate) read: Read,
    pub(crate) fin: PeerFin,
    pub(crate) write: Write,
    pub(crate) tls: TlsState,
    /// TLS was asked for and is not up: what comes now belongs to the handshake.
    pub(crate) starts_tls: bool,
    /// Whether pending output passed the high mark and `drained` is owed.
    pub(crate) slow: bool,
    /// On the list of connections that this step touched.
    pub(crate) touched: bool,
    /// On the list of connections that the driver must look at.
    pub(crate) dirty: bool,
    /// Bytes of this connection in the process's total.
    pub(crate) accounted: usize,
    /// Number of the listener that accepted it.
    pub(crate) listener: Option<u64>,
    pub(crate) tx: Tx,
    pub(crate) rx: BytesMut,
}

/// Whether the machine wants input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Read {
    #[default]
    Open,
    Paused,
    /// Resumed; what waits in the buffer has yet to be told.
    Resuming,
    /// Closed by us: input is thrown away.
    Discard,
}

/// What became of the peer's FIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerFin {
    #[default]
    NotSeen,
    /// Arrived while input waits: told after it.
    Held,
    Told,
}

/// How our side ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Write {
    #[default]
    Open,
    /// FIN after the pending output, reading goes on.
    HalfClosing,
    /// FIN after the pending output, then gone.
    Flushing,
    /// To be reset; the machine will be told this reason.
    Aborting(Gone),
}

/// How far TLS is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum TlsState {
    #[default]
    Clear,
    /// Clear-text output has to leave first.
    Wanted(Tls),
    /// The driver was told to shake hands.
    Handshake,
    Secured,
}

/// All slots of a process.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Slots {
    pub(crate) const fn live(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes a free slot, the one freed last first.
    pub(crate) fn open(&mut self, listener: Option<u64>) -> Conn {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("conns_max keeps slots within u32")
        });
        let slot = &mut self.slots[index as usize];
        assert!(!slot.live, "a free slot is not live");
        slot.live = true;
        slot.listener = listener;
        Conn { slot: index, age: slot.age }
    }

    /// Frees the slot; the handle and its copies are stale from here on.
    pub(crate) fn close(&mut self, conn: Conn) {
        let slot = &mut self.slots[conn.index()];
        assert!(slot.live && slot.age == conn.age, "only a live connection can be freed");
        const KEEP_BYTES: usize = 16 << 10;
        slot.tx.reset();
        if slot.rx.capacity() > KEEP_BYTES {
            slot.rx = BytesMut::new();
        }
        slot.rx.clear();
        let (tx, rx) = (core::mem::take(&mut slot.tx), core::mem::take(&mut slot.rx));
        *slot = Slot { age: slot.age.wrapping_add(1), tx, rx, ..Slot::default() };
        self.free.push(conn.slot);
    }

    #[inline]
    pub(crate) fn get(&self, conn: Conn) -> Option<&Slot> {
        self.slots.get(conn.index()).filter(|slot| slot.live && slot.age == conn.age)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, conn: Conn) -> Option<&mut Slot> {
        self.slots.get_mut(conn.index()).filter(|slot| slot.live && slot.age == conn.age)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Conn> {
        let live = self.slots.iter().enumerate().filter(|(_, slot)| slot.live);
        live.map(|(index, slot)| Conn { slot: index as u32, age: slot.age })
    }
}

impl Slot {
    /// Whether the driver should read from the transport.
    #[inline]
    pub(crate) fn wants_input(&self, limits: &Limits) -> bool {
        self.fin == PeerFin::NotSeen
            && !matches!(self.write, Write::Aborting(_))
            && !self.starts_tls
            && match self.read {
                Read::Open => self.rx.len() < limits.rx_bytes_max,
                Read::Paused | Read::Resuming => false,
                Read::Discard => true,
            }
    }
}
