//! Looking at a world from outside, between events.

use super::World;
use crate::host::{HostId, ProcState, ProcessId};
use crate::trace::{Record, Trace};
use core::fmt;
use storytime_machine::{Drive, Exit, IpAddr, Machine, Process, Time};

impl World {
    /// The world's clock.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Trace events so far.
    pub const fn events(&self) -> u64 {
        self.trace.events()
    }

    /// Digest of everything that happened so far: equal for equal seed and build.
    pub const fn digest(&self) -> u64 {
        self.trace.digest()
    }

    /// The trace records kept.
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A trace record as a line.
    pub fn line<'a>(&'a self, record: &'a Record) -> impl fmt::Display + 'a {
        Line { world: self, record }
    }

    /// A host's address.
    pub fn ip(&self, host: HostId) -> IpAddr {
        self.hosts[host.0 as usize].ip
    }

    /// The host that packets for an address go to, as far as those know who heard the last word of
    /// it: the one that took it last and has not given it up, dead or alive.
    pub fn holder(&self, ip: IpAddr) -> Option<HostId> {
        self.net.holder(ip).map(HostId)
    }

    /// The host that `observer` sends packets for an address to: where a partition kept the last
    /// word from it, not the holder.
    pub fn holder_seen_by(&self, observer: HostId, ip: IpAddr) -> Option<HostId> {
        self.net.look_up(observer.0, ip).map(HostId)
    }

    /// All hosts, in order of adding.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.hosts.len() as u32).map(HostId)
    }

    /// The host with this name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        let found = self.hosts.iter().position(|host| host.name == name);
        found.map(|index| HostId(index as u32))
    }

    /// Processes of a host.
    pub fn processes(&self, host: HostId) -> Vec<ProcessId> {
        self.hosts[host.0 as usize].processes.iter().map(|&p| ProcessId(p)).collect()
    }

    /// Whether a process runs (or is frozen).
    pub fn is_running(&self, process: ProcessId) -> bool {
        self.procs[process.0 as usize].state != ProcState::Down
    }

    /// How a process ended of its own will, in its present or last life.
    pub fn exit(&self, process: ProcessId) -> Option<Exit> {
        self.procs[process.0 as usize].exit
    }

    /// A process's machine, if it is an `M`. After an exit or a kill it stays readable until the
    /// next start.
    pub fn machine<M: Machine>(&mut self, process: ProcessId) -> Option<&mut M> {
        let drive = self.procs[process.0 as usize].drive.as_mut()?;
        drive.as_any().downcast_mut::<Process<M>>().map(Process::machine_mut)
    }

    /// Gives a process a tick outside its timers: after its machine was steered from outside.
    pub fn poke(&mut self, process: ProcessId) {
        if self.is_running(process) {
            self.input(process.0, crate::host::Input::Alarm);
        }
    }

    /// A process's counters.
    pub fn counters(&self, process: ProcessId, each: &mut dyn FnMut(&'static str, u64)) {
        if let Some(drive) = &self.procs[process.0 as usize].drive {
            drive.counters(each);
        }
    }

    /// The process as a driver sees it.
    pub fn drive(&self, process: ProcessId) -> Option<&dyn Drive> {
        self.procs[process.0 as usize].drive.as_deref()
    }

    /// Time that a host's cores have spent working up to now, nanoseconds.
    pub fn busy_ns(&self, host: HostId) -> u64 {
        let this = &self.hosts[host.0 as usize];
        let cores = this.first_core as usize..(this.first_core + this.cores) as usize;
        self.cores[cores].iter().map(|core| core.busy_ns_at(self.now)).sum()
    }

    /// Time that a host's disk has spent working up to now, nanoseconds; 0 without a disk.
    pub fn disk_busy_ns(&self, host: HostId) -> u64 {
        let disk = self.hosts[host.0 as usize].disk.as_ref();
        disk.map_or(0, |disk| disk.busy_ns(self.now))
    }

    /// A host's disk.
    pub fn disk(&mut self, host: HostId) -> Option<&mut crate::disk::SimDisk> {
        self.hosts[host.0 as usize].disk.as_mut()
    }

    /// Disk operations that a host has completed so far.
    pub fn operations(&self, host: HostId) -> u64 {
        self.hosts[host.0 as usize].operations
    }

    /// Marks that any process reached, with their counts.
    pub fn marks(&self) -> Vec<(&'static str, u64)> {
        let mut all = std::collections::BTreeMap::new();
        for marks in self.procs.iter().filter_map(|p| p.drive.as_ref()?.marks()) {
            for (&mark, &times) in marks {
                *all.entry(mark).or_default() += times;
            }
        }
        all.into_iter().collect()
    }
}

/// One record, with names for numbers: time, what, to whom, detail.
struct Line<'a> {
    world: &'a World,
    record: &'a Record,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { at, what, who, a, b } = *self.record;
        let known = (who as usize) < self.world.procs.len();
        let who = if known { self.world.process_name(who) } else { "world".into() };
        write!(f, "{at} {what:<10} {who:<24} ")?;
        match what {
            "data" => write!(f, "connection {} {b} bytes", a / 2),
            "accept" | "connected" | "eof" | "gone" => write!(f, "connection {}", a / 2),
            "datagram" => write!(f, "socket {a} {b} bytes"),
            _ => write!(f, "{a} {b}"),
        }
    }
}
