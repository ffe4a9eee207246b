//! Dialogues with a server, over the wire.

mod limits;
mod rig;
mod rows;
mod waiting;
