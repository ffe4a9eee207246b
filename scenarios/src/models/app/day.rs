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
    /// The load of all of it: nanoseconds, each times its per cent.
    whole: u128,
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
        Ok(Some(Self::new(percent, length)))
    }

    fn new(percent: Vec<u32>, length: Duration) -> Self {
        let mut day = Self { percent, length, whole: 0 };
        let spans = (0..day.percent.len() as u128).map(|n| {
            let span = day.ends(n) - n.checked_sub(1).map_or(0, |before| day.ends(before));
            span * u128::from(day.percent[n as usize])
        });
        day.whole = spans.sum();
        day
    }

    /// Where a part ends, nanoseconds from the day's beginning.
    fn ends(&self, part: u128) -> u128 {
        ((part + 1) * u128::from(nanos(self.length))).div_ceil(self.percent.len() as u128)
    }

    /// How long a time between two requests becomes that begins so long after the day did. It goes
    /// through as many parts of the day as it takes: at night one may last until the morning.
    pub(super) fn stretch(&self, gap: Duration, at: Duration) -> Duration {
        let (length, parts) = (u128::from(nanos(self.length)), self.percent.len() as u128);
        let mut left = u128::from(nanos(gap)) * 100;
        let mut ns = left / self.whole * length;
        left %= self.whole;
        let mut now = u128::from(nanos(at)) % length;
        loop {
            let part = now * parts / length;
            let percent = u128::from(self.percent[part as usize]);
            let room = self.ends(part) - now;
            if left <= room * percent {
                ns += left / percent;
                return Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
            }
            left -= room * percent;
            ns += room;
            now = self.ends(part) % length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_hour_has_short_gaps_and_the_next_day_is_the_same() {
        let day = Day::new(vec![50, 200], Duration::from_secs(10));
        let at = |s| day.stretch(Duration::from_millis(100), Duration::from_secs(s));
        assert_eq!(
            [0, 4, 5, 9, 10, 15].map(at).map(|d| d.as_millis()),
            [200, 200, 50, 50, 200, 50]
        );
    }

    #[test]
    fn a_long_gap_goes_through_the_day_and_through_whole_days() {
        let day = Day::new(vec![50, 200], Duration::from_secs(10));
        let at = |gap, s| day.stretch(Duration::from_millis(gap), Duration::from_secs(s));
        // Half a day at 50 % is 2.5 s of it, and half a day at 200 % is 10 s.
        assert_eq!(at(5_000, 0).as_millis(), 6_250);
        assert_eq!(at(11_000, 6).as_millis(), 4_000 + 5_000 + 250);
        assert_eq!(at(2 * 12_500 + 5_000, 0).as_millis(), 20_000 + 6_250);
    }
}
