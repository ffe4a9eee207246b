//! Bytes to send: copied, or shared.

use bytes::Bytes;

/// A part of a request.
#[derive(Clone, Debug)]
pub enum Piece<'a> {
    /// Copied into the connection's buffer.
    Copy(&'a [u8]),
    /// Sent by reference count when it is long.
    Share(Bytes),
}

impl Piece<'_> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Piece::Copy(bytes) => bytes,
            Piece::Share(bytes) => bytes,
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
}

impl<'a> From<&'a [u8]> for Piece<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Copy(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Piece<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Copy(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Piece<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Copy(bytes)
    }
}

impl<'a> From<&'a Bytes> for Piece<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        Self::Share(bytes.clone())
    }
}

impl From<Bytes> for Piece<'_> {
    fn from(bytes: Bytes) -> Self {
        Self::Share(bytes)
    }
}
