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
//! | module | holds |
//! |---|---|
//! | `alter` | a table that is altered, and roles that are switched |
//! | `asked` | a job: what is asked, and what comes of it |
//! | `maps` | maps that change while the site runs |
//! | `verify` | what is compared in the end |
//!
//! Not modelled: users who come and go, moves (see the mover), pages.

mod alter;
mod asked;
mod maps;
mod numbers;
mod verify;

pub use alter::Alterer;
pub use asked::Asked;
pub use maps::{Maps, Operator};
pub use numbers::{Mix, Numbers, SchemeName, SplitCare};
pub use verify::Verify;

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
use storytime_machine::Endpoint;
use storytime_sharding::map::Flags;
use storytime_sharding::{Change, Error, Outcome, Request, ShardId, ShardingCounters, UserId};

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
    /// Maps that were given out since the beginning.
    maps: Maps,
    /// When a write was last done, by the clock on the wall, nanoseconds.
    written_ns: Option<u64>,
    /// The time of the row that was written last: no two rows have the same.
    clock: u64,
}

#[derive(Clone, Debug, Default)]
struct Known {
    rows: u64,
    versions: BTreeMap<u64, u64>,
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
    /// The moment to ask for a write again that was refused.
    Again(Box<Asked>),
    /// What the operator of a split awaits.
    Operator(Operator),
    /// What the operator awaits who alters a table.
    Alter(Alterer),
    /// What the last job awaits.
    Verify(Verify),
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
        "latest",
        "brute_force",
        "index",
        "flagged",
        "again",
        "split",
        "split_to",
        "alter_to",
        "alter_on",
        "map_spread",
        "verify",
        "day",
        "day_length",
        "cached",
        "cached_lists",
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
        ("writes_done", Series, "writes done"),
        ("write_pause", Latency, "time without a write of anybody's"),
        ("alter_time", Latency, "time of an alteration"),
        ("answers", Series, "lists, counts and rows answered"),
        ("stale_lists", Series, "stale lists and counts"),
        ("stale_rows", Series, "stale rows"),
        ("errors", Series, "requests that failed"),
        ("closed", Series, "requests refused by a flag or a move"),
        ("reads_failed", Series, "reads that failed"),
        ("writes_failed", Series, "writes that failed"),
        ("tried_again", Series, "writes that were refused and tried again"),
        ("error_time", Latency, "time until a request failed"),
        ("latest_time", Latency, "time of a question to the index"),
        ("brute_time", Latency, "time of a question to everybody"),
        ("index_lag", Latency, "how far the index is behind"),
        ("index_waiting", Level, "rows that the index does not know yet"),
        ("index_wrong", Count, "newest rows that the index lacks in the end"),
        ("index_lost", Count, "rows that the index lacks in the end"),
        ("lost", Count, "rows that were told to be written and are not there"),
        ("unread", Count, "users whose rows could not be read in the end"),
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
    const VERBS: &'static [&'static str] = &["read-only", "close", "open", "split", "alter"];

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        Numbers::read(fields, parts)
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        lock(&ledger).maps.add_host();
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
        self.follow_maps(hands);
        let user = self.draw_user(hands);
        let kind = self.draw_kind(hands);
        let since = hands.now();
        self.ask(hands, kind, user, since)
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
                self.answered(hands, asked, outcome)
            }
            (Job::Again(asked), _) => {
                self.follow_maps(hands);
                self.ask(hands, asked.kind, asked.user, asked.since)
            }
            (Job::Operator(awaits), came) => self.operator_heard(hands, awaits, came),
            (Job::Alter(awaits), came) => self.alterer_heard(hands, awaits, &came),
            (Job::Verify(awaited), Came::Shards(outcome)) => self.verified(hands, awaited, outcome),
            (Job::Rows(_) | Job::Answer(_) | Job::Verify(_), _) => Step::Failed,
        }
    }

    fn told(&mut self, hands: &mut Hands<'_>, verb: &'static str) -> Step<Job> {
        match verb {
            "read-only" => self.set_flags(hands, Flags::READ_ONLY),
            "close" => self.set_flags(hands, Flags { read: false, write: false }),
            "open" => self.set_flags(hands, Flags::READ_WRITE),
            "alter" => self.alter(hands),
            _ => self.split(hands),
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        self.note_index(hands);
        if self.part == 0 {
            let ledger = lock(&self.ledger);
            let all: u64 = ledger.by_shard.values().sum();
            let most = ledger.by_shard.values().max().copied().unwrap_or(0);
            hands.share("busiest", most, all.max(1));
            drop(ledger);
            hands.share("moved", self.moved(), self.numbers.population.into());
            if self.numbers.verify {
                self.follow_maps(hands);
                return self.verify(hands);
            }
        }
        Step::Done
    }
}

impl Sharded {
    /// The time for a new row, microseconds since 1970.
    fn tick(&self, hands: &Hands<'_>) -> u64 {
        let mut ledger = lock(&self.ledger);
        ledger.clock = (ledger.clock + 1).max(hands.wall_ns() / 1_000);
        ledger.clock
    }

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
        let make = |user: u32| {
            let at = self.tick(hands);
            Request::Write {
                user: UserId(user.into()),
                changes: (0..self.numbers.rows).map(|_| create(at)).collect(),
                index: self.numbers.index.map(|_| at),
            }
        };
        let parts = users.map(make).collect();
        fan_out(hands, parts, PREPARE_AT_ONCE);
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

/// A new row with a time in it.
fn create(at: u64) -> Change {
    Change::Create { table: TABLE, item: None, value: Bytes::from(at.to_string()) }
}

fn fan_out(hands: &mut Hands<'_>, parts: Vec<Request>, at_once: usize) {
    hands.shards(Request::FanOut { parts, at_once, deadline: PREPARE_TIME });
}
