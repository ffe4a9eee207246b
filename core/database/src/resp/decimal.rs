//! Whole numbers as text, without an allocation.

/// Bytes of the longest: a sign and twenty digits.
const BYTES_MAX: usize = 21;

/// A whole number as decimal text.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    bytes: [u8; BYTES_MAX],
    /// Where it begins; it goes on to the end.
    from: usize,
}

impl Decimal {
    /// The text of a number.
    pub fn of(n: i64) -> Self {
        Self::new(n.unsigned_abs(), n < 0)
    }

    /// The text of an amount and its sign.
    #[inline]
    pub fn new(mut amount: u64, negative: bool) -> Self {
        let (mut bytes, mut from) = ([0; BYTES_MAX], BYTES_MAX);
        loop {
            from -= 1;
            bytes[from] = b'0' + (amount % 10) as u8;
            amount /= 10;
            if amount == 0 {
                break;
            }
        }
        if negative {
            from -= 1;
            bytes[from] = b'-';
        }
        Self { bytes, from }
    }

    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.from..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_written_as_the_standard_library_writes_it() {
        for n in [0, 1, -1, 9, 10, -10, 1234, i64::MIN, i64::MAX] {
            assert_eq!(Decimal::of(n).as_bytes(), n.to_string().as_bytes());
        }
        assert_eq!(Decimal::new(u64::MAX, true).as_bytes(), format!("-{}", u64::MAX).as_bytes());
    }
}
