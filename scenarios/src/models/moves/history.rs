//! Everything that was asked and told, and whether it makes sense.
//!
//! Moments are numbers that count what happened on all hosts of the load together: what ended
//! before something else began has the lower number, whatever the hosts' clocks say.

use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::Time;
use storytime_sharding::ShardId;
use storytime_sim::check::linear::{Model, Operation, Search, Verdict};

/// What was asked of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A new row.
    Create,
    /// A new value.
    Update(u64),
    /// That it be no more.
    Delete(u64),
    /// What is in it.
    Read(u64),
}

/// What was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The row of this number was written.
    Written(u64),
    /// What is in the row.
    Value(Option<u64>),
    /// Certainly nothing happened.
    Nothing,
    /// Nobody knows.
    Unknown,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    user: u32,
    asked: Asked,
    /// What is written: no value comes twice.
    value: u64,
    call: u64,
    done: Option<(u64, Told)>,
}

/// A user's home that was seen to be read-only: first, and last.
#[derive(Clone, Copy, Debug)]
struct ReadOnly {
    /// When the first to see it had seen it.
    from: u64,
    /// When the last to see it began to look.
    to: u64,
}

/// What all hosts know together.
#[derive(Debug, Default)]
pub struct Ledger {
    moment: u64,
    values: u64,
    notes: Vec<Note>,
    /// The rows that each user was told to have.
    rows: BTreeMap<u32, Vec<u64>>,
    /// By user, shard and the home's version.
    read_only: BTreeMap<(u32, ShardId, u64), ReadOnly>,
    /// Since when each user's writes are refused.
    refused: BTreeMap<u32, Time>,
    /// What each user has read and written since this was last asked for.
    loads: BTreeMap<u32, (u64, u64)>,
}

/// What a user has in the end.
pub type Rows = BTreeMap<u64, u64>;

/// What was found out about a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Requests whose answers were compared.
    pub operations: u64,
    /// Rows with a history of their own.
    pub rows: u64,
    /// Rows whose answers fit into no order.
    pub broken: u64,
    /// Rows with too long a history to be sure.
    pub undecided: u64,
    /// Rows that were told to be there, that nobody deleted, and that are not there.
    pub lost: u64,
    /// Values that are there twice, and numbers that were given twice.
    pub doubled: u64,
    /// Values that nobody wrote there.
    pub invented: u64,
    /// Times that the user was seen to be read-only from one moment to a later one.
    pub read_only: u64,
    /// Writes that were begun and accepted within one of them.
    pub accepted: u64,
}

/// One row: a value, or none.
struct Register;

#[derive(Clone, Copy, Debug)]
enum Input {
    Write(Option<u64>),
    Read,
}

impl Model for Register {
    type State = Option<u64>;
    type Input = Input;
    type Output = Option<u64>;

    fn start(&self) -> Self::State {
        None
    }

    fn step(
        &self,
        state: &Self::State,
        input: &Input,
        output: Option<&Self::Output>,
    ) -> Option<Self::State> {
        match (input, output) {
            (Input::Write(value), _) => Some(*value),
            (Input::Read, Some(value)) => (value == state).then_some(*state),
            (Input::Read, None) => Some(*state),
        }
    }
}

type Operations = Vec<Operation<Input, Option<u64>>>;

impl Ledger {
    /// The next moment.
    pub const fn moment(&mut self) -> u64 {
        self.moment += 1;
        self.moment
    }

    /// A value that was never written.
    pub const fn fresh_value(&mut self) -> u64 {
        self.values += 1;
        self.values
    }

    /// A request begins; returns its place.
    pub fn begin(&mut self, user: u32, asked: Asked, value: u64) -> usize {
        let call = self.moment();
        self.notes.push(Note { user, asked, value, call, done: None });
        self.notes.len() - 1
    }

    /// A request ends.
    pub fn end(&mut self, note: usize, told: Told) {
        let at = self.moment();
        let note = &mut self.notes[note];
        assert!(note.done.is_none(), "a request ends once");
        note.done = Some((at, told));
        let load = self.loads.entry(note.user).or_default();
        match told {
            Told::Value(_) => load.0 += 1,
            Told::Written(_) => load.1 += 1,
            Told::Nothing | Told::Unknown => {}
        }
        if let (Asked::Create, Told::Written(row)) = (note.asked, told) {
            self.rows.entry(note.user).or_default().push(row);
        }
    }

    /// What each user has read and written since the last time.
    pub fn take_loads(&mut self) -> BTreeMap<u32, (u64, u64)> {
        std::mem::take(&mut self.loads)
    }

    /// The rows that a user was told to have.
    pub fn rows_of(&self, user: u32) -> &[u64] {
        self.rows.get(&user).map_or(&[], Vec::as_slice)
    }

    /// The write is sent only now: it cannot happen before. The row of the update, and the value
    /// that it is to have.
    pub fn sent(&mut self, note: usize) -> (u64, u64) {
        let call = self.moment();
        let note = &mut self.notes[note];
        note.call = call;
        match note.asked {
            Asked::Update(row) | Asked::Delete(row) | Asked::Read(row) => (row, note.value),
            Asked::Create => (0, note.value),
        }
    }

    /// Somebody who began to look at moment `call` sees now that a user is read-only.
    pub fn saw_read_only(&mut self, user: u32, shard: ShardId, version: u64, call: u64) {
        let now = self.moment();
        let seen = ReadOnly { from: now, to: call };
        let known = self.read_only.entry((user, shard, version)).or_insert(seen);
        known.to = known.to.max(call);
    }

    /// A write of a user's was refused.
    pub fn refused(&mut self, user: u32, now: Time) {
        self.refused.entry(user).or_insert(now);
    }

    /// A write of a user's was accepted: since when they had been refused.
    pub fn accepted(&mut self, user: u32) -> Option<Time> {
        self.refused.remove(&user)
    }

    /// Compares everything about one user with what is there in the end.
    pub fn check(&mut self, user: u32, rows: &Rows) -> Findings {
        let end = self.moment();
        let notes = || self.notes.iter().filter(|note| note.user == user);
        let mut found = Findings::default();
        let mut histories: BTreeMap<u64, Operations> =
            rows.keys().map(|row| (*row, Operations::new())).collect();
        let mut asked = BTreeMap::new();
        let (mut created, mut deleted) = (BTreeSet::new(), BTreeSet::new());
        for note in notes() {
            if let (Asked::Create, Some((_, Told::Written(row)))) = (note.asked, note.done) {
                found.doubled += u64::from(!created.insert(row));
            }
            let Some((row, operation)) = operation(note, rows) else { continue };
            if let Asked::Delete(row) = note.asked {
                deleted.insert(row);
            }
            if let Input::Write(Some(value)) = operation.input {
                asked.insert(value, row);
            }
            found.operations += 1;
            histories.entry(row).or_default().push(operation);
        }
        let missing = |row: &&u64| !rows.contains_key(row) && !deleted.contains(row);
        found.lost = created.iter().filter(missing).count() as u64;
        let values: BTreeSet<u64> = rows.values().copied().collect();
        found.doubled += (rows.len() - values.len()) as u64;
        let nobodys = |(row, value): &(&u64, &u64)| asked.get(value) != Some(row);
        found.invented = rows.iter().filter(nobodys).count() as u64;
        for (row, mut history) in histories {
            let last = Some((Time(end), rows.get(&row).copied()));
            history.push(Operation { call: Time(end), input: Input::Read, done: last });
            found.rows += 1;
            match Search::default().check(&Register, &history) {
                Verdict::Linearizable(_) => {}
                Verdict::Broken(_) => found.broken += 1,
                Verdict::Undecided => found.undecided += 1,
            }
        }
        self.check_read_only(user, &mut found);
        found
    }

    fn check_read_only(&self, user: u32, found: &mut Findings) {
        let spans = self.read_only.range((user, ShardId(0), 0)..(user + 1, ShardId(0), 0));
        for (_, span) in spans.filter(|(_, span)| span.from < span.to) {
            found.read_only += 1;
            let within = |note: &&Note| {
                let written =
                    |done: &(u64, Told)| matches!(done.1, Told::Written(_)) && done.0 < span.to;
                note.user == user
                    && note.call > span.from
                    && note.done.as_ref().is_some_and(written)
            };
            found.accepted += self.notes.iter().filter(within).count() as u64;
        }
    }
}

/// A note as an operation on a row; none if it certainly did nothing, or nobody knows to which row.
fn operation(note: &Note, rows: &Rows) -> Option<(u64, Operation<Input, Option<u64>>)> {
    let told = match note.done {
        Some((_, Told::Nothing)) => return None,
        Some((at, Told::Written(row))) => Some((at, Some(row))),
        Some((at, Told::Value(value))) => Some((at, value)),
        Some((_, Told::Unknown)) | None => None,
    };
    let (row, input) = match note.asked {
        Asked::Create => {
            let of_value = || rows.iter().find(|(_, value)| **value == note.value);
            let row = match told {
                Some((_, row)) => row?,
                None => *of_value()?.0,
            };
            (row, Input::Write(Some(note.value)))
        }
        Asked::Update(row) => (row, Input::Write(Some(note.value))),
        Asked::Delete(row) => (row, Input::Write(None)),
        // What was read and not told constrains nothing.
        Asked::Read(row) => told.map(|_| (row, Input::Read))?,
    };
    let done = told.map(|(at, output)| (Time(at), output));
    Some((row, Operation { call: Time(note.call), input, done }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ledger: &mut Ledger, asked: Asked, value: u64, told: Told) {
        let note = ledger.begin(1, asked, value);
        ledger.end(note, told);
    }

    #[test]
    fn what_was_told_is_there() {
        let mut ledger = Ledger::default();
        told(&mut ledger, Asked::Create, 1, Told::Written(7));
        told(&mut ledger, Asked::Update(7), 2, Told::Written(7));
        told(&mut ledger, Asked::Update(7), 3, Told::Unknown);
        told(&mut ledger, Asked::Read(7), 0, Told::Value(Some(2)));
        let good = Findings { operations: 4, rows: 1, ..Findings::default() };
        assert_eq!(ledger.check(1, &Rows::from([(7, 2)])), good);
        assert_eq!(ledger.check(1, &Rows::from([(7, 3)])), good, "it may have happened");
        assert_eq!(ledger.check(1, &Rows::from([(7, 1)])).broken, 1, "an update is lost");
        let none = ledger.check(1, &Rows::new());
        assert_eq!((none.lost, none.broken), (1, 1));
        let more = ledger.check(1, &Rows::from([(7, 3), (8, 3), (9, 5)]));
        assert_eq!((more.doubled, more.invented), (1, 2));
    }

    #[test]
    fn writes_within_a_read_only_time_are_counted() {
        let mut ledger = Ledger::default();
        told(&mut ledger, Asked::Create, 1, Told::Written(7));
        let call = ledger.moment();
        ledger.saw_read_only(1, ShardId(2), 40, call);
        told(&mut ledger, Asked::Update(7), 2, Told::Written(7));
        let found = ledger.check(1, &Rows::from([(7, 2)]));
        assert_eq!((found.read_only, found.accepted), (0, 0), "it may have ended before");
        let call = ledger.moment();
        ledger.saw_read_only(1, ShardId(2), 40, call);
        told(&mut ledger, Asked::Update(7), 3, Told::Written(7));
        let found = ledger.check(1, &Rows::from([(7, 3)]));
        assert_eq!((found.read_only, found.accepted), (1, 1));
    }
}
