//! Jobs for later: each at its time, and jobs of calendars again and again.
//!
//! Every host submits the calendars before all else, under a key of their own if the load is
//! `keyed`, so that all hosts' are one. Then jobs come for a time that is drawn from `later`. The
//! same hosts do them all, and note when.
//!
//! A run of a calendar counts for the last of its times that has come. In the middle of `settle`
//! what was done is compared with what was due: `missed`, `twice`. What is done before its time is
//! `early`; a calendar that has had no time yet is, too. Times of the last few seconds are not
//! asked for, nor calendars' times before one was acknowledged.
//!
//! Not modelled: what the jobs are good for; clocks that differ.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload, lock};
use crate::read::Parts;
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_gearman::client::{Event, Job as Call, Unique, When};
use storytime_gearman::engine::{Calendar, FIELDS};
use storytime_machine::Time;

/// How late what is done may be and still be on its way when it is compared, seconds.
const GRACE_SECONDS: u64 = 5;
/// How long a calendar waits that no job server takes.
const NOT_TAKEN_PAUSE: Duration = Duration::from_millis(500);
const SECOND_NS: u64 = 1_000_000_000;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    function: Bytes,
    calendars: Vec<(Box<[Bytes; FIELDS]>, Calendar)>,
    keyed: bool,
    /// How long after their submission jobs are to be done.
    later: (Duration, Duration),
}

/// A job for later.
#[derive(Debug)]
struct Later {
    /// The second since 1970.
    due: u64,
    acknowledged: bool,
    runs: u64,
}

/// What is known of all jobs.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    later: BTreeMap<u64, Later>,
    /// The second in which a calendar was acknowledged first.
    since: BTreeMap<usize, u64>,
    /// How often a calendar's job was done, by calendar and time.
    runs: BTreeMap<(usize, u64), u64>,
}

/// The workload.
#[derive(Debug)]
pub struct Timed {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The server's word that it has this calendar.
    AwaitCalendar(usize),
    /// A pause, before it is tried again.
    AwaitPause(usize),
    /// The server's word that it has this job.
    AwaitAccepted(u64),
}

impl Workload for Timed {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "timed-jobs";
    const FIELDS: &'static [&'static str] =
        app_fields!["job_servers", "function", "calendars", "keyed", "later", "at_once"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("acknowledged", Series, "jobs for later acknowledged"),
        ("refused", Series, "jobs for later refused, or unsure"),
        ("done", Series, "jobs for later done"),
        ("fired", Series, "jobs of calendars done"),
        ("lateness", Latency, "time behind the appointed one"),
        ("missed", Count, "not done"),
        ("twice", Count, "done more than once"),
        ("early", Count, "done before the time"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let function: Bytes = fields.text("function", "the name of a function")?.text.into();
        let words = fields.texts("calendars", "the five fields of a calendar")?;
        let calendars = words.iter().map(|word| {
            let calendar = read_calendar(&word.text);
            calendar.ok_or_else(|| {
                let title = format!("`{}` is no calendar", word.text);
                Diagnostic::at(&word.span, title, "expected five fields, as cron has them")
                    .help("such as \"*/5 * * * *\" for every five minutes")
                    .into()
            })
        });
        Ok(Numbers {
            servers: JobServers::of_workers(fields, parts, [function.clone()], "at_once")?,
            function,
            calendars: calendars.collect::<Checked<_>>()?,
            keyed: fields.flag("keyed", true)?,
            later: DURATION
                .read_range(fields.required("later", "such as [\"1s\", \"9s\"]")?, "later")?,
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, ledger }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn prepare(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        self.submit_calendar(hands, 0)
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.assigned().is_some() {
            self.work(hands);
            return Step::Done;
        }
        let (least, most) = self.numbers.later;
        let later = hands.rng().duration(least, most);
        let due = (hands.wall_ns() + storytime_machine::nanos(later)).div_ceil(SECOND_NS);
        let number = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            let number = ledger.next;
            ledger.later.insert(number, Later { due, acknowledged: false, runs: 0 });
            number
        };
        let call = Call::new(self.numbers.function.clone(), format!("later {number}"));
        let unique = Unique::Key(format!("later {number}").into());
        hands.submit(0, Call { when: When::Epoch(due), ..call.background().unique(unique) });
        Step::Await(Job::AwaitAccepted(number))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitCalendar(nth), Came::Job { event: Event::Created { .. }, .. }) => {
                let now = hands.wall_ns() / SECOND_NS;
                lock(&self.ledger).since.entry(nth).or_insert(now);
                self.submit_calendar(hands, nth + 1)
            }
            (Job::AwaitCalendar(nth), _) => {
                hands.pause(NOT_TAKEN_PAUSE);
                Step::Await(Job::AwaitPause(nth))
            }
            (Job::AwaitPause(nth), _) => self.submit_calendar(hands, nth),
            (Job::AwaitAccepted(number), Came::Job { event: Event::Created { .. }, .. }) => {
                if let Some(later) = lock(&self.ledger).later.get_mut(&number) {
                    later.acknowledged = true;
                }
                hands.count("acknowledged", 1);
                Step::Done
            }
            (Job::AwaitAccepted(_), _) => {
                hands.count("refused", 1);
                Step::Failed
            }
        }
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.part() > 0 {
            return Step::Done;
        }
        let upto = hands.wall_ns() / SECOND_NS - GRACE_SECONDS;
        let ledger = lock(&self.ledger);
        let (mut missed, mut twice) = (0, 0);
        for (nth, (_, calendar)) in self.numbers.calendars.iter().enumerate() {
            let Some(&since) = ledger.since.get(&nth) else { continue };
            let mut at = calendar.next(since);
            while let Some(time) = at.filter(|time| *time <= upto) {
                let runs = ledger.runs.get(&(nth, time)).copied().unwrap_or(0);
                missed += u64::from(runs == 0);
                twice += u64::from(runs > 1);
                at = calendar.next(time);
            }
        }
        for later in ledger.later.values().filter(|later| later.due <= upto) {
            missed += u64::from(later.acknowledged && later.runs == 0);
            twice += u64::from(later.runs > 1);
        }
        hands.count("missed", missed);
        hands.count("twice", twice);
        Step::Done
    }
}

/// Five words, and what they mean.
fn read_calendar(text: &str) -> Option<(Box<[Bytes; FIELDS]>, Calendar)> {
    let words: Vec<&str> = text.split(' ').collect();
    let words: [&str; FIELDS] = words.try_into().ok()?;
    let calendar = Calendar::parse(words.map(str::as_bytes))?;
    Some((Box::new(words.map(|word| Bytes::copy_from_slice(word.as_bytes()))), calendar))
}

impl Timed {
    /// Submits this calendar and those behind it.
    fn submit_calendar(&self, hands: &mut Hands<'_>, nth: usize) -> Step<Job> {
        let Some((words, _)) = self.numbers.calendars.get(nth) else { return Step::Done };
        let call = Call::new(self.numbers.function.clone(), format!("calendar {nth}")).background();
        let unique = match self.numbers.keyed {
            true => Unique::Key(format!("calendar {nth}").into()),
            false => Unique::None,
        };
        hands.submit(0, Call { unique, when: When::Calendar(words.clone()), ..call });
        Step::Await(Job::AwaitCalendar(nth))
    }

    /// Does a job, which takes no time.
    fn work(&self, hands: &mut Hands<'_>) {
        let assigned = hands.assigned().expect("it was given a job");
        let text = std::str::from_utf8(&assigned.data).ok();
        let words = text.and_then(|text| text.split_once(' '));
        let (kind, number) = words.expect("the load's own jobs are two words");
        let number: u64 = number.parse().expect("the second is a number");
        let is_later = kind == "later";
        let now = hands.wall_ns();
        let mut ledger = lock(&self.ledger);
        let due = if is_later {
            let later = ledger.later.get_mut(&number).expect("it was submitted");
            later.runs += 1;
            Some(later.due)
        } else {
            let nth = number as usize;
            let time = self.last_time(&ledger, nth, now / SECOND_NS);
            if let Some(time) = time {
                *ledger.runs.entry((nth, time)).or_default() += 1;
            }
            time
        };
        drop(ledger);
        hands.count(if is_later { "done" } else { "fired" }, 1);
        match due.and_then(|due| now.checked_sub(due * SECOND_NS)) {
            Some(late) => {
                let since = Time(hands.now().0.saturating_sub(late));
                hands.time_since("lateness", since);
            }
            None => hands.count("early", 1),
        }
    }

    /// The last time of a calendar up to now.
    fn last_time(&self, ledger: &Ledger, nth: usize, now: u64) -> Option<u64> {
        let calendar = &self.numbers.calendars.get(nth)?.1;
        let (mut last, mut at) = (None, calendar.next(*ledger.since.get(&nth)?));
        while let Some(time) = at.filter(|time| *time <= now) {
            (last, at) = (Some(time), calendar.next(time));
        }
        last
    }
}
