//! Strings, hashes and sorted sets beside a model of them.

use crate::rig::Rig;
use proptest::prelude::*;
use std::collections::BTreeMap;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[derive(Clone, Debug)]
enum Step {
    Set(u32, Option<bool>),
    Get,
    Append(u32),
    Add(i64),
    Part(i64, i64),
    Del,
    Type,
    HashSet(u8, u32),
    HashGet(u8),
    HashDel(u8),
    HashLen,
    HashAdd(u8, i64),
    SortedAdd(u8, i64),
    SortedBy(u8, i64),
    SortedRem(u8),
    Score(u8),
    Rank(u8, bool),
    Ranks(i64, i64, bool),
    Scores(i64, i64, usize),
    Between(i64, i64),
    Lex(u8, u8),
    PopMin,
    PowerCut,
}

#[derive(Clone, Debug)]
enum Value {
    Text(String),
    Hash(BTreeMap<u8, String>),
    Sorted(BTreeMap<u8, i64>),
}

#[derive(Default)]
struct Model(BTreeMap<u8, Value>);

fn bulk(text: impl ToString) -> String {
    let text = text.to_string();
    // The rig trims what it is told, and so does this.
    format!("${} {text}", text.len()).trim_end().to_owned()
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<_> = items.into_iter().collect();
    let mut text = format!("*{}", items.len());
    items.iter().for_each(|item| text += &format!(" {item}"));
    text
}

/// Members in order: by score, then by name.
fn ordered(sorted: &BTreeMap<u8, i64>) -> Vec<(i64, u8)> {
    let mut order: Vec<_> = sorted.iter().map(|(&member, &score)| (score, member)).collect();
    order.sort_unstable();
    order
}

fn told(members: &[(i64, u8)]) -> String {
    list(members.iter().flat_map(|&(score, member)| [bulk(format!("m{member}")), bulk(score)]))
}

/// Redis's ends of a range as places in a list.
fn places(from: i64, to: i64, len: usize) -> std::ops::Range<usize> {
    let at = |end: i64| if end < 0 { (end + len as i64).max(-1) } else { end };
    let (from, to) = (at(from).max(0) as usize, (at(to) + 1).clamp(0, len as i64) as usize);
    if from >= to { 0..0 } else { from..to }
}

impl Model {
    fn text(&mut self, key: u8) -> Result<Option<&mut String>, String> {
        match self.0.get_mut(&key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    fn hash(&mut self, key: u8) -> Result<&mut BTreeMap<u8, String>, String> {
        match self.0.entry(key).or_insert_with(|| Value::Hash(BTreeMap::new())) {
            Value::Hash(hash) => Ok(hash),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    fn sorted(&mut self, key: u8) -> Result<&mut BTreeMap<u8, i64>, String> {
        match self.0.entry(key).or_insert_with(|| Value::Sorted(BTreeMap::new())) {
            Value::Sorted(sorted) => Ok(sorted),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    fn step(&mut self, key: u8, step: &Step) -> String {
        let told = self.on_text(key, step).and_then(|told| match told {
            Some(told) => Ok(told),
            None => self.on_hash(key, step),
        });
        let told = told.unwrap_or_else(|fault| fault);
        // A key whose last part is gone is gone.
        self.0.retain(|_, value| match value {
            Value::Text(_) => true,
            Value::Hash(hash) => !hash.is_empty(),
            Value::Sorted(sorted) => !sorted.is_empty(),
        });
        told
    }

    fn on_text(&mut self, key: u8, step: &Step) -> Result<Option<String>, String> {
        Ok(Some(match *step {
            Step::Set(n, when) => {
                let there = self.0.contains_key(&key);
                let holds = when.is_none_or(|wanted| wanted == there);
                if holds {
                    self.0.insert(key, Value::Text(n.to_string()));
                }
                if holds { "+OK" } else { "$-1" }.into()
            }
            Step::Get => self.text(key)?.map_or_else(|| "$-1".into(), bulk),
            Step::Append(n) => {
                let now = self.text(key)?.cloned().unwrap_or_default() + &n.to_string();
                let len = now.len();
                self.0.insert(key, Value::Text(now));
                format!(":{len}")
            }
            Step::Add(by) => {
                let now = self.text(key)?.cloned().unwrap_or_else(|| "0".into());
                let wrong = "-ERR value is not an integer or out of range";
                let over = "-ERR increment or decrement would overflow";
                let plain = now.parse::<i64>().ok().filter(|n| n.to_string() == now);
                let sum = plain.ok_or(wrong)?.checked_add(by).ok_or(over)?;
                self.0.insert(key, Value::Text(sum.to_string()));
                format!(":{sum}")
            }
            Step::Part(from, to) => {
                let text = self.text(key)?.cloned().unwrap_or_default();
                // Of strings alone, an end before the first byte is the first byte.
                let backwards = from < 0 && to < 0 && from > to;
                let to = if to < 0 { to.max(-(text.len().max(1) as i64)) } else { to };
                let part = if backwards { 0..0 } else { places(from, to, text.len()) };
                bulk(&text[part])
            }
            Step::Del => format!(":{}", u8::from(self.0.remove(&key).is_some())),
            Step::Type => match self.0.get(&key) {
                None => "+none",
                Some(Value::Text(_)) => "+string",
                Some(Value::Hash(_)) => "+hash",
                Some(Value::Sorted(_)) => "+zset",
            }
            .into(),
            _ => return Ok(None),
        }))
    }

    fn on_hash(&mut self, key: u8, step: &Step) -> Result<String, String> {
        Ok(match *step {
            Step::HashSet(field, n) => {
                let before = self.hash(key)?.insert(field, n.to_string());
                format!(":{}", u8::from(before.is_none()))
            }
            Step::HashGet(field) => self.hash(key)?.get(&field).map_or_else(|| "$-1".into(), bulk),
            Step::HashDel(field) => {
                format!(":{}", u8::from(self.hash(key)?.remove(&field).is_some()))
            }
            Step::HashLen => format!(":{}", self.hash(key)?.len()),
            Step::HashAdd(field, by) => {
                let text = self.hash(key)?.entry(field).or_insert_with(|| "0".into());
                let sum = text.parse::<i64>().expect("fields are numbers") + by;
                *text = sum.to_string();
                format!(":{sum}")
            }
            _ => return self.on_sorted(key, step),
        })
    }

    fn on_sorted(&mut self, key: u8, step: &Step) -> Result<String, String> {
        let sorted = self.sorted(key)?;
        let order = ordered(sorted);
        Ok(match *step {
            Step::SortedAdd(member, score) => {
                format!(":{}", u8::from(sorted.insert(member, score).is_none()))
            }
            Step::SortedBy(member, by) => {
                let score = sorted.entry(member).or_default();
                *score += by;
                bulk(*score)
            }
            Step::SortedRem(member) => format!(":{}", u8::from(sorted.remove(&member).is_some())),
            Step::Score(member) => sorted.get(&member).map_or_else(|| "$-1".into(), bulk),
            Step::Rank(member, reverse) => {
                let rank = order.iter().position(|found| found.1 == member);
                let rank = rank.map(|rank| if reverse { order.len() - 1 - rank } else { rank });
                rank.map_or_else(|| "$-1".into(), |rank| format!(":{rank}"))
            }
            Step::Ranks(from, to, reverse) => {
                let mut order = order;
                if reverse {
                    order.reverse();
                }
                told(&order[places(from, to, order.len())])
            }
            Step::Scores(min, max, skip) => {
                let within = order.into_iter().filter(|(score, _)| (min..=max).contains(score));
                told(&within.skip(skip).take(2).collect::<Vec<_>>())
            }
            Step::Between(min, max) => {
                let within = order.iter().filter(|(score, _)| *score > min && *score <= max);
                format!(":{}", within.count())
            }
            Step::PopMin => {
                let least = order.first().copied();
                least.map(|(_, member)| sorted.remove(&member));
                told(least.as_slice())
            }
            Step::Lex(from, to) => list(
                (from..to)
                    .filter(|member| sorted.contains_key(member))
                    .map(|m| bulk(format!("m{m}"))),
            ),
            ref other => unreachable!("{other:?} was answered before"),
        })
    }
}

/// The line of a request.
fn line(key: u8, step: &Step) -> String {
    match *step {
        Step::Set(n, None) => format!("SET k{key} {n}"),
        Step::Set(n, Some(there)) => format!("SET k{key} {n} {}", if there { "XX" } else { "NX" }),
        Step::Get => format!("GET k{key}"),
        Step::Append(n) => format!("APPEND k{key} {n}"),
        Step::Add(by) => format!("INCRBY k{key} {by}"),
        Step::Part(from, to) => format!("GETRANGE k{key} {from} {to}"),
        Step::Del => format!("DEL k{key}"),
        Step::Type => format!("TYPE k{key}"),
        Step::HashSet(field, n) => format!("HSET k{key} f{field} {n}"),
        Step::HashGet(field) => format!("HGET k{key} f{field}"),
        Step::HashDel(field) => format!("HDEL k{key} f{field}"),
        Step::HashLen => format!("HLEN k{key}"),
        Step::HashAdd(field, by) => format!("HINCRBY k{key} f{field} {by}"),
        Step::SortedAdd(member, score) => format!("ZADD k{key} {score} m{member}"),
        Step::SortedBy(member, by) => format!("ZINCRBY k{key} {by} m{member}"),
        Step::SortedRem(member) => format!("ZREM k{key} m{member}"),
        Step::Score(member) => format!("ZSCORE k{key} m{member}"),
        Step::Rank(member, false) => format!("ZRANK k{key} m{member}"),
        Step::Rank(member, true) => format!("ZREVRANK k{key} m{member}"),
        Step::Ranks(from, to, false) => format!("ZRANGE k{key} {from} {to} WITHSCORES"),
        Step::Ranks(from, to, true) => format!("ZREVRANGE k{key} {from} {to} WITHSCORES"),
        Step::Scores(min, max, skip) => {
            format!("ZRANGEBYSCORE k{key} {min} {max} WITHSCORES LIMIT {skip} 2")
        }
        Step::Between(min, max) => format!("ZCOUNT k{key} ({min} {max}"),
        Step::Lex(from, to) => format!("ZRANGEBYLEX k{key} [m{from} (m{to}"),
        Step::PopMin => format!("ZPOPMIN k{key}"),
        Step::PowerCut => unreachable!("it is no request"),
    }
}

fn on_texts_and_hashes() -> impl Strategy<Value = Step> {
    let end = -6..6i64;
    prop_oneof![
        (any::<u32>(), prop::option::of(any::<bool>())).prop_map(|(n, when)| Step::Set(n, when)),
        Just(Step::Get),
        (0..1000u32).prop_map(Step::Append),
        prop_oneof![-9..9i64, any::<i64>()].prop_map(Step::Add),
        (end.clone(), end).prop_map(|(from, to)| Step::Part(from, to)),
        Just(Step::Del),
        Just(Step::Type),
        Just(Step::PowerCut),
        (0..4u8, any::<u32>()).prop_map(|(field, n)| Step::HashSet(field, n)),
        (0..4u8).prop_map(Step::HashGet),
        (0..4u8).prop_map(Step::HashDel),
        Just(Step::HashLen),
        (0..4u8, -9..9i64).prop_map(|(field, by)| Step::HashAdd(field, by)),
    ]
}

fn on_sorted_sets() -> impl Strategy<Value = Step> {
    let (member, score, end) = (0..8u8, -5..5i64, -9..9i64);
    prop_oneof![
        4 => (member.clone(), score.clone()).prop_map(|(m, score)| Step::SortedAdd(m, score)),
        1 => (member.clone(), score.clone()).prop_map(|(m, by)| Step::SortedBy(m, by)),
        1 => member.clone().prop_map(Step::SortedRem),
        1 => member.clone().prop_map(Step::Score),
        2 => (member.clone(), any::<bool>()).prop_map(|(m, reverse)| Step::Rank(m, reverse)),
        2 => (end.clone(), end, any::<bool>()).prop_map(|(f, t, r)| Step::Ranks(f, t, r)),
        2 => (score.clone(), score.clone(), 0..3usize).prop_map(|(a, b, n)| Step::Scores(a, b, n)),
        1 => (score.clone(), score).prop_map(|(min, max)| Step::Between(min, max)),
        1 => Just(Step::PopMin),
    ]
}

fn run(steps: &[(u8, Step)]) -> Result<(), TestCaseError> {
    let mut rig = Rig::new("");
    let mut client = rig.open();
    let mut model = Model::default();
    for (key, step) in steps {
        if matches!(step, Step::PowerCut) {
            let digest = rig.lone.machine().store().digest();
            rig = rig.after_power_cut("");
            client = rig.open();
            prop_assert_eq!(rig.lone.machine().store().digest(), digest);
            continue;
        }
        let line = line(*key, step);
        prop_assert_eq!(rig.say(client, &line), model.step(*key, step), "{}", line);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn keys_of_all_kinds_are_what_a_model_of_them_says(
        steps in prop::collection::vec(
            (0..3u8, prop_oneof![on_texts_and_hashes(), on_sorted_sets()]), 1..80),
    ) {
        run(&steps)?;
    }

    #[test]
    fn a_sorted_set_is_what_a_model_of_it_says(
        steps in prop::collection::vec((Just(0), on_sorted_sets()), 1..80),
    ) {
        run(&steps)?;
    }

    /// With equal scores the order is that of the members.
    #[test]
    fn members_of_one_score_are_told_by_their_bytes(
        members in prop::collection::btree_set(0..9u8, 0..9), from in 0..9u8, to in 0..9u8,
    ) {
        let mut steps: Vec<_> = members.iter().map(|&m| (0, Step::SortedAdd(m, 0))).collect();
        steps.push((0, Step::Lex(from, to)));
        run(&steps)?;
    }
}
