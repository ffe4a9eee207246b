//! A hasher with fixed keys, for maps whose iteration order is never observed and must not differ
//! between processes.

use core::hash::{BuildHasher, Hasher};

/// Builds [`FixedHasher`]s. Not resistant to chosen keys: for keys that a peer cannot choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct FixedState;

/// Multiply-and-fold over 64-bit words.
#[derive(Clone, Copy, Debug)]
pub struct FixedHasher(u64);

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xd6e8_feb8_6659_fd93;

/// Folds `word` into `state`; the mixing step of [`FixedHasher`] and of [`digest_bytes`].
#[inline]
pub const fn fold(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * MIX as u128;
    (product as u64) ^ ((product >> 64) as u64) ^ state.rotate_left(23)
}

/// Folds a run of bytes and its length into `state`, eight bytes at a time.
#[inline]
pub fn digest_bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state, u64::from_le_bytes(word.try_into().expect("eight bytes")));
    }
    let rest = words.remainder();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(fold(state, u64::from_le_bytes(last)), bytes.len() as u64)
}

impl BuildHasher for FixedState {
    type Hasher = FixedHasher;
    #[inline]
    fn build_hasher(&self) -> FixedHasher {
        FixedHasher(SEED)
    }
}

impl Hasher for FixedHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = digest_bytes(self.0, bytes);
    }
    #[inline]
    fn write_u32(&mut self, n: u32) {
        self.0 = fold(self.0, u64::from(n));
    }
    #[inline]
    fn write_u64(&mut self, n: u64) {
        self.0 = fold(self.0, n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        let base = digest_bytes(0, b"0123456789");
        for i in 0..10 {
            let mut other = *b"0123456789";
            other[i] ^= 1;
            assert_ne!(digest_bytes(0, &other), base, "byte {i}");
        }
        assert_ne!(digest_bytes(0, b"ab\0"), digest_bytes(0, b"ab"));
        assert_ne!(digest_bytes(digest_bytes(0, b"a"), b"b"), digest_bytes(0, b"ab"));
    }
}
