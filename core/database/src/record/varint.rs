//! Small numbers in few bytes: seven bits each, the lowest first.

use super::Garbled;
use bytes::{BufMut as _, BytesMut};

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: u32 = 10;

/// Appends a number.
pub(crate) fn put_varint(out: &mut BytesMut, mut n: u64) {
    while n >= 0x80 {
        out.put_u8(n as u8 | 0x80);
        n >>= 7;
    }
    out.put_u8(n as u8);
}

/// Appends a length and so many bytes.
pub(crate) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Takes a number off the front.
pub(crate) fn take_varint(from: &mut &[u8]) -> Result<u64, Garbled> {
    let mut n = 0u64;
    for at in 0..VARINT_BYTES_MAX {
        let (&byte, rest) = from.split_first().ok_or(Garbled)?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        if at == VARINT_BYTES_MAX - 1 && bits > 1 {
            return Err(Garbled);
        }
        n |= bits << (7 * at);
        if byte < 0x80 {
            return Ok(n);
        }
    }
    Err(Garbled)
}

/// Takes a length and so many bytes off the front.
pub(crate) fn take_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], Garbled> {
    let len = usize::try_from(take_varint(from)?).map_err(|_| Garbled)?;
    let (bytes, rest) = from.split_at_checked(len).ok_or(Garbled)?;
    *from = rest;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        for n in [0, 1, 127, 128, 300, 1 << 32, u64::MAX - 1, u64::MAX] {
            let mut out = BytesMut::new();
            put_varint(&mut out, n);
            let mut rest = &out[..];
            assert_eq!((take_varint(&mut rest), rest), (Ok(n), &[][..]));
        }
        assert_eq!(take_varint(&mut &[0xff; 10][..]), Err(Garbled), "above 64 bits");
        assert_eq!(take_bytes(&mut &[5, 1][..]), Err(Garbled), "cut short");
    }
}
