//! The choices that a power cut makes, one by one, so that crash states can be drawn or enumerated.

use super::pages::SECTOR_BYTES;
use core::fmt;
use core::str::FromStr;
use storytime_machine::{Ratio, Rng};

/// Decides what survives a power cut.
///
/// Options of every choice are numbered from 0, the oldest state (nothing of it happened), to the
/// last, the newest (all of it happened). Which choices are asked, and in which order, depends only
/// on the disk's state and on the answers so far.
pub trait Chooser {
    /// One of `options` (at least 2); an answer out of range counts as the last.
    fn choose(&mut self, choice: Choice, options: u32) -> u32;

    /// How many leading bytes of a surviving sector version reached the medium, of
    /// [`SECTOR_BYTES`]; the rest is older, or garbage under the hostile profile.
    fn tear(&mut self, sector: u64) -> usize {
        let _ = sector;
        SECTOR_BYTES
    }
}

/// What is being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// How many steps of the queued operations of one file (or, `None`, on names) had been carried
    /// out: a write is one step per page, anything else is one.
    InFlight {
        /// Which file, by the disk's number.
        file: Option<u32>,
    },
    /// Under the friendly profile, the last version of anything that survives.
    Moment,
    /// The version of a sector.
    Sector {
        /// Which file.
        file: u32,
        /// Which sector of it.
        sector: u64,
    },
    /// The length of a file.
    Length {
        /// Which file.
        file: u32,
    },
    /// How many changes of one directory survive.
    Names {
        /// Which directory, by the disk's number; 0 is the root.
        directory: u32,
    },
    /// Whether one change of names survives; the hostile profile only.
    Change {
        /// Its place in the log.
        index: u32,
    },
    /// Whether an acknowledged sector in a lying drive's cache had been written.
    InDrive {
        /// Which file.
        file: u32,
        /// Which sector of it.
        sector: u64,
    },
}

/// Ready-made ways to choose. An enumerator cuts a clone of the disk with `Nothing`, reads
/// [`Plan::asked`], and then tries `Only` and `AllBut` each number below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPlan {
    /// The oldest state of everything: only what was flushed.
    Nothing,
    /// The newest state of everything.
    Everything,
    /// The newest state of one choice, by its number, and the oldest of all others.
    Only(u32),
    /// The oldest state of one choice and the newest of all others.
    AllBut(u32),
    /// The newest state of the choices whose bits are set, lowest bit first, and the oldest of all
    /// others: counting up tries every combination of the first choices.
    Mask(u64),
    /// At random. Each plan draws a leaning first: none, towards the newest, or towards the oldest;
    /// otherwise states in which nearly everything survived would almost never be seen.
    Random {
        /// Of the stream that is drawn from.
        seed: u64,
        /// How often a surviving sector is torn.
        tears: Ratio,
    },
}

impl fmt::Display for CrashPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Everything => f.write_str("everything"),
            Self::Only(choice) => write!(f, "only:{choice}"),
            Self::AllBut(choice) => write!(f, "all-but:{choice}"),
            Self::Mask(mask) => write!(f, "mask:{mask}"),
            Self::Random { seed, tears } => write!(f, "random:{seed}:{tears}"),
        }
    }
}

impl FromStr for CrashPlan {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a crash plan such as nothing, everything or only:3";
        let (kind, rest) = s.split_once(':').unwrap_or((s, ""));
        let choice = || rest.parse().map_err(|_| EXPECTED);
        match kind {
            "nothing" if rest.is_empty() => Ok(Self::Nothing),
            "everything" if rest.is_empty() => Ok(Self::Everything),
            "only" => Ok(Self::Only(choice()?)),
            "all-but" => Ok(Self::AllBut(choice()?)),
            "mask" => Ok(Self::Mask(rest.parse().map_err(|_| EXPECTED)?)),
            "random" => {
                let (seed, tears) = rest.split_once(':').ok_or(EXPECTED)?;
                let seed = seed.parse().map_err(|_| EXPECTED)?;
                Ok(Self::Random { seed, tears: tears.parse().map_err(|_| EXPECTED)? })
            }
            _ => Err(EXPECTED),
        }
    }
}

/// A plan at work.
#[derive(Clone, Debug)]
pub struct Plan {
    plan: CrashPlan,
    leaning: Leaning,
    rng: Rng,
    asked: u32,
}

/// What a random plan prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaning {
    None,
    Newest,
    Oldest,
}

/// How often a plan with a leaning follows it without drawing among all options.
const LEANS: Ratio = Ratio::new(15, 16);
/// How often a plan with a leaning considers a tear at all.
const TEARS_CONSIDERED: Ratio = Ratio::new(1, 8);

impl Plan {
    /// Begins.
    pub fn new(plan: CrashPlan) -> Self {
        let CrashPlan::Random { seed, .. } = plan else {
            return Self { plan, leaning: Leaning::None, rng: Rng::new(0, 0), asked: 0 };
        };
        let mut rng = Rng::new(seed, 0);
        let leaning = match rng.below(4) {
            0 => Leaning::Newest,
            1 => Leaning::Oldest,
            _ => Leaning::None,
        };
        Self { plan, leaning, rng, asked: 0 }
    }

    /// Choices asked so far.
    pub const fn asked(&self) -> u32 {
        self.asked
    }
}

impl Chooser for Plan {
    fn choose(&mut self, _choice: Choice, options: u32) -> u32 {
        assert!(options >= 2, "a choice has options");
        let number = self.asked;
        self.asked += 1;
        let newest = |yes: bool| if yes { options - 1 } else { 0 };
        match self.plan {
            CrashPlan::Nothing => 0,
            CrashPlan::Everything => options - 1,
            CrashPlan::Only(only) => newest(only == number),
            CrashPlan::AllBut(but) => newest(but != number),
            CrashPlan::Mask(mask) => newest(mask.checked_shr(number).unwrap_or(0) & 1 == 1),
            CrashPlan::Random { .. } => {
                if self.leaning != Leaning::None && self.rng.chance(LEANS) {
                    return newest(self.leaning == Leaning::Newest);
                }
                self.rng.below(u64::from(options)) as u32
            }
        }
    }

    fn tear(&mut self, _sector: u64) -> usize {
        let CrashPlan::Random { tears, .. } = self.plan else { return SECTOR_BYTES };
        let considered = self.leaning == Leaning::None || self.rng.chance(TEARS_CONSIDERED);
        let torn = considered && self.rng.chance(tears);
        if torn { self.rng.index(SECTOR_BYTES) } else { SECTOR_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_print_as_they_parse() {
        let random = CrashPlan::Random { seed: u64::MAX, tears: Ratio::new(1, 8) };
        let (only, but) = (CrashPlan::Only(3), CrashPlan::AllBut(0));
        let plans = [CrashPlan::Nothing, CrashPlan::Everything, only, but, random];
        for plan in plans.into_iter().chain([CrashPlan::Mask(5)]) {
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
        for bad in ["", "some", "only", "only:x", "random:1", "nothing:1"] {
            assert!(bad.parse::<CrashPlan>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mask_takes_the_newest_of_the_choices_whose_bits_are_set() {
        let mut plan = Plan::new(CrashPlan::Mask(0b101));
        let chosen: Vec<u32> = (0..70).map(|_| plan.choose(Choice::Moment, 4)).collect();
        assert_eq!(&chosen[..4], &[3, 0, 3, 0]);
        assert!(chosen[4..].iter().all(|&chosen| chosen == 0), "beyond the mask nothing survives");
    }
}
