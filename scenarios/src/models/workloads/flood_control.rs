//! A rate limit in the cache: so many actions of one address in a window of time.
//!
//! | method | an action |
//! |---|---|
//! | `get-set` | reads the counter, passes if it is low enough, writes back one more |
//! | `add-incr` | `add`s the counter, which begins a window; else `incr`s it, passes if it is low enough |
//!
//! The ledger counts for itself, by its own clock: the first pass of an address begins a window,
//! and what passes in it belongs to it. memcached counts whole seconds, so its window is up to a
//! second shorter than it was told; the ledger's is as much shorter. A cache that starts again has
//! forgotten its counters: what passes beyond the limit is counted as extra.
//!
//! Not modelled: actions themselves; while a cache is away its addresses are let through by nobody,
//! and their actions count as failed.

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::Time;
use storytime_memcached::client::{ClientOptions, DeadServer, Outcome};

/// Most addresses.
const ADDRESSES_MAX: u64 = 1_000_000;
/// Longest window, seconds.
const WINDOW_MAX: u64 = 86_400;
/// How much shorter than stated the ledger takes a window to be: the second by which the cache may
/// be early, and a tenth for answers on their way.
const EARLY: Duration = Duration::from_millis(1_100);

/// How actions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read, add one, write back.
    GetSet,
    /// Let the cache count.
    AddIncr,
}

/// Its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    method: Method,
    /// Actions of one address that pass in one window.
    limit: u64,
    /// Length of a window, seconds.
    window: u32,
    addresses: u64,
}

/// The workload.
#[derive(Debug)]
pub struct FloodControl {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
}

/// By address, its present window: when it began, and what has passed.
#[derive(Debug, Default)]
pub struct Ledger {
    windows: Vec<Option<(Time, u64)>>,
}

/// An action, by what it awaits.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    address: u64,
    awaits: Awaits,
}

#[derive(Clone, Copy, Debug)]
enum Awaits {
    /// The counter, to add one to it.
    Counter,
    /// Whether the counter was written back.
    Written,
    /// Whether this action began a window.
    Added,
    /// The counter after this action.
    Counted,
}

impl Workload for FloodControl {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "flood-control";
    const FIELDS: &'static [&'static str] = app_fields!["method", "limit", "window", "addresses"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("passed", Series, "actions let through"),
        ("denied", Series, "actions denied"),
        ("windows", Count, "windows"),
        ("windows_exact", Share, "windows in which exactly the limit passed"),
        ("windows_over", Count, "windows with more than the limit"),
        ("windows_under", Count, "windows with less than the limit"),
        ("extra", Count, "actions beyond the limit"),
    ];
    const NEEDS_DATABASE: bool = false;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let methods = [("get-set", Method::GetSet), ("add-incr", Method::AddIncr)];
        Ok(Numbers {
            method: fields.choice("method", &methods, None)?,
            limit: fields.integer("limit", 1..=1_000_000, None)?,
            window: fields.integer("window", 2..=WINDOW_MAX, None)? as u32,
            addresses: fields.integer("addresses", 1..=ADDRESSES_MAX, None)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        lock(&ledger).windows.resize(numbers.addresses as usize, None);
        Self { numbers, ledger }
    }

    /// A server that is away must not look like a counter that is there.
    fn tune(_numbers: &Numbers, options: &mut ClientOptions) {
        options.dead_server = DeadServer::Fail;
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let address = hands.rng().below(self.numbers.addresses);
        self.count_from_the_beginning(hands, address)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let Numbers { limit, window, .. } = self.numbers;
        let Job { address, awaits } = job;
        let key = hands.key(&format!("flood:{address}"));
        let Came::Cache(outcome) = came else { unreachable!("{job:?} does not await {came:?}") };
        match (awaits, outcome) {
            (Awaits::Counter, Outcome::Hit(value)) => {
                let count: u64 = String::from_utf8_lossy(&value.data).parse().unwrap_or(0);
                if count >= limit {
                    return Self::deny(hands);
                }
                hands.set(&key, (count + 1).to_string().as_bytes(), window);
                Step::Await(Job { address, awaits: Awaits::Written })
            }
            (Awaits::Counter, Outcome::Miss) => {
                hands.set(&key, b"1", window);
                Step::Await(Job { address, awaits: Awaits::Written })
            }
            (Awaits::Added, Outcome::NotStored) => {
                hands.incr(&key, 1);
                Step::Await(Job { address, awaits: Awaits::Counted })
            }
            (Awaits::Counted, Outcome::Number(count)) if count > limit => Self::deny(hands),
            // The window ended between the two.
            (Awaits::Counted, Outcome::NotFound) => self.count_from_the_beginning(hands, address),
            (Awaits::Written | Awaits::Added, Outcome::Stored)
            | (Awaits::Counted, Outcome::Number(_)) => {
                self.passed(hands, address);
                Step::Done
            }
            _ => Step::Failed,
        }
    }

    /// The first host closes the books on the windows that are over.
    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() == 0 {
            let ledger = Arc::clone(&self.ledger);
            for window in &mut lock(&ledger).windows {
                if let Some((began, passed)) = window.take()
                    && self.is_over(hands.now(), began)
                {
                    self.close(hands, passed);
                }
            }
        }
        Step::Done
    }
}

impl FloodControl {
    fn count_from_the_beginning(&self, hands: &mut Hands<'_>, address: u64) -> Step<Job> {
        let key = hands.key(&format!("flood:{address}"));
        let awaits = match self.numbers.method {
            Method::GetSet => {
                hands.get(&key);
                Awaits::Counter
            }
            Method::AddIncr => {
                hands.add(&key, b"1", self.numbers.window);
                Awaits::Added
            }
        };
        Step::Await(Job { address, awaits })
    }

    fn deny(hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("denied", 1);
        Step::Done
    }

    fn is_over(&self, now: Time, began: Time) -> bool {
        now.since(began) + EARLY >= Duration::from_secs(self.numbers.window.into())
    }

    fn passed(&self, hands: &mut Hands<'_>, address: u64) {
        hands.count("passed", 1);
        let ledger = Arc::clone(&self.ledger);
        let window = &mut lock(&ledger).windows[address as usize];
        match window {
            Some((began, passed)) if !self.is_over(hands.now(), *began) => *passed += 1,
            _ => {
                if let Some((_, passed)) = window.replace((hands.now(), 1)) {
                    self.close(hands, passed);
                }
            }
        }
    }

    fn close(&self, hands: &mut Hands<'_>, passed: u64) {
        let limit = self.numbers.limit;
        hands.count("windows", 1);
        hands.share("windows_exact", u64::from(passed == limit), 1);
        hands.count("windows_over", u64::from(passed > limit));
        hands.count("windows_under", u64::from(passed < limit));
        hands.count("extra", passed.saturating_sub(limit));
    }
}
