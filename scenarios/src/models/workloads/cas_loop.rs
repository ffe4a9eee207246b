//! Everybody appends to one list: read it, add an entry, write it back.
//!
//! | method | writes back | if somebody was faster |
//! |---|---|---|
//! | `get-set` | with `set` | their entry is lost |
//! | `gets-cas` | with `cas`, over the version that was read | it begins again |
//!
//! The ledger knows every entry whose append was acknowledged; at rest the first host reads the
//! list and counts those that are not in it.
//!
//! Not modelled: a list that is ever shortened; an append whose outcome is unknown, or whose server
//! is away, counts as failed and is not tried again.

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{ClientOptions, DeadServer, Outcome};

/// The name of the key.
const LIST: &str = "ip_block";

/// How the list is written back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Whatever is there by then.
    GetSet,
    /// Only over what was read.
    GetsCas,
}

/// The workload.
#[derive(Debug)]
pub struct CasLoop {
    method: Method,
    ledger: Arc<Mutex<Ledger>>,
}

/// What was acknowledged.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The number of the next entry.
    next: u64,
    acknowledged: BTreeSet<u64>,
}

/// An append, or the check, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The list, to add this entry to it.
    AwaitList(u64),
    /// Whether it was stored with this entry.
    AwaitStored(u64),
    /// The list, to compare it with the ledger.
    AwaitCheck,
}

impl Workload for CasLoop {
    type Numbers = Method;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "cas-loop";
    const FIELDS: &'static [&'static str] = app_fields!["method"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("appended", Series, "appends acknowledged"),
        ("in_list", Series, "of these in the list"),
        ("lost", Series, "lost updates"),
        ("retries", Series, "retries"),
    ];
    const NEEDS_DATABASE: bool = false;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Method> {
        let methods = [("get-set", Method::GetSet), ("gets-cas", Method::GetsCas)];
        fields.choice("method", &methods, None)
    }

    fn new(method: Method, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { method, ledger }
    }

    /// A server that is away must not look like a list that somebody else has just changed: the
    /// loop would begin again at once, and for ever.
    fn tune(_numbers: &Method, options: &mut ClientOptions) {
        options.dead_server = DeadServer::Fail;
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let entry = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            ledger.next
        };
        self.read_list(hands, entry)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let key = hands.key(LIST);
        match (job, came) {
            (Job::AwaitList(entry), Came::Cache(Outcome::Hit(list))) => {
                let longer = [&list.data[..], format!("{entry} ").as_bytes()].concat();
                match self.method {
                    Method::GetSet => hands.set(&key, &longer, 0),
                    Method::GetsCas => hands.cas(&key, &longer, 0, list.cas),
                }
                Step::Await(Job::AwaitStored(entry))
            }
            (Job::AwaitList(entry), Came::Cache(Outcome::Miss)) => {
                let first = format!("{entry} ");
                match self.method {
                    Method::GetSet => hands.set(&key, first.as_bytes(), 0),
                    Method::GetsCas => hands.add(&key, first.as_bytes(), 0),
                }
                Step::Await(Job::AwaitStored(entry))
            }
            (Job::AwaitStored(entry), Came::Cache(Outcome::Stored)) => {
                lock(&self.ledger).acknowledged.insert(entry);
                hands.count("appended", 1);
                Step::Done
            }
            (
                Job::AwaitStored(entry),
                Came::Cache(Outcome::Exists | Outcome::NotStored | Outcome::NotFound),
            ) => {
                hands.count("retries", 1);
                self.read_list(hands, entry)
            }
            (Job::AwaitCheck, Came::Cache(outcome)) => {
                self.compare(hands, outcome);
                Step::Done
            }
            _ => Step::Failed,
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() != 0 {
            return Step::Done;
        }
        let key = hands.key(LIST);
        hands.get(&key);
        Step::Await(Job::AwaitCheck)
    }
}

impl CasLoop {
    fn read_list(&self, hands: &mut Hands<'_>, entry: u64) -> Step<Job> {
        let key = hands.key(LIST);
        match self.method {
            Method::GetSet => hands.get(&key),
            Method::GetsCas => hands.gets(&key),
        }
        Step::Await(Job::AwaitList(entry))
    }

    fn compare(&self, hands: &mut Hands<'_>, outcome: Outcome) {
        let data = outcome.value().map(|list| list.data).unwrap_or_default();
        let text = String::from_utf8_lossy(&data);
        let listed: BTreeSet<u64> = text.split(' ').filter_map(|n| n.parse().ok()).collect();
        let ledger = lock(&self.ledger);
        let kept = ledger.acknowledged.intersection(&listed).count() as u64;
        hands.count("in_list", kept);
        hands.count("lost", ledger.acknowledged.len() as u64 - kept);
    }
}
