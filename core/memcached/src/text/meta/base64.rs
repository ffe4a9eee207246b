//! Keys in base64: how a key of any bytes is written in a line.
//!
//! As lenient as the original: bytes that are no part of the alphabet are skipped, and what stands
//! behind the padding is ignored.

use bytes::BytesMut;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Letters of one group, which hold three bytes.
const GROUP: usize = 4;
const PADDING: u8 = b'=';

/// The value of a letter; padding counts as zero.
const fn value(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => (letter - b'A') as u32,
        b'a'..=b'z' => (letter - b'a') as u32 + 26,
        b'0'..=b'9' => (letter - b'0') as u32 + 52,
        b'+' => 62,
        b'/' => 63,
        PADDING => 0,
        _ => return None,
    })
}

/// Decodes into the front of `into`; returns how many bytes, at least one.
///
/// Nothing is returned where this is no base64, or where `into` is too small.
pub(super) fn decode(text: &[u8], into: &mut [u8]) -> Option<usize> {
    let letters = text.iter().filter(|&&b| value(b).is_some()).count();
    if letters == 0 || !letters.is_multiple_of(GROUP) || letters / GROUP * 3 > into.len() {
        return None;
    }
    let (mut len, mut group, mut in_group, mut padding) = (0, 0, 0, 0);
    for &letter in text {
        let Some(value) = value(letter) else { continue };
        padding += usize::from(letter == PADDING);
        group = group << 6 | value;
        in_group += 1;
        if in_group == GROUP {
            into[len..len + 3].copy_from_slice(&group.to_be_bytes()[1..]);
            len += 3;
            (group, in_group) = (0, 0);
            match padding {
                0 => {}
                1 | 2 => return Some(len - padding),
                _ => return None,
            }
        }
    }
    Some(len)
}

/// Appends bytes in base64.
pub(crate) fn encode(bytes: &[u8], into: &mut BytesMut) {
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        let mut letters = [PADDING; GROUP];
        for (place, letter) in letters.iter_mut().enumerate().take(chunk.len() + 1) {
            *letter = ALPHABET[(group >> (18 - 6 * place) & 63) as usize];
        }
        into.extend_from_slice(&letters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut into = [0; 250];
        decode(text.as_bytes(), &mut into).map(|len| into[..len].to_vec())
    }

    fn encoded(bytes: &[u8]) -> String {
        let mut into = BytesMut::new();
        encode(bytes, &mut into);
        String::from_utf8(into.to_vec()).expect("base64 is text")
    }

    #[test]
    fn the_test_vectors_of_the_standard_hold() {
        for (plain, text) in [
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encoded(plain.as_bytes()), text);
            assert_eq!(decoded(text).as_deref(), Some(plain.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decoded(&encoded(&all[..187])).as_deref(), Some(&all[..187]));
        assert_eq!(decoded(&encoded(&all[187..])).as_deref(), Some(&all[187..]));
    }

    #[test]
    fn what_is_no_base64_is_refused_and_foreign_bytes_are_skipped() {
        for text in ["", "Z", "Zm9", "Z===", "====", "!!!!"] {
            assert_eq!(decoded(text), None, "{text}");
        }
        assert_eq!(decoded("Zm-9v").as_deref(), Some(&b"foo"[..]));
        assert_eq!(decoded("Zm8=Zm8=").as_deref(), Some(&b"fo"[..]));
        let mut short = [0; 2];
        assert_eq!(decode(b"Zm9v", &mut short), None);
    }
}
