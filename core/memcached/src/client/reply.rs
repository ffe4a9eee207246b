//! Replies of a server, off the front of a connection's input.

use bytes::Bytes;

/// Longest reply line, bytes, with its line end: a value line with the longest key and numbers.
const LINE_BYTES_MAX: usize = 2048;

/// What a request awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// At most one value, and `END`.
    Value {
        /// CRC-32 of the key, to notice replies that are out of step.
        key_crc: u32,
    },
    /// Whether it was stored.
    Stored,
    /// Whether it was deleted.
    Deleted,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Hit(Bytes),
    Miss,
    Stored,
    NotStored,
    Deleted,
    NotFound,
    /// An error line.
    Error,
}

/// What is at the front of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A part of a reply.
    Await,
    /// A whole reply, of so many bytes.
    Whole(Reply, usize),
    /// Nothing that could be a reply to what was asked.
    Nonsense,
}

const CRLF: &[u8] = b"\r\n";
const END: &[u8] = b"END\r\n";

/// Reads one reply. Values above `value_bytes_max` are nonsense: they would never fit.
pub(super) fn parse(awaits: Awaits, input: &[u8], value_bytes_max: usize) -> Parsed {
    let window = &input[..input.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        let too_long = input.len() >= LINE_BYTES_MAX;
        return if too_long { Parsed::Nonsense } else { Parsed::Await };
    };
    let whole = end + 1;
    let Some(line) = input[..whole].strip_suffix(CRLF) else { return Parsed::Nonsense };
    let error = line == b"ERROR"
        || [&b"ERROR "[..], b"CLIENT_ERROR ", b"SERVER_ERROR "].iter().any(|e| line.starts_with(e));
    if error {
        return Parsed::Whole(Reply::Error, whole);
    }
    let reply = match (awaits, line) {
        (Awaits::Value { .. }, b"END") => Reply::Miss,
        (Awaits::Value { key_crc }, _) => {
            return value(key_crc, line, &input[whole..], value_bytes_max).map_or(
                Parsed::Nonsense,
                |parsed| match parsed {
                    Parsed::Whole(reply, more) => Parsed::Whole(reply, whole + more),
                    other => other,
                },
            );
        }
        (Awaits::Stored, b"STORED") => Reply::Stored,
        (Awaits::Stored, b"NOT_STORED") => Reply::NotStored,
        (Awaits::Deleted, b"DELETED") => Reply::Deleted,
        (Awaits::Deleted, b"NOT_FOUND") => Reply::NotFound,
        _ => return Parsed::Nonsense,
    };
    Parsed::Whole(reply, whole)
}

/// The value behind `VALUE <key> <flags> <bytes>`, and the `END` behind it.
fn value(key_crc: u32, line: &[u8], behind: &[u8], value_bytes_max: usize) -> Option<Parsed> {
    let mut words = line.strip_prefix(b"VALUE ")?.split(|&b| b == b' ');
    let (key, _flags, bytes) = (words.next()?, words.next()?, words.next()?);
    let bytes: usize = core::str::from_utf8(bytes).ok()?.parse().ok()?;
    if words.next().is_some() || crc32fast::hash(key) != key_crc || bytes > value_bytes_max {
        return None;
    }
    let Some(tail) = behind.get(bytes..bytes + CRLF.len() + END.len()) else {
        return Some(Parsed::Await);
    };
    if !tail.starts_with(CRLF) || !tail.ends_with(END) {
        return None;
    }
    let value = Bytes::copy_from_slice(&behind[..bytes]);
    Some(Parsed::Whole(Reply::Hit(value), bytes + tail.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(key: &str) -> Awaits {
        Awaits::Value { key_crc: crc32fast::hash(key.as_bytes()) }
    }

    #[test]
    fn a_hit_is_read_once_it_is_whole() {
        let input = b"VALUE k 0 5\r\na\r\nEN\r\nEND\r\nnext";
        let whole = input.len() - b"next".len();
        for cut in 0..whole {
            assert_eq!(parse(get("k"), &input[..cut], 99), Parsed::Await, "cut at {cut}");
        }
        let hit = Reply::Hit(Bytes::from_static(b"a\r\nEN"));
        assert_eq!(parse(get("k"), input, 99), Parsed::Whole(hit, whole));
    }

    #[test]
    fn each_request_has_its_own_replies() {
        let whole = |awaits, input: &str| match parse(awaits, input.as_bytes(), 99) {
            Parsed::Whole(reply, eaten) if eaten == input.len() => reply,
            other => panic!("{input:?}: {other:?}"),
        };
        assert_eq!(whole(get("k"), "END\r\n"), Reply::Miss);
        assert_eq!(whole(Awaits::Stored, "STORED\r\n"), Reply::Stored);
        assert_eq!(whole(Awaits::Stored, "NOT_STORED\r\n"), Reply::NotStored);
        assert_eq!(whole(Awaits::Deleted, "DELETED\r\n"), Reply::Deleted);
        assert_eq!(whole(Awaits::Deleted, "NOT_FOUND\r\n"), Reply::NotFound);
        assert_eq!(whole(Awaits::Stored, "SERVER_ERROR out of memory\r\n"), Reply::Error);
        assert_eq!(whole(get("k"), "ERROR\r\n"), Reply::Error);
    }

    #[test]
    fn what_answers_another_question_is_nonsense() {
        let long = "x".repeat(LINE_BYTES_MAX);
        for (awaits, input) in [
            (get("k"), "STORED\r\n"),
            (get("k"), "VALUE other 0 1\r\na\r\nEND\r\n"),
            (get("k"), "VALUE k 0 100\r\n"),
            (get("k"), "VALUE k 0 1\r\nabcdefgh"),
            (get("k"), "VALUE k 0\r\n"),
            (get("k"), "VALUE k 0 x\r\n"),
            (Awaits::Stored, "DELETED\r\n"),
            (Awaits::Deleted, "END\r\n"),
            (Awaits::Deleted, "END\n"),
            (Awaits::Deleted, &long),
        ] {
            assert_eq!(parse(awaits, input.as_bytes(), 99), Parsed::Nonsense, "{input:?}");
        }
    }
}
