//! The lines between writer or verifier and recorder: our own protocol, over TCP, port 5400.
//!
//! ASCII lines ending in LF, words separated by one space, numbers decimal, at most
//! [`LINE_BYTES_MAX`] bytes with the LF.
//!
//! | to the recorder | means | answered by |
//! |---|---|---|
//! | `begin RUN BLOCKS BLOCK_BYTES` | the files are laid out and flushed; a run begins | `ok RUN` |
//! | `will AREA INDEX GENERATION` | about to write; AREA is `block`, `log` or `name` | `go SEQ`, in order |
//! | `wrote SEQ` | the write completed | nothing |
//! | `synced SEQ` | the flush was acknowledged | nothing |
//! | `verify RUN` or `verify latest` | which run was that? | `run …` |
//! | `steps FROM` | tell me a page of its steps, from this number on | `step …` each, `end` |
//!
//! | from the recorder | means |
//! |---|---|
//! | `ok RUN` | the run is recorded from here on |
//! | `go SEQ` | the intention is on record under this number: write now |
//! | `enough` | its memory is full: the run is over, nothing is lost |
//! | `run RUN BLOCKS BLOCK_BYTES STEPS` | the shape of the run and how many steps were reported |
//! | `step AREA INDEX GENERATION PHASE INTENDED_AT SYNCED_AT SYNCED_MS` | one step, by number |
//! | `end` | the page is complete |
//! | `error WORDS` | the line before was wrong; the connection ends |

use crate::step::{Area, BLOCK_BYTES_MAX, BLOCKS_MAX, Cell, Phase, SECTOR_BYTES, Step};
use bytes::{Buf, BytesMut};
use core::fmt;
use storytime_machine::Tx;

/// Longest line with its LF, bytes.
pub const LINE_BYTES_MAX: usize = 128;

/// The shape of a run's overwritten file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// Which run; content of other runs does not count.
    pub run: u64,
    /// How many blocks.
    pub blocks: u32,
    /// How long each is, bytes; a whole number of sectors.
    pub block_bytes: u32,
}

/// A line to the recorder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// A run begins.
    Begin(Shape),
    /// About to write this generation of this cell.
    Will(Cell, u32),
    /// The write of that step completed.
    Wrote(u32),
    /// The flush of that step was acknowledged.
    Synced(u32),
    /// We ask about this run; about the one begun last if none is named.
    Verify(Option<u64>),
    /// Tell a page of its steps from this number on.
    Steps(u32),
}

/// A line from the recorder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The run is recorded.
    Ok(u64),
    /// The intention is on record under this number.
    Go(u32),
    /// The recorder's memory is full.
    Enough,
    /// The run asked about, and how many of its steps were reported.
    Run(Shape, u32),
    /// One step.
    Step(Step),
    /// The page is complete.
    End,
    /// The line before was wrong, and why.
    Error(String),
}

/// What the peer did wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WireError {
    /// No LF within [`LINE_BYTES_MAX`] bytes.
    LineTooLong,
    /// Not a line of this protocol.
    Malformed,
    /// A number of blocks or a block length that no run has.
    BadShape,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LineTooLong => "line too long",
            Self::Malformed => "malformed line",
            Self::BadShape => "impossible number or length of blocks",
        })
    }
}

impl std::error::Error for WireError {}

/// Takes one whole line from the front of `rx` and hands it, without its LF, to `parse`. `None`
/// when there is no whole line yet.
///
/// # Errors
/// If the line is too long, or whatever `parse` says.
pub fn next<T>(
    rx: &mut BytesMut,
    parse: impl FnOnce(&[u8]) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    let window = &rx[..rx.len().min(LINE_BYTES_MAX)];
    let Some(end) = window.iter().position(|&b| b == b'\n') else {
        return if rx.len() >= LINE_BYTES_MAX { Err(WireError::LineTooLong) } else { Ok(None) };
    };
    let parsed = parse(&rx[..end]);
    rx.advance(end + 1);
    parsed.map(Some)
}

/// The words of a line, taken one after the other.
struct Words<'a>(core::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Words<'a> {
    fn new(line: &'a [u8]) -> Self {
        Self(line.split(|&b| b == b' '))
    }

    fn word(&mut self) -> Result<&'a [u8], WireError> {
        self.0.next().ok_or(WireError::Malformed)
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        number(self.word()?)
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.u64()?).map_err(|_| WireError::Malformed)
    }

    fn cell(&mut self) -> Result<Cell, WireError> {
        let area = Area::from_word(self.word()?).ok_or(WireError::Malformed)?;
        Ok(Cell { area, index: self.u32()? })
    }

    fn shape(&mut self) -> Result<Shape, WireError> {
        let shape = Shape { run: self.u64()?, blocks: self.u32()?, block_bytes: self.u32()? };
        if shape.is_valid() { Ok(shape) } else { Err(WireError::BadShape) }
    }

    fn end(mut self) -> Result<(), WireError> {
        if self.0.next().is_none() { Ok(()) } else { Err(WireError::Malformed) }
    }
}

/// Decimal digits only: no sign, no blank, at most 2^64 − 1.
fn number(word: &[u8]) -> Result<u64, WireError> {
    if word.is_empty() {
        return Err(WireError::Malformed);
    }
    word.iter()
        .try_fold(0u64, |n, &b| {
            let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
            n.checked_mul(10)?.checked_add(digit)
        })
        .ok_or(WireError::Malformed)
}

impl Shape {
    /// Whether a run can look like this.
    pub const fn is_valid(&self) -> bool {
        self.blocks >= 1
            && self.blocks <= BLOCKS_MAX
            && self.block_bytes >= SECTOR_BYTES as u32
            && self.block_bytes <= BLOCK_BYTES_MAX
            && self.block_bytes.is_multiple_of(SECTOR_BYTES as u32)
    }

    /// Length of the overwritten file, bytes.
    pub const fn file_bytes(&self) -> u64 {
        self.blocks as u64 * self.block_bytes as u64
    }
}

impl Request {
    /// Reads a line without its LF.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &[u8]) -> Result<Self, WireError> {
        let mut words = Words::new(line);
        let request = match words.word()? {
            b"begin" => Self::Begin(words.shape()?),
            b"will" => Self::Will(words.cell()?, words.u32()?),
            b"wrote" => Self::Wrote(words.u32()?),
            b"synced" => Self::Synced(words.u32()?),
            b"steps" => Self::Steps(words.u32()?),
            b"verify" => match words.word()? {
                b"latest" => Self::Verify(None),
                run => Self::Verify(Some(number(run)?)),
            },
            _ => return Err(WireError::Malformed),
        };
        words.end()?;
        Ok(request)
    }

    /// Sends it.
    pub fn put(&self, tx: &mut Tx) {
        put_line(tx, self);
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(s) => write!(f, "begin {} {} {}", s.run, s.blocks, s.block_bytes),
            Self::Will(cell, generation) => write!(f, "will {cell} {generation}"),
            Self::Wrote(seq) => write!(f, "wrote {seq}"),
            Self::Synced(seq) => write!(f, "synced {seq}"),
            Self::Steps(from) => write!(f, "steps {from}"),
            Self::Verify(None) => write!(f, "verify latest"),
            Self::Verify(Some(run)) => write!(f, "verify {run}"),
        }
    }
}

impl Reply {
    /// Reads a line without its LF.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(line: &[u8]) -> Result<Self, WireError> {
        if let Some(why) = line.strip_prefix(b"error ") {
            return Ok(Self::Error(why.escape_ascii().to_string()));
        }
        let mut words = Words::new(line);
        let reply = match words.word()? {
            b"ok" => Self::Ok(words.u64()?),
            b"go" => Self::Go(words.u32()?),
            b"enough" => Self::Enough,
            b"run" => Self::Run(words.shape()?, words.u32()?),
            b"step" => Self::Step(Step {
                cell: words.cell()?,
                generation: words.u32()?,
                phase: Phase::from_word(words.word()?).ok_or(WireError::Malformed)?,
                intended_at: words.u32()?,
                synced_at: words.u32()?,
                synced_ms: words.u32()?,
            }),
            b"end" => Self::End,
            _ => return Err(WireError::Malformed),
        };
        words.end()?;
        Ok(reply)
    }

    /// Sends it.
    pub fn put(&self, tx: &mut Tx) {
        put_line(tx, self);
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok(run) => write!(f, "ok {run}"),
            Self::Go(seq) => write!(f, "go {seq}"),
            Self::Enough => write!(f, "enough"),
            Self::Run(s, steps) => {
                write!(f, "run {} {} {} {steps}", s.run, s.blocks, s.block_bytes)
            }
            Self::Step(s) => write!(
                f,
                "step {} {} {} {} {} {}",
                s.cell,
                s.generation,
                s.phase.as_str(),
                s.intended_at,
                s.synced_at,
                s.synced_ms
            ),
            Self::End => write!(f, "end"),
            Self::Error(why) => write!(f, "error {why}"),
        }
    }
}

/// Writes a line in place, without a string of its own.
fn put_line(tx: &mut Tx, line: &impl fmt::Display) {
    tx.write_with(|tail| {
        let before = tail.len();
        // Writing into a growing buffer cannot fail.
        let _ = fmt::Write::write_fmt(tail, format_args!("{line}\n"));
        assert!(tail.len() - before <= LINE_BYTES_MAX, "our own lines fit");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> Vec<Request> {
        let shape = Shape { run: u64::MAX, blocks: 64, block_bytes: 4096 };
        vec![
            Request::Begin(shape),
            Request::Will(Cell { area: Area::Blocks, index: 7 }, 3),
            Request::Will(Cell { area: Area::Log, index: u32::MAX }, u32::MAX),
            Request::Wrote(0),
            Request::Synced(41),
            Request::Verify(None),
            Request::Verify(Some(9)),
            Request::Steps(512),
        ]
    }

    fn replies() -> Vec<Reply> {
        let shape = Shape { run: 5, blocks: 1, block_bytes: 512 };
        let cell = Cell { area: Area::Names, index: u32::MAX };
        let max = u32::MAX;
        let step = Step {
            cell,
            generation: max,
            phase: Phase::Intended,
            intended_at: max,
            synced_at: max,
            synced_ms: max,
        };
        vec![
            Reply::Ok(u64::MAX),
            Reply::Go(1),
            Reply::Enough,
            Reply::Run(shape, 12),
            Reply::Step(step),
            Reply::End,
            Reply::Error("malformed line".into()),
        ]
    }

    fn read<T>(
        wire: &[u8],
        cuts: &[usize],
        parse: fn(&[u8]) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let (mut rx, mut got, mut from) = (BytesMut::new(), Vec::new(), 0);
        for &to in cuts.iter().chain([&wire.len()]) {
            rx.extend_from_slice(&wire[from..to]);
            from = to;
            while let Some(item) = next(&mut rx, parse)? {
                got.push(item);
            }
        }
        assert!(rx.is_empty(), "whole lines leave nothing behind");
        Ok(got)
    }

    #[test]
    fn every_line_reads_back_whatever_the_cut() {
        let wire: String = requests().iter().map(|r| format!("{r}\n")).collect();
        for cut in 0..=wire.len() {
            assert_eq!(read(wire.as_bytes(), &[cut], Request::parse), Ok(requests()), "{cut}");
        }
        let wire: String = replies().iter().map(|r| format!("{r}\n")).collect();
        for cut in 0..=wire.len() {
            assert_eq!(read(wire.as_bytes(), &[cut], Reply::parse), Ok(replies()), "{cut}");
        }
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        for bad in [
            "",
            " ",
            "begin",
            "begin 1 2",
            "begin 1 2 512 3",
            "begin 1 2  512",
            "will block 1",
            "will tape 1 1",
            "wrote -1",
            "wrote 1 ",
            "synced 4294967296",
            "verify",
            "verify newest",
            "WILL block 1 1",
            "begin 18446744073709551616 1 512",
            "wrote 1\r",
        ] {
            assert_eq!(Request::parse(bad.as_bytes()), Err(WireError::Malformed), "{bad:?}");
        }
        for bad in ["begin 1 0 512", "begin 1 1 0", "begin 1 1 513", "begin 1 2000000 512"] {
            assert_eq!(Request::parse(bad.as_bytes()), Err(WireError::BadShape), "{bad:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_at_the_limit_and_not_before() {
        let mut rx = BytesMut::from(&[b'x'; LINE_BYTES_MAX - 1][..]);
        assert_eq!(next(&mut rx, Request::parse), Ok(None));
        rx.extend_from_slice(b"x");
        assert_eq!(next(&mut rx, Request::parse), Err(WireError::LineTooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_cuts_change_nothing(
            wire in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0usize..200,
        ) {
            let mut whole = BytesMut::from(&wire[..]);
            let mut halves = BytesMut::from(&wire[..cut.min(wire.len())]);
            let one = next(&mut whole, Request::parse);
            let early = next(&mut halves, Request::parse);
            if let Ok(Some(_)) | Err(_) = early {
                prop_assert_eq!(early, one);
            }
            let _ = Reply::parse(&wire);
        }
    }
}
