//! The verifier: after the cut, reads the disk and asks the recorder what had been acknowledged.
//!
//! It only reads. It ends with `Stopped` once there is a verdict, whatever that says.

use crate::config::VerifierConfig;
use crate::judge::Evidence;
use crate::link::{self, GaveUp, Link};
use crate::stamp::Content;
use crate::step::{Area, Cell, SECTOR_BYTES, Step, log_path, small_path};
use crate::verdict::Verdict;
use crate::wire::{self, Reply, Request, Shape};
use bytes::BytesMut;
use storytime_machine::{
    Boot, Conn, Cx, DiskError, DiskOk, DiskOp, DiskResult, Exit, FileId, Gone, IpAddr, Machine,
    Open, ResolveError, Token,
};

/// The one disk operation under way.
const READING: Token = Token(1);
/// The closing of a file that was read, which nobody waits for.
const CLOSING: Token = Token(2);
/// Most steps taken from a recorder.
pub const STEPS_MAX: u32 = 1 << 26;

/// What is awaited.
#[derive(Debug)]
enum State {
    /// The recorder's `run`.
    AwaitRun,
    /// Pages of steps; the last one was asked for from this number on.
    AwaitSteps { shape: Shape, count: u32, asked: u32, steps: Vec<Step> },
    /// A file that holds this cell and, for blocks and log, those behind it.
    AwaitOpen { evidence: Evidence, cell: Cell },
    /// The content of this cell.
    AwaitRead { evidence: Evidence, cell: Cell, file: FileId },
    /// Nothing.
    Done(Verdict),
}

/// The verifier.
#[derive(Debug)]
pub struct Verifier {
    config: VerifierConfig,
    link: Link,
    /// `None` only while a method moves it on.
    state: Option<State>,
}

impl Verifier {
    /// A verifier that has not begun.
    pub fn new(config: VerifierConfig) -> Self {
        Self { link: Link::new(config.recorder.clone()), state: Some(State::AwaitRun), config }
    }

    /// The verdict, once there is one.
    pub const fn verdict(&self) -> Option<&Verdict> {
        match &self.state {
            Some(State::Done(verdict)) => Some(verdict),
            _ => None,
        }
    }

    fn reply(&mut self, cx: &mut Cx, reply: Reply) -> Result<(), &'static str> {
        let state = self.state.take().expect("each method puts the state back");
        let (state, outcome) = match (state, reply) {
            (State::AwaitRun, Reply::Run(shape, count)) if count <= STEPS_MAX => {
                self.link.send(cx, Request::Steps(0));
                (State::AwaitSteps { shape, count, asked: 0, steps: Vec::new() }, Ok(()))
            }
            (State::AwaitSteps { shape, count, asked, mut steps }, Reply::Step(step)) => {
                let fits = (steps.len() as u32) < count && cell_exists(step.cell, shape, count);
                let outcome = if fits {
                    steps.push(step);
                    Ok(())
                } else {
                    Err("the recorder's steps make no sense")
                };
                (State::AwaitSteps { shape, count, asked, steps }, outcome)
            }
            (State::AwaitSteps { shape, count, asked, steps }, Reply::End) => {
                let have = steps.len() as u32;
                if have < count {
                    let grew = have > asked;
                    let outcome = if grew { Ok(()) } else { Err("the recorder holds steps back") };
                    self.link.send(cx, Request::Steps(have));
                    (State::AwaitSteps { shape, count, asked: have, steps }, outcome)
                } else {
                    self.link.close(cx);
                    let first = Cell { area: Area::Blocks, index: 0 };
                    (self.open_cell(cx, Evidence::new(shape, steps), first), Ok(()))
                }
            }
            (state, Reply::Error(_)) => (state, Err("the recorder knows no such run")),
            (state, _) => (state, Err("the recorder's answer makes no sense")),
        };
        self.state = Some(state);
        outcome
    }

    /// Opens the file of this cell, or of the first of a later area; judges when none is left.
    fn open_cell(&self, cx: &mut Cx, evidence: Evidence, cell: Cell) -> State {
        let later = Area::ALL.into_iter().filter(|area| *area > cell.area);
        let candidates = later.map(|area| Cell { area, index: 0 });
        let mut candidates = core::iter::once(cell).chain(candidates);
        let Some(cell) = candidates.find(|c| c.index < evidence.cells(c.area)) else {
            cx.exit(Exit::Stopped);
            return State::Done(evidence.judge());
        };
        let path = match cell.area {
            Area::Blocks => self.config.file.clone(),
            Area::Log => log_path(&self.config.file),
            Area::Names => small_path(&self.config.file, cell.index),
        };
        cx.disk(READING, DiskOp::Open { path: path.into_bytes().into(), create: false });
        State::AwaitOpen { evidence, cell }
    }

    /// Reads this cell, or goes on to the next file.
    fn read_cell(&self, cx: &mut Cx, evidence: Evidence, cell: Cell, file: FileId) -> State {
        if cell.index >= evidence.cells(cell.area) {
            cx.disk(CLOSING, DiskOp::Close { file });
            return self.open_cell(cx, evidence, cell);
        }
        let len = cell_bytes(cell.area, evidence.shape());
        let at = if cell.area == Area::Names { 0 } else { u64::from(cell.index) * len as u64 };
        cx.disk(READING, DiskOp::Read { file, at, len: len as u32 });
        State::AwaitRead { evidence, cell, file }
    }

    fn completed(&mut self, cx: &mut Cx, result: DiskResult) -> Result<(), &'static str> {
        let state = self.state.take().expect("each method puts the state back");
        let (state, outcome) = match (state, result) {
            (State::AwaitOpen { evidence, cell }, Ok(DiskOk::File { file, .. })) => {
                (self.read_cell(cx, evidence, cell, file), Ok(()))
            }
            (State::AwaitOpen { mut evidence, cell }, Err(error)) => {
                let content = match error {
                    DiskError::NotFound => Content::Absent,
                    _ => Content::Corrupt,
                };
                let last = match cell.area {
                    Area::Names => cell.index + 1,
                    area => evidence.cells(area),
                };
                for index in cell.index..last {
                    evidence.add_missing(Cell { index, ..cell }, content);
                }
                (self.open_cell(cx, evidence, Cell { index: last, ..cell }), Ok(()))
            }
            (State::AwaitRead { mut evidence, cell, file }, result) => {
                note(&mut evidence, cell, result);
                let next = Cell { index: cell.index + 1, ..cell };
                if cell.area == Area::Names {
                    cx.disk(CLOSING, DiskOp::Close { file });
                    (self.open_cell(cx, evidence, next), Ok(()))
                } else {
                    (self.read_cell(cx, evidence, next, file), Ok(()))
                }
            }
            (state, _) => (state, Err("the disk answered what was not asked")),
        };
        self.state = Some(state);
        outcome
    }
}

/// Length of a cell of this area, bytes.
const fn cell_bytes(area: Area, shape: Shape) -> usize {
    match area {
        Area::Blocks => shape.block_bytes as usize,
        Area::Log | Area::Names => SECTOR_BYTES,
    }
}

/// Whether a run of this shape and so many steps can have this cell. Keeps a recorder that is not
/// one from making us hold a cell for every number there is.
const fn cell_exists(cell: Cell, shape: Shape, steps: u32) -> bool {
    match cell.area {
        Area::Blocks => cell.index < shape.blocks,
        Area::Log | Area::Names => cell.index < steps,
    }
}

/// Notes every sector of a cell that was read.
fn note(evidence: &mut Evidence, cell: Cell, result: DiskResult) {
    let shape = evidence.shape();
    let Ok(DiskOk::Data(bytes)) = result else {
        return evidence.add_missing(cell, Content::Corrupt);
    };
    for part in 0..cell_bytes(cell.area, shape) / SECTOR_BYTES {
        let at = (part * SECTOR_BYTES).min(bytes.len());
        let sector = &bytes[at..bytes.len().min(at + SECTOR_BYTES)];
        evidence.add_sector(cell, part, sector);
    }
}

fn end_on_error(cx: &mut Cx, outcome: Result<(), GaveUp>) {
    if let Err(GaveUp(why)) = outcome {
        cx.exit(Exit::Failed(why));
    }
}

impl Machine for Verifier {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        self.link.start(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        self.link.open(conn);
        self.link.send(cx, Request::Verify(self.config.run));
    }

    fn data(&mut self, cx: &mut Cx, _conn: Conn, rx: &mut BytesMut) {
        loop {
            let outcome = match wire::next(rx, Reply::parse) {
                Ok(None) => return,
                Ok(Some(reply)) => self.reply(cx, reply),
                Err(_) => Err("the recorder's answer makes no sense"),
            };
            if let Err(why) = outcome {
                rx.clear();
                return cx.exit(Exit::Failed(why));
            }
        }
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, _why: Gone) {
        if matches!(self.state, Some(State::AwaitRun | State::AwaitSteps { .. })) {
            cx.exit(Exit::Failed("the connection to the recorder broke"));
        }
    }

    fn failed(&mut self, cx: &mut Cx, _connect: Token, why: Gone) {
        let outcome = self.link.failed(cx, why);
        end_on_error(cx, outcome);
    }

    fn resolved(&mut self, cx: &mut Cx, _: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        let outcome = self.link.resolved(cx, result);
        end_on_error(cx, outcome);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        assert!(timer == link::RETRY, "there is no other timer");
        self.link.timer(cx);
    }

    fn disk(&mut self, cx: &mut Cx, op: Token, result: DiskResult) {
        if op == CLOSING {
            return;
        }
        if let Err(why) = self.completed(cx, result) {
            cx.exit(Exit::Failed(why));
        }
    }

    fn invariants(&self) {
        let state = self.state.as_ref().expect("each method puts the state back");
        if let State::AwaitSteps { count, steps, .. } = state {
            assert!(steps.len() as u32 <= *count, "no more steps than were promised");
        }
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        if let Some(verdict) = self.verdict() {
            each("acknowledged", verdict.acknowledged);
            each("surviving", verdict.surviving);
            each("lost", verdict.lost);
            each("torn", verdict.torn);
            each("corrupt", verdict.corrupt);
            each("invented", verdict.invented);
        }
    }
}
