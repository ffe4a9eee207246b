//! Dialogues with a server, over the wire.

mod alter;
mod full;
mod hostile;
mod hostile_peers;
mod limits;
mod model_keys;
mod model_rows;
mod pieces;
mod rig;
mod rows;
mod same;
mod slow;
mod waiting;
