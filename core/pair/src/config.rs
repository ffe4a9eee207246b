//! Options.

use core::time::Duration;
use storytime_machine::{Endpoint, IpAddr};

/// Options of one half of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairConfig {
    /// Where this half listens for the other one.
    pub listen: Endpoint,
    /// Where the other half listens.
    pub peer: Endpoint,
    /// Who decides between them.
    pub witness: Endpoint,
    /// The address that moves with the active role.
    pub address: Option<IpAddr>,
    /// How long the active half may serve without word from the witness.
    pub lease: Duration,
    /// How often it asks.
    pub heartbeat: Duration,
    /// Which half is active on a fresh pair.
    pub prefer_active: bool,
}

/// Options of a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessConfig {
    /// Where it listens.
    pub listen: Endpoint,
}
