//! Reading packets: within the length that the header says, and no further.

use super::{ARGUMENTS_MAX, HEADER_BYTES, Kind, Magic};
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::ops::Range;

/// A whole packet, which owns its bytes together with what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it is.
    pub kind: Kind,
    body: Bytes,
    arguments: Arguments,
}

/// A whole packet where it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// What it is.
    pub kind: Kind,
    body: &'a [u8],
    arguments: Arguments,
}

/// Where the arguments are in a packet's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Arguments {
    /// End of each argument; the next begins behind the NUL.
    ends: [u32; ARGUMENTS_MAX],
    count: u8,
}

/// Why bytes are no packet. All but [`Bad::Arguments`] end the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bad {
    /// Another magic than the one that this side is sent.
    Magic,
    /// No kind has this number.
    Kind(u32),
    /// Longer than the parser takes.
    TooLong(u32),
    /// Fewer arguments than the kind has; the packet was skipped, what follows is in step.
    Arguments(Kind),
}

/// Cuts packets from a stream.
#[derive(Clone, Copy, Debug)]
pub struct Parser {
    magic: Magic,
    body_bytes_max: usize,
}

impl Parser {
    /// For packets with this magic, with bodies of at most so many bytes.
    pub const fn new(magic: Magic, body_bytes_max: usize) -> Self {
        Self { magic, body_bytes_max }
    }

    /// The next packet, if all of it is there. Nothing is eaten before that.
    ///
    /// # Errors
    /// The bytes are no packet.
    pub fn next(&self, rx: &mut BytesMut) -> Result<Option<Packet>, Bad> {
        let Some((kind, len)) = self.header(rx)? else { return Ok(None) };
        let mut whole = rx.split_to(HEADER_BYTES + len);
        let body = whole.split_off(HEADER_BYTES).freeze();
        let arguments = Arguments::find(kind, &body).ok_or(Bad::Arguments(kind))?;
        Ok(Some(Packet { kind, body, arguments }))
    }

    /// The next packet, if all of it is there. It is not eaten, see [`View::packet_bytes`].
    ///
    /// # Errors
    /// The bytes are no packet.
    #[inline]
    pub fn view<'a>(&self, rx: &'a [u8]) -> Result<Option<View<'a>>, Bad> {
        let Some((kind, len)) = self.header(rx)? else { return Ok(None) };
        let body = &rx[HEADER_BYTES..HEADER_BYTES + len];
        let arguments = Arguments::find(kind, body).ok_or(Bad::Arguments(kind))?;
        Ok(Some(View { kind, body, arguments }))
    }

    /// The kind and the body's length of the packet at the front, if all of it is there.
    #[inline]
    fn header(&self, rx: &[u8]) -> Result<Option<(Kind, usize)>, Bad> {
        let Some(header) = rx.first_chunk::<HEADER_BYTES>() else {
            // It need not be whole to be none.
            let known = rx.len().min(4);
            return if rx[..known] == self.magic.bytes()[..known] {
                Ok(None)
            } else {
                Err(Bad::Magic)
            };
        };
        let word = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if header[..4] != self.magic.bytes() {
            return Err(Bad::Magic);
        }
        let kind = Kind::of(word(4)).ok_or_else(|| Bad::Kind(word(4)))?;
        let len = word(8) as usize;
        if len > self.body_bytes_max {
            return Err(Bad::TooLong(word(8)));
        }
        Ok((rx.len() - HEADER_BYTES >= len).then_some((kind, len)))
    }
}

impl Arguments {
    fn find(kind: Kind, body: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let wanted = kind.arguments() + usize::from(kind.has_data());
        let mut from = 0;
        for nth in 0..wanted {
            let end = match nth + 1 == wanted {
                true => body.len(),
                false => from + memchr::memchr(0, &body[from..])?,
            };
            found.ends[nth] = end as u32;
            from = end + 1;
        }
        found.count = wanted as u8;
        Some(found)
    }

    fn range(&self, nth: usize) -> Range<usize> {
        assert!(nth < usize::from(self.count), "a kind has so many arguments");
        let from = nth.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        from..self.ends[nth] as usize
    }
}

impl Packet {
    /// An argument, from 0.
    ///
    /// # Panics
    /// If the kind has fewer.
    pub fn argument(&self, nth: usize) -> &[u8] {
        &self.body[self.arguments.range(nth)]
    }

    /// An argument that shares the packet's memory.
    ///
    /// # Panics
    /// If the kind has fewer.
    pub fn argument_shared(&self, nth: usize) -> Bytes {
        self.body.slice(self.arguments.range(nth))
    }

    /// The data, sharing the packet's memory.
    ///
    /// # Panics
    /// If the kind has none.
    pub fn data(&self) -> Bytes {
        assert!(self.kind.has_data(), "{} has no data", self.kind.name());
        self.argument_shared(self.kind.arguments())
    }

    /// Length of all arguments with what separates them, bytes.
    pub fn body_bytes(&self) -> usize {
        self.body.len()
    }

    /// The packet as one that does not own its bytes.
    pub fn view(&self) -> View<'_> {
        View { kind: self.kind, body: &self.body, arguments: self.arguments }
    }
}

impl<'a> View<'a> {
    /// An argument, from 0.
    ///
    /// # Panics
    /// If the kind has fewer.
    #[inline]
    pub fn argument(&self, nth: usize) -> &'a [u8] {
        &self.body[self.arguments.range(nth)]
    }

    /// The data.
    ///
    /// # Panics
    /// If the kind has none.
    #[inline]
    pub fn data(&self) -> &'a [u8] {
        assert!(self.kind.has_data(), "{} has no data", self.kind.name());
        self.argument(self.kind.arguments())
    }

    /// Length of the whole packet, bytes: to be eaten when it was looked at.
    #[inline]
    pub const fn packet_bytes(&self) -> usize {
        HEADER_BYTES + self.body.len()
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("not the magic of a Gearman packet"),
            Self::Kind(number) => write!(f, "no kind of packet has the number {number}"),
            Self::TooLong(len) => write!(f, "a packet of {len} bytes is too long"),
            Self::Arguments(kind) => write!(f, "{} needs more arguments", kind.name()),
        }
    }
}

impl std::error::Error for Bad {}
