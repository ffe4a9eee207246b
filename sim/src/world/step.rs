//! From an event to an input, from an input to a step of a process.

use super::World;
use crate::host::{EndRef, Input, ProcState, Waiting};
use crate::net::{Notice, Phase};
use crate::queue::Event;
use storytime_machine::{Boot, Duration, Now, Time};

impl World {
    /// Carries out one event.
    #[inline]
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Alarm { process, life } => self.alarm(process, life),
            Event::CoreFree { core, life } => self.core_free(core, life),
            Event::Disk { host, op } => self.disk_due(host, op),
            Event::Datagram { index } => self.datagram_arrives(index),
            Event::Address { index } => self.address_taken(index),
            Event::Resolved { index } => self.lookup_answered(index),
            Event::Timeline { index } => {
                let fault = self.timeline.take(index).expect("each entry comes once");
                self.trace.note(self.now, "timeline", u32::MAX, u64::from(index), 0);
                self.apply(&fault);
            }
            Event::Secured { end, age } => {
                if self.net.ends[end as usize].age == age {
                    self.input_for_end(end, Input::Secured);
                }
            }
            _ => {
                let notice = self.net.event(&mut self.queue, self.now, event);
                self.notice(notice);
            }
        }
    }

    #[inline]
    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Nothing => {}
            Notice::Readable(end) => self.readable(end),
            Notice::Writable(end) => self.input_for_end(end, Input::Writable),
            Notice::Connected(end) => self.input_for_end(end, Input::Connected),
            Notice::Failed(end, why) => self.input_for_end(end, |end| Input::Failed(end, why)),
            Notice::Gone(end, why) => self.input_for_end(end, |end| Input::Gone(end, why)),
            Notice::Acceptable(listener) => self.acceptable(listener),
        }
    }

    /// Something can be read at this end: told once, however much comes before it is read.
    #[inline]
    pub(super) fn readable(&mut self, end: u32) {
        let this = &mut self.net.ends[end as usize];
        if !this.queued {
            this.queued = true;
            let (process, age) = (this.owner.process, this.age);
            self.input(process, Input::Readable(EndRef { end, age }));
        }
    }

    fn input_for_end(&mut self, end: u32, input: impl FnOnce(EndRef) -> Input) {
        let this = &self.net.ends[end as usize];
        if matches!(this.phase, Phase::Free | Phase::Vanished) {
            return; // Its process, or that life of it, knows it no more.
        }
        let (process, age) = (this.owner.process, this.age);
        self.input(process, input(EndRef { end, age }));
    }

    /// A connection waits: one of the listener's acceptors is told, if any wants it.
    /// Idle workers come first, frozen ones last, as with workers that wait on one queue.
    pub(super) fn acceptable(&mut self, listener: u32) {
        let (procs, cores) = (&self.procs, &self.cores);
        let reluctance = |process: u32| {
            let proc = &procs[process as usize];
            let core = &cores[proc.core as usize];
            match proc.state {
                ProcState::Running if core.busy.is_none() && core.ready.is_empty() => 0,
                ProcState::Running => 1,
                ProcState::Frozen | ProcState::Down => 2,
            }
        };
        if let Some(acceptor) = self.net.next_acceptor(listener, reluctance) {
            self.input(acceptor.process, Input::Acceptable(listener));
        }
    }

    /// Gives a process an input: now, or when its core is free.
    #[inline]
    pub(super) fn input(&mut self, process: u32, input: Input) {
        let core_index = self.procs[process as usize].core;
        let core = &mut self.cores[core_index as usize];
        if core.running || core.busy.is_some() {
            let life = self.procs[process as usize].life;
            core.ready.push_back(Waiting { process, life, input });
            return;
        }
        core.running = true;
        self.offer(process, input);
        self.finish_core(core_index);
    }

    /// An input has its turn: a step, or more waiting, or nobody to hear it.
    #[inline]
    fn offer(&mut self, process: u32, input: Input) {
        let proc = &mut self.procs[process as usize];
        match proc.state {
            ProcState::Running => self.step(process, input),
            ProcState::Frozen => proc.parked.push_back(input),
            ProcState::Down => self.drop_input(&input),
        }
    }

    /// Nobody will hear this input: frees what it refers to.
    #[cold]
    pub(super) fn drop_input(&mut self, input: &Input) {
        if let Input::Datagram(index) = input {
            self.datagrams.take(*index);
        }
    }

    /// Serves what waits for a core until it is busy or nothing is left.
    pub(super) fn run_core(&mut self, core_index: u32) {
        let core = &mut self.cores[core_index as usize];
        if core.running || core.busy.is_some() {
            return;
        }
        core.running = true;
        self.finish_core(core_index);
    }

    #[inline]
    fn finish_core(&mut self, core_index: u32) {
        loop {
            let core = &mut self.cores[core_index as usize];
            if core.busy.is_some() || self.failure.is_some() {
                break;
            }
            let Some(Waiting { process, life, input }) = core.ready.pop_front() else { break };
            if self.procs[process as usize].life == life {
                self.offer(process, input);
            } else {
                self.drop_input(&input);
            }
        }
        self.cores[core_index as usize].running = false;
    }

    /// Both of a process's host's clocks.
    #[inline]
    pub(super) fn clock(&self, process: u32) -> Now {
        let host = self.procs[process as usize].host;
        self.hosts[host as usize].clock.read(self.now)
    }

    /// One step: the input, its cost, then its output.
    #[inline]
    fn step(&mut self, process: u32, input: Input) {
        self.tell(process, input);
        self.count_step(process);
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        let spent = drive.take_spent_ns();
        if spent == 0 {
            self.flush(process);
        } else {
            let core_index = self.procs[process as usize].core;
            let core = &mut self.cores[core_index as usize];
            core.busy = Some(process);
            core.busy_ns += spent;
            core.busy_until = self.now + Duration::from_nanos(spent);
            let event = Event::CoreFree { core: core_index, life: core.life };
            self.queue.push(core.busy_until, event);
        }
        self.check(process);
    }

    /// Counts the steps of a process at one instant. Time never passes for one that always has
    /// something to do at once, and so the end of the run would never come.
    #[inline]
    fn count_step(&mut self, process: u32) {
        let (now, steps_max) = (self.now, self.config.instant_steps_max);
        let stepped = &mut self.procs[process as usize].stepped;
        let before = if stepped.0 == now { stepped.1 } else { 0 };
        *stepped = (now, before.saturating_add(1));
        if before >= steps_max {
            let what = format!("more than {steps_max} steps at one instant: no time passes");
            self.fail(process, what);
        }
    }

    /// Calls the process with the input.
    #[inline]
    fn tell(&mut self, process: u32, input: Input) {
        let now = self.clock(process);
        match input {
            Input::Readable(EndRef { end, age })
            | Input::Writable(EndRef { end, age })
            | Input::Connected(EndRef { end, age })
            | Input::Secured(EndRef { end, age })
            | Input::Failed(EndRef { end, age }, _)
            | Input::Gone(EndRef { end, age }, _)
                if self.net.ends[end as usize].age != age => {}
            Input::Readable(at) => self.tell_readable(process, at.end, now),
            Input::Alarm => {
                self.trace.note(self.now, "timer", process, 0, 0);
                if let Some(drive) = &mut self.procs[process as usize].drive {
                    drive.tick(now);
                }
            }
            Input::Writable(at) => {
                let conn = self.net.ends[at.end as usize].owner.conn;
                self.flush_conn(process, conn);
            }
            Input::Acceptable(listener) => self.tell_accepted(process, listener, now),
            Input::Connected(at) => self.tell_connected(process, at.end, now),
            Input::Failed(at, why) => self.tell_failed(process, at.end, why, now),
            Input::Gone(at, why) => self.tell_gone(process, at.end, why, now),
            Input::Datagram(index) => self.tell_datagram(process, index, now),
            other => self.tell_rest(process, other, now),
        }
    }

    fn tell_rest(&mut self, process: u32, input: Input, now: Now) {
        let proc = &mut self.procs[process as usize];
        let Some(drive) = proc.drive.as_mut() else { return };
        match input {
            Input::Start => {
                let host = proc.host;
                let incarnation = proc.incarnation;
                self.trace.note(self.now, "start", process, u64::from(incarnation), 0);
                drive.start(now, Boot { host, worker: proc.worker, incarnation });
            }
            Input::Stop => {
                self.trace.note(self.now, "stop", process, 0, 0);
                drive.stop(now);
            }
            Input::Signal(signal) => {
                self.trace.note(self.now, signal.as_str(), process, 0, 0);
                drive.signal(now, signal);
            }
            Input::Secured(at) => {
                self.net.ends[at.end as usize].secured();
                self.trace.note(self.now, "secured", process, u64::from(at.end), 0);
                drive.secured(now, self.net.ends[at.end as usize].owner.conn);
            }
            Input::Disk(key, result) => {
                self.trace.note(self.now, "disk", process, u64::from(result.is_ok()), 0);
                if let Ok(storytime_machine::DiskOk::Data(bytes)) = &result {
                    self.trace.content(bytes);
                }
                drive.disk_done(now, key, result);
            }
            Input::Resolved(token, result) => {
                self.trace.note(self.now, "resolved", process, token.0, u64::from(result.is_ok()));
                drive.resolved(now, token, result);
            }
            Input::Bound(token, result) => {
                self.trace.note(self.now, "bound", process, token.0, u64::from(result.is_ok()));
                drive.bound(now, token, result);
            }
            Input::Addressed(ip, result) => {
                let taken = u64::from(result.is_ok());
                self.trace.note(self.now, "addressed", process, super::address::number(ip), taken);
                drive.addressed(now, ip, result);
            }
            _ => unreachable!("told by its own function"),
        }
    }

    /// The step's time has passed: its output leaves, and the next input has its turn.
    fn core_free(&mut self, core_index: u32, life: u32) {
        let core = &mut self.cores[core_index as usize];
        if core.life != life {
            return;
        }
        let Some(process) = core.busy.take() else { return };
        core.running = true;
        if self.procs[process as usize].state != ProcState::Down {
            self.flush(process);
        }
        self.finish_core(core_index);
    }

    /// Invariants, byte caps and memory after a step.
    #[inline]
    fn check(&mut self, process: u32) {
        let Some(drive) = self.procs[process as usize].drive.as_mut() else { return };
        if let Some(breach) = drive.take_breach() {
            self.fail(process, format!("byte cap passed: {breach:?}"));
            return;
        }
        if self.config.invariants {
            drive.invariants();
        }
        let host = self.procs[process as usize].host as usize;
        if let Some(limit) = self.hosts[host].memory_bytes {
            self.check_memory(process, host, limit);
        }
    }

    /// The process that takes its host over its memory is killed.
    fn check_memory(&mut self, process: u32, host: usize, limit: u64) {
        let used: u64 = self.hosts[host]
            .processes
            .iter()
            .map(|&process| &self.procs[process as usize])
            .filter(|proc| proc.state != ProcState::Down)
            .filter_map(|proc| proc.drive.as_ref())
            .map(|drive| drive.memory())
            .sum();
        if used > limit {
            self.trace.note(self.now, "oom-kill", process, used, limit);
            self.end_process(process, true);
            self.respawn(process);
        }
    }

    /// A process's alarm rings: for its earliest timer, or for one that has moved since.
    fn alarm(&mut self, process: u32, life: u32) {
        let proc = &mut self.procs[process as usize];
        if proc.life != life || proc.state == ProcState::Down {
            return;
        }
        let rang = proc.alarms.pop();
        debug_assert_eq!(rang, Some(self.now), "alarms ring in turn");
        let host = proc.host;
        let Some(drive) = proc.drive.as_mut() else { return };
        let mono = self.hosts[host as usize].clock.read(self.now).mono;
        match drive.deadline() {
            Some(due) if due <= mono => self.input(process, Input::Alarm),
            Some(_) => self.arm(process),
            None => {}
        }
    }

    /// Plans an alarm for the process's deadline, unless an earlier one is planned.
    #[inline]
    pub(super) fn arm(&mut self, process: u32) {
        let proc = &mut self.procs[process as usize];
        let Some(drive) = proc.drive.as_mut() else { return };
        let Some(deadline) = drive.deadline() else { return };
        let at = self.hosts[proc.host as usize].clock.world_time(deadline).max(self.now);
        if at < Time::MAX && proc.alarms.last().is_none_or(|&planned| at < planned) {
            proc.alarms.push(at);
            self.queue.push(at, Event::Alarm { process, life: proc.life });
        }
    }
}

/// Latency of the world's name service.
pub(super) const LOOKUP: Duration = Duration::from_micros(500);
