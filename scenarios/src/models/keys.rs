//! Which key is asked for next.
//!
//! Zipf's law with exponent 1 by a cumulative table of integers and binary search: exact, the same
//! on every platform, one random number per draw.

use crate::story::Skew;
use std::cell::Cell;
use storytime_machine::Rng;

/// Weight of the most popular key. The n-th has this divided by n, so the table of the largest
/// number of keys still gives the last of them a weight.
const ZIPF_WEIGHT: u64 = 1 << 40;

/// Draws keys.
#[derive(Clone, Debug)]
pub enum Keys {
    /// All alike.
    Uniform {
        /// How many.
        keys: u32,
    },
    /// In turn.
    Scan {
        /// How many.
        keys: u32,
        /// The next one.
        next: Cell<u32>,
    },
    /// By popularity.
    Zipf {
        /// Sums of the weights up to and with each key.
        cumulative: Vec<u64>,
    },
}

impl Keys {
    /// Draws from `keys` keys.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(skew: Skew, keys: u32) -> Self {
        assert!(keys > 0, "there is a key to ask for");
        match skew {
            Skew::Uniform => Self::Uniform { keys },
            Skew::Scan => Self::Scan { keys, next: Cell::new(0) },
            Skew::Zipf => {
                let mut sum = 0;
                let weight = |n: u32| {
                    sum += ZIPF_WEIGHT / u64::from(n);
                    sum
                };
                Self::Zipf { cumulative: (1..=keys).map(weight).collect() }
            }
        }
    }

    /// The next key, from 0; with Zipf's law the most popular is 0.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u32 {
        match self {
            Self::Uniform { keys } => rng.below(u64::from(*keys)) as u32,
            Self::Scan { keys, next } => next.replace((next.get() + 1) % keys),
            Self::Zipf { cumulative } => {
                let total = cumulative[cumulative.len() - 1];
                let drawn = rng.below(total);
                cumulative.partition_point(|&sum| sum <= drawn) as u32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_key_comes_a_nth_as_often_as_the_first() {
        let keys = Keys::new(Skew::Zipf, 100);
        let mut rng = Rng::new(1, 1);
        let mut counts = [0_u64; 100];
        for _ in 0..200_000 {
            counts[keys.draw(&mut rng) as usize] += 1;
        }
        for n in [2, 4, 10] {
            let ratio = counts[0] * 100 / counts[n - 1];
            assert!(ratio.abs_diff(n as u64 * 100) < n as u64 * 10, "{n}: {ratio}");
        }
        assert!(counts.iter().all(|&n| n > 0), "even the last key is asked for");
    }

    #[test]
    fn a_scan_goes_round() {
        let keys = Keys::new(Skew::Scan, 3);
        let mut rng = Rng::new(1, 1);
        let drawn: Vec<u32> = (0..5).map(|_| keys.draw(&mut rng)).collect();
        assert_eq!(drawn, [0, 1, 2, 0, 1]);
    }

    #[test]
    fn uniform_draws_reach_every_key_alike() {
        let keys = Keys::new(Skew::Uniform, 10);
        let mut rng = Rng::new(1, 1);
        let mut counts = [0_u64; 10];
        for _ in 0..10_000 {
            counts[keys.draw(&mut rng) as usize] += 1;
        }
        assert!(counts.iter().all(|&n| (800..1_200).contains(&n)), "{counts:?}");
    }
}
