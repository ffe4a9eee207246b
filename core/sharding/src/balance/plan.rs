//! The planner.

use super::{Level, Options, Percent, ShardLoad, UserLoad, percentages};
use crate::map::{ShardId, UserId};
use std::collections::BTreeSet;

/// A user to be moved.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Move {
    /// Who.
    pub user: UserId,
    /// From where.
    pub from: ShardId,
    /// Where to.
    pub to: ShardId,
}

/// Moves that relieve what is too full: hosts first, then databases, then shards. Users that must
/// stay (those on the move, those moved lately) are simply not among `users`.
pub fn plan(shards: &[ShardLoad], users: &[UserLoad], options: &Options) -> Vec<Move> {
    let mut shards = shards.to_vec();
    let mut users = users.to_vec();
    let mut moves = Vec::new();
    for level in Level::ALL {
        relieve(level, &mut shards, &mut users, options, &mut moves);
    }
    moves
}

fn relieve(
    level: Level,
    shards: &mut [ShardLoad],
    users: &mut Vec<UserLoad>,
    options: &Options,
    moves: &mut Vec<Move>,
) {
    let above = |limit: Percent, all: &[(u32, Percent)]| -> BTreeSet<u32> {
        all.iter().filter(|(_, percent)| *percent > limit).map(|(place, _)| *place).collect()
    };
    // Whoever is above the start is worked on until he is below the stop, or nothing helps.
    let mut full = above(options.start_percent, &percentages(level, shards, options));
    while moves.len() < options.moves_max {
        let all = percentages(level, shards, options);
        let still = above(options.stop_percent, &all);
        full.retain(|place| still.contains(place));
        let fullest = all.iter().filter(|(place, _)| full.contains(place)).max_by_key(|at| at.1);
        let Some(&(place, percent)) = fullest else { return };
        match best(level, place, percent, &all, shards, users, options) {
            Some(found) => {
                apply(found, shards, users);
                moves.push(found);
            }
            None => {
                full.remove(&place);
            }
        }
    }
}

fn index(shards: &[ShardLoad], shard: ShardId) -> Option<usize> {
    shards.iter().position(|each| each.shard == shard)
}

/// The move off a place that lowers the higher of source and target the most.
fn best(
    level: Level,
    place: u32,
    percent: Percent,
    all: &[(u32, Percent)],
    shards: &[ShardLoad],
    users: &[UserLoad],
    options: &Options,
) -> Option<Move> {
    let target = target(level, place, all, shards, options)?;
    let here = |user: &&UserLoad| {
        index(shards, user.shard).is_some_and(|at| level.of(&shards[at]) == place)
    };
    let mut best: Option<(Percent, Move)> = None;
    for user in users.iter().filter(here) {
        let found = Move { user: user.user, from: user.shard, to: shards[target].shard };
        let mut then = shards.to_vec();
        shift(&mut then, user, found.to);
        let after = percentages(level, &then, options);
        let of = |wanted: u32| {
            after.iter().find(|(place, _)| *place == wanted).map_or(0, |(_, percent)| *percent)
        };
        let (here, there) = (of(place), of(level.of(&shards[target])));
        let higher = here.max(there);
        // What only changes places is not worth a move: half of what leaves must be gained.
        let worth = higher < percent && (percent - higher) * 2 >= percent - here;
        if worth && best.is_none_or(|(least, _)| higher < least) {
            best = Some((higher, found));
        }
    }
    best.map(|(_, found)| found)
}

/// The emptiest shard of the emptiest place.
fn target(
    level: Level,
    from: u32,
    all: &[(u32, Percent)],
    shards: &[ShardLoad],
    options: &Options,
) -> Option<usize> {
    // What is full inside a host is relieved inside it, so that hosts stay as they are.
    let host = shards.iter().find(|shard| level.of(shard) == from).map(|shard| shard.host)?;
    let may =
        |shard: &ShardLoad| shard.capacity > 0 && (level == Level::Host || shard.host == host);
    let takes = |place: u32| shards.iter().any(|shard| level.of(shard) == place && may(shard));
    let open = all.iter().filter(|(place, _)| *place != from && takes(*place));
    let (place, _) = open.min_by_key(|(place, percent)| (*percent, *place))?;
    let within = percentages(Level::Shard, shards, options);
    let fill = |shard: &ShardLoad| {
        within.iter().find(|(id, _)| *id == shard.shard.0).map_or(0, |(_, percent)| *percent)
    };
    let inside = shards.iter().enumerate();
    let inside = inside.filter(|(_, shard)| level.of(shard) == *place && may(shard));
    inside.min_by_key(|(_, shard)| (fill(shard), shard.shard)).map(|(at, _)| at)
}

fn shift(shards: &mut [ShardLoad], user: &UserLoad, to: ShardId) {
    for shard in shards {
        if shard.shard == user.shard {
            shard.load = shard.load.minus(user.load);
        } else if shard.shard == to {
            shard.load = shard.load.plus(user.load);
        }
    }
}

fn apply(found: Move, shards: &mut [ShardLoad], users: &mut Vec<UserLoad>) {
    let Some(at) = users.iter().position(|user| user.user == found.user) else { return };
    // Nobody is moved twice in one plan.
    let user = users.swap_remove(at);
    shift(shards, &user, found.to);
}

#[cfg(test)]
mod tests {
    use super::super::{Load, spread};
    use super::*;
    use storytime_machine::Rng;

    /// Two hosts with two databases of two shards each, and users of these sizes, all on shard 0.
    fn site(sizes: &[u64], shard_of: impl Fn(usize) -> u32) -> (Vec<ShardLoad>, Vec<UserLoad>) {
        let empty = |shard: u32| ShardLoad {
            shard: ShardId(shard),
            database: shard / 2,
            host: shard / 4,
            capacity: 1,
            load: Load::default(),
        };
        let mut shards: Vec<ShardLoad> = (0..8).map(empty).collect();
        let mut users = Vec::new();
        for (n, &size) in sizes.iter().enumerate() {
            let load = Load { users: 1, bytes: size, reads: size, writes: size };
            let shard = shard_of(n);
            users.push(UserLoad { user: UserId(n as u64), shard: ShardId(shard), load });
            shards[shard as usize].load = shards[shard as usize].load.plus(load);
        }
        (shards, users)
    }

    fn after(shards: &[ShardLoad], users: &[UserLoad], moves: &[Move]) -> Vec<ShardLoad> {
        let (mut shards, mut users) = (shards.to_vec(), users.to_vec());
        moves.iter().for_each(|found| apply(*found, &mut shards, &mut users));
        shards
    }

    #[test]
    fn percentages_are_against_the_share_of_capacity() {
        let (mut shards, _) = site(&[10, 10, 10, 10], |n| n as u32 * 2);
        let options = Options::default();
        assert_eq!(percentages(Level::Host, &shards, &options), [(0, 100), (1, 100)]);
        assert_eq!(spread(Level::Shard, &shards, &options), 200, "every second shard is empty");
        shards.iter_mut().filter(|shard| shard.host == 1).for_each(|shard| shard.capacity = 3);
        assert_eq!(percentages(Level::Host, &shards, &options), [(0, 200), (1, 66)]);
        shards.iter_mut().filter(|shard| shard.host == 1).for_each(|shard| shard.capacity = 0);
        assert_eq!(percentages(Level::Host, &shards, &options)[1], (1, Percent::MAX));
    }

    #[test]
    fn all_on_one_shard_are_spread_over_all() {
        let (shards, users) = site(&[100; 80], |_| 0);
        let options = Options { moves_max: 200, ..Options::default() };
        let moves = plan(&shards, &users, &options);
        let then = after(&shards, &users, &moves);
        for level in Level::ALL {
            let spread = spread(level, &then, &options);
            assert!(spread <= options.start_percent, "{level:?}: {spread}");
        }
        assert!(moves.len() < 80, "{} moves", moves.len());
        assert!(plan(&then, &[], &options).is_empty());
    }

    #[test]
    fn nothing_moves_between_stop_and_start() {
        let (shards, users) = site(&[100; 23], |n| if n < 11 { 0 } else { 4 });
        let options = Options { start_percent: 1_000, ..Options::default() };
        assert!(plan(&shards, &users, &options).is_empty());
    }

    #[test]
    fn a_power_user_who_alone_is_too_much_stays() {
        let (shards, users) = site(&[1_000_000, 1, 1], |_| 0);
        let moves = plan(&shards, &users, &Options::default());
        assert!(moves.iter().all(|found| found.user != UserId(0)), "{moves:?}");
    }

    #[test]
    fn whatever_the_loads_the_fullest_host_is_never_fuller_than_before() {
        for seed in 0..60 {
            let mut rng = Rng::new(seed, 0);
            let sizes: Vec<u64> = (0..40).map(|_| 1 << rng.below(12)).collect();
            let places: Vec<u32> = sizes.iter().map(|_| rng.below(8) as u32).collect();
            let (shards, users) = site(&sizes, |n| places[n]);
            let options = Options { moves_max: 16, ..Options::default() };
            let moves = plan(&shards, &users, &options);
            assert!(moves.len() <= 16);
            assert_eq!(moves, plan(&shards, &users, &options), "the same loads, the same plan");
            let then = after(&shards, &users, &moves);
            let before = spread(Level::Host, &shards, &options);
            let now = spread(Level::Host, &then, &options);
            assert!(now <= before.max(options.start_percent), "{before} to {now}");
            let moved: BTreeSet<UserId> = moves.iter().map(|found| found.user).collect();
            assert_eq!(moved.len(), moves.len(), "nobody is moved twice");
        }
    }
}
