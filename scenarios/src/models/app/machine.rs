//! The machine: arrivals, workers, and whose turn it is.

use super::config::AppConfig;
use super::desk::{CLIENT, Desk, PAUSES};
use super::figures::Book;
use super::front::Front;
use super::hands::{Came, Hands};
use super::{COMPUTED_NS, LANES_MAX, Step, WORK_JOBS, Workload, lock};
use crate::models::db_link;
use crate::models::watch::link::Watchers;
use crate::models::web_pages::Share;
use crate::models::{Measures, Results};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::{Boot, Close, Conn, Cx, Gone, Machine, Open, Time, Token, nanos};

/// Timers beside the database link's, the cache client's and the jobs' own.
const ARRIVAL: Token = Token(10);
pub(super) const CHANGE: Token = Token(11);
const CHECK: Token = Token(12);
pub(super) const TELL: Token = Token(13);
const REST: Token = Token(14);
/// The timer of the n-th user is this plus n.
const USERS: u64 = 1 << 40;

const _: () = assert!(CLIENT.0 + storytime_memcached::client::CLIENT_TOKENS < USERS);
const _: () = assert!(USERS + (u32::MAX as u64) < PAUSES);

/// Why a job was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It arrived in an open loop.
    Arrived,
    /// A user of a closed loop waits for it.
    User(u32),
    /// A browser or a proxy asked for it: which of the front's requests.
    Asked(u32),
    /// A job server gave it to this host: which of those.
    Assigned(u32),
    /// It is the host's first.
    Prepare,
    /// The timeline told the load something: in which lane.
    Told(&'static str, u32),
    /// No more jobs begin.
    Rest,
    /// It is the host's last.
    Check,
}

impl Why {
    /// Whether it is no job of the load, but one that surrounds it.
    const fn is_extra(self) -> bool {
        matches!(self, Self::Prepare | Self::Told(..) | Self::Rest | Self::Check)
    }
}

/// A job under way.
#[derive(Debug)]
struct Running<J> {
    began: Time,
    why: Why,
    /// Absent only while the workload has it in hand.
    job: Option<J>,
    /// How long the page is that it was asked for.
    page_bytes: u32,
    /// The result for those who wait for it at a job server.
    result: Option<Bytes>,
}

/// A worker.
#[derive(Debug)]
struct Worker<J> {
    /// Tells its jobs apart: answers for an earlier one are for nobody.
    generation: u32,
    running: Option<Running<J>>,
}

/// One host's application server.
#[derive(Debug)]
pub struct App<W: Workload> {
    pub(super) config: AppConfig,
    pub(super) work: W,
    pub(super) desk: Desk,
    workers: Vec<Worker<W::Job>>,
    free: Vec<u32>,
    /// Jobs without a worker, first come first served: when they came, and why.
    waiting: VecDeque<(Time, Why)>,
    pub(super) began: Time,
    next_arrival: Time,
    pub(super) changes_made: usize,
    pub(super) watchers: Watchers,
    /// The caches that are left out, by their number in the file.
    pub(super) out: BTreeSet<usize>,
    pub(super) told: usize,
    /// Where browsers and proxies ask, if they do.
    pub(super) front: Option<Front>,
}

impl<W: Workload> App<W> {
    /// A server that measures into a book.
    pub fn new(config: AppConfig, work: W, book: Arc<Mutex<Book>>) -> Self {
        assert!(config.workers > 0 && config.settle <= config.duration, "the file was checked");
        Self {
            desk: Desk::new(&config, book),
            workers: Vec::new(),
            free: Vec::new(),
            waiting: VecDeque::new(),
            began: Time::ZERO,
            next_arrival: Time::ZERO,
            changes_made: 0,
            watchers: Watchers::new(config.watchers.0.clone(), config.watchers.1),
            out: BTreeSet::new(),
            told: 0,
            front: config.listen.map(Front::new),
            work,
            config,
        }
    }

    pub(super) fn count(&self, cx: &Cx, name: &str) {
        lock(&self.desk.book).count(name, cx.now(), 1);
    }

    // ---- jobs -----------------------------------------------------------------------------------

    /// Whether no more jobs begin.
    pub(super) fn at_rest(&self, now: Time) -> bool {
        let end = self.began + (self.config.duration - self.config.settle);
        !self.config.settle.is_zero() && now >= end
    }

    /// A job has come: to a worker, to the queue, or to nothing.
    pub(super) fn came(&mut self, cx: &mut Cx, why: Why) {
        let is_new = !why.is_extra() && !matches!(why, Why::Assigned(_));
        if self.at_rest(cx.now()) && is_new {
            self.answer(cx, why, None);
            return;
        }
        match self.free_worker() {
            Some(worker) => self.begin(cx, worker, cx.now(), why),
            None if !is_new || self.waiting.len() < self.config.queue_max as usize => {
                self.waiting.push_back((cx.now(), why));
            }
            None => {
                self.count(cx, "jobs_failed");
                self.answer(cx, why, None);
                self.again(cx, why);
            }
        }
    }

    fn free_worker(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let number = self.workers.len() as u32;
            (number < self.config.workers).then(|| {
                self.workers.push(Worker { generation: 0, running: None });
                number
            })
        })
    }

    fn begin(&mut self, cx: &mut Cx, worker: u32, came: Time, why: Why) {
        cx.work(WORK_JOBS, 1);
        let place = &mut self.workers[worker as usize];
        assert!(place.running.is_none(), "a worker has one job at a time");
        place.running = Some(Running { began: came, why, job: None, page_bytes: 0, result: None });
        let step = self.step(cx, worker, |work, hands| match why {
            Why::Prepare => work.prepare(hands),
            Why::Told(verb, _) => work.told(hands, verb),
            Why::Rest => work.rest(hands),
            Why::Check => work.check(hands),
            Why::Arrived | Why::User(_) | Why::Asked(_) | Why::Assigned(_) => work.begin(hands),
        });
        self.stepped(cx, worker, step);
    }

    fn step(
        &mut self,
        cx: &mut Cx,
        worker: u32,
        act: impl FnOnce(&mut W, &mut Hands<'_>) -> Step<W::Job>,
    ) -> Step<W::Job> {
        let place = &self.workers[worker as usize];
        let tag = u64::from(place.generation) << 32 | u64::from(worker);
        let why = place.running.as_ref().map(|running| running.why);
        let user = match why {
            Some(Why::User(user)) => Some(self.config.first_user + user),
            _ => None,
        };
        let lane = match why {
            Some(Why::Told(_, lane)) => lane,
            _ => 0,
        };
        let path = match why {
            Some(Why::Asked(number)) => self.front.as_ref().and_then(|front| front.path(number)),
            _ => None,
        };
        let assigned = match why {
            Some(Why::Assigned(number)) => Some(number),
            _ => None,
        };
        let hands = &mut Hands {
            cx,
            desk: &mut self.desk,
            tag,
            user,
            lane,
            path,
            page_bytes: None,
            assigned,
            result: None,
        };
        let step = act(&mut self.work, hands);
        let (bytes, result) = (hands.page_bytes, hands.result.take());
        let place = &mut self.workers[worker as usize];
        if let (Some(result), Some(running)) = (result, &mut place.running) {
            running.result = Some(result);
        }
        if let (Some(bytes), Some(running)) = (bytes, &mut place.running) {
            running.page_bytes = bytes;
        }
        step
    }

    fn stepped(&mut self, cx: &mut Cx, worker: u32, step: Step<W::Job>) {
        match step {
            Step::Await(job) => {
                let running = self.workers[worker as usize].running.as_mut();
                running.expect("a job that goes on has not ended").job = Some(job);
            }
            Step::Done => self.end(cx, worker, true),
            Step::Failed => self.end(cx, worker, false),
        }
    }

    pub(super) fn resume(&mut self, cx: &mut Cx, tag: u64, came: Came) {
        let (generation, worker) = ((tag >> 32) as u32, tag as u32);
        let Some(place) = self.workers.get_mut(worker as usize) else { return };
        // What comes for a job that ended without it is for nobody.
        if place.generation != generation {
            return;
        }
        let Some(job) = place.running.as_mut().and_then(|running| running.job.take()) else {
            return;
        };
        let step = self.step(cx, worker, |work, hands| work.resume(hands, job, came));
        self.stepped(cx, worker, step);
    }

    fn end(&mut self, cx: &mut Cx, worker: u32, done: bool) {
        let place = &mut self.workers[worker as usize];
        let running = place.running.take().expect("a job ends once");
        // Answers to earlier jobs of this worker are long in by the time the number comes again.
        place.generation = place.generation.wrapping_add(1);
        cx.cancel(Token(PAUSES + u64::from(worker)));
        if !running.why.is_extra() {
            self.count(cx, if done { "jobs" } else { "jobs_failed" });
            if done {
                let ns = nanos(cx.now().since(running.began));
                lock(&self.desk.book).time("job_time", ns);
            }
        }
        if let (Why::Assigned(number), Some(jobs)) = (running.why, &mut self.desk.jobs) {
            let result = running.result.unwrap_or_default();
            jobs.end(cx, number, done.then_some(result));
        }
        self.answer(cx, running.why, done.then_some(running.page_bytes));
        self.again(cx, running.why);
        match self.waiting.pop_front() {
            Some((came, why)) => self.begin(cx, worker, came, why),
            None => self.free.push(worker),
        }
    }

    /// A user of a closed loop thinks before the next job.
    fn again(&self, cx: &mut Cx, why: Why) {
        if let (Why::User(user), Share::Closed { think, .. }) = (why, self.config.arrivals) {
            let pause = cx.rng().exponential(think);
            let pause = self.at_this_hour(pause, cx.now());
            cx.after(Token(USERS + u64::from(user)), pause);
        }
    }

    /// How long a time between two requests becomes, by the hours of the day that it goes through.
    fn at_this_hour(&self, gap: Duration, from: Time) -> Duration {
        self.config.day.as_ref().map_or(gap, |day| day.stretch(gap, from.since(self.began)))
    }

    fn arrive(&mut self, cx: &mut Cx) {
        let Share::Open { gap, gaps } = self.config.arrivals else { return };
        while self.next_arrival <= cx.now() {
            self.came(cx, Why::Arrived);
            let gap = gaps.next(cx.rng(), gap);
            self.next_arrival += self.at_this_hour(gap, self.next_arrival);
        }
        if !self.at_rest(cx.now()) {
            cx.at(ARRIVAL, self.next_arrival);
        }
    }
}

impl<W: Workload> Measures for App<W> {
    fn results(&self) -> Results {
        lock(&self.desk.book).results()
    }
}

impl<W: Workload> Machine for App<W> {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        self.began = lock(&self.desk.book).begin(cx.now());
        let now = cx.now();
        let past = |at: Duration| self.began + at < now;
        self.changes_made = self.config.changes.iter().filter(|(at, _)| past(*at)).count();
        self.told = self.config.told.iter().filter(|(at, _)| past(*at)).count();
        if !self.config.caches.is_empty() {
            self.use_caches(cx);
        }
        if let Some(sharding) = &mut self.desk.sharding {
            let set = sharding.set_caches(cx, &self.config.caches);
            set.expect("a story has fewer hosts than a client servers");
        }
        if let Some(front) = &self.front {
            front.listen(cx);
        }
        self.watchers.connect(cx);
        if let Some(orders) = &self.desk.orders {
            orders.connect(cx);
        }
        if let Some(jobs) = &mut self.desk.jobs {
            jobs.start(cx);
        }
        if let Some(database) = &mut self.desk.database {
            database.connect(cx);
        }
        self.set_change_timer(cx);
        self.set_tell_timer(cx);
        if !self.config.settle.is_zero() {
            cx.at(REST, self.began + (self.config.duration - self.config.settle));
            cx.at(CHECK, self.began + (self.config.duration - self.config.settle / 2));
        }
        if boot.incarnation == 0 {
            self.came(cx, Why::Prepare);
        }
        let first = cx.now().max(self.began + self.config.warmup);
        match self.config.arrivals {
            Share::Open { gap, gaps } => {
                let gap = gaps.first(cx.rng(), gap);
                self.next_arrival = first + self.at_this_hour(gap, first);
                cx.at(ARRIVAL, self.next_arrival);
            }
            Share::Asked => {}
            Share::Closed { users, think } => {
                for user in 0..users {
                    let pause = self.at_this_hour(cx.rng().exponential(think), first);
                    cx.at(Token(USERS + u64::from(user)), first + pause);
                }
            }
        }
        self.drain(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if self.front.as_mut().is_some_and(|front| front.on_open(conn, &how))
            || self.desk.on_open(cx, conn, &how)
        {
            // Theirs.
        } else if self.desk.cache.on_open(cx, conn, &how) {
            self.desk.conns.push(conn);
        } else if !self.watchers.on_open(conn, &how)
            && let Some(database) = &mut self.desk.database
        {
            database.opened(cx, conn);
        }
        self.drain(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if self.watchers.on_data(cx, conn, rx) {
            self.heard(cx);
        } else if let Some(read) = self.front.as_mut().and_then(|front| front.on_data(cx, conn, rx))
        {
            if let Some(number) = read {
                self.came(cx, Why::Asked(number));
            }
        } else if self.desk.on_data(cx, conn, rx) {
            // Its ends are handed out below.
        } else if !self.desk.cache.on_data(cx, conn, rx) {
            while let Some(answer) =
                self.desk.database.as_mut().and_then(|link| link.next_answer(cx, rx))
            {
                // A query that ran out of time is answered to nobody.
                if let Some(tag) = self.desk.asked.remove(&answer.id) {
                    self.resume(cx, tag, Came::Row(answer.row));
                }
            }
        }
        self.drain(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if !self.desk.on_eof(cx, conn) && !self.desk.cache.on_eof(cx, conn) {
            cx.close(conn, Close::Flush);
        }
        self.drain(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        if let Some(jobs) = &mut self.desk.jobs {
            jobs.on_drained(cx, conn);
        }
        self.drain(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        self.desk.conns.retain(|other| *other != conn);
        let ours = self.front.as_mut().is_some_and(|front| front.on_gone(conn))
            || self.desk.on_gone(cx, conn, why)
            || self.watchers.on_gone(cx, conn, why)
            || self.desk.cache.on_gone(cx, conn, why);
        if !ours && self.desk.database.as_ref().is_some_and(|link| link.owns(conn)) {
            self.database_lost(cx);
        }
        self.drain(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        if !self.desk.on_failed(cx, connect, why)
            && !self.watchers.on_failed(cx, connect)
            && !self.desk.cache.on_failed(cx, connect, why)
        {
            self.database_lost(cx);
        }
        self.drain(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            ARRIVAL => self.arrive(cx),
            CHANGE => self.change(cx),
            CHECK => self.came(cx, Why::Check),
            TELL => self.tell(cx),
            REST => self.came(cx, Why::Rest),
            db_link::RETRY => {
                if let Some(database) = &mut self.desk.database {
                    database.connect(cx);
                }
            }
            db_link::DEADLINE => {
                let queries = self.desk.database.as_mut().map(|link| link.expired(cx));
                self.fail(cx, queries.unwrap_or_default());
            }
            _ if self.desk.on_timer(cx, timer) => {}
            _ if self.watchers.on_timer(cx, timer) || self.desk.cache.on_timer(cx, timer) => {}
            Token(pause) if pause >= PAUSES => {
                let worker = (pause - PAUSES) as u32;
                let generation = self.workers[worker as usize].generation;
                self.resume(cx, u64::from(generation) << 32 | u64::from(worker), Came::Woke);
            }
            Token(user) => self.came(cx, Why::User((user - USERS) as u32)),
        }
        self.drain(cx);
    }

    fn invariants(&self) {
        self.desk.cache.invariants();
        self.desk.invariants();
        assert!(self.workers.len() <= self.config.workers as usize, "workers are bounded");
        // What surrounds the load's jobs waits for a worker in any case, and so do jobs that it was
        // given: no more of these come than it asks for.
        let given = self.config.job_servers.as_ref().map_or(0, |(servers, _)| servers.at_once);
        let extra = self.config.told.len() * LANES_MAX as usize + 3 + given as usize;
        assert!(self.waiting.len() <= self.config.queue_max as usize + extra, "bounded");
        assert!(self.desk.at_once.is_empty(), "what came is handed out in the same step");
    }

    fn memory(&self) -> u64 {
        self.desk.memory
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("jobs_under_way", (self.workers.len() - self.free.len()) as u64);
        each(COMPUTED_NS, self.desk.computed_ns);
        each("jobs_waiting", self.waiting.len() as u64);
    }
}
