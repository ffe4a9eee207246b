//! Replication in simulated worlds: a toy database around the part under test.

mod basics;
mod crash_points;
mod failover;
mod last_terms;
mod load;
mod mutual;
mod parting;
mod rig;
mod storms;
mod sweep;
mod toy;
