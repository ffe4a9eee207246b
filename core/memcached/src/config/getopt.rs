//! Splits words into options as getopt does: `-m64`, `-m 64`, `-vvd`, `--memory-limit=64`,
//! `--memory-limit 64`.

use super::UsageError;

/// One option that exists.
pub(super) struct Spec {
    pub(super) short: char,
    pub(super) long: &'static str,
    pub(super) takes_value: bool,
}

/// One option that was given, with its value where it takes one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<'a> {
    pub(super) short: char,
    pub(super) value: &'a str,
}

pub(super) fn split<'a>(words: &[&'a str], specs: &[Spec]) -> Result<Vec<Given<'a>>, UsageError> {
    let mut given = Vec::new();
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        if let Some(long) = word.strip_prefix("--") {
            let (name, inline) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let spec = specs
                .iter()
                .find(|spec| spec.long == name)
                .ok_or_else(|| UsageError::unknown(&format!("--{name}"), specs))?;
            let value = match (spec.takes_value, inline) {
                (true, Some(value)) => value,
                (true, None) => words
                    .next()
                    .copied()
                    .ok_or_else(|| UsageError::no_value(&format!("--{name}")))?,
                (false, None) => "",
                (false, Some(_)) => return Err(UsageError::unwanted_value(&format!("--{name}"))),
            };
            given.push(Given { short: spec.short, value });
        } else if let Some(letters) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            bundle(letters, &mut words, specs, &mut given)?;
        } else {
            return Err(UsageError::stray(word));
        }
    }
    Ok(given)
}

/// Short options in one word; the first that takes a value takes the rest, or the next word.
fn bundle<'a>(
    letters: &'a str,
    words: &mut core::slice::Iter<'_, &'a str>,
    specs: &[Spec],
    given: &mut Vec<Given<'a>>,
) -> Result<(), UsageError> {
    for (at, letter) in letters.char_indices() {
        let spec = specs
            .iter()
            .find(|spec| spec.short == letter)
            .ok_or_else(|| UsageError::unknown(&format!("-{letter}"), specs))?;
        if !spec.takes_value {
            given.push(Given { short: letter, value: "" });
            continue;
        }
        let rest = &letters[at + letter.len_utf8()..];
        let value = if rest.is_empty() {
            words.next().copied().ok_or_else(|| UsageError::no_value(&format!("-{letter}")))?
        } else {
            rest
        };
        given.push(Given { short: letter, value });
        return Ok(());
    }
    Ok(())
}
