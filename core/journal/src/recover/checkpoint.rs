//! Recovery's first part: the newest whole checkpoint. Each is read twice: the first time only to
//! see whether it is whole, so that the owner is never told half of one.

use super::reading::Reading;
use super::{Recovering, Step, Turn};
use crate::format::{Header, HeaderError, PIECE_HEADER_BYTES, Piece, SECTOR_BYTES};
use crate::journal::{Journal, Tokens};
use crate::{JournalEvent, Lsn, Row, Storage};
use storytime_machine::{Cx, DiskResult};

/// A checkpoint that is being read.
#[derive(Debug)]
pub(super) struct CheckpointScan {
    reading: Reading,
    salt: Option<u64>,
    pieces: u64,
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
        let reading = Reading::open(cx, io, self.token(Tokens::Recovery), &self.options.dir, name);
        let scan = CheckpointScan { reading, salt: None, pieces: 0, tells: false };
        r.step = Step::Checkpoint(scan);
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
        if !scan.reading.take(result) {
            return self.damaged_checkpoint(r, cx, io, Row::Unreadable);
        }
        match scan.go_on(&mut self.events) {
            Found::Needs(bytes) => {
                let token = self.token(Tokens::Recovery);
                let Step::Checkpoint(scan) = &mut r.step else { panic!("it is being read") };
                if scan.reading.read(cx, io, token, bytes) {
                    return Turn::Wait;
                }
                self.damaged_checkpoint(r, cx, io, Row::CheckpointDamaged)
            }
            Found::Bad(row) => self.damaged_checkpoint(r, cx, io, row),
            Found::End => self.whole_checkpoint(r, cx, io),
        }
    }

    /// Read to its end.
    fn whole_checkpoint(&mut self, r: &mut Recovering, cx: &mut Cx, io: &mut dyn Storage) -> Turn {
        let Step::Checkpoint(scan) = &mut r.step else { panic!("a checkpoint was read") };
        if !scan.tells {
            (scan.tells, scan.pieces, scan.salt) = (true, 0, None);
            scan.reading.rewind();
            let token = self.token(Tokens::Recovery);
            assert!(scan.reading.read(cx, io, token, SECTOR_BYTES), "it has a header");
            return Turn::Wait;
        }
        scan.reading.close(cx, io, self.token(Tokens::Ignored));
        r.checkpoint = scan.reading.name.lsn;
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
        let name = scan.reading.name;
        let refusal = self.refusal(row, name, scan.reading.at, Lsn(0));
        if scan.tells || row == Row::NewerFormat {
            // It was whole a moment ago, and half of it is told already; or it is whole and ours
            // to leave alone.
            return Turn::Refuse(refusal);
        }
        scan.reading.close(cx, io, self.token(Tokens::Ignored));
        r.leftovers.push(name);
        r.damaged.get_or_insert(refusal);
        self.try_checkpoint(r, cx, io)
    }
}

impl CheckpointScan {
    fn go_on(&mut self, events: &mut std::collections::VecDeque<JournalEvent>) -> Found {
        loop {
            let Some(salt) = self.salt else {
                let reading = &mut self.reading;
                if reading.len < SECTOR_BYTES as u64 {
                    return Found::Bad(Row::CheckpointDamaged);
                }
                if reading.rest().len() < SECTOR_BYTES {
                    return Found::Needs(SECTOR_BYTES);
                }
                match Header::decode(reading.name, reading.rest()) {
                    Ok(header) => self.salt = Some(header.salt),
                    Err(HeaderError::Newer) => return Found::Bad(Row::NewerFormat),
                    Err(_) => return Found::Bad(Row::CheckpointDamaged),
                }
                reading.at = SECTOR_BYTES as u64;
                continue;
            };
            let reading = &mut self.reading;
            match Piece::look(reading.rest(), reading.len - reading.at, salt, self.pieces) {
                Piece::Needs(bytes) => return Found::Needs(bytes),
                Piece::No => return Found::Bad(Row::CheckpointDamaged),
                Piece::End => return Found::End,
                Piece::Whole(len) => {
                    if self.tells {
                        let piece = reading.rest_from(PIECE_HEADER_BYTES).slice(..len);
                        events.push_back(JournalEvent::Checkpoint(piece));
                    }
                    reading.at += (PIECE_HEADER_BYTES + len) as u64;
                    self.pieces += 1;
                }
            }
        }
    }
}
