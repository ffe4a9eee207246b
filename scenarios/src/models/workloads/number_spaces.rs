//! Numbering things: by one counter for all, or by a counter of each user's own.
//!
//! | method | a new thing | its key |
//! |---|---|---|
//! | `global` | `INCR` of the database that the page happens to write to | the number |
//! | `own` | `ROW.NEXT` of the user, on the one database that the user lives on | user and number |
//!
//! When no more things come, everything of the other databases is brought together on the first, as
//! when clusters are merged. A row that meets another one under its key is a collision, as is a
//! number that was handed out twice.
//!
//! Not modelled: moving users while they write (see the mover), several tables.

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::KEYS_MAX;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::read::{Parts, sites, work};
use crate::{app_fields, app_metrics};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use storytime_database::Reply;

/// The table of things.
const TABLE: &[u8] = b"things";
/// The counter of all things.
const COUNTER: &[u8] = b"next-thing";
/// The owner of all things that have one number space.
const EVERYBODY: u32 = 0;

/// How things get their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By one counter.
    Global,
    /// By a counter of each user's own.
    Own,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Hosts that are written to.
    pub databases: Vec<usize>,
    /// Users, numbered from 1.
    pub population: u32,
    /// How things get their numbers.
    pub method: Method,
}

/// What all hosts know together: the keys that were handed out, owner and number.
#[derive(Debug, Default)]
pub struct Ledger {
    keys: BTreeSet<(u32, i64)>,
    things: u64,
}

/// A row on its way to the first database.
#[derive(Clone, Debug)]
pub struct Row {
    owner: u32,
    number: Vec<u8>,
    value: Vec<u8>,
}

/// The workload.
#[derive(Debug)]
pub struct NumberSpaces {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The number of a user's new thing, from a database.
    AwaitNumber {
        /// Whose.
        user: u32,
        /// Which database.
        host: usize,
    },
    /// That it was stored.
    AwaitStored,
    /// The rows of an owner, from a database.
    AwaitRange {
        /// Which of the databases, by its place in the list.
        from: usize,
        /// Whose rows.
        owner: u32,
    },
    /// That a row was stored on the first database, if nothing was there.
    AwaitMerged {
        /// Where the rows come from, and whose they are.
        at: (usize, u32),
        /// The row.
        row: Row,
        /// Those behind it.
        rest: VecDeque<Row>,
    },
    /// What is there in its place.
    AwaitOther {
        /// Where the rows come from, and whose they are.
        at: (usize, u32),
        /// The row.
        row: Row,
        /// Those behind it.
        rest: VecDeque<Row>,
    },
}

impl Workload for NumberSpaces {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "number-spaces";
    const FIELDS: &'static [&'static str] =
        app_fields!["databases", "population", "method", "keep", "connections"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("collisions", Count, "numbers handed out twice"),
        ("merged", Count, "rows brought together"),
        ("merge_collisions", Count, "rows that met another one"),
        ("errors", Count, "errors of databases"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let databases = work::some_hosts(fields, "databases", parts)?;
        let span = &fields.required("databases", "")?.span;
        databases.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
        let methods = [("global", Method::Global), ("own", Method::Own)];
        Ok(Numbers {
            databases,
            population: fields.integer("population", 1..=KEYS_MAX, None)? as u32,
            method: fields.choice("method", &methods, None)?,
        })
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let user = hands.rng().below(u64::from(self.numbers.population)) as u32 + 1;
        let databases = &self.numbers.databases;
        let host = match self.numbers.method {
            Method::Global => databases[hands.rng().index(databases.len())],
            Method::Own => databases[user as usize % databases.len()],
        };
        match self.numbers.method {
            Method::Global => hands.dbd(host, &[b"INCR", COUNTER]),
            Method::Own => {
                hands.dbd(host, &[b"ROW.NEXT", TABLE, user.to_string().as_bytes()]);
            }
        }
        Step::Await(Job::AwaitNumber { user, host })
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        let Came::Dbd(outcome) = came else { unreachable!("{job:?} does not await {came:?}") };
        let reply = match outcome {
            Ok(Reply::Error(_)) | Err(_) => {
                hands.count("errors", 1);
                return Step::Failed;
            }
            Ok(reply) => reply,
        };
        match job {
            Job::AwaitNumber { user, host } => self.store(hands, user, host, &reply),
            Job::AwaitStored => Step::Done,
            Job::AwaitRange { from, owner } => {
                let rows = rows_of(owner, &reply);
                self.merge(hands, (from, owner), rows)
            }
            Job::AwaitMerged { at, row, rest } => {
                if reply != Reply::Nil {
                    hands.count("merged", 1);
                    return self.merge(hands, at, rest);
                }
                let owner = row.owner.to_string();
                let words = [b"ROW.GET", TABLE, owner.as_bytes(), &row.number[..]];
                hands.dbd(self.numbers.databases[0], &words);
                Step::Await(Job::AwaitOther { at, row, rest })
            }
            Job::AwaitOther { at, row, rest } => {
                let there = match &reply {
                    Reply::Array(parts) => parts.get(1),
                    _ => None,
                };
                // The same row may have come by replication.
                let same = matches!(there, Some(Reply::Bulk(value)) if value[..] == row.value[..]);
                hands.count("merge_collisions", u64::from(!same));
                self.merge(hands, at, rest)
            }
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        self.next_range(hands, (1, self.first_owner()))
    }
}

impl NumberSpaces {
    fn first_owner(&self) -> u32 {
        match self.numbers.method {
            Method::Global => EVERYBODY,
            Method::Own => 1,
        }
    }

    fn last_owner(&self) -> u32 {
        match self.numbers.method {
            Method::Global => EVERYBODY,
            Method::Own => self.numbers.population,
        }
    }

    fn store(&self, hands: &mut Hands<'_>, user: u32, host: usize, number: &Reply) -> Step<Job> {
        let Reply::Integer(number) = *number else { return Step::Failed };
        let owner = match self.numbers.method {
            Method::Global => EVERYBODY,
            Method::Own => user,
        };
        let (fresh, thing) = {
            let mut ledger = lock(&self.ledger);
            ledger.things += 1;
            (ledger.keys.insert((owner, number)), ledger.things)
        };
        hands.count("collisions", u64::from(!fresh));
        let value = format!("thing {thing} of user {user}");
        let (owner, number) = (owner.to_string(), number.to_string());
        let words = [b"ROW.PUT", TABLE, owner.as_bytes(), number.as_bytes(), value.as_bytes()];
        hands.dbd(host, &words);
        Step::Await(Job::AwaitStored)
    }

    /// Reads the rows of an owner, on one of the databases behind the first.
    fn next_range(&self, hands: &mut Hands<'_>, (from, owner): (usize, u32)) -> Step<Job> {
        let Some(&host) = self.numbers.databases.get(from) else { return Step::Done };
        hands.dbd(host, &[b"ROW.RANGE", TABLE, owner.to_string().as_bytes(), b"-", b"+"]);
        Step::Await(Job::AwaitRange { from, owner })
    }

    /// Brings the next row to the first database; behind the last, the next owner's.
    fn merge(&self, hands: &mut Hands<'_>, at: (usize, u32), mut rest: VecDeque<Row>) -> Step<Job> {
        let Some(row) = rest.pop_front() else {
            let (from, owner) = at;
            let next = if owner < self.last_owner() {
                (from, owner + 1)
            } else {
                (from + 1, self.first_owner())
            };
            return self.next_range(hands, next);
        };
        let owner = row.owner.to_string();
        let words = [b"ROW.PUT", TABLE, owner.as_bytes(), &row.number[..], &row.value[..], b"NX"];
        hands.dbd(self.numbers.databases[0], &words);
        Step::Await(Job::AwaitMerged { at, row, rest })
    }
}

/// The rows of a range: number, version, value.
fn rows_of(owner: u32, reply: &Reply) -> VecDeque<Row> {
    let Reply::Array(rows) = reply else { return VecDeque::new() };
    let row = |row: &Reply| {
        let Reply::Array(parts) = row else { return None };
        let number = match parts.first()? {
            Reply::Integer(number) => number.to_string().into_bytes(),
            Reply::Bulk(number) => number.to_vec(),
            _ => return None,
        };
        let Reply::Bulk(value) = parts.get(2)? else { return None };
        Some(Row { owner, number, value: value.to_vec() })
    };
    rows.iter().filter_map(row).collect()
}
