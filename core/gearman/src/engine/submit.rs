//! Submitting: a new job, or one that is there already.

use super::Engine;
use super::held::What;
use super::job::{ASKED, BACKGROUND, IGNORED, Job, KEPT, Key, State, UNSYNCED};
use super::peer::{Listener, OfJob, OfPeer};
use super::ring::NONE;
use super::rules::{Defect, Dialect, JOB_BYTES};
use super::types::{
    Happened, Kept, KeptWhen, Number, Out, Peer, Priority, Refusal, Reply, Submit, Ticket, When,
};

/// For whom a job is submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A client.
    Peer(u32),
    /// A client, while somebody else is asked for the result: a new job is not queued yet.
    Asking(u32),
    /// A calendar, for one of its seconds.
    Calendar(Number, u64),
}

impl For {
    const fn peer(self) -> u32 {
        match self {
            Self::Peer(peer) | Self::Asking(peer) => peer,
            Self::Calendar(..) => NONE,
        }
    }
}

/// What became of a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Submitted {
    /// There is a new job.
    New(Number),
    /// It is a job that was there.
    Joined(Number),
}

impl Engine {
    /// A client submits a job. Answered by [`Reply::Created`], as soon as the job is as durable as
    /// it is to be, or [`Reply::Error`]; answers to one connection keep the order of its submits.
    pub fn submit(&mut self, out: &mut impl Out, from: Peer, job: &Submit<'_>) {
        self.peers.touch(from);
        let result = match job.when {
            When::Calendar(words) => self.submit_calendar(out, from.0, job, words),
            When::Now | When::Epoch(_) => self.submit_for(out, For::Peer(from.0), job).map(|_| ()),
        };
        if let Err(refusal) = result {
            self.refuse(out, from, refusal);
        }
    }

    pub(super) fn submit_for(
        &mut self,
        out: &mut impl Out,
        whose: For,
        job: &Submit<'_>,
    ) -> Result<Submitted, Refusal> {
        self.check_lengths(job)?;
        let function = self.functions.find_or_make(job.function, &self.rules)?;
        let found = Key::of(function, job.unique, &job.data)
            .and_then(|key| self.index.by_key(&self.jobs, key));
        if let Some(at) = found {
            self.join(out, whose, at, job)?;
            self.counters.joined += 1;
            return Ok(Submitted::Joined(Number(self.jobs.get(at).number)));
        }
        self.make_room(out, function, job)?;
        let number = self.create(out, whose, function, job)?;
        self.counters.submitted += 1;
        Ok(Submitted::New(number))
    }

    pub(super) fn check_lengths(&self, job: &Submit<'_>) -> Result<(), Refusal> {
        if job.unique.len() > self.rules.unique_bytes_max.into() {
            return Err(Refusal::UniqueTooLong);
        }
        // The reducer is a function, too.
        if job.reducer.is_some_and(|name| name.len() > self.rules.function_bytes_max) {
            return Err(Refusal::FunctionTooLong);
        }
        if self.listeners.len() >= self.rules.listeners_max {
            return Err(Refusal::QueueFull);
        }
        if self.held.queue.len() >= self.rules.held_max as usize {
            return Err(Refusal::QueueBusy("Too much waits for the disk"));
        }
        Ok(())
    }

    /// Refuses a job that is over a limit; in the Perl server's dialect, makes room for it by
    /// dropping those that came last.
    fn make_room(
        &mut self,
        out: &mut impl Out,
        function: u32,
        job: &Submit<'_>,
    ) -> Result<(), Refusal> {
        let own = (job.unique.len() + job.data.len()) as u64;
        let bytes = self.jobs_memory() + own + JOB_BYTES;
        if self.jobs.len() >= self.rules.jobs_max || bytes > self.rules.jobs_bytes_max {
            return Err(Refusal::QueueFull);
        }
        self.check_quota(function, own)?;
        let limit = self.functions.get(function).queue_max[job.priority as usize];
        if limit == 0 {
            return Ok(());
        }
        if self.rules.dialect == Dialect::Gearmand {
            let full = self.functions.get(function).jobs >= limit;
            return if full { Err(Refusal::QueueFull) } else { Ok(()) };
        }
        while self.functions.get(function).ready.iter().sum::<u32>() >= limit {
            let newest = self.newest_ready(function).expect("what is ready is in a queue");
            self.counters.dropped += 1;
            self.fail_as(out, newest, Happened::Dropped);
        }
        Ok(())
    }

    /// The last one of a function's jobs to be handed out.
    fn newest_ready(&self, function: u32) -> Option<u32> {
        Priority::ALL.into_iter().rev().find_map(|priority| {
            let queue = self.functions.get(function).queues[priority as usize];
            queue.last(&self.jobs).or_else(|| {
                let of = |turn| (function, priority as u8, turn, 0);
                let last = self.returned.range(of(0)..of(u64::MAX)).next_back();
                last.map(|&(_, _, _, at)| at)
            })
        })
    }

    fn create(
        &mut self,
        out: &mut impl Out,
        whose: For,
        function: u32,
        submit: &Submit<'_>,
    ) -> Result<Number, Refusal> {
        let number = Number(self.next_number);
        let due = match submit.when {
            When::Epoch(second) => second,
            When::Now | When::Calendar(_) => 0,
        };
        let background = submit.background || due > 0;
        let kept = match whose {
            For::Calendar(calendar, second) => KeptWhen::Fired { calendar, second },
            For::Peer(_) if due > 0 => KeptWhen::Epoch(due),
            For::Peer(_) | For::Asking(_) => KeptWhen::Now,
        };
        let ticket = if background { out.keep(keep(number, submit, kept))? } else { Ticket::NOW };
        self.next_number += 1;
        let mut job = Job::new(number.0, function, submit);
        if due > 0 {
            job.rare_mut().due = due;
        }
        if let For::Calendar(calendar, second) = whose {
            job.rare_mut().fired = Some((calendar, second));
        }
        if background {
            job.set(BACKGROUND);
        }
        if ticket != Ticket::NOW {
            job.set(KEPT | UNSYNCED);
        }
        let asked = matches!(whose, For::Asking(_));
        if asked {
            assert!(!background, "a job that runs for itself is asked about nowhere");
            job.set(ASKED);
        }
        let at = self.insert(job);
        self.index.insert_number(number, at);
        self.index.insert_key(&self.jobs, at);
        self.tell(out, at, Happened::Submitted);
        self.settle(out, whose, at, ticket, background);
        if ticket == Ticket::NOW && !asked {
            self.make_ready(out, at);
        }
        Ok(number)
    }

    /// Puts a job in its place; it is in no queue yet, and not found.
    pub(super) fn insert(&mut self, job: Job) -> u32 {
        self.charge(job.function, job.bytes());
        self.jobs.insert(job)
    }

    /// A submit finds its job. It is wanted from here on, and background if the submit is.
    fn join(
        &mut self,
        out: &mut impl Out,
        whose: For,
        at: u32,
        submit: &Submit<'_>,
    ) -> Result<(), Refusal> {
        let due = match submit.when {
            When::Epoch(second) => second,
            When::Now | When::Calendar(_) => 0,
        };
        let background = submit.background || due > 0;
        let sooner = due < self.jobs.get(at).due();
        let mut ticket = Ticket::NOW;
        if background {
            ticket = self.keep_joined(out, at, sooner.then_some(due))?;
            self.jobs.get_mut(at).set(BACKGROUND);
        }
        self.revive(at, background);
        self.tell(out, at, Happened::Joined);
        if background {
            self.ask_no_more(out, at);
        }
        if sooner {
            self.make_sooner(out, at, due);
        }
        self.settle(out, whose, at, ticket, background);
        Ok(())
    }

    /// Has the durable queue remember a job that it does not know as it now is.
    fn keep_joined(
        &mut self,
        out: &mut impl Out,
        at: u32,
        due: Option<u64>,
    ) -> Result<Ticket, Refusal> {
        let job = self.jobs.get(at);
        if job.is(KEPT) && due.is_none() {
            return Ok(Ticket::NOW);
        }
        let mut kept = job.kept(&self.functions.get(job.function).name);
        match due {
            Some(0) => kept.when = KeptWhen::Now,
            Some(second) => kept.when = KeptWhen::Epoch(second),
            None => {}
        }
        let ticket = out.keep(kept)?;
        if ticket != Ticket::NOW {
            self.jobs.get_mut(at).set(KEPT | UNSYNCED);
        }
        Ok(ticket)
    }

    /// With the original's mistakes a job that is found may stay one to be dropped.
    fn revive(&mut self, at: u32, background: bool) {
        let stays = match self.rules.defect {
            Some(Defect::DeadJobFound) => !background,
            Some(Defect::BackgroundOntoAbandoned) => background,
            Some(Defect::CancelledFound) => true,
            Some(Defect::BackgroundForgotten) | None => false,
        };
        if !stays {
            self.jobs.get_mut(at).unset(IGNORED);
        }
    }

    /// Answers a submit, now or at its ticket, and lets a client wait that wants to.
    fn settle(
        &mut self,
        out: &mut impl Out,
        whose: For,
        at: u32,
        ticket: Ticket,
        background: bool,
    ) {
        let job = self.jobs.get(at);
        let number = Number(job.number);
        let unsynced = job.is(UNSYNCED);
        let peer = whose.peer();
        if !background {
            self.listen(peer, at);
        }
        if ticket != Ticket::NOW {
            self.hold(ticket, peer, number, What::Synced);
        } else if peer != NONE && background && unsynced {
            self.hold(self.held.last, peer, number, What::Created);
        } else if peer != NONE {
            let alone = !background && self.waits_alone(peer);
            self.reply(out, peer, number, Reply::Created { number, alone });
        }
    }

    /// Whether a client that waits does so for one job alone.
    fn waits_alone(&self, peer: u32) -> bool {
        let waits = self.peers.get(peer).listeners;
        let first = waits.first().expect("it waits");
        waits.after::<OfPeer>(&self.listeners, first).is_none()
    }

    fn listen(&mut self, peer: u32, at: u32) {
        assert_ne!(peer, NONE, "calendars do not wait");
        let listener = self.listeners.insert(Listener::new(peer, at));
        let of_job = &mut self.jobs.get_mut(at).listeners;
        of_job.push_back::<OfJob>(&mut self.listeners, listener);
        let of_peer = &mut self.peers.get_mut(peer).listeners;
        of_peer.push_back::<OfPeer>(&mut self.listeners, listener);
    }

    /// A job goes where it belongs: into its queue, or among those whose time has not come.
    pub(super) fn make_ready(&mut self, out: &mut impl Out, at: u32) {
        let job = self.jobs.get_mut(at);
        assert_eq!(job.state, State::Held, "only a job that is nowhere is put somewhere");
        if job.due() > self.wall_seconds {
            job.state = State::Waiting;
            self.dues.insert((job.due(), Number(job.number)));
            return;
        }
        if job.due() > 0 {
            job.rare_mut().due = 0;
        }
        job.state = State::Queued;
        job.turn = self.next_turn;
        self.next_turn += 1;
        let (function, priority) = (job.function, job.priority());
        let to = self.functions.get_mut(function);
        to.ready[priority as usize] += 1;
        let queue = &mut to.queues[priority as usize];
        if self.rules.dialect == Dialect::Danga && priority == Priority::High {
            queue.push_front(&mut self.jobs, at);
        } else {
            queue.push_back(&mut self.jobs, at);
        }
        self.wake(out, function);
    }

    /// A job's time is earlier than it was.
    fn make_sooner(&mut self, out: &mut impl Out, at: u32, due: u64) {
        let job = self.jobs.get_mut(at);
        let was = (job.due(), Number(job.number));
        job.rare_mut().due = due;
        if job.state == State::Waiting {
            job.state = State::Held;
            let waited = self.dues.remove(&was);
            assert!(waited, "a waiting job is in the set of those that wait");
            self.make_ready(out, at);
        }
    }
}

/// What the durable queue is to remember of a new job.
fn keep<'a>(number: Number, job: &Submit<'a>, when: KeptWhen<'a>) -> Kept<'a> {
    let Submit { function, unique, data, reducer, priority, .. } = *job;
    Kept { number, function, unique, reducer, data, priority, when }
}
