//! Replies, read as they arrive: RESP2 and RESP3.
//!
//! # Not modelled
//!
//! Strings and aggregates of unknown length (`$?`, `*?`), which no server sends unless asked to.
//! Attributes are read and dropped. Big numbers and verbatim strings come as [`Reply::Bulk`].

use super::Reply;
use bytes::{Buf as _, Bytes, BytesMut};
use core::fmt;

/// Deepest nesting of a reply.
pub const DEPTH_MAX: u32 = 16;
/// Longest line, bytes: a simple string, an error, a number.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// An unfinished reply of this length leaves the connection's input buffer, which is bounded.
const HELD_APART_BYTES: usize = 64 << 10;

/// What a server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The reply to a request, in the order of the requests.
    Reply(Reply),
    /// Something that nobody asked for.
    Push(Vec<Reply>),
}

/// A server said something that is no reply: the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbled {
    /// A byte that begins no reply.
    Kind(u8),
    /// A line that is too long or does not end as lines do.
    Line,
    /// A number that is none.
    Number,
    /// Longer than the reader was told to take.
    TooLong,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(byte) => write!(f, "no reply begins with '{}'", byte.escape_ascii()),
            Self::Line => f.write_str("a line too long or without its end"),
            Self::Number => f.write_str("a length or number that is none"),
            Self::TooLong => f.write_str("a reply longer than the limit"),
            Self::TooDeep => write!(f, "a reply nested deeper than {DEPTH_MAX}"),
        }
    }
}

impl std::error::Error for Garbled {}

/// Reads one connection's replies. Looks at every byte once to find a reply's end, however small
/// the pieces are that it comes in, and takes it apart when it is whole.
///
/// Strings in a reply share the memory of the input buffer: copy what is to be kept for long.
#[derive(Debug)]
pub struct ReplyReader {
    reply_bytes_max: usize,
    /// Bytes at the front that belong to the unfinished reply and were looked at.
    scanned: usize,
    /// Items that the unfinished reply lacks.
    lacking: usize,
    /// The unfinished reply, once it is long.
    held: BytesMut,
}

/// The item at some place.
struct Item<'a> {
    kind: u8,
    /// Its first line, without kind and end.
    line: &'a [u8],
    /// Bytes up to its content: kind, line and line end.
    head: usize,
}

impl ReplyReader {
    /// A reader that takes replies up to so many bytes.
    pub fn new(reply_bytes_max: usize) -> Self {
        Self { reply_bytes_max, scanned: 0, lacking: 1, held: BytesMut::new() }
    }

    /// Takes the next whole reply off the front, or `None` until more arrives.
    ///
    /// # Errors
    /// If that is no reply: nothing behind it can be read.
    pub fn next(&mut self, rx: &mut BytesMut) -> Result<Option<Frame>, Garbled> {
        if !self.held.is_empty() {
            self.held.extend_from_slice(rx);
            rx.clear();
            let mut held = core::mem::take(&mut self.held);
            let found = self.next_in(&mut held);
            self.held = held;
            return found;
        }
        let found = self.next_in(rx);
        if found == Ok(None) && rx.len() >= HELD_APART_BYTES {
            self.held = rx.split();
        }
        found
    }

    /// Bytes that it holds apart from the connection's buffer.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    fn next_in(&mut self, rx: &mut BytesMut) -> Result<Option<Frame>, Garbled> {
        while self.lacking > 0 {
            let Some(item) = item_at(&rx[self.scanned..])? else { return Ok(None) };
            let (content, inner) = extent(&item, self.reply_bytes_max)?;
            let whole = self.scanned + item.head + content;
            if whole > self.reply_bytes_max {
                return Err(Garbled::TooLong);
            }
            if rx.len() < whole {
                return Ok(None);
            }
            self.lacking += inner;
            // An attribute stands before an item, and is none.
            self.lacking -= usize::from(item.kind != b'|');
            self.scanned = whole;
            // An item has three bytes at least.
            if self.lacking > self.reply_bytes_max / 3 {
                return Err(Garbled::TooLong);
            }
        }
        let mut bytes = rx.split_to(self.scanned).freeze();
        (self.scanned, self.lacking) = (0, 1);
        let pushed = bytes.first() == Some(&b'>');
        let reply = take(&mut bytes, DEPTH_MAX)?;
        assert!(bytes.is_empty(), "a reply ends where its last item does");
        Ok(Some(match reply {
            Reply::Array(items) if pushed => Frame::Push(items),
            reply => Frame::Reply(reply),
        }))
    }
}

/// The item at the front, once its first line is whole.
fn item_at(bytes: &[u8]) -> Result<Option<Item<'_>>, Garbled> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if !b"+-:$*_#,(!=%~>|".contains(&kind) {
        return Err(Garbled::Kind(kind));
    }
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if bytes.len() < LINE_BYTES_MAX { Ok(None) } else { Err(Garbled::Line) };
    };
    let line = bytes[1..end].strip_suffix(b"\r").ok_or(Garbled::Line)?;
    Ok(Some(Item { kind, line, head: end + 1 }))
}

/// How many bytes of content follow an item's line, and how many items it holds.
fn extent(item: &Item<'_>, max: usize) -> Result<(usize, usize), Garbled> {
    match item.kind {
        b'$' | b'!' | b'=' => Ok((length(item.line, max)?.map_or(0, |len| len + 2), 0)),
        b'*' | b'~' | b'>' => Ok((0, length(item.line, max)?.unwrap_or(0))),
        b'%' | b'|' => Ok((0, 2 * length(item.line, max)?.unwrap_or(0))),
        _ => Ok((0, 0)),
    }
}

/// A length; `None` for the -1 of what is not there.
fn length(line: &[u8], max: usize) -> Result<Option<usize>, Garbled> {
    match integer(line)? {
        -1 => Ok(None),
        len => {
            let len = usize::try_from(len).map_err(|_| Garbled::Number)?;
            if len <= max { Ok(Some(len)) } else { Err(Garbled::TooLong) }
        }
    }
}

fn integer(line: &[u8]) -> Result<i64, Garbled> {
    let text = core::str::from_utf8(line).map_err(|_| Garbled::Number)?;
    text.parse().map_err(|_| Garbled::Number)
}

/// Takes apart a reply that is whole.
fn take(bytes: &mut Bytes, depth: u32) -> Result<Reply, Garbled> {
    let Some(item) = item_at(bytes)? else { return Err(Garbled::Line) };
    let (kind, head) = (item.kind, item.head);
    let line = 1..1 + item.line.len();
    let (content, inner) = extent(&item, bytes.len())?;
    let missing = matches!(kind, b'$' | b'*') && item.line == b"-1";
    let whole = bytes.split_to(head + content);
    let line = whole.slice(line);
    if depth == 0 && (inner > 0 || kind == b'|') {
        return Err(Garbled::TooDeep);
    }
    Ok(match kind {
        b'+' => Reply::Simple(known(line)),
        b'-' => Reply::Error(line),
        b':' => Reply::Integer(integer(&line)?),
        b'_' => Reply::Nil,
        _ if missing => Reply::Nil,
        b'#' => Reply::Boolean(&line[..] == b"t"),
        b',' => Reply::Double(line),
        b'(' => Reply::Bulk(line),
        b'%' | b'|' => {
            let pairs = take_pairs(bytes, inner / 2, depth)?;
            if kind == b'|' {
                return take(bytes, depth - 1);
            }
            Reply::Map(pairs)
        }
        b'*' | b'~' | b'>' => {
            let items = (0..inner).map(|_| take(bytes, depth - 1)).collect::<Result<_, _>>()?;
            Reply::Array(items)
        }
        _ => {
            let end = whole.len() - 2.min(content);
            if whole[end..] != b"\r\n"[..2.min(content)] {
                return Err(Garbled::Line);
            }
            let mut text = whole.slice(head.min(end)..end);
            match kind {
                b'!' => Reply::Error(text),
                b'=' => {
                    // Three letters of its format and a colon.
                    text.advance(text.len().min(4));
                    Reply::Bulk(text)
                }
                _ => Reply::Bulk(text),
            }
        }
    })
}

fn take_pairs(bytes: &mut Bytes, pairs: usize, depth: u32) -> Result<Vec<(Reply, Reply)>, Garbled> {
    let pair = |_| Ok((take(bytes, depth - 1)?, take(bytes, depth - 1)?));
    (0..pairs).map(pair).collect()
}

/// Holds no buffer for the commonest line.
fn known(line: Bytes) -> Bytes {
    if &line[..] == b"OK" { Bytes::from_static(b"OK") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], step: usize) -> Result<Vec<Frame>, Garbled> {
        let mut reader = ReplyReader::new(1 << 20);
        let mut rx = BytesMut::new();
        let mut frames = Vec::new();
        for piece in bytes.chunks(step) {
            rx.extend_from_slice(piece);
            while let Some(frame) = reader.next(&mut rx)? {
                frames.push(frame);
            }
        }
        assert!(rx.is_empty(), "whole replies leave nothing");
        Ok(frames)
    }

    fn bulk(text: &'static str) -> Reply {
        Reply::Bulk(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn replies_of_both_versions_are_read_however_they_are_cut() {
        let wire = b"+OK\r\n-ERR no\r\n:-7\r\n$5\r\nhe\r\no\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n\
            *2\r\n:1\r\n*1\r\n$1\r\na\r\n_\r\n#t\r\n,1.5\r\n(123\r\n!3\r\nERR\r\n=5\r\ntxt:x\r\n\
            %1\r\n+k\r\n:2\r\n~1\r\n:3\r\n>2\r\n+a\r\n+b\r\n|1\r\n+x\r\n:0\r\n:9\r\n";
        let text = |text: &'static str| Bytes::from_static(text.as_bytes());
        let simple = |t| Reply::Simple(text(t));
        let mut expected: Vec<Frame> = [
            simple("OK"),
            Reply::Error(text("ERR no")),
            Reply::Integer(-7),
            bulk("he\r\no"),
            Reply::Nil,
            Reply::Nil,
            Reply::Array(vec![]),
            bulk(""),
            Reply::Array(vec![Reply::Integer(1), Reply::Array(vec![bulk("a")])]),
            Reply::Nil,
            Reply::Boolean(true),
            Reply::Double(text("1.5")),
            bulk("123"),
            Reply::Error(text("ERR")),
            bulk("x"),
            Reply::Map(vec![(simple("k"), Reply::Integer(2))]),
            Reply::Array(vec![Reply::Integer(3)]),
        ]
        .map(Frame::Reply)
        .to_vec();
        expected.push(Frame::Push(vec![simple("a"), simple("b")]));
        expected.push(Frame::Reply(Reply::Integer(9)));
        for step in 1..wire.len() {
            assert_eq!(all(wire, step).as_ref(), Ok(&expected), "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for (wire, why) in [
            ("hello\r\n", Garbled::Kind(b'h')),
            ("+a\n", Garbled::Line),
            (":x\r\n", Garbled::Number),
            ("$-2\r\n", Garbled::Number),
            ("$9999999\r\n", Garbled::TooLong),
            ("*999999\r\n", Garbled::TooLong),
            ("$1\r\nabc", Garbled::Line),
        ] {
            assert_eq!(all(wire.as_bytes(), 100), Err(why), "{wire:?}");
        }
        let deep = "*1\r\n".repeat(DEPTH_MAX as usize + 1) + ":1\r\n";
        assert_eq!(all(deep.as_bytes(), 100), Err(Garbled::TooDeep));
        assert_eq!(all(&vec![b'+'; LINE_BYTES_MAX], 999), Err(Garbled::Line));
    }

    #[test]
    fn a_long_reply_leaves_the_bounded_input_buffer() {
        let mut reader = ReplyReader::new(4 << 20);
        let mut rx = BytesMut::from("$3000000\r\n");
        let mut left = 3_000_000;
        while left > 0 {
            rx.extend_from_slice(&[b'v'; 50_000]);
            left -= 50_000;
            assert_eq!(reader.next(&mut rx), Ok(None));
            assert!(rx.len() < HELD_APART_BYTES, "{} bytes wait in the input", rx.len());
        }
        rx.extend_from_slice(b"\r\n:1\r\n");
        let found = reader.next(&mut rx);
        assert!(matches!(found, Ok(Some(Frame::Reply(Reply::Bulk(b)))) if b.len() == 3_000_000));
        assert_eq!(reader.next(&mut rx), Ok(Some(Frame::Reply(Reply::Integer(1)))));
        assert_eq!(reader.held_bytes(), 0);
    }
}
