//! Scenario files: hosts and the command lines typed on them, loads, faults, expectations; and the
//! stories themselves, as `*.toml` beside this crate's manifest.
//!
//! A file is read into a [`Story`](story::Story), in which nothing can be wrong any more; a story
//! is run in the simulator or on real sockets; a [`Run`](run::Run) is checked against the story's
//! expectations and becomes a report.
//!
//! ```no_run
//! use storytime_scenarios::{catalog, simulate, story::Profile};
//!
//! let story = catalog::open("add-a-server")?.story(Profile::Full, &[])?;
//! let run = simulate::run_simulated(&story, 1, simulate::Options::default());
//! for check in run.checks(&story) {
//!     println!("{}: {}", check.expect.name, check.outcome.show());
//! }
//! # Ok::<(), Box<storytime_scenarios::diagnostic::Diagnostic>>(())
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`catalog`] | the built-in stories |
//! | [`read`] | from a file to a story; [`tree`], [`fields`], [`overlay`], [`units`] are its tools |
//! | [`diagnostic`], [`suggest`] | one clear message for a mistake |
//! | [`story`] | a story as plain data |
//! | [`program`] | from the words of a command line to machines |
//! | [`proxy_file`] | the proxy's config file |
//! | [`models`] | loads, and the database behind them, as machines |
//! | [`metric`] | what can be measured, by name |
//! | [`plan`] | what a seed draws |
//! | [`build`] | from a story's numbers to machines |
//! | [`simulate`], [`real`] | the two runtimes |
//! | [`sample`] | counters of servers over time |
//! | [`fit`] | laws of growth along a sweep |
//! | [`run`] | what came out, and whether it was expected |
//! | [`report`] | a run as a report |
//! | [`campaign`], [`failure`] | many seeds; a failing one, kept and replayed |
//!
//! # Not modelled
//!
//! Sweeps over two numbers at once (make variants of one of them), models other than a database.

#![forbid(unsafe_code)]

pub mod build;
pub mod campaign;
pub mod catalog;
pub mod diagnostic;
pub mod failure;
pub mod fields;
pub mod fit;
pub mod metric;
pub mod models;
pub mod overlay;
pub mod plan;
pub mod program;
pub mod proxy_file;
pub mod read;
pub mod real;
pub mod report;
pub mod run;
pub mod sample;
pub mod simulate;
pub mod story;
pub mod suggest;
pub mod tree;
pub mod units;
mod words;
