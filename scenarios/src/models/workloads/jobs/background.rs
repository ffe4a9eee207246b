//! Background jobs, remembered by whoever submitted them: was each one done?
//!
//! The load's hosts submit jobs that nobody waits for, and the same hosts do them. The ledger knows
//! of every job whether a server acknowledged it, and how often it was done. In the middle of
//! `settle` that is compared: `lost` is what was acknowledged and never done, `twice` what was done
//! more than once, `uninvited` what was done and never acknowledged (its client could not know).
//! How long a job was acknowledged before it was done, the first time, is `until_done`. The `pause`
//! between two acknowledgements that a host sees is how long no server took its jobs.
//!
//! Not modelled: what a job is good for.

use crate::diagnostic::Checked;
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload, lock};
use crate::read::{Parts, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call, Unique};
use storytime_machine::Time;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    keyed: bool,
    wait: (Duration, Duration),
}

/// What is known of all jobs.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    /// When each was.
    acknowledged: BTreeMap<u64, Time>,
    done: BTreeMap<u64, u64>,
}

/// The workload.
#[derive(Debug)]
pub struct Background {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
    /// The last acknowledgement of a job of this host's.
    last: Option<Time>,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The server's word that it has this one; asked for when.
    AwaitAccepted(u64, Time),
    /// That the work on it is over.
    AwaitWake,
}

impl Workload for Background {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "background-jobs";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "choose", "function", "keyed", "wait", "at_once"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("acknowledged", Series, "jobs acknowledged"),
        ("acknowledge_time", Latency, "time to the acknowledgement"),
        ("pause", Latency, "time without an acknowledgement"),
        ("refused", Series, "jobs refused"),
        ("unsure", Series, "jobs of which nobody knows"),
        ("done", Series, "jobs done"),
        ("until_done", Latency, "time from the acknowledgement until it is done"),
        ("lost", Count, "acknowledged and never done"),
        ("twice", Count, "done more than once"),
        ("uninvited", Count, "done and never acknowledged"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let function: Bytes = fields.text("function", "the name of a function")?.text.into();
        Ok(Numbers {
            servers: JobServers {
                choice: work::choice(fields)?,
                ..JobServers::of_workers(fields, parts, [function.clone()], "at_once")?
            },
            function,
            keyed: fields.flag("keyed", true)?,
            wait: match fields.get("wait") {
                Some(node) => DURATION.read_range(node, "wait")?,
                None => (Duration::ZERO, Duration::ZERO),
            },
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, ledger, last: None }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.assigned().is_some() {
            return self.work(hands);
        }
        let number = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            ledger.next
        };
        let unique = match self.numbers.keyed {
            true => Unique::Key(format!("event {number}").into()),
            false => Unique::None,
        };
        let call = Call::new(self.numbers.function.clone(), number.to_string());
        hands.submit(0, Call { unique, background: true, ..call });
        Step::Await(Job::AwaitAccepted(number, hands.now()))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitWake, _) => self.end(hands),
            (Job::AwaitAccepted(number, since), Came::Job { event, .. }) => match event {
                Event::Created { .. } => {
                    lock(&self.ledger).acknowledged.insert(number, hands.now());
                    hands.count("acknowledged", 1);
                    if let Some(last) = self.last.replace(hands.now()) {
                        hands.time_since("pause", last);
                    }
                    hands.time_since("acknowledge_time", since);
                    Step::Done
                }
                Event::Lost { .. } => {
                    hands.count("unsure", 1);
                    Step::Failed
                }
                _ => {
                    hands.count("refused", 1);
                    Step::Failed
                }
            },
            _ => Step::Failed,
        }
    }

    /// An outage that did not end counts up to here.
    fn rest(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if let Some(last) = self.last {
            hands.time_since("pause", last);
        }
        Step::Done
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() == 0 {
            let ledger = lock(&self.ledger);
            let lost = ledger.acknowledged.keys().filter(|job| !ledger.done.contains_key(job));
            let twice = ledger.done.values().filter(|times| **times > 1);
            let uninvited = ledger.done.keys().filter(|job| !ledger.acknowledged.contains_key(job));
            hands.count("lost", lost.count() as u64);
            hands.count("twice", twice.count() as u64);
            hands.count("uninvited", uninvited.count() as u64);
        }
        Step::Done
    }
}

impl Background {
    fn work(&self, hands: &mut Hands<'_>) -> Step<Job> {
        let wait = self.numbers.wait;
        let wait = hands.rng().duration(wait.0, wait.1);
        if wait.is_zero() {
            return self.end(hands);
        }
        hands.pause(wait);
        Step::Await(Job::AwaitWake)
    }

    fn end(&self, hands: &mut Hands<'_>) -> Step<Job> {
        let assigned = hands.assigned().expect("it was given the job");
        let number = std::str::from_utf8(&assigned.data).ok().and_then(|text| text.parse().ok());
        let number = number.expect("the load's own jobs are numbers");
        let mut ledger = lock(&self.ledger);
        let times = ledger.done.entry(number).or_default();
        *times += 1;
        if *times == 1 {
            // Its worker may be quicker than the word to who submitted it.
            let since = ledger.acknowledged.get(&number).copied();
            hands.time_since("until_done", since.unwrap_or_else(|| hands.now()));
        }
        hands.count("done", 1);
        Step::Done
    }
}
