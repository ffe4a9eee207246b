//! What a driver offers to be put through the suite.

use storytime_machine::{Duration, Endpoint, Exit, IpAddr, Limits, Machine};

/// The name for which the TLS arms hold a certificate, and which their clients trust.
pub const TLS_NAME: &str = "storytime.test";

/// One process of a scene, with an empty data directory of its own.
pub struct Actor {
    /// Name in failures.
    pub name: &'static str,
    /// Its host's address: one of [`Arm::ip`]. Actors with the same address share a host.
    pub ip: IpAddr,
    /// What runs there.
    pub machine: Box<dyn Machine>,
    /// Its byte caps and water marks.
    pub limits: Limits,
    /// When the driver asks it to stop, from the scene's start; never if `None`.
    pub stop_after: Option<Duration>,
}

/// A set of processes that run until all have exited.
pub struct Scene {
    /// Started in this order.
    pub cast: Vec<Actor>,
    /// Host names that resolve, and their addresses.
    pub names: Vec<(String, Vec<IpAddr>)>,
    /// When to give up: simulated time in simulators, wall time on the real runtime.
    pub limit: Duration,
}

/// How an actor stood when its scene ended, in the order of the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ended of its own will.
    Exited(Exit),
    /// It was still running at the limit.
    StillRunning,
}

/// What not every driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Unix-domain sockets.
    UnixSockets,
    /// TLS in mid-stream.
    Tls,
    /// A receive window that closes under a reader that stops.
    Windows,
    /// A listen queue of stated length, kept by a kernel.
    ListenQueue,
    /// An address that answers "unreachable".
    Unreachable,
    /// A reset that the peer can tell from an orderly end.
    Resets,
    /// Half-closed connections.
    HalfClose,
    /// Host files and directories.
    Disk,
    /// Datagrams.
    Datagrams,
    /// Addresses that move from host to host.
    Addresses,
}

/// A driver under test.
pub trait Arm {
    /// Name in messages.
    fn name(&self) -> &'static str;
    /// Whether the driver can do this; what it cannot is skipped aloud.
    fn can(&self, ability: Ability) -> bool;
    /// Address of the scene's host number `host`, below 16.
    fn ip(&self, host: u8) -> IpAddr;
    /// An address to which there is no way.
    fn nowhere(&self) -> IpAddr;
    /// An address that no host has and any may take.
    fn spare(&self) -> IpAddr {
        self.nowhere()
    }
    /// A place for a unix socket of this name, free at the start of every scene.
    fn unix(&self, name: &str) -> Endpoint {
        Endpoint::unix(name)
    }
    /// Plays the scene and tells how each actor ended. Calls every machine's `invariants` after
    /// each step.
    fn play(&mut self, scene: Scene) -> Vec<Ending>;
}
