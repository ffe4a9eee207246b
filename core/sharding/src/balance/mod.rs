//! Which users should move, so that load is spread: percentages, and a planner that is a function.
//!
//! Load is counted at three levels, as the hardware has it: per shard, per database, per host. Each
//! level has its own mix of what loads it (users and bytes fill a shard; reads and writes wear a
//! host), given as weights. A place's *percentage* is its share of the mix against its share of the
//! capacity: 100 is exactly its part, 150 half too much.
//!
//! Nothing happens while the fullest host is below [`Options::start_percent`]; once it is above,
//! moves are planned until it is below [`Options::stop_percent`]. Without that gap a balancer would
//! move users for ever. A user who would only make the target as full as the source is not moved: a
//! power user who alone overloads a shard needs a shard of his own, and no move helps.
//!
//! Integers only. The same loads give the same plan.
//!
//! # Not modelled
//!
//! Load to come (growth, seasons). Bandwidth of the moves themselves: the caller plans few at a
//! time ([`Options::moves_max`]) and asks again with new figures.

mod plan;

pub use plan::{Move, plan};

use crate::map::{ShardId, UserId};

/// A share of 100, or more.
pub type Percent = u64;

/// What loads a place.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Load {
    /// Users, 1 for a single one.
    pub users: u64,
    /// Bytes of their rows.
    pub bytes: u64,
    /// Reads, per whatever time.
    pub reads: u64,
    /// Writes, per the same time.
    pub writes: u64,
}

/// How much each kind of load counts at one level; only their ratio matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Weights {
    /// Of users.
    pub users: u32,
    /// Of bytes.
    pub bytes: u32,
    /// Of reads.
    pub reads: u32,
    /// Of writes.
    pub writes: u32,
}

/// One shard, and where it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShardLoad {
    /// Its number.
    pub shard: ShardId,
    /// Its database; shards of one database share its files.
    pub database: u32,
    /// Its host.
    pub host: u32,
    /// How much it can bear, against the others; 0 takes nobody.
    pub capacity: u32,
    /// What loads it.
    pub load: Load,
}

/// A user who may be moved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UserLoad {
    /// Who.
    pub user: UserId,
    /// Where he is.
    pub shard: ShardId,
    /// What he adds.
    pub load: Load,
}

/// When and how much to move.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// What loads a shard.
    pub shard: Weights,
    /// What loads a database.
    pub database: Weights,
    /// What loads a host.
    pub host: Weights,
    /// A place above this is relieved.
    pub start_percent: Percent,
    /// Relieved means below this.
    pub stop_percent: Percent,
    /// Most moves of one plan.
    pub moves_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shard: Weights { users: 1, bytes: 0, reads: 0, writes: 0 },
            database: Weights { users: 1, bytes: 1, reads: 0, writes: 0 },
            host: Weights { users: 1, bytes: 1, reads: 2, writes: 4 },
            start_percent: 120,
            stop_percent: 108,
            moves_max: 64,
        }
    }
}

/// A level at which load is counted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Level {
    /// Hosts: the most expensive to overload.
    Host,
    /// Databases.
    Database,
    /// Shards.
    Shard,
}

impl Level {
    /// All, in the order in which they are relieved.
    pub const ALL: [Self; 3] = [Self::Host, Self::Database, Self::Shard];

    /// Which place of this level a shard belongs to.
    pub const fn of(self, shard: &ShardLoad) -> u32 {
        match self {
            Self::Host => shard.host,
            Self::Database => shard.database,
            Self::Shard => shard.shard.0,
        }
    }

    const fn weights(self, options: &Options) -> Weights {
        match self {
            Self::Host => options.host,
            Self::Database => options.database,
            Self::Shard => options.shard,
        }
    }
}

impl Load {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            users: self.users.saturating_add(other.users),
            bytes: self.bytes.saturating_add(other.bytes),
            reads: self.reads.saturating_add(other.reads),
            writes: self.writes.saturating_add(other.writes),
        }
    }

    /// Without the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            users: self.users.saturating_sub(other.users),
            bytes: self.bytes.saturating_sub(other.bytes),
            reads: self.reads.saturating_sub(other.reads),
            writes: self.writes.saturating_sub(other.writes),
        }
    }
}

/// Parts of a whole that every mix is expressed in.
const WHOLE: u128 = 1_000_000_000;

impl Weights {
    /// The share of `all` that `part` is, of [`WHOLE`]; kinds that nobody has do not count.
    fn share(self, part: &Load, all: &Load) -> u128 {
        let kinds = [
            (self.users, part.users, all.users),
            (self.bytes, part.bytes, all.bytes),
            (self.reads, part.reads, all.reads),
            (self.writes, part.writes, all.writes),
        ];
        let counted = kinds.iter().filter(|(weight, _, all)| *weight > 0 && *all > 0);
        let weights: u128 = counted.clone().map(|(weight, ..)| u128::from(*weight)).sum();
        if weights == 0 {
            return 0;
        }
        let sum = |(weight, part, all): &(u32, u64, u64)| {
            u128::from(*weight) * u128::from(*part) * WHOLE / u128::from(*all)
        };
        counted.map(sum).sum::<u128>() / weights
    }
}

/// The percentage of each place of a level, by its number.
pub fn percentages(level: Level, shards: &[ShardLoad], options: &Options) -> Vec<(u32, Percent)> {
    let mut places: Vec<u32> = shards.iter().map(|shard| level.of(shard)).collect();
    places.sort_unstable();
    places.dedup();
    let all = shards.iter().fold(Load::default(), |sum, shard| sum.plus(shard.load));
    let capacity: u128 = shards.iter().map(|shard| u128::from(shard.capacity)).sum();
    let weights = level.weights(options);
    let percent = |place: u32| {
        let own = shards.iter().filter(|shard| level.of(shard) == place);
        let load = own.clone().fold(Load::default(), |sum, shard| sum.plus(shard.load));
        let bears: u128 = own.map(|shard| u128::from(shard.capacity)).sum();
        let share = weights.share(&load, &all);
        if share == 0 {
            return 0;
        }
        // What can bear nothing and has something is as full as can be said.
        let percent = (share * 100 * capacity).checked_div(bears * WHOLE);
        percent.map_or(Percent::MAX, |percent| Percent::try_from(percent).unwrap_or(Percent::MAX))
    };
    places.into_iter().map(|place| (place, percent(place))).collect()
}

/// The fullest place of a level against the mean, percent: the spread that balancing lowers.
pub fn spread(level: Level, shards: &[ShardLoad], options: &Options) -> Percent {
    let all = percentages(level, shards, options);
    all.into_iter().map(|(_, percent)| percent).max().unwrap_or(0)
}
