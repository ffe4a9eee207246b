//! Numbers inside values, as `incr` and `decr` read and write them.

/// Digits of the largest 64-bit number.
pub(crate) const DIGITS_MAX: usize = 20;

/// A number in decimal.
pub(crate) struct Digits {
    bytes: [u8; DIGITS_MAX],
    first: usize,
}

impl Digits {
    pub(crate) fn of(mut n: u64) -> Self {
        let mut bytes = [b'0'; DIGITS_MAX];
        let mut first = DIGITS_MAX;
        loop {
            first -= 1;
            bytes[first] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                return Self { bytes, first };
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.first..]
    }
}

/// The number that a value holds: white space, a sign, digits, and behind them the end or white
/// space and whatever follows it. Negative and larger than 64 bits is not a number.
pub(crate) fn parse_value(value: &[u8]) -> Option<u64> {
    let skipped = value.iter().take_while(|b| is_space(**b)).count();
    let (negative, digits) = match &value[skipped..] {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let mut number: u64 = 0;
    let mut seen = 0;
    for &digit in digits.iter().take_while(|b| b.is_ascii_digit()) {
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        seen += 1;
    }
    let ends = digits.get(seen).is_none_or(|&b| is_space(b) || b == 0);
    (seen > 0 && ends && (!negative || number == 0)).then_some(number)
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_round_trip() {
        for n in [0, 7, 10, 99, 1 << 40, u64::MAX] {
            assert_eq!(Digits::of(n).as_bytes(), n.to_string().as_bytes());
            assert_eq!(parse_value(Digits::of(n).as_bytes()), Some(n));
        }
    }

    #[test]
    fn padding_is_no_hindrance_and_junk_is() {
        for (value, number) in [("9 ", 9), (" 5", 5), ("+5", 5), ("-0", 0), ("12\0x", 12)] {
            assert_eq!(parse_value(value.as_bytes()), Some(number), "{value:?}");
        }
        for value in ["", " ", "-", "-5", "12x", "x", "18446744073709551616"] {
            assert_eq!(parse_value(value.as_bytes()), None, "{value:?}");
        }
    }
}
