//! Frames between a half and the witness.

use super::{BadFrame, Fields, Half, framed};
use crate::generation::Standing;
use bytes::{BufMut, Bytes, BytesMut};
use core::time::Duration;
use storytime_machine::nanos;

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
