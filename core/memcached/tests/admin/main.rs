//! What operators see and do: figures, watchers, tuning, idle connections, warm restarts.

mod commands;
mod disk;
mod figures;
mod restart;
#[path = "../wire/rig.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod rig;
mod watching;
