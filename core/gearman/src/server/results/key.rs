//! What the result of a job is kept under.

use crate::engine::Payload;
use bytes::BytesMut;
use core::fmt::Write as _;
use md5::{Digest as _, Md5};

/// Longest key that is written out, bytes; memcached takes 250.
const PLAIN_BYTES_MAX: usize = 200;
/// The unique key of jobs whose data is their key.
const BY_DATA: &[u8] = b"-";

/// Writes the key of a job: `gm:4:name:unique` with the length of the function's name in it, or
/// `gm#` and an MD5 if that would be long, or has bytes that memcached does not take, or if the
/// data is the job's key. False if the job has none.
///
/// Whoever makes two jobs that MD5 cannot tell apart gets the one's result for the other: both
/// are its own, since it must have chosen both.
pub(super) fn write(
    function: &[u8],
    unique: &[u8],
    data: &Payload<'_>,
    out: &mut BytesMut,
) -> bool {
    let by_data = unique == BY_DATA;
    let key: &[u8] = if by_data { data } else { unique };
    if key.is_empty() {
        return false;
    }
    out.clear();
    let clean = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_graphic);
    let fits = function.len() + key.len() <= PLAIN_BYTES_MAX;
    if !by_data && fits && clean(function) && clean(key) {
        write!(out, "gm:{}:", function.len()).expect("memory grows as needed");
        out.extend_from_slice(function);
        out.extend_from_slice(b":");
        out.extend_from_slice(key);
        return true;
    }
    let mut md5 = Md5::new();
    md5.update((function.len() as u64).to_le_bytes());
    md5.update([u8::from(by_data)]);
    md5.update(function);
    md5.update(key);
    out.extend_from_slice(b"gm#");
    for byte in md5.finalize() {
        write!(out, "{byte:02x}").expect("memory grows as needed");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(function: &[u8], unique: &[u8], data: &[u8]) -> Option<String> {
        let mut out = BytesMut::from(&b"what was there before"[..]);
        let known = write(function, unique, &data.into(), &mut out);
        known.then(|| String::from_utf8(out.to_vec()).expect("memcached takes it"))
    }

    #[test]
    fn functions_and_keys_are_told_apart_wherever_one_ends() {
        assert_eq!(key(b"f", b"u", b"x").as_deref(), Some("gm:1:f:u"));
        assert_ne!(key(b"a:b", b"c", b""), key(b"a", b"b:c", b""));
        assert_ne!(key(b"a b", b"c", b""), key(b"a", b" bc", b""));
        assert_ne!(key(b"a ", b"x", b""), key(b"a", b" x", b""));
    }

    #[test]
    fn what_memcached_does_not_take_is_hashed() {
        let long = [b'x'; 300];
        for (function, unique) in [(&b"f"[..], &b"a b"[..]), (b"f", b"\xff"), (&long, b"u")] {
            let key = key(function, unique, b"").expect("it has a key");
            assert!(key.starts_with("gm#") && key.len() == 35, "{key}");
        }
    }

    #[test]
    fn the_data_may_be_the_key_and_is_no_other_key() {
        assert_eq!(key(b"f", b"-", b""), None);
        assert_eq!(key(b"f", b"", b"x"), None);
        assert_ne!(key(b"f", b"-", b"x"), key(b"f", b"x", b""));
        assert_ne!(key(b"f", b"-", b"x y"), key(b"f", b"x y", b""));
    }
}
