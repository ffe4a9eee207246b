//! The world: hosts and their processes, the network and the disks between them, one clock.
//!
//! One thread. An event is taken from the queue, the process concerned is given one input, its
//! output and requests are carried out, and so on. A process whose steps cost CPU time has its core
//! to itself until the step's time has passed; only then does its output leave. So a power cut in
//! the middle of a step takes the step's output with it.

mod address;
mod control;
mod effects;
mod inspect;
mod step;
#[cfg(test)]
mod tests;
mod transfer;

use crate::disk::SimDisk;
use crate::faults::Fault;
use crate::host::{Core, Host, Power, Proc, ProcState, Program};
use crate::host::{HostConfig, HostId, ProcessId, ProgramConfig};
use crate::net::{Link, Net, TcpConfig};
use crate::queue::{Event, Queue};
use crate::streams;
use crate::trace::Trace;
use bytes::Bytes;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storytime_machine::{
    Addr, AddressError, IpAddr, Ipv4Addr, Ratio, ResolveError, Rng, Time, Token,
};

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where all chance comes from.
    pub seed: u64,
    /// Link between hosts that have none of their own.
    pub link: Link,
    /// How TCP behaves.
    pub tcp: TcpConfig,
    /// Keep every trace record, up to [`TRACE_RECORDS_MAX`](crate::TRACE_RECORDS_MAX); otherwise
    /// the last few thousand.
    pub trace_all: bool,
    /// Chance that a buggify site is active in this run, and that an active one fires.
    pub buggify: Option<(Ratio, Ratio)>,
    /// Call every machine's `invariants` after each of its steps.
    pub invariants: bool,
    /// A run of more events is broken off as failed: it would not end.
    pub events_max: u64,
    /// A process that takes more steps than this while no time passes breaks the run: it would go
    /// on for ever.
    pub instant_steps_max: u32,
}

impl Config {
    /// A healthy network, invariants on, no buggify.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            link: Link::RACK,
            tcp: TcpConfig::default(),
            trace_all: false,
            buggify: None,
            invariants: true,
            events_max: 10_000_000_000,
            instant_steps_max: 1_000_000,
        }
    }
}

/// How a run up to a time ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The time was reached.
    Reached,
    /// Nothing more will happen.
    Quiet,
    /// A process broke a rule; the run cannot go on.
    Broken(Failure),
}

/// What went wrong, where and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// World time.
    pub at: Time,
    /// Number of the event.
    pub event: u64,
    /// The process, as `name@host`.
    pub who: String,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (event {}): {}: {}", self.at, self.event, self.who, self.what)
    }
}

/// A simulated world. See the [module](self) for how it runs.
pub struct World {
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) queue: Queue,
    pub(crate) net: Net,
    pub(crate) hosts: Vec<Host>,
    pub(crate) cores: Vec<Core>,
    pub(crate) procs: Vec<Proc>,
    pub(crate) programs: Vec<Program>,
    pub(crate) names: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) names_down: bool,
    pub(crate) datagrams: Table<Datagram>,
    pub(crate) lookups: Table<Lookup>,
    pub(crate) takings: Table<Taking>,
    pub(crate) timeline: Table<Fault>,
    pub(crate) trace: Trace,
    pub(crate) failure: Option<Failure>,
}

/// A datagram under way.
pub(crate) struct Datagram {
    pub(crate) host: u32,
    pub(crate) port: u16,
    pub(crate) from: Addr,
    pub(crate) bytes: Bytes,
}

/// An address that is being taken.
pub(crate) struct Taking {
    pub(crate) process: u32,
    pub(crate) life: u32,
    pub(crate) ip: IpAddr,
    pub(crate) result: Result<(), AddressError>,
}

/// A look-up under way.
pub(crate) struct Lookup {
    pub(crate) process: u32,
    pub(crate) life: u32,
    pub(crate) token: Token,
    pub(crate) result: Result<Vec<IpAddr>, ResolveError>,
}

/// Things that events refer to by index.
pub(crate) struct Table<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Table<T> {
    const fn new() -> Self {
        Self { items: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn put(&mut self, item: T) -> u32 {
        if let Some(index) = self.free.pop() {
            self.items[index as usize] = Some(item);
            return index;
        }
        self.items.push(Some(item));
        self.items.len() as u32 - 1
    }

    pub(crate) fn take(&mut self, index: u32) -> Option<T> {
        let item = self.items[index as usize].take();
        if item.is_some() {
            self.free.push(index);
        }
        item
    }

    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.items[index as usize].as_ref()
    }
}

impl World {
    /// An empty world at time zero.
    pub fn new(config: Config) -> Self {
        Self {
            now: Time::ZERO,
            queue: Queue::default(),
            net: Net::new(config.seed, config.tcp, config.link),
            hosts: Vec::new(),
            cores: Vec::new(),
            procs: Vec::new(),
            programs: Vec::new(),
            names: BTreeMap::new(),
            names_down: false,
            datagrams: Table::new(),
            lookups: Table::new(),
            takings: Table::new(),
            timeline: Table::new(),
            trace: Trace::new(config.seed, config.trace_all),
            failure: None,
            config,
        }
    }

    /// Adds a host, switched off.
    ///
    /// # Panics
    /// If there are [`HOSTS_MAX`](crate::HOSTS_MAX) hosts, if it has no core, if its clock drifts
    /// by more than [`DRIFT_PPM_MAX`](crate::clock::DRIFT_PPM_MAX), or if its address is taken.
    pub fn add_host(&mut self, config: HostConfig) -> HostId {
        let index = self.hosts.len() as u32;
        assert!((index as usize) < crate::HOSTS_MAX, "at most {} hosts", crate::HOSTS_MAX);
        assert!(config.cores > 0, "a host has at least one core");
        config.clock.assert_valid();
        let ip = config.ip.unwrap_or_else(|| {
            Ipv4Addr::new(10, 0, (index >> 8) as u8, (index & 0xff) as u8).into()
        });
        assert!(self.net.by_ip.insert(ip, index).is_none(), "{ip} is another host's");
        let rng = Rng::new(self.config.seed, streams::DISKS + u64::from(index));
        self.names.entry(config.name.clone()).or_default().push(ip);
        self.net.up.push(false);
        let first_core = self.cores.len() as u32;
        self.cores.extend((0..config.cores).map(|_| Core::default()));
        self.hosts.push(Host {
            name: config.name,
            ip,
            clock: config.clock,
            memory_bytes: config.memory_bytes,
            rack: config.rack,
            power: Power::Off,
            disk: config.disk.map(|disk| SimDisk::new(disk, rng)),
            first_core,
            cores: config.cores,
            operations: 0,
            processes: Vec::new(),
            datagrams: BTreeMap::new(),
            next_port: 49_152,
        });
        HostId(index)
    }

    /// Adds a program to a host and returns its processes, one for each worker.
    ///
    /// # Panics
    /// If it has no worker.
    pub fn add_program(&mut self, host: HostId, config: ProgramConfig) -> Vec<ProcessId> {
        assert!(config.workers > 0, "a program has at least one worker");
        let program = self.programs.len() as u32;
        let first = self.procs.len() as u32;
        let processes: Vec<u32> = (first..first + config.workers).collect();
        let target = &mut self.hosts[host.0 as usize];
        for worker in 0..config.workers {
            let core = target.first_core + target.processes.len() as u32 % target.cores;
            target.processes.push(first + worker);
            self.procs.push(Proc {
                name: config.name.clone(),
                host: host.0,
                program,
                worker,
                core,
                drive: None,
                state: ProcState::Down,
                life: 0,
                incarnation: 0,
                parked: VecDeque::new(),
                stepped: (Time::ZERO, 0),
                ends: Vec::new(),
                connecting: BTreeSet::new(),
                listeners: BTreeMap::new(),
                sockets: BTreeMap::new(),
                alarms: Vec::new(),
                exit: None,
            });
        }
        self.programs.push(Program {
            limits: config.limits,
            costs: config.costs,
            autostart: config.autostart,
            respawn: config.respawn,
            factory: config.factory,
        });
        processes.into_iter().map(ProcessId).collect()
    }

    /// Adds a name to the world's table of names; hosts are there under their own.
    pub fn add_name(&mut self, name: impl Into<String>, ips: Vec<IpAddr>) {
        self.names.insert(name.into(), ips);
    }

    /// Sets the link between two hosts, both ways.
    pub fn link(&mut self, a: HostId, b: HostId, link: Link) {
        let there = self.net.path(a.0, b.0);
        let back = self.net.paths[there as usize].back;
        for path in [there, back] {
            self.net.paths[path as usize].link = link;
        }
    }

    /// Puts a fault on the timeline.
    pub fn schedule(&mut self, at: Time, fault: Fault) {
        let index = self.timeline.put(fault);
        self.queue.push(at.max(self.now), Event::Timeline { index });
    }

    /// Runs until the world's clock reads `until`.
    pub fn run_until(&mut self, until: Time) -> Ran {
        while let Some((at, event)) = self.queue.pop_until(until) {
            debug_assert!(at >= self.now, "time does not go back");
            self.now = at;
            self.handle(event);
            if self.failure.is_some() || self.trace.events() > self.config.events_max {
                return Ran::Broken(self.broken());
            }
        }
        if until < Time::MAX {
            self.now = self.now.max(until);
        }
        if self.queue.len() == 0 { Ran::Quiet } else { Ran::Reached }
    }

    /// Runs until `events` trace events have been counted in all, or nothing is left, or it broke.
    pub fn run_events(&mut self, events: u64) -> Ran {
        while self.trace.events() < events {
            let Some((at, event)) = self.queue.pop_until(Time::MAX) else { return Ran::Quiet };
            self.now = at;
            self.handle(event);
            if self.failure.is_some() {
                return Ran::Broken(self.broken());
            }
        }
        Ran::Reached
    }

    /// Runs until these hosts have completed so many disk operations in all, and their processes
    /// were told; false if the run ends before, or at `limit`.
    pub fn run_to_operation(&mut self, hosts: &[HostId], operations: u64, limit: Time) -> bool {
        let done = |world: &Self| {
            hosts.iter().map(|host| world.operations(*host)).sum::<u64>() >= operations
        };
        while !done(self) {
            let Some((at, event)) = self.queue.pop_until(limit) else { return false };
            self.now = at;
            self.handle(event);
            if self.failure.is_some() {
                return false;
            }
        }
        true
    }

    fn broken(&mut self) -> Failure {
        let event = self.trace.events();
        self.failure.clone().unwrap_or_else(|| Failure {
            at: self.now,
            event,
            who: "world".into(),
            what: format!("more than {} events: the run does not end", self.config.events_max),
        })
    }

    /// Notes the first breach of a rule.
    pub(crate) fn fail(&mut self, process: u32, what: String) {
        if self.failure.is_none() {
            let event = self.trace.events();
            let who = self.process_name(process);
            self.failure = Some(Failure { at: self.now, event, who, what });
        }
    }

    /// `name@host`.
    pub(crate) fn process_name(&self, process: u32) -> String {
        let proc = &self.procs[process as usize];
        format!("{}@{}", proc.name, self.hosts[proc.host as usize].name)
    }
}
