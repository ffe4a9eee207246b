//! What the caller brings: a machine, a script that drives it, and what must hold.

use super::Lone;
use core::fmt;
use storytime_machine::{Machine, Rng, Setup};

/// A machine under examination, the script that drives it, and the book of what it promised.
///
/// The book is the subject itself: [`step`](Self::step) writes down what was asked and what was
/// acknowledged, [`check`](Self::check) holds a recovered machine to it.
pub trait Subject {
    /// What is examined.
    type Machine: Machine;

    /// A fresh machine with empty memory, as each boot makes it.
    fn machine(&self) -> Self::Machine;

    /// The shell around it; by default with the default limits.
    fn setup(&self, rng: Rng) -> Setup {
        Setup::new(rng)
    }

    /// Whether the machine has recovered and serves. By default once it waits for nothing: right
    /// for machines that ask for nothing by themselves when they are up.
    fn is_up(&self, lone: &Lone<Self::Machine>) -> bool {
        lone.is_idle()
    }

    /// Called after each thing that the machine was told, from when it is up: write down what it
    /// acknowledged, ask for more. Time passes only between two calls.
    fn step(&mut self, lone: &mut Lone<Self::Machine>) -> More;

    /// How many promises the book holds: grows whenever `check` became stricter. A state that was
    /// checked is not checked again before this, or the disk, has changed.
    fn promises(&self) -> u64;

    /// Holds a recovered machine to the book: everything acknowledged is there, nothing is that was
    /// not asked for, nothing is there by half. May run it on (see [`Lone::run_until`]).
    ///
    /// # Errors
    /// What is wrong.
    fn check(&self, lone: &mut Lone<Self::Machine>) -> Result<(), Flaw>;
}

/// Whether a script goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    /// It waits for the machine.
    Yes,
    /// It is over.
    No,
}

/// What is wrong with a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// In a word.
    pub kind: FlawKind,
    /// In full.
    pub what: String,
}

/// What is wrong, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlawKind {
    /// Something acknowledged is not there.
    Lost,
    /// Something is there that nobody asked for, or by half.
    Invented,
    /// The machine would not start, or ended by itself: at least it says so.
    Refused,
    /// It did not come up and waits for nothing, or never stops.
    Stuck,
    /// It panicked.
    Panicked,
    /// It broke a rule of the contract, such as a byte cap.
    Broken,
}

impl FlawKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Lost, Self::Invented, Self::Refused, Self::Stuck, Self::Panicked, Self::Broken];

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Invented => "invented",
            Self::Refused => "refused",
            Self::Stuck => "stuck",
            Self::Panicked => "panicked",
            Self::Broken => "broken",
        }
    }
}

impl Flaw {
    /// Something acknowledged is not there.
    pub fn lost(what: impl Into<String>) -> Self {
        Self { kind: FlawKind::Lost, what: what.into() }
    }

    /// Something is there that nobody asked for, or by half.
    pub fn invented(what: impl Into<String>) -> Self {
        Self { kind: FlawKind::Invented, what: what.into() }
    }

    /// The machine would not start.
    pub fn refused(what: impl Into<String>) -> Self {
        Self { kind: FlawKind::Refused, what: what.into() }
    }

    /// The machine does not get on.
    pub fn stuck(what: impl Into<String>) -> Self {
        Self { kind: FlawKind::Stuck, what: what.into() }
    }
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what)
    }
}

impl std::error::Error for Flaw {}
