//! Quantities as people write them: `250us`, `64MiB`, `500/s`, `1Gbit/s`, `5%`, `2x`.
//!
//! Everything becomes an integer without passing through a float, so that the same text means the
//! same number on every platform.

use std::time::Duration;

/// A share in millionths. Measured shares and factors are compared in this unit, so 1,000,000 is
/// "all of it" or "the same as before".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Millionths(pub u64);

/// A number with up to nine decimals, in billionths.
fn decimal(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let written = !whole.is_empty() && (!text.contains('.') || !fraction.is_empty());
    if !written || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole: u128 = whole.replace('_', "").parse().ok().filter(|&n| n < 1 << 64)?;
    let mut billionths: u128 = 0;
    for place in 0..9 {
        let digit = fraction.as_bytes().get(place).map_or(0, |b| b.wrapping_sub(b'0'));
        billionths = billionths * 10 + u128::from(digit.min(9));
    }
    Some(whole * 1_000_000_000 + billionths)
}

/// Splits `12.5ms` into its number, in billionths, and its unit.
fn number_and_unit(text: &str) -> Option<(u128, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    Some((decimal(number)?, unit.trim()))
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (billionths, unit) = number_and_unit(text)?;
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    let product = billionths.checked_mul(u128::from(factor))?;
    if !product.is_multiple_of(1_000_000_000) {
        return None;
    }
    u64::try_from(product / 1_000_000_000).ok()
}

/// A length of time: `7.7us`, `250us`, `30s`, `2min`, `1h`; whole nanoseconds.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: &[(&str, u64)] = &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    scaled(text, UNITS).map(Duration::from_nanos)
}

/// What [`duration`] takes, for messages.
pub const DURATION_WANTED: &str = "a duration such as \"250us\", \"30s\" or \"2min\"";

/// A length in picoseconds, for costs well below a nanosecond: `250ps`, `7.7us`.
pub fn picoseconds(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] =
        &[("ps", 1), ("ns", 1_000), ("us", 1_000_000), ("µs", 1_000_000), ("ms", 1_000_000_000)];
    scaled(text, UNITS)
}

/// Bytes: `100`, `200B`, `64KiB`, `64MiB`, `2GiB`, and the decimal `64kB`, `64MB`, `2GB`.
pub fn bytes(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];
    scaled(text, UNITS)
}

/// What [`bytes()`] takes, for messages.
pub const BYTES_WANTED: &str = "a size such as \"200B\", \"64MiB\" or \"2GB\"";

/// Bytes per second: `100MB/s`, or in bits as networks are sold, `1Gbit/s`.
pub fn bandwidth(text: &str) -> Option<u64> {
    const BITS: &[(&str, u64)] =
        &[("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)];
    let amount = text.trim().strip_suffix("/s")?.trim_end();
    if amount.ends_with("bit") { scaled(amount, BITS).map(|bits| bits / 8) } else { bytes(amount) }
}

/// What [`bandwidth`] takes, for messages.
pub const BANDWIDTH_WANTED: &str = "a bandwidth such as \"1Gbit/s\" or \"60MB/s\"";

/// Things per second, in thousandths: `500/s`, `0.5/s`, `2k/s`.
pub fn rate_milli(text: &str) -> Option<u64> {
    const UNITS: &[(&str, u64)] = &[("", 1_000), ("k", 1_000_000), ("M", 1_000_000_000)];
    scaled(text.trim().strip_suffix("/s")?.trim_end(), UNITS)
}

/// What [`rate_milli`] takes, for messages.
pub const RATE_WANTED: &str = "a rate such as \"500/s\" or \"2k/s\"";

/// A share or a factor: `5%`, `1/10`, `0.25`, `2x`, `1`. May be above one.
pub fn share(text: &str) -> Option<Millionths> {
    let text = text.trim();
    let exact = |billionths: u128, divisor: u128| {
        billionths.is_multiple_of(divisor).then_some(billionths / divisor)
    };
    let millionths = if let Some((num, den)) = text.split_once('/') {
        let (num, den): (u64, u64) = (num.trim().parse().ok()?, den.trim().parse().ok()?);
        (u128::from(num) * 1_000_000).checked_div(u128::from(den))
    } else if let Some(percent) = text.strip_suffix('%') {
        exact(decimal(percent.trim_end())?, 100_000)
    } else {
        exact(decimal(text.strip_suffix('x').unwrap_or(text).trim_end())?, 1_000)
    };
    u64::try_from(millionths?).ok().map(Millionths)
}

/// What [`share`] takes, for messages.
pub const SHARE_WANTED: &str = "a share such as \"5%\" or \"1/10\"";

/// A length of time with the unit that suits it: `4.2 ms`.
pub fn show_duration(ns: u64) -> String {
    match ns {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} us", show_thousandths(ns)),
        1_000_000..1_000_000_000 => format!("{} ms", show_thousandths(ns / 1_000)),
        _ => format!("{} s", show_thousandths(ns / 1_000_000)),
    }
}

/// `n / 1000` with at most three decimals and no trailing zeros.
pub fn show_thousandths(n: u64) -> String {
    let text = format!("{}.{:03}", n / 1_000, n % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Millionths {
    /// The whole: 100 %.
    pub const ONE: Self = Self(1_000_000);

    /// `part` of `whole`; `None` when there is no whole.
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        let share = (u128::from(part) * 1_000_000).checked_div(u128::from(whole))?;
        u64::try_from(share).ok().map(Self)
    }

    /// As a percentage with one decimal: `79.9 %`.
    pub fn percent(self) -> String {
        let tenths = (self.0 + 500) / 1_000;
        format!("{}.{} %", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact() {
        assert_eq!(duration("7.7us"), Some(Duration::from_nanos(7_700)));
        assert_eq!(duration("2min"), Some(Duration::from_secs(120)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        for bad in ["", "5", "s", "-1s", "1.5ns", "1 fortnight", "1..2s", ".5s", "5.s", "1e3s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(duration("99999999999999999999h"), None);
    }

    #[test]
    fn sizes_rates_and_bandwidths_are_exact() {
        assert_eq!(bytes("64MiB"), Some(64 << 20));
        assert_eq!(bytes("1.5kB"), Some(1500));
        assert_eq!(bytes("64mib"), None);
        assert_eq!(rate_milli("2k/s"), Some(2_000_000));
        assert_eq!(rate_milli("0.5/s"), Some(500));
        assert_eq!(rate_milli("500"), None);
        assert_eq!(bandwidth("1Gbit/s"), Some(125_000_000));
        assert_eq!(bandwidth("60MB/s"), Some(60_000_000));
        assert_eq!(picoseconds("7.7us"), Some(7_700_000));
        assert_eq!(picoseconds("250ps"), Some(250));
    }

    #[test]
    fn shares_and_factors_are_millionths() {
        assert_eq!(share("5%"), Some(Millionths(50_000)));
        assert_eq!(share("1/5"), Some(Millionths(200_000)));
        assert_eq!(share("3x"), Some(Millionths(3_000_000)));
        assert_eq!(share("0.25"), Some(Millionths(250_000)));
        for bad in ["", "%", "1/0", "x", "a/b", "-5%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
        assert_eq!(Millionths(799_501).percent(), "80.0 %");
    }

    #[test]
    fn durations_print_in_the_unit_that_suits_them() {
        assert_eq!(show_duration(4_200_000), "4.2 ms");
        assert_eq!(show_duration(999), "999 ns");
        assert_eq!(show_duration(30_000_000_000), "30 s");
        assert_eq!(show_duration(0), "0 s");
    }
}
