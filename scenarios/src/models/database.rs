//! A database: a stated number of slots, a stated service time, a bounded queue.
//!
//! A query takes a slot for a time drawn evenly between two bounds and is then answered with its
//! row. With all slots taken it waits; with the queue full it is refused, as by a server that is
//! out of connections.
//!
//! Not modelled: the rows' content, writes, caching inside the database, disks. Its service time
//! stands for all of that.

use super::Measures;
use super::query::{REFUSED, read_query, write_answer_head};
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
use std::collections::VecDeque;
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
    MetricDef { name: "at_once_peak", kind: Kind::Count, label: "most queries at once" },
    MetricDef { name: "waiting_peak", kind: Kind::Count, label: "most queries waiting" },
];

/// A database with a stated number of connections that work at a time.
pub const KIND: ModelKind = ModelKind {
    name: "database",
    fields: &["port", "slots", "queue", "service", "row"],
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
}

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
    slots: Vec<Slot>,
    /// Numbers of free slots.
    free: Vec<u32>,
    /// Queries without a slot, first come first served.
    waiting: VecDeque<Asked>,
    waiting_peak: u64,
    /// Most queries under way or waiting.
    at_once_peak: u64,
    queries: Series,
    refused: Series,
    times: Histogram<u64>,
}

impl Database {
    /// A database that measures for `duration` in buckets.
    pub fn new(model: DatabaseModel, duration: Duration, bucket: Duration) -> Self {
        assert!(model.slots > 0 && model.service.0 <= model.service.1, "the model was checked");
        Self {
            row: Bytes::from(vec![b'r'; model.row_bytes as usize]),
            slots: vec![Slot::Free; model.slots as usize],
            free: (0..model.slots).rev().collect(),
            waiting: VecDeque::new(),
            waiting_peak: 0,
            at_once_peak: 0,
            queries: Series::new(duration, bucket),
            refused: Series::new(duration, bucket),
            times: histogram(),
            model,
        }
    }

    fn asked(&mut self, cx: &mut Cx, asked: Asked) {
        cx.work(WORK_QUERIES, 1);
        self.queries.add(cx.now(), 1);
        if let Some(slot) = self.free.pop() {
            self.serve(cx, slot, asked);
        } else if self.waiting.len() < self.model.queue_max as usize {
            self.waiting.push_back(asked);
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

    fn answer(&mut self, cx: &mut Cx, asked: Asked) {
        record(&mut self.times, nanos(cx.now().since(asked.at)));
        let Some(tx) = cx.tx(asked.conn) else { return };
        tx.write_with(|into| write_answer_head(into, asked.id, self.model.row_bytes));
        tx.push(self.row.clone());
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
        Results(
            [
                ("queries", Result::Series(self.queries.clone())),
                ("refused", Result::Series(self.refused.clone())),
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
            self.queries.begin(cx.now());
            self.refused.begin(cx.now());
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
                    let asked = Asked { conn, id: query.id, at: cx.now() };
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

    fn gone(&mut self, _cx: &mut Cx, conn: Conn, _why: Gone) {
        // What is being worked on is finished for nobody, as a real one would.
        self.waiting.retain(|asked| asked.conn != conn);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let slot = timer.0 as u32;
        let was = std::mem::replace(&mut self.slots[slot as usize], Slot::Free);
        let Slot::Serves(asked) = was else {
            panic!("a slot's timer runs only while it serves");
        };
        self.answer(cx, asked);
        match self.waiting.pop_front() {
            Some(next) => self.serve(cx, slot, next),
            None => self.free.push(slot),
        }
    }

    fn invariants(&self) {
        assert!(self.waiting.is_empty() || self.free.is_empty(), "nobody waits beside a free slot");
        assert!(self.waiting.len() <= self.model.queue_max as usize, "the queue is bounded");
    }

    fn memory(&self) -> u64 {
        u64::from(self.model.row_bytes) + (self.waiting.len() * size_of::<Asked>()) as u64
    }

    fn counters(&self, each: &mut dyn FnMut(&'static str, u64)) {
        each("waiting", self.waiting.len() as u64);
        each("waiting_peak", self.waiting_peak);
        each("queries_done", self.times.len());
    }
}
