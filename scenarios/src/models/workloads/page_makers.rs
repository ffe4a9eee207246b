//! Workers that compute the page of [`super::stampede`], as jobs under a unique key: that of the
//! page, which is the job's data as well.
//!
//! A worker looks into the cache first: whoever missed the page just before it was there may have
//! submitted its job just after. What is there is the result; otherwise the worker asks the
//! database, stores what it made, and then ends the job, for all who wait for it.
//!
//! Not modelled: a page that cannot be computed, other than a database that does not answer.

use super::stampede::Page;
use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use storytime_machine::Time;
use storytime_memcached::client::Outcome;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    page: Page,
}

/// The workload.
#[derive(Debug)]
pub struct PageMakers {
    numbers: Numbers,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// Whether the page is there.
    AwaitCache,
    /// The database's answer; asked when.
    AwaitRow(Time),
    /// That this page was stored.
    AwaitStored(Bytes),
}

impl Workload for PageMakers {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "page-makers";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "function", "exptime", "fresh", "value"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("computed", Series, "values computed"),
        ("found", Count, "jobs whose value was there"),
    ];
    const NEEDS_DATABASE: bool = true;
    const TAKES_JOBS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let function = fields.text("function", "the name of a function")?.text.into();
        Ok(Numbers {
            servers: JobServers::of_workers(fields, parts, [function], "workers")?,
            page: Page::read(fields)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let key = key(hands);
        hands.get(&key);
        Step::Await(Job::AwaitCache)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let key = key(hands);
        match (job, came) {
            (Job::AwaitCache, Came::Cache(Outcome::Hit(value))) => {
                hands.count("found", 1);
                hands.result(value.data);
                Step::Done
            }
            (Job::AwaitCache, Came::Cache(_)) => {
                hands.count("computed", 1);
                hands.query(&key);
                Step::Await(Job::AwaitRow(hands.now()))
            }
            (Job::AwaitRow(asked), Came::Row(Some(_))) => {
                let value = self.numbers.page.value(hands, asked);
                hands.set(&key, &value, self.numbers.page.exptime);
                Step::Await(Job::AwaitStored(value.into()))
            }
            (Job::AwaitStored(value), Came::Cache(_)) => {
                hands.result(value);
                Step::Done
            }
            _ => Step::Failed,
        }
    }
}

/// The key of the page that is to be made.
fn key(hands: &Hands<'_>) -> String {
    let assigned = hands.assigned().expect("a worker is given its jobs");
    String::from_utf8_lossy(&assigned.data).into_owned()
}
