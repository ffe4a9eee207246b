//! Many seeds: on several threads, one world per thread, in partitions for several machines.

use crate::run::Run;
use crate::simulate::{Options, run_simulated};
use crate::story::Story;
use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most threads.
pub const JOBS_MAX: u32 = 256;

/// Which seeds are run, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds, all partitions together.
    pub seeds: u64,
    /// Threads.
    pub jobs: u32,
    /// Which part of the seeds.
    pub partition: Partition,
}

/// The `part`-th of `parts`: seeds are dealt in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Which part, from 1.
    pub part: u64,
    /// How many parts.
    pub parts: u64,
}

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// Seeds of this partition.
    pub seeds: u64,
    /// Of these, done.
    pub done: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Events of all runs.
    pub events: u64,
    /// Digests of all runs, combined so that their order does not matter.
    pub digest: u64,
}

impl Partition {
    /// All seeds.
    pub const WHOLE: Self = Self { part: 1, parts: 1 };
}

impl FromStr for Partition {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected a partition such as 1/4: the first of four";
        let (part, parts) = text.split_once('/').ok_or(WANTED)?;
        let (part, parts) = (part.parse().map_err(|_| WANTED)?, parts.parse().map_err(|_| WANTED)?);
        if part == 0 || part > parts {
            return Err(WANTED);
        }
        Ok(Self { part, parts })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.parts)
    }
}

impl Campaign {
    /// The seeds of this partition.
    pub fn seeds(&self) -> impl Iterator<Item = u64> + use<> {
        let (first, seeds, Partition { part, parts }) =
            (self.first_seed, self.seeds, self.partition);
        assert!(part >= 1 && part <= parts, "parts are counted from 1");
        let step = usize::try_from(parts).unwrap_or(usize::MAX);
        (part - 1..seeds).step_by(step).map(move |n| first.wrapping_add(n))
    }

    /// Runs the seeds. `told` hears of every finished run, and of what failed in it, from one
    /// thread at a time; seeds finish in any order.
    pub fn run(&self, story: &Story, told: &mut Told<'_>) -> Progress {
        let seeds: Vec<u64> = self.seeds().collect();
        let progress = Progress { seeds: seeds.len() as u64, ..Progress::default() };
        let shared = Mutex::new((progress, told));
        let next = AtomicU64::new(0);
        let work = || {
            while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let run = run_simulated(story, seed, Options::default());
                let failure = run.first_failure(story);
                let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let (progress, told) = &mut *guard;
                progress.done += 1;
                progress.failed += u64::from(failure.is_some());
                progress.events += run.events();
                let mixed = storytime_machine::hash::fold(seed, run.digest());
                progress.digest = progress.digest.wrapping_add(mixed);
                told(&run, failure.as_deref(), *progress);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.jobs.clamp(1, JOBS_MAX) {
                scope.spawn(work);
            }
            work();
        });
        shared.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Hears of a finished run, of what failed in it, and of how far the campaign has come.
pub type Told<'a> = dyn FnMut(&Run, Option<&str>, Progress) + Send + 'a;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_share_the_seeds_without_overlap() {
        let all = |part| Campaign {
            first_seed: 10,
            seeds: 7,
            jobs: 1,
            partition: Partition { part, parts: 3 },
        };
        assert_eq!(all(1).seeds().collect::<Vec<_>>(), [10, 13, 16]);
        assert_eq!(all(2).seeds().collect::<Vec<_>>(), [11, 14]);
        assert_eq!(all(3).seeds().collect::<Vec<_>>(), [12, 15]);
    }

    #[test]
    fn partitions_parse_and_refuse() {
        assert_eq!("2/4".parse(), Ok(Partition { part: 2, parts: 4 }));
        for bad in ["", "2", "0/4", "5/4", "a/b", "1/0"] {
            assert!(bad.parse::<Partition>().is_err(), "{bad}");
        }
    }
}
