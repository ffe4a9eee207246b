//! A directory, two shards, movers, and a writer who goes on writing; every event is a step of its
//! own. What is checked holds in every state, reached in whatever way.

use super::super::decide::{End, Errand};
use super::super::job::{Job, Step};
use super::super::options::{JobOptions, Upgrading};
use super::super::record::{MOVE_TABLE, MoveRow, Stage};
use super::super::request::{Answer, Request, Target};
use super::store::Store;
use crate::home::{HOME_TABLE, Home, HomeState, PLACE_TABLE, Place};
use crate::map::{ShardId, UserId};
use bytes::Bytes;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use storytime_database::Reply;
use storytime_machine::Time;

pub(super) const USER: UserId = UserId(7);
const TABLE: &str = "blog";

/// A mover at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Worker {
    job: Job,
    step: Step,
}

/// What the writer knows.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Writer {
    shard: Option<usize>,
    home: Option<u64>,
    drawn: Option<u64>,
    writes: u64,
}

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A mover's request is carried out and answered; a pause ends.
    Go(usize),
    /// A mover's request is not answered, and may take effect any time later, or never.
    Delay(usize),
    /// A delayed request takes effect.
    Late(usize),
    /// Another mover takes up the move.
    Start,
    /// The writer does its next step.
    Write,
    /// The move is called off.
    Cancel,
    /// So much time passes that patience ends.
    Wait,
}

/// How many events of a kind there may be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Budget {
    pub(super) delays: u32,
    pub(super) movers: u32,
    pub(super) writes: u64,
    pub(super) cancels: u32,
    pub(super) waits: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Site {
    pub(super) directory: Store,
    pub(super) shards: [Store; 2],
    movers: Vec<Worker>,
    late: Vec<Request>,
    writer: Writer,
    budget: Budget,
    now: Time,
    nonce: u64,
    schema: u32,
    /// Shard 0 is a master from before sharding.
    unsharded: bool,
    /// What was acknowledged.
    rows: BTreeMap<u64, Bytes>,
    numbers: BTreeSet<u64>,
}

/// Rows are upgraded by a stroke for each version, so that an upgrade too many is seen.
pub(super) fn with_strokes(row: Upgrading<'_>) -> Bytes {
    let mut value = row.value.to_vec();
    value.extend((row.from..row.to).map(|_| b'\''));
    Bytes::from(value)
}

fn home(store: &Store) -> Option<(u64, Home)> {
    let (version, value) = store.get(HOME_TABLE, 0)?;
    Some((*version, Home::parse(value).expect("a home")))
}

impl Site {
    /// A user on shard 0 with some rows, and a move to shard 1.
    pub(super) fn new(rows: u64, schema: u32, budget: Budget) -> Self {
        let mut site = Self {
            directory: Store::default(),
            shards: [Store::default(), Store::default()],
            movers: Vec::new(),
            late: Vec::new(),
            writer: Writer::default(),
            budget,
            now: Time::ZERO,
            nonce: 0,
            schema,
            unsharded: false,
            rows: BTreeMap::new(),
            numbers: BTreeSet::new(),
        };
        site.directory.put(PLACE_TABLE, 0, Place::new(ShardId(0)).to_string());
        site.shards[0].put(HOME_TABLE, 0, Home::new(1).to_string());
        for item in 1..=rows {
            let value = Bytes::from(format!("old{item}"));
            site.shards[0].put(TABLE, item, value.clone());
            site.rows.insert(item, value);
            site.numbers.insert(item);
        }
        if rows > 0 {
            site.shards[0].spaces.insert(Bytes::from_static(TABLE.as_bytes()), rows + 1);
        }
        site.order();
        site
    }

    /// The same user on a master from before sharding, without a home.
    pub(super) fn before_sharding(rows: u64, budget: Budget) -> Self {
        let mut site = Self::new(rows, 0, budget);
        site.shards[0].rows.retain(|(table, _), _| table != HOME_TABLE);
        site.unsharded = true;
        site
    }

    /// What a shard says about the user, and the version to check.
    fn home(&self, at: usize) -> Option<(u64, Home)> {
        let found = home(&self.shards[at]);
        if self.unsharded && at == 0 { found.or(Some((0, Home::new(1)))) } else { found }
    }

    fn place(&self) -> Place {
        Place::parse(&self.directory.get(PLACE_TABLE, 0).expect("a place").1).expect("a place")
    }

    /// Orders a move to the other shard.
    pub(super) fn order(&mut self) {
        let from = self.place().shard;
        let to = ShardId(1 - from.0);
        let row = MoveRow { stage: Stage::Copying, from, to, schema: self.schema, holder: 0 };
        self.directory.put(MOVE_TABLE, 0, row.to_string());
    }

    pub(super) fn more(&mut self, budget: Budget) {
        self.budget = budget;
        self.movers.clear();
        self.order();
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (at, mover) in self.movers.iter().enumerate() {
            if matches!(mover.step, Step::Over(_)) {
                continue;
            }
            events.push(Event::Go(at));
            if self.budget.delays > 0 && matches!(mover.step, Step::Ask(_)) {
                events.push(Event::Delay(at));
            }
        }
        events.extend((0..self.late.len()).map(Event::Late));
        if self.budget.movers > 0 {
            events.push(Event::Start);
        }
        if self.writer.writes < self.budget.writes {
            events.push(Event::Write);
        }
        if self.budget.cancels > 0 && self.stage() == Some(Stage::Copying) {
            events.push(Event::Cancel);
        }
        if self.budget.waits > 0 {
            events.push(Event::Wait);
        }
        events
    }

    fn stage(&self) -> Option<Stage> {
        let (_, value) = self.directory.get(MOVE_TABLE, 0)?;
        Some(MoveRow::parse(value).expect("a move").stage)
    }

    pub(super) fn happen(&mut self, event: Event, options: &JobOptions) {
        match event {
            Event::Go(at) => {
                let answer = match &self.movers[at].step {
                    Step::Ask(request) => Some(self.carry(&request.clone())),
                    _ => None,
                };
                self.told(at, answer, options);
            }
            Event::Delay(at) => {
                self.budget.delays -= 1;
                if let Step::Ask(request) = self.movers[at].step.clone()
                    && request.words.first().is_some_and(|word| word == "ROW.BATCH")
                {
                    self.late.push(request);
                }
                self.told(at, Some(Answer::Unknown), options);
            }
            Event::Late(at) => {
                let request = self.late.remove(at);
                self.carry(&request);
            }
            Event::Start => {
                self.budget.movers -= 1;
                self.start();
            }
            Event::Write => self.write(),
            Event::Cancel => {
                self.budget.cancels -= 1;
                let (_, value) = self.directory.get(MOVE_TABLE, 0).expect("a move");
                let row = MoveRow::parse(value).expect("a move");
                let row = MoveRow { stage: Stage::Undoing, ..row };
                self.directory.put(MOVE_TABLE, 0, row.to_string());
            }
            Event::Wait => {
                self.budget.waits -= 1;
                self.now += Duration::from_secs(60);
            }
        }
    }

    fn start(&mut self) {
        self.nonce += 1;
        let mut job = Job::new(USER, Errand::Finish, self.nonce);
        let step = job.go_on();
        self.movers.push(Worker { job, step });
    }

    fn told(&mut self, at: usize, answer: Option<Answer>, options: &JobOptions) {
        let (now, mover) = (self.now, &mut self.movers[at]);
        mover.step = match answer {
            Some(answer) => mover.job.answer(now, answer, options),
            None => mover.job.go_on(),
        };
        mover.job.invariants();
    }

    fn carry(&mut self, request: &Request) -> Answer {
        Answer::Reply(match request.target {
            Target::Directory => self.directory.ask(&request.words),
            Target::Shard(shard) => self.shards[shard.0 as usize].ask(&request.words),
            Target::Cache => Reply::Nil,
        })
    }

    /// Place, home, number, row: one at a time, so that anything can happen in between. Every
    /// second write is of an old row.
    fn write(&mut self) {
        let Some(shard) = self.writer.shard else {
            self.writer.shard = Some(self.place().shard.0 as usize);
            return;
        };
        let Some(version) = self.writer.home else {
            match self.home(shard) {
                Some((version, home)) if home.state == HomeState::Active => {
                    self.writer.home = Some(version);
                }
                Some((_, home)) if home.state == HomeState::ReadOnly => {}
                _ => self.writer.shard = None,
            }
            return;
        };
        let batch = |clause: &[String]| {
            let check = format!("ROW.BATCH 7 CHECK home 0 {version}");
            let words = check.split(' ').chain(clause.iter().map(String::as_str));
            words.map(|word| Bytes::copy_from_slice(word.as_bytes())).collect::<Vec<_>>()
        };
        let text = |word: &str| word.to_owned();
        let old = self.rows.first_key_value().map(|(item, _)| *item);
        let old = old.filter(|_| self.writer.writes % 2 == 1);
        let Some(item) = self.writer.drawn.or(old) else {
            let words = batch(&[text("NEXT"), text(TABLE), text("1")]);
            match self.shards[shard].ask(&words) {
                Reply::Array(replies) => {
                    let Some(Reply::Integer(number)) = replies.last() else { panic!("a number") };
                    let number = u64::try_from(*number).expect("from 1");
                    assert!(self.numbers.insert(number), "number {number} was given twice");
                    self.writer.drawn = Some(number);
                }
                _ => self.writer.home = None,
            }
            return;
        };
        let value = format!("new{}", self.writer.writes);
        let words = batch(&[text("PUT"), text(TABLE), item.to_string(), value.clone()]);
        match self.shards[shard].ask(&words) {
            Reply::Array(_) => {
                self.rows.insert(item, Bytes::from(value));
                self.writer.writes += 1;
                self.writer.drawn = None;
            }
            // A number belongs to the shard that gave it only until somebody else writes there.
            _ => self.writer.home = None,
        }
    }

    // ---- what must hold ----------------------------------------------------------------------

    fn check_now(&self) {
        let states: Vec<_> = (0..2).map(|at| self.home(at).map(|(_, home)| home.state)).collect();
        let active = states.iter().filter(|state| **state == Some(HomeState::Active)).count();
        assert!(active <= 1, "active on both shards");
        if active == 1 {
            let other = states.iter().find(|state| **state != Some(HomeState::Active));
            assert_ne!(other, Some(&Some(HomeState::ReadOnly)), "read here while written there");
            let place = self.place().shard.0 as usize;
            assert_eq!(states[place], Some(HomeState::Active), "written where nobody looks");
        }
        for (at, state) in states.iter().enumerate() {
            if *state == Some(HomeState::Active) {
                self.check_rows(at);
            }
        }
    }

    /// The shard has every row as it was acknowledged last, and no others.
    fn check_rows(&self, at: usize) {
        let shard = &self.shards[at];
        let strip = |value: &Bytes| {
            let text = core::str::from_utf8(value).expect("text");
            text.trim_end_matches('\'').to_owned()
        };
        let found: BTreeMap<u64, String> = shard
            .rows
            .iter()
            .filter(|((table, _), _)| table == TABLE)
            .map(|((_, item), (_, value))| (*item, strip(value)))
            .collect();
        let wanted: BTreeMap<u64, String> =
            self.rows.iter().map(|(item, value)| (*item, strip(value))).collect();
        assert_eq!(found, wanted, "rows on shard {at}");
        let next = shard.spaces.get(TABLE.as_bytes()).copied().unwrap_or(1);
        assert!(self.numbers.iter().all(|number| *number < next), "numbers would be given again");
    }

    /// All that [`check`](Self::check) looks at: what movers and the writer are about to do does
    /// not count.
    pub(super) fn without_actors(&self) -> impl core::hash::Hash + use<'_> {
        (&self.directory, &self.shards, &self.late, &self.rows, &self.numbers)
    }

    /// From here a mover that nobody disturbs brings the move to its end, and whatever is still on
    /// its way then changes nothing.
    pub(super) fn check(&self, options: &JobOptions) {
        self.check_now();
        let mut site = self.clone();
        site.movers.clear();
        site.finish(options);
        site.check_now();
        let place = site.place().shard.0 as usize;
        let (_, home_row) = site.home(place).expect("a home");
        assert_eq!(home_row.state, HomeState::Active, "the user can write in the end");
        let other = site.shards[1 - place].rows.keys().filter(|(table, _)| table == TABLE);
        assert_eq!(other.count(), 0, "rows are on one shard in the end");
        let before = site.content();
        for request in core::mem::take(&mut site.late) {
            site.carry(&request);
        }
        assert_eq!(site.content(), before, "what comes late changes nothing");
    }

    /// Every row's value.
    fn content(&self) -> Vec<(Bytes, u64, Bytes)> {
        let stores = [&self.directory, &self.shards[0], &self.shards[1]];
        let rows = stores.into_iter().flat_map(|store| store.rows.iter());
        rows.map(|((table, item), (_, value))| (table.clone(), *item, value.clone())).collect()
    }

    pub(super) fn finish(&mut self, options: &JobOptions) {
        self.movers.clear();
        // One patience may be at its end with the first.
        for _ in 0..3 {
            self.start();
            let mut steps = 0;
            while !matches!(self.movers[0].step, Step::Over(_)) {
                self.happen(Event::Go(0), options);
                steps += 1;
                assert!(steps < 1_000, "a job comes to its end");
            }
            let end = self.movers.pop().expect("it was just there").step;
            match end {
                Step::Over(End::Finished | End::NoMove) => return,
                Step::Over(End::Postponed) => {}
                other => panic!("an undisturbed mover ended with {other:?}"),
            }
        }
        panic!("the move is postponed for ever");
    }
}
