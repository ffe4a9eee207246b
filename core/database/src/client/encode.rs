//! Requests on the wire.

use bytes::BytesMut;
use core::fmt::Write as _;

/// Writes a request: an array of its words.
pub fn put_request(words: &[&[u8]], into: &mut BytesMut) {
    put_length(b'*', words.len(), into);
    for word in words {
        put_length(b'$', word.len(), into);
        into.extend_from_slice(word);
        into.extend_from_slice(b"\r\n");
    }
}

fn put_length(kind: u8, length: usize, into: &mut BytesMut) {
    into.extend_from_slice(&[kind]);
    write!(into, "{length}\r\n").expect("buffers of requests grow as needed");
}

/// How long a request is on the wire, bytes.
pub(super) fn bytes_of(words: &[&[u8]]) -> usize {
    let line = |length: usize| length.checked_ilog10().unwrap_or(0) as usize + 4;
    let content = words.iter().map(|word| line(word.len()) + word.len() + 2);
    line(words.len()) + content.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_request_is_known_before_it_is_written() {
        let long = [b'x'; 1000];
        for lengths in [&[1][..], &[0, 9, 10, 99, 100, 999, 1000], &[3; 12]] {
            let words: Vec<&[u8]> = lengths.iter().map(|&length| &long[..length]).collect();
            let mut wire = BytesMut::new();
            put_request(&words, &mut wire);
            assert_eq!(bytes_of(&words), wire.len(), "{lengths:?}");
        }
    }

    #[test]
    fn the_longest_request_that_is_sent_is_one_that_a_server_takes() {
        use crate::config::{REQUEST_BYTES_MAX, VALUE_BYTES_MAX};
        use crate::resp::{Parsed, Parser, request::Bounds};
        let word = vec![b'x'; VALUE_BYTES_MAX];
        let mut words = [&word[..], &word[..], &word[..VALUE_BYTES_MAX - 100]];
        let left = REQUEST_BYTES_MAX - bytes_of(&words);
        words[2] = &word[..words[2].len() + left];
        assert_eq!(bytes_of(&words), REQUEST_BYTES_MAX);
        let mut wire = BytesMut::new();
        put_request(&words, &mut wire);
        let bounds = Bounds {
            word_bytes_max: VALUE_BYTES_MAX,
            request_bytes_max: REQUEST_BYTES_MAX,
            stranger: false,
        };
        let parsed = Parser::default().parse(&wire, &bounds);
        assert_eq!(parsed, Ok(Parsed::Request { len: REQUEST_BYTES_MAX }));
    }
}
