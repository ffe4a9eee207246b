//! The ends of reply lines, which are mostly numbers.

/// Digits of the largest 64-bit number.
const DIGITS_MAX: usize = 20;

/// Every two-digit number, in order.
const PAIRS: &[u8; 200] = b"\
    0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// The end of a reply line, built from its back: numbers come last digit first.
pub(super) struct Backward {
    bytes: [u8; Self::BYTES_MAX],
    first: usize,
}

impl Backward {
    /// Room for three numbers, what stands between them, and a line end.
    const BYTES_MAX: usize = 3 * DIGITS_MAX + 4;

    #[inline]
    pub(super) const fn new() -> Self {
        Self { bytes: [0; Self::BYTES_MAX], first: Self::BYTES_MAX }
    }

    /// A number alone.
    pub(super) fn of(n: u64) -> Self {
        let mut back = Self::new();
        back.number(n);
        back
    }

    /// Puts a number in front.
    #[inline]
    pub(super) fn number(&mut self, mut n: u64) -> &mut Self {
        while n >= 100 {
            self.pair(n % 100);
            n /= 100;
        }
        if n >= 10 {
            self.pair(n);
            return self;
        }
        self.byte(b'0' + n as u8)
    }

    #[inline]
    fn pair(&mut self, n: u64) {
        let at = 2 * n as usize;
        self.first -= 2;
        self.bytes[self.first..self.first + 2].copy_from_slice(&PAIRS[at..at + 2]);
    }

    /// Puts a byte in front.
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.first -= 1;
        self.bytes[self.first] = byte;
        self
    }

    /// Puts a line end in front, which is to be the first thing put.
    #[inline]
    pub(super) fn line_end(&mut self) -> &mut Self {
        self.byte(b'\n').byte(b'\r')
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_whole() {
        for n in [0, 9, 10, 99, 100, 101, 12345, 1_000_000, u64::MAX / 10, u64::MAX] {
            let mut back = Backward::new();
            back.line_end().number(n).byte(b' ').number(n).byte(b' ').number(n);
            assert_eq!(back.as_bytes(), format!("{n} {n} {n}\r\n").as_bytes());
        }
    }
}
