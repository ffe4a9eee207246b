//! Dialogues with a server, over the wire.

mod hostile;
mod limits;
mod rig;
mod rows;
mod waiting;
