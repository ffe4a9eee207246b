//! Reading rows of a database.
//!
//! | method | a read |
//! |---|---|
//! | `no-cache` | asks the database |
//! | `by-hand` | asks the cache; whoever misses asks the database and stores the row |
//! | `callback` | asks the client, which calls back for what is not found, stores it and returns it; one callback serves all who ask that client meanwhile |
//!
//! Not modelled: writes. Two hosts that miss the same key at once each read it; see
//! [`super::stampede`].

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload};
use crate::models::keys::Keys;
use crate::read::{Parts, work};
use crate::story::Skew;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{FillId, Outcome};

/// Longest lifetime of an item that is no date, seconds: thirty days.
const EXPTIME_MAX: u64 = 2_592_000;

/// How a row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// From the database.
    NoCache,
    /// From the cache, and on a miss from the database by each reader.
    ByHand,
    /// From the cache, and on a miss by the client's callback.
    Callback,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// How many rows there are.
    pub keys: u32,
    /// Which rows are asked for.
    pub skew: Skew,
    /// Lifetime of a cached row, seconds; 0 for ever.
    pub exptime: u32,
    /// How they are read.
    pub method: Method,
}

/// The workload.
#[derive(Debug)]
pub struct ReadThrough {
    numbers: Numbers,
    keys: Keys,
}

/// A read, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The cache's answer.
    AwaitCache(String),
    /// The row, because the cache did not have it.
    AwaitRow(String),
    /// The row, because the client called back.
    AwaitRowFor(FillId),
    /// The row, from the client.
    AwaitFilled,
    /// The row, because there is no cache.
    AwaitUncached,
    /// That the row was stored.
    AwaitStored,
}

impl Workload for ReadThrough {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "read-through";
    const FIELDS: &'static [&'static str] = app_fields!["keys", "skew", "exptime", "method"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("hit_ratio", Shares, "hit ratio"),
        ("misses", Count, "misses"),
        ("reads_per_miss", Share, "database reads per miss"),
    ];
    const NEEDS_DATABASE: bool = true;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let methods = [
            ("no-cache", Method::NoCache),
            ("by-hand", Method::ByHand),
            ("callback", Method::Callback),
        ];
        Ok(Numbers {
            keys: fields.integer("keys", 1..=KEYS_MAX, None)? as u32,
            skew: fields.choice("skew", work::SKEWS, None)?,
            exptime: fields.integer("exptime", 0..=EXPTIME_MAX, Some(0))? as u32,
            method: fields.choice("method", &methods, Some(Method::ByHand))?,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { keys: Keys::new(numbers.skew, numbers.keys), numbers }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let row = self.keys.draw(hands.rng());
        let key = hands.key(&format!("row:{row}"));
        match self.numbers.method {
            Method::NoCache => {
                hands.query(&key);
                return Step::Await(Job::AwaitUncached);
            }
            Method::ByHand => hands.get(&key),
            Method::Callback => hands.read_through(&key),
        }
        Step::Await(Job::AwaitCache(key))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitCache(key), Came::Cache(Outcome::Fill(id))) => {
                hands.share("hit_ratio", 0, 1);
                hands.count("misses", 1);
                hands.share("reads_per_miss", 0, 1);
                hands.query(&key);
                Step::Await(Job::AwaitRowFor(id))
            }
            (Job::AwaitRowFor(id), Came::Row(Some(row))) => {
                hands.share("reads_per_miss", 1, 0);
                hands.fill(id, &row, self.numbers.exptime);
                Step::Await(Job::AwaitFilled)
            }
            (Job::AwaitFilled, Came::Cache(Outcome::Hit(_))) => Step::Done,
            (Job::AwaitCache(key), Came::Cache(outcome)) => {
                let hit = matches!(outcome, Outcome::Hit(_));
                hands.share("hit_ratio", u64::from(hit), 1);
                if hit {
                    return Step::Done;
                }
                hands.count("misses", 1);
                hands.share("reads_per_miss", 0, 1);
                hands.query(&key);
                Step::Await(Job::AwaitRow(key))
            }
            (Job::AwaitRow(key), Came::Row(Some(row))) => {
                hands.share("reads_per_miss", 1, 0);
                hands.set(&key, &row, self.numbers.exptime);
                Step::Await(Job::AwaitStored)
            }
            (Job::AwaitUncached, Came::Row(Some(_))) | (Job::AwaitStored, Came::Cache(_)) => {
                Step::Done
            }
            (Job::AwaitFilled, Came::Cache(_)) | (_, Came::Row(None)) => Step::Failed,
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }
}
