//! What a process is given of the computer it runs on.

use crate::Clock;
use crate::net::TlsConfigs;
use std::path::PathBuf;
use storytime_machine::{Addr, IpAddr, Limits, Rng, Setup};

/// The place of a process: addresses, names, data directory, limits.
///
/// Several hosts may live on one computer at different loopback addresses, each with a directory.
#[derive(Clone, Debug)]
pub struct Host {
    /// What the wildcard address stands for, and the source address of connects. `None` leaves both
    /// to the operating system.
    pub ip: Option<IpAddr>,
    /// Host names that resolve before the system's resolver is asked.
    pub names: Vec<(String, Vec<IpAddr>)>,
    /// Where the paths of disk operations begin, and relative paths of unix sockets. Created by the
    /// first disk operation if missing.
    pub data_dir: PathBuf,
    /// Certificates and trusted roots; without them a TLS start ends in `gone(Misbehaved)`.
    pub tls: Option<TlsConfigs>,
    /// Byte caps and water marks.
    pub limits: Limits,
    /// Seeds the processes' random streams; each worker gets its own stream.
    pub seed: u64,
    /// The monotonic clock; share one between processes whose times are to be compared.
    pub clock: Clock,
    /// The program that takes and gives up addresses for this host, run as `COMMAND take IP` and
    /// `COMMAND release IP`; exit status 0 means done. Without one every address is denied.
    pub address_command: Option<PathBuf>,
    /// Whether the machine's own assertions run after every step: for tests.
    pub check_invariants: bool,
    /// The disk, which outlives the processes on it.
    #[cfg(madsim)]
    pub disk: crate::MemoryDisk,
}

impl Host {
    /// A host with everything left to the operating system: no names, default limits, seed 0.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            ip: None,
            names: Vec::new(),
            data_dir: data_dir.into(),
            tls: None,
            limits: Limits::default(),
            seed: 0,
            clock: Clock::start(),
            address_command: None,
            check_invariants: false,
            #[cfg(madsim)]
            disk: crate::MemoryDisk::default(),
        }
    }

    /// The addresses that the host table gives a name; names compare without case.
    pub(crate) fn table(&self, name: &str) -> Option<Vec<IpAddr>> {
        let found = self.names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, ips)| ips.clone()).filter(|ips| !ips.is_empty())
    }

    /// `addr` with the wildcard replaced by this host's address.
    pub(crate) fn place(&self, addr: Addr) -> Addr {
        match self.ip {
            Some(ip) if addr.ip().is_unspecified() => Addr::new(ip, addr.port()),
            _ => addr,
        }
    }

    pub(crate) fn setup(&self, worker: u32) -> Setup {
        let rng = Rng::new(self.seed, u64::from(worker));
        Setup { limits: self.limits, ..Setup::new(rng) }
    }
}
