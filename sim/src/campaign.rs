//! Many seeds of one run: which fail, how to repeat them.
//!
//! A run is a function of its seed alone. It reports an [`Outcome`]; a panic inside it (a machine's
//! assertion) is an outcome too. Progress, threads and files are the caller's: this crate has none.

use core::any::Any;
use core::ops::Range;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// How one seed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Digest of its trace; 0 if it panicked.
    pub digest: u64,
    /// Events in its trace.
    pub events: u64,
    /// What was drawn from the seed, for the line beside it.
    pub drawn: String,
    /// What went wrong, if anything did.
    pub result: Result<(), String>,
}

/// How a campaign ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seeds that held.
    pub passed: u64,
    /// Seeds that did not, up to [`FAILURES_MAX`].
    pub failures: Vec<Outcome>,
    /// Failures in all.
    pub failed: u64,
}

/// Failures kept in full.
pub const FAILURES_MAX: usize = 100;

/// Runs one seed; a panic becomes its outcome. The message still goes through the process's panic
/// hook.
pub fn run_seed(seed: u64, run: impl FnOnce(u64) -> Outcome) -> Outcome {
    // The world of a seed that panicked is dropped with the closure; nothing half-changed is seen.
    match catch_unwind(AssertUnwindSafe(|| run(seed))) {
        Ok(outcome) => outcome,
        Err(panic) => {
            let what = panic_text(&*panic);
            Outcome { seed, digest: 0, events: 0, drawn: String::new(), result: Err(what) }
        }
    }
}

/// What a caught panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Runs every seed and calls `each` with its outcome.
pub fn campaign(
    seeds: Range<u64>,
    mut run: impl FnMut(u64) -> Outcome,
    mut each: impl FnMut(&Outcome),
) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let outcome = run_seed(seed, &mut run);
        each(&outcome);
        match outcome.result {
            Ok(()) => tally.passed += 1,
            Err(_) => {
                tally.failed += 1;
                if tally.failures.len() < FAILURES_MAX {
                    tally.failures.push(outcome);
                }
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fair(seed: u64) -> Outcome {
        assert!(seed != 13, "unlucky");
        let result = if seed % 10 == 7 { Err("seven".to_owned()) } else { Ok(()) };
        Outcome { seed, digest: seed, events: 1, drawn: String::new(), result }
    }

    #[test]
    fn failures_and_panics_are_both_counted() {
        let mut seen = 0;
        let tally = campaign(0..20, fair, |_| seen += 1);
        assert_eq!((seen, tally.passed, tally.failed), (20, 17, 3));
        let why: Vec<_> = tally.failures.iter().map(|o| (o.seed, o.result.clone())).collect();
        assert_eq!(why[1], (13, Err("unlucky".to_owned())));
    }
}
