//! What was visited, and what was found.

use super::{Flaw, FlawKind, Recipe};
use crate::disk::CrashPlan;
use core::fmt;
use storytime_machine::Exit;

/// How an enumeration went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Moments of the script at which the power could go.
    pub points: u64,
    /// States on which a machine was booted, by kind.
    pub states: States,
    /// States that were equal to one visited under the same promises.
    pub equal: u64,
    /// Promises in the book at the end.
    pub promises: u64,
    /// Flaws by kind, in the order of [`FlawKind::ALL`].
    pub flaws: [u64; FlawKind::ALL.len()],
    /// The first flawed states, in the order in which they were found.
    pub violations: Vec<Violation>,
    /// How the script ended.
    pub ended: Ended,
}

/// States visited, by what was let survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States {
    /// Nothing that was not flushed.
    pub nothing: u64,
    /// Everything.
    pub everything: u64,
    /// One thing alone.
    pub single: u64,
    /// All but one thing.
    pub all_but_one: u64,
    /// A combination of the first few things.
    pub combined: u64,
    /// Drawn at random.
    pub random: u64,
    /// After a second cut, during the recovery from a first.
    pub second: u64,
}

/// A state in which a promise does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The way there.
    pub recipe: Recipe,
    /// What is wrong there.
    pub flaw: Flaw,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was over.
    Done,
    /// It waits for a machine that waits for nothing.
    Stuck,
    /// After [`Options::points_max`](super::Options::points_max).
    PointsMax,
    /// The machine ended.
    Exited(Exit),
    /// The machine broke a rule of the contract.
    Broken(String),
}

impl States {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.nothing
            + self.everything
            + self.single
            + self.all_but_one
            + self.combined
            + self.random
            + self.second
    }

    pub(super) const fn count(&mut self, plan: CrashPlan) {
        match plan {
            CrashPlan::Nothing => self.nothing += 1,
            CrashPlan::Everything => self.everything += 1,
            CrashPlan::Only(_) => self.single += 1,
            CrashPlan::AllBut(_) => self.all_but_one += 1,
            CrashPlan::Mask(_) => self.combined += 1,
            CrashPlan::Random { .. } => self.random += 1,
        }
    }
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            points: 0,
            states: States::default(),
            equal: 0,
            promises: 0,
            flaws: [0; FlawKind::ALL.len()],
            violations: Vec::new(),
            ended: Ended::Done,
        }
    }

    /// Whether the script came to its end and every state held.
    pub fn is_clean(&self) -> bool {
        self.ended == Ended::Done && self.flawed() == 0
    }

    /// States in which a promise did not hold.
    pub fn flawed(&self) -> u64 {
        self.flaws.iter().sum()
    }

    /// States with a flaw of this kind.
    pub const fn flaws_of(&self, kind: FlawKind) -> u64 {
        self.flaws[kind as usize]
    }

    pub(super) fn note(&mut self, recipe: Recipe, flaw: Flaw, violations_max: usize) {
        self.flaws[flaw.kind as usize] += 1;
        if self.violations.len() < violations_max {
            self.violations.push(Violation { recipe, flaw });
        }
    }

    /// Demands that the script came to its end and every state held.
    ///
    /// # Panics
    /// If not, with the report.
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "{self}");
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}: {}", self.recipe, self.flaw)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.states;
        write!(f, "{} states at {} points, {} promises", s.total(), self.points, self.promises)?;
        write!(f, " (nothing {}, everything {}, single {}", s.nothing, s.everything, s.single)?;
        write!(f, ", all but one {}, combined {}", s.all_but_one, s.combined)?;
        write!(f, ", random {}, second cut {}; equal {})", s.random, s.second, self.equal)?;
        match &self.ended {
            Ended::Done => {}
            Ended::Stuck => write!(f, "; the script waits for a machine that waits for nothing")?,
            Ended::PointsMax => write!(f, "; the script was broken off")?,
            Ended::Exited(exit) => write!(f, "; the machine ended: {exit:?}")?,
            Ended::Broken(what) => write!(f, "; the machine broke a rule: {what}")?,
        }
        if self.flawed() == 0 {
            return write!(f, "; every state held");
        }
        write!(f, "; flawed {}", self.flawed())?;
        for kind in FlawKind::ALL.into_iter().filter(|kind| self.flaws_of(*kind) > 0) {
            write!(f, ", {kind} {}", self.flaws_of(kind))?;
        }
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}
