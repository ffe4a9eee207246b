//! The data set of one shard, apart from any protocol.

mod basics;
mod conditions;
mod model;
mod moves;
mod order;
mod pressure;
mod rig;
mod shards;
mod table;
