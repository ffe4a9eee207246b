//! The recorder: remembers, on a host that stays alive, what writers report.
//!
//! It keeps everything in memory: its own host does not lose power. At
//! [`RecorderConfig::steps_max`] it answers `enough`, and the run is over.

use crate::config::RecorderConfig;
use crate::step::{Area, Cell, NAMES, Phase, Step};
use crate::wire::{self, Reply, Request, Shape};
use bytes::BytesMut;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Slots, Time, Token,
};

/// Most runs remembered; the oldest without a writer is forgotten for a new one.
pub const RUNS_MAX: usize = 64;
/// Most connections at once.
pub const CONNS_MAX: u32 = 128;
/// Steps told in one answer.
pub const STEPS_PER_PAGE: usize = 512;
/// A peer that asks and does not read its answers is refused at this much pending output, bytes.
pub const PENDING_BYTES_MAX: usize = 1 << 20;

const LISTENER: Token = Token(1);

/// Why a line was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refusal {
    /// It is not one of the protocol.
    Wire(wire::WireError),
    /// It does not come in this order.
    OutOfTurn,
    /// Evidence is never overwritten.
    RunExists,
    /// All remembered runs have writers.
    TooManyRuns,
    /// Nothing is known of it.
    NoSuchRun,
    /// No such block or small file.
    NoSuchCell,
    /// No such step, or it came further already.
    NoSuchStep,
    /// It does not read its answers.
    TooSlow,
}

impl Refusal {
    fn text(self) -> String {
        match self {
            Self::Wire(error) => error.to_string(),
            Self::OutOfTurn => "out of turn".into(),
            Self::RunExists => "run exists: choose another number".into(),
            Self::TooManyRuns => "too many runs at once".into(),
            Self::NoSuchRun => "no such run".into(),
            Self::NoSuchCell => "no such block or file".into(),
            Self::NoSuchStep => "no such step under way".into(),
            Self::TooSlow => "answers are not read".into(),
        }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Peer {
    /// Its first line decides.
    #[default]
    AwaitFirst,
    /// A writer of this run.
    Writes { run: u64 },
    /// A verifier that asks about this run.
    Reads { run: u64 },
    /// Refused; nothing more is read.
    Done,
}

#[derive(Debug)]
struct Run {
    shape: Shape,
    began: Time,
    steps: Vec<Step>,
    /// Events so far: intentions and acknowledgements.
    events: u32,
    /// Whether its writer is connected, as far as we can know.
    writer: bool,
}

/// The recorder.
#[derive(Debug)]
pub struct Recorder {
    config: RecorderConfig,
    /// In the order in which they began.
    runs: Vec<Run>,
    /// By slot.
    peers: Vec<Peer>,
    steps: u32,
    synced: u64,
    refused: u64,
}

impl Recorder {
    /// A recorder that remembers nothing yet.
    pub const fn new(config: RecorderConfig) -> Self {
        Self { config, runs: Vec::new(), peers: Vec::new(), steps: 0, synced: 0, refused: 0 }
    }

    /// Acknowledged steps reported so far, all runs together.
    pub const fn acknowledged(&self) -> u64 {
        self.synced
    }

    /// Everything reported of a run, in order; `None` if it is not known.
    pub fn steps(&self, run: u64) -> Option<&[Step]> {
        self.runs.iter().find(|r| r.shape.run == run).map(|r| &r.steps[..])
    }

    fn run_mut(&mut self, run: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|r| r.shape.run == run)
    }

    fn line(&mut self, cx: &mut Cx, conn: Conn, request: Request) -> Result<(), Refusal> {
        if cx.pending(conn) > PENDING_BYTES_MAX {
            return Err(Refusal::TooSlow);
        }
        match (self.peers[conn.index()], request) {
            (Peer::AwaitFirst, Request::Begin(shape)) => self.begin(cx, conn, shape),
            (Peer::AwaitFirst, Request::Verify(run)) => self.verify(cx, conn, run),
            (Peer::Writes { run }, Request::Will(cell, generation)) => {
                self.will(cx, conn, run, cell, generation)
            }
            (Peer::Writes { run }, Request::Wrote(seq)) => {
                self.report(cx.now(), run, seq, Phase::Written)
            }
            (Peer::Writes { run }, Request::Synced(seq)) => {
                self.report(cx.now(), run, seq, Phase::Synced)
            }
            (Peer::Reads { run }, Request::Steps(from)) => self.tell(cx, conn, run, from),
            _ => Err(Refusal::OutOfTurn),
        }
    }

    fn begin(&mut self, cx: &mut Cx, conn: Conn, shape: Shape) -> Result<(), Refusal> {
        if self.run_mut(shape.run).is_some() {
            return Err(Refusal::RunExists);
        }
        if self.runs.len() >= RUNS_MAX {
            let idle = self.runs.iter().position(|r| !r.writer).ok_or(Refusal::TooManyRuns)?;
            let forgotten = self.runs.remove(idle);
            self.steps -= forgotten.steps.len() as u32;
        }
        let began = cx.now();
        self.runs.push(Run { shape, began, steps: Vec::new(), events: 0, writer: true });
        self.peers[conn.index()] = Peer::Writes { run: shape.run };
        reply(cx, conn, &Reply::Ok(shape.run));
        Ok(())
    }

    fn will(
        &mut self,
        cx: &mut Cx,
        conn: Conn,
        run: u64,
        cell: Cell,
        generation: u32,
    ) -> Result<(), Refusal> {
        let full = self.steps >= self.config.steps_max;
        let run = self.run_mut(run).ok_or(Refusal::NoSuchRun)?;
        let exists = match cell.area {
            Area::Blocks => cell.index < run.shape.blocks,
            Area::Log => true,
            Area::Names => cell.index < NAMES,
        };
        if !exists || generation == 0 {
            return Err(Refusal::NoSuchCell);
        }
        if full {
            reply(cx, conn, &Reply::Enough);
            return Ok(());
        }
        run.events += 1;
        let seq = run.steps.len() as u32;
        run.steps.push(Step {
            cell,
            generation,
            phase: Phase::Intended,
            intended_at: run.events,
            synced_at: 0,
            synced_ms: 0,
        });
        self.steps += 1;
        reply(cx, conn, &Reply::Go(seq));
        Ok(())
    }

    fn report(&mut self, now: Time, run: u64, seq: u32, phase: Phase) -> Result<(), Refusal> {
        let run = self.run_mut(run).ok_or(Refusal::NoSuchRun)?;
        let step = run.steps.get_mut(seq as usize).ok_or(Refusal::NoSuchStep)?;
        let next = match phase {
            Phase::Written => step.phase == Phase::Intended,
            Phase::Synced => step.phase == Phase::Written,
            Phase::Intended => false,
        };
        if !next {
            return Err(Refusal::NoSuchStep);
        }
        step.phase = phase;
        if phase == Phase::Synced {
            run.events += 1;
            step.synced_at = run.events;
            let ms = now.since(run.began).as_millis();
            step.synced_ms = u32::try_from(ms).unwrap_or(u32::MAX);
            self.synced += 1;
        }
        Ok(())
    }

    fn verify(&mut self, cx: &mut Cx, conn: Conn, run: Option<u64>) -> Result<(), Refusal> {
        let found = match run {
            Some(run) => self.runs.iter().find(|r| r.shape.run == run),
            None => self.runs.last(),
        };
        let found = found.ok_or(Refusal::NoSuchRun)?;
        let run = Reply::Run(found.shape, found.steps.len() as u32);
        self.peers[conn.index()] = Peer::Reads { run: found.shape.run };
        reply(cx, conn, &run);
        Ok(())
    }

    /// Tells a page of steps; the verifier asks for the next when it has read this one.
    fn tell(&self, cx: &mut Cx, conn: Conn, run: u64, from: u32) -> Result<(), Refusal> {
        let found = self.runs.iter().find(|r| r.shape.run == run).ok_or(Refusal::NoSuchRun)?;
        let from = (from as usize).min(found.steps.len());
        let page = &found.steps[from..found.steps.len().min(from + STEPS_PER_PAGE)];
        let Some(tx) = cx.tx(conn) else { return Ok(()) };
        for step in page {
            Reply::Step(*step).put(tx);
        }
        Reply::End.put(tx);
        Ok(())
    }

    fn refuse(&mut self, cx: &mut Cx, conn: Conn, why: Refusal) {
        self.refused += 1;
        self.peers[conn.index()] = Peer::Done;
        reply(cx, conn, &Reply::Error(why.text()));
        cx.close(conn, Close::Flush);
    }
}

fn reply(cx: &mut Cx, conn: Conn, reply: &Reply) {
    if let Some(tx) = cx.tx(conn) {
        reply.put(tx);
    }
}

impl Machine for Recorder {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        let mut listen = Listen::at(Endpoint::any(self.config.port));
        listen.slots = Slots::AtMost(CONNS_MAX);
        cx.listen(LISTENER, listen);
    }

    fn open(&mut self, _cx: &mut Cx, conn: Conn, _how: Open) {
        if self.peers.len() <= conn.index() {
            self.peers.resize(conn.index() + 1, Peer::AwaitFirst);
        }
        self.peers[conn.index()] = Peer::AwaitFirst;
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        while self.peers[conn.index()] != Peer::Done {
            let outcome = match wire::next(rx, Request::parse) {
                Ok(None) => return,
                Ok(Some(request)) => self.line(cx, conn, request),
                Err(error) => Err(Refusal::Wire(error)),
            };
            if let Err(why) = outcome {
                self.refuse(cx, conn, why);
            }
        }
        rx.clear();
    }

    fn gone(&mut self, _cx: &mut Cx, conn: Conn, _why: Gone) {
        if let Peer::Writes { run } = self.peers[conn.index()]
            && let Some(run) = self.run_mut(run)
        {
            run.writer = false;
        }
        self.peers[conn.index()] = Peer::AwaitFirst;
    }

    fn invariants(&self) {
        assert!(self.runs.len() <= RUNS_MAX, "runs are bounded");
        let steps: usize = self.runs.iter().map(|r| r.steps.len()).sum();
        assert_eq!(steps, self.steps as usize, "the count of steps is right");
        assert!(self.steps <= self.config.steps_max, "steps are bounded");
    }

    fn memory(&self) -> u64 {
        u64::from(self.steps) * size_of::<Step>() as u64
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("runs", self.runs.len() as u64);
        each("steps", u64::from(self.steps));
        each("acknowledged", self.synced);
        each("lines_refused", self.refused);
    }
}
