//! Handing jobs out, what workers say of them, and their end.

use super::Engine;
use super::job::{IGNORED, Job, KEPT, State};
use super::peer::{OfJob, OfPeer, Sleep};
use super::ring::{NONE, Ring};
use super::rules::{Defect, Dialect};
use super::types::{Assign, Grab, Happened, Number, Out, Peer, Priority, Reply, Work};
use core::time::Duration;

impl Engine {
    /// A worker asks for a job.
    pub fn grab(&mut self, out: &mut impl Out, from: Peer, how: Grab) {
        self.peers.touch(from);
        self.hear(out, from);
        let may_wait = self.may_wait(from.0);
        let awaited = self.set_awake(from.0, Sleep::Awake);
        let taken = self.take(out, from.0);
        match taken {
            Some(at) => {
                self.tell(out, at, Happened::Assigned);
                out.send(from, self.assign(at, how));
            }
            None if may_wait => self.let_wait(from, how),
            None => out.send(from, Reply::NoJob),
        }
        if let Some(function) = awaited {
            self.functions.get_mut(function).unheard = 0;
            self.wake(out, function);
        }
    }

    pub(super) fn assign(&self, at: u32, how: Grab) -> Reply<'_> {
        let job = self.jobs.get(at);
        Reply::Assign(Assign {
            number: Number(job.number),
            function: &self.functions.get(job.function).name,
            unique: job.unique(),
            reducer: job.reducer(),
            data: job.data(),
            how,
        })
    }

    /// The best job for a worker, which runs it from here on.
    pub(super) fn take(&mut self, out: &mut impl Out, peer: u32) -> Option<u32> {
        loop {
            let (place, function, priority) = self.choose(peer)?;
            let at = self.unqueue_first(function, priority);
            if self.jobs.get(at).is(IGNORED) {
                self.end(out, at);
                continue;
            }
            let worker = self.peers.get_mut(peer);
            worker.has_worked = true;
            if self.rules.round_robin {
                // Down from the one that was named last, as the original goes.
                worker.turn = place.checked_sub(1).unwrap_or(worker.abilities.len() - 1);
            }
            self.functions.get_mut(function).unheard = 0;
            let ability = self.peers.get(peer).abilities[place];
            let timeout = self.abilities.get(ability).timeout;
            self.run(at, peer, timeout);
            return Some(at);
        }
    }

    /// The ability of a worker whose function has the first job, by priority and then by turn.
    fn choose(&self, peer: u32) -> Option<(usize, u32, Priority)> {
        let peer = self.peers.get(peer);
        let count = peer.abilities.len();
        let mut best = None;
        for step in 0..count {
            let place = match self.rules.round_robin {
                true => (peer.turn + count - step) % count,
                false => count - 1 - step,
            };
            let function = self.abilities.get(peer.abilities[place]).function;
            let Some(priority) = self.functions.get(function).first_ready() else { continue };
            if best.is_none_or(|(_, _, found)| priority < found) {
                best = Some((place, function, priority));
            }
            if priority == Priority::High {
                break;
            }
        }
        best
    }

    /// Takes the first job of a priority from a queue that has one.
    fn unqueue_first(&mut self, function: u32, priority: Priority) -> u32 {
        let from = self.functions.get(function);
        let at = if from.returned[priority as usize] > 0 {
            let first = (function, priority as u8, 0, 0);
            self.returned.range(first..).next().expect("those returned are counted").3
        } else {
            from.queues[priority as usize].first().expect("those queued are counted")
        };
        self.unqueue(at);
        at
    }

    /// Takes a job out of its queue, or from wherever else it is; it is nowhere then.
    pub(super) fn unqueue(&mut self, at: u32) {
        let job = self.jobs.get_mut(at);
        let (state, number) = (core::mem::take(&mut job.state), Number(job.number));
        let (priority, function) = (job.priority(), self.functions.get_mut(job.function));
        match state {
            State::Held => {}
            State::Waiting => {
                let due = (job.due(), number);
                assert!(self.dues.remove(&due), "a waiting job is among those that wait");
            }
            State::Queued => {
                function.ready[priority as usize] -= 1;
                function.queues[priority as usize].remove(&mut self.jobs, at);
            }
            State::Returned => {
                function.ready[priority as usize] -= 1;
                function.returned[priority as usize] -= 1;
                let place = (job.function, priority as u8, job.turn, at);
                assert!(self.returned.remove(&place), "it is among those returned");
            }
            State::Running => {
                function.running -= 1;
                let worker = core::mem::replace(&mut job.worker, NONE);
                let deadline = match job.rare() {
                    Some(rare) if rare.deadline.is_some() => job.rare_mut().deadline.take(),
                    _ => None,
                };
                self.peers.get_mut(worker).jobs.remove(&mut self.jobs, at);
                if let Some(deadline) = deadline {
                    self.deadlines.remove(&(deadline, number));
                }
            }
        }
    }

    fn run(&mut self, at: u32, worker: u32, timeout_nanos: u64) {
        let job = self.jobs.get_mut(at);
        job.state = State::Running;
        job.worker = worker;
        if job.rare().is_some_and(|rare| rare.overdue.is_some()) {
            job.rare_mut().overdue = None;
        }
        if timeout_nanos > 0 {
            let deadline = self.now + Duration::from_nanos(timeout_nanos);
            job.rare_mut().deadline = Some(deadline);
            self.deadlines.insert((deadline, Number(job.number)));
        }
        self.functions.get_mut(job.function).running += 1;
        self.peers.get_mut(worker).jobs.push_back(&mut self.jobs, at);
    }

    /// A worker says something of its job. Of a job that is not its own (any more) nothing is
    /// passed on, unless it only took too long and nobody else has got the job. False if it cannot
    /// have been its own, since it was never handed any.
    pub fn work(&mut self, out: &mut impl Out, from: Peer, number: Number, work: Work<'_>) -> bool {
        let found = self.index.by_number(number);
        let own = found.filter(|&at| {
            let job = self.jobs.get(at);
            match job.state {
                State::Running => job.worker == from.0,
                _ => self.overdue(job) == Some(from),
            }
        });
        let Some(at) = own else {
            self.counters.late += 1;
            return self.peers.find(from).is_some_and(|peer| peer.has_worked);
        };
        let ends = matches!(work, Work::Complete(_) | Work::Fail | Work::Exception(_));
        self.peers.get_mut(from.0).finished |= ends;
        match work {
            Work::Status { numerator, denominator } => {
                let rare = self.jobs.get_mut(at).rare_mut();
                rare.numerator = digits(numerator);
                rare.denominator = digits(denominator);
                self.relay(out, at, work);
            }
            Work::Data(_) | Work::Warning(_) => self.relay(out, at, work),
            Work::Complete(_) => {
                self.counters.completed += 1;
                self.tell(out, at, Happened::Completed);
                self.relay(out, at, work);
                self.end(out, at);
            }
            Work::Fail => self.fail(out, at),
            Work::Exception(_) => {
                self.tell(out, at, Happened::Excepted);
                self.relay(out, at, work);
                if self.rules.dialect == Dialect::Gearmand {
                    self.counters.failed += 1;
                    self.end(out, at);
                }
            }
        }
        true
    }

    /// The worker that took too long for a job which nobody else has got since.
    pub(super) fn overdue(&self, job: &Job) -> Option<Peer> {
        let (worker, age) = job.rare()?.overdue?;
        (self.peers.get(worker).age == age).then_some(Peer(worker))
    }

    /// A job's listeners are told that it failed, and it ends.
    pub(super) fn fail(&mut self, out: &mut impl Out, at: u32) {
        self.fail_as(out, at, Happened::Failed);
    }

    /// The same, for a reason.
    pub(super) fn fail_as(&mut self, out: &mut impl Out, at: u32, why: Happened) {
        self.counters.failed += 1;
        self.tell(out, at, why);
        self.relay(out, at, Work::Fail);
        self.end(out, at);
    }

    /// Tells all who wait for a job. Those who did not ask for exceptions are told that it failed,
    /// or nothing, in the Perl server's dialect.
    pub(super) fn relay(&mut self, out: &mut impl Out, at: u32, work: Work<'_>) {
        let job = self.jobs.get(at);
        let (number, ring) = (Number(job.number), job.listeners);
        let mut next = ring.first();
        while let Some(listener) = next {
            next = ring.after::<OfJob>(&self.listeners, listener);
            let peer = self.listeners.get(listener).peer;
            let work = match work {
                Work::Exception(_) if !self.is_told_exceptions(peer) => {
                    if self.rules.dialect == Dialect::Danga {
                        continue;
                    }
                    Work::Fail
                }
                work => work,
            };
            self.reply(out, peer, number, Reply::Work(number, work));
        }
    }

    fn is_told_exceptions(&self, peer: u32) -> bool {
        self.rules.exceptions || self.peers.get(peer).exceptions
    }

    /// A job is there no more, wherever it was. Whoever waits for it has been told.
    pub(super) fn end(&mut self, out: &mut impl Out, at: u32) {
        self.unqueue(at);
        self.drop_listeners(at);
        self.index.remove(self.jobs.get(at), at);
        let job = self.jobs.remove(at);
        self.discharge(job.function, job.bytes());
        if job.is(KEPT) {
            out.forget(Number(job.number));
        }
    }

    pub(super) fn drop_listeners(&mut self, at: u32) {
        let ring = core::mem::take(&mut self.jobs.get_mut(at).listeners);
        let mut next = ring.first();
        while let Some(listener) = next {
            next = ring.after::<OfJob>(&self.listeners, listener);
            self.leave_peer(listener);
            self.listeners.remove(listener);
        }
    }

    fn leave_peer(&mut self, listener: u32) {
        let peer = self.listeners.get(listener).peer;
        let of_peer: &mut Ring = &mut self.peers.get_mut(peer).listeners;
        of_peer.remove::<OfPeer>(&mut self.listeners, listener);
    }

    /// An operator cancels a job; its listeners are told that it failed. False if there is none.
    pub fn cancel(&mut self, out: &mut impl Out, number: Number) -> bool {
        if self.cancel_calendar(out, number) {
            return true;
        }
        let Some(at) = self.index.by_number(number) else { return false };
        if self.rules.defect == Some(Defect::CancelledFound) {
            self.cancel_badly(out, at);
        } else {
            self.fail_as(out, at, Happened::Cancelled);
        }
        true
    }

    /// As the original does: the job is still there.
    fn cancel_badly(&mut self, out: &mut impl Out, at: u32) {
        self.relay(out, at, Work::Fail);
        if self.jobs.get(at).state != State::Running {
            self.drop_listeners(at);
            self.jobs.get_mut(at).set(IGNORED);
        }
    }
}

/// The number that these digits begin with, as the C library reads it; as large as it can be if it
/// is larger.
fn digits(text: &[u8]) -> u32 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u32, byte| {
        number.saturating_mul(10).saturating_add(u32::from(byte - b'0'))
    })
}
