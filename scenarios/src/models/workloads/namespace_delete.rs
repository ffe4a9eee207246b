//! Rows of one namespace in the cache, which are all to go at once; and rows beside them, which are
//! to stay.
//!
//! | method | a row's key | to clear |
//! |---|---|---|
//! | `generation` | carries a number that stands under a key of its own | that number is counted up |
//! | `delete-each` | is its name | every key is deleted, one after the other |
//!
//! A row carries the state of the data it was computed from. The ledger knows the present state, so
//! a read is seen to be stale: it began after the clearing was asked for and got an older row. At
//! rest the first host looks for the keys that were in the namespace when it was cleared.
//!
//! Not modelled: a number that begins anew after its key was lost (it is read with every row, so it
//! is the last to be evicted); jobs while the cache is away count as failed.

use crate::diagnostic::Checked;
use crate::fields::{Fields, SHARE};
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::models::keys::Keys;
use crate::read::{Parts, work};
use crate::story::Skew;
use crate::units::Millionths;
use crate::{app_fields, app_metrics};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use storytime_machine::Time;
use storytime_memcached::client::{ClientOptions, DeadServer, Outcome};

/// The key of the number.
const GENERATION: &str = "foo_namespace_key";
/// The number begins somewhere from 1 to here.
const GENERATION_FIRST_MAX: u64 = 10_000;
/// Keys that the check asks for at once.
const CHECKED_AT_ONCE: usize = 100;

/// Room for the state in a row, bytes: a number and a blank.
const STATE_BYTES_MAX: u64 = 21;
/// Longest row, bytes.
const VALUE_BYTES_MAX: u64 = 1_000_000;

/// How the namespace is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By counting up.
    Generation,
    /// By deleting each key.
    DeleteEach,
}

/// Its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    method: Method,
    /// Rows in the namespace.
    items: u64,
    /// Rows beside it.
    others: u32,
    /// Which of those are read.
    skew: Skew,
    /// Length of a row, bytes.
    value_bytes: u64,
    /// Share of reads that are beside it.
    beside: Millionths,
}

/// The workload.
#[derive(Debug)]
pub struct NamespaceDelete {
    numbers: Numbers,
    others: Keys,
    ledger: Arc<Mutex<Ledger>>,
}

/// The state of the data, and what was stored.
#[derive(Debug, Default)]
pub struct Ledger {
    state: u64,
    /// Keys in the namespace that were stored since it was last cleared.
    stored: BTreeSet<String>,
    /// Those that had been when it was cleared.
    dead: Vec<String>,
}

/// A row on its way.
#[derive(Debug)]
pub struct Row {
    key: String,
    /// Whether it is in the namespace.
    inside: bool,
    /// The state of the data when the read began.
    state: u64,
}

/// A job by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The number; then this item is read.
    AwaitGeneration(u64, u64),
    /// Whether this job's first number was taken; then this item is read.
    AwaitFirst(u64, u64),
    /// The row, in the cache.
    AwaitItem(Row),
    /// The row, from the database: its state was that of the question.
    AwaitRow(Row),
    /// That the row was stored.
    AwaitStored,
    /// That the number was counted up.
    AwaitBumped(Time),
    /// That so many keys are still to be deleted.
    AwaitDeleted(Time, u64),
    /// Some of the dead keys, from this one on.
    AwaitChecked(usize),
}

impl Workload for NamespaceDelete {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "namespace-delete";
    const FIELDS: &'static [&'static str] =
        app_fields!["method", "items", "others", "skew", "value", "beside"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("hit_ratio", Shares, "hit ratio in the namespace"),
        ("others_hit_ratio", Shares, "hit ratio beside it"),
        ("stale", Series, "stale reads"),
        ("clear_time", Latency, "time to clear"),
        ("dead", Count, "keys cleared"),
        ("dead_left", Count, "of these still in memory"),
    ];
    const NEEDS_DATABASE: bool = true;
    const VERBS: &'static [&'static str] = &["clear"];

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let methods = [("generation", Method::Generation), ("delete-each", Method::DeleteEach)];
        Ok(Numbers {
            method: fields.choice("method", &methods, None)?,
            items: fields.integer("items", 1..=KEYS_MAX, None)?,
            others: fields.integer("others", 1..=KEYS_MAX, None)? as u32,
            skew: fields.choice("skew", work::SKEWS, None)?,
            value_bytes: fields.bytes("value", STATE_BYTES_MAX..=VALUE_BYTES_MAX)?,
            beside: fields.quantity("beside", SHARE, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { others: Keys::new(numbers.skew, numbers.others), numbers, ledger }
    }

    /// A server that is away must not look like a number that somebody else has just stored: it
    /// would be read again at once, and for ever.
    fn tune(_numbers: &Numbers, options: &mut ClientOptions) {
        options.dead_server = DeadServer::Fail;
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let state = lock(&self.ledger).state;
        if hands.rng().below(Millionths::ONE.0) < self.numbers.beside.0 {
            let other = self.others.draw(hands.rng());
            let key = hands.key(&format!("bar_{other}"));
            return Self::get_item(hands, Row { key, inside: false, state });
        }
        let item = hands.rng().below(self.numbers.items);
        match self.numbers.method {
            Method::Generation => Self::get_generation(hands, item, state),
            Method::DeleteEach => {
                let key = hands.key(&format!("foo_{item}"));
                Self::get_item(hands, Row { key, inside: true, state })
            }
        }
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitGeneration(item, state), Came::Cache(Outcome::Hit(number))) => {
                let number = String::from_utf8_lossy(&number.data);
                let key = hands.key(&format!("foo_{number}_{item}"));
                Self::get_item(hands, Row { key, inside: true, state })
            }
            (Job::AwaitGeneration(item, state), Came::Cache(Outcome::Miss)) => {
                let first = hands.rng().between(1, GENERATION_FIRST_MAX);
                hands.add(&hands.key(GENERATION), first.to_string().as_bytes(), 0);
                Step::Await(Job::AwaitFirst(item, state))
            }
            // Stored or not, somebody's number is there now.
            (Job::AwaitFirst(item, state), Came::Cache(Outcome::Stored | Outcome::NotStored)) => {
                Self::get_generation(hands, item, state)
            }
            (Job::AwaitItem(row), Came::Cache(outcome @ (Outcome::Hit(_) | Outcome::Miss))) => {
                self.item_came(hands, row, &outcome)
            }
            (Job::AwaitRow(row), Came::Row(Some(_))) => {
                let value = self.value(row.state);
                hands.set(&row.key, &value, 0);
                if row.inside {
                    lock(&self.ledger).stored.insert(row.key);
                }
                Step::Await(Job::AwaitStored)
            }
            (Job::AwaitStored, Came::Cache(_)) => Step::Done,
            (Job::AwaitBumped(asked), Came::Cache(Outcome::Number(_))) => {
                hands.time_since("clear_time", asked);
                Step::Done
            }
            (Job::AwaitDeleted(asked, left), Came::Cache(_)) => {
                Self::delete_next(hands, asked, left)
            }
            (Job::AwaitChecked(from), Came::Cache(Outcome::Many(values))) => {
                let state = lock(&self.ledger).state;
                let is_old =
                    |v: &&Outcome| matches!(v, Outcome::Hit(row) if state_of(&row.data) < state);
                let left = values.iter().filter(is_old).count();
                hands.count("dead_left", left as u64);
                self.check_from(hands, from + values.len())
            }
            _ => Step::Failed,
        }
    }

    /// The data has changed, and the first host clears the namespace.
    fn told(&mut self, hands: &mut Hands<'_>, _verb: &'static str) -> Step<Job> {
        if hands.part() != 0 {
            return Step::Done;
        }
        {
            let mut ledger = lock(&self.ledger);
            ledger.state += 1;
            ledger.dead = std::mem::take(&mut ledger.stored).into_iter().collect();
            hands.count("dead", ledger.dead.len() as u64);
        }
        let now = hands.now();
        match self.numbers.method {
            Method::Generation => {
                hands.incr(&hands.key(GENERATION), 1);
                Step::Await(Job::AwaitBumped(now))
            }
            Method::DeleteEach => Self::delete_next(hands, now, self.numbers.items),
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() == 0 { self.check_from(hands, 0) } else { Step::Done }
    }
}

impl NamespaceDelete {
    /// A row of the data in a state.
    fn value(&self, state: u64) -> Vec<u8> {
        let mut value = format!("{state} ").into_bytes();
        value.resize(self.numbers.value_bytes as usize, b'.');
        value
    }

    fn get_generation(hands: &mut Hands<'_>, item: u64, state: u64) -> Step<Job> {
        hands.get(&hands.key(GENERATION));
        Step::Await(Job::AwaitGeneration(item, state))
    }

    fn get_item(hands: &mut Hands<'_>, row: Row) -> Step<Job> {
        hands.get(&row.key);
        Step::Await(Job::AwaitItem(row))
    }

    fn item_came(&self, hands: &mut Hands<'_>, row: Row, outcome: &Outcome) -> Step<Job> {
        let ratio = if row.inside { "hit_ratio" } else { "others_hit_ratio" };
        let Outcome::Hit(value) = outcome else {
            hands.share(ratio, 0, 1);
            hands.query(&row.key);
            // What the database reads is the state of now.
            let state = lock(&self.ledger).state;
            return Step::Await(Job::AwaitRow(Row { state, ..row }));
        };
        hands.share(ratio, 1, 1);
        if row.inside && state_of(&value.data) < row.state {
            hands.count("stale", 1);
        }
        Step::Done
    }

    fn delete_next(hands: &mut Hands<'_>, asked: Time, left: u64) -> Step<Job> {
        if left == 0 {
            hands.time_since("clear_time", asked);
            return Step::Done;
        }
        hands.delete(&hands.key(&format!("foo_{}", left - 1)));
        Step::Await(Job::AwaitDeleted(asked, left - 1))
    }

    fn check_from(&self, hands: &mut Hands<'_>, from: usize) -> Step<Job> {
        let ledger = lock(&self.ledger);
        let keys: Vec<String> = ledger.dead[from..].iter().take(CHECKED_AT_ONCE).cloned().collect();
        if keys.is_empty() {
            return Step::Done;
        }
        hands.get_many(&keys);
        Step::Await(Job::AwaitChecked(from))
    }
}

/// The state that a row was computed from.
fn state_of(row: &[u8]) -> u64 {
    let head = String::from_utf8_lossy(&row[..row.len().min(STATE_BYTES_MAX as usize)]);
    head.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
