//! Workers that ask a database, so that nobody else has to know it.
//!
//! The data of a job is a request as the database takes it, words with spaces between; its result
//! is the value that the database says. A job fails if the database refuses or does not answer.
//!
//! The first host fills `rows` rows before all else; see [`row_key`] and [`row_value`].
//!
//! Not modelled: transactions, which would keep a connection from one job to the next.

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::{Parts, sites};
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_database::Reply;

/// Most rows.
pub const ROWS_MAX: u64 = 100_000;
/// How long a database that does not serve yet is left alone.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The key of a row.
pub fn row_key(row: u64) -> String {
    format!("row:{row}")
}

/// What is in a row.
pub fn row_value(row: u64) -> String {
    format!("what-row-{row}-says")
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    database: usize,
    rows: u64,
}

/// The workload.
#[derive(Debug)]
pub struct Gofers {
    numbers: Numbers,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// What the database says.
    AwaitReply,
    /// That a row is filled: which.
    AwaitFilled(u64),
}

impl Workload for Gofers {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "gofers";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "function", "cluster", "rows", "keep", "connections"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("asked", Series, "requests to the database"),
        ("errors", Series, "requests that failed"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const TAKES_JOBS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let function = fields.text("function", "the name of a function")?.text.into();
        let word = fields.text("cluster", "the name of a `[[cluster]]`")?;
        Ok(Numbers {
            servers: JobServers::of_workers(fields, parts, [function], "workers")?,
            database: parts.clusters[sites::cluster_called(&word, parts)?].master,
            rows: fields.integer("rows", 1..=ROWS_MAX, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() != 0 {
            return Step::Done;
        }
        self.fill(hands, 0)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("asked", 1);
        let request = hands.assigned().expect("a worker is given its jobs").data.clone();
        let words: Vec<&[u8]> = request.split(|&byte| byte == b' ').collect();
        hands.dbd(self.numbers.database, &words);
        Step::Await(Job::AwaitReply)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitReply, Came::Dbd(Ok(Reply::Bulk(value)))) => {
                hands.result(value);
                Step::Done
            }
            (Job::AwaitReply, _) => {
                hands.count("errors", 1);
                Step::Failed
            }
            (Job::AwaitFilled(row), Came::Dbd(Ok(Reply::Simple(_)))) => self.fill(hands, row + 1),
            (Job::AwaitFilled(row), Came::Woke) => self.fill(hands, row),
            (Job::AwaitFilled(row), _) => {
                hands.pause(AGAIN_AFTER);
                Step::Await(Job::AwaitFilled(row))
            }
        }
    }
}

impl Gofers {
    /// Fills a row, if there is one more to fill.
    fn fill(&self, hands: &mut Hands<'_>, row: u64) -> Step<Job> {
        if row == self.numbers.rows {
            return Step::Done;
        }
        let (key, value) = (row_key(row), row_value(row));
        hands.dbd(self.numbers.database, &[b"SET", key.as_bytes(), value.as_bytes()]);
        Step::Await(Job::AwaitFilled(row))
    }
}
