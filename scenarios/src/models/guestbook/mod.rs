//! Application servers of a guestbook whose messages are stored twice: under who received them, and
//! under who wrote them.
//!
//! | `method` | a message is |
//! |---|---|
//! | `two-writes` | written on one shard, then on the other |
//! | `prepared` | announced beside the writer, written on both shards, no longer announced |
//!
//! A share of the jobs dies right behind one of the requests that it sends, each as likely: that is
//! every point at which a process can die, as the databases see it. In the end both sides are read
//! and compared; then, with `fixer`, the check-and-fix job goes through all users, and they are
//! read again. See [`ledger`] for what is compared.
//!
//! | module | holds |
//! |---|---|
//! | [`carry`] | one message on its way |
//! | [`ledger`] | what was told, and what is there |
//! | `last_look` | the last job: reads everything, mends, reads again |
//!
//! Not modelled: lists of a guestbook, caches, moves.

pub mod carry;
mod last_look;
pub mod ledger;

use crate::diagnostic::Checked;
use crate::fields::{CHANCE, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Shards, Step, Workload, lock};
use crate::read::{Parts, sites, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use carry::{Carried, Carry};
use last_look::LastLook;
use ledger::Ledger;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::{Endpoint, Ratio, Time};
use storytime_sharding::fixer::Message;
use storytime_sharding::map::{Plan, generate};
use storytime_sharding::{Options, Request, Store, UserId};

/// Most users of one load: everything of theirs is read in the end.
pub const USERS_MAX: u64 = 10_000;
/// Users made at the same time.
const PREPARE_AT_ONCE: usize = 32;
/// How long making them may take.
const PREPARE_TIME: Duration = Duration::from_secs(600);
/// How long databases are given to read their disks, which are empty.
const LOADING_TIME: Duration = Duration::from_millis(100);

/// How a message gets to both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One write after the other.
    TwoWrites,
    /// Announced first.
    Prepared,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The host of the directory.
    pub directory: usize,
    /// The hosts of the shards.
    pub shards: Vec<usize>,
    /// Shards on each of them.
    pub shards_per_host: u32,
    /// Users, numbered from 1.
    pub population: u32,
    /// Weight of posts, and of deletions.
    pub weights: (u64, u64),
    /// How a message gets to both sides.
    pub method: Method,
    /// The share of jobs that die on the way.
    pub dies: Ratio,
    /// Whether the check-and-fix job runs.
    pub fixer: bool,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That databases have read their disks.
    Loading,
    /// That the users are made.
    Users,
    /// The answer to a step of a message's way.
    Step(Box<Running>),
    /// Nothing: whoever carried it is dead, and the answer is for nobody.
    Dead,
    /// The last look.
    Last(Box<LastLook>),
}

/// A message on its way.
#[derive(Debug)]
pub struct Running {
    carry: Carry,
    /// Requests sent.
    sent: u32,
    /// Dies behind so many.
    dies_at: Option<u32>,
    since: Time,
}

/// The workload.
#[derive(Debug)]
pub struct Guestbook {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
}

impl Workload for Guestbook {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "guestbook";
    const FIELDS: &'static [&'static str] = app_fields![
        "directory",
        "shards",
        "shards_per_host",
        "population",
        "posts",
        "deletes",
        "method",
        "dies",
        "fixer",
        "keep",
        "connections",
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("posts", Series, "messages posted"),
        ("deletes", Series, "messages deleted"),
        ("errors", Series, "requests that failed"),
        ("died", Series, "jobs that died on the way"),
        ("died_behind", Curve("request"), "jobs that died"),
        ("post_time", Latency, "time of a post"),
        ("users_checked", Count, "users looked at in the end"),
        ("messages", Count, "messages in the end"),
        ("one_sided_before", Count, "on one side only, before the fixer"),
        ("one_sided", Count, "on one side only, in the end"),
        ("announced", Count, "announcements left over"),
        ("finished", Count, "announced messages that the fixer finished"),
        ("completed", Count, "sides that the fixer created"),
        ("removed", Count, "sides that the fixer deleted"),
        ("lost", Count, "messages acknowledged and lost"),
        ("undead", Count, "messages deleted and there"),
        ("doubled", Count, "messages there twice"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let database = |key: &str| -> Checked<Vec<usize>> {
            let hosts = work::some_hosts(fields, key, parts)?;
            let span = &fields.required(key, "")?.span;
            hosts.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
            Ok(hosts)
        };
        let weight = |name, usual| fields.integer(name, 0..=1_000_000, Some(usual));
        let methods = [("two-writes", Method::TwoWrites), ("prepared", Method::Prepared)];
        Ok(Numbers {
            directory: database("directory")?[0],
            shards: database("shards")?,
            shards_per_host: fields.integer("shards_per_host", 1..=64, Some(1))? as u32,
            population: fields.integer("population", 2..=USERS_MAX, None)? as u32,
            weights: (weight("posts", 1)?, weight("deletes", 0)?),
            method: fields.choice("method", &methods, None)?,
            dies: fields.quantity("dies", CHANCE, Some(Ratio::NEVER))?,
            fixer: fields.flag("fixer", false)?,
        })
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger }
    }

    fn sharding(numbers: &Numbers, databases: &[Option<Endpoint>]) -> Option<Shards> {
        let at = |host: usize| databases[host].clone().expect("the reader saw a database there");
        let map = generate(&Plan {
            directory: Some(Store { at: at(numbers.directory), select: 0 }),
            index: None,
            hosts: numbers.shards.iter().map(|&host| (at(host), Vec::new())).collect(),
            databases_per_host: 1,
            shards_per_database: numbers.shards_per_host,
        });
        Some((Options::default(), map))
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        let steps = 1..=Carry::steps_max(self.numbers.method);
        steps.for_each(|step| hands.at("died_behind", step.into(), 0, 1));
        hands.pause(LOADING_TIME);
        Step::Await(Job::Loading)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let (posts, deletes) = self.numbers.weights;
        let deletes_one = hands.rng().below((posts + deletes).max(1)) >= posts;
        let victim = if deletes_one { self.victim(hands) } else { None };
        let (carry, request) = match victim {
            Some(message) => Carry::delete(self.numbers.method, message),
            None => {
                let writer = hands.rng().below(self.numbers.population.into());
                let others = u64::from(self.numbers.population) - 1;
                let receiver = (writer + 1 + hands.rng().below(others)) % (others + 1);
                let text = lock(&self.ledger).fresh_text();
                Carry::post(self.numbers.method, UserId(writer + 1), UserId(receiver + 1), text)
            }
        };
        let dies = hands.rng().chance(self.numbers.dies);
        let steps = carry.steps();
        let dies_at = dies.then(|| 1 + hands.rng().below(steps.into()) as u32);
        self.send(hands, Running { carry, sent: 0, dies_at, since: hands.now() }, request)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::Loading, _) => self.make_users(hands),
            (Job::Users, _) => Step::Done,
            (Job::Step(mut running), Came::Shards(answer)) => match running.carry.answer(answer) {
                Carried::Ask(request) => self.send(hands, *running, request),
                Carried::Done(message) => self.done(hands, &running, message),
                Carried::Failed => {
                    hands.count("errors", 1);
                    Step::Failed
                }
            },
            (Job::Dead, _) => Step::Failed,
            (Job::Last(look), came) => look.resume(&self.numbers, &self.ledger, hands, came),
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 {
            return Step::Done;
        }
        LastLook::begin(hands)
    }
}

impl Guestbook {
    fn make_users(&self, hands: &mut Hands<'_>) -> Step<Job> {
        let make =
            |user: u32| Request::Register { name: Bytes::from(format!("user{user}")), shard: None };
        let parts = (1..=self.numbers.population).map(make).collect();
        hands.shards(Request::FanOut { parts, at_once: PREPARE_AT_ONCE, deadline: PREPARE_TIME });
        Step::Await(Job::Users)
    }

    /// A message that was told to be there, to be deleted.
    fn victim(&self, hands: &mut Hands<'_>) -> Option<Message> {
        let mut ledger = lock(&self.ledger);
        let count = ledger.there();
        (count > 0).then(|| ledger.take(hands.rng().index(count)))
    }

    fn send(&self, hands: &mut Hands<'_>, mut running: Running, request: Request) -> Step<Job> {
        hands.shards(request);
        running.sent += 1;
        if running.dies_at == Some(running.sent) {
            hands.count("died", 1);
            hands.at("died_behind", running.sent.into(), 1, 1);
            return Step::Await(Job::Dead);
        }
        Step::Await(Job::Step(Box::new(running)))
    }

    fn done(&self, hands: &mut Hands<'_>, running: &Running, message: Message) -> Step<Job> {
        if message.text.is_some() {
            hands.time_since("post_time", running.since);
            hands.count("posts", 1);
        } else {
            hands.count("deletes", 1);
        }
        lock(&self.ledger).told(message);
        Step::Done
    }
}
