//! What a move asks of databases, and how it reads what they answer.

use crate::map::{ShardId, UserId};
use bytes::Bytes;
use core::fmt;
use storytime_database::Reply;
use storytime_database::client::error_code;
pub(crate) use storytime_database::commands::row_digest as digest;

/// Whom a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// The database of the directory.
    Directory,
    /// The database of a shard.
    Shard(ShardId),
    /// The directory's cache: the user's entry is to be deleted, and whether that succeeds does not
    /// matter.
    Cache,
}

/// A request.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Request {
    /// Whom it is for.
    pub target: Target,
    /// The words, the command's name first; none for the cache.
    pub words: Vec<Bytes>,
}

/// How a request ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The server's reply, an error reply too.
    Reply(Reply),
    /// There is none: it may have happened, may still happen, or may never.
    Unknown,
}

/// Why a step did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trouble {
    /// A row had another version: somebody else was faster.
    Overtaken,
    /// Nobody knows whether it happened.
    Unknown,
    /// The server refused it.
    Refused,
    /// A reply or a row that is none.
    Garbled,
    /// The user has more rows than the options allow.
    TooManyRows,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overtaken => "a row was changed by somebody else",
            Self::Unknown => "a server did not answer",
            Self::Refused => "a server refused a request",
            Self::Garbled => {
                "a server's reply, or a row of the directory or a home, makes no sense"
            }
            Self::TooManyRows => "the user has more rows than rows_max",
        })
    }
}

/// A word of a request.
fn word(text: impl fmt::Display) -> Bytes {
    Bytes::from(text.to_string())
}

/// Reads one row.
pub(crate) fn get(target: Target, table: &'static str, user: UserId) -> Request {
    let table = Bytes::from_static(table.as_bytes());
    let words = vec![Bytes::from_static(b"ROW.GET"), table, word(user.0), word(0)];
    Request { target, words }
}

/// Lists the tables in which the user has rows or has drawn numbers.
pub(crate) fn tables(target: Target, user: UserId) -> Request {
    Request { target, words: vec![Bytes::from_static(b"ROW.TABLES"), word(user.0)] }
}

/// Lists items above `after`, with versions and digests of their values.
pub(crate) fn page(
    target: Target,
    table: &Bytes,
    user: UserId,
    after: Option<u64>,
    limit: u32,
) -> Request {
    let min = after.map_or(Bytes::from_static(b"-"), |item| word(item.saturating_add(1)));
    let words = vec![
        Bytes::from_static(b"ROW.RANGE"),
        table.clone(),
        word(user.0),
        min,
        Bytes::from_static(b"+"),
        Bytes::from_static(b"LIMIT"),
        word(limit),
        Bytes::from_static(b"HASH"),
    ];
    Request { target, words }
}

/// Reads these items.
pub(crate) fn values(target: Target, table: &Bytes, user: UserId, items: &[u64]) -> Request {
    let mut words = vec![Bytes::from_static(b"ROW.MGET"), table.clone(), word(user.0)];
    words.extend(items.iter().map(word));
    Request { target, words }
}

/// An atomic change of one user's rows in one database.
#[derive(Debug)]
pub(crate) struct Batch {
    target: Target,
    words: Vec<Bytes>,
    clauses: usize,
    bytes: usize,
}

impl Batch {
    pub(crate) fn new(target: Target, user: UserId) -> Self {
        let words = vec![Bytes::from_static(b"ROW.BATCH"), word(user.0)];
        Self { target, words, clauses: 0, bytes: 0 }
    }

    /// Nothing happens unless item 0 of the table has this version; 0 = is not there.
    pub(crate) fn check(mut self, table: &'static str, version: u64) -> Self {
        let table = Bytes::from_static(table.as_bytes());
        self.words.extend([Bytes::from_static(b"CHECK"), table, word(0), word(version)]);
        self.clauses += 1;
        self
    }

    /// Writes item 0 of the table.
    pub(crate) fn put_row(mut self, table: &'static str, row: impl fmt::Display) -> Self {
        self.put(&Bytes::from_static(table.as_bytes()), 0, word(row));
        self
    }

    pub(crate) fn put(&mut self, table: &Bytes, item: u64, value: Bytes) {
        self.bytes += value.len();
        self.clauses += 1;
        self.words.extend([Bytes::from_static(b"PUT"), table.clone(), word(item), value]);
    }

    pub(crate) fn delete(&mut self, table: &Bytes, item: u64) {
        self.clauses += 1;
        self.words.extend([Bytes::from_static(b"DEL"), table.clone(), word(item)]);
    }

    /// The table's number space gives nothing below `next` from now on.
    pub(crate) fn floor(&mut self, table: &Bytes, next: u64) {
        self.clauses += 1;
        self.words.extend([Bytes::from_static(b"FLOOR"), table.clone(), word(next)]);
    }

    pub(crate) const fn clauses(&self) -> usize {
        self.clauses
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn build(self) -> Request {
        Request { target: self.target, words: self.words }
    }
}

// ---- replies ------------------------------------------------------------------------------------

/// What a page says of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Listed {
    pub(crate) item: u64,
    pub(crate) version: u64,
    /// Digest of the value, see [`digest`].
    pub(crate) hash: u64,
}

/// A table of a user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TableOf {
    pub(crate) name: Bytes,
    /// What the number space would give next.
    pub(crate) next: u64,
}

/// A value and its version.
pub(crate) type Valued = (u64, Bytes);

/// A reply that is no error.
pub(crate) fn reply(answer: Answer) -> Result<Reply, Trouble> {
    match answer {
        Answer::Unknown => Err(Trouble::Unknown),
        Answer::Reply(Reply::Error(text)) => Err(match error_code(&text) {
            b"CHECKFAILED" => Trouble::Overtaken,
            // Done here, but perhaps nowhere else.
            b"NOTDURABLE" | b"NOREPLICAS" => Trouble::Unknown,
            _ => Trouble::Refused,
        }),
        Answer::Reply(reply) => Ok(reply),
    }
}

fn array(reply: Reply) -> Result<Vec<Reply>, Trouble> {
    match reply {
        Reply::Array(items) => Ok(items),
        _ => Err(Trouble::Garbled),
    }
}

/// Numbers above `i64::MAX` come as text.
pub(crate) fn unsigned(reply: &Reply) -> Result<u64, Trouble> {
    let number = match reply {
        Reply::Integer(number) => u64::try_from(*number).ok(),
        Reply::Bulk(text) => core::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    number.ok_or(Trouble::Garbled)
}

/// The answer to [`get`].
pub(crate) fn row(reply: Reply) -> Result<Option<Valued>, Trouble> {
    if reply == Reply::Nil {
        return Ok(None);
    }
    let items = array(reply)?;
    match items.as_slice() {
        [version, Reply::Bulk(value)] => Ok(Some((unsigned(version)?, value.clone()))),
        _ => Err(Trouble::Garbled),
    }
}

/// The answer to [`values`], one for each item.
pub(crate) fn rows(reply: Reply, items: usize) -> Result<Vec<Option<Valued>>, Trouble> {
    let rows = array(reply)?.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
    if rows.len() == items { Ok(rows) } else { Err(Trouble::Garbled) }
}

/// The answer to [`page`]: ascending.
pub(crate) fn listed(reply: Reply, after: Option<u64>) -> Result<Vec<Listed>, Trouble> {
    let mut page = Vec::new();
    let mut last = after;
    for each in array(reply)? {
        let each = array(each)?;
        let [item, version, hash] = each.as_slice() else { return Err(Trouble::Garbled) };
        let item = unsigned(item)?;
        if last.is_some_and(|last| last >= item) {
            return Err(Trouble::Garbled);
        }
        last = Some(item);
        page.push(Listed { item, version: unsigned(version)?, hash: unsigned(hash)? });
    }
    Ok(page)
}

/// The answer to [`tables`].
pub(crate) fn tables_of(reply: Reply) -> Result<Vec<TableOf>, Trouble> {
    let table = |each| {
        let each = array(each)?;
        let [Reply::Bulk(name), _rows, next] = each.as_slice() else {
            return Err(Trouble::Garbled);
        };
        Ok(TableOf { name: name.clone(), next: unsigned(next)? })
    };
    array(reply)?.into_iter().map(table).collect()
}

/// The answer to a [`Batch`]: one number for each clause.
pub(crate) fn versions(reply: Reply) -> Result<Vec<u64>, Trouble> {
    array(reply)?.iter().map(unsigned).collect()
}

/// The version that the last clause wrote.
pub(crate) fn last_version(reply: Reply) -> Result<u64, Trouble> {
    versions(reply)?.last().copied().ok_or(Trouble::Garbled)
}
