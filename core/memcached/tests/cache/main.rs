//! The data set of one shard, apart from any protocol.

mod basics;
mod rig;
