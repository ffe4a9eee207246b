//! What a server wants to know of the program around it, and has done by it.

use crate::config::Verbosity;
use crate::tenants::Tenants;
use core::fmt;
use storytime_machine::Endpoint;

/// The program around a server. A machine has no process and no log; what it must show or have
/// done of these goes through here.
pub trait Surroundings: fmt::Debug + Send + Sync {
    /// Number of the process.
    fn pid(&self) -> u32 {
        0
    }

    /// Every address is listened on, as it really is.
    fn listening(&self, at: &[Endpoint]) {
        let _ = at;
    }

    /// Something that the operator may want to know.
    fn say(&self, level: Verbosity, what: fmt::Arguments<'_>) {
        let _ = (level, what);
    }

    /// The log's file was moved away: begin another one.
    fn reopen_log(&self) {}

    /// Reads the certificates and who vouches for peers again, for connections to come.
    ///
    /// # Errors
    /// What is wrong with them, in words; the old ones stay in use.
    fn read_certificates(&self) -> Result<(), String> {
        Ok(())
    }

    /// Reads the file of tenants again.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn read_tenants(&self, file: &str) -> Result<Tenants, String> {
        Err(format!("--tenants {file}: there are no files here"))
    }
}

/// No program around: simulations and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Surroundings for Nowhere {}
