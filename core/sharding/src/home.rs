//! The two small rows that decide where a user is and who may write: `home` on a shard, `place` in
//! the directory.
//!
//! | row | database | owner, item | value |
//! |---|---|---|---|
//! | `home` | each shard that has or had the user | user, 0 | `active schema=3 fence=17` |
//! | `place` | directory | user, 0 | `shard=2 flags=rw version=7` |
//!
//! Every write of a user's rows is a `ROW.BATCH` that checks the version of `home` that the writer
//! knows, so that the database itself refuses what comes behind a change of it. A `home` row is
//! never deleted: what a user leaves behind says where to look.
//!
//! Unknown words of a value are skipped, so that later versions may add some.
//!
//! # Writers
//!
//! A write begins with `CHECK home 0 v`, where `v` is the row version (the database's) of an
//! *active* home that the writer has seen, or 0 where [a home may be absent](Homes::Optional) and
//! was. No write is accepted once the home row was rewritten, however late it arrives. On
//! `CHECKFAILED 0` the writer reads the home again and does as [`judge`] says.
//!
//! # Readers
//!
//! A read takes the home row along in the same instant (`ROW.WITH home 0 …`), and its rows are
//! shown and cached only if [`judge`] says so: neither what was left behind by a move nor half a
//! copy is ever taken for a user's rows. Once the new shard takes writes, the old one says `moved`,
//! always.

use crate::map::{Flags, ShardId};
use core::fmt;

/// Table of `home` rows.
pub const HOME_TABLE: &str = "home";
/// Table of `place` rows.
pub const PLACE_TABLE: &str = "place";
/// The one item of a user's homes and places.
pub const HOME_ITEM: u64 = 0;
/// Longest value of either row that is read, bytes.
pub const VALUE_BYTES_MAX: usize = 256;

/// What a shard does for a user.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HomeState {
    /// Reads and writes.
    Active,
    /// Reads only: a move is at its last step.
    ReadOnly,
    /// The user is being copied here; never written, and read only if the directory says so.
    Arriving,
    /// The user is not here.
    Moved,
}

/// A `home` row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Home {
    /// What the shard does for the user.
    pub state: HomeState,
    /// In which form the user's rows are.
    pub schema: u32,
    /// Highest fence number of a move that acted here; a move with a lower one must not.
    pub fence: u64,
    /// Where the user comes from or went to, if the state is `Arriving` or `Moved`.
    pub other: Option<ShardId>,
}

/// A `place` row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Where the user is.
    pub shard: ShardId,
    /// Whether the user may be read.
    pub readable: bool,
    /// Whether the user may be written.
    pub writable: bool,
    /// Counts the changes of the row.
    pub version: u64,
}

/// A value that is no such row: whoever wrote it is to blame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadRow(pub &'static str);

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadRow {}

/// The value of `name=` among words.
pub(crate) fn word<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The number behind `name=` among words.
pub(crate) fn number(text: &str, name: &str) -> Option<u64> {
    word(text, name)?.parse().ok()
}

/// The shard behind `name=` among words.
pub(crate) fn shard(text: &str, name: &str) -> Option<ShardId> {
    word(text, name)?.parse().ok().map(ShardId)
}

/// A value as text, if it is short enough to be one of these rows.
pub(crate) fn text(value: &[u8]) -> Result<&str, BadRow> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(BadRow("the value is too long"));
    }
    core::str::from_utf8(value).map_err(|_| BadRow("the value is no text"))
}

/// Whether users must have a home row on their shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Homes {
    /// Who has none is not here.
    Required,
    /// Who has none is here and active: schemes that compute places, and the server from before
    /// there were shards.
    Optional,
}

/// What to do after having seen a home row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The rows are whole, and may be read and written.
    Active,
    /// The rows are whole; writes have to wait.
    ReadOnly,
    /// The rows are whole if the directory, asked now, gives the same place with the same version
    /// as before; writes have to wait.
    Arriving,
    /// Not here: ask the directory, past every cache.
    Elsewhere,
}

/// What a reader or writer does who found this home row on the shard that it was sent to.
pub fn judge(home: Option<&Home>, homes: Homes) -> Verdict {
    match (home.map(|home| home.state), homes) {
        (None, Homes::Required) | (Some(HomeState::Moved), _) => Verdict::Elsewhere,
        (None, Homes::Optional) | (Some(HomeState::Active), _) => Verdict::Active,
        (Some(HomeState::ReadOnly), _) => Verdict::ReadOnly,
        (Some(HomeState::Arriving), _) => Verdict::Arriving,
    }
}

impl HomeState {
    /// The word for it in a row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReadOnly => "readonly",
            Self::Arriving => "arriving",
            Self::Moved => "moved",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::ReadOnly, Self::Arriving, Self::Moved]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

impl Home {
    /// The home of a new user.
    pub const fn new(schema: u32) -> Self {
        Self { state: HomeState::Active, schema, fence: 0, other: None }
    }

    /// Reads a row's value.
    ///
    /// # Errors
    /// If it does not begin with a state, or a number is missing.
    pub fn parse(value: &[u8]) -> Result<Self, BadRow> {
        let text = text(value)?;
        let first = text.split(' ').next().unwrap_or_default();
        let state = HomeState::from_word(first).ok_or(BadRow("home begins with a state"))?;
        let schema = word(text, "schema").and_then(|word| word.parse().ok());
        let other = match state {
            HomeState::Arriving => shard(text, "from"),
            HomeState::Moved => shard(text, "to"),
            HomeState::Active | HomeState::ReadOnly => None,
        };
        Ok(Self {
            state,
            schema: schema.ok_or(BadRow("home has no schema"))?,
            fence: number(text, "fence").unwrap_or(0),
            other,
        })
    }
}

impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} schema={} fence={}", self.state.as_str(), self.schema, self.fence)?;
        match (self.state, self.other) {
            (HomeState::Arriving, Some(from)) => write!(f, " from={}", from.0),
            (HomeState::Moved, Some(to)) => write!(f, " to={}", to.0),
            _ => Ok(()),
        }
    }
}

impl Place {
    /// The place of a new user.
    pub const fn new(shard: ShardId) -> Self {
        Self { shard, readable: true, writable: true, version: 1 }
    }

    /// The place of a user whom the directory does not know and who therefore lives where everybody
    /// lived before there were shards.
    pub const fn before_sharding(shard: ShardId) -> Self {
        Self { version: 0, ..Self::new(shard) }
    }

    /// Reads a row's value.
    ///
    /// # Errors
    /// If it names no shard or has no version.
    pub fn parse(value: &[u8]) -> Result<Self, BadRow> {
        let text = text(value)?;
        let flags = word(text, "flags").unwrap_or("rw");
        Ok(Self {
            shard: shard(text, "shard").ok_or(BadRow("place names no shard"))?,
            readable: flags.contains('r'),
            writable: flags.contains('w'),
            version: number(text, "version").ok_or(BadRow("place has no version"))?,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = Flags { read: self.readable, write: self.writable };
        write!(f, "shard={} flags={flags} version={}", self.shard.0, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_as_they_were_written() {
        let states =
            [HomeState::Active, HomeState::ReadOnly, HomeState::Arriving, HomeState::Moved];
        for state in states {
            let other = matches!(state, HomeState::Arriving | HomeState::Moved);
            let other = other.then_some(ShardId(9));
            let home = Home { state, schema: 3, fence: u64::MAX, other };
            assert_eq!(Home::parse(home.to_string().as_bytes()), Ok(home));
        }
        for (readable, writable) in [(true, true), (true, false), (false, true), (false, false)] {
            let place = Place { shard: ShardId(2), readable, writable, version: 7 };
            assert_eq!(Place::parse(place.to_string().as_bytes()), Ok(place));
        }
    }

    #[test]
    fn only_an_active_user_is_written_and_only_a_whole_one_read() {
        let home = |state| Home { state, ..Home::new(1) };
        for (state, verdict) in [
            (HomeState::Active, Verdict::Active),
            (HomeState::ReadOnly, Verdict::ReadOnly),
            (HomeState::Arriving, Verdict::Arriving),
            (HomeState::Moved, Verdict::Elsewhere),
        ] {
            assert_eq!(judge(Some(&home(state)), Homes::Required), verdict);
            assert_eq!(judge(Some(&home(state)), Homes::Optional), verdict);
        }
        assert_eq!(judge(None, Homes::Required), Verdict::Elsewhere);
        assert_eq!(judge(None, Homes::Optional), Verdict::Active);
    }

    #[test]
    fn words_of_later_versions_are_skipped_and_nonsense_is_refused() {
        let home = Home::parse(b"active colour=blue schema=1").expect("fence defaults to 0");
        assert_eq!(home, Home::new(1));
        assert_eq!(Place::parse(b"shard=5 version=1"), Ok(Place::new(ShardId(5))));
        for bad in [&b""[..], b"asleep schema=1", b"active", b"active schema=x", b"\xff schema=1"] {
            assert!(Home::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Home::parse(&[b'a'; VALUE_BYTES_MAX + 1]).is_err());
        for bad in [&b""[..], b"shard=x version=1", b"shard=1", b"shard=1 version=-1"] {
            assert!(Place::parse(bad).is_err(), "{bad:?}");
        }
    }
}
