//! The durable queue: background jobs in a journal, so that they outlive the process.
//!
//! # Shape
//!
//! The engine decides what is to be remembered and asks for it through
//! [`Out::keep`](crate::engine::Out::keep) and [`Out::forget`](crate::engine::Out::forget). Here
//! that becomes a [`Record`] in the journal, whose number in the journal is the ticket that the
//! engine waits for. Everything that was asked for in one callback leaves as one write, and what
//! comes while that is being synced goes with the next: a sync is shared by all who wait.
//!
//! # What is remembered
//!
//! | record | says |
//! |---|---|
//! | kept | all there is to say of a job: a later one of the same job stands in its place |
//! | ended | the job is over |
//! | numbers | numbers of jobs up to this one may be in use: the next life begins above |
//!
//! Foreground jobs are not remembered: whoever waits for one notices that the server is gone. Nor
//! is how often a job lost its worker.
//!
//! # Two disks
//!
//! A relay has the journal on the disks of two job servers: see `server::relay`.
//!
//! # A full disk
//!
//! New jobs are refused with words. That a job has ended waits in memory until there is room; if
//! the process dies before that, the job runs once more.
//!
//! # Rejected
//!
//! * A table by unique key, as the original's queues have: jobs without a key overwrite each other
//!   there, and each job costs a transaction.
//! * Handing jobs out before they are durable: one that ran and was never acknowledged would be
//!   sent again by its client.

mod log;
mod record;

pub use record::{JOB_BYTES_MAX, Record};

pub(crate) use log::{Log, Progress};
