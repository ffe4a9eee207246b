//! The hash of keys.
//!
//! Keys come from peers, so the function is keyed: both factors of every multiplication mix a
//! secret with the input. Who does not know the secrets cannot prepare colliding keys. It is no
//! cryptographic hash: who can measure single look-ups for long enough may learn enough to slow a
//! server down, which a peer of memcached can do by simpler means.

/// The secrets of one data set.
#[derive(Clone, Copy)]
pub struct HashKey {
    state: u64,
    left: u64,
    right: u64,
}

impl HashKey {
    /// Secrets from two random words.
    pub const fn new(a: u64, b: u64) -> Self {
        Self { state: a ^ 0x9e37_79b9_7f4a_7c15, left: b, right: a.rotate_left(32) ^ !b }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut state = self.state ^ key.len() as u64;
        let mut pairs = key.chunks_exact(16);
        for pair in &mut pairs {
            state = self.mix(state, word(&pair[..8]), word(&pair[8..]));
        }
        let rest = pairs.remainder();
        let (low, high) = match rest.len() {
            0 => (0, 0),
            1..=3 => (
                u64::from(rest[0])
                    | u64::from(rest[rest.len() / 2]) << 8
                    | u64::from(rest[rest.len() - 1]) << 16,
                0,
            ),
            4..=7 => (half(&rest[..4]), half(&rest[rest.len() - 4..])),
            _ => (word(&rest[..8]), word(&rest[rest.len() - 8..])),
        };
        let state = self.mix(state, low, high);
        self.mix(state, self.state, key.len() as u64)
    }

    #[inline]
    const fn mix(&self, state: u64, low: u64, high: u64) -> u64 {
        let product = (low ^ self.left ^ state) as u128 * (high ^ self.right) as u128;
        (product as u64) ^ ((product >> 64) as u64) ^ state.rotate_left(29)
    }
}

/// Secrets are not printed.
impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("callers pass eight bytes"))
}

#[inline]
fn half(bytes: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(bytes.try_into().expect("callers pass four bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_byte_counts_at_every_length() {
        let hash = HashKey::new(2007, 85);
        let key = [b'k'; 250];
        for len in 1..=250 {
            let base = hash.hash(&key[..len]);
            for flipped in 0..len {
                let mut other = key;
                other[flipped] ^= 1;
                assert_ne!(hash.hash(&other[..len]), base, "byte {flipped} of {len}");
            }
        }
        let prefixes: BTreeSet<u64> = (0..=250).map(|len| hash.hash(&[0; 250][..len])).collect();
        assert_eq!(prefixes.len(), 251);
    }

    #[test]
    fn low_bits_spread_numbered_keys_evenly() {
        let hash = HashKey::new(1, 2);
        let mut buckets = [0u32; 256];
        for n in 0..25_600 {
            buckets[hash.hash(format!("user:{n}").as_bytes()) as usize & 255] += 1;
        }
        assert!(buckets.iter().all(|&n| (40..200).contains(&n)), "{buckets:?}");
    }

    #[test]
    fn another_secret_is_another_order() {
        let (one, two) = (HashKey::new(1, 2), HashKey::new(1, 3));
        let low = |h: &HashKey| (0..64u8).map(|n| h.hash(&[n]) & 7).collect::<Vec<_>>();
        assert_ne!(low(&one), low(&two));
    }
}
