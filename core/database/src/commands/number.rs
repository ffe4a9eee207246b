//! Numbers in requests and values.

use super::Fault;
use super::fault::{BAD_NUMBER, BAD_TABLE, NOT_FLOAT, NOT_INTEGER};
use crate::resp::request;

/// Longest name of a table, bytes.
pub(super) const TABLE_BYTES_MAX: usize = 64;
/// Digits behind the point of sums of decimals.
const FRACTION_DIGITS: u32 = 17;
/// One, at that scale.
const ONE: i128 = 10i128.pow(FRACTION_DIGITS);
/// Most digits of a number that is summed exactly.
const EXACT_DIGITS_MAX: usize = 20;
/// Largest power of ten that fits 127 bits.
const POWER_MAX: u32 = 38;

/// A whole number.
pub(crate) fn integer(text: &[u8]) -> Result<i64, Fault> {
    request::integer(text).ok_or(NOT_INTEGER)
}

/// An owner or item.
pub(super) fn id(text: &[u8]) -> Result<u64, Fault> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let text = core::str::from_utf8(text).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(BAD_NUMBER)
}

/// The name of a table.
pub(super) fn table(name: &[u8]) -> Result<&[u8], Fault> {
    match name.len() {
        1..=TABLE_BYTES_MAX => Ok(name),
        _ => Err(BAD_TABLE),
    }
}

/// A number, infinities included.
pub(super) fn float(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?;
    let n: f64 = text.parse().ok()?;
    (!n.is_nan()).then_some(n)
}

/// The sum of two numbers as text, both in decimal: exact to 17 digits behind the point.
///
/// # Errors
/// If one is no number. `None` if the sum is none.
pub(super) fn sum(left: &[u8], right: &[u8]) -> Result<Option<String>, Fault> {
    let (a, b) = (float(left).ok_or(NOT_FLOAT)?, float(right).ok_or(NOT_FLOAT)?);
    if let (Some(a), Some(b)) = (decimal(left), decimal(right))
        && let Some(sum) = a.checked_add(b)
    {
        return Ok(Some(text_of(sum)));
    }
    let sum = a + b;
    if sum.is_nan() || sum.is_infinite() {
        return Ok(None);
    }
    let text = format!("{sum:.17}");
    Ok(Some(text.trim_end_matches('0').trim_end_matches('.').to_owned()))
}

/// A plain decimal of few digits, times [`ONE`].
fn decimal(text: &[u8]) -> Option<i128> {
    let text = core::str::from_utf8(text).ok()?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (digits, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() > EXACT_DIGITS_MAX || whole.len() + fraction.len() == 0 {
        return None;
    }
    let n: i128 = format!("{whole}{fraction}").parse().ok()?;
    let shift = FRACTION_DIGITS as i32 + exponent - fraction.len() as i32;
    let shift = u32::try_from(shift).ok().filter(|&shift| shift <= POWER_MAX)?;
    let n = n.checked_mul(10i128.pow(shift))?;
    Some(if negative { -n } else { n })
}

fn text_of(n: i128) -> String {
    let (whole, fraction) = (n.unsigned_abs() / ONE as u128, n.unsigned_abs() % ONE as u128);
    let sign = if n < 0 { "-" } else { "" };
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:017}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_decimals_are_exact() {
        let sum = |a: &str, b: &str| sum(a.as_bytes(), b.as_bytes()).unwrap().unwrap();
        assert_eq!(sum("10.50", "0.1"), "10.6");
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("3", "-5"), "-2");
        assert_eq!(sum("-1.5", "1.5"), "0");
        assert_eq!(sum("1e20", "1"), "100000000000000000001");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        assert_eq!(sum(b"a", b"1"), Err(NOT_FLOAT));
        assert_eq!(sum(b"nan", b"1"), Err(NOT_FLOAT));
        assert_eq!(sum(b"inf", b"1"), Ok(None));
        assert_eq!(id(b"18446744073709551615"), Ok(u64::MAX));
        for bad in ["", "-1", "+1", "18446744073709551616", "1x"] {
            assert_eq!(id(bad.as_bytes()), Err(BAD_NUMBER), "{bad}");
        }
    }
}
