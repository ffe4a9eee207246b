//! What the whole history of a run must satisfy.

use super::Moving;
use super::writer::{Asked, Noted, Told};
use crate::rig::DIRECTORY;
use std::collections::{BTreeMap, BTreeSet};
use storytime_database::Reply;
use storytime_machine::{Bytes, Duration, Time};
use storytime_sharding::{Error, Home, HomeState, Outcome, Place, Request, ShardId, UserId};
use storytime_sim::check::linear::{Model, Operation, Search, Verdict};

/// One row: a value, or none.
struct Register;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Write(u64),
    Delete,
    Read,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Output {
    Done,
    Value(Option<u64>),
}

impl Model for Register {
    type State = Option<u64>;
    type Input = Input;
    type Output = Output;

    fn start(&self) -> Self::State {
        None
    }

    fn step(
        &self,
        state: &Self::State,
        input: &Input,
        output: Option<&Output>,
    ) -> Option<Self::State> {
        match (input, output) {
            (Input::Write(value), _) => Some(Some(*value)),
            (Input::Delete, _) => Some(None),
            (Input::Read, Some(Output::Value(value))) => (value == state).then_some(*state),
            (Input::Read, _) => Some(*state),
        }
    }
}

/// How much was checked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    pub(crate) writes: u64,
    pub(crate) reads: u64,
    pub(crate) rows: u64,
}

/// Everything of one user as it is in the end.
#[derive(Debug, Default)]
struct Final {
    rows: BTreeMap<u64, u64>,
}

fn text(reply: &Reply) -> &[u8] {
    match reply {
        Reply::Bulk(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// Asks a database as it stands; a connection that died unnoticed is tried again.
fn raw(moving: &mut Moving, shard: ShardId, words: &[&str]) -> Reply {
    let words = || words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
    for _ in 0..8 {
        match moving.site.try_ask(Request::Shard { shard, words: words() }) {
            Ok(Outcome::Reply(reply)) => return reply,
            Err(Error::Failed { .. }) => moving.site.pass(Duration::from_secs(1)),
            other => panic!("{other:?}"),
        }
    }
    panic!("shard {shard} does not answer")
}

fn get(moving: &mut Moving, shard: ShardId, table: &str, user: UserId) -> Option<Vec<u8>> {
    match raw(moving, shard, &["ROW.GET", table, &user.to_string(), "0"]) {
        Reply::Array(row) => Some(text(&row[1]).to_vec()),
        _ => None,
    }
}

fn rows(moving: &mut Moving, shard: ShardId, user: UserId) -> BTreeMap<u64, u64> {
    let words = ["ROW.RANGE", "blog", &user.to_string(), "-", "+"];
    let Reply::Array(rows) = raw(moving, shard, &words) else { panic!("no rows") };
    let number = |reply: &Reply| match reply {
        Reply::Integer(number) => u64::try_from(*number).expect("from 1"),
        other => core::str::from_utf8(text(other)).expect("digits").parse().expect("a number"),
    };
    let row = |row: &Reply| match row {
        Reply::Array(row) => (number(&row[0]), number(&row[2])),
        other => panic!("{other:?}"),
    };
    rows.iter().map(row).collect()
}

/// Every user is on exactly one shard, the one that the directory names, and nothing of him is
/// anywhere else.
fn final_of(moving: &mut Moving, user: UserId) -> Final {
    let place = get(moving, DIRECTORY, "place", user).expect("everybody has a place");
    let place = Place::parse(&place).expect("a place");
    assert_eq!(get(moving, DIRECTORY, "move", user), None, "no move is left");
    for shard in (1..=super::SHARDS).map(ShardId) {
        let home = get(moving, shard, "home", user).map(|home| Home::parse(&home).expect("a home"));
        if shard == place.shard {
            let state = home.map(|home| home.state);
            assert_eq!(state, Some(HomeState::Active), "user {user} can write on shard {shard}");
            continue;
        }
        assert!(
            home.is_none_or(|home| home.state == HomeState::Moved),
            "user {user} is on shard {} and on {shard}: {home:?}",
            place.shard,
        );
        assert!(rows(moving, shard, user).is_empty(), "user {user} left rows on shard {shard}");
    }
    Final { rows: rows(moving, place.shard, user) }
}

fn operation(noted: &Noted, input: Input) -> Option<Operation<Input, Output>> {
    let done = match &noted.done {
        Some((_, Told::Nothing)) => return None,
        Some((at, Told::Written { .. })) => Some((*at, Output::Done)),
        Some((at, Told::Read { value })) => Some((*at, Output::Value(*value))),
        Some((_, Told::Unknown)) | None => None,
    };
    Some(Operation { call: noted.call, input, done })
}

fn check_user(user: UserId, notes: &[Noted], found: &Final, end: Time, checked: &mut Checked) {
    let mut items: BTreeMap<u64, Vec<Operation<Input, Output>>> = BTreeMap::new();
    let mut given = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for noted in notes.iter().filter(|noted| noted.user == user) {
        let (item, input) = match (&noted.asked, &noted.done) {
            (Asked::Create { value }, Some((_, Told::Written { item, .. }))) => {
                assert!(given.insert(*item), "number {item} was given twice to user {user}");
                (*item, Input::Write(*value))
            }
            (Asked::Create { value }, _) => {
                let item = found.rows.iter().find(|(_, is)| *is == value).map(|(item, _)| *item);
                let Some(item) = item else { continue };
                (item, Input::Write(*value))
            }
            (Asked::Update { item, value }, _) => (*item, Input::Write(*value)),
            (Asked::Delete { item }, _) => (*item, Input::Delete),
            (Asked::Read { item }, _) => (*item, Input::Read),
        };
        if let Input::Write(value) = input {
            asked.insert(value);
        }
        if let Some(operation) = operation(noted, input) {
            match operation.input {
                Input::Read => checked.reads += 1,
                _ => checked.writes += 1,
            }
            items.entry(item).or_default().push(operation);
        }
    }
    let mut values = BTreeSet::new();
    for (item, value) in &found.rows {
        assert!(asked.contains(value), "user {user} has {value} in row {item}, never written");
        assert!(values.insert(value), "user {user} has {value} twice");
        items.entry(*item).or_default();
    }
    checked.rows += found.rows.len() as u64;
    for (item, mut history) in items {
        let value = Output::Value(found.rows.get(&item).copied());
        history.push(Operation { call: end, input: Input::Read, done: Some((end, value)) });
        let verdict = Search::default().check(&Register, &history);
        assert!(
            matches!(verdict, Verdict::Linearizable(_)),
            "row {item} of user {user}: {verdict:?} of {history:#?}"
        );
    }
}

/// Checks a run that has come to rest.
pub(crate) fn check(moving: &mut Moving) -> Checked {
    let mut checked = Checked::default();
    let notes = std::mem::take(&mut moving.notes.lock().expect("no machine panics").all);
    for user in moving.users.clone() {
        let found = final_of(moving, user);
        let end = moving.site.world.now();
        check_user(user, &notes, &found, end, &mut checked);
    }
    checked
}
