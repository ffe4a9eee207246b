//! Requests, parsed where they lie.

use super::inline;
use core::fmt;
use memchr::memchr;

/// Most words in a request, as the original has it.
pub const WORDS_MAX: i64 = 1 << 20;
/// Longest line of a request typed by hand, and of a count, bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Most words of a request before the client has logged in.
pub const WORDS_UNKNOWN_MAX: i64 = 10;
/// Longest line that a parser has room for between requests, bytes.
const LINE_KEPT_BYTES_MAX: usize = 1 << 10;
/// Words whose places a parser has room for between requests.
const SPANS_KEPT_MAX: usize = 128;
/// Longest word before the client has logged in, bytes.
pub const WORD_UNKNOWN_BYTES_MAX: i64 = 16 << 10;

/// What a peer got wrong about the protocol; the connection ends after it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A line without end.
    InlineTooBig,
    /// Quotes that do not end.
    Quotes,
    /// A count of words that cannot be.
    Words,
    /// A count of words without end.
    WordsTooBig,
    /// Something in place of a word's length.
    ExpectedLength(u8),
    /// A length that cannot be, or above the limit.
    Length,
    /// A length without end.
    LengthTooBig,
    /// Many words from a stranger.
    UnknownWords,
    /// A long word from a stranger.
    UnknownLength,
    /// All words together are above the limit.
    RequestTooBig,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        f.write_str(match self {
            Self::InlineTooBig => "too big inline request",
            Self::Quotes => "unbalanced quotes in request",
            Self::Words => "invalid multibulk length",
            Self::WordsTooBig => "too big mbulk count string",
            Self::ExpectedLength(got) => {
                let got = if got.is_ascii_control() { ' ' } else { char::from(*got) };
                return write!(f, "expected '$', got '{got}'");
            }
            Self::Length => "invalid bulk length",
            Self::LengthTooBig => "too big bulk count string",
            Self::UnknownWords => "unauthenticated multibulk length",
            Self::UnknownLength => "unauthenticated bulk length",
            Self::RequestTooBig => "too big request",
        })
    }
}

/// The words of a request, its name first.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [(u32, u32)],
}

impl<'a> Args<'a> {
    /// Words by their places in some bytes.
    pub const fn new(bytes: &'a [u8], spans: &'a [(u32, u32)]) -> Self {
        Self { bytes, spans }
    }

    /// How many words there are.
    pub const fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// A word.
    ///
    /// # Panics
    /// If there is none: the arity is checked before.
    #[inline]
    pub fn at(&self, place: usize) -> &'a [u8] {
        let (from, to) = self.spans[place];
        &self.bytes[from as usize..to as usize]
    }

    /// A word, if there is one.
    pub fn get(&self, place: usize) -> Option<&'a [u8]> {
        (place < self.len()).then(|| self.at(place))
    }

    /// The words from a place on.
    pub fn from(&self, place: usize) -> Self {
        Self { bytes: self.bytes, spans: &self.spans[place.min(self.spans.len())..] }
    }

    /// All words.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + use<'a> {
        let (bytes, spans) = (self.bytes, self.spans);
        spans.iter().map(move |&(from, to)| &bytes[from as usize..to as usize])
    }

    /// Their bytes together.
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(|&(from, to)| (to - from) as usize).sum()
    }
}

/// What lies at the front of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// Not a whole request yet.
    Partial,
    /// A request of this many bytes; none of its words if it asks for nothing.
    Request {
        /// Bytes to eat.
        len: usize,
    },
}

/// What a parser lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Longest word, bytes.
    pub word_bytes_max: usize,
    /// Longest request, bytes.
    pub request_bytes_max: usize,
    /// Whether the client has yet to log in.
    pub stranger: bool,
}

/// Where a parser is in a request.
#[derive(Debug, Default)]
enum Await {
    #[default]
    Start,
    Length {
        missing: usize,
    },
    Word {
        missing: usize,
        len: usize,
    },
}

/// A parser of one connection's requests. Remembers how far it came in a request that is not whole.
#[derive(Debug, Default)]
pub struct Parser {
    state: Await,
    /// Where it goes on in the input.
    at: usize,
    spans: Vec<(u32, u32)>,
    /// Words of a line typed by hand, without their quotes.
    line: Vec<u8>,
    inline: bool,
}

impl Parser {
    /// Looks at the front of the input, which is what it was and more since the last time.
    ///
    /// # Errors
    /// If the peer broke the protocol.
    pub fn parse(&mut self, rx: &[u8], bounds: &Bounds) -> Result<Parsed, ProtocolError> {
        loop {
            match self.state {
                Await::Start => match rx.first() {
                    None => return Ok(Parsed::Partial),
                    Some(b'*') => {
                        let Some(n) = self.count(rx, ProtocolError::WordsTooBig)? else {
                            return Ok(Parsed::Partial);
                        };
                        let n = n.filter(|&n| n <= WORDS_MAX).ok_or(ProtocolError::Words)?;
                        if bounds.stranger && n > WORDS_UNKNOWN_MAX {
                            return Err(ProtocolError::UnknownWords);
                        }
                        let missing = usize::try_from(n).unwrap_or(0);
                        self.state = Await::Length { missing };
                    }
                    Some(_) => return self.parse_line(rx),
                },
                Await::Length { missing: 0 } => return Ok(Parsed::Request { len: self.at }),
                Await::Length { missing } => {
                    let Some(&first) = rx.get(self.at) else { return Ok(Parsed::Partial) };
                    if first != b'$' {
                        return Err(ProtocolError::ExpectedLength(first));
                    }
                    let Some(n) = self.count(rx, ProtocolError::LengthTooBig)? else {
                        return Ok(Parsed::Partial);
                    };
                    let len = n.and_then(|n| usize::try_from(n).ok());
                    let len = len.filter(|&len| len <= bounds.word_bytes_max);
                    let len = len.ok_or(ProtocolError::Length)?;
                    if bounds.stranger && len as i64 > WORD_UNKNOWN_BYTES_MAX {
                        return Err(ProtocolError::UnknownLength);
                    }
                    if self.at + len > bounds.request_bytes_max {
                        return Err(ProtocolError::RequestTooBig);
                    }
                    self.state = Await::Word { missing, len };
                }
                Await::Word { missing, len } => {
                    if rx.len() < self.at + len + 2 {
                        return Ok(Parsed::Partial);
                    }
                    self.spans.push((self.at as u32, (self.at + len) as u32));
                    self.at += len + 2;
                    self.state = Await::Length { missing: missing - 1 };
                }
            }
        }
    }

    /// The number of a line that begins with a mark. None if the line is not whole, and within it
    /// none if it is no number.
    fn count(
        &mut self,
        rx: &[u8],
        too_big: ProtocolError,
    ) -> Result<Option<Option<i64>>, ProtocolError> {
        let line = &rx[self.at..];
        let Some(end) = memchr(b'\r', line).filter(|end| end + 1 < line.len()) else {
            return if line.len() > LINE_BYTES_MAX { Err(too_big) } else { Ok(None) };
        };
        self.at += end + 2;
        Ok(Some(integer(&line[1..end])))
    }

    fn parse_line(&mut self, rx: &[u8]) -> Result<Parsed, ProtocolError> {
        let Some(end) = memchr(b'\n', rx) else {
            return match rx.len() {
                0..=LINE_BYTES_MAX => Ok(Parsed::Partial),
                _ => Err(ProtocolError::InlineTooBig),
            };
        };
        if end > LINE_BYTES_MAX {
            return Err(ProtocolError::InlineTooBig);
        }
        let line = rx[..end].strip_suffix(b"\r").unwrap_or(&rx[..end]);
        self.inline = true;
        let split = inline::split(line, &mut self.line, &mut self.spans);
        split.map_err(|inline::Unbalanced| ProtocolError::Quotes)?;
        Ok(Parsed::Request { len: end + 1 })
    }

    /// The words of the request that was found.
    pub fn args<'a>(&'a self, rx: &'a [u8]) -> Args<'a> {
        Args::new(if self.inline { &self.line } else { rx }, &self.spans)
    }

    /// The request is eaten: the next one begins at the front.
    pub fn reset(&mut self) {
        (self.state, self.at, self.inline) = (Await::Start, 0, false);
        if self.spans.capacity() > SPANS_KEPT_MAX {
            self.spans = Vec::new();
        }
        if self.line.capacity() > LINE_KEPT_BYTES_MAX {
            self.line = Vec::new();
        }
        self.spans.clear();
        self.line.clear();
    }
}

/// A number as Redis takes it: no plus, no blanks, no needless zeros.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    if digits == b"0" && !negative {
        return Some(0);
    }
    if digits.first().is_none_or(|first| !(b'1'..=b'9').contains(first)) {
        return None;
    }
    digits.iter().try_fold(0i64, |n, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        let n = n.checked_mul(10)?;
        if negative { n.checked_sub(digit) } else { n.checked_add(digit) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { word_bytes_max: 100, request_bytes_max: 1000, stranger: false };

    fn words(parser: &Parser, rx: &[u8]) -> Vec<String> {
        parser.args(rx).iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect()
    }

    #[test]
    fn a_request_is_found_wherever_it_is_cut() {
        let whole = b"*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n";
        for cut in 0..whole.len() {
            let mut parser = Parser::default();
            assert_eq!(parser.parse(&whole[..cut], &BOUNDS), Ok(Parsed::Partial), "{cut}");
            let found = parser.parse(whole, &BOUNDS);
            assert_eq!(found, Ok(Parsed::Request { len: whole.len() }), "{cut}");
            assert_eq!(words(&parser, whole), ["GET", "a\r\nb"]);
        }
    }

    #[test]
    fn what_breaks_the_protocol_is_named() {
        let error = |rx: &[u8]| Parser::default().parse(rx, &BOUNDS).unwrap_err().to_string();
        assert_eq!(error(b"*x\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*2000000\r\n"), "Protocol error: invalid multibulk length");
        assert_eq!(error(b"*1\r\nGET\r\n"), "Protocol error: expected '$', got 'G'");
        assert_eq!(error(b"*1\r\n$101\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"*1\r\n$-1\r\n"), "Protocol error: invalid bulk length");
        assert_eq!(error(b"get 'a\r\n"), "Protocol error: unbalanced quotes in request");
        let long = vec![b'a'; LINE_BYTES_MAX + 1];
        assert_eq!(error(&long), "Protocol error: too big inline request");
    }

    #[test]
    fn requests_of_no_words_are_eaten() {
        for (rx, len) in [(&b"*0\r\n"[..], 4), (b"*-1\r\n", 5), (b"\r\n", 2), (b"  \n", 3)] {
            let mut parser = Parser::default();
            assert_eq!(parser.parse(rx, &BOUNDS), Ok(Parsed::Request { len }));
            assert!(parser.args(rx).is_empty());
        }
    }

    #[test]
    fn numbers_are_as_strict_as_redis_has_them() {
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        for bad in ["", "-", "+1", "01", "-0", " 1", "1 ", "9223372036854775808", "1a"] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad}");
        }
    }
}
