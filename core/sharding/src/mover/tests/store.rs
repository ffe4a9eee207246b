//! Databases reduced to what a move sees of them: one user's rows, each command atomic.

use super::super::request::digest;
use bytes::Bytes;
use std::collections::BTreeMap;
use storytime_database::Reply;

/// One database, one user.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Store {
    /// Versions are never used again.
    clock: u64,
    pub(super) rows: BTreeMap<(Bytes, u64), (u64, Bytes)>,
    pub(super) spaces: BTreeMap<Bytes, u64>,
}

fn number(word: &Bytes) -> u64 {
    core::str::from_utf8(word).expect("digits").parse().expect("a number")
}

fn integer(number: u64) -> Reply {
    Reply::Integer(i64::try_from(number).expect("a small number"))
}

impl Store {
    pub(super) fn put(&mut self, table: &str, item: u64, value: impl Into<Bytes>) -> u64 {
        self.clock += 1;
        let key = (Bytes::copy_from_slice(table.as_bytes()), item);
        self.rows.insert(key, (self.clock, value.into()));
        self.clock
    }

    pub(super) fn get(&self, table: &str, item: u64) -> Option<&(u64, Bytes)> {
        self.rows.get(&(Bytes::copy_from_slice(table.as_bytes()), item))
    }

    fn row(&self, table: &Bytes, item: u64) -> Reply {
        self.rows.get(&(table.clone(), item)).map_or(Reply::Nil, |(version, value)| {
            Reply::Array(vec![integer(*version), Reply::Bulk(value.clone())])
        })
    }

    pub(super) fn ask(&mut self, words: &[Bytes]) -> Reply {
        match &words[0][..] {
            b"ROW.GET" => self.row(&words[1], number(&words[3])),
            b"ROW.MGET" => Reply::Array(
                words[3..].iter().map(|item| self.row(&words[1], number(item))).collect(),
            ),
            b"ROW.RANGE" => self.range(words),
            b"ROW.TABLES" => self.tables(),
            b"ROW.BATCH" => self.batch(&words[2..]),
            other => panic!("no such command: {other:?}"),
        }
    }

    fn range(&self, words: &[Bytes]) -> Reply {
        assert_eq!(words[7], "HASH");
        let min = if words[3] == "-" { 0 } else { number(&words[3]) };
        let range = (words[1].clone(), min)..=(words[1].clone(), u64::MAX);
        let rows = self.rows.range(range).take(number(&words[6]) as usize);
        let row = |((_, item), (version, value)): (&(Bytes, u64), &(u64, Bytes))| {
            Reply::Array(vec![integer(*item), integer(*version), integer(digest(value))])
        };
        Reply::Array(rows.map(row).collect())
    }

    fn tables(&self) -> Reply {
        let mut counts: BTreeMap<&Bytes, u64> = self.spaces.keys().map(|name| (name, 0)).collect();
        for (table, _) in self.rows.keys() {
            *counts.entry(table).or_default() += 1;
        }
        let table = |(name, rows): (&Bytes, u64)| {
            let next = self.spaces.get(name).copied().unwrap_or(1);
            Reply::Array(vec![Reply::Bulk(name.clone()), integer(rows), integer(next)])
        };
        Reply::Array(counts.into_iter().map(table).collect())
    }

    fn batch(&mut self, words: &[Bytes]) -> Reply {
        let mut rest = words;
        while let [clause, table, item, more @ ..] = rest {
            rest = match &clause[..] {
                b"CHECK" => {
                    let key = (table.clone(), number(item));
                    let found = self.rows.get(&key).map_or(0, |(version, _)| *version);
                    if found != number(&more[0]) {
                        return Reply::Error(format!("CHECKFAILED is at {found}").into());
                    }
                    &more[1..]
                }
                b"PUT" => &more[1..],
                _ => more,
            };
        }
        self.clock += 1;
        let mut replies = Vec::new();
        rest = words;
        while let [clause, table, item, more @ ..] = rest {
            let key = (table.clone(), number(item));
            rest = more;
            replies.push(integer(match &clause[..] {
                b"CHECK" => {
                    rest = &more[1..];
                    0
                }
                b"PUT" => {
                    self.rows.insert(key, (self.clock, more[0].clone()));
                    rest = &more[1..];
                    self.clock
                }
                b"DEL" => {
                    self.rows.remove(&key);
                    0
                }
                b"NEXT" => {
                    let next = self.spaces.entry(key.0).or_insert(1);
                    *next += key.1;
                    *next - key.1
                }
                b"FLOOR" => {
                    let next = self.spaces.entry(key.0).or_insert(1);
                    *next = (*next).max(key.1);
                    *next
                }
                other => panic!("no such clause: {other:?}"),
            }));
        }
        Reply::Array(replies)
    }
}
