//! An application that submits all sorts of jobs and checks what becomes of them.

use crate::hand::{BIG_BYTES, FUNCTIONS};
use crate::ledger::{Book, Phase, name};
use bytes::Bytes;
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::client::{
    Choice, Client, ClientOptions, Event, Handle, Job, NotAccepted, Outcome, Priority, TaskSet,
    TaskSetOptions, Unique,
};
use storytime_machine::{Cx, Endpoint, Ratio, Token};

/// First token of the client; the application's own lie below.
const BASE: Token = Token(1 << 40);
const TICK: Token = Token(0);
const AGAIN: Token = Token(1);
/// First tag of task sets.
const SETS: u64 = 1 << 32;
/// Jobs of a task set.
const SET_JOBS: u64 = 5;
/// Jobs that must be done at the end.
const LAST_JOBS: u64 = 8;

/// What is under way.
#[derive(Clone, Debug)]
enum Under {
    /// A job whose result begins with this: its unique key, or all of its data.
    Job { function: Bytes, result: Bytes },
    /// A job nobody waits for.
    Background,
    /// A question.
    Question,
}

pub(crate) struct Shop {
    book: Book,
    number: usize,
    open: BTreeMap<u64, Under>,
    next: u64,
    set: Option<TaskSet>,
    sets: u64,
    known: Option<Handle>,
    last_began: bool,
    pub(crate) last_done: u64,
}

impl Shop {
    pub(crate) fn new(book: Book, servers: &[Endpoint], number: usize) -> Adapter<Self> {
        let choices = [Choice::Failover, Choice::Hashed, Choice::InOrder];
        let options = ClientOptions {
            servers: servers.to_vec(),
            choice: choices[number % choices.len()],
            exceptions: number % 2 == 1,
            ..ClientOptions::default()
        };
        let shop = Self {
            book,
            number,
            open: BTreeMap::new(),
            next: 0,
            set: None,
            sets: 0,
            known: None,
            last_began: false,
            last_done: 0,
        };
        Adapter::new(Client::new(options, BASE), shop)
    }

    fn tick(&mut self, cx: &mut Cx, client: &mut Client) {
        let phase = self.book.open().phase;
        match phase {
            Phase::Busy => self.act(cx, client),
            Phase::Quiet => {}
            Phase::Last if !self.last_began => {
                self.last_began = true;
                for _ in 0..LAST_JOBS {
                    self.submit(cx, client, "work", Unique::None, false);
                }
            }
            Phase::Last => {}
        }
        let pause = cx.rng().exponential(Duration::from_millis(80));
        cx.after(TICK, pause.min(Duration::from_secs(1)));
    }

    fn act(&mut self, cx: &mut Cx, client: &mut Client) {
        match cx.rng().below(20) {
            0 => {
                let Some(handle) = self.known else { return };
                let tag = self.begin(Under::Question);
                client.status(cx, handle, tag).expect("there is room");
            }
            1 => {
                let tag = self.begin(Under::Question);
                let key = Bytes::from_static(b"k1");
                client.status_unique(cx, key, tag).expect("there is room");
            }
            2 if self.set.is_none() => self.begin_set(cx, client),
            _ => {
                let function = FUNCTIONS[cx.rng().index(FUNCTIONS.len())];
                let background = cx.rng().chance(Ratio::new(1, 2));
                let unique = match cx.rng().below(4) {
                    0 => Unique::Fresh,
                    1 => Unique::None,
                    _ => Unique::Key(format!("k{}", cx.rng().below(4)).into()),
                };
                self.submit(cx, client, function, unique, background);
            }
        }
    }

    fn submit(
        &mut self,
        cx: &mut Cx,
        client: &mut Client,
        function: &'static str,
        unique: Unique,
        background: bool,
    ) {
        let own = format!("shop {} life {} job {}", self.number, cx.rng().u64(), self.next);
        let result = match &unique {
            // Any job with the same key is the same job.
            Unique::Key(key) => Bytes::from(format!("{}|", String::from_utf8_lossy(key))),
            Unique::None | Unique::Data | Unique::Fresh => Bytes::from(own.clone()),
        };
        let data = match &unique {
            Unique::Key(_) => format!("{}{own}", String::from_utf8_lossy(&result)),
            Unique::None | Unique::Data | Unique::Fresh => own,
        };
        let impatient = !self.last_began && cx.rng().chance(Ratio::new(1, 40));
        let priorities = [Priority::High, Priority::Normal, Priority::Low];
        let job = Job {
            background,
            unique,
            priority: priorities[cx.rng().index(3)],
            timeout: impatient.then(|| Duration::from_millis(100)),
            ..Job::new(function, data)
        };
        let function = Bytes::from_static(function.as_bytes());
        let tag = match background {
            true => self.begin(Under::Background),
            false => self.begin(Under::Job { function, result }),
        };
        let taken = client.submit(cx, job, tag);
        assert!(taken.is_ok() || taken == Err(NotAccepted::TooMany), "{taken:?}");
        if taken.is_err() {
            self.open.remove(&tag);
        }
    }

    fn begin(&mut self, what: Under) -> u64 {
        self.next += 1;
        self.open.insert(self.next, what);
        self.book.open().tally.submitted += 1;
        self.next
    }

    fn begin_set(&mut self, cx: &mut Cx, client: &mut Client) {
        let options = TaskSetOptions {
            in_flight_max: 3,
            attempts_max: 4,
            retry_after: Duration::from_millis(300),
            ..TaskSetOptions::default()
        };
        self.sets += 1;
        let first = SETS + self.sets * SET_JOBS;
        let mut set = TaskSet::new(options, first, AGAIN);
        (0..SET_JOBS).for_each(|nth| _ = set.add(Job::new("chatty", nth.to_string())));
        set.submit(cx, client);
        self.set = Some(set);
    }

    fn of_set(&mut self, cx: &mut Cx, client: &mut Client, event: &Event) {
        let set = self.set.as_mut().expect("a set is there until its end");
        assert!(set.on_event(cx, client, event), "{event:?} is of no set");
        if set.is_done() {
            let set = self.set.take().expect("it is there");
            for (nth, outcome) in set.into_outcomes().enumerate() {
                if let Outcome::Done(result) = outcome {
                    // A part may be missing where a connection was full, and come twice never.
                    let last = nth.to_string();
                    assert!(result.ends_with(last.as_bytes()), "{result:?}");
                }
            }
        }
    }

    fn happened(&mut self, event: Event) {
        let tag = event.tag();
        let what = self.open.get(&tag).expect("nothing is told after the end").clone();
        let mut book = self.book.open();
        match (&event, what) {
            (Event::Created { handle, background, .. }, _) => {
                self.known = Some(*handle);
                if *background {
                    book.tally.accepted += 1;
                    book.accepted.push(name(handle));
                }
            }
            (Event::Complete { data, .. }, Under::Job { function, result }) => {
                book.tally.complete += 1;
                assert!(data.starts_with(&result), "{result:?} was asked for, {data:?} came");
                assert!(function != "big" || data.len() == BIG_BYTES, "big results are whole");
                self.last_done += u64::from(self.last_began);
            }
            (Event::Failed { .. } | Event::Exception { .. }, Under::Job { function, .. }) => {
                book.tally.failed += 1;
                let may = function == "fail" || function == "exception";
                assert!(may, "{function:?} does not fail");
            }
            (Event::Lost { .. }, _) => book.tally.lost += 1,
            (Event::NotSent { .. }, _) => book.tally.not_sent += 1,
            (Event::StatusIs { .. }, Under::Question) => {}
            (Event::Data { .. } | Event::Status { .. }, Under::Job { function, .. }) => {
                assert_eq!(function, "chatty", "others say nothing in between");
            }
            (event, what) => panic!("{event:?} is no answer to {what:?}"),
        }
        drop(book);
        if event.is_end() {
            self.open.remove(&tag);
        }
    }

    /// Everything has ended, and the last jobs were done.
    pub(crate) fn check(&self, client: &Client) {
        assert_eq!((client.pending(), self.open.len()), (0, 0), "{:?}", self.open);
        assert!(self.set.is_none(), "the set has ended");
        assert_eq!(self.last_done, LAST_JOBS, "everything is healed");
    }
}

impl Handler for Shop {
    type Part = Client;

    fn start(&mut self, cx: &mut Cx, _: &mut Client) {
        cx.after(TICK, Duration::ZERO);
    }

    fn event(&mut self, cx: &mut Cx, client: &mut Client, event: Event) {
        match event.tag() >= SETS {
            true => self.of_set(cx, client, &event),
            false => self.happened(event),
        }
    }

    fn timer(&mut self, cx: &mut Cx, client: &mut Client, timer: Token) {
        if timer == TICK {
            return self.tick(cx, client);
        }
        let of_set = self.set.as_mut().is_some_and(|set| set.on_timer(cx, client, timer));
        assert!(of_set || timer == AGAIN, "the timer of a set that has ended");
    }
}
