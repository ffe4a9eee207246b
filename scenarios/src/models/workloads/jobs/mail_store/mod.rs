//! Mail in databases that are disposable, written through job servers.
//!
//! Mailboxes are spread over shards. A shard has `copies` masters, databases that know nothing of
//! each other, and a function of its own at the job servers: `mail1`, `mail2`, …. The load's hosts
//! are mail servers: what happens to a mail becomes a background job of its shard, acknowledged
//! when a job server has it. The same hosts do these jobs: they write to each of the masters. A
//! master that does not answer gets a job of its own, for a second or two later, behind which the
//! first one ends: so nothing is forgotten, and nothing comes in order.
//!
//! | `writes` | a row is |
//! |---|---|
//! | `events` | an event under its own number: see [`mail`] |
//! | `in-place` | a mail, changed by whatever comes as it comes |
//!
//! Told to `mend`, the first host compares the masters of each shard, and gives each what it lacks.
//! In the middle of `settle` it compares them with each other and with what is known: mails that
//! are not the same everywhere (`diverged`), that have to be there (`dropped`) or gone (`undead`),
//! and acknowledged events that lack (`missing`).
//!
//! Not modelled: the text of mails, SMTP, reading.

pub mod mail;
pub mod mend;

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload, lock};
use crate::read::{Parts, sites, work};
use crate::{app_fields, app_metrics};
use bytes::Bytes;
use mail::{Ledger, MailEvent, What};
use mend::{Purpose, Round};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_database::Reply;
use storytime_database::client::Failure;
use storytime_gearman::client::{Choice, Event, Job as Call, Unique, When};
use storytime_machine::Time;

/// Most masters of a shard.
const COPIES_MAX: u64 = 8;
/// Most mailboxes.
const MAILBOXES_MAX: u64 = 10_000;
/// How long a master that did not answer is left alone, seconds: this, or one more.
const AGAIN_SECONDS: u64 = 1;
/// How long a job waits that no job server takes.
const NOT_TAKEN_PAUSE: Duration = Duration::from_millis(200);

/// What rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    /// Events under their own numbers.
    Events,
    /// Mails.
    InPlace,
}

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    /// Shard by shard.
    masters: Vec<usize>,
    copies: usize,
    mailboxes: u64,
    writes: Writes,
    /// Weights: mails that come, moves, deletes, and both at once by two who do not know.
    weights: [u64; 4],
    /// How long the work on a mail takes before it is written.
    wait: (Duration, Duration),
}

/// The workload.
#[derive(Debug)]
pub struct MailStore {
    numbers: Numbers,
    ledger: Arc<Mutex<Ledger>>,
}

/// A write that a job server wants done.
#[derive(Debug)]
pub struct Task {
    mailbox: u64,
    event: MailEvent,
    /// The masters that it has not been to.
    left: Vec<usize>,
    /// Those that did not answer.
    missed: Vec<usize>,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// The job servers' word that they have these events of a mailbox, of which so many lack.
    AwaitAccepted {
        /// Whose mail.
        mailbox: u64,
        /// In the order in which they were submitted.
        events: Vec<MailEvent>,
        /// How many have no answer.
        left: usize,
        /// When they were submitted.
        since: Time,
    },
    /// That the work before the writing is done.
    AwaitWorked(Task),
    /// That a master has written.
    AwaitWritten(Task, usize),
    /// A job server's word that it has the rest of the task.
    AwaitHandedOn(Task),
    /// A pause, before that is tried again.
    AwaitPause(Task),
    /// Rows of masters.
    AwaitRows(Round),
}

impl Workload for MailStore {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "mail-store";
    const FIELDS: &'static [&'static str] = app_fields![
        "job_servers",
        "masters",
        "copies",
        "mailboxes",
        "writes",
        "deliveries",
        "moves",
        "deletes",
        "quarrels",
        "wait",
        "at_once"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("acknowledged", Series, "events acknowledged"),
        ("acknowledge_time", Latency, "time to the acknowledgement"),
        ("refused", Series, "events refused"),
        ("unsure", Series, "events of which nobody knows"),
        ("written", Series, "writes to masters"),
        ("handed_on", Series, "writes put off"),
        ("mended", Series, "rows that a master lacked"),
        ("compared", Count, "mails compared"),
        ("missing", Count, "acknowledged events that lack"),
        ("dropped", Count, "mails lost"),
        ("undead", Count, "deleted mails that are there"),
        ("diverged", Count, "mails that masters disagree about"),
        ("kept_in_doubt", Count, "mails kept in doubt"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const VERBS: &'static [&'static str] = &["mend"];

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let masters = work::some_hosts(fields, "masters", parts)?;
        let span = &fields.required("masters", "")?.span;
        masters.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
        let copies = fields.integer("copies", 1..=COPIES_MAX, None)? as usize;
        if !masters.len().is_multiple_of(copies) {
            let title = format!("{} has a shard that lacks a master", fields.what());
            let label = format!("expected {copies} for each shard");
            return Err(Diagnostic::at(span, title, label).into());
        }
        let functions = (1..=(masters.len() / copies) as u64).map(function);
        let servers = JobServers::of_workers(fields, parts, functions, "at_once")?;
        let weight = |name, usual| fields.integer(name, 0..=1_000_000, Some(usual));
        let kinds = [("events", Writes::Events), ("in-place", Writes::InPlace)];
        Ok(Numbers {
            servers: JobServers { choice: Choice::Hashed, ..servers },
            masters,
            copies,
            mailboxes: fields.integer("mailboxes", 1..=MAILBOXES_MAX, None)?,
            writes: fields.choice("writes", &kinds, None)?,
            weights: [
                fields.integer("deliveries", 1..=1_000_000, None)?,
                weight("moves", 0)?,
                weight("deletes", 0)?,
                weight("quarrels", 0)?,
            ],
            wait: match fields.get("wait") {
                Some(node) => DURATION.read_range(node, "wait")?,
                None => (Duration::ZERO, Duration::ZERO),
            },
        })
    }

    fn new(numbers: Numbers, _part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, ledger }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        let Some(assigned) = hands.assigned() else { return self.mail(hands) };
        let task = self.task(&assigned.data).expect("the load's own jobs can be read");
        let wait = self.numbers.wait;
        let wait = hands.rng().duration(wait.0, wait.1);
        hands.pause(wait);
        Step::Await(Job::AwaitWorked(task))
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitAccepted { mailbox, events, left, since }, Came::Job { nth, event }) => {
                self.accepted(hands, mailbox, &events[nth as usize], since, &event);
                if left > 1 {
                    return Step::Await(Job::AwaitAccepted {
                        mailbox,
                        events,
                        left: left - 1,
                        since,
                    });
                }
                Step::Done
            }
            (Job::AwaitWorked(task), Came::Woke) => self.write(hands, task),
            (Job::AwaitWritten(mut task, copy), Came::Dbd(outcome)) => {
                match is_written(&outcome) {
                    true => hands.count("written", 1),
                    false => task.missed.push(copy),
                }
                self.write(hands, task)
            }
            (Job::AwaitHandedOn(mut task), Came::Job { event, .. }) => {
                if matches!(event, Event::Created { .. }) {
                    hands.count("handed_on", 1);
                    task.missed.pop();
                    return self.hand_on(hands, task);
                }
                hands.pause(NOT_TAKEN_PAUSE);
                Step::Await(Job::AwaitPause(task))
            }
            (Job::AwaitPause(task), Came::Woke) => self.hand_on(hands, task),
            (Job::AwaitRows(round), came) => self.rows(hands, round, came),
            (job, came) => unreachable!("{job:?} does not await {came:?}"),
        }
    }

    fn told(&mut self, hands: &mut Hands<'_>, _verb: &'static str) -> Step<Job> {
        self.first_round(hands, Purpose::Mend)
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        self.first_round(hands, Purpose::Compare)
    }
}

/// The function of a shard, from 1.
fn function(shard: u64) -> Bytes {
    format!("mail{shard}").into()
}

fn is_written(outcome: &Result<Reply, Failure>) -> bool {
    !matches!(outcome, Ok(Reply::Error(_)) | Err(_))
}

impl MailStore {
    fn shard(&self, mailbox: u64) -> usize {
        (mailbox % (self.numbers.masters.len() / self.numbers.copies) as u64) as usize
    }

    /// The host of a master of a mailbox.
    fn master(&self, mailbox: u64, copy: usize) -> usize {
        self.numbers.masters[self.shard(mailbox) * self.numbers.copies + copy]
    }

    // ---- a mail server --------------------------------------------------------------------------

    /// Something happens to a mail; or two things at once, done by two who do not know.
    fn mail(&self, hands: &mut Hands<'_>) -> Step<Job> {
        let [deliveries, moves, deletes, quarrels] = self.numbers.weights;
        let (mailbox, events) = {
            let mut ledger = lock(&self.ledger);
            let at = hands.rng().below(deliveries + moves + deletes + quarrels);
            let there = ledger.draw(|count| hands.rng().index(count));
            let Some((mailbox, mail)) = there.filter(|_| at >= deliveries) else {
                let mailbox = 1 + hands.rng().below(self.numbers.mailboxes);
                let event = ledger.deliver(mailbox);
                drop(ledger);
                return self.submit(hands, mailbox, vec![event]);
            };
            let events = if at < deliveries + moves {
                vec![ledger.relocate(mailbox, mail)]
            } else if at < deliveries + moves + deletes {
                vec![ledger.delete(mailbox, mail)]
            } else {
                let mut both = vec![ledger.delete(mailbox, mail), ledger.relocate(mailbox, mail)];
                if hands.rng().below(2) == 0 {
                    both.reverse();
                }
                both
            };
            (mailbox, events)
        };
        self.submit(hands, mailbox, events)
    }

    fn submit(&self, hands: &mut Hands<'_>, mailbox: u64, events: Vec<MailEvent>) -> Step<Job> {
        for (nth, event) in (0..).zip(&events) {
            let call = Call::new(
                function(self.shard(mailbox) as u64 + 1),
                format!("{mailbox} * {} {event}", event.number),
            );
            let unique = Unique::Key(format!("event {}", event.number).into());
            hands.submit(nth, call.background().unique(unique));
        }
        let (left, since) = (events.len(), hands.now());
        Step::Await(Job::AwaitAccepted { mailbox, events, left, since })
    }

    fn accepted(
        &self,
        hands: &mut Hands<'_>,
        mailbox: u64,
        event: &MailEvent,
        since: Time,
        answer: &Event,
    ) {
        match answer {
            Event::Created { .. } => {
                lock(&self.ledger).acknowledge(mailbox, event);
                hands.count("acknowledged", 1);
                hands.time_since("acknowledge_time", since);
            }
            Event::Lost { .. } => hands.count("unsure", 1),
            _ => hands.count("refused", 1),
        }
    }

    // ---- a worker -------------------------------------------------------------------------------

    /// Reads the data of a job: mailbox, which master or `*` for all, number, event.
    fn task(&self, data: &[u8]) -> Option<Task> {
        let mut words = std::str::from_utf8(data).ok()?.splitn(4, ' ');
        let mailbox = words.next()?.parse().ok()?;
        let copies = self.numbers.copies;
        let copy = words.next()?;
        let number: u64 = words.next()?.parse().ok()?;
        let event = MailEvent::parse(number, words.next()?)?;
        let left = match copy {
            "*" => (0..copies).map(|nth| (nth + number as usize) % copies).collect(),
            copy => vec![copy.parse().ok().filter(|copy| *copy < copies)?],
        };
        Some(Task { mailbox, event, left, missed: Vec::new() })
    }

    /// Writes to the next master.
    fn write(&self, hands: &mut Hands<'_>, mut task: Task) -> Step<Job> {
        let Some(copy) = task.left.pop() else { return self.hand_on(hands, task) };
        let host = self.master(task.mailbox, copy);
        let event = &task.event;
        let (mailbox, mail) = (task.mailbox.to_string(), event.mail.to_string());
        let (number, text) = (event.number.to_string(), event.to_string());
        let (table, mailbox) = (self.table(), mailbox.as_bytes());
        let (mail, number) = (mail.as_bytes(), number.as_bytes());
        match (self.numbers.writes, &event.what) {
            (Writes::Events, _) => {
                hands.dbd(host, &[b"ROW.PUT", table, mailbox, number, text.as_bytes()]);
            }
            (Writes::InPlace, What::Delivered) => {
                hands.dbd(host, &[b"ROW.PUT", table, mailbox, mail, b"0"]);
            }
            (Writes::InPlace, What::Moved) => {
                hands.dbd(host, &[b"ROW.PUT", table, mailbox, mail, number, b"XX"]);
            }
            (Writes::InPlace, What::Deleted(_)) => {
                hands.dbd(host, &[b"ROW.DEL", table, mailbox, mail]);
            }
        }
        Step::Await(Job::AwaitWritten(task, copy))
    }

    /// Makes a job of its own for a master that did not answer. It has no key: by one it would be
    /// taken for the job that makes it.
    fn hand_on(&self, hands: &mut Hands<'_>, task: Task) -> Step<Job> {
        let Some(copy) = task.missed.last() else { return Step::Done };
        let (mailbox, event) = (task.mailbox, &task.event);
        let call = Call::new(
            function(self.shard(mailbox) as u64 + 1),
            format!("{mailbox} {copy} {} {event}", event.number),
        );
        let later = hands.wall_ns() / 1_000_000_000 + 1 + AGAIN_SECONDS;
        hands.submit(0, Call { when: When::Epoch(later), ..call.background() });
        Step::Await(Job::AwaitHandedOn(task))
    }
}
