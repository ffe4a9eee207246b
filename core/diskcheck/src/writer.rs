//! The writer: writes and flushes, and tells the recorder each step.
//!
//! Per step: report the intention; **wait** until the recorder has it, so that whatever is found on
//! the disk was announced; write; report; flush; only after the flush's `Ok` report the
//! acknowledgement. A small file takes more: create under another name, write, flush, rename, flush
//! the directory.
//!
//! Any disk error ends the writer: after a failed flush nothing is known of what was written, and a
//! step without acknowledgement promises nothing.

use crate::config::WriterConfig;
use crate::link::{self, GaveUp, Link};
use crate::plan::Plan;
use crate::stamp;
use crate::step::{Area, Cell, SECTOR_BYTES, fresh_path, log_path, small_path};
use crate::wire::{self, Reply, Request, Shape};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use storytime_machine::{
    Boot, Conn, Cx, DiskError, DiskOk, DiskOp, DiskResult, Exit, FileId, Gone, IpAddr, Machine,
    Open, ResolveError, Token, disk,
};

/// The operation whose completion nobody waits for: closing a small file.
const CLOSING: Token = Token(u64::MAX);
/// The layout's operations, which run one after the other.
const LAYOUT: Token = Token(u64::MAX - 1);

/// What a step under way waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Awaits {
    /// Nothing: the lane is free.
    Free,
    /// The recorder's `go`.
    Go,
    /// A small file's creation.
    Create,
    Write,
    Sync,
    Rename,
    SyncDir,
}

/// One of the places for a step under way.
#[derive(Clone, Copy, Debug)]
struct Lane {
    awaits: Awaits,
    cell: Cell,
    generation: u32,
    /// The recorder's number, from `go` on.
    seq: u32,
    /// The small file, from its creation on.
    fresh: FileId,
}

/// How far the writer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Laying out the files: the number of the operation awaited.
    AwaitLayout(usize),
    /// The connection to the recorder and its `ok`.
    AwaitOk,
    /// Writing.
    Running,
    /// No new steps; those under way are finished.
    Draining,
    /// The last reports are on their way; then the process ends.
    Closing,
}

/// The writer.
#[derive(Debug)]
pub struct Writer {
    config: WriterConfig,
    shape: Shape,
    link: Link,
    state: State,
    layout: Vec<Layout>,
    blocks: FileId,
    log: FileId,
    plan: Plan,
    lanes: Vec<Lane>,
    /// Lanes that wait for `go`, in the order of their intentions.
    announced: VecDeque<usize>,
    /// Where contents are made.
    arena: BytesMut,
    written: u64,
    acknowledged: u64,
}

/// One operation of laying out the files.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Layout {
    MakeDir(Bytes),
    OpenBlocks,
    OpenLog,
    /// Cut to nothing, so that no older run shows through.
    Empty(Area),
    /// Give the overwritten file its length.
    Lengthen,
    Flush(Area),
    SyncDir(Bytes),
}

impl Writer {
    /// A writer that has not begun.
    pub fn new(config: WriterConfig) -> Self {
        let shape = Shape {
            run: config.run.unwrap_or(0),
            blocks: config.blocks,
            block_bytes: config.block_bytes,
        };
        let cell = Cell { area: Area::Blocks, index: 0 };
        let lane = Lane { awaits: Awaits::Free, cell, generation: 0, seq: 0, fresh: FileId(0) };
        Self {
            shape,
            link: Link::new(config.recorder.clone()),
            state: State::AwaitLayout(0),
            layout: layout(&config.file),
            blocks: FileId(0),
            log: FileId(0),
            plan: Plan::new(config.blocks),
            lanes: vec![lane; config.outstanding as usize],
            announced: VecDeque::with_capacity(config.outstanding as usize),
            arena: BytesMut::new(),
            written: 0,
            acknowledged: 0,
            config,
        }
    }

    /// The number of the run; settled when the machine starts.
    pub const fn run(&self) -> u64 {
        self.shape.run
    }

    /// Flushes that were acknowledged so far.
    pub const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    fn lay_out(&self, cx: &mut Cx, step: usize) {
        let file = |area| if area == Area::Log { self.log } else { self.blocks };
        let path = |path: String| Bytes::from(path.into_bytes());
        let op = match &self.layout[step] {
            Layout::MakeDir(dir) => DiskOp::MakeDir { path: dir.clone() },
            Layout::OpenBlocks => {
                DiskOp::Open { path: path(self.config.file.clone()), create: true }
            }
            Layout::OpenLog => {
                DiskOp::Open { path: path(log_path(&self.config.file)), create: true }
            }
            Layout::Empty(area) => DiskOp::SetLen { file: file(*area), len: 0 },
            Layout::Lengthen => DiskOp::SetLen { file: self.blocks, len: self.shape.file_bytes() },
            Layout::Flush(area) => DiskOp::Sync { file: file(*area) },
            Layout::SyncDir(dir) => DiskOp::SyncDir { path: dir.clone() },
        };
        cx.disk(LAYOUT, op);
    }

    fn laid_out(&mut self, cx: &mut Cx, ok: DiskOk) {
        let State::AwaitLayout(step) = self.state else {
            panic!("the layout is done before anything else begins");
        };
        if let DiskOk::File { file, .. } = ok {
            match self.layout[step] {
                Layout::OpenBlocks => self.blocks = file,
                _ => self.log = file,
            }
        }
        if step + 1 < self.layout.len() {
            self.state = State::AwaitLayout(step + 1);
            self.lay_out(cx, step + 1);
        } else {
            self.state = State::AwaitOk;
            self.link.start(cx);
        }
    }

    /// Announces steps on all free lanes.
    fn fill(&mut self, cx: &mut Cx) {
        let under_way = |lanes: &[Lane]| lanes.iter().filter(|l| l.awaits != Awaits::Free).count();
        for index in 0..self.lanes.len() {
            let begun = self.acknowledged + under_way(&self.lanes) as u64;
            if self.config.steps.is_some_and(|steps| begun >= u64::from(steps)) {
                self.state = State::Draining;
            }
            if self.state != State::Running {
                break;
            }
            if self.lanes[index].awaits == Awaits::Free {
                let lanes = &self.lanes;
                let busy = |cell| lanes.iter().any(|l| l.awaits != Awaits::Free && l.cell == cell);
                let (cell, generation) = self.plan.next(cx.rng(), busy);
                let lane = &mut self.lanes[index];
                (lane.cell, lane.generation, lane.awaits) = (cell, generation, Awaits::Go);
                self.announced.push_back(index);
                self.link.send(cx, Request::Will(cell, generation));
            }
        }
        if self.state == State::Draining && under_way(&self.lanes) == 0 {
            self.state = State::Closing;
            self.link.close(cx);
        }
    }

    /// The recorder has the intention of the lane announced first.
    fn go(&mut self, cx: &mut Cx, seq: u32) -> Result<(), &'static str> {
        let index = self.announced.pop_front().ok_or("the recorder said go unasked")?;
        let lane = &mut self.lanes[index];
        assert!(lane.awaits == Awaits::Go, "an announced lane waits for go");
        lane.seq = seq;
        if lane.cell.area == Area::Names {
            lane.awaits = Awaits::Create;
            let path = fresh_path(&self.config.file, lane.cell.index).into_bytes();
            cx.disk(Token(index as u64), DiskOp::Open { path: path.into(), create: true });
        } else {
            self.write(cx, index);
        }
        Ok(())
    }

    fn write(&mut self, cx: &mut Cx, index: usize) {
        let lane = &mut self.lanes[index];
        lane.awaits = Awaits::Write;
        let at = u64::from(lane.cell.index);
        let (file, at, bytes) = match lane.cell.area {
            Area::Blocks => {
                let bytes = self.shape.block_bytes as usize;
                (self.blocks, at * bytes as u64, bytes)
            }
            Area::Log => (self.log, at * SECTOR_BYTES as u64, SECTOR_BYTES),
            Area::Names => (lane.fresh, 0, SECTOR_BYTES),
        };
        self.arena.reserve(bytes);
        stamp::put(&mut self.arena, self.shape.run, lane.cell, lane.generation, bytes);
        let data = self.arena.split().freeze();
        cx.disk(Token(index as u64), DiskOp::Write { file, at, data });
    }

    /// The operation that the lane awaited completed: on to the next.
    fn step_on(&mut self, cx: &mut Cx, index: usize, ok: DiskOk) {
        let lane = self.lanes[index];
        let op = Token(index as u64);
        let dir = || Bytes::copy_from_slice(disk::parent(self.config.file.as_bytes()));
        let file = match lane.cell.area {
            Area::Blocks => self.blocks,
            Area::Log => self.log,
            Area::Names => lane.fresh,
        };
        match (lane.awaits, ok) {
            (Awaits::Create, DiskOk::File { file, .. }) => {
                self.lanes[index].fresh = file;
                self.write(cx, index);
            }
            (Awaits::Write, _) => {
                self.written += 1;
                self.link.send(cx, Request::Wrote(lane.seq));
                self.lanes[index].awaits = Awaits::Sync;
                cx.disk(op, DiskOp::Sync { file });
            }
            (Awaits::Sync, _) if lane.cell.area == Area::Names => {
                cx.disk(CLOSING, DiskOp::Close { file });
                self.lanes[index].awaits = Awaits::Rename;
                let from = fresh_path(&self.config.file, lane.cell.index).into_bytes().into();
                let to = small_path(&self.config.file, lane.cell.index).into_bytes().into();
                cx.disk(op, DiskOp::Rename { from, to });
            }
            (Awaits::Rename, _) => {
                cx.disk(op, DiskOp::SyncDir { path: dir() });
                self.lanes[index].awaits = Awaits::SyncDir;
            }
            (Awaits::Sync | Awaits::SyncDir, _) => {
                self.acknowledged += 1;
                self.link.send(cx, Request::Synced(lane.seq));
                self.lanes[index].awaits = Awaits::Free;
                self.fill(cx);
            }
            (awaits, ok) => panic!("{awaits:?} was completed by {ok:?}"),
        }
    }

    fn reply(&mut self, cx: &mut Cx, reply: Reply) -> Result<(), &'static str> {
        match (self.state, reply) {
            (State::AwaitOk, Reply::Ok(_)) => {
                self.state = State::Running;
                self.fill(cx);
                Ok(())
            }
            (State::Running | State::Draining, Reply::Go(seq)) => self.go(cx, seq),
            (State::Running | State::Draining, Reply::Enough) => {
                // This intention is not on record: take it back.
                let index = self.announced.pop_front().ok_or("the recorder spoke unasked")?;
                self.lanes[index].awaits = Awaits::Free;
                self.state = State::Draining;
                self.fill(cx);
                Ok(())
            }
            (_, Reply::Error(_)) => Err("the recorder refused us"),
            _ => Err("the recorder's answer makes no sense"),
        }
    }
}

/// The operations that make the files and flush them, so that the run begins on known ground.
fn layout(file: &str) -> Vec<Layout> {
    let parent = disk::parent(file.as_bytes());
    let mut dirs = vec![Bytes::new()];
    let slashes = (0..parent.len()).filter(|&i| parent[i] == b'/');
    for end in slashes.chain((!parent.is_empty()).then_some(parent.len())) {
        dirs.push(Bytes::copy_from_slice(&parent[..end]));
    }
    let make = dirs.iter().skip(1).cloned().map(Layout::MakeDir);
    let files = [
        Layout::OpenBlocks,
        Layout::Empty(Area::Blocks),
        Layout::Lengthen,
        Layout::Flush(Area::Blocks),
        Layout::OpenLog,
        Layout::Empty(Area::Log),
        Layout::Flush(Area::Log),
    ];
    make.chain(files).chain(dirs.iter().cloned().map(Layout::SyncDir)).collect()
}

/// Why the writer ends after a disk error.
const fn disk_failure(awaits: Option<Awaits>, error: DiskError) -> &'static str {
    match (awaits, error) {
        (_, DiskError::NoSpace) => "the disk is full",
        (Some(Awaits::Sync | Awaits::SyncDir), _) => "a flush failed",
        (Some(Awaits::Write), _) => "a write failed",
        (Some(_), _) => "a small file could not be made or renamed",
        (None, _) => "the files could not be laid out",
    }
}

fn end_on_error(cx: &mut Cx, outcome: Result<(), GaveUp>) {
    if let Err(GaveUp(why)) = outcome {
        cx.exit(Exit::Failed(why));
    }
}

impl Machine for Writer {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        if self.config.run.is_none() {
            self.shape.run = cx.rng().u64();
        }
        self.lay_out(cx, 0);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        self.link.open(conn);
        self.link.send(cx, Request::Begin(self.shape));
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

    fn eof(&mut self, cx: &mut Cx, _conn: Conn) {
        cx.exit(Exit::Failed("the recorder closed the connection"));
    }

    fn gone(&mut self, cx: &mut Cx, _conn: Conn, _why: Gone) {
        cx.exit(match self.state {
            State::Closing => Exit::Stopped,
            _ => Exit::Failed("the connection to the recorder broke"),
        });
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
        let lane = usize::try_from(op.0).ok().and_then(|index| self.lanes.get(index));
        match result {
            _ if op == CLOSING => {}
            Err(error) => {
                let awaits = lane.map(|lane| lane.awaits);
                cx.exit(Exit::Failed(disk_failure(awaits, error)));
            }
            Ok(ok) if op == LAYOUT => self.laid_out(cx, ok),
            Ok(ok) => self.step_on(cx, op.0 as usize, ok),
        }
    }

    fn invariants(&self) {
        let waiting = self.lanes.iter().filter(|l| l.awaits == Awaits::Go).count();
        assert_eq!(waiting, self.announced.len(), "announced lanes wait for go, and no others");
        assert!(self.written >= self.acknowledged, "nothing is acknowledged unwritten");
        for (index, lane) in self.lanes.iter().enumerate() {
            let same = |other: &Lane| other.awaits != Awaits::Free && other.cell == lane.cell;
            assert!(
                lane.awaits == Awaits::Free
                    || lane.cell.area == Area::Blocks
                    || !self.lanes[index + 1..].iter().any(same),
                "no record and no small file has two steps under way"
            );
        }
    }

    fn memory(&self) -> u64 {
        u64::from(self.shape.blocks) * size_of::<u32>() as u64
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("written", self.written);
        each("acknowledged", self.acknowledged);
    }
}
