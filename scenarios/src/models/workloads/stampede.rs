//! One key that everybody reads, and that expires.
//!
//! | cure | who computes the value anew |
//! |---|---|
//! | `nothing` | everybody who misses it |
//! | `early` | with a chance that grows towards the expiry, one who still hits it |
//! | `lease` | the one whom the cache gives the task; all others get the old value, or wait |
//! | `job` | a worker, as a job under a unique key: whoever misses waits for the same one |
//!
//! The early refresh carries its expiry in the value, earlier than the cache's own, and the time
//! that the computation took. A reader computes anew if `now + took × beta × -ln(u) >= expiry` for
//! a `u` drawn evenly from (0, 1]; the logarithm is in fixed point, so that a seed is a run.
//!
//! Not modelled: what else a page needs; failures of the computation are tried again by the next.

use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call, Unique};
use storytime_machine::{Time, nanos};
use storytime_memcached::client::{MetaReply, Outcome};

/// Longest lifetime of the key, seconds.
pub(super) const EXPTIME_MAX: u64 = 86_400;
/// The name of the key.
const HOT: &str = "front-page";

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// Nothing.
    Nothing,
    /// Probabilistic early refresh.
    Early,
    /// `mg KEY … N R`: the cache gives the task to one.
    Lease,
    /// A job under a unique key.
    Job,
}

/// What is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    /// Lifetime in the cache, seconds.
    pub(super) exptime: u32,
    /// Lifetime that the value itself states.
    fresh: Duration,
    /// Length of the value.
    bytes: u64,
}

impl Page {
    /// Shortest value, bytes: two numbers of 20 digits, and a blank behind each.
    const BYTES_MIN: u64 = 42;
    /// Longest value, bytes.
    const BYTES_MAX: u64 = 1_000_000;

    pub(super) fn read(fields: &Fields<'_>) -> Checked<Self> {
        Ok(Self {
            exptime: fields.integer("exptime", 1..=EXPTIME_MAX, None)? as u32,
            fresh: fields.quantity("fresh", DURATION, None)?,
            bytes: fields.bytes("value", Self::BYTES_MIN..=Self::BYTES_MAX)?,
        })
    }

    /// The value: when it is to be taken for expired, how long it took, and filling.
    pub(super) fn value(&self, hands: &Hands<'_>, asked: Time) -> Vec<u8> {
        let expires = hands.wall_ns() + nanos(self.fresh);
        let took = nanos(hands.now().since(asked));
        let mut value = format!("{expires} {took} ").into_bytes();
        value.resize(self.bytes as usize, b'.');
        value
    }
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    cure: Cure,
    page: Page,
    /// How eager the early refresh is, in whole times of a computation.
    beta: u32,
    /// Seconds that a task may take before it is given to another.
    vivify: u32,
    /// Seconds before the expiry at which the task is given.
    recache: u32,
    /// How long one waits who has neither the value nor the task.
    retry: Duration,
    /// Where jobs go, and what they are called.
    servers: JobServers,
    function: Bytes,
}

/// The workload.
#[derive(Debug)]
pub struct Stampede {
    numbers: Numbers,
}

/// A page, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The value.
    AwaitCache,
    /// That it is time to ask for it again.
    AwaitRetry,
    /// The database's answer, from which the value is made; asked when.
    AwaitRow(Time),
    /// That the new value was stored.
    AwaitStored,
    /// The result of the job that computes it.
    AwaitResult,
}

impl Workload for Stampede {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "stampede";
    const FIELDS: &'static [&'static str] = app_fields![
        "cure",
        "exptime",
        "fresh",
        "beta",
        "vivify",
        "recache",
        "retry",
        "value",
        "job_servers",
        "function"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("hit_ratio", Shares, "hit ratio"),
        ("computed", Series, "values computed"),
        ("early", Count, "early refreshes"),
        ("waited", Count, "waits for somebody else's value"),
    ];
    const NEEDS_DATABASE: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let cures = [
            ("nothing", Cure::Nothing),
            ("early", Cure::Early),
            ("lease", Cure::Lease),
            ("job", Cure::Job),
        ];
        let cure = fields.choice("cure", &cures, None)?;
        let (servers, function) = if cure == Cure::Job {
            let function = fields.text("function", "the name of a function")?.text.into();
            (JobServers::read(fields, parts)?, function)
        } else {
            Default::default()
        };
        Ok(Numbers {
            cure,
            page: Page::read(fields)?,
            beta: fields.integer("beta", 1..=1_000, None)? as u32,
            vivify: fields.integer("vivify", 1..=EXPTIME_MAX, None)? as u32,
            recache: fields.integer("recache", 0..=EXPTIME_MAX, None)? as u32,
            retry: fields.quantity("retry", DURATION, None)?,
            servers,
            function,
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    /// The first host warms the key, so that what is seen is the expiry and not the cold start.
    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() == 0 { self.compute(hands) } else { Step::Done }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let key = hands.key(HOT);
        match self.numbers.cure {
            Cure::Nothing | Cure::Early | Cure::Job => hands.get(&key),
            Cure::Lease => hands.lease(&key, self.numbers.vivify, self.numbers.recache),
        }
        Step::Await(Job::AwaitCache)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitCache, Came::Cache(Outcome::Hit(value))) => {
                hands.share("hit_ratio", 1, 1);
                if self.numbers.cure == Cure::Early && self.is_time(hands, &value.data) {
                    hands.count("early", 1);
                    return self.compute(hands);
                }
                Step::Done
            }
            (Job::AwaitCache, Came::Cache(Outcome::Meta(reply))) => self.leased(hands, &reply),
            (Job::AwaitRetry, Came::Woke) => self.begin(hands),
            (Job::AwaitCache, Came::Cache(_)) => {
                hands.share("hit_ratio", 0, 1);
                match self.numbers.cure {
                    Cure::Job => self.submit(hands),
                    Cure::Nothing | Cure::Early | Cure::Lease => self.compute(hands),
                }
            }
            (Job::AwaitResult, Came::Job { event: Event::Complete { .. }, .. }) => Step::Done,
            (Job::AwaitResult, Came::Job { event, .. }) if event.is_end() => Step::Failed,
            (Job::AwaitResult, Came::Job { .. }) => Step::Await(Job::AwaitResult),
            (Job::AwaitRow(asked), Came::Row(Some(_))) => {
                let key = hands.key(HOT);
                let value = self.numbers.page.value(hands, asked);
                hands.set(&key, &value, self.numbers.page.exptime);
                Step::Await(Job::AwaitStored)
            }
            (Job::AwaitRow(_), Came::Row(None)) => Step::Failed,
            (Job::AwaitStored, Came::Cache(_)) => Step::Done,
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }
}

impl Stampede {
    /// The cache has said who computes. An empty value is the place that it keeps for one.
    fn leased(&self, hands: &mut Hands<'_>, reply: &MetaReply) -> Step<Job> {
        let hit = reply.value.as_ref().is_some_and(|value| !value.is_empty());
        hands.share("hit_ratio", u64::from(hit), 1);
        if reply.won {
            return self.compute(hands);
        }
        if hit {
            return Step::Done;
        }
        hands.count("waited", 1);
        hands.pause(self.numbers.retry);
        Step::Await(Job::AwaitRetry)
    }

    /// Has it computed, or waits with those who did so before.
    fn submit(&self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("waited", 1);
        let key = Bytes::from(hands.key(HOT));
        let job = Call::new(self.numbers.function.clone(), key.clone());
        hands.submit(0, Call { unique: Unique::Key(key), ..job });
        Step::Await(Job::AwaitResult)
    }

    fn compute(&self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("computed", 1);
        let key = hands.key(HOT);
        hands.query(&key);
        Step::Await(Job::AwaitRow(hands.now()))
    }

    /// Whether this reader refreshes a value that it has hit.
    fn is_time(&self, hands: &mut Hands<'_>, value: &[u8]) -> bool {
        let text = String::from_utf8_lossy(&value[..value.len().min(Page::BYTES_MIN as usize)]);
        let mut numbers = text.split(' ').map(str::parse::<u64>);
        let (Some(Ok(expires)), Some(Ok(took))) = (numbers.next(), numbers.next()) else {
            return true;
        };
        let mean = Duration::from_nanos(took) * self.numbers.beta;
        let head_start = nanos(hands.rng().exponential(mean));
        hands.wall_ns().saturating_add(head_start) >= expires
    }
}
