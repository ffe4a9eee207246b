//! Two halves, a witness, a client: what holds when hosts lose power, freeze and are cut off.

mod basics;
mod campaign;
mod client;
mod partitions;
mod rig;
mod sweeps;
mod tenant;
