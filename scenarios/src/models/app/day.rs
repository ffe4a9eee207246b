//! How a load changes over a day.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields, wrong};
use crate::tree::Value;
use std::time::Duration;
use storytime_machine::nanos;

/// Most parts of a day.
const PARTS_MAX: usize = 1_440;
/// Highest load of a part, in per cent of what the file says.
const PERCENT_MAX: i64 = 10_000;

/// A day: the load of each of its equal parts, in per cent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    percent: Vec<u32>,
    length: Duration,
}

impl Day {
    /// Reads `day`, and how long one lasts, `day_length`: the whole run, unless the file says.
    ///
    /// # Errors
    /// If it is no list of whole numbers from 1 on, or the day has no length.
    pub fn read(fields: &Fields<'_>, duration: Duration) -> Checked<Option<Self>> {
        const WANTED: &str = "a list of per cents, one for each part of the day";
        let Some(node) = fields.get("day") else { return Ok(None) };
        let Value::List(items) = &node.value else { return Err(wrong(node, "day", WANTED).into()) };
        let mut percent = Vec::new();
        for item in items {
            match item.value {
                Value::Integer(n @ 1..=PERCENT_MAX) => percent.push(n as u32),
                _ => return Err(wrong(item, "day", "a whole number from 1 to 10000").into()),
            }
        }
        let length = fields.quantity("day_length", DURATION, Some(duration))?;
        if percent.is_empty() || percent.len() > PARTS_MAX || length < Duration::from_millis(1) {
            let title = "a day without parts, or without length";
            return Err(Diagnostic::at(&node.span, title, format!("expected {WANTED}")).into());
        }
        Ok(Some(Self { percent, length }))
    }

    /// A mean time between two requests, so long after the day's beginning.
    pub(super) fn stretch(&self, mean: Duration, at: Duration) -> Duration {
        let (length, parts) = (u128::from(nanos(self.length)), self.percent.len() as u128);
        let part = u128::from(nanos(at)) % length * parts / length;
        let percent = u128::from(self.percent[part as usize]);
        let ns = u128::from(nanos(mean)) * 100 / percent;
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_hour_has_short_gaps_and_the_next_day_is_the_same() {
        let day = Day { percent: vec![50, 200], length: Duration::from_secs(10) };
        let at = |s| day.stretch(Duration::from_millis(100), Duration::from_secs(s));
        assert_eq!(
            [0, 4, 5, 9, 10, 15].map(at).map(|d| d.as_millis()),
            [200, 200, 50, 50, 200, 50]
        );
    }
}
