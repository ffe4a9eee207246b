//! A web server that is asked for the friends of some users: `/friends/FROM/TO`.
//!
//! Users live on shards by their number, modulo; their lists are in memcached where a file says so.
//! The first host makes everybody's friends before all else.

use super::{FRIENDS_MAX, USERS_MAX};
use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Shards, Step, Workload};
use crate::read::{Parts, sites, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::Endpoint;
use storytime_sharding::map::{Plan, generate};
use storytime_sharding::request::CHANGES_MAX;
use storytime_sharding::{CacheOptions, Change, Options, Outcome, Query, Request, UserId};

/// Requests of the preparation under way at once.
const PREPARE_AT_ONCE: usize = 32;
/// Users that one request of the preparation makes.
const PREPARE_USERS: u32 = 1_024;
/// How long a request of many parts may take.
const PARTS_TIME: Duration = Duration::from_secs(600);
/// How long databases are given to read their disks, which are empty.
const LOADING_TIME: Duration = Duration::from_millis(200);
/// Bytes of one friend on a page.
const FRIEND_BYTES: u32 = 8;
const TABLE: Bytes = Bytes::from_static(b"friends");

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    shards: Vec<usize>,
    population: u32,
    /// Friends of each user.
    rows: u32,
    /// Lists that a request asks for at once.
    at_once: u32,
    /// Processor time of a request.
    request_cpu: Duration,
    /// Processor time of each user that a request is about.
    user_cpu: Duration,
    cached: bool,
}

/// A request, by what it awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// That databases have read their disks.
    Loading,
    /// These users' friends, and those of users behind the last.
    Making(u32),
    /// Lists of friends.
    Lists,
}

/// The workload of a web server.
#[derive(Debug)]
pub struct FriendLists {
    numbers: Numbers,
    part: u32,
}

impl Workload for FriendLists {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "friend-lists";
    const FIELDS: &'static [&'static str] = app_fields![
        "listen",
        "keep",
        "connections",
        "shards",
        "population",
        "rows",
        "at_once",
        "request_cpu",
        "user_cpu",
        "cached",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("lists", Series, "lists of friends"),
        ("errors", Series, "lists that failed"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let shards = work::some_hosts(fields, "shards", parts)?;
        let span = &fields.required("shards", "")?.span;
        shards.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
        Ok(Numbers {
            shards,
            population: fields.integer("population", 1..=USERS_MAX, None)? as u32,
            rows: fields.integer("rows", 1..=CHANGES_MAX as u64, Some(10))? as u32,
            at_once: fields.integer("at_once", 1..=FRIENDS_MAX, Some(FRIENDS_MAX))? as u32,
            request_cpu: fields.quantity("request_cpu", DURATION, None)?,
            user_cpu: fields.quantity("user_cpu", DURATION, None)?,
            cached: fields.flag("cached", false)?,
        })
    }

    fn new(numbers: Numbers, part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers, part }
    }

    fn sharding(numbers: &Numbers, databases: &[Option<Endpoint>]) -> Option<Shards> {
        let at = |&host: &usize| {
            (databases[host].clone().expect("the reader saw a database there"), Vec::new())
        };
        let map = generate(&Plan {
            directory: None,
            index: None,
            hosts: numbers.shards.iter().map(at).collect(),
            databases_per_host: 1,
            shards_per_database: 1,
        });
        let cache = numbers.cached.then(CacheOptions::default);
        Some((Options { cache, ..Options::default() }, map))
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        hands.pause(LOADING_TIME);
        Step::Await(Job::Loading)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let users = hands.path().and_then(users_of).filter(|(from, to)| from <= to);
        let Some((from, to)) = users else { return Step::Failed };
        let count = to - from + 1;
        if u64::from(count) > FRIENDS_MAX {
            return Step::Failed;
        }
        hands.compute(self.numbers.request_cpu);
        let list = |user: u32| Request::List {
            table: TABLE,
            user: UserId(user.into()),
            query: Query::newest(self.numbers.rows),
        };
        fan_out(hands, (from..=to).map(list).collect(), self.numbers.at_once as usize);
        Step::Await(Job::Lists)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::Loading, _) => self.make(hands, 1),
            (Job::Making(next), _) if next <= self.numbers.population => self.make(hands, next),
            (Job::Making(_), _) => Step::Done,
            (Job::Lists, Came::Shards(Ok(Outcome::Parts(lists)))) => {
                let friends = lists.iter().map(|list| match list {
                    Some(Ok(Outcome::Items(items))) => Some(items.len() as u32),
                    _ => None,
                });
                let found: Option<u32> = friends.sum();
                hands.count("lists", lists.len() as u64);
                let Some(found) = found else {
                    hands.count("errors", 1);
                    return Step::Failed;
                };
                hands.compute(self.numbers.user_cpu * lists.len() as u32);
                hands.page(found * FRIEND_BYTES);
                Step::Done
            }
            (Job::Lists, _) => Step::Failed,
        }
    }
}

impl FriendLists {
    /// Makes friends of some users.
    fn make(&self, hands: &mut Hands<'_>, first: u32) -> Step<Job> {
        let behind = (first + PREPARE_USERS).min(self.numbers.population + 1);
        let friend =
            || Change::Create { table: TABLE, item: None, value: Bytes::from_static(b"a friend") };
        let make = |user: u32| Request::Write {
            user: UserId(user.into()),
            changes: (0..self.numbers.rows).map(|_| friend()).collect(),
            index: None,
        };
        fan_out(hands, (first..behind).map(make).collect(), PREPARE_AT_ONCE);
        Step::Await(Job::Making(behind))
    }
}

fn fan_out(hands: &mut Hands<'_>, parts: Vec<Request>, at_once: usize) {
    hands.shards(Request::FanOut { parts, at_once, deadline: PARTS_TIME });
}

/// `/friends/FROM/TO`.
fn users_of(path: &str) -> Option<(u32, u32)> {
    let (from, to) = path.strip_prefix("/friends/")?.split_once('/')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}
