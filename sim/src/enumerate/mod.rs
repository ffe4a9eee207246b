//! Crash points, one after the other: does a machine keep its promises whatever a power cut leaves?
//!
//! Drawing power cuts at random finds bugs that are wide; this finds the narrow ones. A machine is
//! driven through a script on a disk of its own. Whenever an operation was submitted, carried out,
//! or told to the machine, the disk is cloned and its power cut in every way that matters: nothing
//! unflushed survives, everything does, each sector, length and change of names alone, all but each
//! of them, every combination of the first few, then some at random, with torn sectors. On each
//! state that is new a fresh machine is booted, and once it is up its promises are checked:
//! *acknowledged ⇒ present, nothing invented*. Some of these recoveries are themselves cut short at
//! each of their own operations.
//!
//! ```text
//!   script ──► machine ── op ──► disk ·····► the run goes on: one life, thousands of points
//!                                 │ at every point
//!                                 ├─ clone, cut (nothing) ──► boot, recover, check
//!                                 ├─ clone, cut (only 3)  ──► boot, recover, check
//!                                 │                             └─ cut again ──► boot …
//!                                 └─ …
//! ```
//!
//! Start with [`Subject`], which tells what is driven and what must hold, and [`enumerate`]. What
//! it finds is a [`Violation`] with a [`Recipe`] that [`replay`] follows to exactly that state.
//!
//! | module | holds |
//! |---|---|
//! | [`subject`] | what the caller brings: machine, script, promises |
//! | [`lone`] | a machine alone on its host, with a disk and clients |
//! | [`recipe`] | the name of one crash state |
//! | [`report`] | what was visited and what was found |
//! | [`worlds`] | the same for systems of several hosts |
//! | `explore` | the walk over points, plans and recoveries |
//!
//! # Not modelled
//!
//! A network: clients are on the host and instant, connects of the machine's own are refused.
//! Orders of completion other than the disk's times give: another [`DiskConfig`] gives others.
//! Writes in flight happen from their front; their sectors survive one by one once they completed.

pub mod lone;
pub mod recipe;
pub mod report;
pub mod subject;
pub mod worlds;

mod explore;

pub use lone::{Client, Happened, Lone};
pub use recipe::{Cut, Recipe};
pub use report::{Ended, Report, States, Violation};
pub use subject::{Flaw, FlawKind, More, Subject};
pub use worlds::{
    Stage, WorldOptions, WorldRecipe, WorldReport, enumerate_stage, enumerate_world, replay_stage,
    replay_world,
};

use crate::disk::DiskConfig;
use explore::Explorer;

/// How much is tried.
#[derive(Clone, Debug)]
pub struct Options {
    /// The disk, with its profile and lies. Leave faults drawn at random out: a violation would be
    /// theirs and not the machine's.
    pub disk: DiskConfig,
    /// Where all chance comes from.
    pub seed: u64,
    /// Up to so many choices at a point, every combination of them is tried.
    pub combined_choices_max: u32,
    /// States drawn at random, with torn sectors, at each point where anything can be chosen.
    pub random: u32,
    /// Choices at one point of which each is tried alone and left out alone; of more, a sample that
    /// is spread over all of them.
    pub single_choices_max: u32,
    /// Every so many-th recovery is itself cut at each of its operations; 0 for none.
    pub second_cut_every: u64,
    /// States drawn at random at each operation of such a recovery, besides nothing and everything.
    pub second_random: u32,
    /// The script ends after so many points.
    pub points_max: u64,
    /// A recovery of more events is stuck.
    pub recovery_events_max: u64,
    /// Violations kept in full; all are counted.
    pub violations_max: usize,
    /// Call the machine's `invariants` after each of its steps.
    pub invariants: bool,
}

impl Options {
    /// Thorough enough for a suite: a machine with the size of a journal takes some seconds.
    pub fn new(disk: DiskConfig) -> Self {
        Self {
            disk,
            seed: 1,
            combined_choices_max: 5,
            random: 8,
            single_choices_max: 256,
            second_cut_every: 16,
            second_random: 1,
            points_max: 100_000,
            recovery_events_max: 1_000_000,
            violations_max: 16,
            invariants: true,
        }
    }
}

/// Drives a fresh subject through its script and visits every crash state on the way.
pub fn enumerate<S: Subject>(options: &Options, make: impl FnOnce() -> S) -> Report {
    Explorer::new(options, make()).run()
}

/// Goes to one crash state and checks it again.
///
/// # Errors
/// What is wrong there; or that the recipe leads nowhere, if the script has no such point.
pub fn replay<S: Subject>(
    options: &Options,
    make: impl FnOnce() -> S,
    recipe: &Recipe,
) -> Result<(), Flaw> {
    Explorer::new(options, make()).follow(recipe)
}
