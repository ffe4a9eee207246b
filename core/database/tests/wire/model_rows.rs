//! Rows beside a model of them: the server answers every request as the model does, and so does a
//! server that recovers from its journal.

use crate::rig::Rig;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const TABLES: [&str; 2] = ["home", "posts"];

/// Under which condition a row is written or deleted; `If` names the right version or another.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    New,
    There,
    If(bool),
}

#[derive(Clone, Copy, Debug)]
enum Clause {
    Check(u64, bool),
    Put(u64, u8),
    Del(u64),
    Bump(u64),
    Next(u64),
    Floor(u64),
}

#[derive(Clone, Debug)]
enum Step {
    Put(u64, u8, When),
    Del(u64, When),
    Get(u64),
    Range { min: u64, max: u64, reverse: bool, limit: Option<usize> },
    Count,
    Next(u64),
    Batch(Vec<(usize, Clause)>),
    Drop,
    DropAll,
    Owners,
    Size,
    Tables,
    With(u64),
    PowerCut,
}

type Row = (u64, String);

#[derive(Default)]
struct Model {
    /// By table, owner and item.
    rows: BTreeMap<(usize, u64, u64), Row>,
    /// The last number drawn, by table and owner.
    numbers: BTreeMap<(usize, u64), u64>,
    /// The last version given.
    version: u64,
}

fn row(row: Option<&Row>) -> String {
    row.map_or_else(
        || "*-1".into(),
        |(version, value)| format!("*2 :{version} ${} {value}", value.len()),
    )
}

fn list(items: &[String]) -> String {
    let mut text = format!("*{}", items.len());
    items.iter().for_each(|item| text += &format!(" {item}"));
    text
}

fn value(n: u8) -> String {
    "v".repeat(usize::from(n))
}

impl Model {
    fn version_of(&self, key: (usize, u64, u64)) -> u64 {
        self.rows.get(&key).map_or(0, |row| row.0)
    }

    fn write(&mut self, key: (usize, u64, u64), value: String) -> u64 {
        self.version += 1;
        self.rows.insert(key, (self.version, value));
        self.version
    }

    fn remove(&mut self, gone: impl Fn(usize, u64) -> bool) -> String {
        let before = self.rows.len();
        self.rows.retain(|&(table, owner, _), _| !gone(table, owner));
        format!(":{}", before - self.rows.len())
    }

    /// The words of a condition, and whether it holds.
    fn when(&self, when: When, key: (usize, u64, u64)) -> (String, bool) {
        let now = self.version_of(key);
        match when {
            When::Always => (String::new(), true),
            When::New => (" NX".into(), now == 0),
            When::There => (" XX".into(), now != 0),
            When::If(right) => (format!(" IF {}", now + u64::from(!right)), right),
        }
    }

    fn of_owner(&self, table: usize, owner: u64) -> impl DoubleEndedIterator<Item = (u64, &Row)> {
        self.rows.range((table, owner, 0)..=(table, owner, u64::MAX)).map(|(key, row)| (key.2, row))
    }

    /// The line of a request, and its reply.
    fn step(&mut self, table: usize, owner: u64, step: &Step) -> (String, String) {
        let at = format!("{} {owner}", TABLES[table]);
        match *step {
            Step::Put(item, n, when) => {
                let key = (table, owner, item);
                let (words, holds) = self.when(when, key);
                let line = format!("ROW.PUT {at} {item} {}{words}", value(n));
                let told = holds.then(|| format!(":{}", self.write(key, value(n))));
                (line, told.unwrap_or_else(|| "$-1".into()))
            }
            Step::Del(item, when) => {
                let key = (table, owner, item);
                let (words, holds) = match when {
                    When::If(_) => self.when(when, key),
                    _ => (String::new(), true),
                };
                let gone = holds && self.rows.remove(&key).is_some();
                (format!("ROW.DEL {at} {item}{words}"), format!(":{}", u8::from(gone)))
            }
            Step::Next(n) => {
                let last = self.numbers.entry((table, owner)).or_default();
                *last += n;
                (format!("ROW.NEXT {at} {n}"), format!(":{}", *last + 1 - n))
            }
            Step::Batch(ref clauses) => self.batch(owner, clauses),
            Step::Drop => (format!("ROW.DROP {at}"), self.remove(|t, o| (t, o) == (table, owner))),
            Step::DropAll => (format!("ROW.DROPALL {owner}"), self.remove(|_, o| o == owner)),
            _ => (self.question(&at, table, owner, step), self.answer(table, owner, step)),
        }
    }

    fn question(&self, at: &str, table: usize, owner: u64, step: &Step) -> String {
        match *step {
            Step::Get(item) => format!("ROW.GET {at} {item}"),
            Step::Range { min, max, reverse, limit } => {
                let reverse = if reverse { " REV" } else { "" };
                let limit = limit.map_or(String::new(), |n| format!(" LIMIT {n}"));
                format!("ROW.RANGE {at} {min} {max}{reverse}{limit}")
            }
            Step::Owners => format!("ROW.OWNERS {} - 10", TABLES[table]),
            Step::Size => format!("ROW.SIZE {}", TABLES[table]),
            Step::Tables => format!("ROW.TABLES {owner}"),
            Step::With(item) => format!("ROW.WITH {} 0 ROW.MGET {at} {item} 1", TABLES[0]),
            _ => format!("ROW.COUNT {at}"),
        }
    }

    fn answer(&self, table: usize, owner: u64, step: &Step) -> String {
        match *step {
            Step::Get(item) => row(self.rows.get(&(table, owner, item))),
            Step::Range { min, max, reverse, limit } => {
                let found = self.of_owner(table, owner).filter(|(item, _)| *item >= min);
                let told =
                    found.filter(|(item, _)| *item <= max).map(|(item, (version, value))| {
                        format!("*3 :{item} :{version} ${} {value}", value.len())
                    });
                let mut told: Vec<_> = told.collect();
                if reverse {
                    told.reverse();
                }
                told.truncate(limit.unwrap_or(usize::MAX));
                list(&told)
            }
            Step::Owners => {
                let of_table = self.rows.keys().filter(|key| key.0 == table);
                let owners: BTreeSet<_> = of_table.map(|key| key.1).collect();
                list(&owners.iter().map(|owner| format!(":{owner}")).collect::<Vec<_>>())
            }
            Step::Size => {
                let rows = self.rows.iter().filter(|(key, _)| key.0 == table);
                let owners: BTreeSet<_> = rows.clone().map(|(key, _)| key.1).collect();
                let bytes: usize = rows.clone().map(|(_, row)| row.1.len()).sum();
                format!("*3 :{} :{} :{bytes}", owners.len(), rows.count())
            }
            Step::Tables => {
                let told = (0..TABLES.len()).filter_map(|table| {
                    let rows = self.of_owner(table, owner).count();
                    let last = self.numbers.get(&(table, owner)).copied().unwrap_or(0);
                    let name = TABLES[table];
                    let line = format!("*3 ${} {name} :{rows} :{}", name.len(), last + 1);
                    (rows > 0 || last > 0).then_some(line)
                });
                list(&told.collect::<Vec<_>>())
            }
            Step::With(item) => {
                let get = |table, item| row(self.rows.get(&(table, owner, item)));
                let many = list(&[get(table, item), get(table, 1)]);
                list(&[get(0, 0), many])
            }
            _ => format!(":{}", self.of_owner(table, owner).count()),
        }
    }

    fn batch(&mut self, owner: u64, clauses: &[(usize, Clause)]) -> (String, String) {
        let (mut line, mut failed) = (format!("ROW.BATCH {owner}"), None);
        for (n, &(table, clause)) in clauses.iter().enumerate() {
            let found = |item| self.version_of((table, owner, item));
            let (words, fails) = match clause {
                Clause::Check(item, right) => {
                    let version = found(item) + u64::from(!right);
                    (format!("{item} {version}"), (!right).then(|| found(item)))
                }
                Clause::Bump(item) => (format!("{item}"), (found(item) == 0).then_some(0)),
                Clause::Put(item, n) => (format!("{item} {}", value(n)), None),
                Clause::Del(item) => (format!("{item}"), None),
                Clause::Next(n) | Clause::Floor(n) => (format!("{n}"), None),
            };
            let debug = format!("{clause:?}").to_ascii_uppercase();
            let name = debug.split('(').next().expect("the name of the clause");
            line += &format!(" {name} {} {words}", TABLES[table]);
            failed = failed.or(fails.map(|version| (n + 1, version)));
        }
        if let Some((n, version)) = failed {
            return (line, format!("-CHECKFAILED {n} the row is at version {version}"));
        }
        let told: Vec<_> = clauses.iter().map(|&(t, c)| self.clause(t, owner, c)).collect();
        (line, list(&told))
    }

    fn clause(&mut self, table: usize, owner: u64, clause: Clause) -> String {
        let last = self.numbers.get(&(table, owner)).copied().unwrap_or(0);
        let told = match clause {
            Clause::Check(..) => 0,
            Clause::Put(item, n) => self.write((table, owner, item), value(n)),
            Clause::Del(item) => {
                self.rows.remove(&(table, owner, item));
                0
            }
            Clause::Bump(item) => {
                let key = (table, owner, item);
                let value = self.rows.get(&key).map(|row| row.1.clone()).unwrap_or_default();
                self.write(key, value)
            }
            Clause::Next(n) => {
                self.numbers.insert((table, owner), last + n);
                last + 1
            }
            Clause::Floor(next) => {
                let last = last.max(next.saturating_sub(1));
                self.numbers.insert((table, owner), last);
                last + 1
            }
        };
        format!(":{told}")
    }
}

fn clauses() -> impl Strategy<Value = Vec<(usize, Clause)>> {
    let right = prop::bool::weighted(0.8);
    let clause = prop_oneof![
        2 => (0..5u64, right).prop_map(|(item, right)| Clause::Check(item, right)),
        3 => (0..5u64, 1..20u8).prop_map(|(item, n)| Clause::Put(item, n)),
        1 => (0..5u64).prop_map(Clause::Del),
        1 => (0..5u64).prop_map(Clause::Bump),
        1 => (1..5u64).prop_map(Clause::Next),
        1 => (0..20u64).prop_map(Clause::Floor),
    ];
    prop::collection::vec((0..TABLES.len(), clause), 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    let when = prop_oneof![
        Just(When::Always),
        Just(When::New),
        Just(When::There),
        any::<bool>().prop_map(When::If),
    ];
    let range = (0..6u64, 0..6u64, any::<bool>(), prop::option::of(0..4usize));
    prop_oneof![
        6 => (0..5u64, 1..20u8, when.clone()).prop_map(|(i, n, w)| Step::Put(i, n, w)),
        2 => (0..5u64, when).prop_map(|(i, w)| Step::Del(i, w)),
        2 => (0..5u64).prop_map(Step::Get),
        3 => range.prop_map(|(min, max, reverse, limit)| Step::Range { min, max, reverse, limit }),
        1 => Just(Step::Count),
        1 => (1..5u64).prop_map(Step::Next),
        4 => clauses().prop_map(Step::Batch),
        1 => Just(Step::Drop),
        1 => Just(Step::DropAll),
        1 => Just(Step::Owners),
        1 => Just(Step::Size),
        1 => Just(Step::Tables),
        2 => (0..5u64).prop_map(Step::With),
        1 => Just(Step::PowerCut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn rows_are_what_a_model_of_them_says(
        steps in prop::collection::vec((0..TABLES.len(), 1..4u64, step()), 1..60),
    ) {
        let mut rig = Rig::new("");
        let mut client = rig.open();
        let mut model = Model::default();
        for (table, owner, step) in &steps {
            if matches!(step, Step::PowerCut) {
                let digest = rig.lone.machine().store().digest();
                rig = rig.after_power_cut("");
                client = rig.open();
                prop_assert_eq!(rig.lone.machine().store().digest(), digest);
                continue;
            }
            let (line, reply) = model.step(*table, *owner, step);
            prop_assert_eq!(rig.say(client, &line), reply, "{}", line);
        }
    }
}
