//! What a server wants to know of the program around it, and has done by it.

use crate::auth::Users;
use core::fmt;
use core::time::Duration;
use storytime_machine::Endpoint;

/// CPU time that a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the operating system, for the program.
    pub system: Duration,
}

/// A socket that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Datagrams, and not connections.
    pub udp: bool,
    /// Where it really is.
    pub at: Endpoint,
}

/// The program around a server. A machine has no process, no files outside its data directory and
/// no certificates; what it must show or have done of these goes through here.
pub trait Surroundings: fmt::Debug + Send + Sync {
    /// Number of the process.
    fn pid(&self) -> u32 {
        0
    }

    /// CPU time used so far.
    fn cpu_time(&self) -> CpuTime {
        CpuTime::default()
    }

    /// Name and version of what drives the machine.
    fn driver(&self) -> &'static str {
        "none"
    }

    /// Reads certificates and keys again, for connections to come.
    ///
    /// # Errors
    /// In words, if they cannot be read; the old ones stay.
    fn refresh_certificates(&self) -> Result<(), String> {
        Ok(())
    }

    /// Names and passwords, read again; `None` if there is no file of them.
    ///
    /// # Errors
    /// In words, if it cannot be read; the old ones stay.
    fn read_users(&self) -> Result<Option<Users>, String> {
        Ok(None)
    }

    /// TLS sessions begun, without those that went on with an earlier one.
    fn tls_sessions(&self) -> u64 {
        0
    }

    /// Every socket is ready, at the address it really has.
    fn listening(&self, sockets: &[Bound]) {
        let _ = sockets;
    }

    /// Has [`User1`](storytime_machine::Signal::User1) sent to every worker. Whether that can be.
    fn end_gracefully(&self) -> bool {
        false
    }

    /// Something that the operator should know.
    fn say(&self, what: &str) {
        let _ = what;
    }
}

/// No program around: simulations and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Surroundings for Nowhere {}
