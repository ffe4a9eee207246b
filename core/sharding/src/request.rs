//! What may be asked.

use crate::map::{ShardId, UserId};
use bytes::Bytes;
use core::time::Duration;

/// Most rows of one request.
pub const ITEMS_MAX: usize = 1_000;
/// Most changes of one write.
pub const CHANGES_MAX: usize = 64;
/// Most parts of one fan-out.
pub const PARTS_MAX: usize = 16_384;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A user's number by name: ends as `User`.
    Find {
        /// The name.
        name: Bytes,
    },
    /// A new user: ends as `Registered`.
    Register {
        /// The name; nobody has it so far.
        name: Bytes,
        /// Where to; else on one of the shards that take writes.
        shard: Option<ShardId>,
    },
    /// Where a user lives: ends as `Located`.
    Locate {
        /// Who.
        user: UserId,
        /// Whether a place that memcached knows will do.
        cached: bool,
    },
    /// Items of a user in a table: ends as `Items`.
    List {
        /// The table.
        table: Bytes,
        /// Whose.
        user: UserId,
        /// Which, and in which order.
        query: Query,
    },
    /// How many items there are: ends as `Count`.
    Count {
        /// The table.
        table: Bytes,
        /// Whose.
        user: UserId,
        /// Lowest item.
        min: u64,
        /// Highest item.
        max: u64,
    },
    /// Rows by their items: ends as `Rows`, in the order asked, without those that are not there.
    Rows {
        /// The table.
        table: Bytes,
        /// Whose.
        user: UserId,
        /// Which.
        items: Vec<u64>,
    },
    /// A list and its rows: ends as `Rows`.
    Select {
        /// The table.
        table: Bytes,
        /// Whose.
        user: UserId,
        /// Which, and in which order.
        query: Query,
    },
    /// Changes of one user's rows, all or none: ends as `Written`.
    Write {
        /// Whose.
        user: UserId,
        /// What.
        changes: Vec<Change>,
        /// The number by which created rows are found in the index for questions across shards,
        /// such as a date; `None` if they are not to be found there.
        index: Option<u64>,
    },
    /// Numbers from a user's own number space: ends as `Number`, the first of them.
    Number {
        /// The table that the numbers are for.
        table: Bytes,
        /// Whose.
        user: UserId,
        /// How many.
        count: u32,
    },
    /// Numbers that are unique over all shards: ends as `Number`, the first of them.
    GlobalNumber {
        /// Which number space.
        space: Bytes,
        /// How many.
        count: u32,
    },
    /// A request to a shard's database as it stands: ends as `Reply`.
    Shard {
        /// Which shard.
        shard: ShardId,
        /// The words, the command first.
        words: Vec<Bytes>,
    },
    /// Several requests at once: ends as `Parts`.
    FanOut {
        /// The requests; none may be a fan-out itself.
        parts: Vec<Self>,
        /// Most of them under way at the same time.
        at_once: usize,
        /// When to answer with what there is by then.
        deadline: Duration,
    },
    /// The entries of the index with the highest numbers, over all shards: ends as `Latest`.
    Latest {
        /// The table.
        table: Bytes,
        /// Most entries.
        limit: u32,
    },
}

/// Which items, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// Lowest item.
    pub min: u64,
    /// Highest item.
    pub max: u64,
    /// Highest first.
    pub newest_first: bool,
    /// Most items.
    pub limit: u32,
}

impl Query {
    /// The newest items.
    pub const fn newest(limit: u32) -> Self {
        Self { min: 0, max: u64::MAX, newest_first: true, limit }
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A row that is not there yet.
    Create {
        /// The table.
        table: Bytes,
        /// Its item; `None` for the next of the user's own number space.
        item: Option<u64>,
        /// What is in it.
        value: Bytes,
    },
    /// A row's new value.
    Update {
        /// The table.
        table: Bytes,
        /// Its item.
        item: u64,
        /// The version that it must have; `None` to write whatever is there, or nothing is.
        version: Option<u64>,
        /// What is in it.
        value: Bytes,
    },
    /// A row that is to be no more.
    Delete {
        /// The table.
        table: Bytes,
        /// Its item.
        item: u64,
        /// The version that it must have; `None` for any, or for no row.
        version: Option<u64>,
    },
}

impl Change {
    /// Its table.
    pub const fn table(&self) -> &Bytes {
        match self {
            Self::Create { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => table,
        }
    }
}
