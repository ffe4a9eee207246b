//! Hosts, cores and processes: what a world is made of.
//!
//! Not modelled: scheduling of several processes on one core beyond first come, first served;
//! caches; swapping. A host that runs out of memory kills the process that asked for more.

use crate::clock::Clock;
use crate::disk::{DiskConfig, SimDisk};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use storytime_machine::{
    AddressError, BindError, Costs, DiskResult, Drive, Duration, Endpoint, Exit, Gone, IpAddr,
    Limits, OpKey, ResolveError, Setup, Signal, Time, Token, nanos,
};

/// Most hosts in a world: a path's random stream is named by two host numbers.
pub const HOSTS_MAX: usize = 1 << 12;

/// A host's number, in order of adding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// A process's number, in order of adding. It stays the same through all lives of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// What a host is made of.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Name in traces and reports, and for look-ups.
    pub name: String,
    /// Its address; `None` draws 10.0.x.y by number.
    pub ip: Option<IpAddr>,
    /// Cores; processes are pinned to them in turn.
    pub cores: u32,
    /// Memory, bytes; `None` is unlimited.
    pub memory_bytes: Option<u64>,
    /// Its clocks.
    pub clock: Clock,
    /// Its disk; `None` means that every disk operation is refused.
    pub disk: Option<DiskConfig>,
    /// Hosts of one rack share their power.
    pub rack: u32,
}

impl HostConfig {
    /// One core, unlimited memory, good clocks, no disk, rack 0.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ip: None,
            cores: 1,
            memory_bytes: None,
            clock: Clock::default(),
            disk: None,
            rack: 0,
        }
    }
}

/// Makes a process for each of its lives.
pub type Factory = Box<dyn FnMut(Setup) -> Box<dyn Drive>>;

/// A program to run on a host.
pub struct ProgramConfig {
    /// Name in traces and reports.
    pub name: String,
    /// How many processes share its ports.
    pub workers: u32,
    /// Byte caps and water marks of each.
    pub limits: Limits,
    /// Service time of its work.
    pub costs: Costs,
    /// Whether it starts when its host is switched on.
    pub autostart: bool,
    /// How long after a failed exit or a kill a supervisor starts it again; `None`: there is none.
    pub respawn: Option<Duration>,
    /// Makes its processes.
    pub factory: Factory,
}

impl ProgramConfig {
    /// One worker with default limits, no costs, started with its host.
    pub fn new(
        name: impl Into<String>,
        factory: impl FnMut(Setup) -> Box<dyn Drive> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            workers: 1,
            limits: Limits::default(),
            costs: Costs::default(),
            autostart: true,
            respawn: None,
            factory: Box::new(factory),
        }
    }
}

/// Whether a host has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    Off,
    On,
}

pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) ip: IpAddr,
    pub(crate) clock: Clock,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) rack: u32,
    pub(crate) power: Power,
    pub(crate) disk: Option<SimDisk>,
    /// Disk operations completed.
    pub(crate) operations: u64,
    pub(crate) first_core: u32,
    pub(crate) cores: u32,
    /// Processes on this host, by number.
    pub(crate) processes: Vec<u32>,
    /// Ports and addresses of datagram sockets: port → (process, token).
    pub(crate) datagrams: BTreeMap<u16, (u32, Token)>,
    pub(crate) next_port: u16,
}

/// One core: it carries one step at a time.
#[derive(Debug, Default)]
pub(crate) struct Core {
    /// The process whose step is under way, until `CoreFree`.
    pub(crate) busy: Option<u32>,
    /// Raised when the power goes, so that an old `CoreFree` is stale.
    pub(crate) life: u32,
    /// Inputs waiting for the core.
    pub(crate) ready: VecDeque<Waiting>,
    /// `run_core` is on the stack for this core.
    pub(crate) running: bool,
    /// Time spent working, nanoseconds, the whole of the step under way included.
    pub(crate) busy_ns: u64,
    /// When the step under way ends.
    pub(crate) busy_until: Time,
}

impl Core {
    /// Ends the step under way, if there is one: nothing of it is left.
    pub(crate) fn stop(&mut self, now: Time) {
        self.busy_ns = self.busy_ns_at(now);
        self.busy = None;
        self.life += 1;
    }

    /// Time spent working up to now, nanoseconds.
    pub(crate) fn busy_ns_at(&self, now: Time) -> u64 {
        let left = self.busy.map_or(0, |_| nanos(self.busy_until.since(now)));
        self.busy_ns.saturating_sub(left)
    }
}

/// An input that waits for a core, and the life of the process that it is meant for.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) process: u32,
    pub(crate) life: u32,
    pub(crate) input: Input,
}

/// Something that a process has yet to be told. Ends carry their age: they may be gone, and their
/// place taken, before the process has its turn.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Start,
    Stop,
    Signal(Signal),
    Alarm,
    Readable(EndRef),
    Writable(EndRef),
    Acceptable(u32),
    Connected(EndRef),
    Failed(EndRef, Gone),
    Gone(EndRef, Gone),
    Secured(EndRef),
    Disk(OpKey, DiskResult),
    Resolved(Token, Result<Vec<IpAddr>, ResolveError>),
    Bound(Token, Result<Endpoint, BindError>),
    Addressed(IpAddr, Result<(), AddressError>),
    Datagram(u32),
}

/// An end and its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndRef {
    pub(crate) end: u32,
    pub(crate) age: u32,
}

pub(crate) struct Proc {
    pub(crate) name: String,
    pub(crate) host: u32,
    pub(crate) program: u32,
    pub(crate) worker: u32,
    pub(crate) core: u32,
    pub(crate) drive: Option<Box<dyn Drive>>,
    pub(crate) state: ProcState,
    /// Raised at each start and end, so that old alarms and inputs are stale.
    pub(crate) life: u32,
    /// How often it was started before.
    pub(crate) incarnation: u32,
    /// Inputs that wait while it is frozen.
    pub(crate) parked: VecDeque<Input>,
    /// When it last took a step, and how many it has taken at that instant.
    pub(crate) stepped: (Time, u32),
    /// The end of each connection slot.
    pub(crate) ends: Vec<u32>,
    /// Ends of connects that it does not yet know the outcome of.
    pub(crate) connecting: BTreeSet<u32>,
    /// Its listeners: number in the network, by token.
    pub(crate) listeners: BTreeMap<Token, u32>,
    /// Ports of its datagram sockets, by token.
    pub(crate) sockets: BTreeMap<Token, u16>,
    /// When its alarms in the queue ring, world time; the earliest last. One is added only when it
    /// is earlier than all others, so each rings once and none is planned twice.
    pub(crate) alarms: Vec<Time>,
    pub(crate) exit: Option<Exit>,
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcState {
    /// Not started, exited, killed, or without power.
    Down,
    Running,
    /// Stopped by a signal: inputs wait.
    Frozen,
}

pub(crate) struct Program {
    pub(crate) limits: Limits,
    pub(crate) costs: Costs,
    pub(crate) autostart: bool,
    pub(crate) respawn: Option<Duration>,
    pub(crate) factory: Factory,
}
