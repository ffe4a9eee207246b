//! The hashes that place keys, and points on rings.

use super::ketama::word;
use md5::{Digest as _, Md5};

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
