//! Posts, deletions and checks over a store reduced to rows, in every order and with every crash.

use super::*;
use crate::map::UserId;
use crate::outcome::{Row, Written};
use crate::request::Change;
use bytes::Bytes;
use core::hash::BuildHasher;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::hash::FixedState;

const ANNA: UserId = UserId(1);
const BERT: UserId = UserId(2);

/// Rows of all users; each request is atomic for its user.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Store {
    clock: u64,
    rows: BTreeMap<(UserId, Bytes, u64), (u64, Bytes)>,
    numbers: BTreeMap<(UserId, Bytes), u64>,
}

impl Store {
    fn ask(&mut self, request: &Request) -> Answer {
        match request {
            Request::Number { table, user, .. } => {
                let next = self.numbers.entry((*user, table.clone())).or_insert(1);
                *next += 1;
                Ok(Outcome::Number(*next - 1))
            }
            Request::Rows { table, user, items } => {
                let rows = items.iter().filter_map(|item| self.row(*user, table, *item));
                Ok(Outcome::Rows(rows.collect()))
            }
            Request::Select { table, user, query } => {
                let range = (*user, table.clone(), query.min)..=(*user, table.clone(), query.max);
                let items: Vec<u64> =
                    self.rows.range(range).map(|((_, _, item), _)| *item).collect();
                let rows = items.iter().filter_map(|item| self.row(*user, table, *item));
                Ok(Outcome::Rows(rows.take(query.limit as usize).collect()))
            }
            Request::Write { user, changes, .. } => self.write(*user, changes),
            other => panic!("nobody asks {other:?}"),
        }
    }

    fn row(&self, user: UserId, table: &Bytes, item: u64) -> Option<Row> {
        let (version, value) = self.rows.get(&(user, table.clone(), item))?;
        Some(Row { item, version: *version, value: value.clone() })
    }

    fn write(&mut self, user: UserId, changes: &[Change]) -> Answer {
        for (change, each) in changes.iter().enumerate() {
            match each {
                Change::Create { table, item, .. } => {
                    if self.row(user, table, item.expect("numbered")).is_some() {
                        return Err(Error::Exists { change });
                    }
                }
                Change::Update { table, item, version, .. }
                | Change::Delete { table, item, version } => {
                    let found = self.row(user, table, *item).map(|row| row.version);
                    if version.is_some() && found != *version {
                        return Err(Error::Changed { change });
                    }
                }
            }
        }
        self.clock += 1;
        let mut rows = Vec::new();
        for each in changes {
            let (item, value) = match each {
                Change::Create { item, value, .. } => (item.expect("numbered"), Some(value)),
                Change::Update { item, value, .. } => (*item, Some(value)),
                Change::Delete { item, .. } => (*item, None),
            };
            let key = (user, each.table().clone(), item);
            match value {
                Some(value) => self.rows.insert(key, (self.clock, value.clone())),
                None => self.rows.remove(&key),
            };
            rows.push((item, self.clock));
        }
        Ok(Outcome::Written(Written { rows, caches_told: true }))
    }

    /// Checks all users until a round finds nothing to do.
    fn mend(&mut self) {
        for _ in 0..4 {
            let mut done = 0;
            for user in [ANNA, BERT] {
                let (mut check, mut step) = Check::new(user);
                let found = loop {
                    match step {
                        Step::Ask(request) => step = check.answer(self.ask(&request)),
                        Step::Done(found) => break found,
                        Step::Failed(why) => panic!("{why}"),
                    }
                };
                done += found.finished + found.completed + found.deleted;
                assert_eq!(found.garbled, 0);
            }
            if done == 0 {
                return;
            }
        }
        panic!("there is always something to mend");
    }

    /// Messages as both sides tell them.
    fn sides(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut received, mut written) = (BTreeSet::new(), BTreeSet::new());
        for ((user, table, item), (_, value)) in &self.rows {
            let end = End { user: *user, item: *item };
            match &table[..] {
                b"guestbook" => received
                    .extend(Message::of_received(end, value).map(|message| format!("{message:?}"))),
                b"written" => written
                    .extend(Message::of_written(end, value).map(|message| format!("{message:?}"))),
                _ => panic!("something is left prepared"),
            }
        }
        (received, written)
    }

    fn assert_mended(&self) -> usize {
        let mut store = self.clone();
        store.mend();
        let (received, written) = store.sides();
        assert_eq!(received, written, "both sides are the same");
        received.len()
    }
}

/// Somebody at work on a transfer, frozen at any time, for ever or not.
#[derive(Clone, PartialEq, Debug)]
struct Hand {
    transfer: Transfer,
    step: Step<Message>,
}

#[derive(Clone, PartialEq, Debug)]
struct World {
    store: Store,
    hands: Vec<Hand>,
    told: bool,
    checks: u32,
    deletions: u32,
}

impl World {
    fn hash(&self) -> u64 {
        let steps: Vec<String> = self.hands.iter().map(|hand| format!("{hand:?}")).collect();
        FixedState.hash_one((&self.store, steps, self.told, self.checks, self.deletions))
    }

    fn next(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for at in 0..self.hands.len() {
            let Step::Ask(request) = self.hands[at].step.clone() else { continue };
            let mut world = self.clone();
            let answer = world.store.ask(&request);
            world.hands[at].step = world.hands[at].transfer.answer(answer);
            world.told |= at == 0 && matches!(world.hands[at].step, Step::Done(_));
            all.push(world);
        }
        if self.checks > 0 {
            let mut world = self.clone();
            world.checks -= 1;
            world.store.mend();
            all.push(world);
        }
        let (received, _) = {
            let mut store = self.store.clone();
            store.rows.retain(|(_, table, _), _| table != PREPARE);
            store.sides()
        };
        if self.deletions > 0 && !received.is_empty() {
            let mut world = self.clone();
            world.deletions -= 1;
            let row = self.store.row(BERT, &Bytes::from_static(b"guestbook"), 1).expect("number 1");
            let end = End { user: BERT, item: 1 };
            let message = Message::of_received(end, &row.value).expect("a message");
            let (transfer, step) = Transfer::delete(message);
            world.hands.push(Hand { transfer, step });
            all.push(world);
        }
        all
    }
}

fn explore(checks: u32, deletions: u32) -> usize {
    let (transfer, step) = Transfer::post(ANNA, BERT, Bytes::from_static(b"hello"));
    let hands = vec![Hand { transfer, step }];
    let first = World { store: Store::default(), hands, told: false, checks, deletions };
    let (mut seen, mut stack) = (BTreeSet::new(), vec![first]);
    while let Some(world) = stack.pop() {
        if !seen.insert(world.hash()) {
            continue;
        }
        let messages = world.store.assert_mended();
        let deleted = world.hands.len() > 1;
        assert!(messages <= 1, "a message is there once");
        assert!(deleted || !world.told || messages == 1, "what was told is there");
        let is_done = |hand: &Hand| matches!(hand.step, Step::Done(_));
        if deleted && world.hands[1..].iter().any(is_done) {
            assert_eq!(messages, 0, "what is deleted does not come back");
        }
        stack.extend(world.next());
    }
    seen.len()
}

#[test]
fn both_sides_come_together_after_a_crash_at_every_point() {
    let states = explore(2, 0);
    assert!(states > 10, "{states}");
}

#[test]
fn what_is_deleted_does_not_come_back_whoever_wakes_up_when() {
    let states = explore(2, 2);
    assert!(states > 100, "{states}");
}

#[test]
fn rows_of_writers_that_know_of_no_transaction_are_completed() {
    let mut store = Store::default();
    let table = |name: &'static str| Bytes::from_static(name.as_bytes());
    let alone = |end: u64| Bytes::from(format!("from=1/{end} hello"));
    for item in 1..=250 {
        store.rows.insert((BERT, table(GUESTBOOK), item), (item, alone(item)));
    }
    store.rows.insert((ANNA, table(WRITTEN), 7), (7, Bytes::from_static(b"deleted")));
    store.rows.insert((ANNA, table(WRITTEN), 999), (7, Bytes::from_static(b"to=2/998 hi")));
    assert_eq!(store.assert_mended(), 250, "one was deleted, one lay with the writer only");
}

#[test]
fn messages_read_as_they_were_written() {
    let (writer, receiver) = (End { user: ANNA, item: 3 }, End { user: BERT, item: 4 });
    for text in [Some(Bytes::from_static(b"a b=c/d")), Some(Bytes::new()), None] {
        let message = Message { writer, receiver, text };
        assert_eq!(Message::of_prepared(writer, &message.prepared()), Some(message.clone()));
        let there = message.text.is_some().then_some(message.clone());
        assert_eq!(Message::of_received(receiver, &message.received()), there);
        assert_eq!(Message::of_written(writer, &message.written()), there);
    }
}
