//! Dialogues with a server, over the wire.

mod full;
mod limits;
mod rig;
mod rows;
mod slow;
mod waiting;
