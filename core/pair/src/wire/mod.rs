//! Frames between the two halves, and between a half and the witness.
//!
//! A frame is its length (32 bits, little endian, without itself), a byte that names it, and its
//! fields. A peer that breaks these rules is hung up on.

mod court;
mod op;
#[cfg(test)]
mod tests;

pub(crate) use court::{Answer, Ask, Denial, Ruling, Want};
pub(crate) use op::Op;

use crate::generation::Standing;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use storytime_machine::disk::{PATH_BYTES_MAX, path_is_valid};

/// Longest frame, bytes.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 20;
/// Longest piece of a file in one frame, bytes.
pub(crate) const PIECE_BYTES_MAX: usize = 256 << 10;
/// Most names of one directory.
pub(crate) const NAMES_MAX: usize = 4096;
const LENGTH_BYTES: usize = 4;

/// The peer broke the rules of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadFrame;

/// Which of the two halves: the preferred one is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Half {
    First,
    Second,
}

impl Half {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    pub(crate) const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }

    pub(crate) const fn of_index(index: u8) -> Option<Self> {
        match index {
            0 => Some(Self::First),
            1 => Some(Self::Second),
            _ => None,
        }
    }
}

/// Between the halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// The active half introduces itself.
    Hello { half: Half, life: u64, standing: Standing },
    /// The standby follows.
    Welcome { half: Half, life: u64, standing: Standing },
    /// It does not.
    Refuse(Refusal),
    /// Sent at each heartbeat, numbered.
    Ping { number: u64 },
    /// The answer; whether it is a promise not to ask for the lease for one lease time.
    Pong { number: u64, promised: bool },
    /// A change, numbered from 1 in each connection.
    Op { seq: u64, op: Op },
    /// All changes up to this one are carried out; flushes among them are durable.
    Ack { seq: u64 },
    /// What a check found.
    Checked { seq: u64, same: bool },
    /// The resync has ended and everything is durable.
    InSync,
}

/// Why a standby does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It waits for the witness, or for its disk.
    Busy,
    /// It knows a newer generation.
    Stale,
    /// Both halves wrote alone.
    Split,
    /// Both halves are the preferred one, or neither is.
    SameHalf,
}

/// Takes a whole frame off the front: its content without the length.
pub(crate) fn next_frame(rx: &mut BytesMut) -> Result<Option<Bytes>, BadFrame> {
    let Some(head) = rx.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
    let len = u32::from_le_bytes(*head) as usize;
    if len == 0 || len > FRAME_BYTES_MAX {
        return Err(BadFrame);
    }
    if rx.len() < LENGTH_BYTES + len {
        return Ok(None);
    }
    rx.advance(LENGTH_BYTES);
    Ok(Some(rx.split_to(len).freeze()))
}

/// Writes the length in front of what `fill` writes.
fn framed(into: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let from = into.len();
    into.put_u32_le(0);
    fill(into);
    let len = into.len() - from - LENGTH_BYTES;
    assert!(len <= FRAME_BYTES_MAX, "frames are within bounds");
    into[from..from + LENGTH_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
}

/// Writes a change's frame without the bytes of a write, which follow it.
pub(crate) fn put_head(into: &mut BytesMut, seq: u64, op: &Op) {
    let from = into.len();
    into.put_u32_le(0);
    into.put_u8(6);
    into.put_u64_le(seq);
    op.put_head(into);
    let rest = if let Op::Write { data, .. } = op { data.len() } else { 0 };
    let len = into.len() - from - LENGTH_BYTES + rest;
    assert!(len <= FRAME_BYTES_MAX, "frames are within bounds");
    into[from..from + LENGTH_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
}

impl Frame {
    pub(crate) fn put(&self, into: &mut BytesMut) {
        if let Self::Op { seq, op } = self {
            put_head(into, *seq, op);
            if let Op::Write { data, .. } = op {
                into.put_slice(data);
            }
            return;
        }
        framed(into, |into| match self {
            Self::Hello { half, life, standing } => {
                into.put_slice(&[1, *half as u8]);
                into.put_u64_le(*life);
                standing.put(into);
            }
            Self::Welcome { half, life, standing } => {
                into.put_slice(&[2, *half as u8]);
                into.put_u64_le(*life);
                standing.put(into);
            }
            Self::Refuse(why) => into.put_slice(&[3, *why as u8]),
            Self::Ping { number } => {
                into.put_u8(4);
                into.put_u64_le(*number);
            }
            Self::Pong { number, promised } => {
                into.put_slice(&[5, u8::from(*promised)]);
                into.put_u64_le(*number);
            }
            Self::Op { .. } => unreachable!("changes are put in two parts"),
            Self::Ack { seq } => {
                into.put_u8(7);
                into.put_u64_le(*seq);
            }
            Self::Checked { seq, same } => {
                into.put_slice(&[8, u8::from(*same)]);
                into.put_u64_le(*seq);
            }
            Self::InSync => into.put_u8(9),
        });
    }

    pub(crate) fn parse(bytes: Bytes) -> Result<Self, BadFrame> {
        let mut fields = Fields(bytes);
        let frame = match fields.u8()? {
            1 => Self::Hello {
                half: fields.half()?,
                life: fields.u64()?,
                standing: fields.standing()?,
            },
            2 => Self::Welcome {
                half: fields.half()?,
                life: fields.u64()?,
                standing: fields.standing()?,
            },
            3 => Self::Refuse(match fields.u8()? {
                0 => Refusal::Busy,
                1 => Refusal::Stale,
                2 => Refusal::Split,
                3 => Refusal::SameHalf,
                _ => return Err(BadFrame),
            }),
            4 => Self::Ping { number: fields.u64()? },
            5 => {
                let promised = fields.flag()?;
                Self::Pong { number: fields.u64()?, promised }
            }
            6 => Self::Op { seq: fields.u64()?, op: fields.op()? },
            7 => Self::Ack { seq: fields.u64()? },
            8 => {
                let same = fields.flag()?;
                Self::Checked { seq: fields.u64()?, same }
            }
            9 => Self::InSync,
            _ => return Err(BadFrame),
        };
        fields.end()?;
        Ok(frame)
    }
}

/// Takes fields off the front of a frame.
struct Fields(Bytes);

impl Fields {
    fn u8(&mut self) -> Result<u8, BadFrame> {
        self.0.try_get_u8().map_err(|_| BadFrame)
    }
    fn u16(&mut self) -> Result<u16, BadFrame> {
        self.0.try_get_u16_le().map_err(|_| BadFrame)
    }
    fn u32(&mut self) -> Result<u32, BadFrame> {
        self.0.try_get_u32_le().map_err(|_| BadFrame)
    }
    fn u64(&mut self) -> Result<u64, BadFrame> {
        self.0.try_get_u64_le().map_err(|_| BadFrame)
    }
    fn flag(&mut self) -> Result<bool, BadFrame> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(BadFrame),
        }
    }
    fn half(&mut self) -> Result<Half, BadFrame> {
        Half::of_index(self.u8()?).ok_or(BadFrame)
    }
    fn standing(&mut self) -> Result<Standing, BadFrame> {
        Standing::take(&mut self.0).ok_or(BadFrame)
    }
    fn bytes(&mut self, len: usize) -> Result<Bytes, BadFrame> {
        if self.0.len() < len { Err(BadFrame) } else { Ok(self.0.split_to(len)) }
    }
    fn path(&mut self) -> Result<Bytes, BadFrame> {
        let len = usize::from(self.u16()?);
        let path = self.bytes(len)?;
        let good = len <= PATH_BYTES_MAX && path_is_valid(&path);
        if good { Ok(path) } else { Err(BadFrame) }
    }
    fn end(&self) -> Result<(), BadFrame> {
        if self.0.is_empty() { Ok(()) } else { Err(BadFrame) }
    }
}
