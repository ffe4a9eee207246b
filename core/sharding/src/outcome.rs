//! How requests end.

use crate::home::Place;
use crate::map::{ShardId, UserId};
use bytes::Bytes;
use core::fmt;
use storytime_database::Reply;
use storytime_database::client::Failure;

/// The end of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// As given with the request.
    pub tag: u64,
    /// What came of it.
    pub outcome: Result<Outcome, Error>,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The user of that name, if there is one.
    User(Option<UserId>),
    /// The new user.
    Registered(UserId),
    /// Where the user lives.
    Located(Place),
    /// Items, in the order asked for.
    Items(Vec<u64>),
    /// How many.
    Count(u64),
    /// Rows that are there.
    Rows(Vec<Row>),
    /// The changes are made.
    Written(Written),
    /// The first of the numbers.
    Number(u64),
    /// What a shard's database replied; no error.
    Reply(Reply),
    /// How each part ended, in their order; `None` for those that had not by the deadline.
    Parts(Vec<Option<Result<Self, Error>>>),
    /// The highest first.
    Latest(Vec<Entry>),
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number in its user's number space.
    pub item: u64,
    /// Grows with every change.
    pub version: u64,
    /// What is in it.
    pub value: Bytes,
}

/// Changes that were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Item and new version of each row changed, in the order of the changes; version 0 if the row
    /// is no more.
    pub rows: Vec<(u64, u64)>,
    /// Whether all caches were told. If not, they may serve what was there before until it expires
    /// or the next write.
    pub caches_told: bool,
}

/// An entry of the index for questions across shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// As given with the write.
    pub at: u64,
    /// Whose row.
    pub user: UserId,
    /// Which row.
    pub item: u64,
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The directory does not know the user, and there is no place for users it does not know.
    NoSuchUser,
    /// Somebody has that name.
    NameTaken(UserId),
    /// The shard is closed for this, as the map or the user's place says.
    Closed {
        /// Which shard.
        shard: ShardId,
        /// For writes only, or for reads, too.
        writes_only: bool,
    },
    /// The user is on the way to another shard: reads go on, writes have to come again soon.
    ReadOnly {
        /// Where he still is.
        shard: ShardId,
    },
    /// The user was not where the directory says, too often in a row.
    Unsettled,
    /// The scheme, the map or the directory names a shard that the map does not have.
    NoShard,
    /// The map has no directory, or no index.
    NoDirectory,
    /// The row of this change is there already.
    Exists {
        /// Which change, from 0.
        change: usize,
    },
    /// The row of this change has another version.
    Changed {
        /// Which change, from 0.
        change: usize,
    },
    /// Other writers were faster, too often in a row.
    Contended,
    /// A database refused.
    Refused {
        /// Which shard's; `None` for the directory's or the index's.
        shard: Option<ShardId>,
        /// In its own words.
        text: Bytes,
    },
    /// A database did not answer. A write may have happened if the failure says so.
    Failed {
        /// Which shard's; `None` for the directory's or the index's.
        shard: Option<ShardId>,
        /// What is known.
        why: Failure,
    },
    /// A database answered what was not asked, or holds what is no place or home: a bug, there or
    /// here.
    Garbled,
    /// A part of a fan-out could not be taken.
    NotAccepted(NotAccepted),
}

/// Why a request was not taken: the caller's to handle. No event follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAccepted {
    /// `requests_max` are under way.
    TooMany,
    /// A name that is empty, too long or has blanks or control characters in it.
    BadName,
    /// No items, changes or parts, or too many of them, or of numbers.
    BadCount,
    /// A fan-out in a fan-out.
    Nested,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |shard: &Option<ShardId>| match shard {
            Some(shard) => format!("shard {shard}"),
            None => "the directory or index".to_owned(),
        };
        match self {
            Self::NoSuchUser => f.write_str("the directory does not know the user"),
            Self::NameTaken(user) => write!(f, "user {user} has that name"),
            Self::Closed { shard, writes_only: true } => {
                write!(f, "shard {shard} takes no writes now")
            }
            Self::Closed { shard, .. } => write!(f, "shard {shard} is closed"),
            Self::ReadOnly { shard } => {
                write!(f, "the user is being moved from shard {shard}: try again soon")
            }
            Self::Unsettled => f.write_str("the user is not where the directory says"),
            Self::NoShard => f.write_str("the map does not have the user's shard"),
            Self::NoDirectory => f.write_str("the map has no directory or index to ask"),
            Self::Exists { change } => write!(f, "the row of change {change} is there already"),
            Self::Changed { change } => {
                write!(f, "the row of change {change} has another version")
            }
            Self::Contended => f.write_str("other writers were faster, too often"),
            Self::Refused { shard, text } => {
                write!(f, "{} says: {}", of(shard), text.escape_ascii())
            }
            Self::Failed { shard, why } => write!(f, "{}: {why}", of(shard)),
            Self::Garbled => f.write_str("a database answered what was not asked"),
            Self::NotAccepted(why) => write!(f, "a part was not taken: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether a write that ended so may have happened nevertheless.
    pub const fn may_have_happened(&self) -> bool {
        matches!(self, Self::Failed { why, .. } if !matches!(why, Failure::NotSent))
    }
}

impl fmt::Display for NotAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "too many requests are under way",
            Self::BadName => "a name has 1 to 64 bytes without blanks and control characters",
            Self::BadCount => "no items, changes or parts, or too many",
            Self::Nested => "a fan-out in a fan-out",
        })
    }
}

impl std::error::Error for NotAccepted {}
