//! Replies, encoded for the version that a client speaks.
//!
//! A reply of more than [`OUTPUT_BYTES_MAX`] is never sent: whoever asked for it is hung up on. So
//! nothing more is written behind that, however much a short request names.

use super::Decimal;
use crate::config::OUTPUT_BYTES_MAX;
use bytes::{BufMut as _, BytesMut};

/// Replies being written.
#[derive(Debug, Default)]
pub struct Out {
    /// The encoded replies.
    pub bytes: BytesMut,
    /// Whether the client asked for RESP3.
    pub resp3: bool,
}

impl Out {
    /// `+OK`.
    pub fn ok(&mut self) {
        self.simple("OK");
    }

    /// A few words of our own.
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// Whether the reply may still be sent.
    #[inline]
    fn has_room(&self) -> bool {
        self.bytes.len() <= OUTPUT_BYTES_MAX
    }

    /// An error: code and text. Line ends in it become blanks.
    pub fn error(&mut self, text: &str) {
        self.bytes.put_u8(b'-');
        let clean = text.bytes().map(|b| if matches!(b, b'\r' | b'\n') { b' ' } else { b });
        self.bytes.extend(clean);
        self.bytes.put_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, n: i64) {
        self.number(b':', n.unsigned_abs(), n < 0);
    }

    /// An unsigned number: an integer, or text where it is too large for one.
    pub fn unsigned(&mut self, n: u64) {
        match i64::try_from(n) {
            Ok(n) => self.integer(n),
            Err(_) => self.bulk(n.to_string().as_bytes()),
        }
    }

    /// A count or length.
    #[inline]
    pub fn count(&mut self, n: usize) {
        self.number(b':', n as u64, false);
    }

    /// Bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        if !self.has_room() {
            return;
        }
        self.number(b'$', bytes.len() as u64, false);
        self.bytes.put_slice(bytes);
        self.bytes.put_slice(b"\r\n");
    }

    /// Bytes, or nothing.
    pub fn bulk_or_nil(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.nil(),
        }
    }

    /// Text for people.
    pub fn verbatim(&mut self, text: &str) {
        if !self.has_room() {
            return;
        }
        if self.resp3 {
            self.number(b'=', text.len() as u64 + 4, false);
            self.bytes.put_slice(b"txt:");
            self.bytes.put_slice(text.as_bytes());
            self.bytes.put_slice(b"\r\n");
        } else {
            self.bulk(text.as_bytes());
        }
    }

    /// Nothing, in place of bytes.
    pub fn nil(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// Nothing, in place of an array.
    pub fn nil_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// So many replies follow.
    pub fn array(&mut self, n: usize) {
        self.number(b'*', n as u64, false);
    }

    /// So many pairs of replies follow.
    pub fn map(&mut self, n: usize) {
        let (mark, n) = if self.resp3 { (b'%', n) } else { (b'*', 2 * n) };
        self.number(mark, n as u64, false);
    }

    /// So many different replies follow.
    pub fn set(&mut self, n: usize) {
        self.number(if self.resp3 { b'~' } else { b'*' }, n as u64, false);
    }

    /// A score.
    pub fn double(&mut self, n: f64) {
        let text = double(n);
        if self.resp3 {
            self.line(b',', text.as_bytes());
        } else {
            self.bulk(text.as_bytes());
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.has_room() {
            self.bytes.put_slice(bytes);
        }
    }

    fn line(&mut self, mark: u8, text: &[u8]) {
        if !self.has_room() {
            return;
        }
        self.bytes.put_u8(mark);
        self.bytes.put_slice(text);
        self.bytes.put_slice(b"\r\n");
    }

    fn number(&mut self, mark: u8, n: u64, negative: bool) {
        self.line(mark, Decimal::new(n, negative).as_bytes());
    }
}

/// The shortest text that reads as the same number: whole numbers without a point, very large and
/// very small ones with an exponent.
pub fn double(n: f64) -> String {
    if n.is_infinite() {
        return if n > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{n:e}");
    let (digits, exponent) = scientific.split_once('e').expect("asked for with an exponent");
    let exponent: i32 = exponent.parse().expect("a short number");
    match exponent {
        -4..=16 => format!("{n}"),
        _ => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_written_as_redis_writes_them() {
        let texts = [
            (3.0, "3"),
            (-0.5, "-0.5"),
            (3.1, "3.1"),
            (-0.0, "-0"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e-5, "1.5e-05"),
            (f64::INFINITY, "inf"),
        ];
        for (n, text) in texts {
            assert_eq!(double(n), text);
        }
    }

    #[test]
    fn numbers_of_any_size_are_written() {
        let mut out = Out::default();
        for n in [0, -1, i64::MIN, i64::MAX] {
            out.bytes.clear();
            out.integer(n);
            assert_eq!(out.bytes, format!(":{n}\r\n"));
        }
    }
}
