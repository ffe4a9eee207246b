//! A long-lived mover: asks the coordinator for moves and works on several at once.

use super::decide::{End, Errand};
use super::job::{Job, Step};
use super::options::MoverOptions;
use super::request::{Answer, Request, Target};
use super::wire::{Line, Word, take_line};
use crate::directory::place_cache_key;
use crate::map::{ShardId, UserId};
use bytes::BytesMut;
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_database::client::{Client, ServerId};
use storytime_machine::{Boot, Close, Conn, Cx, Gone, Machine, Open, Token, nanos};
use storytime_memcached::client as memcached;

const HEARTBEAT: Token = Token(0);
const CONNECT: Token = Token(1);
const RECONNECT: Token = Token(1);
/// Pauses of jobs, one timer for each slot, from here on.
const PAUSES: u64 = 1 << 16;
const CLIENT_BASE: Token = Token(1 << 32);
const CACHE_BASE: Token = Token(1 << 40);
/// Tags are a slot and how many jobs had it before.
const SLOT_BITS: u32 = 16;

/// The connection to the coordinator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Down,
    Connecting,
    Up(Conn),
}

/// A job under way.
#[derive(Debug)]
struct Working {
    job: Job,
    tag: u64,
}

/// What a mover counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MoverCounters {
    /// Jobs begun.
    pub jobs: u64,
    /// Users who live on their new shard.
    pub moved: u64,
    /// Moves brought to their very end.
    pub finished: u64,
    /// Jobs that a later mover took over.
    pub overtaken: u64,
    /// Jobs given back for later.
    pub later: u64,
    /// Jobs given back because rows contradict one another.
    pub contradictions: u64,
    /// Rows written on new shards.
    pub rows_copied: u64,
    /// Rows dropped on old shards.
    pub rows_dropped: u64,
    /// Requests that nobody knows the outcome of.
    pub unknown: u64,
    /// Longest time that a user was read-only, ns.
    pub read_only_ns_max: u64,
    /// All such times together, ns.
    pub read_only_ns: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Mover {
    options: MoverOptions,
    databases: Client,
    directory: ServerId,
    shards: BTreeMap<ShardId, ServerId>,
    cache: memcached::Client,
    link: Link,
    slots: Vec<Option<Working>>,
    jobs_begun: u64,
    counters: MoverCounters,
}

impl Mover {
    /// A mover that has not started.
    ///
    /// # Panics
    /// If it is to work on no move at all, or on more than 65,535.
    pub fn new(options: MoverOptions) -> Self {
        assert!(options.jobs_max > 0 && options.jobs_max < 1 << SLOT_BITS, "slots fit into tags");
        let mut databases = Client::new(options.client.clone(), CLIENT_BASE);
        let directory = databases.database(&options.directory.at, options.directory.select);
        let shards = options
            .shards
            .iter()
            .map(|(shard, store)| (*shard, databases.database(&store.at, store.select)));
        let shards = shards.collect();
        let cache = memcached::Client::new(memcached::ClientOptions::default(), CACHE_BASE);
        let slots = (0..options.jobs_max).map(|_| None).collect();
        Self {
            options,
            databases,
            directory,
            shards,
            cache,
            link: Link::Down,
            slots,
            jobs_begun: 0,
            counters: MoverCounters::default(),
        }
    }

    /// What happened so far.
    pub const fn totals(&self) -> &MoverCounters {
        &self.counters
    }

    /// Moves under way.
    pub fn busy(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    fn say(&self, cx: &mut Cx, line: Line) {
        if let Link::Up(conn) = self.link
            && let Some(tx) = cx.tx(conn)
        {
            tx.put(line.to_string().as_bytes());
        }
    }

    fn connect(&mut self, cx: &mut Cx) {
        self.link = Link::Connecting;
        cx.connect(CONNECT, self.options.coordinator.clone(), self.options.heartbeat * 2);
    }

    fn link_lost(&mut self, cx: &mut Cx) {
        self.link = Link::Down;
        cx.after(RECONNECT, self.options.reconnect);
    }

    /// Says that it is there, and with what it is busy.
    fn report(&self, cx: &mut Cx) {
        self.say(cx, Line::Ready(self.options.jobs_max));
        for working in self.slots.iter().flatten() {
            self.say(cx, Line::Working(working.job.user()));
        }
    }

    fn begin(&mut self, cx: &mut Cx, user: UserId, errand: Errand) {
        if self.slots.iter().flatten().any(|working| working.job.user() == user) {
            return self.say(cx, Line::Working(user));
        }
        let Some(slot) = self.slots.iter().position(Option::is_none) else {
            return self.say(cx, Line::Ended(user, Word::Later, 0));
        };
        let tag = self.jobs_begun << SLOT_BITS | slot as u64;
        self.jobs_begun += 1;
        self.counters.jobs += 1;
        // Movers are told apart by this number, and 0 is nobody.
        let nonce = cx.rng().u64().max(1);
        let mut job = Job::new(user, errand, nonce);
        let step = job.go_on();
        self.slots[slot] = Some(Working { job, tag });
        self.take_step(cx, slot, step);
    }

    fn take_step(&mut self, cx: &mut Cx, slot: usize, step: Step) {
        let mut next = Some(step);
        while let Some(step) = next.take() {
            match step {
                Step::Ask(request) => {
                    if !self.carry(cx, slot, &request) {
                        next = self.answer(cx, slot, Answer::Unknown);
                    }
                }
                Step::Pause(span) => {
                    let spread = nanos(span) / 4 + 1;
                    let more = Duration::from_nanos(cx.rng().below(spread));
                    cx.after(Token(PAUSES + slot as u64), span + more);
                }
                Step::Over(end) => self.end(cx, slot, end),
            }
        }
    }

    fn answer(&mut self, cx: &mut Cx, slot: usize, answer: Answer) -> Option<Step> {
        self.counters.unknown += u64::from(answer == Answer::Unknown);
        let working = self.slots[slot].as_mut()?;
        Some(working.job.answer(cx.now(), answer, &self.options.job))
    }

    /// Sends a request; a server that is not on the map gives no answer.
    fn carry(&mut self, cx: &mut Cx, slot: usize, request: &Request) -> bool {
        let Some(working) = &self.slots[slot] else { return true };
        let tag = working.tag;
        let server = match request.target {
            Target::Directory => Some(self.directory),
            Target::Shard(shard) => self.shards.get(&shard).copied(),
            Target::Cache => {
                let key = place_cache_key(working.job.user());
                return self.cache.delete(cx, &key[..], tag).is_ok();
            }
        };
        let Some(server) = server else { return false };
        let words: Vec<&[u8]> = request.words.iter().map(|word| &word[..]).collect();
        self.databases.ask(cx, server, &words, tag).is_ok()
    }

    fn end(&mut self, cx: &mut Cx, slot: usize, end: End) {
        let Some(working) = self.slots[slot].take() else { return };
        let job = working.job;
        self.counters.rows_copied += job.rows_copied();
        self.counters.rows_dropped += job.rows_dropped();
        let read_only = job.read_only().unwrap_or_default();
        if job.read_only().is_some() {
            self.counters.moved += 1;
            self.counters.read_only_ns += nanos(read_only);
            self.counters.read_only_ns_max = self.counters.read_only_ns_max.max(nanos(read_only));
        }
        let (word, counter) = match end {
            End::Moved => (Word::Moved, None),
            End::Finished => (Word::Finished, Some(&mut self.counters.finished)),
            End::NoMove => (Word::NoMove, None),
            End::Overtaken => (Word::Later, Some(&mut self.counters.overtaken)),
            End::Postponed | End::Silent | End::Failed(_) => {
                (Word::Later, Some(&mut self.counters.later))
            }
            End::Contradiction(_) => (Word::Contradiction, Some(&mut self.counters.contradictions)),
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        let ms = u64::try_from(read_only.as_millis()).unwrap_or(u64::MAX);
        self.say(cx, Line::Ended(job.user(), word, ms));
    }

    fn heard(&mut self, cx: &mut Cx, tag: u64, answer: Answer) {
        let slot = (tag & ((1 << SLOT_BITS) - 1)) as usize;
        if self.slots[slot].as_ref().is_none_or(|working| working.tag != tag) {
            return;
        }
        if let Some(step) = self.answer(cx, slot, answer) {
            self.take_step(cx, slot, step);
        }
    }

    fn settle(&mut self, cx: &mut Cx) {
        loop {
            if let Some(event) = self.databases.next_event() {
                let answer = match event.outcome {
                    Ok(reply) => Answer::Reply(reply),
                    Err(_) => Answer::Unknown,
                };
                self.heard(cx, event.tag, answer);
            } else if let Some(event) = self.cache.next_event() {
                // Whether the cache was told does not matter: a stale entry is found out.
                self.heard(cx, event.tag, Answer::Unknown);
            } else {
                break;
            }
        }
    }
}

impl Machine for Mover {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        // Too many caches would be a mistake of the caller's; without any, nothing is cached.
        let _without = self.cache.set_servers(cx, &self.options.caches);
        self.connect(cx);
        cx.after(HEARTBEAT, self.options.heartbeat);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        if how == (Open::Connected { connect: CONNECT }) {
            self.link = Link::Up(conn);
            self.report(cx);
        } else if !self.databases.on_open(cx, conn, &how) {
            self.cache.on_open(cx, conn, &how);
        }
        self.settle(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        if self.link == Link::Up(conn) {
            loop {
                match take_line(rx) {
                    Ok(None) => break,
                    Ok(Some(Line::Move(user))) => self.begin(cx, user, Errand::Move),
                    Ok(Some(Line::Finish(user))) => self.begin(cx, user, Errand::Finish),
                    _ => {
                        rx.clear();
                        cx.close(conn, Close::Abort);
                        break;
                    }
                }
            }
        } else if !self.databases.on_data(cx, conn, rx) && !self.cache.on_data(cx, conn, rx) {
            rx.clear();
        }
        self.settle(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        if self.link == Link::Up(conn) {
            cx.close(conn, Close::Flush);
        } else if !self.databases.on_eof(cx, conn) {
            self.cache.on_eof(cx, conn);
        }
        self.settle(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        if self.link == Link::Up(conn) {
            self.link_lost(cx);
        } else if !self.databases.on_gone(cx, conn, why) {
            self.cache.on_gone(cx, conn, why);
        }
        self.settle(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        if connect == CONNECT {
            self.link_lost(cx);
        } else if !self.databases.on_failed(cx, connect, why) {
            self.cache.on_failed(cx, connect, why);
        }
        self.settle(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            HEARTBEAT => {
                self.report(cx);
                cx.after(HEARTBEAT, self.options.heartbeat);
            }
            RECONNECT => self.connect(cx),
            Token(n) if (PAUSES..PAUSES + self.slots.len() as u64).contains(&n) => {
                let slot = (n - PAUSES) as usize;
                if let Some(working) = &mut self.slots[slot] {
                    let step = working.job.go_on();
                    self.take_step(cx, slot, step);
                }
            }
            _ if self.databases.on_timer(cx, timer) => {}
            _ => {
                self.cache.on_timer(cx, timer);
            }
        }
        self.settle(cx);
    }

    fn invariants(&self) {
        self.databases.invariants();
        for working in self.slots.iter().flatten() {
            working.job.invariants();
        }
    }

    fn memory(&self) -> u64 {
        self.slots.iter().flatten().map(|working| working.job.memory()).sum()
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        let MoverCounters { jobs, moved, finished, overtaken, later, contradictions, .. } =
            self.counters;
        each("jobs", jobs);
        each("jobs_under_way", self.busy() as u64);
        each("users_moved", moved);
        each("moves_finished", finished);
        each("moves_overtaken", overtaken);
        each("moves_later", later);
        each("contradictions", contradictions);
        each("rows_copied", self.counters.rows_copied);
        each("rows_dropped", self.counters.rows_dropped);
        each("unknown", self.counters.unknown);
        each("read_only_ns", self.counters.read_only_ns);
        each("read_only_ns_max", self.counters.read_only_ns_max);
    }
}
