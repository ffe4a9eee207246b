//! Pages that read rows: over connections of their own, or through workers that have some.
//!
//! A page reads `queries` rows, one after the other, and compares each with what must be in it.
//!
//! | `through` | who asks the database |
//! |---|---|
//! | `connections` | the page's process; all of a host's `connections` are opened at the beginning |
//! | `workers` | the workers of `function`, who are sent the request as a job |
//!
//! Not modelled: what else a page needs, and writes.

use super::gofers::{ROWS_MAX, row_key, row_value};
use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::{Parts, sites};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use storytime_database::Reply;
use storytime_gearman::client::{Event, Job as Call};
use storytime_machine::Time;

/// Most queries of a page.
const QUERIES_MAX: u64 = 1_000;
/// Most connections that a host opens at the beginning.
const CONNECTIONS_MAX: u64 = 10_000;

/// Who asks the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The page's own process.
    Connections,
    /// Workers.
    Workers,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    database: usize,
    rows: u64,
    queries: u32,
    through: Through,
    /// What a host opens at the beginning.
    connections: u32,
}

/// The workload.
#[derive(Debug)]
pub struct Queries {
    numbers: Numbers,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That connections are open: how many are not.
    AwaitConnections(u32),
    /// A row.
    AwaitRow {
        /// Which.
        row: u64,
        /// Rows to be read behind it.
        left: u32,
        /// When it was asked for.
        since: Time,
    },
}

impl Workload for Queries {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "queries";
    const FIELDS: &'static [&'static str] = app_fields![
        "day",
        "day_length",
        "job_servers",
        "function",
        "cluster",
        "rows",
        "queries",
        "through",
        "keep",
        "connections"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("rows", Series, "rows read"),
        ("row_time", Latency, "time of a query"),
        ("wrong", Count, "wrong rows"),
        ("errors", Series, "queries that failed"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let through = [("connections", Through::Connections), ("workers", Through::Workers)];
        let word = fields.text("cluster", "the name of a `[[cluster]]`")?;
        Ok(Numbers {
            servers: JobServers::read(fields, parts)?,
            function: fields.text("function", "the name of a function")?.text.into(),
            database: parts.clusters[sites::cluster_called(&word, parts)?].master,
            rows: fields.integer("rows", 1..=ROWS_MAX, None)?,
            queries: fields.integer("queries", 1..=QUERIES_MAX, None)? as u32,
            through: fields.choice("through", &through, None)?,
            connections: fields.integer("connections", 1..=CONNECTIONS_MAX, Some(1))? as u32,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.numbers.through == Through::Workers {
            return Step::Done;
        }
        for _ in 0..self.numbers.connections {
            hands.dbd(self.numbers.database, &[b"PING"]);
        }
        Step::Await(Job::AwaitConnections(self.numbers.connections))
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        self.ask(hands, self.numbers.queries)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let (row, left, since) = match job {
            Job::AwaitConnections(1) => return Step::Done,
            Job::AwaitConnections(left) => return Step::Await(Job::AwaitConnections(left - 1)),
            Job::AwaitRow { row, left, since } => (row, left, since),
        };
        let value = match came {
            Came::Job { event, .. } if !event.is_end() => return Step::Await(job),
            Came::Job { event: Event::Complete { data, .. }, .. } => data,
            Came::Dbd(Ok(Reply::Bulk(value))) => value,
            _ => {
                hands.count("errors", 1);
                return Step::Failed;
            }
        };
        hands.count("rows", 1);
        hands.time_since("row_time", since);
        hands.count("wrong", u64::from(value != row_value(row).as_bytes()));
        match left {
            0 => Step::Done,
            left => self.ask(hands, left),
        }
    }
}

impl Queries {
    /// Asks for any row, the first of so many.
    fn ask(&self, hands: &mut Hands<'_>, left: u32) -> Step<Job> {
        let row = hands.rng().below(self.numbers.rows);
        let (key, since) = (row_key(row), hands.now());
        match self.numbers.through {
            Through::Connections => hands.dbd(self.numbers.database, &[b"GET", key.as_bytes()]),
            Through::Workers => {
                let request = format!("GET {key}");
                hands.submit(0, Call::new(self.numbers.function.clone(), request));
            }
        }
        Step::Await(Job::AwaitRow { row, left: left - 1, since })
    }
}
