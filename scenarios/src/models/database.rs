//! A database: a stated number of slots, a stated service time, a bounded queue.
//!
//! A query takes a slot for a time drawn evenly between two bounds and is then answered with its
//! row. With all slots taken it waits; with the queue full it is refused, as by a server that is
//! out of connections.
//!
//! With a query cache (MySQL's) an answer that it has is given at once, and every change of any row
//! empties it, as a cache of query results per table does when all queries go to one table. When it
//! is full the oldest answer goes. The first byte of a row tells the model of the web server where
//! it came from.
//!
//! Not modelled: the rows' content, transactions, several tables, the disk. Its service time stands
//! for all of that.

use super::Measures;
use super::query::{REFUSED, Verb, read_query, write_answer_head};
use super::results::{Result, Results, histogram, record};
use super::series::Series;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{BYTES, DURATION, Fields};
use crate::metric::{Kind, MetricDef};
use crate::models::kinds::{Boxed, ModelKind, ModelSpec};
use crate::read::Parts;
use crate::story::Setup;
use crate::units::show_duration;
use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use storytime_machine::{
    Boot, Close, Conn, Cx, Endpoint, Gone, Listen, Machine, Open, Time, Token, Work, nanos,
};

/// Queries taken; one unit each.
pub const WORK_QUERIES: Work = Work { index: 0, name: "database_queries" };

/// What can be measured about a database.
pub const METRICS: &[MetricDef] = &[
    MetricDef { name: "queries", kind: Kind::Series, label: "database queries" },
    MetricDef { name: "refused", kind: Kind::Series, label: "queries refused" },
    MetricDef { name: "query_time", kind: Kind::Latency, label: "time of a query" },
    MetricDef { name: "updates", kind: Kind::Series, label: "rows changed" },
    MetricDef { name: "waiting", kind: Kind::Level, label: "queries waiting" },
    MetricDef { name: "overload", kind: Kind::Time, label: "time with queries waiting" },
    MetricDef { name: "cache_ratio", kind: Kind::Shares, label: "hit ratio of the query cache" },
    MetricDef { name: "cache_bytes", kind: Kind::Bytes, label: "memory of the query cache" },
    MetricDef { name: "at_once_peak", kind: Kind::Count, label: "most queries at once" },
    MetricDef { name: "waiting_peak", kind: Kind::Count, label: "most queries waiting" },
];

/// A database with a stated number of connections that work at a time.
pub const KIND: ModelKind = ModelKind {
    name: "database",
    fields: &["port", "slots", "queue", "service", "row", "query_cache"],
    works: &[WORK_QUERIES],
    read,
};

/// Longest row of a modelled database, bytes: it must fit into a cache.
const ROW_BYTES_MAX: u64 = 1_000_000;

/// The numbers of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseModel {
    /// TCP port.
    pub port: u16,
    /// Queries worked on at once.
    pub slots: u32,
    /// Queries that wait for a slot; further ones are refused.
    pub queue_max: u32,
    /// Shortest and longest time a query takes; drawn evenly between the two.
    pub service: (Duration, Duration),
    /// Length of a row, bytes.
    pub row_bytes: u32,
    /// Memory for answers that are kept, bytes; 0 for none.
    pub query_cache_bytes: u64,
}

/// The first byte of a row that was read.
pub const ROW_READ: u8 = b'r';
/// The first byte of a row from the query cache.
pub const ROW_CACHED: u8 = b'q';

fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Arc<dyn ModelSpec>> {
    let row_bytes = fields.quantity("row", BYTES, None)?;
    if row_bytes > ROW_BYTES_MAX {
        let at = &fields.required("row", "")?.span;
        let title = format!("a row of {row_bytes} bytes does not fit into a cache");
        let label = format!("expected at most {ROW_BYTES_MAX}");
        return Err(Diagnostic::at(at, title, label).into());
    }
    Ok(Arc::new(DatabaseModel {
        port: fields.integer("port", 1..=65_535, None)? as u16,
        slots: fields.integer("slots", 1..=100_000, None)? as u32,
        queue_max: fields.integer("queue", 0..=1_000_000, None)? as u32,
        service: fields.range("service", DURATION, None)?,
        row_bytes: row_bytes as u32,
        query_cache_bytes: fields.quantity("query_cache", BYTES, Some(0))?,
    }))
}

impl ModelSpec for DatabaseModel {
    fn metrics(&self) -> &'static [MetricDef] {
        METRICS
    }

    fn words(&self) -> String {
        let (least, most) = (nanos(self.service.0), nanos(self.service.1));
        let (least, most) = (show_duration(least), show_duration(most));
        format!("{} slots, {least} to {most} a query", self.slots)
    }

    fn port(&self) -> Option<u16> {
        Some(self.port)
    }

    fn build(&self, setup: &Setup) -> Boxed {
        Box::new(Database::new(*self, setup.duration, setup.bucket))
    }

    fn database(&self) -> Option<&DatabaseModel> {
        Some(self)
    }
}

/// The one listener.
const LISTENER: Token = Token(0);

/// A query that was taken.
#[derive(Clone, Copy, Debug)]
struct Asked {
    conn: Conn,
    id: u32,
    at: Time,
    verb: Verb,
    /// Hash of the key, which the query cache goes by.
    key: u64,
}

/// What a slot is doing.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Nothing.
    Free,
    /// Working on a query until its timer, named by the slot's number, comes due.
    Serves(Asked),
}

/// The machine.
#[derive(Debug)]
pub struct Database {
    model: DatabaseModel,
    row: Bytes,
    /// The same row from the query cache.
    cached_row: Bytes,
    query_cache: QueryCache,
    slots: Vec<Slot>,
    /// Numbers of free slots.
    free: Vec<u32>,
    /// Queries without a slot, first come first served.
    waiting: VecDeque<Asked>,
    waiting_peak: u64,
    /// Most queries under way or waiting.
    at_once_peak: u64,
    queries: Series,
    updates: Series,
    refused: Series,
    waiting_level: Series,
    cache_hits: Series,
    cache_reads: Series,
    cache_level: Series,
    /// How long queries have waited so far, and since when they do now, if they do.
    overload: Duration,
    overload_since: Option<Time>,
    /// The time of the last event.
    seen: Time,
    times: Histogram<u64>,
}

/// Answers that are kept, by the hash of their key.
#[derive(Debug)]
struct QueryCache {
    rows_max: u64,
    row_bytes: u64,
    keys: BTreeSet<u64>,
    /// Oldest first.
    order: VecDeque<u64>,
}

impl QueryCache {
    fn new(bytes_max: u64, row_bytes: u32) -> Self {
        let row_bytes = u64::from(row_bytes).max(1);
        let (keys, order) = (BTreeSet::new(), VecDeque::new());
        Self { rows_max: bytes_max / row_bytes, row_bytes, keys, order }
    }

    fn keep(&mut self, key: u64) {
        if self.rows_max == 0 || !self.keys.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() as u64 > self.rows_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    fn flush(&mut self) {
        self.keys.clear();
        self.order.clear();
    }

    fn bytes(&self) -> u64 {
        self.row_bytes * self.order.len() as u64
    }
}

impl Database {
    fn all(&mut self) -> [&mut Series; 7] {
        [
            &mut self.queries,
            &mut self.updates,
            &mut self.refused,
            &mut self.waiting_level,
            &mut self.cache_hits,
            &mut self.cache_reads,
            &mut self.cache_level,
        ]
    }

    /// A database that measures for `duration` in buckets.
    pub fn new(model: DatabaseModel, duration: Duration, bucket: Duration) -> Self {
        assert!(model.slots > 0 && model.service.0 <= model.service.1, "the model was checked");
        Self {
            row: Bytes::from(vec![ROW_READ; model.row_bytes as usize]),
            cached_row: Bytes::from(vec![ROW_CACHED; model.row_bytes as usize]),
            query_cache: QueryCache::new(model.query_cache_bytes, model.row_bytes),
            slots: vec![Slot::Free; model.slots as usize],
            free: (0..model.slots).rev().collect(),
            waiting: VecDeque::new(),
            waiting_peak: 0,
            at_once_peak: 0,
            queries: Series::new(duration, bucket),
            updates: Series::new(duration, bucket),
            refused: Series::new(duration, bucket),
            waiting_level: Series::new(duration, bucket),
            cache_hits: Series::new(duration, bucket),
            cache_reads: Series::new(duration, bucket),
            cache_level: Series::new(duration, bucket),
            overload: Duration::ZERO,
            overload_since: None,
            seen: Time::ZERO,
            times: histogram(),
            model,
        }
    }

    fn asked(&mut self, cx: &mut Cx, asked: Asked) {
        cx.work(WORK_QUERIES, 1);
        self.seen = cx.now();
        self.queries.add(cx.now(), 1);
        match asked.verb {
            Verb::Update => self.updates.add(cx.now(), 1),
            Verb::Read if self.answer_from_cache(cx, asked) => return,
            Verb::Read => {}
        }
        if let Some(slot) = self.free.pop() {
            self.serve(cx, slot, asked);
        } else if self.waiting.len() < self.model.queue_max as usize {
            self.waiting.push_back(asked);
            self.note_waiting(cx.now());
            self.waiting_peak = self.waiting_peak.max(self.waiting.len() as u64);
        } else {
            self.refused.add(cx.now(), 1);
            if let Some(tx) = cx.tx(asked.conn) {
                tx.write_with(|into| write_answer_head(into, asked.id, REFUSED));
            }
        }
        let at_once = self.slots.len() - self.free.len() + self.waiting.len();
        self.at_once_peak = self.at_once_peak.max(at_once as u64);
    }

    fn serve(&mut self, cx: &mut Cx, slot: u32, asked: Asked) {
        let (least, most) = self.model.service;
        let takes = cx.rng().duration(least, most);
        self.slots[slot as usize] = Slot::Serves(asked);
        cx.after(Token(u64::from(slot)), takes);
    }

    /// Notes how many wait, and how long somebody has.
    fn note_waiting(&mut self, now: Time) {
        self.waiting_level.set(now, self.waiting.len() as u64);
        match (self.waiting.is_empty(), self.overload_since) {
            (false, None) => self.overload_since = Some(now),
            (true, Some(since)) => {
                self.overload += now.since(since);
                self.overload_since = None;
            }
            _ => {}
        }
    }

    /// Whether the query cache had the answer.
    fn answer_from_cache(&mut self, cx: &mut Cx, asked: Asked) -> bool {
        if self.model.query_cache_bytes == 0 {
            return false;
        }
        self.cache_reads.add(cx.now(), 1);
        let hit = self.query_cache.keys.contains(&asked.key);
        if hit {
            self.cache_hits.add(cx.now(), 1);
            record(&mut self.times, nanos(cx.now().since(asked.at)));
            self.send(cx, asked, self.cached_row.clone());
        }
        hit
    }

    fn answer(&mut self, cx: &mut Cx, asked: Asked) {
        record(&mut self.times, nanos(cx.now().since(asked.at)));
        if self.model.query_cache_bytes > 0 {
            match asked.verb {
                Verb::Read => self.query_cache.keep(asked.key),
                Verb::Update => self.query_cache.flush(),
            }
            self.cache_level.set(cx.now(), self.query_cache.bytes());
        }
        self.send(cx, asked, self.row.clone());
    }

    fn send(&self, cx: &mut Cx, asked: Asked, row: Bytes) {
        let Some(tx) = cx.tx(asked.conn) else { return };
        tx.write_with(|into| write_answer_head(into, asked.id, self.model.row_bytes));
        tx.push(row);
        if tx.pending() > self.tx_bytes_max() {
            // A web server that does not read: its further queries stay in its own kernel.
            cx.pause(asked.conn, true);
        }
    }

    /// Pending output at which a connection is not read any more, bytes.
    const fn tx_bytes_max(&self) -> usize {
        1 << 20
    }
}

impl Measures for Database {
    fn results(&self) -> Results {
        let goes_on = self.overload_since.map_or(Duration::ZERO, |since| self.seen.since(since));
        let overload = self.overload + goes_on;
        Results(
            [
                ("queries", Result::Series(self.queries.clone())),
                ("refused", Result::Series(self.refused.clone())),
                ("updates", Result::Series(self.updates.clone())),
                ("waiting", Result::Level(self.waiting_level.clone())),
                ("overload", Result::Time(nanos(overload))),
                ("cache_ratio", Result::Shares(self.cache_hits.clone(), self.cache_reads.clone())),
                ("cache_bytes", Result::Bytes(self.cache_level.clone())),
                ("query_time", Result::Latency(self.times.clone())),
                ("at_once_peak", Result::Count(self.at_once_peak)),
                ("waiting_peak", Result::Count(self.waiting_peak)),
            ]
            .into(),
        )
    }
}

impl Machine for Database {
    fn start(&mut self, cx: &mut Cx, boot: Boot) {
        if boot.incarnation == 0 {
            for series in self.all() {
                series.begin(cx.now());
            }
        }
        cx.listen(LISTENER, Listen::at(Endpoint::any(self.model.port)));
    }

    fn open(&mut self, _cx: &mut Cx, _conn: Conn, how: Open) {
        debug_assert!(matches!(how, Open::Accepted { .. }), "a database connects to nobody");
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        loop {
            match read_query(rx) {
                Ok(None) => return,
                Ok(Some(query)) => {
                    let key = storytime_machine::hash::digest_bytes(0, &query.key);
                    let asked = Asked { conn, id: query.id, at: cx.now(), verb: query.verb, key };
                    self.asked(cx, asked);
                }
                Err(_) => {
                    rx.clear();
                    cx.close(conn, Close::Abort);
                    return;
                }
            }
        }
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        cx.pause(conn, false);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, _why: Gone) {
        // What is being worked on is finished for nobody, as a real one would.
        self.waiting.retain(|asked| asked.conn != conn);
        self.note_waiting(cx.now());
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        self.seen = cx.now();
        let slot = timer.0 as u32;
        let was = std::mem::replace(&mut self.slots[slot as usize], Slot::Free);
        let Slot::Serves(asked) = was else {
            panic!("a slot's timer runs only while it serves");
        };
        self.answer(cx, asked);
        match self.waiting.pop_front() {
            Some(next) => {
                self.note_waiting(cx.now());
                self.serve(cx, slot, next);
            }
            None => self.free.push(slot),
        }
    }

    fn invariants(&self) {
        assert!(self.waiting.is_empty() || self.free.is_empty(), "nobody waits beside a free slot");
        assert!(self.waiting.len() <= self.model.queue_max as usize, "the queue is bounded");
    }

    fn memory(&self) -> u64 {
        self.query_cache.bytes()
            + u64::from(self.model.row_bytes)
            + (self.waiting.len() * size_of::<Asked>()) as u64
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("waiting", self.waiting.len() as u64);
        each("waiting_peak", self.waiting_peak);
        each("queries_done", self.times.len());
    }
}
