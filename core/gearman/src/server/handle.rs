//! Handles: the names of jobs on the wire, and their numbers.

use crate::engine::Number;

/// Longest handle, bytes.
pub(super) const HANDLE_BYTES_MAX: usize = 64;
/// Longest prefix, bytes: a colon and twenty digits follow it.
const PREFIX_BYTES_MAX: usize = HANDLE_BYTES_MAX - 21;

/// How this server writes handles.
#[derive(Debug)]
pub(super) struct Handles {
    /// With the colon behind it.
    prefix: Box<[u8]>,
}

/// A handle, written out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    bytes: [u8; HANDLE_BYTES_MAX],
    len: usize,
}

impl Handle {
    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Handles {
    /// With this prefix, of which no more is used than fits.
    pub(super) fn new(prefix: &str) -> Self {
        let bytes = &prefix.as_bytes()[..prefix.len().min(PREFIX_BYTES_MAX)];
        Self { prefix: [bytes, b":"].concat().into() }
    }

    /// Writes a handle.
    #[inline]
    pub(super) fn write(&self, number: Number) -> Handle {
        let mut handle = Handle { bytes: [0; HANDLE_BYTES_MAX], len: self.prefix.len() };
        handle.bytes[..self.prefix.len()].copy_from_slice(&self.prefix);
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number.0;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let digits = &digits[at..];
        handle.bytes[handle.len..handle.len + digits.len()].copy_from_slice(digits);
        handle.len += digits.len();
        handle
    }

    /// The number of a handle that this server may have written.
    #[inline]
    pub(super) fn read(&self, handle: &[u8]) -> Option<Number> {
        let digits = handle.strip_prefix(&*self.prefix)?;
        if digits.is_empty() || digits[0] == b'0' {
            return None;
        }
        let number = digits.iter().try_fold(0u64, |n, &digit| {
            let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
            n.checked_mul(10)?.checked_add(u64::from(digit))
        });
        number.map(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_was_written_and_nothing_else_is() {
        let handles = Handles::new("H:host");
        for number in [1, 9, 10, 4730, u64::MAX] {
            let handle = handles.write(Number(number));
            assert_eq!(handle.as_bytes(), format!("H:host:{number}").as_bytes());
            assert_eq!(handles.read(handle.as_bytes()), Some(Number(number)));
        }
        let foreign = ["", "H:host:", "H:host:0", "H:host:01", "H:host:+1", "H:host:1 ", "H:ost:1"];
        for handle in foreign.into_iter().chain(["H:host:18446744073709551616", "1"]) {
            assert_eq!(handles.read(handle.as_bytes()), None, "{handle}");
        }
    }

    #[test]
    fn the_longest_prefix_leaves_room_for_the_longest_number() {
        let handle = Handles::new(&"x".repeat(100)).write(Number(u64::MAX));
        assert_eq!(handle.as_bytes().len(), HANDLE_BYTES_MAX);
    }
}
