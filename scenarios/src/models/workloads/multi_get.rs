//! A page that needs many values, and some work of its own.
//!
//! | method | a page |
//! |---|---|
//! | `one-by-one` | asks for each value when it has the one before, then works |
//! | `multi-get` | asks all servers for all values at once, then works |
//! | `delayed` | asks for all at once, works, and collects what has come meanwhile |
//!
//! Not modelled: what the work is; values that have to be computed (all are warm).

use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_memcached::client::Outcome;

/// Most values of a page.
const PAGE_KEYS_MAX: u64 = 1_000;
/// Longest value, bytes.
const VALUE_BYTES_MAX: u64 = 1_000_000;

/// How a page gets its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One request after the other.
    OneByOne,
    /// One request to each server.
    MultiGet,
    /// The same, collected behind the work.
    Delayed,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    method: Method,
    keys: u64,
    keys_per_page: u64,
    value_bytes: u64,
    /// Work of a page that needs none of the values.
    work: Duration,
}

/// The workload.
#[derive(Debug)]
pub struct MultiGet {
    numbers: Numbers,
}

/// A page, or the warm-up, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// A value; behind it so many more.
    AwaitValue(Vec<String>),
    /// All values; work comes behind.
    AwaitAll,
    /// The end of the work.
    AwaitWork,
    /// The end of the work, and all values, in any order.
    AwaitBoth,
    /// All values; the work is done.
    AwaitCollected,
    /// That so many values were stored.
    AwaitStored(u64),
}

impl Workload for MultiGet {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "multi-get";
    const FIELDS: &'static [&'static str] =
        app_fields!["method", "keys", "keys_per_page", "value", "work"];
    const METRICS: &'static [MetricDef] = app_metrics![("hit_ratio", Shares, "hit ratio")];
    const NEEDS_DATABASE: bool = false;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let methods = [
            ("one-by-one", Method::OneByOne),
            ("multi-get", Method::MultiGet),
            ("delayed", Method::Delayed),
        ];
        Ok(Numbers {
            method: fields.choice("method", &methods, None)?,
            keys: fields.integer("keys", 1..=KEYS_MAX, None)?,
            keys_per_page: fields.integer("keys_per_page", 1..=PAGE_KEYS_MAX, None)?,
            value_bytes: fields.bytes("value", 0..=VALUE_BYTES_MAX)?,
            work: fields.quantity("work", DURATION, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    /// The first host warms the caches.
    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() != 0 {
            return Step::Done;
        }
        let value = vec![b'v'; self.numbers.value_bytes as usize];
        for n in 0..self.numbers.keys {
            hands.set(&hands.key(&format!("part:{n}")), &value, 0);
        }
        Step::Await(Job::AwaitStored(self.numbers.keys))
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let mut keys = Vec::new();
        for _ in 0..self.numbers.keys_per_page {
            let n = hands.rng().below(self.numbers.keys);
            keys.push(hands.key(&format!("part:{n}")));
        }
        match self.numbers.method {
            Method::OneByOne => self.next_value(hands, keys),
            Method::MultiGet => {
                hands.get_many(&keys);
                Step::Await(Job::AwaitAll)
            }
            Method::Delayed => {
                hands.get_many(&keys);
                hands.pause(self.numbers.work);
                Step::Await(Job::AwaitBoth)
            }
        }
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        if let Came::Cache(Outcome::Failed(_) | Outcome::NotAccepted(_)) = came {
            return Step::Failed;
        }
        match (job, came) {
            (Job::AwaitValue(left), Came::Cache(outcome)) => {
                hands.share("hit_ratio", u64::from(matches!(outcome, Outcome::Hit(_))), 1);
                self.next_value(hands, left)
            }
            (Job::AwaitAll, Came::Cache(outcome)) => {
                Self::count_hits(hands, outcome);
                self.work(hands)
            }
            // Whichever comes first, the other is awaited alone.
            (Job::AwaitBoth, Came::Cache(outcome)) => {
                Self::count_hits(hands, outcome);
                Step::Await(Job::AwaitWork)
            }
            (Job::AwaitBoth, Came::Woke) => Step::Await(Job::AwaitCollected),
            (Job::AwaitCollected, Came::Cache(outcome)) => {
                Self::count_hits(hands, outcome);
                Step::Done
            }
            (Job::AwaitWork, Came::Woke) => Step::Done,
            (Job::AwaitStored(1), Came::Cache(_)) => Step::Done,
            (Job::AwaitStored(left), Came::Cache(_)) => Step::Await(Job::AwaitStored(left - 1)),
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }
}

impl MultiGet {
    fn next_value(&self, hands: &mut Hands<'_>, mut left: Vec<String>) -> Step<Job> {
        match left.pop() {
            Some(key) => {
                hands.get(&key);
                Step::Await(Job::AwaitValue(left))
            }
            None => self.work(hands),
        }
    }

    fn work(&self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.pause(self.numbers.work);
        Step::Await(Job::AwaitWork)
    }

    fn count_hits(hands: &mut Hands<'_>, outcome: Outcome) {
        let Outcome::Many(values) = outcome else { return };
        let hits = values.iter().filter(|value| matches!(value, Outcome::Hit(_))).count();
        hands.share("hit_ratio", hits as u64, values.len() as u64);
    }
}
