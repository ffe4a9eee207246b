//! Two job servers with one queue, a witness, an application and a worker: what holds when hosts
//! lose power, freeze and are cut off.

mod crashes;
mod people;
mod rig;
mod troubles;
#[path = "../../../pair/tests/halves/watched.rs"]
mod watched;
mod words;
