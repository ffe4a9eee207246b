//! Frames between the two halves, and between a half and the witness.
//!
//! A frame is its length (32 bits, little endian, without itself), a byte that names it, and its
//! fields. A peer that breaks these rules is hung up on.

use crate::generation::Standing;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use core::time::Duration;
use storytime_machine::disk::{PATH_BYTES_MAX, path_is_valid};
use storytime_machine::nanos;

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

/// A change to the mirrored directories, or a step of a resync. Files go by the number that the
/// active half gave them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// The resync begins: from here on the disk is neither old nor new.
    Begin,
    /// What names a directory has: others go.
    Names {
        dir: Bytes,
        names: Vec<Bytes>,
    },
    /// A file of the resync: opened, created where missing, and cut or lengthened.
    File {
        file: u32,
        path: Bytes,
        len: u64,
    },
    /// What a block should hold.
    Check {
        file: u32,
        at: u64,
        len: u32,
        digest: u64,
    },
    /// The resync ends.
    Finish,
    Open {
        file: u32,
        path: Bytes,
        create: bool,
    },
    Write {
        file: u32,
        at: u64,
        data: Bytes,
    },
    SetLen {
        file: u32,
        len: u64,
    },
    Sync {
        file: u32,
    },
    Close {
        file: u32,
    },
    Rename {
        from: Bytes,
        to: Bytes,
    },
    Unlink {
        path: Bytes,
    },
    MakeDir {
        path: Bytes,
    },
    SyncDir {
        path: Bytes,
    },
}

impl Op {
    /// Bytes that it carries, about.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Write { data, .. } => 32 + data.len(),
            Self::Names { names, .. } => 32 + names.iter().map(|n| 2 + n.len()).sum::<usize>(),
            _ => 64,
        }
    }
}

/// A half asks the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) seq: u64,
    pub(crate) half: Half,
    pub(crate) life: u64,
    pub(crate) lease: Duration,
    pub(crate) standing: Standing,
    pub(crate) want: Want,
}

/// What it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The lease.
    Lease,
    /// To keep it, with the other half left behind.
    KeepAlone,
    /// To keep it, with the other half being equal.
    KeepBoth,
}

/// What the witness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) seq: u64,
    pub(crate) ruling: Ruling,
}

/// Its decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// Yes; what is recorded.
    Granted { epoch: u64, both: bool },
    /// No.
    Denied(Denial),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// The other half's lease has not run out, or may not have.
    Held,
    /// The half is behind the other one.
    Behind,
    /// Whoever keeps the lease has not got it.
    NotHolder,
    /// There is no record, and the other half has not been heard of.
    Unknown,
    /// There is no record, and both halves wrote alone.
    Split,
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

impl Frame {
    pub(crate) fn put(&self, into: &mut BytesMut) {
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
            Self::Op { seq, op } => {
                into.put_u8(6);
                into.put_u64_le(*seq);
                op.put(into);
            }
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

fn put_name(into: &mut BytesMut, name: &[u8]) {
    into.put_u16_le(name.len() as u16);
    into.put_slice(name);
}

impl Op {
    fn put(&self, into: &mut BytesMut) {
        match self {
            Self::Begin => into.put_u8(1),
            Self::Names { dir, names } => {
                into.put_u8(2);
                put_name(into, dir);
                into.put_u16_le(names.len() as u16);
                names.iter().for_each(|name| put_name(into, name));
            }
            Self::File { file, path, len } => {
                into.put_u8(3);
                into.put_u32_le(*file);
                into.put_u64_le(*len);
                put_name(into, path);
            }
            Self::Check { file, at, len, digest } => {
                into.put_u8(4);
                into.put_u32_le(*file);
                into.put_u64_le(*at);
                into.put_u32_le(*len);
                into.put_u64_le(*digest);
            }
            Self::Finish => into.put_u8(5),
            Self::Open { file, path, create } => {
                into.put_slice(&[6, u8::from(*create)]);
                into.put_u32_le(*file);
                put_name(into, path);
            }
            Self::Write { file, at, data } => {
                into.put_u8(7);
                into.put_u32_le(*file);
                into.put_u64_le(*at);
                into.put_u32_le(data.len() as u32);
                into.put_slice(data);
            }
            Self::SetLen { file, len } => {
                into.put_u8(8);
                into.put_u32_le(*file);
                into.put_u64_le(*len);
            }
            Self::Sync { file } => {
                into.put_u8(9);
                into.put_u32_le(*file);
            }
            Self::Close { file } => {
                into.put_u8(10);
                into.put_u32_le(*file);
            }
            Self::Rename { from, to } => {
                into.put_u8(11);
                put_name(into, from);
                put_name(into, to);
            }
            Self::Unlink { path } => {
                into.put_u8(12);
                put_name(into, path);
            }
            Self::MakeDir { path } => {
                into.put_u8(13);
                put_name(into, path);
            }
            Self::SyncDir { path } => {
                into.put_u8(14);
                put_name(into, path);
            }
        }
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

    fn op(&mut self) -> Result<Op, BadFrame> {
        Ok(match self.u8()? {
            1 => Op::Begin,
            2 => {
                let (dir, count) = (self.path()?, self.u16()?);
                let names = (0..count).map(|_| self.path()).collect::<Result<_, _>>()?;
                Op::Names { dir, names }
            }
            3 => {
                let (file, len) = (self.u32()?, self.u64()?);
                Op::File { file, path: self.path()?, len }
            }
            4 => {
                let (file, at, len) = (self.u32()?, self.u64()?, self.u32()?);
                let fits = len as usize <= FRAME_BYTES_MAX && at.checked_add(len.into()).is_some();
                let digest = self.u64()?;
                if fits { Op::Check { file, at, len, digest } } else { return Err(BadFrame) }
            }
            5 => Op::Finish,
            6 => {
                let create = self.flag()?;
                Op::Open { file: self.u32()?, path: self.path()?, create }
            }
            7 => {
                let (file, at, len) = (self.u32()?, self.u64()?, self.u32()?);
                let data = self.bytes(len as usize)?;
                at.checked_add(data.len() as u64).ok_or(BadFrame)?;
                Op::Write { file, at, data }
            }
            8 => Op::SetLen { file: self.u32()?, len: self.u64()? },
            9 => Op::Sync { file: self.u32()? },
            10 => Op::Close { file: self.u32()? },
            11 => Op::Rename { from: self.path()?, to: self.path()? },
            12 => Op::Unlink { path: self.path()? },
            13 => Op::MakeDir { path: self.path()? },
            14 => Op::SyncDir { path: self.path()? },
            _ => return Err(BadFrame),
        })
    }
}

impl Ask {
    pub(crate) fn put(&self, into: &mut BytesMut) {
        framed(into, |into| {
            into.put_slice(&[20, self.half as u8, self.want as u8]);
            into.put_u64_le(self.seq);
            into.put_u64_le(self.life);
            into.put_u64_le(nanos(self.lease));
            self.standing.put(into);
        });
    }

    pub(crate) fn parse(bytes: Bytes) -> Result<Self, BadFrame> {
        let mut fields = Fields(bytes);
        if fields.u8()? != 20 {
            return Err(BadFrame);
        }
        let half = fields.half()?;
        let want = match fields.u8()? {
            0 => Want::Lease,
            1 => Want::KeepAlone,
            2 => Want::KeepBoth,
            _ => return Err(BadFrame),
        };
        let (seq, life) = (fields.u64()?, fields.u64()?);
        let lease = Duration::from_nanos(fields.u64()?);
        let standing = fields.standing()?;
        fields.end()?;
        Ok(Self { seq, half, life, lease, standing, want })
    }
}

impl Answer {
    pub(crate) fn put(&self, into: &mut BytesMut) {
        framed(into, |into| {
            into.put_u8(21);
            into.put_u64_le(self.seq);
            match self.ruling {
                Ruling::Granted { epoch, both } => {
                    into.put_slice(&[0, u8::from(both)]);
                    into.put_u64_le(epoch);
                }
                Ruling::Denied(why) => into.put_slice(&[1, why as u8]),
            }
        });
    }

    pub(crate) fn parse(bytes: Bytes) -> Result<Self, BadFrame> {
        let mut fields = Fields(bytes);
        if fields.u8()? != 21 {
            return Err(BadFrame);
        }
        let seq = fields.u64()?;
        let ruling = if fields.flag()? {
            Ruling::Denied(match fields.u8()? {
                0 => Denial::Held,
                1 => Denial::Behind,
                2 => Denial::NotHolder,
                3 => Denial::Unknown,
                4 => Denial::Split,
                _ => return Err(BadFrame),
            })
        } else {
            let both = fields.flag()?;
            Ruling::Granted { epoch: fields.u64()?, both }
        };
        fields.end()?;
        Ok(Self { seq, ruling })
    }
}
