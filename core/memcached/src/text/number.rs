//! Numbers in command lines, as strict as the original is about each of them.

/// Digits of the largest 64-bit number.
pub const DIGITS_MAX: usize = 20;
/// Longest 32-bit number that is looked at, bytes.
const TOKEN_32_BYTES_MAX: usize = 11;
/// Longest 64-bit number that is looked at, bytes.
const TOKEN_64_BYTES_MAX: usize = 22;

/// Digits and nothing else.
#[inline]
pub fn u64_of(token: &[u8]) -> Option<u64> {
    if token.is_empty() || token.len() > TOKEN_64_BYTES_MAX {
        return None;
    }
    token.iter().try_fold(0u64, |sum, &b| {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Digits and nothing else.
pub fn u32_of(token: &[u8]) -> Option<u32> {
    let fits = token.len() <= TOKEN_32_BYTES_MAX;
    u64_of(token).filter(|_| fits).and_then(|n| u32::try_from(n).ok())
}

/// Digits, with a minus or not.
#[inline]
pub fn i32_of(token: &[u8]) -> Option<i32> {
    if token.len() > TOKEN_32_BYTES_MAX {
        return None;
    }
    match token {
        [b'-', digits @ ..] => u64_of(digits).and_then(|n| i32::try_from(-(n as i64)).ok()),
        digits => u64_of(digits).and_then(|n| i32::try_from(n).ok()),
    }
}

/// Digits with a sign or not, as `strtoul` reads them, but nothing beyond 32 bits.
#[inline]
pub fn flags_of(token: &[u8]) -> Option<u32> {
    match token {
        [b'+', digits @ ..] => u32::try_from(u64_of(digits)?).ok(),
        [b'-', digits @ ..] => (u64_of(digits)? == 0).then_some(0),
        digits => u32::try_from(u64_of(digits)?).ok(),
    }
}

/// Digits with a sign or not, as `strtol` reads them, but nothing beyond 32 bits.
#[inline]
pub fn exptime_of(token: &[u8]) -> Option<i32> {
    match token {
        [b'+', digits @ ..] => i32::try_from(u64_of(digits)?).ok(),
        _ => i32_of(token),
    }
}

/// Writes a number in decimal at the end of `into` and returns where it begins.
#[inline]
pub fn decimal(mut n: u64, into: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut first = DIGITS_MAX;
    loop {
        first -= 1;
        into[first] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return &into[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact() {
        assert_eq!(u64_of(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(u64_of(b"18446744073709551616"), None);
        assert_eq!(u32_of(b"4294967295"), Some(u32::MAX));
        assert_eq!(u32_of(b"4294967296"), None);
        assert_eq!(i32_of(b"-2147483648"), Some(i32::MIN));
        assert_eq!(i32_of(b"-2147483649"), None);
        assert_eq!(i32_of(b"2147483648"), None);
        assert_eq!(flags_of(b"4294967296"), None);
    }

    #[test]
    fn signs_are_taken_where_the_original_takes_them() {
        assert_eq!((flags_of(b"+5"), flags_of(b"-0"), flags_of(b"-5")), (Some(5), Some(0), None));
        assert_eq!((exptime_of(b"+5"), exptime_of(b"-5")), (Some(5), Some(-5)));
        assert_eq!((i32_of(b"+5"), u64_of(b"-0"), u32_of(b"+1")), (None, None, None));
        for junk in [&b""[..], b"-", b"+", b"1x", b"x1", b"1.0", b"00000000000000000000001"] {
            assert_eq!((u64_of(junk), i32_of(junk), flags_of(junk)), (None, None, None));
        }
    }

    #[test]
    fn decimals_are_written_whole() {
        let mut into = [0; DIGITS_MAX];
        assert_eq!(decimal(0, &mut into), b"0");
        assert_eq!(decimal(u64::MAX, &mut into), b"18446744073709551615");
    }
}
