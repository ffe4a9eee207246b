//! Checkpoints: written beside, synced, renamed, and the directory synced; then what they make
//! needless is removed. A reset is a checkpoint with which another history begins.
//!
//! ```text
//!  begin ─► pieces ─► end ─► sync ─► records up to there durable ─► rename ─► sync directory
//!                                    (reset: the new segment is)                     │
//!                                          needless files removed ◄─ Checkpointed ◄──┘
//! ```

use crate::format::{self, Header, Name};
use crate::journal::{Journal, State, Tokens};
use crate::making::Active;
use crate::options::PIECE_BYTES_MAX;
use crate::writer::Writing;
use crate::{JournalEvent, Lsn, Storage};
use bytes::BytesMut;
use storytime_machine::{Cx, DiskError, DiskOk, DiskOp, DiskResult, FileId};

/// Pieces are written in chunks of about this many bytes.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks written at a time.
const CHUNKS_MAX: u32 = 2;

/// What a checkpoint waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Open,
    Pieces,
    Sync,
    /// The records that it stands for are not durable yet; or, for a reset, the writer is busy.
    Records,
    /// A reset's segment.
    Segment,
    Rename,
    SyncDir,
    /// It is given up: its file's operations, and the removal of its name.
    Unlink,
}

/// A checkpoint that is being written.
#[derive(Debug)]
pub(crate) struct Checkpointing {
    name: Name,
    salt: u64,
    step: Step,
    file: Option<FileId>,
    buffer: BytesMut,
    at: u64,
    /// Pieces so far.
    pieces: u64,
    /// Operations on the file that have not completed.
    ops: u32,
    ended: bool,
    unlinked: bool,
    reset: bool,
    /// A reset's segment.
    segment: Option<Active>,
    /// To be given up as soon as its file is open.
    unwanted: bool,
}

/// A reset that waits for the end of a checkpoint.
#[derive(Debug)]
pub(crate) struct WaitingReset {
    at: Lsn,
    /// It has no pieces.
    ended: bool,
}

impl Journal {
    /// Begins a checkpoint that stands for every record up to `at`; pieces follow with
    /// [`checkpoint_piece`](Self::checkpoint_piece). Appending goes on meanwhile. `Checkpointed` or
    /// `CheckpointFailed` tells the end.
    ///
    /// # Panics
    /// If one is under way, the journal is not open, or `at` was not appended.
    pub fn begin_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        assert!(matches!(self.state, State::Open), "an open journal takes checkpoints");
        assert!(at <= self.writer.last, "a checkpoint stands for what was appended");
        let newest = self.checkpoints.last().copied().unwrap_or_default();
        assert!(at >= newest, "checkpoints go forward");
        self.begin_pieces(cx, io, Name::checkpoint(self.epoch, at), false);
    }

    /// Throws everything away and begins anew behind `at`, with the checkpoint whose pieces follow:
    /// how a replica is seeded. Until `Checkpointed(at)` the old content is what a restart finds,
    /// and `append` refuses. What was appended and is not durable is dropped.
    ///
    /// A checkpoint that is under way is given up, or finished first; a reset that lacks pieces is
    /// given up.
    ///
    /// # Panics
    /// If the journal is not open, or a reset has all its pieces.
    pub fn reset(&mut self, cx: &mut Cx, io: &mut dyn Storage, at: Lsn) {
        match self.state {
            State::Open => {}
            State::Resetting => assert!(!self.has_ended(), "a complete reset is not given up"),
            _ => panic!("an open journal is reset"),
        }
        self.state = State::Resetting;
        self.writer.drop_waiting();
        let Some(c) = &mut self.checkpointing else {
            return self.begin_pieces(cx, io, Name::checkpoint(self.epoch + 1, at), true);
        };
        self.waiting_reset = Some(WaitingReset { at, ended: false });
        match c.step {
            Step::Open => c.unwanted = true,
            Step::Pieces | Step::Records => self.give_up(cx, io),
            Step::Sync | Step::Segment | Step::Rename | Step::SyncDir | Step::Unlink => {}
        }
    }

    /// A checkpoint is over: begins the reset that waited for it.
    fn begin_waiting_reset(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let Some(WaitingReset { at, ended }) = self.waiting_reset.take() else { return };
        self.begin_pieces(cx, io, Name::checkpoint(self.epoch + 1, at), true);
        if ended {
            self.end_checkpoint(cx, io);
        }
    }

    fn begin_pieces(&mut self, cx: &mut Cx, io: &mut dyn Storage, name: Name, reset: bool) {
        assert!(self.checkpointing.is_none(), "one checkpoint at a time");
        let salt = cx.rng().u64();
        let mut buffer = BytesMut::new();
        Header { name, salt, sealed: 0 }.encode(&mut buffer);
        let path = name.unfinished(&self.options.dir);
        io.submit(cx, self.token(Tokens::Checkpoint), DiskOp::Open { path, create: true });
        self.checkpointing = Some(Checkpointing {
            name,
            salt,
            step: Step::Open,
            file: None,
            buffer,
            at: 0,
            pieces: 0,
            ops: 1,
            ended: false,
            unlinked: false,
            reset,
            segment: None,
            unwanted: false,
        });
    }

    /// Whether a checkpoint or reset is under way.
    pub const fn is_checkpointing(&self) -> bool {
        self.checkpointing.is_some()
    }

    /// The record that the checkpoint or reset under way stands at.
    pub fn checkpoint_at(&self) -> Option<Lsn> {
        self.checkpointing.as_ref().map(|c| c.name.lsn)
    }

    /// Whether the next piece may be given now: pieces are bounded by the disk's speed. Ask again
    /// after each completion.
    pub fn wants_checkpoint_piece(&self) -> bool {
        self.checkpointing.as_ref().is_some_and(|c| {
            c.step == Step::Pieces && !c.ended && c.ops < CHUNKS_MAX && !self.has_ended()
        })
    }

    /// The next piece. It is thrown away if the checkpoint was given up meanwhile.
    ///
    /// # Panics
    /// If it is longer than [`PIECE_BYTES_MAX`] or comes behind the end.
    pub fn checkpoint_piece(&mut self, cx: &mut Cx, io: &mut dyn Storage, piece: &[u8]) {
        assert!(piece.len() <= PIECE_BYTES_MAX, "a piece is at most {PIECE_BYTES_MAX} bytes");
        let Some(c) = &mut self.checkpointing else { return };
        assert!(!c.ended, "pieces come before the end");
        if c.step == Step::Unlink {
            return;
        }
        format::put_piece(&mut c.buffer, c.salt, c.pieces, piece);
        c.pieces += 1;
        if c.buffer.len() >= CHUNK_BYTES && c.step == Step::Pieces {
            self.write_chunk(cx, io);
        }
    }

    /// The pieces are complete; `Checkpointed` follows.
    ///
    /// # Panics
    /// If it was called before.
    pub fn end_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        if let Some(waiting) = &mut self.waiting_reset {
            waiting.ended = true;
            return;
        }
        let Some(c) = &mut self.checkpointing else { return };
        assert!(!c.ended, "a checkpoint ends once");
        c.ended = true;
        if c.step == Step::Unlink {
            return;
        }
        format::put_end(&mut c.buffer, c.salt, c.pieces);
        if c.step == Step::Pieces {
            self.finish_pieces(cx, io);
        }
    }

    fn write_chunk(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let token = self.token(Tokens::Checkpoint);
        let Some(c) = &mut self.checkpointing else { return };
        let file = c.file.expect("it was opened");
        // A buffer may hold several long pieces.
        while !c.buffer.is_empty() {
            let len = c.buffer.len().min(PIECE_BYTES_MAX);
            let data = c.buffer.split_to(len).freeze();
            io.submit(cx, token, DiskOp::Write { file, at: c.at, data });
            c.at += len as u64;
            c.ops += 1;
        }
    }

    fn finish_pieces(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        self.write_chunk(cx, io);
        let token = self.token(Tokens::Checkpoint);
        let Some(c) = &mut self.checkpointing else { return };
        c.step = Step::Sync;
        c.ops += 1;
        let file = c.file.expect("it was opened");
        io.submit(cx, token, DiskOp::Sync { file });
    }

    /// An operation on the checkpoint's file completed.
    pub(crate) fn on_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage, result: DiskResult) {
        let Some(c) = &mut self.checkpointing else { panic!("a checkpoint is being written") };
        if result.as_ref().is_err_and(|&error| error != DiskError::NoSpace) {
            return self.fail("a checkpoint of the journal failed");
        }
        c.ops -= 1;
        match (c.step, result) {
            (Step::Unlink, _) => self.gave_up(cx, io),
            (_, Err(_)) => self.give_up(cx, io),
            (Step::Open, Ok(DiskOk::File { file, len })) => {
                c.file = Some(file);
                self.checkpoint_opened(cx, io, file, len);
            }
            (Step::Sync, Ok(_)) if c.ops == 0 => {
                c.step = Step::Records;
                let file = c.file.expect("it was opened");
                io.submit(cx, self.token(Tokens::Ignored), DiskOp::Close { file });
                self.checkpoint_on(cx, io);
            }
            (Step::Pieces | Step::Sync, Ok(_)) => {}
            (step, _) => panic!("{step:?} waits for no operation on the file"),
        }
    }

    fn checkpoint_opened(&mut self, cx: &mut Cx, io: &mut dyn Storage, file: FileId, len: u64) {
        let ignored = self.token(Tokens::Ignored);
        let Some(c) = &mut self.checkpointing else { return };
        c.step = Step::Pieces;
        if c.unwanted {
            return self.give_up(cx, io);
        }
        if len > 0 {
            // What an earlier attempt left, and could not remove.
            io.submit(cx, ignored, DiskOp::SetLen { file, len: 0 });
        }
        if c.ended {
            self.finish_pieces(cx, io);
        }
    }

    /// The records may have become durable, or the writer idle.
    pub(crate) fn checkpoint_on(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let Some(c) = &mut self.checkpointing else { return };
        if c.step != Step::Records {
            return;
        }
        if !c.reset {
            if self.writer.durable >= c.name.lsn {
                self.rename_checkpoint(cx, io);
            }
            return;
        }
        match &self.writer.writing {
            Writing::Idle | Writing::Space => {}
            Writing::Segment(making) if making.is_parked() => {}
            Writing::Sync(_) | Writing::Cut(_) | Writing::Segment(_) => return,
        }
        c.step = Step::Segment;
        let name = Name::segment(c.name.epoch, Lsn(c.name.lsn.0 + 1));
        self.writer.drop_waiting();
        self.begin_segment(cx, io, name);
    }

    /// A reset's segment is there.
    pub(crate) fn reset_segment(&mut self, cx: &mut Cx, io: &mut dyn Storage, active: Active) {
        let Some(c) = &mut self.checkpointing else { panic!("a reset is under way") };
        assert_eq!(c.step, Step::Segment, "a reset waits for its segment");
        c.segment = Some(active);
        self.rename_checkpoint(cx, io);
    }

    fn rename_checkpoint(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let token = self.token(Tokens::CheckpointName);
        let Some(c) = &mut self.checkpointing else { return };
        c.step = Step::Rename;
        let dir = &self.options.dir;
        let (from, to) = (c.name.unfinished(dir), c.name.path(dir));
        io.submit(cx, token, DiskOp::Rename { from, to });
    }

    /// An operation on names completed.
    pub(crate) fn on_checkpoint_name(
        &mut self,
        cx: &mut Cx,
        io: &mut dyn Storage,
        result: &DiskResult,
    ) {
        let Some(c) = &mut self.checkpointing else { panic!("a checkpoint is being written") };
        match (c.step, result) {
            (Step::Unlink, _) => {
                c.unlinked = true;
                self.gave_up(cx, io);
            }
            (Step::Rename, Err(DiskError::NoSpace)) => self.give_up(cx, io),
            (_, Err(_)) => self.fail("a checkpoint of the journal could not be named"),
            (Step::Rename, Ok(_)) => {
                c.step = Step::SyncDir;
                let path = self.options.dir.clone();
                io.submit(cx, self.token(Tokens::CheckpointName), DiskOp::SyncDir { path });
            }
            (Step::SyncDir, Ok(_)) => self.checkpointed(cx, io),
            (step, _) => panic!("{step:?} waits for no name"),
        }
    }

    /// It is durable, with its name.
    fn checkpointed(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let Some(c) = self.checkpointing.take() else { return };
        let mut needless = Vec::new();
        if let Some(segment) = c.segment {
            let ats = self.checkpoints.drain(..).filter(|at| at.0 > 0);
            needless.extend(ats.map(|at| Name::checkpoint(self.epoch, at)));
            needless.extend(self.segments.take_all());
            self.epoch = c.name.epoch;
            self.writer.begin_behind(c.name.lsn);
            self.switch_to(cx, io, segment);
            self.state = State::Open;
        }
        if self.checkpoints.last() != Some(&c.name.lsn) {
            self.checkpoints.push(c.name.lsn);
        }
        needless.extend(self.take_needless());
        for name in needless {
            let path = name.path(&self.options.dir);
            io.submit(cx, self.token(Tokens::Ignored), DiskOp::Unlink { path });
        }
        self.look_again(cx, io);
        self.events.push_back(JournalEvent::Checkpointed(c.name.lsn));
        self.begin_waiting_reset(cx, io);
    }

    /// Files that the kept checkpoints make needless.
    pub(crate) fn take_needless(&mut self) -> Vec<Name> {
        let mut needless = Vec::new();
        while self.checkpoints.len() > self.options.checkpoints_kept as usize {
            let at = self.checkpoints.remove(0);
            // Record 0 stands for the beginning, which has no file.
            if at.0 > 0 {
                needless.push(Name::checkpoint(self.epoch, at));
            }
        }
        if let Some(&oldest) = self.checkpoints.first() {
            needless.extend(self.segments.take_needless(oldest));
        }
        needless
    }

    /// There was no room for it.
    fn give_up(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let Some(c) = &mut self.checkpointing else { return };
        if c.reset && self.waiting_reset.is_none() {
            // The owner has thrown its own state away: a restart finds the old one.
            return self.fail("no room to reset the journal");
        }
        if let (Some(file), Step::Pieces | Step::Sync) = (c.file, c.step) {
            let token = self.token(Tokens::Ignored);
            io.submit(cx, token, DiskOp::Close { file });
        }
        let token = self.token(Tokens::CheckpointName);
        let Some(c) = &mut self.checkpointing else { return };
        let opened = c.file.is_some();
        c.step = Step::Unlink;
        c.buffer = BytesMut::new();
        let path = c.name.unfinished(&self.options.dir);
        if opened {
            io.submit(cx, token, DiskOp::Unlink { path });
        } else {
            c.unlinked = true;
            self.gave_up(cx, io);
        }
    }

    fn gave_up(&mut self, cx: &mut Cx, io: &mut dyn Storage) {
        let over = self.checkpointing.as_ref().is_some_and(|c| c.unlinked && c.ops == 0);
        if over && let Some(c) = self.checkpointing.take() {
            if !c.reset {
                self.events.push_back(JournalEvent::CheckpointFailed(c.name.lsn));
            }
            self.look_again(cx, io);
            self.begin_waiting_reset(cx, io);
        }
    }
}
