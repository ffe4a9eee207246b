//! A deterministic world for sans-IO machines: network, disk, CPU, clocks, power.
//!
//! Give it machines that implement [`storytime_machine::Machine`], and it runs a whole system of
//! them in one thread: the same seed and build give the same run, byte for byte, on every machine.
//!
//! Start with [`World`] and `examples/`, which bring a machine of their own; then [`FaultPlan`] for
//! trouble and [`SimDisk`] for disks that forget.
//!
//! | module | holds | does not model |
//! |---|---|---|
//! | [`world`] | event loop, steps, power, timeline | threads inside a process |
//! | [`host`] | what hosts and programs are made of | caches, swapping |
//! | `net` | paths, TCP, listen queues, datagrams | congestion control, routers |
//! | [`disk`] | sectors, lengths, names, flushes that lie | RAID levels, seek distances |
//! | [`mod@enumerate`] | every state that a power cut could leave, one by one | a network |
//! | [`clock`] | offset, drift, steps | NTP |
//! | [`faults`] | faults, and plans drawn from a seed | |
//! | [`mod@campaign`] | many seeds, and their failures | threads |
//! | [`trace`] | digest and records | |
//! | [`streams`] | which random stream serves what | |

#![forbid(unsafe_code)]

pub mod campaign;
pub mod check;
pub mod clock;
pub mod disk;
pub mod enumerate;
pub mod faults;
pub mod host;
mod net;
mod queue;
pub mod streams;
pub mod trace;
pub mod world;

pub use campaign::{Outcome, Tally, campaign, run_seed};
pub use clock::Clock;
pub use disk::{DiskConfig, SimDisk};
pub use faults::{Fault, FaultPlan, Menu, Span};
pub use host::{Factory, HOSTS_MAX, HostConfig, HostId, ProcessId, ProgramConfig};
pub use net::{Link, TcpConfig};
pub use trace::{Record, TRACE_RECORDS_MAX, Trace};
pub use world::{Config, Failure, Ran, World};
