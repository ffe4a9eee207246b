//! An engine, its clients and workers, and everything that can happen to them.

use crate::book::{Asked, Book, Disk, Party, Record, key_of};
use std::fmt;
use std::time::Duration;
use storytime_gearman::engine::{
    Engine, Grab, Kept, KeptWhen, Number, Peer, Priority, Rules, Submit, When, Work,
};
use storytime_machine::Time;

/// How large a yard is, and what may happen in it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    pub(crate) clients: u32,
    pub(crate) workers: u32,
    pub(crate) keys: &'static [u8],
    /// Submits in all.
    pub(crate) submits: u32,
    /// Jobs that a worker takes at a time.
    pub(crate) jobs_each: usize,
    pub(crate) cancels: bool,
    /// Whether jobs fail, too.
    pub(crate) fails: bool,
    /// Whether workers sleep; and do not come when they are woken.
    pub(crate) sleeps: bool,
    pub(crate) durable: bool,
    /// Times that the server dies.
    pub(crate) crashes: u32,
    /// Whether workers take too long.
    pub(crate) time_outs: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Submit {
        client: u32,
        key: u8,
        background: bool,
    },
    Leave(u32),
    Grab(u32),
    Sleep(u32),
    Complete(u32, u64),
    Fail(u32, u64),
    /// A worker ends a job that was taken from it, or cancelled.
    Late(u32, u64),
    Cancel(u64),
    /// The next record is durable.
    Sync,
    /// The server dies; so many records that were not synced are there all the same.
    Crash(usize),
    /// All workers take too long for what they have.
    TimeOut,
    /// Workers that were woken do not come.
    Tarry,
    /// Workers that asked for a job have waited for it as long as they may.
    Wait,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Submit { client, key, background } => {
                let how = if background { "background" } else { "foreground" };
                write!(f, "{client} submits {} in the {how}", char::from(key))
            }
            Self::Leave(peer) => write!(f, "{peer} leaves"),
            Self::Grab(worker) => write!(f, "{worker} grabs"),
            Self::Sleep(worker) => write!(f, "{worker} sleeps"),
            Self::Complete(worker, number) => write!(f, "{worker} completes {number}"),
            Self::Fail(worker, number) => write!(f, "{worker} fails {number}"),
            Self::Late(worker, number) => write!(f, "{worker} completes {number}, too late"),
            Self::Cancel(number) => write!(f, "{number} is cancelled"),
            Self::Sync => write!(f, "a sync"),
            Self::Crash(survive) => write!(f, "a crash, {survive} records survive"),
            Self::TimeOut => write!(f, "time is up"),
            Self::Tarry => write!(f, "those woken tarry"),
            Self::Wait => write!(f, "those who ask have waited"),
        }
    }
}

const FUNCTION: &[u8] = b"f";
const TIME_OUT: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) struct Yard {
    pub(crate) engine: Engine,
    pub(crate) book: Book,
    pub(crate) submits: u32,
    pub(crate) crashes: u32,
    now: Time,
}

impl Yard {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut book = Book::default();
        book.parties.resize((plan.clients + plan.workers) as usize, Party::default());
        book.disk = plan.durable.then(Disk::default);
        let engine = Engine::new(plan.rules.clone(), Number(1));
        let mut yard =
            Self { engine, book, submits: plan.submits, crashes: plan.crashes, now: Time::ZERO };
        yard.hire(plan);
        yard
    }

    fn hire(&mut self, plan: &Plan) {
        for worker in plan.clients..plan.clients + plan.workers {
            self.connect(plan, worker);
        }
    }

    fn connect(&mut self, plan: &Plan, worker: u32) {
        let timeout = plan.time_outs.then_some(TIME_OUT);
        self.engine.can_do(&mut self.book, Peer(worker), FUNCTION, timeout);
    }

    /// Everything that can happen now.
    pub(crate) fn events(&self, plan: &Plan) -> Vec<Event> {
        let mut events = Vec::new();
        self.events_of_clients(plan, &mut events);
        for worker in plan.clients..plan.clients + plan.workers {
            self.events_of_worker(plan, worker, &mut events);
        }
        if plan.cancels {
            events.extend(self.engine.all_jobs().map(|job| Event::Cancel(job.number.0)));
        }
        if plan.time_outs && self.book.parties.iter().any(|party| !party.runs.is_empty()) {
            events.push(Event::TimeOut);
        }
        if plan.sleeps && !plan.time_outs && self.engine.next_expiry().is_some() {
            events.push(Event::Tarry);
        }
        if self.book.parties.iter().any(|party| party.asks) {
            events.push(Event::Wait);
        }
        if let Some(disk) = &self.book.disk {
            if !disk.tail.is_empty() {
                events.push(Event::Sync);
            }
            if self.crashes > 0 {
                events.extend((0..=disk.tail.len()).map(Event::Crash));
            }
        }
        events
    }

    fn events_of_clients(&self, plan: &Plan, events: &mut Vec<Event>) {
        let mut idle = false;
        for client in 0..plan.clients {
            let party = &self.book.parties[client as usize];
            let is_idle = party.asked.is_empty() && party.waits.is_empty();
            // Of those who know nothing, one is as good as another.
            if is_idle && core::mem::replace(&mut idle, true) {
                continue;
            }
            if !is_idle {
                events.push(Event::Leave(client));
            }
            if self.submits > 0 {
                for &key in plan.keys {
                    events.push(Event::Submit { client, key, background: false });
                    events.push(Event::Submit { client, key, background: true });
                }
            }
        }
    }

    fn events_of_worker(&self, plan: &Plan, worker: u32, events: &mut Vec<Event>) {
        let party = &self.book.parties[worker as usize];
        for &number in &party.runs {
            events.push(Event::Complete(worker, number));
            if plan.fails {
                events.push(Event::Fail(worker, number));
            }
        }
        events.extend(party.stale.iter().map(|&number| Event::Late(worker, number)));
        let busy = party.runs.len() + party.stale.len();
        if busy < plan.jobs_each {
            events.push(Event::Grab(worker));
        }
        if plan.sleeps && busy == 0 && !party.asleep {
            events.push(Event::Sleep(worker));
        }
        if busy > 0 || plan.sleeps {
            events.push(Event::Leave(worker));
        }
    }

    /// Does one thing, and looks at what came of it.
    pub(crate) fn happen(&mut self, plan: &Plan, event: Event) {
        match event {
            Event::Submit { client, key, background } => self.submit(client, key, background),
            Event::Leave(peer) => self.leave(plan, peer),
            Event::Grab(worker) => {
                let party = &mut self.book.parties[worker as usize];
                (party.asleep, party.asks) = (false, true);
                self.engine.grab(&mut self.book, Peer(worker), Grab::Plain);
            }
            Event::Sleep(worker) => {
                self.book.parties[worker as usize].asleep = true;
                self.engine.pre_sleep(&mut self.book, Peer(worker));
            }
            Event::Complete(worker, number) => {
                self.finish(worker, number, Work::Complete((&[]).into()));
            }
            Event::Fail(worker, number) => self.finish(worker, number, Work::Fail),
            Event::Late(worker, number) => self.finish_late(worker, number),
            Event::Cancel(number) => self.cancel(number),
            Event::Sync => self.sync(),
            Event::Crash(survive) => self.crash(plan, survive),
            Event::TimeOut => {
                for peer in 0..plan.clients + plan.workers {
                    self.lose(plan, peer);
                    for number in std::mem::take(&mut self.book.parties[peer as usize].runs) {
                        self.book.not_overdue(number);
                        let party = &mut self.book.parties[peer as usize];
                        party.overdue.push(number);
                        party.stale.push(number);
                    }
                }
                self.pass(TIME_OUT);
            }
            Event::Tarry => self.pass(plan.rules.wake_patience),
            Event::Wait => {
                self.pass(plan.rules.grab_patience);
                if self.book.parties.iter().any(|party| party.asks) {
                    self.book.wrong(|| "a worker that asked is not answered".into());
                }
            }
        }
        self.look(plan);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.engine.clock(self.now, 0);
        self.engine.tick(&mut self.book);
    }

    fn submit(&mut self, client: u32, key: u8, background: bool) {
        self.submits -= 1;
        let asked = Asked { key, background, ended: Default::default() };
        self.book.parties[client as usize].asked.push(asked);
        let unique: &[u8] = if key == b' ' { b"" } else { &[key] };
        let submit = Submit {
            function: FUNCTION,
            unique,
            data: (&[]).into(),
            reducer: None,
            priority: Priority::Normal,
            background,
            when: When::Now,
        };
        self.engine.submit(&mut self.book, Peer(client), &submit);
    }

    fn leave(&mut self, plan: &Plan, peer: u32) {
        self.lose(plan, peer);
        self.book.parties[peer as usize] = Party::default();
        self.engine.gone(&mut self.book, Peer(peer));
        if peer >= plan.clients {
            self.connect(plan, peer);
        }
    }

    /// Jobs that lose their worker once too often end.
    fn lose(&mut self, plan: &Plan, peer: u32) {
        let Some(max) = plan.rules.losses_max else { return };
        let lost = self.engine.jobs_of(Peer(peer)).filter(|job| job.losses + 1 >= max);
        let lost: Vec<u64> = lost.map(|job| job.number.0).collect();
        lost.into_iter().for_each(|number| self.book.ended(number));
    }

    fn finish(&mut self, worker: u32, number: u64, work: Work<'_>) {
        self.book.parties[worker as usize].runs.retain(|&runs| runs != number);
        self.book.ended(number);
        self.engine.work(&mut self.book, Peer(worker), Number(number), work);
    }

    /// A worker ends a job that was taken from it. It may have got the same one again: a handle
    /// does not say for which time, so that this is the end of the job, and the other time is late.
    /// So it is if it only took too long, and nobody else has got the job.
    fn finish_late(&mut self, worker: u32, number: u64) {
        let party = &mut self.book.parties[worker as usize];
        let work = Work::Complete((&[]).into());
        if party.runs.contains(&number) {
            return self.finish(worker, number, work);
        }
        party.stale.retain(|&stale| stale != number);
        if party.overdue.contains(&number) && self.book.queued.contains(&number) {
            return self.finish(worker, number, work);
        }
        self.engine.work(&mut self.book, Peer(worker), Number(number), work);
    }

    fn cancel(&mut self, number: u64) {
        self.book.ended(number);
        for party in &mut self.book.parties {
            if party.runs.contains(&number) {
                party.runs.retain(|&runs| runs != number);
                party.stale.push(number);
            }
        }
        let found = self.engine.cancel(&mut self.book, Number(number));
        if !found {
            self.book.wrong(|| format!("job {number} is listed and cannot be cancelled"));
        }
    }

    fn sync(&mut self) {
        let Some(disk) = &mut self.book.disk else { return };
        let first = disk.tail.iter().position(|record| matches!(record, Record::Keep(..)));
        let count = first.map_or(disk.tail.len(), |first| first + 1);
        if let Some(ticket) = disk.sync(count) {
            self.engine.durable(&mut self.book, ticket);
        }
    }

    fn crash(&mut self, plan: &Plan, survive: usize) {
        self.crashes -= 1;
        let first = self.engine.next_number();
        let disk = self.book.disk.as_mut().expect("only a durable queue outlives a crash");
        disk.sync(survive);
        disk.tail.clear();
        let ticket = disk.ticket;
        self.book.parties.fill(Party::default());
        self.book.order.clear();
        self.engine = Engine::new(plan.rules.clone(), first);
        for (&number, row) in &disk.rows {
            self.engine.restore(Kept {
                number: Number(number),
                function: &row.function,
                unique: &row.unique,
                reducer: None,
                data: (&[]).into(),
                priority: Priority::Normal,
                when: KeptWhen::Now,
            });
            self.book.keys.insert(number, key_of(&row.unique));
        }
        assert_eq!(ticket, disk.ticket, "recovery keeps nothing new");
        self.engine.clock(self.now, 0);
        self.engine.restored(&mut self.book);
        self.hire(plan);
    }

    /// What holds at any moment.
    fn look(&mut self, plan: &Plan) {
        if plan.rules.defect.is_none() {
            self.engine.invariants();
        }
        let book = &mut self.book;
        let queued = || self.engine.all_jobs().filter(|job| job.queued);
        book.dead = queued().any(|job| job.ignored);
        book.queued = queued().filter(|job| !job.ignored).map(|job| job.number.0).collect();
        for &number in &book.queued {
            if !book.order.contains(&number) {
                book.order.push(number);
            }
        }
        let sleepers = book.parties.iter().filter(|party| party.asleep).count();
        let busy = book.parties.iter().filter(|p| p.runs.len() + p.stale.len() > 0).count();
        let up = plan.workers as usize - sleepers - busy;
        if sleepers > 0 && up == 0 && plan.rules.wake_max > 0 && !book.queued.is_empty() {
            book.wrong(|| "there is a job, and those who could do it sleep".into());
        }
    }

    /// Lets everything come to its end: each job is ended by its worker, and workers take what is
    /// there as long as they are awake or woken. Nothing may be left then.
    pub(crate) fn settle(&mut self, plan: &Plan) {
        while self.book.disk.as_ref().is_some_and(|disk| !disk.tail.is_empty()) {
            self.happen(plan, Event::Sync);
        }
        while let Some(event) = self.next_to_settle(plan) {
            self.happen(plan, event);
            while self.book.disk.as_ref().is_some_and(|disk| !disk.tail.is_empty()) {
                self.happen(plan, Event::Sync);
            }
        }
        self.is_settled();
    }

    fn next_to_settle(&self, plan: &Plan) -> Option<Event> {
        let workers = plan.clients..plan.clients + plan.workers;
        workers.into_iter().find_map(|worker| {
            let party = &self.book.parties[worker as usize];
            if let Some(&number) = party.runs.first() {
                return Some(Event::Complete(worker, number));
            }
            if let Some(&number) = party.stale.first() {
                return Some(Event::Late(worker, number));
            }
            if party.asleep {
                return None;
            }
            if party.asks {
                return Some(Event::Wait);
            }
            let is_there = self.book.dead || !self.book.queued.is_empty();
            Some(if is_there { Event::Grab(worker) } else { Event::Sleep(worker) })
        })
    }

    fn is_settled(&mut self) {
        let book = &mut self.book;
        if let Some(&number) = book.promised.first() {
            book.wrong(|| format!("job {number} was accepted and is lost"));
        }
        for client in 0..book.parties.len() {
            if let Some(&number) = book.parties[client].waits.first() {
                book.wrong(|| format!("client {client} waits for job {number} for ever"));
            }
            if !book.parties[client].asked.is_empty() {
                book.wrong(|| format!("client {client} has no answer"));
            }
        }
        let (jobs, listeners) = (self.engine.jobs(), self.engine.listeners());
        if jobs + listeners > 0 {
            book.wrong(|| format!("{jobs} jobs and {listeners} listeners are left"));
        }
        if book.disk.as_ref().is_some_and(|disk| !disk.rows.is_empty()) {
            book.wrong(|| "the disk remembers jobs that ended".into());
        }
    }
}
