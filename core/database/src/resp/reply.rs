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
    /// A reply or push longer than the reader was told to take. It is told of when that is clear;
    /// its bytes are dropped as they come, and what follows it is read as ever.
    TooLong {
        /// Whether nobody asked for it.
        push: bool,
    },
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
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
}

impl fmt::Display for Garbled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(byte) => write!(f, "no reply begins with '{}'", byte.escape_ascii()),
            Self::Line => f.write_str("a line too long or without its end"),
            Self::Number => f.write_str("a length or number that is none"),
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
    lacking: u64,
    /// The unfinished reply, once it is long.
    held: BytesMut,
    /// The unfinished reply is too long: of the item at the front so many bytes are to be dropped.
    dropping: Option<u64>,
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
        Self { reply_bytes_max, scanned: 0, lacking: 1, held: BytesMut::new(), dropping: None }
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
        if self.dropping.is_some() && !self.drop_from(rx)? {
            return Ok(None);
        }
        let max = self.reply_bytes_max as u64;
        while self.lacking > 0 {
            let Some(item) = item_at(&rx[self.scanned..])? else { return Ok(None) };
            let (content, inner) = extent(&item)?;
            let begin = self.scanned + item.head;
            let lacking = self.lacking_behind(item.kind, inner);
            // An item has three bytes at least.
            if begin as u64 + content > max || lacking > max / 3 {
                let push = rx[0] == b'>';
                rx.advance(begin);
                (self.scanned, self.lacking, self.dropping) = (0, lacking, Some(content));
                return Ok(Some(Frame::TooLong { push }));
            }
            let whole = begin + content as usize;
            if rx.len() < whole {
                return Ok(None);
            }
            (self.scanned, self.lacking) = (whole, lacking);
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

    /// Items that are lacking behind one of this kind that holds so many.
    fn lacking_behind(&self, kind: u8, inner: u64) -> u64 {
        // An attribute stands before an item, and is none.
        self.lacking.saturating_add(inner) - u64::from(kind != b'|')
    }

    /// Drops what is there of the reply that is too long; whether that was the rest of it.
    fn drop_from(&mut self, rx: &mut BytesMut) -> Result<bool, Garbled> {
        while let Some(content) = self.dropping {
            let there = content.min(rx.len() as u64);
            rx.advance(there as usize);
            self.dropping = Some(content - there);
            if there < content {
                break;
            }
            if self.lacking == 0 {
                (self.lacking, self.dropping) = (1, None);
                break;
            }
            let Some(item) = item_at(rx)? else { break };
            let ((content, inner), head) = (extent(&item)?, item.head);
            self.lacking = self.lacking_behind(item.kind, inner);
            rx.advance(head);
            self.dropping = Some(content);
        }
        Ok(self.dropping.is_none())
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
fn extent(item: &Item<'_>) -> Result<(u64, u64), Garbled> {
    match item.kind {
        b'$' | b'!' | b'=' => Ok((length(item.line)?.map_or(0, |len| len + 2), 0)),
        b'*' | b'~' | b'>' => Ok((0, length(item.line)?.unwrap_or(0))),
        b'%' | b'|' => Ok((0, 2 * length(item.line)?.unwrap_or(0))),
        _ => Ok((0, 0)),
    }
}

/// A length; `None` for the -1 of what is not there. Twice of it is a number, too.
fn length(line: &[u8]) -> Result<Option<u64>, Garbled> {
    match integer(line)? {
        -1 => Ok(None),
        len => u64::try_from(len).map(Some).map_err(|_| Garbled::Number),
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
    let (content, inner) = extent(&item)?;
    let content = content as usize;
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

fn take_pairs(bytes: &mut Bytes, pairs: u64, depth: u32) -> Result<Vec<(Reply, Reply)>, Garbled> {
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
            ("$1\r\nabc", Garbled::Line),
        ] {
            assert_eq!(all(wire.as_bytes(), 100), Err(why), "{wire:?}");
        }
        let deep = "*1\r\n".repeat(DEPTH_MAX as usize + 1) + ":1\r\n";
        assert_eq!(all(deep.as_bytes(), 100), Err(Garbled::TooDeep));
        assert_eq!(all(&vec![b'+'; LINE_BYTES_MAX], 999), Err(Garbled::Line));
    }

    #[test]
    fn what_is_too_long_is_dropped_and_what_follows_it_is_read() {
        const MAX: usize = 100;
        let long = "x".repeat(MAX);
        let too_long = [
            format!("${}\r\n{long}\r\n", long.len()),
            format!("*3\r\n:1\r\n%1\r\n+k\r\n${}\r\n{long}\r\n*2\r\n:2\r\n_\r\n", long.len()),
            format!("*2\r\n+{long}\r\n|1\r\n+a\r\n:0\r\n:3\r\n"),
            format!("*60\r\n{}", "$-1\r\n".repeat(60)),
        ];
        for (reply, is_push) in too_long.iter().flat_map(|reply| [(reply, false), (reply, true)]) {
            let reply = if is_push { format!(">1\r\n{reply}") } else { reply.clone() };
            let wire = format!(":1\r\n{reply}:2\r\n{reply}+OK\r\n");
            for step in [1, 2, 7, 50, wire.len()] {
                let mut reader = ReplyReader::new(MAX);
                let (mut rx, mut frames) = (BytesMut::new(), Vec::new());
                for piece in wire.as_bytes().chunks(step) {
                    rx.extend_from_slice(piece);
                    while let Some(frame) = reader.next(&mut rx).expect(&reply) {
                        frames.push(frame);
                    }
                    assert!(rx.len() <= 2 * MAX + step, "it is not kept");
                }
                let too_long = Frame::TooLong { push: is_push };
                let [one, two] = [1, 2].map(|n| Frame::Reply(Reply::Integer(n)));
                let ok = Frame::Reply(Reply::Simple(Bytes::from_static(b"OK")));
                assert_eq!(frames, [one, too_long.clone(), two, too_long, ok], "{reply} by {step}");
            }
        }
    }

    #[test]
    fn a_reply_without_end_is_dropped_as_it_comes() {
        let mut reader = ReplyReader::new(1 << 20);
        let mut rx = BytesMut::from("*2\r\n%9223372036854775807\r\n");
        assert_eq!(reader.next(&mut rx), Ok(Some(Frame::TooLong { push: false })));
        rx.extend_from_slice(b"$9223372036854775807\r\n");
        for _ in 0..100 {
            rx.extend_from_slice(&[b'v'; 50_000]);
            assert_eq!(reader.next(&mut rx), Ok(None));
            assert_eq!(rx.len() + reader.held_bytes(), 0);
        }
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
