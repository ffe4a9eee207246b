//! Workers whose job waits for another job, which a worker of the same kind may have to do.
//!
//! A job of `function` waits for `wait`, then calls `friend` at the job servers with the number of
//! the call, waits for its end, and ends with its own data. A job of `friend` waits for
//! `friend_wait`.
//!
//! | `groups` | which hosts do what |
//! |---|---|
//! | `one` | all do both |
//! | `two` | every other one does `function`, those between `friend` |
//!
//! The ledger knows who waits for whom, as nobody in a real site does. If every worker that can do
//! `friend` has a job that waits for a friend which nobody has begun, none of them will ever be:
//! a deadlock. It is counted when it is found, and `deadlock` says who waits for whom. It is over
//! when one of them gives up, behind its `patience`.
//!
//! Not modelled: longer circles, of friends of friends.

use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload, lock};
use crate::read::{Parts, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call};

/// Which hosts do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// All do both.
    One,
    /// Each does one of the two.
    Two,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    friend: Bytes,
    wait: (Duration, Duration),
    friend_wait: (Duration, Duration),
    /// How long a friend is waited for; for ever, unless the file says.
    patience: Option<Duration>,
    /// Workers that can do `friend`, on all hosts.
    friends: usize,
}

/// Who waits for whom.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    /// Friends that were called and not begun, by number.
    awaited: BTreeSet<u64>,
    /// Whether they wait for each other, as far as was found.
    deadlock: bool,
    /// What was found once.
    named: Option<String>,
}

/// The workload.
#[derive(Debug)]
pub struct WaitingWorkers {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
    /// Jobs of this host that wait for a friend.
    waiting: u64,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The end of its own work.
    AwaitOwn,
    /// A friend: the number of the call.
    AwaitFriend(u64),
    /// The end of its work as a friend.
    AwaitEnd,
}

impl Workload for WaitingWorkers {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "waiting-workers";
    const FIELDS: &'static [&'static str] = app_fields![
        "job_servers",
        "function",
        "friend",
        "groups",
        "wait",
        "friend_wait",
        "patience",
        "at_once"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("worked", Series, "jobs begun that call a friend"),
        ("friends", Series, "friends' jobs begun"),
        ("given_up", Series, "jobs that gave their friend up"),
        ("waiting", Level, "workers that wait for a friend"),
        ("deadlocks", Count, "deadlocks found"),
        ("deadlock", Word, "who waits for whom"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const TAKES_JOBS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let groups =
            fields.choice("groups", &[("one", Groups::One), ("two", Groups::Two)], None)?;
        let function: Bytes = fields.text("function", "the name of a function")?.text.into();
        let friend: Bytes = fields.text("friend", "the name of a function")?.text.into();
        let both = [function.clone(), friend.clone()];
        let mut servers = JobServers::of_workers(fields, parts, both, "at_once")?;
        let hosts = work::some_hosts(fields, "on", parts)?.len();
        let can = if groups == Groups::Two { hosts / 2 } else { hosts };
        if groups == Groups::Two {
            servers.groups = servers.functions.iter().map(|one| vec![one.clone()]).collect();
        }
        Ok(Numbers {
            friends: can * servers.at_once as usize,
            servers,
            function,
            friend,
            wait: DURATION.read_range(fields.required("wait", "a length of time")?, "wait")?,
            friend_wait: DURATION
                .read_range(fields.required("friend_wait", "a length of time")?, "friend_wait")?,
            patience: fields.quantity_if("patience", DURATION)?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, ledger, waiting: 0 }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let assigned = hands.assigned().expect("a worker is given its jobs");
        if assigned.function == self.numbers.function {
            hands.count("worked", 1);
            self.pause(hands, self.numbers.wait);
            return Step::Await(Job::AwaitOwn);
        }
        let number = std::str::from_utf8(&assigned.data).ok().and_then(|text| text.parse().ok());
        let number = number.expect("friends are called with a number");
        hands.count("friends", 1);
        self.not_awaited(number);
        self.pause(hands, self.numbers.friend_wait);
        Step::Await(Job::AwaitEnd)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitOwn, _) => self.call(hands),
            (Job::AwaitEnd, _) => Step::Done,
            (job, Came::Job { event, .. }) if !event.is_end() => Step::Await(job),
            (Job::AwaitFriend(number), came) => {
                self.waiting -= 1;
                hands.level("waiting", self.waiting);
                if let Came::Job { event: Event::Complete { .. }, .. } = came {
                    let page = hands.assigned().expect("a worker is given its jobs").data.clone();
                    hands.result(page);
                    return Step::Done;
                }
                self.not_awaited(number);
                hands.count("given_up", 1);
                Step::Failed
            }
        }
    }

    /// What was found is said by every host, so that all say the same.
    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if let Some(named) = lock(&self.ledger).named.clone() {
            hands.word("deadlock", named);
        }
        Step::Done
    }
}

impl WaitingWorkers {
    fn pause(&self, hands: &mut Hands<'_>, wait: (Duration, Duration)) {
        let wait = hands.rng().duration(wait.0, wait.1);
        hands.pause(wait);
    }

    /// Calls the friend, and looks who waits for whom.
    fn call(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let numbers = &self.numbers;
        let number = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            let number = ledger.next;
            ledger.awaited.insert(number);
            number
        };
        let call = Call {
            timeout: numbers.patience,
            ..Call::new(numbers.friend.clone(), number.to_string())
        };
        hands.submit(0, call);
        self.waiting += 1;
        hands.level("waiting", self.waiting);
        self.look(hands);
        Step::Await(Job::AwaitFriend(number))
    }

    /// Whether every worker that could be a friend waits for one itself.
    fn look(&self, hands: &mut Hands<'_>) {
        let numbers = &self.numbers;
        let mut ledger = lock(&self.ledger);
        // Who does `function` alone keeps no friend from its work.
        if !numbers.servers.groups.is_empty() || ledger.awaited.len() < numbers.friends {
            return;
        }
        assert_eq!(ledger.awaited.len(), numbers.friends, "a worker waits for one friend");
        if !std::mem::replace(&mut ledger.deadlock, true) {
            let (function, friend) = (&numbers.function, &numbers.friend);
            let (function, friend) =
                (String::from_utf8_lossy(function), String::from_utf8_lossy(friend));
            ledger.named = Some(format!("{function} waits for {friend}"));
            hands.count("deadlocks", 1);
        }
    }

    /// Somebody does it, or nobody waits for it any more.
    fn not_awaited(&self, number: u64) {
        let mut ledger = lock(&self.ledger);
        if ledger.awaited.remove(&number) {
            ledger.deadlock = false;
        }
    }
}
