//! The hashes that place keys, and points on rings.

use super::ketama::word;
use md5::{Digest as _, Md5};
use twox_hash::XxHash3_64;

/// A hash of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHash {
    /// libmemcached's default: Bob Jenkins's one-at-a-time hash.
    OneAtATime,
    /// 15 bits of CRC-32: libmemcached's `CRC`, and Cache::Memcached's.
    Crc,
    /// The first word of MD5: the original ketama's.
    Md5,
}

impl KeyHash {
    /// The hash of a key.
    pub fn of(self, key: &[u8]) -> u32 {
        match self {
            Self::OneAtATime => one_at_a_time(key),
            Self::Crc => (crc32fast::hash(key) >> 16) & 0x7fff,
            Self::Md5 => word(Md5::digest(key).as_slice(), 0),
        }
    }
}

fn one_at_a_time(key: &[u8]) -> u32 {
    let mut hash: u32 = 0;
    for &byte in key {
        // The original adds a C char, which is signed where it was compiled.
        hash = hash.wrapping_add(byte as i8 as u32);
        hash = hash.wrapping_add(hash << 10);
        hash ^= hash >> 6;
    }
    hash = hash.wrapping_add(hash << 3);
    hash ^= hash >> 11;
    hash.wrapping_add(hash << 15)
}

/// XXH3 with a seed.
pub(super) fn xxh3(seed: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed, bytes)
}

/// Jump consistent hash: the bucket of a hash.
///
/// In double precision, as the original computes it: its rounding is part of the contract between
/// all clients of one set of servers. IEEE arithmetic gives the same result on every platform.
pub(super) fn jump(mut hash: u64, buckets: u32) -> u32 {
    const MULTIPLIER: u64 = 2_862_933_555_777_941_757;
    let (mut bucket, mut next) = (0, 0i64);
    while next < i64::from(buckets) {
        bucket = next;
        hash = hash.wrapping_mul(MULTIPLIER).wrapping_add(1);
        let step = f64::from(1u32 << 31) / ((hash >> 33) + 1) as f64;
        next = ((bucket + 1) as f64 * step) as i64;
    }
    u32::try_from(bucket).expect("a bucket lies below their number")
}
