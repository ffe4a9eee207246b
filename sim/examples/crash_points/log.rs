//! The machine under examination: a log of numbers, with the mistakes that such logs are made with.
//!
//! One record is one sector, so that no write touches an acknowledged one. What is asked for while
//! a sync is in flight rides with the next. Now and then the log is written anew beside the old one
//! and takes its name.

use std::collections::VecDeque;
use storytime_machine::{
    Boot, Bytes, Cx, DiskOk, DiskOp, DiskResult, Exit, FileId, Machine, Token, hash,
};

/// Bytes of a record: a sector, whatever it holds.
const RECORD_BYTES: usize = 512;
/// Bytes of a record that say something: its number, its value, their checksum.
const USED_BYTES: usize = 24;
/// Records after which the log is written anew.
const REWRITE_AFTER: usize = 12;

/// What is wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing.
    None,
    /// It acknowledges when the write is done, not when the sync is.
    EarlyAck,
    /// It does not sync the directory after creating the file.
    ForgottenName,
    /// It renames the new log before syncing it.
    EarlyRename,
    /// It packs records, so that appending rewrites the sector of acknowledged ones.
    SharedSector,
    /// It takes the file's length for the number of whole records.
    TrustedLength,
}

/// What the log awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    SyncName,
    Read,
    Cut,
    SyncCut,
    Idle,
    Write,
    Sync,
    OpenNew,
    EmptyNew,
    WriteNew,
    SyncNew,
    Rename,
    SyncNames,
}

/// A log of numbers.
#[derive(Debug)]
pub(crate) struct Log {
    bug: Bug,
    state: State,
    file: FileId,
    fresh: FileId,
    /// What the log holds, acknowledged or not.
    records: Vec<u64>,
    asked: VecDeque<u64>,
    acknowledged: usize,
    rewritten_at: usize,
}

impl Log {
    /// A log that is not open yet.
    pub(crate) const fn new(bug: Bug) -> Self {
        Self {
            bug,
            state: State::Open,
            file: FileId(0),
            fresh: FileId(0),
            records: Vec::new(),
            asked: VecDeque::new(),
            acknowledged: 0,
            rewritten_at: 0,
        }
    }

    /// Asks for a number to be kept.
    pub(crate) fn append(&mut self, cx: &mut Cx, value: u64) {
        self.asked.push_back(value);
        self.go_on(cx);
    }

    /// Whether it has recovered.
    pub(crate) fn is_up(&self) -> bool {
        use State::{Cut, Open, Read, SyncCut, SyncName};
        !matches!(self.state, Open | SyncName | Read | Cut | SyncCut)
    }

    /// What it says is kept for good.
    pub(crate) fn kept(&self) -> &[u64] {
        &self.records[..self.acknowledged]
    }

    const fn stride(&self) -> usize {
        if matches!(self.bug, Bug::SharedSector) { USED_BYTES } else { RECORD_BYTES }
    }

    fn ask(&mut self, cx: &mut Cx, state: State, op: DiskOp) {
        self.state = state;
        cx.disk(Token(0), op);
    }

    /// With nothing under way: the next write, or the log anew.
    fn go_on(&mut self, cx: &mut Cx) {
        if self.state != State::Idle {
            return;
        }
        if self.records.len() >= self.rewritten_at + REWRITE_AFTER {
            self.rewritten_at = self.records.len();
            let path = Bytes::from_static(b"log.new");
            return self.ask(cx, State::OpenNew, DiskOp::Open { path, create: true });
        }
        if !self.asked.is_empty() {
            let first = self.records.len();
            self.records.extend(self.asked.drain(..));
            let data = self.encode(first);
            let at = (first * self.stride()) as u64;
            self.ask(cx, State::Write, DiskOp::Write { file: self.file, at, data });
        }
    }

    fn encode(&self, first: usize) -> Bytes {
        let mut bytes = vec![0; (self.records.len() - first) * self.stride()];
        for (slot, number) in bytes.chunks_mut(self.stride()).zip(first..) {
            let (number, value) = (number as u64, self.records[number]);
            slot[..8].copy_from_slice(&number.to_le_bytes());
            slot[8..16].copy_from_slice(&value.to_le_bytes());
            slot[16..24].copy_from_slice(&checksum(number, value).to_le_bytes());
        }
        bytes.into()
    }

    /// Takes the records that are whole.
    fn decode(&mut self, bytes: &[u8]) {
        let whole = bytes.len() / self.stride();
        for (slot, number) in bytes.chunks_exact(self.stride()).zip(0..) {
            let word = |at: usize| {
                u64::from_le_bytes(slot[at..at + 8].try_into().expect("eight bytes of a slot"))
            };
            let sound = word(0) == number && word(16) == checksum(number, word(8));
            if !sound && self.bug != Bug::TrustedLength {
                break;
            }
            self.records.push(word(8));
        }
        assert!(self.records.len() <= whole, "a record for each slot at most");
        self.acknowledged = self.records.len();
        self.rewritten_at = self.records.len();
    }

    fn acknowledge(&mut self, cx: &mut Cx) {
        self.acknowledged = self.records.len();
        self.state = State::Idle;
        self.go_on(cx);
    }

    fn done(&mut self, cx: &mut Cx) {
        let (file, fresh) = (self.file, self.fresh);
        let root = Bytes::new();
        match self.state {
            State::SyncName => self.read(cx),
            State::Cut => self.ask(cx, State::SyncCut, DiskOp::Sync { file }),
            State::Write => {
                if self.bug == Bug::EarlyAck {
                    self.acknowledged = self.records.len();
                }
                self.ask(cx, State::Sync, DiskOp::Sync { file });
            }
            State::SyncCut | State::Sync => self.acknowledge(cx),
            State::EmptyNew => {
                let data = self.encode(0);
                self.ask(cx, State::WriteNew, DiskOp::Write { file: fresh, at: 0, data });
            }
            State::WriteNew if self.bug == Bug::EarlyRename => self.rename(cx),
            State::WriteNew => self.ask(cx, State::SyncNew, DiskOp::Sync { file: fresh }),
            State::SyncNew => self.rename(cx),
            State::Rename => self.ask(cx, State::SyncNames, DiskOp::SyncDir { path: root }),
            State::SyncNames => {
                self.file = fresh;
                self.state = State::Idle;
                self.go_on(cx);
            }
            State::Open | State::Read | State::Idle | State::OpenNew => {
                cx.exit(Exit::Failed("an answer that nobody waits for"));
            }
        }
    }

    fn read(&mut self, cx: &mut Cx) {
        let len = 1 << 20;
        self.ask(cx, State::Read, DiskOp::Read { file: self.file, at: 0, len });
    }

    fn rename(&mut self, cx: &mut Cx) {
        let (from, to) = (Bytes::from_static(b"log.new"), Bytes::from_static(b"log"));
        self.ask(cx, State::Rename, DiskOp::Rename { from, to });
    }
}

impl Machine for Log {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        let path = Bytes::from_static(b"log");
        self.ask(cx, State::Open, DiskOp::Open { path, create: true });
    }

    fn disk(&mut self, cx: &mut Cx, _op: Token, result: DiskResult) {
        match (self.state, result) {
            (State::Open, Ok(DiskOk::File { file, .. })) => {
                self.file = file;
                match self.bug {
                    Bug::ForgottenName => self.read(cx),
                    _ => self.ask(cx, State::SyncName, DiskOp::SyncDir { path: Bytes::new() }),
                }
            }
            (State::Read, Ok(DiskOk::Data(bytes))) => {
                self.decode(&bytes);
                // What is behind the whole records must not come back behind later ones.
                let len = (self.records.len() * self.stride()) as u64;
                self.ask(cx, State::Cut, DiskOp::SetLen { file: self.file, len });
            }
            (State::OpenNew, Ok(DiskOk::File { file, .. })) => {
                self.fresh = file;
                self.ask(cx, State::EmptyNew, DiskOp::SetLen { file, len: 0 });
            }
            (_, Ok(DiskOk::Done)) => self.done(cx),
            (_, Ok(_)) => cx.exit(Exit::Failed("an answer of another kind")),
            (_, Err(_)) => cx.exit(Exit::Failed("the disk failed")),
        }
    }

    fn invariants(&self) {
        assert!(self.acknowledged <= self.records.len(), "only what is there is acknowledged");
    }
}

fn checksum(number: u64, value: u64) -> u64 {
    hash::fold(hash::fold(0x10_67, number), value)
}
