//! Changes and steps of a resync, as they are sent to the standby.

use super::{BadFrame, FRAME_BYTES_MAX, Fields};
use bytes::{BufMut, Bytes, BytesMut};

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

fn put_name(into: &mut BytesMut, name: &[u8]) {
    into.put_u16_le(name.len() as u16);
    into.put_slice(name);
}

impl Op {
    /// All but the bytes of a write, which end it.
    pub(super) fn put_head(&self, into: &mut BytesMut) {
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

impl Fields {
    pub(super) fn op(&mut self) -> Result<Op, BadFrame> {
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
