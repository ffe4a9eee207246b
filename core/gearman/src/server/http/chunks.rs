//! Bodies in chunks (RFC 9112, section 7.1).
//!
//! Lines end with CR LF and nothing else, so that nobody between a client and this server can see
//! other borders. Extensions of chunks and trailers are bounded, and ignored.

use super::head::{BAD, HEAD_BYTES_MAX, Refused, refused};
use super::reply::Status;
use bytes::{Buf as _, BytesMut};

/// Longest line with the size of a chunk and its extensions, bytes.
const SIZE_LINE_BYTES_MAX: usize = 1 << 10;
/// Longest size of a chunk, hexadecimal digits.
const SIZE_DIGITS_MAX: usize = 16;
/// Extensions of all chunks of a body, bytes.
const EXTENSIONS_BYTES_MAX: usize = 16 << 10;
/// All trailers of a body, bytes.
const TRAILERS_BYTES_MAX: usize = HEAD_BYTES_MAX;

/// A body that comes in chunks.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// What has come of it.
    body: BytesMut,
    awaits: Awaited,
    /// Extensions so far, bytes.
    extensions: usize,
    /// Trailers so far, bytes.
    trailers: usize,
}

/// What is awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Awaited {
    /// The line with the size of a chunk.
    #[default]
    Size,
    /// So many bytes of a chunk.
    Data(usize),
    /// The end of the line behind a chunk.
    DataEnd,
    /// A line of a trailer, or the empty one behind the last.
    Trailer,
}

/// How far a body is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its rest has not come.
    Partial,
    /// It is whole.
    Whole(BytesMut),
}

impl Chunks {
    /// Bytes of the body that are held.
    pub(super) fn held(&self) -> usize {
        self.body.len()
    }

    /// Takes what came. A body may have so many bytes; where one that is refused ends is not known.
    pub(super) fn take(
        &mut self,
        rx: &mut BytesMut,
        body_bytes_max: usize,
    ) -> Result<Progress, Refused> {
        debug_assert!(self.body.len() <= body_bytes_max, "a chunk is refused by its size");
        loop {
            let step = match self.awaits {
                Awaited::Size => self.size(rx, body_bytes_max)?,
                Awaited::Data(left) => {
                    let here = left.min(rx.len());
                    self.body.extend_from_slice(&rx[..here]);
                    rx.advance(here);
                    self.awaits = match left - here {
                        0 => Awaited::DataEnd,
                        left => Awaited::Data(left),
                    };
                    (here == left).then_some(())
                }
                Awaited::DataEnd => match rx.get(..2) {
                    Some(b"\r\n") => {
                        rx.advance(2);
                        self.awaits = Awaited::Size;
                        Some(())
                    }
                    Some(_) => return Err(refused(BAD, "a chunk is longer than its size says")),
                    None => None,
                },
                Awaited::Trailer => match self.trailer(rx)? {
                    Some(true) => return Ok(Progress::Whole(core::mem::take(&mut self.body))),
                    Some(false) => Some(()),
                    None => None,
                },
            };
            if step.is_none() {
                return Ok(Progress::Partial);
            }
        }
    }

    /// The line with the size of a chunk. None if it has not come.
    fn size(&mut self, rx: &mut BytesMut, body_bytes_max: usize) -> Result<Option<()>, Refused> {
        const LONG: Refused = refused(BAD, "the size of a chunk has more than 1 KiB of extensions");
        let Some(line) = line(rx, SIZE_LINE_BYTES_MAX, LONG)? else { return Ok(None) };
        let (size, extensions) =
            size(&rx[..line]).ok_or(refused(BAD, "the size of a chunk is a hexadecimal number"))?;
        self.extensions += extensions;
        if self.extensions > EXTENSIONS_BYTES_MAX {
            return Err(refused(BAD, "chunks have more than 16 KiB of extensions"));
        }
        rx.advance(line + 2);
        let room = body_bytes_max - self.body.len();
        self.awaits = match usize::try_from(size) {
            Ok(0) => Awaited::Trailer,
            Ok(size) if size <= room => Awaited::Data(size),
            _ => {
                return Err(refused(Status::TOO_LARGE, "the body is longer than a job may be"));
            }
        };
        Ok(Some(()))
    }

    /// A line behind the last chunk: whether it was the empty one. None if it has not come.
    fn trailer(&mut self, rx: &mut BytesMut) -> Result<Option<bool>, Refused> {
        const LONG: Refused =
            refused(Status::HEAD_TOO_LARGE, "the trailers are longer than 16 KiB");
        let room = TRAILERS_BYTES_MAX - self.trailers;
        let Some(len) = line(rx, room, LONG)? else { return Ok(None) };
        let whole = len == 0;
        if !whole && !is_field(&rx[..len]) {
            return Err(refused(BAD, "a trailer is NAME: VALUE"));
        }
        self.trailers += len;
        rx.advance(len + 2);
        Ok(Some(whole))
    }
}

/// How long the line at the front is, without its end. None if that has not come.
fn line(rx: &[u8], bytes_max: usize, long: Refused) -> Result<Option<usize>, Refused> {
    let is_end = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    match rx.iter().take(bytes_max + 1).position(is_end) {
        Some(end) => match &rx[end..] {
            [b'\r', b'\n', ..] => Ok(Some(end)),
            [b'\r'] => Ok(None),
            _ => Err(refused(BAD, "lines between chunks end with CR LF")),
        },
        None if rx.len() > bytes_max => Err(long),
        None => Ok(None),
    }
}

/// The size at the front of a line, and how many bytes of extensions follow.
fn size(line: &[u8]) -> Option<(u64, usize)> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (number, rest) = line.split_at(digits);
    let blank = rest.trim_ascii_start();
    if !(1..=SIZE_DIGITS_MAX).contains(&digits) || !(rest.is_empty() || blank.starts_with(b";")) {
        return None;
    }
    let value = |byte: &u8| u64::from(char::from(*byte).to_digit(16).expect("it was looked at"));
    Some((number.iter().fold(0, |sum, byte| sum << 4 | value(byte)), rest.len()))
}

/// Whether a line is a name, a colon and a value.
fn is_field(line: &[u8]) -> bool {
    let colon = line.iter().position(|byte| *byte == b':');
    colon.is_some_and(|at| at > 0 && line[..at].iter().all(u8::is_ascii_graphic))
}
