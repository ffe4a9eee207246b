//! The data set of one shard, apart from any protocol.

mod basics;
mod model;
mod moves;
mod order;
mod pressure;
mod rig;
mod table;
