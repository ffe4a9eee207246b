//! Partition schemes: which shard a user's rows are on.
//!
//! | scheme | place | when a shard is added | power users |
//! |---|---|---|---|
//! | vertical | one shard for a whole table | nothing helps but another table's move | together |
//! | range | by intervals of user ids | nobody moves: it takes the users to come | by their age |
//! | modulo | user id modulo n | n of n + 1 users move | as chance has it |
//! | hash | CRC-32 of the user id modulo n | n of n + 1 users move | as chance has it |
//! | rendezvous | the shard that bids highest | 1 of n + 1 users moves | as chance has it |
//! | directory | looked up | nobody moves, until somebody is moved | moved one by one |

use crate::map::{ShardId, UserId};
use storytime_machine::hash::fold;

/// Most shards or ranges that a scheme names.
pub const SCHEME_PARTS_MAX: usize = 65_536;

/// How users are spread over shards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// All users of a table on one shard: a table that is not sharded (yet).
    Vertical(ShardId),
    /// Users from each number on, ascending; the first number is 0.
    Range(Vec<(UserId, ShardId)>),
    /// The user's number modulo the number of shards.
    Modulo(Vec<ShardId>),
    /// CRC-32 of the user's number modulo the number of shards.
    Hash(Vec<ShardId>),
    /// The shard that bids highest for the user (highest random weight).
    Rendezvous(Vec<ShardId>),
    /// Looked up in the directory.
    Directory {
        /// Where users live whom the directory does not know: the server that was there before
        /// there were shards.
        otherwise: Option<ShardId>,
    },
}

/// What a scheme says about a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// On this shard.
    On(ShardId),
    /// The directory knows.
    AskDirectory {
        /// Where the user is if the directory does not know him.
        otherwise: Option<ShardId>,
    },
    /// Nowhere: the scheme names no shard.
    Nowhere,
}

impl Scheme {
    /// Where a user's rows are.
    pub fn locate(&self, user: UserId) -> Located {
        let on = |found: Option<ShardId>| found.map_or(Located::Nowhere, Located::On);
        match self {
            Self::Vertical(shard) => Located::On(*shard),
            Self::Range(ranges) => {
                let after = ranges.partition_point(|&(first, _)| first <= user);
                on(after.checked_sub(1).map(|at| ranges[at].1))
            }
            Self::Modulo(shards) => on(nth_modulo(shards, user.0)),
            Self::Hash(shards) => on(nth_modulo(shards, user_hash(user))),
            Self::Rendezvous(shards) => {
                on(shards.iter().copied().max_by_key(|&shard| (bid(user, shard), shard)))
            }
            Self::Directory { otherwise } => Located::AskDirectory { otherwise: *otherwise },
        }
    }

    /// The shard, if no directory has to be asked.
    pub fn computed(&self, user: UserId) -> Option<ShardId> {
        match self.locate(user) {
            Located::On(shard) => Some(shard),
            Located::AskDirectory { .. } | Located::Nowhere => None,
        }
    }

    /// Shards that it names, some perhaps more than once.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> {
        let (single, listed, ranges): (Option<ShardId>, &[ShardId], &[(UserId, ShardId)]) =
            match self {
                Self::Vertical(shard) => (Some(*shard), &[], &[]),
                Self::Range(ranges) => (None, &[], ranges),
                Self::Modulo(shards) | Self::Hash(shards) | Self::Rendezvous(shards) => {
                    (None, shards, &[])
                }
                Self::Directory { otherwise } => (*otherwise, &[], &[]),
            };
        single.into_iter().chain(listed.iter().copied()).chain(ranges.iter().map(|range| range.1))
    }

    /// Whether users have to be looked up.
    pub const fn asks_directory(&self) -> bool {
        matches!(self, Self::Directory { .. })
    }

    /// Where users live whom the directory does not know.
    pub const fn otherwise(&self) -> Option<ShardId> {
        match self {
            Self::Directory { otherwise } => *otherwise,
            _ => None,
        }
    }

    /// The same scheme with one more shard. A range's new shard takes the users from `next` on;
    /// vertical and directory stay as they are.
    #[must_use]
    pub fn with_shard(&self, shard: ShardId, next: UserId) -> Self {
        let mut grown = self.clone();
        match &mut grown {
            Self::Range(ranges) => ranges.push((next, shard)),
            Self::Modulo(shards) | Self::Hash(shards) | Self::Rendezvous(shards) => {
                shards.push(shard);
            }
            Self::Vertical(_) | Self::Directory { .. } => {}
        }
        grown
    }

    /// Where a user's rows have to go if `next` follows this scheme; `None` if they stay. Only
    /// schemes that compute places move anybody by being changed.
    pub fn moves(&self, next: &Self, user: UserId) -> Option<(ShardId, ShardId)> {
        let (from, to) = (self.computed(user)?, next.computed(user)?);
        (from != to).then_some((from, to))
    }

    /// What is wrong with it; `None` if nothing is.
    pub fn mistake(&self) -> Option<&'static str> {
        if self.shards().count() > SCHEME_PARTS_MAX {
            return Some("a scheme names at most 65536 shards");
        }
        match self {
            Self::Range(ranges) if ranges.first().is_none_or(|first| first.0 != UserId(0)) => {
                Some("the first range begins with user 0")
            }
            Self::Range(ranges) if !ranges.is_sorted_by(|a, b| a.0 < b.0) => Some("ranges ascend"),
            Self::Modulo(shards) | Self::Hash(shards) | Self::Rendezvous(shards)
                if shards.is_empty() =>
            {
                Some("a scheme names at least one shard")
            }
            _ => None,
        }
    }
}

fn nth_modulo(shards: &[ShardId], number: u64) -> Option<ShardId> {
    let at = number.checked_rem(shards.len() as u64)?;
    Some(shards[at as usize])
}

fn user_hash(user: UserId) -> u64 {
    crc32fast::hash(user.0.to_string().as_bytes()).into()
}

/// How much a shard wants a user: the same number everywhere, different for every pair.
const fn bid(user: UserId, shard: ShardId) -> u64 {
    fold(fold(fold(0x5eed, shard.0 as u64), user.0), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(n: u32) -> Vec<ShardId> {
        (1..=n).map(ShardId).collect()
    }

    /// Of ten thousand users, those who move when an eleventh shard is added.
    fn moved(scheme: &Scheme) -> usize {
        let grown = scheme.with_shard(ShardId(11), UserId(10_000));
        (0..10_000).filter(|&user| scheme.moves(&grown, UserId(user)).is_some()).count()
    }

    #[test]
    fn even_ids_go_to_the_first_of_two_and_odd_ids_to_the_second() {
        let scheme = Scheme::Modulo(shards(2));
        assert_eq!(scheme.computed(UserId(26)), Some(ShardId(1)));
        assert_eq!(scheme.computed(UserId(27)), Some(ShardId(2)));
    }

    #[test]
    fn a_range_begins_where_it_says() {
        let scheme = Scheme::Range(vec![(UserId(0), ShardId(1)), (UserId(100), ShardId(2))]);
        assert_eq!(scheme.computed(UserId(99)), Some(ShardId(1)));
        assert_eq!(scheme.computed(UserId(100)), Some(ShardId(2)));
        assert_eq!(scheme.computed(UserId(u64::MAX)), Some(ShardId(2)));
        let late = Scheme::Range(vec![(UserId(5), ShardId(1))]);
        assert_eq!(late.locate(UserId(4)), Located::Nowhere);
        assert_eq!(late.mistake(), Some("the first range begins with user 0"));
    }

    #[test]
    fn an_eleventh_shard_moves_as_many_as_the_table_says() {
        let range = (0..10).map(|n| (UserId(n * 1000), ShardId(n as u32 + 1))).collect();
        assert_eq!(moved(&Scheme::Range(range)), 0);
        assert_eq!(moved(&Scheme::Vertical(ShardId(1))), 0);
        assert_eq!(moved(&Scheme::Directory { otherwise: None }), 0);
        let of_modulo = moved(&Scheme::Modulo(shards(10)));
        assert!((9_050..=9_130).contains(&of_modulo), "{of_modulo}");
        let of_hash = moved(&Scheme::Hash(shards(10)));
        assert!((8_950..=9_230).contains(&of_hash), "{of_hash}");
        let of_rendezvous = moved(&Scheme::Rendezvous(shards(10)));
        assert!((820..=1_000).contains(&of_rendezvous), "{of_rendezvous}");
    }

    #[test]
    fn whoever_moves_under_rendezvous_moves_to_the_new_shard() {
        let (old, new) = (Scheme::Rendezvous(shards(10)), Scheme::Rendezvous(shards(11)));
        let moves = (0..10_000).filter_map(|user| old.moves(&new, UserId(user)));
        assert!(moves.map(|(_, to)| to).all(|to| to == ShardId(11)));
    }

    #[test]
    fn every_shard_gets_its_part() {
        for scheme in [Scheme::Hash(shards(10)), Scheme::Rendezvous(shards(10))] {
            let mut users = [0; 10];
            for user in 0..10_000 {
                let shard = scheme.computed(UserId(user)).expect("these schemes compute");
                users[shard.0 as usize - 1] += 1;
            }
            assert!(users.iter().all(|&n| (880..1_120).contains(&n)), "{users:?}");
        }
    }
}
