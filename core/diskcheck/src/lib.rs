//! The disk checker: does a flush that is acknowledged survive a power cut?
//!
//! Three machines, one of them on a host that stays alive. The **writer** writes, flushes, and
//! tells the **recorder** on the other host each step: the intention before the write, the
//! acknowledgement only after the flush completed. Somebody pulls the plug. After the boot the
//! **verifier** reads the disk, asks the recorder what had been acknowledged, and prints a
//! [`Verdict`]: how much of it is lost, and which layer must have lied.
//!
//! ```text
//!   host A (its power is cut)                     host B (stays alive)
//!   Writer ── will block 7 generation 3 ────────► Recorder
//!          ◄────────────────────────── go 41 ──
//!     write, then sync
//!          ── wrote 41, synced 41 ──────────────►
//!   ⚡
//!   Verifier ── verify latest ──────────────────►
//!            ◄── run, every step, end ───────────
//!     read the disk, judge
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | command lines |
//! | [`wire`] | the lines between writer, verifier and recorder |
//! | [`step`] | what is written: cells, generations, steps |
//! | [`stamp`] | the content of a sector |
//! | [`recorder`], [`writer`], [`verifier`] | the machines |
//! | [`judge`] | the decision table from evidence to the name of the lie |
//! | [`verdict`] | the outcome and its text |
//!
//! # Not modelled
//!
//! Reads during the run (a cache may answer them, so they prove nothing), direct input and output,
//! several writers on one file, an authenticated recorder: it belongs in a test network.

#![forbid(unsafe_code)]

pub mod config;
pub mod judge;
mod link;
mod plan;
pub mod recorder;
pub mod stamp;
pub mod step;
pub mod verdict;
pub mod verifier;
pub mod wire;
pub mod writer;

pub use config::{
    Command, Config, HELP, Host, PORT, RecorderConfig, UsageError, VerifierConfig, WriterConfig,
};
pub use recorder::Recorder;
pub use verdict::{Kind, Tally, Verdict};
pub use verifier::Verifier;
pub use writer::Writer;
