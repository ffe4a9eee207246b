//! Recovery's first part: the newest whole checkpoint. Each is read twice: the first time only to
//! see whether it is whole, so that the owner is never told half of one.

use super::{Recovering, Step, Turn};
use crate::format::{Header, HeaderError, Name, PIECE_HEADER_BYTES, Piece, SECTOR_BYTES};
use crate::journal::{Journal, Tokens};
use crate::options::READ_BYTES;
use crate::{JournalEvent, Lsn, Row, Storage};
use bytes::Bytes;
use storytime_machine::{Cx, DiskOk, DiskOp, DiskResult, FileId};

/// A checkpoint that is being read.
#[derive(Debug)]
pub(super) struct CheckpointScan {
    name: Name,
    file: Option<FileId>,
    len: u64,
    salt: Option<u64>,
    at: u64,
    pieces: u64,
    window: Bytes,
    window_at: u64,
    /// It is whole: this time its pieces are told.
    tells: bool,
}

/// What a step of reading found out.
enum Found {
    Needs(usize),
    End,
    Bad(Row),
}

impl Journal {
    /// Opens the newest checkpoint that was not tried; without one the log begins at record 1.
    pub(super) fn try_checkpoint(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
    ) -> Turn {
        let Some(name) = r.checkpoints.pop() else {
            let from_one = self.epoch == 0 && r.segments.first().is_none_or(|s| s.lsn == Lsn(1));
            return match &r.damaged {
                Some(damaged) if !from_one || r.segments.is_empty() => {
                    Turn::Refuse(damaged.clone())
                }
                damaged => {
                    if damaged.is_some() {
                        r.rows.insert(Row::OlderCheckpoint);
                    }
                    r.checkpoint = Lsn(0);
                    self.first_segment(r, cx, io)
                }
            };
        };
        r.step = Step::Checkpoint(CheckpointScan {
            name,
            file: None,
            len: 0,
            salt: None,
            at: 0,
            pieces: 0,
            window: Bytes::new(),
            window_at: 0,
            tells: false,
        });
        let path = name.path(&self.options.dir);
        io.submit(cx, self.token(Tokens::Recovery), DiskOp::Open { path, create: false });
        Turn::Wait
    }

    /// A checkpoint was opened, or a piece of it read.
    pub(super) fn on_checkpoint_read(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        result: DiskResult,
    ) -> Turn {
        let Step::Checkpoint(scan) = &mut r.step else { panic!("a checkpoint is being read") };
        let found = match result {
            Ok(DiskOk::File { file, len }) => {
                (scan.file, scan.len) = (Some(file), len);
                Found::Needs(SECTOR_BYTES)
            }
            Ok(DiskOk::Data(bytes)) => {
                let short = bytes.is_empty();
                (scan.window, scan.window_at) = (bytes, scan.at);
                let events = &mut self.events;
                if short { Found::Bad(Row::CheckpointDamaged) } else { scan.go_on(events) }
            }
            _ => Found::Bad(Row::Unreadable),
        };
        match found {
            Found::Needs(bytes) if scan.at < scan.len => {
                let file = scan.file.expect("it was opened");
                let len = (bytes.max(READ_BYTES) as u64).min(scan.len - scan.at) as u32;
                let op = DiskOp::Read { file, at: scan.at, len };
                io.submit(cx, self.token(Tokens::Recovery), op);
                Turn::Wait
            }
            Found::Needs(_) => self.damaged_checkpoint(r, cx, io, Row::CheckpointDamaged),
            Found::Bad(row) => self.damaged_checkpoint(r, cx, io, row),
            Found::End => self.whole_checkpoint(r, cx, io),
        }
    }

    /// Read to its end.
    fn whole_checkpoint(&mut self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        let Step::Checkpoint(scan) = &mut r.step else { panic!("a checkpoint was read") };
        let file = scan.file.expect("it was opened");
        let token = self.token(Tokens::Recovery);
        if !scan.tells {
            (scan.tells, scan.at, scan.pieces, scan.salt) = (true, 0, 0, None);
            let len = (READ_BYTES as u64).min(scan.len) as u32;
            io.submit(cx, token, DiskOp::Read { file, at: 0, len });
            return Turn::Wait;
        }
        io.submit(cx, self.token(Tokens::Ignored), DiskOp::Close { file });
        r.checkpoint = scan.name.lsn;
        if r.damaged.is_some() {
            r.rows.insert(Row::OlderCheckpoint);
        }
        self.first_segment(r, cx, io)
    }

    /// Not whole: an older one may stand in.
    fn damaged_checkpoint(
        &mut self,
        r: &mut Recovering,
        cx: &mut Cx,
        io: &mut dyn Storage,
        row: Row,
    ) -> Turn {
        let Step::Checkpoint(scan) = &r.step else { panic!("a checkpoint was read") };
        let (name, at, tells, file) = (scan.name, scan.at, scan.tells, scan.file);
        let refusal = self.refusal(row, name, at, Lsn(0));
        if tells || row == Row::NewerFormat {
            // It was whole a moment ago, and half of it is told already; or it is whole and ours
            // to leave alone.
            return Turn::Refuse(refusal);
        }
        if let Some(file) = file {
            io.submit(cx, self.token(Tokens::Ignored), DiskOp::Close { file });
        }
        r.leftovers.push(name);
        r.damaged.get_or_insert(refusal);
        self.try_checkpoint(r, cx, io)
    }
}

impl CheckpointScan {
    fn rest(&self) -> &[u8] {
        self.window.get((self.at - self.window_at) as usize..).unwrap_or_default()
    }

    fn go_on(&mut self, events: &mut std::collections::VecDeque<JournalEvent>) -> Found {
        loop {
            let Some(salt) = self.salt else {
                if self.len < SECTOR_BYTES as u64 {
                    return Found::Bad(Row::CheckpointDamaged);
                }
                if self.window.len() < SECTOR_BYTES {
                    return Found::Needs(SECTOR_BYTES);
                }
                match Header::decode(self.name, &self.window) {
                    Ok(header) => self.salt = Some(header.salt),
                    Err(HeaderError::Newer) => return Found::Bad(Row::NewerFormat),
                    Err(_) => return Found::Bad(Row::CheckpointDamaged),
                }
                self.at = SECTOR_BYTES as u64;
                continue;
            };
            match Piece::look(self.rest(), self.len - self.at, salt, self.pieces) {
                Piece::Needs(bytes) => return Found::Needs(bytes),
                Piece::No => return Found::Bad(Row::CheckpointDamaged),
                Piece::End => return Found::End,
                Piece::Whole(len) => {
                    let from = (self.at - self.window_at) as usize + PIECE_HEADER_BYTES;
                    if self.tells {
                        let piece = self.window.slice(from..from + len);
                        events.push_back(JournalEvent::Checkpoint(piece));
                    }
                    self.at += (PIECE_HEADER_BYTES + len) as u64;
                    self.pieces += 1;
                }
            }
        }
    }
}
