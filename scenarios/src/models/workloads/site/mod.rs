//! Application servers of a site: a job builds one page of a class.
//!
//! ```text
//!  half of its CPU ──► where does the user live? ──► reads ──► writes ──► looks ──► the other half
//!                      (classes of-the-user)
//! ```
//!
//! Reads go to any of the databases that a cluster reads from, writes to its master. A read that a
//! database did not answer is asked of another one, once. With a directory, a user is looked up by
//! name, then the user's place: two requests, as a site without caches does.
//!
//! Not modelled: the pages' content, transactions, caches (see the caching workloads).

mod job;
mod numbers;
mod seed;

pub use job::{Job, Stage};
pub use numbers::Numbers;

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::visits::Visits;
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The workload.
#[derive(Debug)]
pub struct Site {
    numbers: Numbers,
    visits: Visits,
    part: u32,
    /// Where users live, as far as this web server has looked it up and keeps it.
    places: BTreeMap<u32, u64>,
}

impl Workload for Site {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "site";
    const FIELDS: &'static [&'static str] = app_fields![
        "listen",
        "day",
        "day_length",
        "classes",
        "population",
        "skew",
        "power_users",
        "power_share",
        "keep",
        "connections",
        "directory",
        "user_clusters",
        "keep_places",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("reads", Series, "rows read"),
        ("writes", Series, "rows written"),
        ("read_time", Latency, "time of a read"),
        ("write_time", Latency, "time of a write"),
        ("errors", Series, "errors of databases"),
        ("too_many", Series, "too many connections"),
        ("unanswered", Series, "requests that no database answered"),
        ("stale", ShareCurve("ms after the write"), "reads that did not see the write"),
        ("failed_by_class", ShareCurve("class"), "pages that failed"),
        ("failed_by_cluster", ShareCurve("cluster"), "pages that failed"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        Numbers::read(fields, parts)
    }

    fn new(numbers: Numbers, part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { visits: Visits::new(numbers.visits.clone()), numbers, part, places: BTreeMap::new() }
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        match (self.part, self.numbers.directory) {
            (0, Some(directory)) => self.await_directory(hands, directory),
            _ => Step::Done,
        }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let asked = match hands.path() {
            Some(path) => self.visits.of_path(path),
            None => Some(self.visits.draw(hands.rng())),
        };
        // A path that is none of this site's.
        let Some((class, user)) = asked else { return Step::Failed };
        self.enter(hands, class, user)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        self.go_on(hands, job, came)
    }
}
