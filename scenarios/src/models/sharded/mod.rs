//! Application servers of a site whose users are spread over shards.
//!
//! The first host makes the users and their first rows before all else: leave time for that with
//! `warmup`. Power users are spread evenly where there is a directory, which can do that; elsewhere
//! they are where their numbers put them.
//!
//! Every answer is compared with what was told before its question: a list that lacks a row that
//! was told to be there, a count that is too low, a row of an older version are *stale*. Nobody in
//! a real site knows that; here a ledger does, which all hosts share.
//!
//! Not modelled: users who come and go, moves (see the mover), pages.

mod numbers;

pub use numbers::{Mix, Numbers, SchemeName};

use crate::diagnostic::Checked;
use crate::fields::Fields;
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Shards, Step, Workload, lock};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::{Endpoint, Time};
use storytime_sharding::{
    Change, Error, Outcome, Query, Request, Row, ShardId, ShardingCounters, UserId,
};

/// Most users of one load: each has rows before the first job.
pub const USERS_MAX: u64 = 100_000;
/// Requests of the preparation under way at once.
const PREPARE_AT_ONCE: usize = 32;
/// Users that one request of the preparation makes.
const PREPARE_USERS: u32 = 1_024;
/// How long one request of the preparation may take.
const PREPARE_TIME: Duration = Duration::from_secs(600);
/// How long databases are given to read their disks, which are empty.
const LOADING_TIME: Duration = Duration::from_millis(200);
const TABLE: Bytes = Bytes::from_static(b"blog");

/// What all hosts know together.
#[derive(Debug, Default)]
pub struct Ledger {
    /// How many rows each user was told to have, and the version of those told.
    users: BTreeMap<u32, Known>,
    /// Jobs by shard.
    by_shard: BTreeMap<u32, u64>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    rows: u64,
    versions: BTreeMap<u64, u64>,
}

/// What a job asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Select,
    Count,
    Create,
    Update,
    Aggregate,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That databases have read their disks.
    Loading,
    /// These users, and those behind the last.
    Users(u32),
    /// These users' first rows, and those behind the last.
    Rows(u32),
    /// An answer.
    Answer(Box<Asked>),
}

/// What was asked, and what was known by then.
#[derive(Debug)]
pub struct Asked {
    kind: Kind,
    user: u32,
    known: Known,
    since: Time,
}

/// The workload.
#[derive(Debug)]
pub struct Sharded {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
    counted: ShardingCounters,
}

impl Workload for Sharded {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "sharded";
    const FIELDS: &'static [&'static str] = app_fields![
        "directory",
        "shards",
        "shards_per_host",
        "scheme",
        "population",
        "rows",
        "list",
        "selects",
        "counts",
        "creates",
        "updates",
        "aggregates",
        "power_users",
        "power_share",
        "at_once",
        "deadline",
        "cached",
        "row_cache",
        "care",
        "revisions",
        "lists_for",
        "hold",
        "keep",
        "connections",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("select_time", Latency, "time of a list with its rows"),
        ("aggregate_time", Latency, "time of a question to all shards"),
        ("write_time", Latency, "time of a write"),
        ("answers", Series, "lists, counts and rows answered"),
        ("stale_lists", Series, "stale lists and counts"),
        ("stale_rows", Series, "stale rows"),
        ("errors", Series, "requests that failed"),
        ("closed", Series, "writes refused by a flag or a move"),
        ("parts", Series, "answers of single shards"),
        ("parts_late", Series, "single shards that were not waited for"),
        ("place_hits", Shares, "places found in the cache"),
        ("list_hits", Shares, "lists found in the cache"),
        ("row_hits", Shares, "rows found in the cache"),
        ("by_shard", Curve("shard"), "jobs"),
        ("failed_by_shard", ShareCurve("shard"), "jobs that failed"),
        ("busiest", Share, "jobs on the busiest shard"),
        ("moved", Share, "users moved if a shard is added"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        Numbers::read(fields, parts)
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger, counted: ShardingCounters::default() }
    }

    fn sharding(numbers: &Numbers, databases: &[Option<Endpoint>]) -> Option<Shards> {
        Some(numbers.sharding(databases))
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        hands.pause(LOADING_TIME);
        Step::Await(Job::Loading)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let user = self.draw_user(hands);
        let kind = self.draw_kind(hands);
        let (request, known) = self.request(hands, kind, user);
        hands.shards(request);
        Step::Await(Job::Answer(Box::new(Asked { kind, user, known, since: hands.now() })))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::Loading, _) if self.numbers.scheme == SchemeName::Directory => {
                self.make_users(hands, 1)
            }
            (Job::Loading, _) => self.make_rows(hands, 1),
            (Job::Users(behind), _) if behind <= self.numbers.population => {
                self.make_users(hands, behind)
            }
            (Job::Users(_), _) => self.make_rows(hands, 1),
            (Job::Rows(behind), Came::Shards(outcome)) => {
                self.rows_made(&outcome, behind);
                if behind <= self.numbers.population {
                    return self.make_rows(hands, behind);
                }
                self.counted = hands.shard_counters();
                Step::Done
            }
            (Job::Answer(asked), Came::Shards(outcome)) => {
                self.count_hits(hands);
                self.answered(hands, &asked, outcome)
            }
            (Job::Rows(_) | Job::Answer(_), _) => Step::Failed,
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part == 0 {
            let ledger = lock(&self.ledger);
            let all: u64 = ledger.by_shard.values().sum();
            let most = ledger.by_shard.values().max().copied().unwrap_or(0);
            hands.share("busiest", most, all.max(1));
            hands.share("moved", self.moved(), self.numbers.population.into());
        }
        Step::Done
    }
}

impl Sharded {
    /// The users of one request of the preparation.
    fn some_users(&self, first: u32) -> std::ops::Range<u32> {
        first..(first + PREPARE_USERS).min(self.numbers.population + 1)
    }

    fn make_users(&self, hands: &mut Hands<'_>, first: u32) -> Step<Job> {
        let users = self.some_users(first);
        let behind = users.end;
        // Numbers are given out in whatever order: each decides on a shard, as `shard_of` knows.
        let make =
            |user: u32| Request::Register { name: Bytes::from(format!("user{user}")), shard: None };
        fan_out(hands, users.map(make).collect(), PREPARE_AT_ONCE);
        Step::Await(Job::Users(behind))
    }

    fn make_rows(&self, hands: &mut Hands<'_>, first: u32) -> Step<Job> {
        let users = self.some_users(first);
        let behind = users.end;
        let make = |user: u32| Request::Write {
            user: UserId(user.into()),
            changes: (0..self.numbers.rows).map(|_| create("first")).collect(),
            index: None,
        };
        fan_out(hands, users.map(make).collect(), PREPARE_AT_ONCE);
        Step::Await(Job::Rows(behind))
    }

    fn rows_made(&self, outcome: &Result<Outcome, Error>, behind: u32) {
        let Ok(Outcome::Parts(parts)) = outcome else { return };
        let first = behind - parts.len() as u32;
        let mut ledger = lock(&self.ledger);
        for (user, part) in (first..).zip(parts) {
            if let Some(Ok(Outcome::Written(written))) = part {
                let known = ledger.users.entry(user).or_default();
                known.rows += written.rows.len() as u64;
                known.versions.extend(written.rows.iter().copied());
            }
        }
    }

    fn draw_user(&self, hands: &mut Hands<'_>) -> u32 {
        let users = match self.numbers.power {
            Some((users, share)) if hands.rng().chance(share) => users,
            _ => self.numbers.population,
        };
        1 + hands.rng().below(users.into()) as u32
    }

    fn draw_kind(&self, hands: &mut Hands<'_>) -> Kind {
        let mix = &self.numbers.mix;
        let all = [
            (Kind::Select, mix.selects),
            (Kind::Count, mix.counts),
            (Kind::Create, mix.creates),
            (Kind::Update, mix.updates),
            (Kind::Aggregate, mix.aggregates),
        ];
        let sum: u64 = all.iter().map(|(_, weight)| weight).sum();
        let mut pick = hands.rng().below(sum.max(1));
        for (kind, weight) in all {
            if pick < weight {
                return kind;
            }
            pick -= weight;
        }
        Kind::Select
    }

    fn request(&self, hands: &mut Hands<'_>, kind: Kind, user: u32) -> (Request, Known) {
        let known = lock(&self.ledger).users.get(&user).cloned().unwrap_or_default();
        let id = UserId(user.into());
        let write = |change| Request::Write { user: id, changes: vec![change], index: None };
        let request = match kind {
            Kind::Select => {
                let query = Query::newest(self.numbers.list);
                Request::Select { table: TABLE, user: id, query }
            }
            Kind::Count => Request::Count { table: TABLE, user: id, min: 0, max: u64::MAX },
            Kind::Create => write(create("a new row")),
            Kind::Update => {
                let item = 1 + hands.rng().below(self.numbers.rows.into());
                let value = Bytes::from_static(b"another value");
                write(Change::Update { table: TABLE, item, version: None, value })
            }
            Kind::Aggregate => Request::FanOut {
                parts: (1..=self.numbers.shard_count())
                    .map(|shard| Request::Shard {
                        shard: ShardId(shard),
                        words: vec![Bytes::from_static(b"ROW.SIZE"), TABLE],
                    })
                    .collect(),
                at_once: self.numbers.at_once as usize,
                deadline: self.numbers.deadline,
            },
        };
        (request, known)
    }

    /// The shard that a user was put on.
    fn shard_of(&self, user: u32) -> u32 {
        let shards: Vec<ShardId> = (1..=self.numbers.shard_count()).map(ShardId).collect();
        let placed = self.numbers.scheme_over(&shards).computed(UserId(user.into()));
        placed.map_or_else(|| user % self.numbers.shard_count() + 1, |shard| shard.0)
    }

    fn answered(
        &mut self,
        hands: &mut Hands<'_>,
        asked: &Asked,
        outcome: Result<Outcome, Error>,
    ) -> Step<Job> {
        if asked.kind != Kind::Aggregate {
            let shard = self.shard_of(asked.user);
            hands.at("by_shard", shard.into(), 1, 1);
            hands.at("failed_by_shard", shard.into(), outcome.is_err().into(), 1);
            *lock(&self.ledger).by_shard.entry(shard).or_default() += 1;
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let closed = matches!(error, Error::Closed { .. } | Error::ReadOnly { .. });
                hands.count(if closed { "closed" } else { "errors" }, 1);
                return Step::Failed;
            }
        };
        match outcome {
            Outcome::Rows(rows) => {
                hands.time_since("select_time", asked.since);
                hands.count("answers", 1);
                let wanted = asked.known.rows.min(self.numbers.list.into());
                hands.count("stale_lists", u64::from((rows.len() as u64) < wanted));
                let older = |row: &Row| {
                    asked.known.versions.get(&row.item).is_some_and(|told| row.version < *told)
                };
                hands.count("stale_rows", u64::from(rows.iter().any(older)));
            }
            Outcome::Count(count) => {
                hands.count("answers", 1);
                hands.count("stale_lists", u64::from(count < asked.known.rows));
            }
            Outcome::Written(written) => {
                hands.time_since("write_time", asked.since);
                let mut ledger = lock(&self.ledger);
                let known = ledger.users.entry(asked.user).or_default();
                known.rows += u64::from(asked.kind == Kind::Create);
                for (item, version) in written.rows {
                    let told = known.versions.entry(item).or_default();
                    *told = (*told).max(version);
                }
            }
            Outcome::Parts(parts) => {
                hands.time_since("aggregate_time", asked.since);
                let late = parts.iter().filter(|part| part.is_none()).count() as u64;
                hands.count("parts", parts.len() as u64 - late);
                hands.count("parts_late", late);
            }
            _ => return Step::Failed,
        }
        Step::Done
    }

    /// Counts what the cache had since the last time.
    fn count_hits(&mut self, hands: &mut Hands<'_>) {
        let now = hands.shard_counters();
        let before = std::mem::replace(&mut self.counted, now);
        for (name, hits, misses) in [
            (
                "place_hits",
                now.place_hits - before.place_hits,
                now.place_misses - before.place_misses,
            ),
            ("list_hits", now.list_hits - before.list_hits, now.list_misses - before.list_misses),
            ("row_hits", now.row_hits - before.row_hits, now.row_misses - before.row_misses),
        ] {
            if hits + misses > 0 {
                hands.share(name, hits, hits + misses);
            }
        }
    }

    /// Users who have to move if one more shard is added.
    fn moved(&self) -> u64 {
        let shards: Vec<ShardId> = (1..=self.numbers.shard_count()).map(ShardId).collect();
        let (next, behind) = (ShardId(shards.len() as u32 + 1), self.numbers.population + 1);
        let scheme = self.numbers.scheme_over(&shards);
        let grown = scheme.with_shard(next, UserId(behind.into()));
        let users = 1..=u64::from(self.numbers.population);
        users.filter(|&user| scheme.moves(&grown, UserId(user)).is_some()).count() as u64
    }
}

fn create(value: &'static str) -> Change {
    Change::Create { table: TABLE, item: None, value: Bytes::from_static(value.as_bytes()) }
}

fn fan_out(hands: &mut Hands<'_>, parts: Vec<Request>, at_once: usize) {
    hands.shards(Request::FanOut { parts, at_once, deadline: PREPARE_TIME });
}
