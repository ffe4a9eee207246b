//! A map from text.
//!
//! One statement per line, words between blanks, `#` begins a comment. Whatever is wrong is told
//! with its line and column and with what would be right.

use super::{Flags, Host, NAME_BYTES_MAX, Shard, ShardId, ShardMap, Store, UserId};
use crate::scheme::{SCHEME_PARTS_MAX, Scheme};
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};
use storytime_machine::{Addr, Endpoint};

/// Longest map, bytes.
pub const MAP_BYTES_MAX: usize = 16 << 20;

/// The first mistake in a map: its author's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapError {
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for MapError {}

/// Reads a map.
///
/// # Errors
/// The first mistake.
pub fn parse(text: &str) -> Result<ShardMap, MapError> {
    let at = |line, column, what| MapError { line, column, what };
    if text.len() > MAP_BYTES_MAX {
        return Err(at(1, 1, format!("a map has at most {MAP_BYTES_MAX} bytes")));
    }
    let mut reader = Reader::default();
    let mut last = 1;
    for (n, line) in text.lines().enumerate() {
        last = n + 1;
        let words = Words::new(line);
        reader.statement(words).map_err(|(column, what)| at(last, column, what))?;
    }
    if !reader.seen.map {
        return Err(at(1, 1, "a map begins with `map VERSION`".to_owned()));
    }
    reader.map.shards.sort_by_key(|shard| shard.id);
    match reader.map.mistake() {
        Some(mistake) => Err(at(last, 1, mistake)),
        None => Ok(reader.map),
    }
}

/// Column and message.
type Mistake = (usize, String);

/// Words of a line with their columns.
struct Words<'a> {
    rest: core::iter::Peekable<std::vec::IntoIter<(usize, &'a str)>>,
    /// Column behind the last word.
    end: usize,
}

impl<'a> Words<'a> {
    fn new(line: &'a str) -> Self {
        let line = line.split('#').next().unwrap_or("");
        let mut words = Vec::new();
        let mut from = 0;
        for word in line.split([' ', '\t', '\r']) {
            if !word.is_empty() {
                words.push((from + 1, word));
            }
            from += word.len() + 1;
        }
        let end = words.last().map_or(1, |(column, word)| column + word.len());
        Self { rest: words.into_iter().peekable(), end }
    }

    fn next(&mut self, what: &str) -> Result<(usize, &'a str), Mistake> {
        self.rest.next().ok_or_else(|| (self.end, format!("{what} is missing")))
    }

    fn number<T: core::str::FromStr>(&mut self, what: &str) -> Result<T, Mistake> {
        let (column, word) = self.next(what)?;
        word.parse().map_err(|_| (column, format!("{what} is a number, not `{word}`")))
    }

    fn keyword(&mut self, word: &str) -> Result<(), Mistake> {
        let (column, found) = self.next(&format!("`{word}`"))?;
        if found == word {
            return Ok(());
        }
        Err((column, format!("`{word}` is expected here, not `{found}`")))
    }

    /// Takes the next word if it is this one.
    fn takes(&mut self, word: &str) -> bool {
        self.rest.next_if(|(_, found)| *found == word).is_some()
    }

    fn name(&mut self, what: &str) -> Result<&'a str, Mistake> {
        let (column, word) = self.next(what)?;
        if word.len() > NAME_BYTES_MAX {
            return Err((column, format!("{what} has at most {NAME_BYTES_MAX} bytes")));
        }
        Ok(word)
    }

    fn endpoint(&mut self) -> Result<Endpoint, Mistake> {
        let (column, word) = self.next("an address")?;
        if let Some(path) = word.strip_prefix("unix:") {
            return Ok(Endpoint::unix(path));
        }
        let addr: Result<Addr, _> = word.parse();
        let wrong = |_| (column, format!("an address is `ip:port` or `unix:path`, not `{word}`"));
        addr.map(Endpoint::Tcp).map_err(wrong)
    }

    fn store(&mut self) -> Result<Store, Mistake> {
        let at = self.endpoint()?;
        let select = if self.takes("select") { self.number("a database number")? } else { 0 };
        Ok(Store { at, select })
    }

    fn shard_ids(&mut self) -> Result<Vec<ShardId>, Mistake> {
        let mut shards = vec![ShardId(self.number("a shard")?)];
        while self.rest.peek().is_some() {
            self.room(shards.len())?;
            shards.push(ShardId(self.number("a shard")?));
        }
        Ok(shards)
    }

    fn room(&mut self, parts: usize) -> Result<(), Mistake> {
        let column = self.rest.peek().map_or(self.end, |(column, _)| *column);
        if parts < SCHEME_PARTS_MAX {
            return Ok(());
        }
        Err((column, format!("a scheme names at most {SCHEME_PARTS_MAX} shards")))
    }

    fn ranges(&mut self) -> Result<Vec<(UserId, ShardId)>, Mistake> {
        let mut ranges: Vec<(UserId, ShardId)> = Vec::new();
        while ranges.is_empty() || self.rest.peek().is_some() {
            self.room(ranges.len())?;
            let (column, word) = self.next("a range")?;
            let wrong = || (column, format!("a range is `first-user=shard`, not `{word}`"));
            let (first, shard) = word.split_once('=').ok_or_else(wrong)?;
            let first = UserId(first.parse().map_err(|_| wrong())?);
            if ranges.last().is_some_and(|last| last.0 >= first) {
                return Err((column, "ranges ascend".to_owned()));
            }
            ranges.push((first, ShardId(shard.parse().map_err(|_| wrong())?)));
        }
        Ok(ranges)
    }

    fn scheme(&mut self) -> Result<Scheme, Mistake> {
        let (column, word) = self.next("a scheme")?;
        let scheme = match word {
            "vertical" => Scheme::Vertical(ShardId(self.number("a shard")?)),
            "range" => Scheme::Range(self.ranges()?),
            "modulo" => Scheme::Modulo(self.shard_ids()?),
            "hash" => Scheme::Hash(self.shard_ids()?),
            "rendezvous" => Scheme::Rendezvous(self.shard_ids()?),
            "directory" => {
                let otherwise = self.takes("otherwise").then(|| self.number("a shard"));
                Scheme::Directory { otherwise: otherwise.transpose()?.map(ShardId) }
            }
            other => {
                let known = "vertical, range, modulo, hash, rendezvous or directory";
                return Err((column, format!("a scheme is {known}, not `{other}`")));
            }
        };
        scheme.mistake().map_or(Ok(scheme), |mistake| Err((column, mistake.to_owned())))
    }

    fn finish(&mut self) -> Result<(), Mistake> {
        match self.rest.next() {
            None => Ok(()),
            Some((column, word)) => Err((column, format!("nothing is expected here: `{word}`"))),
        }
    }
}

/// Statements that may stand only once.
#[derive(Debug, Default)]
struct Seen {
    map: bool,
    scheme: bool,
}

#[derive(Debug, Default)]
struct Reader {
    map: ShardMap,
    seen: Seen,
    ids: BTreeSet<ShardId>,
    /// The shard of each host's database numbers.
    selects: BTreeMap<(usize, u32), ShardId>,
}

impl Reader {
    fn statement(&mut self, mut words: Words<'_>) -> Result<(), Mistake> {
        let Some((column, word)) = words.rest.next() else { return Ok(()) };
        if !self.seen.map && word != "map" {
            return Err((column, format!("a map begins with `map VERSION`, not `{word}`")));
        }
        let twice = || Err((column, format!("`{word}` is there twice")));
        match word {
            "map" if self.seen.map => return twice(),
            "map" => {
                self.map.version = words.number("a version")?;
                self.seen.map = true;
            }
            "directory" if self.map.directory.is_some() => return twice(),
            "directory" => self.map.directory = Some(words.store()?),
            "index" if self.map.index.is_some() => return twice(),
            "index" => self.map.index = Some(words.store()?),
            "scheme" if self.seen.scheme => return twice(),
            "scheme" => {
                self.map.scheme = words.scheme()?;
                self.seen.scheme = true;
            }
            "table" => self.table(&mut words)?,
            "host" => self.host(&mut words)?,
            "shard" => self.shard(&mut words)?,
            other => {
                let known = "map, directory, index, scheme, table, host or shard";
                return Err((column, format!("a statement is {known}, not `{other}`")));
            }
        }
        words.finish()
    }

    fn table(&mut self, words: &mut Words<'_>) -> Result<(), Mistake> {
        let column = words.rest.peek().map_or(words.end, |(column, _)| *column);
        let name = words.name("a table")?;
        let scheme = words.scheme()?;
        if self.map.tables.insert(name.to_owned(), scheme).is_some() {
            return Err((column, format!("table `{name}` is there twice")));
        }
        Ok(())
    }

    fn host(&mut self, words: &mut Words<'_>) -> Result<(), Mistake> {
        let column = words.rest.peek().map_or(words.end, |(column, _)| *column);
        let name = words.name("a host")?;
        if self.map.hosts.iter().any(|host| host.name == name) {
            return Err((column, format!("host `{name}` is there twice")));
        }
        let master = words.endpoint()?;
        let mut replicas = Vec::new();
        if words.takes("replicas") {
            replicas.push(words.endpoint()?);
            while words.rest.peek().is_some() {
                replicas.push(words.endpoint()?);
            }
        }
        self.map.hosts.push(Host { name: name.to_owned(), master, replicas });
        Ok(())
    }

    fn shard(&mut self, words: &mut Words<'_>) -> Result<(), Mistake> {
        let column = words.rest.peek().map_or(words.end, |(column, _)| *column);
        let id = ShardId(words.number("a shard")?);
        if !self.ids.insert(id) {
            return Err((column, format!("shard {id} is there twice")));
        }
        words.keyword("host")?;
        let (column, name) = words.next("a host")?;
        let known = self.map.hosts.iter().position(|host| host.name == name);
        let host = known.ok_or_else(|| (column, format!("no host `{name}` above this line")))?;
        words.keyword("database")?;
        let database = words.name("a database")?.to_owned();
        words.keyword("select")?;
        let column = words.rest.peek().map_or(words.end, |(column, _)| *column);
        let select = words.number("a database number")?;
        if let Some(other) = self.selects.insert((host, select), id) {
            return Err((column, format!("shard {other} has select {select} of {name}")));
        }
        words.keyword("flags")?;
        let (column, text) = words.next("flags")?;
        let wrong = || (column, format!("flags are rw, r, w or -, not `{text}`"));
        let flags = Flags::from_text(text).ok_or_else(wrong)?;
        self.map.shards.push(Shard { id, host, database, select, flags });
        Ok(())
    }
}
