//! How many turns the sides of a comparison have, and how long one is.

use std::time::Duration;

/// Most turns of each side, and the longest: the whole stays within minutes.
const ROUNDS_MAX: u32 = 50;
const SECONDS_MAX: u64 = 60;

/// Turns of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// How many.
    pub rounds: u32,
    /// How long each of them is.
    pub length: Duration,
}

impl Turns {
    /// So many of so many seconds, if not said otherwise.
    pub const fn new(rounds: u32, seconds: u64) -> Self {
        Self { rounds, length: Duration::from_secs(seconds) }
    }

    /// Takes `--rounds` or `--seconds` with the value behind it; whether the word was one of them.
    ///
    /// # Errors
    /// If the value is missing, or out of bounds; in words.
    pub fn take(
        &mut self,
        word: &str,
        value: impl FnOnce() -> Result<String, String>,
    ) -> Result<bool, String> {
        match word {
            "--rounds" => match value()?.parse() {
                Ok(rounds @ 1..=ROUNDS_MAX) => self.rounds = rounds,
                _ => return Err(format!("--rounds: 1 to {ROUNDS_MAX}")),
            },
            "--seconds" => match value()?.parse() {
                Ok(seconds @ 1..=SECONDS_MAX) => self.length = Duration::from_secs(seconds),
                _ => return Err(format!("--seconds: 1 to {SECONDS_MAX}")),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_options_are_bounded_and_no_other_is_taken() {
        let mut turns = Turns::new(5, 1);
        let mut take = |word: &str, value: &str| turns.take(word, || Ok(value.to_owned()));
        assert_eq!(take("--rounds", "3"), Ok(true));
        assert_eq!(take("--seconds", "2"), Ok(true));
        assert_eq!(take("--ours", "2"), Ok(false));
        assert_eq!(take("--rounds", "0"), Err("--rounds: 1 to 50".to_owned()));
        assert_eq!(take("--seconds", "61"), Err("--seconds: 1 to 60".to_owned()));
        assert_eq!(turns, Turns::new(3, 2));
    }
}
