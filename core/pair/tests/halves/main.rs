//! Two halves, a witness, a client: what holds when hosts lose power, freeze and are cut off.

mod basics;
mod campaign;
mod client;
mod crashes;
mod lies;
mod partitions;
mod rig;
mod split;
mod sweeps;
mod tenant;
mod watched;
