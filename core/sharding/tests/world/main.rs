//! Sites in the simulated world: real database and memcached machines, and applications that embed
//! the part.

mod app;
mod basics;
mod faults;
mod homes;
mod moves;
mod races;
mod rig;
