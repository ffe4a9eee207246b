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

/// About how long a request is on the wire, bytes; never less than it is.
pub(super) fn bytes_of(words: &[&[u8]]) -> usize {
    const HEAD_BYTES_MAX: usize = 24;
    words.iter().map(|word| word.len() + HEAD_BYTES_MAX).sum::<usize>() + HEAD_BYTES_MAX
}
