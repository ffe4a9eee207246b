//! Values: short ones lie where they are held, without an allocation and a read from memory.

use bytes::{Bytes, BytesMut};
use core::fmt;
use core::ops::Deref;

/// Longest value that lies in place, bytes: what a [`Bytes`] takes, without its tag and a length.
const SHORT_BYTES_MAX: usize = 23;

/// Bytes that do not change.
#[derive(Clone)]
pub struct Text(Inner);

#[derive(Clone)]
enum Inner {
    Short { len: u8, bytes: [u8; SHORT_BYTES_MAX] },
    Long(Bytes),
}

const _: () = assert!(size_of::<Text>() == size_of::<Bytes>(), "a short value costs nothing more");

impl Text {
    /// A copy of some bytes.
    #[inline]
    pub fn of(value: &[u8]) -> Self {
        if value.len() > SHORT_BYTES_MAX {
            return Self(Inner::Long(Bytes::copy_from_slice(value)));
        }
        let mut bytes = [0; SHORT_BYTES_MAX];
        bytes[..value.len()].copy_from_slice(value);
        Self(Inner::Short { len: value.len() as u8, bytes })
    }

    /// The bytes, to own; those of a long value are shared.
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Inner::Short { .. } => Bytes::copy_from_slice(self),
            Inner::Long(bytes) => bytes.clone(),
        }
    }

    /// The bytes, to change; those of a long value are copied only if somebody shares them.
    pub fn into_mut(self) -> BytesMut {
        match self.0 {
            Inner::Short { .. } => BytesMut::from(&self[..]),
            Inner::Long(bytes) => {
                bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
            }
        }
    }
}

impl Deref for Text {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Inner::Short { len, bytes } => &bytes[..usize::from(*len)],
            Inner::Long(bytes) => bytes,
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl From<Bytes> for Text {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() > SHORT_BYTES_MAX { Self(Inner::Long(bytes)) } else { Self::of(&bytes) }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_bytes(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_length_are_what_they_were() {
        let all: Vec<u8> = (0..100).collect();
        for len in 0..all.len() {
            let text = Text::of(&all[..len]);
            assert_eq!(text[..], all[..len]);
            assert_eq!(text.to_bytes(), all[..len]);
            assert_eq!(Text::from(text.to_bytes())[..], all[..len]);
            assert_eq!(text.clone().into_mut(), all[..len]);
        }
    }
}
