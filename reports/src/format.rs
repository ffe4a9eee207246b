//! How numbers are written for people: three significant figures, with a prefix and a unit.
//!
//! Counts are the exception: below ten million they are written out, because a loss of one write
//! in twelve thousand must not vanish in rounding. Prefixes are decimal: a kilobyte has 1,000
//! bytes.
//!
//! Not modelled: other languages' digit groups and decimal marks.

use crate::model::Unit;

/// Counts below this are written out in full.
const COUNT_EXACT_BELOW: f64 = 10_000_000.0;

/// Factor and symbol of each decimal prefix, greatest first.
const PREFIXES: [(f64, &str); 5] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")];

/// Seconds in, and symbol of, each unit of time up to the second, greatest first.
const TIMES: [(f64, &str); 4] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];

/// Seconds in a minute, an hour and a day.
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;
const DAY: f64 = 86_400.0;

/// A value with its unit, e.g. `12.3 k/s`, `4.2 ms`, `3.1 MB`, `87.5 %`, `12,345`.
///
/// ```
/// use storytime_reports::{format::figure, model::Unit};
/// assert_eq!(figure(12_345.0, &Unit::PerSecond), "12.3 k/s");
/// assert_eq!(figure(12_345.0, &Unit::Count), "12,345");
/// assert_eq!(figure(0.0042, &Unit::Seconds), "4.2 ms");
/// ```
pub fn figure(value: f64, unit: &Unit) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    match unit {
        Unit::Count => count(value),
        Unit::PerSecond => prefixed(value, "/s"),
        Unit::Seconds => seconds(value),
        Unit::Nanoseconds => seconds(value / 1e9),
        Unit::Bytes => prefixed(value, "B"),
        Unit::BytesPerSecond => prefixed(value, "B/s"),
        Unit::Share => format!("{} %", share(value * 100.0)),
        Unit::Named(name) => format!("{} {name}", count(value)),
    }
}

/// A length of time given in nanoseconds, e.g. `4.2 ms`, `1 min 30 s`.
pub fn duration(ns: u64) -> String {
    seconds(ns as f64 / 1e9)
}

/// A whole number in full, its digits in groups of three: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The first letter in upper case, for sentences that begin with a phrase.
pub fn sentence(phrase: &str) -> String {
    let mut chars = phrase.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// What to divide an axis' values by, and the symbol that then stands in its heading.
///
/// `greatest` is the greatest absolute value on the axis, in `unit`.
pub(crate) fn axis_scale(greatest: f64, unit: &Unit) -> (f64, String) {
    assert!(greatest >= 0.0, "an absolute value is never negative");
    let prefix =
        || PREFIXES.into_iter().find(|(factor, _)| greatest >= *factor).unwrap_or(PREFIXES[4]);
    match unit {
        Unit::Count if greatest < 1e6 => (1.0, String::new()),
        Unit::Count => (1e6, "millions".to_owned()),
        Unit::PerSecond => (prefix().0, format!("{}/s", prefix().1)),
        Unit::Seconds => time_scale(greatest),
        Unit::Nanoseconds => {
            let (factor, symbol) = time_scale(greatest / 1e9);
            (factor * 1e9, symbol)
        }
        Unit::Bytes => (prefix().0, format!("{}B", prefix().1)),
        Unit::BytesPerSecond => (prefix().0, format!("{}B/s", prefix().1)),
        Unit::Share => (0.01, "%".to_owned()),
        Unit::Named(name) => (1.0, name.clone()),
    }
}

fn time_scale(greatest: f64) -> (f64, String) {
    let long = [(3.0 * DAY, DAY, "days"), (3.0 * HOUR, HOUR, "h"), (5.0 * MINUTE, MINUTE, "min")];
    if let Some((_, factor, symbol)) = long.into_iter().find(|(least, ..)| greatest >= *least) {
        return (factor, symbol.to_owned());
    }
    let (factor, symbol) = TIMES
        .into_iter()
        .find(|(factor, _)| greatest >= *factor)
        .unwrap_or(if greatest == 0.0 { TIMES[0] } else { TIMES[3] });
    (factor, symbol.to_owned())
}

fn count(value: f64) -> String {
    let whole = value.fract() == 0.0;
    if whole && value.abs() < COUNT_EXACT_BELOW {
        let sign = if value < 0.0 { "−" } else { "" };
        return format!("{sign}{}", grouped(value.abs() as u64));
    }
    prefixed(value, "")
}

/// Percentages near 100 keep the digits that tell them from 100.
fn share(percent: f64) -> String {
    let missing = (100.0 - percent).abs();
    if missing > 0.0 && missing < 0.1 {
        return if missing < 0.001 { format!("{percent:.4}") } else { format!("{percent:.3}") };
    }
    significant(percent)
}

fn prefixed(value: f64, unit: &str) -> String {
    // Rounded first, so that 999.6 k becomes 1 M and not 1000 k.
    let rounded = round(value).abs();
    let (factor, prefix) =
        PREFIXES.into_iter().find(|(factor, _)| rounded >= *factor).unwrap_or(PREFIXES[4]);
    let number = significant(value / factor);
    let symbol = format!("{prefix}{unit}");
    match symbol.is_empty() {
        true => number,
        // `40/s`, but `40 k/s`: a slash clings to a bare number.
        false if symbol.starts_with('/') => format!("{number}{symbol}"),
        false => format!("{number} {symbol}"),
    }
}

fn seconds(value: f64) -> String {
    let rounded = round(value).abs();
    if rounded >= 100.0 {
        return long_time(value);
    }
    let (factor, symbol) = TIMES
        .into_iter()
        .find(|(factor, _)| rounded >= *factor * 0.999_999)
        .unwrap_or(if rounded == 0.0 { TIMES[0] } else { TIMES[3] });
    format!("{} {symbol}", significant(value / factor))
}

/// Two neighbouring units, e.g. `2 h 5 min`, once seconds alone are hard to read.
fn long_time(value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let whole = value.abs().round();
    let ladder = [(DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", 1.0, "s")];
    let (major, major_name, minor, minor_name) = ladder
        .into_iter()
        .find(|(major, ..)| whole >= *major)
        .expect("callers pass at least 100 seconds, which is more than a minute");
    let (high, low) = ((whole / major).floor(), (whole % major / minor).floor());
    match low > 0.0 {
        true => format!("{sign}{high} {major_name} {low} {minor_name}"),
        false => format!("{sign}{high} {major_name}"),
    }
}

/// To three significant figures.
fn round(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    let factor = 10f64.powi(digits);
    let rounded = (value * factor).round() / factor;
    if rounded.is_finite() { rounded } else { value }
}

/// Three significant figures without trailing zeros, and with a proper minus sign.
fn significant(value: f64) -> String {
    let rounded = round(value);
    let text = match rounded.abs() {
        size if size >= 100.0 => format!("{:.0}", rounded.abs()),
        size if size >= 10.0 => format!("{size:.1}"),
        size if size >= 1.0 => format!("{size:.2}"),
        size => format!("{size:.4}"),
    };
    let trimmed = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    let sign = if rounded < 0.0 && trimmed != "0" { "−" } else { "" };
    format!("{sign}{trimmed}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_three_figures_and_a_prefix() {
        let rates = [
            (0.0, "0/s"),
            (0.25, "0.25/s"),
            (40.0, "40/s"),
            (999.6, "1 k/s"),
            (12_345.0, "12.3 k/s"),
            (999_600.0, "1 M/s"),
            (-1_500.0, "−1.5 k/s"),
            (3.1e15, "3100 T/s"),
        ];
        for (value, text) in rates {
            assert_eq!(figure(value, &Unit::PerSecond), text);
        }
        assert_eq!(figure(3_100_000.0, &Unit::Bytes), "3.1 MB");
        assert_eq!(figure(512.0, &Unit::BytesPerSecond), "512 B/s");
    }

    #[test]
    fn counts_are_written_out_while_they_are_whole_and_small() {
        assert_eq!(figure(12_345.0, &Unit::Count), "12,345");
        assert_eq!(figure(9_999_999.0, &Unit::Count), "9,999,999");
        assert_eq!(figure(12_345_678.0, &Unit::Count), "12.3 M");
        assert_eq!(figure(1.5, &Unit::Count), "1.5");
        assert_eq!(figure(4.0, &Unit::Named("servers".into())), "4 servers");
    }

    #[test]
    fn times_pick_the_unit_that_reads_best() {
        let times = [
            (0.0, "0 s"),
            (4.2e-9, "4.2 ns"),
            (12e-6, "12 µs"),
            (0.0042, "4.2 ms"),
            (0.9999, "1 s"),
            (61.25, "61.3 s"),
            (150.0, "2 min 30 s"),
            (7_500.0, "2 h 5 min"),
            (86_400.0, "1 d"),
        ];
        for (value, text) in times {
            assert_eq!(figure(value, &Unit::Seconds), text);
            assert_eq!(figure(value * 1e9, &Unit::Nanoseconds), text);
        }
    }

    #[test]
    fn a_share_just_below_the_whole_does_not_read_as_the_whole() {
        assert_eq!(figure(0.875, &Unit::Share), "87.5 %");
        assert_eq!(figure(1.0, &Unit::Share), "100 %");
        assert_eq!(figure(0.99995, &Unit::Share), "99.995 %");
        assert_eq!(figure(0.9999992, &Unit::Share), "99.9999 %");
    }

    #[test]
    fn what_is_not_a_number_is_a_dash() {
        assert_eq!(figure(f64::NAN, &Unit::Count), "–");
        assert_eq!(figure(f64::INFINITY, &Unit::Seconds), "–");
    }
}
