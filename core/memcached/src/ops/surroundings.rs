//! What a server wants to know of the program around it, and has done by it.

use core::fmt;
use core::time::Duration;

/// CPU time that a process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the operating system, for the program.
    pub system: Duration,
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

    /// The contents of the file of names and passwords, read again; `None` if there is none.
    ///
    /// # Errors
    /// In words, if it cannot be read.
    fn read_users(&self) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }
}

/// No program around: simulations and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Surroundings for Nowhere {}
