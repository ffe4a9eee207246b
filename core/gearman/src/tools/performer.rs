//! `gearman -w`: does jobs by running a command for each, or by printing their data.
//!
//! Where this differs from the original:
//!
//! * A command that is ended by a signal, or cannot be started, fails the job; the original calls
//!   that a success.
//! * With `-n` each line of output is sent once; the original sends all lines so far, again and
//!   again. A last line without its end loses nothing to `-N`.
//! * A failed job counts once for `-c`; the original counts it twice.
//! * A job server that cannot be reached is told of once and tried again after a while; the
//!   original does both as fast as it can.

use super::options::{Lines, WorkerConfig};
use super::places::LookUps;
use super::shell::{
    Answer, DATA_BYTES_MAX, Ended, PACKET_BYTES_MAX, Ran, Room, Run, Shell, Stream,
};
use super::workloads::Workloads;
use crate::engine::Grab;
use crate::worker::{
    Down, JobId, NotTaken, ServerId, WORKER_TOKENS, Worker, WorkerEvent, WorkerOptions,
};
use bytes::Bytes;
use core::fmt;
use std::collections::BTreeSet;
use std::sync::Arc;
use storytime_machine::{Boot, Cx, Exit, IpAddr, Machine, ResolveError, Token};

/// The time of a command that is there already (simulated commands).
const RAN: Token = Token(WORKER_TOKENS);
/// No job for as long as `-t` says.
const IDLE: Token = Token(WORKER_TOKENS + 1);

/// The machine. It ends after as many jobs as `-c` says, or with a failure if it cannot begin.
pub struct Performer {
    config: WorkerConfig,
    look_ups: LookUps,
    command: Arc<[String]>,
    shell: Box<dyn Shell>,
    state: State,
    job: Option<Current>,
    /// Jobs done, and times that none came.
    done: u32,
    /// Servers whose absence was told of.
    away: BTreeSet<ServerId>,
}

enum State {
    AwaitAddresses,
    Work(Box<Worker>),
    /// Until the last result has left.
    Leave(Box<Worker>),
}

/// The job whose command runs.
struct Current {
    id: JobId,
    /// Output that was not sent.
    output: Workloads,
    /// A piece of it that found no room.
    piece: Option<Bytes>,
    /// The end of a command whose time has not come.
    early: Option<Ran>,
    ended: Option<Ended>,
    /// Whether the shell was told to wait.
    waits: bool,
}

impl Performer {
    /// A machine that has not started.
    pub fn new(config: WorkerConfig, shell: Box<dyn Shell>) -> Self {
        let look_ups = LookUps::new(&config.common);
        let command = config.command.clone().into();
        let (state, away) = (State::AwaitAddresses, BTreeSet::new());
        Self { config, look_ups, command, shell, state, job: None, done: 0, away }
    }

    /// Jobs done so far.
    pub const fn done(&self) -> u32 {
        self.done
    }

    /// The running command printed something.
    pub fn on_output(&mut self, cx: &mut Cx, output: &[u8]) -> Room {
        self.keep(output);
        self.flush(cx);
        self.go_on(cx);
        match &mut self.job {
            Some(job) if job.piece.is_some() => {
                job.waits = true;
                Room::Wait
            }
            _ => Room::More,
        }
    }

    /// The running command has ended.
    pub fn on_ran(&mut self, cx: &mut Cx, ran: Ran) {
        self.ran(cx, ran);
        self.go_on(cx);
    }

    fn ran(&mut self, cx: &mut Cx, ran: Ran) {
        self.keep(&ran.output);
        let Some(job) = &mut self.job else { panic!("a command runs for a job") };
        job.output.end();
        // The job failed already if its output was too long.
        let ended = job.ended.take().unwrap_or(ran.ended);
        job.ended = Some(ended.clone());
        if matches!(ended, Ended::Failed(_) | Ended::Signalled(_)) {
            let name = self.command.first().cloned().unwrap_or_default();
            self.say(format_args!("{name}: {ended}"));
        }
        self.flush(cx);
    }

    fn keep(&mut self, output: &[u8]) {
        let Some(job) = &mut self.job else { panic!("a command runs for a job") };
        let failed = job.ended.is_some();
        if !failed && job.output.add(output).is_err() {
            job.output = Workloads::new(self.config.lines);
            let why = format!("more than {DATA_BYTES_MAX} bytes are too much for one result");
            job.ended = Some(Ended::Failed(why));
        }
    }

    /// Sends what may be sent of the job's output, and its end behind all of it.
    fn flush(&mut self, cx: &mut Cx) {
        let (State::Work(worker) | State::Leave(worker)) = &mut self.state else { return };
        let Some(job) = &mut self.job else { return };
        let together = self.config.lines == Lines::Together;
        let success = job.ended.as_ref().is_some_and(Ended::is_success);
        loop {
            job.piece = job.piece.take().or_else(|| job.output.next());
            let is_result = together && success;
            let Some(piece) = job.piece.as_ref().filter(|_| !is_result) else { break };
            if piece.is_empty() {
                job.piece = None;
                if together {
                    break;
                }
                continue;
            }
            match worker.data(cx, job.id, piece) {
                Err(NotTaken::Full) => return,
                // What else is wrong with the job is told at its end.
                Ok(()) | Err(NotTaken::Gone | NotTaken::Unknown | NotTaken::TooLong) => {}
            }
            job.piece = None;
            if together {
                break;
            }
        }
        if job.output.has_ended() {
            let result = job.piece.take().unwrap_or_default();
            self.end_job(cx, success, result);
        }
    }

    fn end_job(&mut self, cx: &mut Cx, success: bool, result: Bytes) {
        let Some(job) = self.job.take() else { panic!("looked at by the caller") };
        self.count(cx);
        let (State::Work(worker) | State::Leave(worker)) = &mut self.state else {
            panic!("looked at by the caller")
        };
        let mut taken = match success {
            true => worker.complete(cx, job.id, result),
            false => worker.fail(cx, job.id),
        };
        if taken == Err(NotTaken::TooLong) {
            taken = worker.fail(cx, job.id).and(taken);
        }
        if let Err(why) = taken {
            self.say(format_args!("the result is not sent: {why}"));
        }
        if let State::Work(_) = self.state {
            self.await_idle(cx);
        }
    }

    /// One more is done: leaves if it was the last, before another one is asked for.
    fn count(&mut self, cx: &mut Cx) {
        self.done += 1;
        if self.config.jobs.is_some_and(|jobs| self.done >= jobs) {
            self.state = match core::mem::replace(&mut self.state, State::AwaitAddresses) {
                State::Work(mut worker) => {
                    worker.leave(cx);
                    State::Leave(worker)
                }
                other => other,
            };
            cx.cancel(IDLE);
        }
    }

    /// Tells what happened and begins a job that has come.
    fn go_on(&mut self, cx: &mut Cx) {
        loop {
            let (State::Work(worker) | State::Leave(worker)) = &mut self.state else { return };
            let Some(event) = worker.next_event() else { break };
            match event {
                WorkerEvent::Job { job, data, .. } => self.begin_job(cx, job, data),
                WorkerEvent::JobGone { .. } => {
                    self.say(format_args!("connection lost: the job is done by somebody else"));
                    self.resume(cx);
                }
                WorkerEvent::Room { .. } => self.resume(cx),
                WorkerEvent::Up { server } => {
                    self.away.remove(&server);
                }
                WorkerEvent::Down { server, why } => {
                    let at = worker.endpoint(server).map(ToString::to_string).unwrap_or_default();
                    if self.away.insert(server) && matches!(self.state, State::Work(_)) {
                        let advice = match why {
                            Down::Stranger => " (GEARMAN_TENANT=NAME:SECRET says as whose)",
                            Down::Garbled if !self.config.common.tls => " (encrypted? then -S)",
                            _ => "",
                        };
                        self.say(format_args!("{at} {why}{advice}; trying again"));
                    }
                }
            }
        }
        if let State::Leave(worker) = &self.state
            && worker.is_closed()
        {
            cx.exit(Exit::Stopped);
        }
    }

    fn begin_job(&mut self, cx: &mut Cx, id: JobId, data: Bytes) {
        assert!(self.job.is_none(), "one job at a time was asked for");
        self.await_idle(cx);
        let output = Workloads::new(self.config.lines);
        let (piece, early, ended) = (None, None, None);
        self.job = Some(Current { id, output, piece, early, ended, waits: false });
        if self.command.is_empty() {
            let printed = self.shell.print(Stream::Out, &data);
            if !printed {
                self.say(format_args!("nobody reads the output"));
            }
            let ended = if printed { Ended::Exited(0) } else { Ended::Exited(1) };
            return self.ran(cx, Ran { output: Bytes::new(), ended });
        }
        match self.shell.run(Run { command: Arc::clone(&self.command), input: data }) {
            Answer::Later => {}
            Answer::Now(ran) => self.ran(cx, ran),
            Answer::After(takes, ran) => {
                self.job.as_mut().expect("set above").early = Some(ran);
                cx.after(RAN, takes);
            }
        }
    }

    /// There is room again, or none is needed any more.
    fn resume(&mut self, cx: &mut Cx) {
        self.flush(cx);
        let freed = |job: &&mut Current| job.waits && job.piece.is_none();
        if let Some(job) = self.job.as_mut().filter(freed) {
            job.waits = false;
            self.shell.resume();
        }
    }

    /// Counts the time without a job from now on.
    fn await_idle(&self, cx: &mut Cx) {
        if let Some(timeout) = self.config.common.timeout {
            cx.after(IDLE, timeout);
        }
    }

    fn idle(&mut self, cx: &mut Cx) {
        if self.job.is_none() {
            let timeout = self.config.common.timeout.unwrap_or_default();
            self.say(format_args!("no job in {} ms", timeout.as_millis()));
            self.count(cx);
        }
        if let State::Work(_) = self.state {
            self.await_idle(cx);
        }
    }

    fn say(&mut self, what: fmt::Arguments<'_>) {
        // Where nobody reads this, nobody is to be told.
        let _gone = self.shell.print(Stream::Err, format!("gearman: {what}\n").as_bytes());
    }

    /// Becomes a worker once all addresses are known.
    fn begin(&mut self, cx: &mut Cx) {
        let State::AwaitAddresses = self.state else { return };
        let Some(servers) = self.look_ups.endpoints() else { return };
        // The last is told first, as libgearman does: the original server prefers what it was told
        // of last, so that the functions are served in the order of the command line.
        let functions = self.config.common.functions.iter().rev().map(|name| (name.clone(), None));
        let common = &self.config.common;
        let options = WorkerOptions {
            servers,
            tls_names: self.look_ups.names(),
            tenant: common.tenant.clone(),
            functions: functions.collect(),
            grab: Grab::Plain,
            packet_bytes_max: PACKET_BYTES_MAX,
            ..WorkerOptions::default()
        };
        let mut worker = Box::new(Worker::new(options, Token(0)));
        worker.start(cx);
        self.state = State::Work(worker);
        self.await_idle(cx);
        self.go_on(cx);
    }

    /// Passes something on to the worker.
    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Worker, &mut Cx) -> bool) {
        if let State::Work(worker) | State::Leave(worker) = &mut self.state {
            what(worker, cx);
            self.go_on(cx);
        }
    }
}

impl Machine for Performer {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.look_ups.start(cx);
        self.begin(cx);
    }

    fn resolved(&mut self, cx: &mut Cx, lookup: Token, result: Result<Vec<IpAddr>, ResolveError>) {
        if let Err(place) = self.look_ups.on_resolved(lookup, result) {
            let what = format!("{place}: no such host");
            self.say(format_args!("{what}"));
            return cx.exit(Exit::Failed("a job server has no address"));
        }
        self.begin(cx);
    }

    storytime_machine::pass_to_part!(open data eof drained gone failed);

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            RAN => {
                let ran = self.job.as_mut().and_then(|job| job.early.take());
                self.on_ran(cx, ran.expect("the timer is set with it"));
            }
            IDLE => {
                self.idle(cx);
                self.go_on(cx);
            }
            _ => self.pass(cx, |worker, cx| worker.on_timer(cx, timer)),
        }
    }

    fn invariants(&self) {
        if let State::Work(worker) | State::Leave(worker) = &self.state {
            worker.invariants();
            assert!(worker.jobs() <= 1, "one job at a time");
        }
    }
}
