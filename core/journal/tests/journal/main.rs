//! The journal on a simulated disk.

mod book;
mod crash_points;
mod full;
mod host;
mod life;
mod lying;
mod model;
mod owner;
mod table;
mod world;
