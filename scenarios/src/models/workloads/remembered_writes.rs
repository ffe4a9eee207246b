//! Writes whose every acknowledgement is remembered.
//!
//! A job writes the next row, or reads one that was acknowledged before and compares it. When the
//! load is at rest, the first host reads every acknowledged row again: where it was written, or on
//! the cluster that the file names for it, such as the one that a dead master leaves behind.
//!
//! | answer to a write | it is |
//! |---|---|
//! | a version | acknowledged: from then on every read must show it |
//! | an error, or it was never sent | not done |
//! | none, or no whole one | unsure: it may be there or not |
//!
//! The pause between two acknowledgements that a host sees is how long nobody served it.
//!
//! Not modelled: trying a failed write again; changes of rows.

use crate::diagnostic::Checked;
use crate::fields::{CHANCE, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::read::{Parts, sites};
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_machine::{Ratio, Time};

/// The table of rows, and their only owner.
const TABLE: &[u8] = b"remembered";
/// See [`TABLE`].
const OWNER: &[u8] = b"1";
/// Longest row, bytes: a database takes no longer one.
const VALUE_BYTES_MAX: u64 = 1 << 20;
/// Rows that the check reads in one request.
const CHECK_ROWS: usize = 200;
/// How long the check waits before it asks again for what it was not told.
const CHECK_PAUSE: Duration = Duration::from_millis(200);

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Which database is written to.
    pub database: usize,
    /// Which one is asked in the end.
    pub check: usize,
    /// How many of the jobs read.
    pub reads: Ratio,
    /// Bytes of a row.
    pub value_bytes: usize,
}

/// What all hosts know together.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Rows that were begun.
    begun: u64,
    /// Those that were acknowledged, in that order.
    acknowledged: Vec<u64>,
}

/// The workload.
#[derive(Debug)]
pub struct RememberedWrites {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
    /// When a write of this host was last acknowledged.
    last: Option<Time>,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That a row was written.
    AwaitWritten(u64),
    /// An acknowledged row.
    AwaitRow(u64),
    /// Acknowledged rows, from this one of the ledger on.
    AwaitRows(usize),
    /// A pause, before those are asked for again.
    AwaitPause(usize),
}

impl Workload for RememberedWrites {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "remembered-writes";
    const FIELDS: &'static [&'static str] =
        app_fields!["cluster", "check", "reads", "row", "keep", "connections"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("acknowledged", Series, "writes acknowledged"),
        ("refused", Series, "writes certainly not done"),
        ("unsure", Series, "writes without an answer"),
        ("pause", Latency, "time without an acknowledgement"),
        ("stale_reads", Series, "reads that missed an acknowledged write"),
        ("checked", Series, "acknowledged writes read again"),
        ("kept", Series, "acknowledged writes still there"),
        ("lost", Series, "acknowledged writes lost"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let word = fields.text("cluster", "the name of a `[[cluster]]`")?;
        let cluster = sites::cluster_called(&word, parts)?;
        let check = match fields.text_if("check", "the name of a `[[cluster]]`")? {
            None => cluster,
            Some(word) => sites::cluster_called(&word, parts)?,
        };
        Ok(Numbers {
            database: parts.clusters[cluster].master,
            check: parts.clusters[check].master,
            reads: fields.quantity("reads", CHANCE, Some(Ratio::NEVER))?,
            value_bytes: match fields.get("row") {
                Some(_) => fields.bytes("row", 1..=VALUE_BYTES_MAX)? as usize,
                None => 200,
            },
        })
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger, last: None }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.rng().chance(self.numbers.reads)
            && let Some(row) = self.draw(hands)
        {
            let item = row.to_string();
            hands.dbd(self.numbers.database, &[b"ROW.GET", TABLE, OWNER, item.as_bytes()]);
            return Step::Await(Job::AwaitRow(row));
        }
        let row = {
            let mut ledger = lock(&self.ledger);
            ledger.begun += 1;
            ledger.begun
        };
        let (item, value) = (row.to_string(), self.value(row));
        let words = [b"ROW.PUT", TABLE, OWNER, item.as_bytes(), value.as_bytes()];
        hands.dbd(self.numbers.database, &words);
        Step::Await(Job::AwaitWritten(row))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitWritten(row), Came::Dbd(outcome)) => self.written(hands, row, &outcome),
            (Job::AwaitRow(row), Came::Dbd(Ok(reply))) if !matches!(reply, Reply::Error(_)) => {
                let stale = !self.is_row(row, &reply);
                hands.count("stale_reads", u64::from(stale));
                Step::Done
            }
            (Job::AwaitRow(_), Came::Dbd(_)) => Step::Failed,
            (Job::AwaitRows(from), Came::Dbd(Ok(Reply::Array(rows)))) => {
                self.compare(hands, from, &rows);
                self.check_from(hands, from + rows.len())
            }
            (Job::AwaitRows(from), Came::Dbd(_)) => {
                hands.pause(CHECK_PAUSE);
                Step::Await(Job::AwaitPause(from))
            }
            (Job::AwaitPause(from), Came::Woke) => self.check_from(hands, from),
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }

    /// An outage that did not end counts up to here.
    fn rest(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if let Some(last) = self.last {
            hands.time_since("pause", last);
        }
        Step::Done
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        self.check_from(hands, 0)
    }
}

impl RememberedWrites {
    /// One of the acknowledged rows, if there are any.
    fn draw(&self, hands: &mut Hands<'_>) -> Option<u64> {
        let ledger = lock(&self.ledger);
        let count = ledger.acknowledged.len();
        (count > 0).then(|| ledger.acknowledged[hands.rng().index(count)])
    }

    fn value(&self, row: u64) -> String {
        format!("{row:0>width$}", width = self.numbers.value_bytes)
    }

    fn written(
        &mut self,
        hands: &mut Hands<'_>,
        row: u64,
        outcome: &Result<Reply, Failure>,
    ) -> Step<Job> {
        let name = match outcome {
            Ok(Reply::Integer(_)) => {
                lock(&self.ledger).acknowledged.push(row);
                if let Some(last) = self.last.replace(hands.now()) {
                    hands.time_since("pause", last);
                }
                hands.count("acknowledged", 1);
                return Step::Done;
            }
            Ok(_) | Err(Failure::NotSent) => "refused",
            Err(Failure::Unknown | Failure::Garbled | Failure::TooLong) => "unsure",
        };
        hands.count(name, 1);
        Step::Failed
    }

    /// Whether a reply shows a row as it was written.
    fn is_row(&self, row: u64, reply: &Reply) -> bool {
        let Reply::Array(parts) = reply else { return false };
        matches!(parts.get(1), Some(Reply::Bulk(value)) if value[..] == *self.value(row).as_bytes())
    }

    fn compare(&self, hands: &mut Hands<'_>, from: usize, rows: &[Reply]) {
        let lost = {
            let ledger = lock(&self.ledger);
            let asked = ledger.acknowledged[from..].iter().zip(rows);
            asked.filter(|(row, reply)| !self.is_row(**row, reply)).count()
        };
        hands.count("kept", (rows.len() - lost) as u64);
        hands.count("lost", lost as u64);
        hands.count("checked", rows.len() as u64);
    }

    fn check_from(&self, hands: &mut Hands<'_>, from: usize) -> Step<Job> {
        let items: Vec<String> = {
            let ledger = lock(&self.ledger);
            let rows = ledger.acknowledged.iter().skip(from).take(CHECK_ROWS);
            rows.map(u64::to_string).collect()
        };
        if items.is_empty() {
            return Step::Done;
        }
        let mut words = vec![&b"ROW.MGET"[..], TABLE, OWNER];
        words.extend(items.iter().map(String::as_bytes));
        hands.dbd(self.numbers.check, &words);
        Step::Await(Job::AwaitRows(from))
    }
}
