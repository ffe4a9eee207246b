//! Frames of replies, off the front of a connection's input: where each ends, and whether it can
//! answer what was asked. A frame is a line, a value with its line, or a packet.

use super::Shape;
use std::collections::VecDeque;

/// Longest reply line, bytes, with its line end.
const LINE_BYTES_MAX: usize = 2048;
/// Bytes of a binary packet's header.
pub(crate) const HEADER_BYTES: usize = 24;
/// First byte of a binary reply.
const RESPONSE: u8 = 0x81;

const CRLF: &[u8] = b"\r\n";

/// What is at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A part of a frame.
    Await,
    /// A whole frame of the awaited reply.
    Frame { bytes: usize, last: bool },
    /// The error of a quiet request sent earlier.
    QuietError { bytes: usize },
    /// An error line that may answer this request, or a quiet one before it.
    Ambiguous,
    /// Nothing that could be a reply to what was asked.
    Nonsense,
}

/// How far the reply to one request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expect {
    pub(super) shape: Shape,
    /// Meta replies, or keys that a value may still come for.
    pub(super) left: u32,
    /// Quiet requests that left since the request before.
    pub(super) quiet_before: u32,
    /// CRC-32 of the opaque token that a meta reply repeats, 0 for none.
    pub(super) opaque: u32,
}

/// A line without its end, and its length with it.
enum Line<'a> {
    Await,
    Whole(&'a [u8], usize),
    Nonsense,
}

fn line(input: &[u8]) -> Line<'_> {
    let window = &input[..input.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        let too_long = input.len() >= LINE_BYTES_MAX;
        return if too_long { Line::Nonsense } else { Line::Await };
    };
    match input[..=end].strip_suffix(CRLF) {
        Some(line) => Line::Whole(line, end + 1),
        None => Line::Nonsense,
    }
}

/// Whether a line is one of the protocol's three kinds of error.
pub(crate) fn is_error(line: &[u8]) -> bool {
    let behind = |word: &[u8]| line.strip_prefix(word);
    behind(b"ERROR").is_some_and(|rest| rest.is_empty() || rest[0] == b' ' || rest[0] == b':')
        || behind(b"SERVER_ERROR").is_some()
        || behind(b"CLIENT_ERROR").is_some()
}

/// Decimal digits and nothing else.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    if digits.first() == Some(&b'+') {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}

impl Expect {
    /// Looks at the next frame. `keys` are the CRC-32s of the keys that values may come for, this
    /// request's first.
    pub(super) fn step(&mut self, keys: &mut VecDeque<u32>, input: &[u8], max: usize) -> Step {
        if input.is_empty() {
            return Step::Await;
        }
        if self.shape.is_binary() {
            return self.packet(input, max);
        }
        let (line, bytes) = match line(input) {
            Line::Await => return Step::Await,
            Line::Nonsense => return Step::Nonsense,
            Line::Whole(line, bytes) => (line, bytes),
        };
        if is_error(line) {
            if self.quiet_before > 0 {
                return Step::Ambiguous;
            }
            if self.shape == Shape::Values {
                self.forget(keys);
            }
            return Step::Frame { bytes, last: self.error_is_last() };
        }
        let last = match self.shape {
            Shape::Quiet => return Step::Nonsense,
            Shape::Line(words) => words.take(line).then_some(true),
            Shape::Lines => Some(matches!(line, b"END" | b"OK" | b"RESET")),
            Shape::Values if line == b"END" => {
                self.forget(keys);
                Some(true)
            }
            Shape::Values => return self.value(keys, line, bytes, input, max),
            Shape::Meta { .. } | Shape::MetaUntilNoop => {
                return self.meta(line, bytes, input, max);
            }
            _ => unreachable!("binary shapes were dealt with above"),
        };
        match last {
            Some(last) => Step::Frame { bytes, last },
            None => Step::Nonsense,
        }
    }

    /// No value will come for the keys that are left.
    fn forget(&mut self, keys: &mut VecDeque<u32>) {
        keys.drain(..self.left as usize);
        self.left = 0;
    }

    /// An error ends every reply, but answers only one of several meta requests.
    fn error_is_last(&mut self) -> bool {
        match self.shape {
            Shape::MetaUntilNoop => false,
            Shape::Meta { .. } => self.meta_done(),
            _ => true,
        }
    }

    fn meta_done(&mut self) -> bool {
        assert!(self.left > 0, "a reply that has come is not awaited");
        self.left -= 1;
        self.left == 0
    }

    /// `VALUE <key> <flags> <bytes> [<cas>]` and the value behind it.
    fn value(
        &mut self,
        keys: &mut VecDeque<u32>,
        line: &[u8],
        bytes: usize,
        input: &[u8],
        max: usize,
    ) -> Step {
        let Some(rest) = line.strip_prefix(b"VALUE ") else { return Step::Nonsense };
        let mut words = rest.split(|&b| b == b' ');
        let (key, flags) = (words.next().unwrap_or(b""), words.next().and_then(number));
        let length = words.next().and_then(number).and_then(|n| usize::try_from(n).ok());
        let cas = words.next().map_or(Some(0), number);
        let (Some(_), Some(length), Some(_), None) = (flags, length, cas, words.next()) else {
            return Step::Nonsense;
        };
        let crc = crc32fast::hash(key);
        let skipped = keys.range(..self.left as usize).position(|&asked| asked == crc);
        let Some(skipped) = skipped.filter(|_| length <= max) else { return Step::Nonsense };
        let Some(whole) = data_block(input, bytes, length) else { return Step::Await };
        if whole == 0 {
            return Step::Nonsense;
        }
        keys.drain(..=skipped);
        self.left -= skipped as u32 + 1;
        Step::Frame { bytes: whole, last: false }
    }

    /// `<code> …`, or `VA <bytes> …` and the value behind it.
    fn meta(&mut self, line: &[u8], bytes: usize, input: &[u8], max: usize) -> Step {
        let mut words = line.split(|&b| b == b' ');
        let code = words.next().unwrap_or(b"");
        let whole = match code {
            b"VA" => {
                let length = words.next().and_then(number).and_then(|n| usize::try_from(n).ok());
                let Some(length) = length.filter(|&n| n <= max) else { return Step::Nonsense };
                match data_block(input, bytes, length) {
                    None => return Step::Await,
                    Some(0) => return Step::Nonsense,
                    Some(whole) => whole,
                }
            }
            b"HD" | b"EN" | b"NS" | b"EX" | b"NF" | b"MN" => bytes,
            // Its second word is a key, which may look like any flag.
            b"ME" => {
                words.next();
                bytes
            }
            _ => return Step::Nonsense,
        };
        let until_noop = self.shape == Shape::MetaUntilNoop;
        if until_noop {
            return Step::Frame { bytes: whole, last: code == b"MN" };
        }
        let opaque = words.find(|word| word.first() == Some(&b'O') && code != b"ME");
        if opaque.is_some_and(|opaque| crc32fast::hash(opaque) != self.opaque) {
            return Step::Nonsense;
        }
        Step::Frame { bytes: whole, last: self.meta_done() }
    }

    fn packet(&mut self, input: &[u8], max: usize) -> Step {
        if input[0] != RESPONSE {
            return Step::Nonsense;
        }
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Step::Await };
        let (opcode, opaque) = (header[1], u32::from_be_bytes(tail4(header, 12)));
        let body = u32::from_be_bytes(tail4(header, 8)) as usize;
        let key = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let keyless = key == 0;
        if body > max.saturating_add(LINE_BYTES_MAX) || key + usize::from(header[4]) > body {
            return Step::Nonsense;
        }
        let bytes = HEADER_BYTES + body;
        if input.len() < bytes {
            return Step::Await;
        }
        let failed = header[6] != 0 || header[7] != 0;
        let last = match self.shape {
            Shape::Packet { opcode: o, opaque: q } => (o == opcode && q == opaque).then_some(true),
            Shape::PacketsUntil { opcode: o, opaque: q } => Some(o == opcode && q == opaque),
            Shape::PacketsUntilKeyless { opcode: o, opaque: q } => {
                (o == opcode && q == opaque).then_some(keyless || failed)
            }
            _ => unreachable!("only binary shapes come here"),
        };
        match last {
            Some(last) => Step::Frame { bytes, last },
            None if self.quiet_before > 0 && failed => Step::QuietError { bytes },
            None => Step::Nonsense,
        }
    }
}

fn tail4(header: &[u8; HEADER_BYTES], at: usize) -> [u8; 4] {
    [header[at], header[at + 1], header[at + 2], header[at + 3]]
}

/// Length of a line and the data block behind it: none while it is not whole, 0 if it does not end
/// as it must.
fn data_block(input: &[u8], line_bytes: usize, length: usize) -> Option<usize> {
    let end = line_bytes + length;
    let tail = input.get(end..end + CRLF.len())?;
    Some(if tail == CRLF { end + CRLF.len() } else { 0 })
}

/// The length of an error line or packet that no awaited request can have caused, if that is what
/// is at the front: what quiet requests get that fail.
pub(super) fn stray_error(input: &[u8]) -> Step {
    if input.first() == Some(&RESPONSE) {
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Step::Await };
        let failed = header[6] != 0 || header[7] != 0;
        let bytes = HEADER_BYTES + u32::from_be_bytes(tail4(header, 8)) as usize;
        return match (failed && bytes <= LINE_BYTES_MAX, input.len() < bytes) {
            (false, _) => Step::Nonsense,
            (true, true) => Step::Await,
            (true, false) => Step::QuietError { bytes },
        };
    }
    match line(input) {
        Line::Await => Step::Await,
        Line::Whole(line, bytes) if is_error(line) => Step::QuietError { bytes },
        Line::Whole(..) | Line::Nonsense => Step::Nonsense,
    }
}

/// The keys of a text retrieval: `get <key>*`, `gat <exptime> <key>*`.
pub(super) fn keys_of(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut words = head.trim_ascii_end().split(|&b| b == b' ').filter(|word| !word.is_empty());
    let command = words.next().unwrap_or(b"");
    if matches!(command, b"gat" | b"gats") {
        words.next();
    }
    words
}

/// The opaque token of a meta request's first line, as [`Expect::opaque`] has it.
pub(super) fn opaque_of(head: &[u8]) -> u32 {
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let words = head[..end].trim_ascii_end().split(|&b| b == b' ').skip(2);
    let opaque = words.filter(|word| word.first() == Some(&b'O')).last();
    opaque.map_or(0, crc32fast::hash)
}
