//! A few bytes on disk that change all at once: the mark of a half, the record of a witness.
//!
//! Two slots in one file, each in a page of its own, written in turn. A slot carries a number and a
//! checksum; the whole slot with the higher number counts. A write that a power cut tears leaves
//! the other slot as it was.
//!
//! Not modelled: repair of a slot that rots. With the newer one gone the older one counts, as after
//! a torn write.

use bytes::{BufMut, Bytes, BytesMut};
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId, Token};

/// Longest content, bytes: a slot is one sector, so that most disks write it whole.
pub(crate) const CONTENT_BYTES_MAX: usize = SLOT_BYTES - HEAD_BYTES;
const SLOT_BYTES: usize = 512;
/// Slots lie a page apart.
const SLOT_GAP: u64 = 4096;
/// Checksum, number, length.
const HEAD_BYTES: usize = 4 + 8 + 2;

/// What a cell tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CellEvent {
    /// It is open; this is its content, if it was ever written.
    Opened(Option<Bytes>),
    /// Contents up to this version are durable.
    Written(u64),
    /// The disk failed: the process must end.
    Failed(&'static str),
}

/// A cell.
#[derive(Debug)]
pub(crate) struct Cell {
    dir: Bytes,
    token: Token,
    state: State,
    /// Number of the newest slot on disk.
    number: u64,
    /// Counts contents given by the owner in this life.
    version: u64,
    next: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    AwaitDir,
    AwaitOpen,
    AwaitDirSync { file: FileId },
    AwaitRootSync { file: FileId },
    AwaitRead { file: FileId },
    Idle { file: FileId },
    AwaitWrite { file: FileId, version: u64 },
    AwaitSync { file: FileId, version: u64 },
    Failed,
}

impl Cell {
    /// A cell in a directory of its own, which uses one disk token.
    pub(crate) const fn new(dir: Bytes, token: Token) -> Self {
        Self { dir, token, state: State::Closed, number: 0, version: 0, next: None }
    }

    /// Opens it, and makes its names durable; `Opened` follows.
    pub(crate) fn open(&mut self, cx: &mut Cx) {
        assert!(self.state == State::Closed, "a cell is opened once");
        self.state = State::AwaitDir;
        cx.disk(self.token, DiskOp::MakeDir { path: self.dir.clone() });
    }

    /// Replaces the content. `Written` of the returned version, or of a later one, follows.
    pub(crate) fn write(&mut self, cx: &mut Cx, content: Bytes) -> u64 {
        assert!(content.len() <= CONTENT_BYTES_MAX, "a cell's content fits a sector");
        self.version += 1;
        self.next = Some(content);
        if let State::Idle { file } = self.state {
            self.write_next(cx, file);
        }
        self.version
    }

    fn write_next(&mut self, cx: &mut Cx, file: FileId) {
        let Some(content) = self.next.take() else {
            self.state = State::Idle { file };
            return;
        };
        self.number += 1;
        let at = self.number % 2 * SLOT_GAP;
        self.state = State::AwaitWrite { file, version: self.version };
        cx.disk(self.token, DiskOp::Write { file, at, data: slot(self.number, &content) });
    }

    pub(crate) fn owns(&self, token: Token) -> bool {
        token == self.token
    }

    /// An operation of the cell's completed.
    pub(crate) fn on_disk(&mut self, cx: &mut Cx, result: DiskResult) -> Option<CellEvent> {
        match (self.state, result) {
            (State::Closed | State::Idle { .. } | State::Failed, _) => None,
            (_, Err(error)) => {
                self.state = State::Failed;
                Some(CellEvent::Failed(failure(error)))
            }
            (State::AwaitDir, Ok(_)) => {
                self.state = State::AwaitOpen;
                let path = [&self.dir[..], b"/cell"].concat().into();
                cx.disk(self.token, DiskOp::Open { path, create: true });
                None
            }
            (State::AwaitOpen, Ok(ok)) => {
                let DiskOk::File { file, .. } = ok else { return None };
                self.state = State::AwaitDirSync { file };
                cx.disk(self.token, DiskOp::SyncDir { path: self.dir.clone() });
                None
            }
            (State::AwaitDirSync { file }, Ok(_)) => {
                self.state = State::AwaitRootSync { file };
                let path = Bytes::copy_from_slice(storytime_machine::disk::parent(&self.dir));
                cx.disk(self.token, DiskOp::SyncDir { path });
                None
            }
            (State::AwaitRootSync { file }, Ok(_)) => {
                self.state = State::AwaitRead { file };
                let len = (SLOT_GAP as usize + SLOT_BYTES) as u32;
                cx.disk(self.token, DiskOp::Read { file, at: 0, len });
                None
            }
            (State::AwaitRead { file }, Ok(ok)) => {
                let DiskOk::Data(data) = ok else { return None };
                let (number, content) = newest(&data);
                self.number = number;
                self.write_next(cx, file);
                Some(CellEvent::Opened(content))
            }
            (State::AwaitWrite { file, version }, Ok(_)) => {
                self.state = State::AwaitSync { file, version };
                cx.disk(self.token, DiskOp::Sync { file });
                None
            }
            (State::AwaitSync { file, version }, Ok(_)) => {
                self.write_next(cx, file);
                Some(CellEvent::Written(version))
            }
        }
    }
}

const fn failure(error: DiskError) -> &'static str {
    match error {
        DiskError::NoSpace => "no space for the mark that keeps two halves apart",
        _ => "the disk failed under the mark that keeps two halves apart",
    }
}

/// A slot: checksum of all that follows, number, length, content.
fn slot(number: u64, content: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(SLOT_BYTES);
    bytes.put_u32_le(0);
    bytes.put_u64_le(number);
    bytes.put_u16_le(content.len() as u16);
    bytes.put_slice(content);
    bytes.resize(SLOT_BYTES, 0);
    let sum = crc32fast::hash(&bytes[4..]);
    bytes[..4].copy_from_slice(&sum.to_le_bytes());
    bytes.freeze()
}

/// The whole slot with the higher number.
fn newest(file: &Bytes) -> (u64, Option<Bytes>) {
    let slots = [0, SLOT_GAP as usize].into_iter().filter_map(|at| {
        let slot = file.get(at..at + SLOT_BYTES)?;
        let sum = u32::from_le_bytes(slot[..4].try_into().expect("four bytes"));
        let number = u64::from_le_bytes(slot[4..12].try_into().expect("eight bytes"));
        let len = usize::from(u16::from_le_bytes(slot[12..14].try_into().expect("two bytes")));
        let whole = sum == crc32fast::hash(&slot[4..]) && len <= CONTENT_BYTES_MAX && number > 0;
        let from = at + HEAD_BYTES;
        whole.then(|| (number, file.slice(from..from + len)))
    });
    let best = slots.max_by_key(|(number, _)| *number);
    best.map_or((0, None), |(number, content)| (number, Some(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_whole_slot_counts() {
        let mut file = vec![0; SLOT_GAP as usize + SLOT_BYTES];
        assert_eq!(newest(&Bytes::from(file.clone())), (0, None));
        file[SLOT_GAP as usize..].copy_from_slice(&slot(1, b"one"));
        assert_eq!(newest(&Bytes::from(file.clone())), (1, Some(Bytes::from_static(b"one"))));
        file[..SLOT_BYTES].copy_from_slice(&slot(2, b"two"));
        assert_eq!(newest(&Bytes::from(file.clone())).0, 2);
        file[40] ^= 1; // torn
        assert_eq!(newest(&Bytes::from(file)), (1, Some(Bytes::from_static(b"one"))));
        assert_eq!(newest(&slot(2, b"x").slice(..100)), (0, None), "half a slot");
    }
}
