//! From words on a command line to [`Config`]: the whole line, and values of every kind.

use super::getopt::{Given, Spec, split};
use super::{Command, Config, check, options};
use core::fmt;
use core::str::FromStr;

/// Names further away than this many changes of a letter are not offered.
const DISTANCE_MAX: usize = 4;

/// A command line that cannot be meant, and what to do about it: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageError {
    message: String,
}

impl UsageError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    pub(super) fn unknown(option: &str, specs: &[Spec]) -> Self {
        let name = option.trim_start_matches('-');
        let near = match name.len() {
            0 | 1 => None,
            _ => nearest(name, specs.iter().map(|spec| spec.long)),
        };
        let advice = match near {
            Some(long) => format!("did you mean --{long}?"),
            None => "-h lists those that exist".to_owned(),
        };
        Self::new(format!("unknown option {option}; {advice}"))
    }

    pub(super) fn no_value(option: &str) -> Self {
        Self::new(format!("option {option} needs a value behind it; -h shows which"))
    }

    pub(super) fn unwanted_value(option: &str) -> Self {
        Self::new(format!("option {option} takes no value; leave out the = and what follows"))
    }

    pub(super) fn stray(word: &str) -> Self {
        Self::new(format!("unexpected word \"{word}\"; options begin with -, and -h lists them"))
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UsageError {}

impl Command {
    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    /// If an option is unknown, lacks its value, or has one that cannot be meant.
    pub fn from_words(words: &[&str]) -> Result<Self, UsageError> {
        let given = split(words, options::SPECS)?;
        for (short, what) in [('h', Self::Help), ('i', Self::License), ('V', Self::Version)] {
            if given.iter().any(|g| g.short == short) {
                return Ok(what);
            }
        }
        let mut reading = options::Reading::default();
        for option in &given {
            reading.apply(option)?;
        }
        Ok(Self::Serve(Box::new(check::finish(reading)?)))
    }
}

impl Config {
    /// Reads a command line that is to serve, as in a scenario file.
    ///
    /// # Errors
    /// As [`Command::from_words`], and if it asks for help or the version.
    pub fn from_words(words: &[&str]) -> Result<Self, UsageError> {
        match Command::from_words(words)? {
            Command::Serve(config) => Ok(*config),
            Command::Help | Command::Version | Command::License => {
                Err(UsageError::new("-h, -i and -V print and end; leave them out to serve"))
            }
        }
    }
}

/// The value of an option cannot be meant. `option` is as it was typed: `-p`, `-o hashpower`.
pub(super) fn bad_value(option: &str, value: &str, wanted: &str) -> UsageError {
    UsageError::new(format!("{option} {value}: expected {wanted}"))
}

/// A number that `accept` agrees to.
pub(super) fn number<T: FromStr>(
    (option, value): (&str, &str),
    wanted: &str,
    accept: impl FnOnce(&T) -> bool,
) -> Result<T, UsageError> {
    value.trim().parse().ok().filter(accept).ok_or_else(|| bad_value(option, value, wanted))
}

/// A decimal fraction as a whole number of `parts`, such as 1.25 in millionths. What lies behind
/// the last part is dropped.
pub(crate) fn fraction(text: &str, parts: u32) -> Option<u32> {
    let (whole, behind) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && behind.is_empty()) || !all_digits(whole) || !all_digits(behind) {
        return None;
    }
    let mut value = match whole {
        "" => 0,
        digits => digits.parse::<u32>().ok()?.checked_mul(parts)?,
    };
    let mut place = parts;
    for digit in behind.bytes() {
        place /= 10;
        value = value.checked_add(u32::from(digit - b'0') * place)?;
    }
    Some(value)
}

/// The name that is least far from a mistyped one, if any is near.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = DISTANCE_MAX.min(typed.len() / 2);
    let extends = |name: &str| typed.len() > 2 && name.starts_with(typed);
    names
        .map(|name| (if extends(name) { 1 } else { distance(typed, name) }, name))
        .filter(|&(far, _)| far <= limit)
        .min_by_key(|&(far, _)| far)
        .map(|(_, name)| name)
}

/// Letters to insert, delete or exchange to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let exchanged = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The first of several options with this letter; for messages.
pub(super) fn dashed(option: &Given<'_>) -> String {
    format!("-{}", option.short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_read_without_floats() {
        assert_eq!(fraction("1.25", 1_000_000), Some(1_250_000));
        assert_eq!(fraction("2", 1000), Some(2000));
        assert_eq!(fraction(".5", 100), Some(50));
        assert_eq!(fraction("0.8", 100), Some(80));
        assert_eq!(fraction("1.23456789", 100), Some(123));
        for bad in ["", ".", "-1", "1,5", "1e3", "99999999999"] {
            assert_eq!(fraction(bad, 1000), None, "{bad}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered() {
        let names = || ["hashpower", "slab_automove", "slab_reassign"].into_iter();
        assert_eq!(nearest("slab_automov", names()), Some("slab_automove"));
        assert_eq!(nearest("hash", names()), Some("hashpower"));
        assert_eq!(nearest("quux", names()), None);
    }
}
