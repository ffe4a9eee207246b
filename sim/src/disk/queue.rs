//! When operations complete: the device serves one at a time, the page cache answers at once, and
//! the operations of one file keep their order.
//!
//! Not modelled: reordering by seek distance, several heads, reads overtaking flushes.

use super::config::DiskConfig;
use std::collections::VecDeque;
use storytime_machine::{DiskOp, OpKey, Time, nanos};

/// Most operations queued on one disk; further ones complete with `Denied`.
pub const OPS_QUEUED_MAX: usize = 1 << 20;

/// What an operation must stay in order with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// The other operations on a file.
    File(u32),
    /// The other operations on names.
    Names,
    /// Nothing: it will be refused.
    Refused,
}

/// A queued operation.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) owner: u32,
    pub(super) key: OpKey,
    pub(super) op: DiskOp,
    pub(super) at: Time,
    pub(super) lane: Lane,
}

/// Queued operations by number, and the device's time.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    first: u64,
    ring: VecDeque<Option<Pending>>,
    /// When the device has done all that was queued.
    pub(super) device_free: Time,
    /// What all that was queued takes of the device, stalls included, nanoseconds.
    device_ns: u64,
    /// Until when the device does nothing.
    pub(super) stalled: Time,
    /// When the last queued operation on names completes.
    pub(super) names_lane: Time,
}

impl Queue {
    pub(super) fn is_full(&self) -> bool {
        self.ring.len() >= OPS_QUEUED_MAX
    }

    pub(super) fn push(&mut self, pending: Pending) -> u64 {
        self.ring.push_back(Some(pending));
        self.first + self.ring.len() as u64 - 1
    }

    /// Takes an operation out; `None` if it was taken before or never was.
    pub(super) fn take(&mut self, id: u64) -> Option<Pending> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        let pending = self.ring.get_mut(index)?.take();
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.first += 1;
        }
        pending
    }

    /// Takes out all operations of one process, or of all, in order of submission.
    pub(super) fn take_all(&mut self, owner: Option<u32>) -> Vec<Pending> {
        let of_owner = |slot: &mut Option<Pending>| {
            let of = slot.as_ref().is_some_and(|p| owner.is_none_or(|owner| p.owner == owner));
            if of { slot.take() } else { None }
        };
        let taken = self.ring.iter_mut().filter_map(of_owner).collect();
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.first += 1;
        }
        taken
    }

    /// Occupies the device for `cost_ns` from `now` on and returns when that ends.
    pub(super) fn occupy(&mut self, now: Time, cost_ns: u64) -> Time {
        let begin = now.max(self.device_free);
        let start = begin.max(self.stalled);
        self.device_free = Time(start.0.saturating_add(cost_ns));
        self.device_ns = self.device_ns.saturating_add(nanos(self.device_free.since(begin)));
        self.device_free
    }

    /// How long the device has worked up to now, nanoseconds.
    pub(super) fn busy_ns(&self, now: Time) -> u64 {
        self.device_ns.saturating_sub(nanos(self.device_free.since(now)))
    }

    /// After a power cut nothing is queued.
    pub(super) fn reset(&mut self, now: Time) {
        self.device_ns = self.busy_ns(now);
        (self.device_free, self.names_lane) = (now, now);
    }
}

/// Costs of a configuration, ready to add, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    pub(super) transfer_ns: u64,
    pub(super) flush_ns: u64,
    pub(super) cached_ns: u64,
    bytes_per_s: u64,
}

impl Costs {
    pub(super) fn new(config: &DiskConfig) -> Self {
        Self {
            transfer_ns: 1_000_000_000 / u64::from(config.iops),
            flush_ns: nanos(config.flush),
            cached_ns: nanos(config.cached),
            bytes_per_s: config.bandwidth_bytes_per_s,
        }
    }

    pub(super) fn bytes_ns(&self, bytes: u64) -> u64 {
        bytes.saturating_mul(1_000_000_000) / self.bytes_per_s
    }
}
