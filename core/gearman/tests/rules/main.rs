//! The rules of the job server, one sentence at a time.

mod answering;
mod cancelling;
mod danga;
mod desk;
mod durable;
mod joining;
mod later;
mod leaving;
mod limits;
mod looking;
mod quotas;
mod random;
mod restarting;
mod waking;
mod working;
