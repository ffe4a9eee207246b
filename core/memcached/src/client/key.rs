//! Keys: what they are on the wire, and which server they go to.

use super::{ExplicitHash, NotAccepted};
use crate::cache::KEY_BYTES_MAX;
use bytes::{Bytes, BytesMut};

/// A key, and what places it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key, without the client's prefix.
    pub bytes: &'a [u8],
    /// What places it.
    pub place: Place<'a>,
}

/// What places a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Its own hash.
    Own,
    /// A hash of the caller's choice, as Cache::Memcached's `[hash, key]`.
    Hash(ExplicitHash),
    /// Another key, as libmemcached's `*_by_key`: all keys of one user on one server.
    Master(&'a [u8]),
}

impl<'a> Key<'a> {
    /// A key placed by a hash of the caller's choice.
    pub const fn with_hash(bytes: &'a [u8], hash: u32) -> Self {
        Self { bytes, place: Place::Hash(ExplicitHash(hash)) }
    }

    /// A key placed by another key.
    pub const fn with_master(bytes: &'a [u8], master: &'a [u8]) -> Self {
        Self { bytes, place: Place::Master(master) }
    }
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Key<'a> {
    fn from(bytes: &'a T) -> Self {
        Self { bytes: bytes.as_ref(), place: Place::Own }
    }
}

/// What is put before every key on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// The bytes; may be empty.
    pub bytes: Bytes,
    /// Whether they count for placement. They do not with Cache::Memcached, and with libmemcached
    /// only if told so.
    pub hashed: bool,
}

impl Prefix {
    /// Whether a key can go on the wire behind this prefix.
    pub(super) fn check(&self, key: &[u8]) -> Result<(), NotAccepted> {
        let fits = !key.is_empty() && self.bytes.len() + key.len() <= KEY_BYTES_MAX;
        if fits && is_clean(&self.bytes) && is_clean(key) {
            Ok(())
        } else {
            Err(NotAccepted::BadKey)
        }
    }

    /// Writes a key as it is on the wire.
    pub(super) fn put(&self, key: &[u8], into: &mut BytesMut) {
        into.extend_from_slice(&self.bytes);
        into.extend_from_slice(key);
    }
}

/// Text protocols end a key at a space or control character.
fn is_clean(key: &[u8]) -> bool {
    key.iter().all(|&b| b > b' ' && b != 0x7f)
}

/// A key that is kept over several steps.
#[derive(Clone, Debug)]
pub(super) struct KeyBuf {
    pub(super) bytes: Bytes,
    place: PlaceBuf,
}

#[derive(Clone, Debug)]
enum PlaceBuf {
    Own,
    Hash(ExplicitHash),
    Master(Bytes),
}

impl KeyBuf {
    pub(super) fn new(key: &Key<'_>) -> Self {
        let place = match key.place {
            Place::Own => PlaceBuf::Own,
            Place::Hash(hash) => PlaceBuf::Hash(hash),
            Place::Master(master) => PlaceBuf::Master(Bytes::copy_from_slice(master)),
        };
        Self { bytes: Bytes::copy_from_slice(key.bytes), place }
    }

    pub(super) fn key(&self) -> Key<'_> {
        self.beside(&self.bytes)
    }

    /// Another key, placed as this one if a hash or a master key places it.
    pub(super) fn beside<'a>(&'a self, bytes: &'a [u8]) -> Key<'a> {
        let place = match &self.place {
            PlaceBuf::Own => Place::Own,
            PlaceBuf::Hash(hash) => Place::Hash(*hash),
            PlaceBuf::Master(master) => Place::Master(master),
        };
        Key { bytes, place }
    }
}
