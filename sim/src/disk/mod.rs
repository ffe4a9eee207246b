//! The simulated disk: a sans-IO machine with a time for every operation and a memory of everything
//! that a power cut could bring back.
//!
//! # Layers
//!
//! A write goes into the page cache and is visible to reads at once. A sync, or the periodic
//! write-back, sends the dirty sectors, the length and (for directories) the changes of names
//! through the controller and the drive to the medium. Each of the three layers may lie, in ways
//! that a power cut tells apart: see [`Lies`].
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | speed, size, profile, lies, faults |
//! | [`chooser`] | the choices of a power cut |
//! | `pages`, `file`, `flush` | one file: durable pages, versions, what a flush and a cut do |
//! | `names` | directories and their log |
//! | `device` | caches of a lying controller and drive |
//! | `queue`, `cache`, `handles` | when operations complete, what reads cost, open files |
//! | `ops`, `pipeline`, `crash`, `inject` | the disk's operations, flushes, ends, and faults on order |
//!
//! # Not modelled
//!
//! Memory mapping, direct I/O, file holes as room, hard links, renamed directories, permissions,
//! journal overhead, partial directory blocks, a device that reports errors on write-back before
//! the next sync asks. Periodic write-back never fails and, below the lying layers, reaches the
//! medium.

pub mod chooser;
pub mod config;

mod cache;
mod crash;
mod device;
mod file;
mod flush;
mod handles;
mod inject;
mod names;
mod ops;
mod pages;
mod pipeline;
mod queue;
#[cfg(test)]
mod tests;

pub use chooser::{Choice, Chooser, CrashPlan, Plan};
pub use config::{
    AfterFailedSync, CacheConfig, Damage, DamageKind, DiskConfig, DiskFaults, Full, Lies, Profile,
    Stall,
};
pub use crash::PowerCut;
pub use handles::FILES_OPEN_MAX;
pub use pages::{PAGE_BYTES, SECTOR_BYTES};
pub use queue::OPS_QUEUED_MAX;

use cache::PageCache;
use config::DamageLog;
use device::Device;
use file::File;
use handles::Handles;
use names::Names;
use queue::{Costs, Lane, Pending, Queue};
use std::collections::VecDeque;
use storytime_machine::{DiskError, DiskOp, DiskResult, OpKey, Rng, Time, hash};

/// Longest file, bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 44;
/// How many damaged sectors are listed one by one.
pub const FAULT_DAMAGE_MAX: usize = 4096;

/// One disk of one host. Cloning it is cheap: content is copied on write.
///
/// The driver calls [`submit`](Self::submit), waits until the stated time, and calls
/// [`complete`](Self::complete): only then does the operation happen. Times never go back.
#[derive(Clone, Debug)]
pub struct SimDisk {
    config: DiskConfig,
    costs: Costs,
    rng: Rng,
    now: Time,
    /// When write-back or a cache has something to do.
    chore: Time,
    /// Counts versions.
    seq: u64,
    /// Counts what may have changed the medium.
    generation: u64,
    /// By number; numbers are not used again.
    files: Vec<Option<Box<File>>>,
    handles: Handles,
    names: Names,
    device: Device,
    queue: Queue,
    cache: PageCache,
    /// Dirty files, longest dirty first.
    dirty: VecDeque<(Time, u32)>,
    dirty_bytes: u64,
    used_bytes: u64,
    ballast_bytes: u64,
    /// Names taken away since files without a name were last looked for.
    loose: usize,
    syncs_to_fail: u32,
    damage: DamageLog,
    stats: DiskStats,
}

/// Counters of what was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskStats {
    /// Reads.
    pub reads: u64,
    /// Writes and changes of length.
    pub writes: u64,
    /// Syncs of files and directories, whatever came of them.
    pub syncs: u64,
    /// Of these, acknowledged by a layer that lied.
    pub syncs_lied: u64,
    /// Of these, failed.
    pub syncs_failed: u64,
    /// Power cuts.
    pub power_cuts: u64,
}

/// Where a submitted operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Names the operation.
    pub id: u64,
    /// When [`SimDisk::complete`] is to be called. Operations of one file have increasing times.
    pub at: Time,
}

impl SimDisk {
    /// An empty disk.
    ///
    /// # Panics
    /// If the configuration makes no sense: see [`DiskConfig::assert_valid`].
    pub fn new(config: DiskConfig, rng: Rng) -> Self {
        let config = config.resolved();
        Self {
            costs: Costs::new(&config),
            cache: PageCache::new(config.cache_bytes_max),
            config,
            rng,
            now: Time::ZERO,
            chore: Time::MAX,
            seq: 0,
            generation: 0,
            files: Vec::new(),
            handles: Handles::default(),
            names: Names::new(),
            device: Device::default(),
            queue: Queue::default(),
            dirty: VecDeque::new(),
            dirty_bytes: 0,
            used_bytes: 0,
            ballast_bytes: 0,
            loose: 0,
            syncs_to_fail: 0,
            damage: DamageLog::default(),
            stats: DiskStats::default(),
        }
    }

    /// Queues an operation of process `owner` and says when it will be done. Nothing else happens
    /// before [`complete`](Self::complete).
    pub fn submit(&mut self, now: Time, owner: u32, key: OpKey, op: DiskOp) -> Submitted {
        self.advance(now);
        let lane = self.lane(owner, &op);
        let at = self.schedule(lane, &op);
        let id = self.queue.push(Pending { owner, key, op, at, lane });
        Submitted { id, at }
    }

    /// Carries an operation out, at its time. `None` if its process died or the power went.
    ///
    /// # Panics
    /// If operations of one file are not completed in the order of their times.
    pub fn complete(&mut self, id: u64) -> Option<(u32, OpKey, DiskResult)> {
        let Pending { owner, key, op, at, lane } = self.queue.take(id)?;
        self.advance(at);
        if let Lane::File(file) = lane
            && let Some(file) = self.file_mut(file)
        {
            assert!(at > file.completed, "operations of a file keep their order");
            file.completed = at;
            if let DiskOp::Write { data, .. } = &op {
                file.queued_bytes -= data.len() as u64;
            }
        }
        let result = match lane {
            Lane::Refused => Err(self.refusal(owner, &op)),
            Lane::File(_) | Lane::Names => self.carry_out(owner, op),
        };
        Some((owner, key, result))
    }

    /// Why an operation was not even queued.
    fn refusal(&self, owner: u32, op: &DiskOp) -> DiskError {
        let unknown = op.file().is_some_and(|id| self.handles.get(owner, id).is_none());
        if unknown || !op.is_valid() { DiskError::Invalid } else { DiskError::Denied }
    }

    fn lane(&self, owner: u32, op: &DiskOp) -> Lane {
        if self.queue.is_full() || !op.is_valid() {
            return Lane::Refused;
        }
        match op.file() {
            Some(id) => self.handles.get(owner, id).map_or(Lane::Refused, Lane::File),
            None => Lane::Names,
        }
    }

    fn schedule(&mut self, lane: Lane, op: &DiskOp) -> Time {
        let device_ns = match lane {
            Lane::File(file) => self.file_cost(file, op),
            Lane::Names => self.names_cost(op),
            Lane::Refused => None,
        };
        let now = self.now;
        let mut at = match device_ns {
            Some(ns) => {
                let stall = self.config.faults.stall;
                let stalls = self.rng.chance(stall.chance);
                if stalls {
                    let pause = self.rng.duration(stall.min, stall.max);
                    self.queue.stalled = self.queue.stalled.max(now + pause);
                }
                self.queue.occupy(now, ns)
            }
            None => Time(now.0.saturating_add(self.costs.cached_ns)),
        };
        let last = match lane {
            Lane::File(file) => match self.file_mut(file) {
                Some(file) => &mut file.lane,
                None => return at,
            },
            Lane::Names => &mut self.queue.names_lane,
            Lane::Refused => return at,
        };
        at = at.max(Time(last.0.saturating_add(1)));
        *last = at;
        at
    }

    /// What an operation on a file costs the device, nanoseconds; `None` if the cache answers.
    fn file_cost(&mut self, number: u32, op: &DiskOp) -> Option<u64> {
        let (costs, lies) = (self.costs, self.config.lies);
        match op {
            DiskOp::Write { data, .. } => {
                self.file_mut(number)?.queued_bytes += data.len() as u64;
                None
            }
            DiskOp::Read { at, len, .. } => {
                let len = u64::from(*len).min(self.file(number)?.len.saturating_sub(*at));
                let held = len == 0 || self.cache.holds(number, *at, len);
                (!held).then(|| costs.transfer_ns + costs.bytes_ns(len))
            }
            DiskOp::Sync { .. } if !lies.file_system => {
                let file = self.file_mut(number)?;
                let seeks = file.dirty_runs().saturating_sub(1) * costs.transfer_ns;
                let transfer = seeks + costs.bytes_ns(file.dirty_bytes + file.queued_bytes);
                // A layer that lies answers from its cache: neither seeks nor a flush.
                Some(if lies.any() { costs.cached_ns } else { transfer + costs.flush_ns })
            }
            _ => None,
        }
    }

    fn names_cost(&self, op: &DiskOp) -> Option<u64> {
        let costs = &self.costs;
        match op {
            DiskOp::SyncDir { .. } if !self.config.lies.any() => {
                Some(costs.flush_ns + costs.bytes_ns(PAGE_BYTES as u64))
            }
            _ => None,
        }
    }

    #[inline]
    fn file(&self, number: u32) -> Option<&File> {
        self.files.get(number as usize)?.as_deref()
    }

    #[inline]
    fn file_mut(&mut self, number: u32) -> Option<&mut File> {
        self.files.get_mut(number as usize)?.as_deref_mut()
    }

    /// A digest of names and contents, as programs see them and as they are on the medium.
    pub fn digest(&self) -> u64 {
        let mut state = self.names.digest(0);
        let mut page = vec![0; PAGE_BYTES];
        for (number, file) in self.files.iter().enumerate() {
            let Some(file) = file else { continue };
            state = hash::fold(hash::fold(state, number as u64), file.durable_len);
            state = file.durable.digest(hash::fold(state, file.len));
            let mut at = 0;
            while at < file.len {
                let len = (file.len - at).min(PAGE_BYTES as u64) as usize;
                if file.unreadable.is_empty() && file.read(at, &mut page[..len]).is_ok() {
                    state = hash::digest_bytes(state, &page[..len]);
                }
                at += len as u64;
            }
        }
        state
    }

    /// A number that grows whenever what is on the medium, acknowledged caches of lying layers
    /// included, may have changed: syncs, write-back, drains, damage and power cuts.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// What was carried out so far.
    pub const fn stats(&self) -> DiskStats {
        self.stats
    }

    /// How long the device has worked up to `now`, nanoseconds. Stalled it is
    /// busy, if anything waits.
    pub fn busy_ns(&self, now: Time) -> u64 {
        self.queue.busy_ns(now)
    }

    /// Room taken by files, bytes, in whole pages.
    pub const fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Asserts what holds between any two calls.
    pub fn invariants(&self) {
        let (mut used, mut dirty) = (0, 0);
        for file in self.files.iter().flatten() {
            file.invariants();
            used += file.allocated();
            dirty += file.dirty_bytes;
        }
        assert_eq!(used, self.used_bytes, "room is accounted for");
        assert_eq!(dirty, self.dirty_bytes, "dirty bytes are accounted for");
    }
}
