//! The machine that generates the load: a client for each connection, requests in time.

use super::VALUE_BYTES_MAX;
use super::value::Values;
use bytes::BytesMut;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;
use storytime_machine::{Boot, Conn, Cx, Exit, Gone, Machine, Open, Time, Token, nanos};
use storytime_memcached::client::{
    CLIENT_TOKENS, Client, ClientOptions, Event, Key, Outcome, ServerSpec,
};
use storytime_scenarios::models::keys::Keys;
use storytime_scenarios::models::results::{histogram, record};
use storytime_scenarios::story::Skew;

/// Timers, above the clients' tokens.
const ARRIVAL: Token = Token(u64::MAX);
const END: Token = Token(u64::MAX - 1);
const AGAIN: Token = Token(u64::MAX - 2);
/// How long a connection whose request failed waits before the next.
const AFTER_ERROR: Duration = Duration::from_millis(10);
/// Most requests that are due and wait for a connection; further ones are counted as not sent.
const BACKLOG_MAX: usize = 4 << 20;

/// What to do.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) connections: u32,
    pub(super) pipeline: u32,
    /// Requests a second, in an open loop.
    pub(super) rate: Option<u64>,
    pub(super) duration: Duration,
    pub(super) ops_max: u64,
    pub(super) warmup: Duration,
    pub(super) gets: u32,
    pub(super) sets: u32,
    pub(super) multiget: u32,
    pub(super) keys: u32,
    pub(super) skew: Skew,
    pub(super) value_bytes: (u32, u32),
    pub(super) fill: bool,
    pub(super) verify: bool,
}

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// Requests that were answered and are measured; errors are not among them.
    pub(super) answered: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) stored: u64,
    pub(super) errors: u64,
    /// Values that were not what was stored.
    pub(super) wrong: u64,
    /// Requests that were due and never left.
    pub(super) not_sent: u64,
    /// Bytes of values read and written.
    pub(super) value_bytes: u64,
    pub(super) gets: Histogram<u64>,
    pub(super) sets: Histogram<u64>,
    pub(super) took: Duration,
    pub(super) open_loop: bool,
    pub(super) first_error: Option<String>,
}

impl Measured {
    fn new(open_loop: bool) -> Self {
        Self {
            answered: 0,
            hits: 0,
            misses: 0,
            stored: 0,
            errors: 0,
            wrong: 0,
            not_sent: 0,
            value_bytes: 0,
            gets: histogram(),
            sets: histogram(),
            took: Duration::ZERO,
            open_loop,
            first_error: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Storing every key, this one next.
    Fill { next: u32 },
    /// Measuring.
    Run,
    /// What is under way is awaited.
    Drain,
}

/// A request under way.
#[derive(Debug, Default)]
struct Flight {
    keys: Vec<u32>,
    is_set: bool,
    /// Length of the value to store.
    bytes: usize,
    /// Where its latency begins.
    due: Time,
}

#[derive(Debug)]
struct Connection {
    client: Client,
    under_way: u32,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Generator {
    plan: Plan,
    servers: Vec<ServerSpec>,
    connections: Vec<Connection>,
    /// Which connection a socket belongs to, by slot.
    by_slot: Vec<u32>,
    keys: Keys,
    values: Values,
    flights: Vec<Flight>,
    free: Vec<u32>,
    phase: Phase,
    began: Time,
    /// When the next request of the open loop is due, and the requests due so far.
    next_due: Time,
    due_so_far: u64,
    backlog: VecDeque<Time>,
    turn: usize,
    sent: u64,
    /// Connections whose next request waits a moment.
    resting: Vec<u32>,
    names: Vec<String>,
    measured: Measured,
}

impl Generator {
    pub(super) fn new(plan: Plan, client: ClientOptions, servers: Vec<ServerSpec>) -> Self {
        let connection = |n: u32| {
            let base = Token(u64::from(n) * CLIENT_TOKENS);
            Connection { client: Client::new(client.clone(), base), under_way: 0 }
        };
        Self {
            connections: (0..plan.connections).map(connection).collect(),
            servers,
            by_slot: Vec::new(),
            keys: Keys::new(plan.skew, plan.keys),
            values: Values::new(plan.value_bytes.1 as usize, VALUE_BYTES_MAX as usize),
            flights: Vec::new(),
            free: Vec::new(),
            phase: if plan.fill { Phase::Fill { next: 0 } } else { Phase::Run },
            began: Time::ZERO,
            next_due: Time::ZERO,
            due_so_far: 0,
            backlog: VecDeque::new(),
            turn: 0,
            sent: 0,
            resting: Vec::new(),
            names: vec![String::new(); plan.multiget.max(1) as usize],
            measured: Measured::new(plan.rate.is_some()),
            plan,
        }
    }

    /// A line about how far it is.
    pub(super) fn progress(&self) -> String {
        match self.phase {
            Phase::Fill { next } => format!("storing key {next} of {}", self.plan.keys),
            Phase::Run | Phase::Drain => {
                let Measured { answered, errors, .. } = self.measured;
                format!("{answered} requests answered, {errors} errors")
            }
        }
    }

    pub(super) fn take_measured(&mut self) -> Measured {
        let empty = Measured::new(self.measured.open_loop);
        core::mem::replace(&mut self.measured, empty)
    }

    fn under_way(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    // ---- what leaves ----------------------------------------------------------------------------

    fn begin_run(&mut self, cx: &mut Cx) {
        self.phase = Phase::Run;
        self.began = cx.now();
        self.next_due = cx.now();
        cx.after(END, self.plan.warmup + self.plan.duration);
        if self.plan.rate.is_some() {
            self.arrive(cx);
        } else {
            self.each_connection(cx);
        }
    }

    /// Every connection gets as many requests as it may have under way.
    fn each_connection(&mut self, cx: &mut Cx) {
        for n in 0..self.connections.len() as u32 {
            (0..self.plan.pipeline).for_each(|_| self.next_on(cx, n));
        }
    }

    /// Requests of the open loop become due.
    fn arrive(&mut self, cx: &mut Cx) {
        let Some(rate) = self.plan.rate.filter(|_| self.phase == Phase::Run) else { return };
        while self.next_due <= cx.now() {
            if self.backlog.len() < BACKLOG_MAX {
                self.backlog.push_back(self.next_due);
            } else {
                self.measured.not_sent += 1;
            }
            self.due_so_far += 1;
            let ns = u128::from(self.due_so_far) * 1_000_000_000 / u128::from(rate);
            self.next_due = self.began + Duration::from_nanos(ns as u64);
        }
        for _ in 0..self.connections.len() {
            if self.backlog.is_empty() {
                break;
            }
            self.turn = (self.turn + 1) % self.connections.len();
            while !self.backlog.is_empty()
                && self.connections[self.turn].under_way < self.plan.pipeline
                && self.phase == Phase::Run
            {
                self.next_on(cx, self.turn as u32);
            }
        }
        cx.at(ARRIVAL, self.next_due);
    }

    /// The next request on a connection that has room for it.
    fn next_on(&mut self, cx: &mut Cx, connection: u32) {
        if let Phase::Fill { next } = self.phase {
            if next < self.plan.keys {
                self.phase = Phase::Fill { next: next + 1 };
                let now = cx.now();
                self.send(cx, connection, now, Some(next));
            }
            return;
        }
        if self.phase != Phase::Run {
            return;
        }
        if self.sent == self.plan.ops_max {
            return self.drain(cx);
        }
        let due = if self.plan.rate.is_some() {
            let Some(due) = self.backlog.pop_front() else { return };
            due
        } else {
            cx.now()
        };
        self.sent += 1;
        self.send(cx, connection, due, None);
    }

    fn send(&mut self, cx: &mut Cx, connection: u32, due: Time, fill: Option<u32>) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.flights.push(Flight::default());
            self.flights.len() as u32 - 1
        });
        let total = u64::from(self.plan.gets) + u64::from(self.plan.sets);
        let drawn = cx.rng().below(total);
        let is_set = fill.is_some() || drawn >= u64::from(self.plan.gets);
        let (low, high) = self.plan.value_bytes;
        let bytes = cx.rng().between(low.into(), high.into()) as usize;
        let flight = &mut self.flights[slot as usize];
        flight.keys.clear();
        (flight.is_set, flight.bytes, flight.due) = (is_set, bytes, due);
        let count = if is_set { 1 } else { self.plan.multiget };
        for n in 0..count as usize {
            let key = fill.unwrap_or_else(|| self.keys.draw(cx.rng()));
            flight.keys.push(key);
            self.names[n].clear();
            write!(self.names[n], "mc-load:{key}").expect("a string grows as needed");
        }
        let client = &mut self.connections[connection as usize].client;
        let (name, tag) = (&self.names[0], slot.into());
        let asked = if is_set {
            let value = self.values.make(flight.keys[0], bytes);
            client.set(cx, name, value, 0, tag)
        } else if count == 1 {
            client.get(cx, name, tag)
        } else {
            let keys: Vec<Key<'_>> = self.names.iter().map(Key::from).collect();
            client.get_many(cx, &keys, tag)
        };
        self.connections[connection as usize].under_way += 1;
        if let Err(why) = asked {
            self.ended(cx, connection, Event { tag, outcome: Outcome::NotAccepted(why) });
        }
    }

    fn drain(&mut self, cx: &mut Cx) {
        if self.phase != Phase::Drain {
            self.phase = Phase::Drain;
            let measured_from = self.began + self.plan.warmup;
            self.measured.took = cx.now().since(measured_from);
            self.measured.not_sent += self.backlog.len() as u64;
            self.backlog.clear();
            cx.cancel(ARRIVAL);
        }
        if self.under_way() == 0 {
            cx.exit(Exit::Stopped);
        }
    }

    // ---- what comes back ------------------------------------------------------------------------

    fn collect(&mut self, cx: &mut Cx, connection: u32) {
        while let Some(event) = self.connections[connection as usize].client.next_event() {
            self.ended(cx, connection, event);
        }
    }

    fn ended(&mut self, cx: &mut Cx, connection: u32, event: Event) {
        let slot = event.tag as u32;
        self.connections[connection as usize].under_way -= 1;
        let flight = &mut self.flights[slot as usize];
        let (is_set, due, bytes) = (flight.is_set, flight.due, flight.bytes);
        let keys = core::mem::take(&mut flight.keys);
        let counts =
            !matches!(self.phase, Phase::Fill { .. }) && due >= self.began + self.plan.warmup;
        let well = self.look_at(&keys, bytes, event.outcome, counts);
        self.flights[slot as usize].keys = keys;
        if counts && well {
            self.measured.answered += 1;
            let into = if is_set { &mut self.measured.sets } else { &mut self.measured.gets };
            record(into, nanos(cx.now().since(due)));
        }
        self.free.push(slot);
        match self.phase {
            Phase::Drain => self.drain(cx),
            Phase::Fill { next } if next == self.plan.keys && self.under_way() == 0 => {
                self.begin_run(cx);
            }
            _ if !well => {
                // At once it would only fail again, as fast as this machine can.
                self.resting.push(connection);
                cx.after(AGAIN, AFTER_ERROR);
            }
            _ => self.next_on(cx, connection),
        }
    }

    /// Looks at how a request about some keys ended, and says whether it is no error.
    fn look_at(&mut self, keys: &[u32], bytes: usize, outcome: Outcome, counts: bool) -> bool {
        match outcome {
            Outcome::Many(all) => keys
                .iter()
                .zip(all)
                .map(|(&key, outcome)| self.look_at_one(key, 0, outcome, counts))
                .fold(true, |sum, well| sum & well),
            outcome => self.look_at_one(keys[0], bytes, outcome, counts),
        }
    }

    /// Errors count always, the rest when it is to be measured.
    fn look_at_one(&mut self, key: u32, bytes: usize, outcome: Outcome, counts: bool) -> bool {
        let measured = &mut self.measured;
        let one = u64::from(counts);
        match outcome {
            Outcome::Hit(value) => {
                measured.hits += one;
                measured.value_bytes += one * value.data.len() as u64;
                if self.plan.verify && !self.values.is_of(key, &value.data) {
                    measured.wrong += 1;
                    let bytes = value.data.len();
                    let what = || format!("{bytes} bytes at key {key} are not a value of it");
                    measured.first_error.get_or_insert_with(what);
                }
            }
            Outcome::Miss => measured.misses += one,
            Outcome::Stored => {
                measured.stored += one;
                measured.value_bytes += one * bytes as u64;
            }
            error => {
                measured.errors += 1;
                measured.first_error.get_or_insert_with(|| match error {
                    Outcome::Failed(why) => format!("{why}; is there a server at --servers?"),
                    Outcome::NotAccepted(why) => why.to_string(),
                    Outcome::Refused(line) => String::from_utf8_lossy(&line).into_owned(),
                    other => format!("{other:?}"),
                });
                return false;
            }
        }
        true
    }

    fn connection_of(&self, conn: Conn) -> u32 {
        self.by_slot[conn.index()]
    }
}

impl Machine for Generator {
    fn start(&mut self, cx: &mut Cx, _boot: Boot) {
        for connection in &mut self.connections {
            if connection.client.set_servers(cx, &self.servers).is_err() {
                return cx.exit(Exit::Failed("too many servers for one client"));
            }
        }
        if self.plan.fill {
            self.each_connection(cx);
        } else {
            self.begin_run(cx);
        }
    }

    fn stop(&mut self, cx: &mut Cx) {
        self.drain(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        let Open::Connected { connect } = how else { return };
        let connection = (connect.0 / CLIENT_TOKENS) as u32;
        if self.by_slot.len() <= conn.index() {
            self.by_slot.resize(conn.index() + 1, 0);
        }
        self.by_slot[conn.index()] = connection;
        self.connections[connection as usize].client.on_open(cx, conn, &how);
        self.collect(cx, connection);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        let connection = self.connection_of(conn);
        self.connections[connection as usize].client.on_data(cx, conn, rx);
        self.collect(cx, connection);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        let connection = self.connection_of(conn);
        self.connections[connection as usize].client.on_eof(cx, conn);
        self.collect(cx, connection);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        let connection = self.connection_of(conn);
        self.connections[connection as usize].client.on_gone(cx, conn, why);
        self.collect(cx, connection);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let connection = (connect.0 / CLIENT_TOKENS) as u32;
        self.connections[connection as usize].client.on_failed(cx, connect, why);
        self.collect(cx, connection);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer {
            ARRIVAL => self.arrive(cx),
            END => self.drain(cx),
            AGAIN => {
                for connection in core::mem::take(&mut self.resting) {
                    self.next_on(cx, connection);
                    self.collect(cx, connection);
                }
            }
            Token(token) => {
                let connection = (token / CLIENT_TOKENS) as u32;
                self.connections[connection as usize].client.on_timer(cx, timer);
                self.collect(cx, connection);
            }
        }
    }
}
