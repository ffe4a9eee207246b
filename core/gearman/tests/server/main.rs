//! Dialogues with a job server, over the wire.

mod acks;
mod admin;
mod crash_points;
mod cuts;
mod dialogues;
mod hostile;
mod http;
mod http_chunks;
mod http_silence;
mod life;
mod monitor;
mod perl;
mod refusals;
mod reload;
mod rig;
mod tenants;
