//! What the values of flags say.

use super::flags::Given;
use super::{JOBS_BYTES_CAP, PACKET_BYTES_CAP};
use crate::PORT;
use core::str::FromStr;
use core::time::Duration;
use storytime_machine::UsageError;
use storytime_machine::disk::path_is_valid;

/// What a handle's number and colon leave of 64 bytes.
const HANDLE_PREFIX_BYTES_MAX: usize = 42;
/// Shortest limit on packets that can be asked for, bytes.
const PACKET_BYTES_LEAST: usize = 64 << 10;
/// Least memory for jobs that can be asked for, bytes.
const JOBS_BYTES_LEAST: u64 = 1 << 20;

pub(super) fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

pub(super) fn wrong(given: Given<'_>) -> UsageError {
    let Given { flag, value } = given;
    UsageError(format!("the argument ('{value}') for option '--{}' is invalid", flag.long))
}

/// A number of a type, and which those are.
pub(super) trait Whole: FromStr {
    const LEAST: i64;
    const MOST: u64;
}

macro_rules! whole {
    ($($number:ty),*) => {
        $(impl Whole for $number {
            const LEAST: i64 = <$number>::MIN as i64;
            const MOST: u64 = <$number>::MAX as u64;
        })*
    };
}

whole!(u16, u32, u64, i32, i64);

pub(super) fn number<N: Whole>(given: Given<'_>) -> Result<N, UsageError> {
    given.value.parse().map_err(|_| {
        let (least, most) = (N::LEAST, N::MOST);
        UsageError(format!("{}; expected a number, {least} to {most}", wrong(given)))
    })
}

pub(super) fn micros(given: Given<'_>) -> Result<Duration, UsageError> {
    Ok(Duration::from_micros(number::<u32>(given)?.into()))
}

/// A number, or the service's name.
pub(super) fn port(given: Given<'_>) -> Result<Option<u16>, UsageError> {
    match given.value {
        "" => Ok(None),
        "gearman" => Ok(Some(PORT)),
        _ => number(given).map(Some),
    }
}

pub(super) fn one_of(given: Given<'_>, words: [&str; 2]) -> Result<usize, UsageError> {
    let found = words.iter().position(|word| *word == given.value);
    let [one, other] = words;
    let expected = || UsageError(format!("{}; expected {one} or {other}", wrong(given)));
    found.ok_or_else(expected)
}

/// Handles are separated by NUL, tab and white space: none of these may be in them.
pub(super) fn prefix(given: Given<'_>) -> Result<String, UsageError> {
    let word = given.value;
    let fits = (1..=HANDLE_PREFIX_BYTES_MAX).contains(&word.len());
    if fits && word.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(word.to_owned());
    }
    Err(UsageError(format!(
        "{}; expected 1 to {HANDLE_PREFIX_BYTES_MAX} letters, digits or signs",
        wrong(given)
    )))
}

pub(super) fn folder(given: Given<'_>) -> Result<String, UsageError> {
    let dir = given.value.trim_end_matches('/');
    let below = dir.trim_start_matches('/');
    if !below.is_empty() && path_is_valid(below.as_bytes()) {
        return Ok(dir.to_owned());
    }
    Err(UsageError(format!("{}; expected a folder, without . and ..", wrong(given))))
}

pub(super) fn bytes(given: Given<'_>) -> Result<usize, UsageError> {
    let n = scaled(given.value).filter(|n| (PACKET_BYTES_LEAST..=PACKET_BYTES_CAP).contains(n));
    n.ok_or_else(|| UsageError(format!("{}; expected 64k to 1g", wrong(given))))
}

pub(super) fn memory(given: Given<'_>) -> Result<u64, UsageError> {
    let n = scaled(given.value).map(|n| n as u64);
    let n = n.filter(|n| (JOBS_BYTES_LEAST..=JOBS_BYTES_CAP).contains(n));
    n.ok_or_else(|| UsageError(format!("{}; expected 1m to 1024g", wrong(given))))
}

/// A number, or one of kilobytes, megabytes, gigabytes.
pub(crate) fn scaled(value: &str) -> Option<usize> {
    let value = value.to_ascii_lowercase();
    let (digits, shift) = match value.as_bytes().last() {
        Some(b'k') => (&value[..value.len() - 1], 10),
        Some(b'm') => (&value[..value.len() - 1], 20),
        Some(b'g') => (&value[..value.len() - 1], 30),
        _ => (&value[..], 0),
    };
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}
