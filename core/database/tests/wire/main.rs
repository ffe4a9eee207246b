//! Dialogues with a server, over the wire.

mod full;
mod hostile;
mod limits;
mod rig;
mod rows;
mod slow;
mod waiting;
