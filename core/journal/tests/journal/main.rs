//! The journal on a simulated disk.

mod host;
mod life;
mod lying;
mod owner;
