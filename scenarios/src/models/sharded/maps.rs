//! Maps that change while the site runs: a shard's flags, and a host that is split in two.
//!
//! An operator, a job of the first host, carries a split out as [`Split`] says. Maps reach one web
//! server after the other, as files that are copied to them do.
//!
//! Not modelled: the foreign half of the rows on each host, which nobody looks for any more, is not
//! dropped; an operator who dies in the midst.

use super::{Job, Sharded, SplitCare};
use crate::models::app::{Came, Hands, Step, lock};
use std::time::Duration;
use storytime_database::Reply;
use storytime_sharding::ShardMap;
use storytime_sharding::map::Flags;
use storytime_sharding::split::{Split, Step as SplitStep};

/// How long the operator waits before he looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A replica has caught up that misses no more records than this.
const RECORDS_BEHIND_MAX: i64 = 16;
/// Name of the new host in maps.
const NEW_HOST: &str = "split";

/// Maps that were given out, oldest first.
#[derive(Debug, Default)]
pub struct Maps {
    /// When, wall clock, nanoseconds; and which.
    given: Vec<(u64, ShardMap)>,
    /// The version that each host of the load follows.
    followed: Vec<u64>,
    split: Option<Split>,
}

/// What the operator awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// That the new server is hardly behind.
    AwaitLag,
    /// That every web server follows this version of the map, in which shards are closed.
    AwaitClosed(u64),
    /// That the old server refuses writes.
    AwaitReadOnly,
    /// The old server's last record.
    AwaitLast,
    /// That the new server has this record.
    AwaitRecord(i64),
    /// That the new server is a master.
    AwaitPromoted,
    /// That the old server takes writes; and which map everybody must follow then.
    AwaitWritable(u64),
    /// That every web server follows this version of the map, in which nobody reads from the old
    /// host what is the new one's.
    AwaitSwitched(u64),
}

impl Maps {
    pub(super) fn add_host(&mut self) {
        self.followed.push(0);
    }
}

impl Sharded {
    /// The timeline changes the flags of a shard: every web server has them at once.
    pub(super) fn set_flags(&self, hands: &mut Hands<'_>, flags: Flags) -> Step<Job> {
        let mut map = hands.shard_map();
        if let Some(shard) = self.numbers.flagged.and_then(|id| map.shard_mut(id)) {
            shard.flags = flags;
            map.version += 1;
            hands.use_shard_map(map);
        }
        Step::Done
    }

    /// Follows the newest map that has reached this web server.
    pub(super) fn follow_maps(&self, hands: &mut Hands<'_>) {
        let mut ledger = lock(&self.ledger);
        let maps = &mut ledger.maps;
        let way = self.numbers.map_spread * self.part;
        let reached = |at: u64| u128::from(at) + way.as_nanos() <= u128::from(hands.wall_ns());
        let Some((_, map)) = maps.given.iter().rev().find(|(at, _)| reached(*at)) else { return };
        let followed = &mut maps.followed[self.part as usize];
        if map.version > *followed {
            *followed = map.version;
            hands.use_shard_map(map.clone());
        }
    }

    /// The timeline has a host split.
    pub(super) fn split(&self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 || self.numbers.split_to.is_none() {
            return Step::Done;
        }
        let map = hands.shard_map();
        let from = &map.hosts[0];
        let split = Split::halve(&map, &from.name, NEW_HOST, from.replicas[0].clone());
        let Ok(split) = split else { return Step::Failed };
        lock(&self.ledger).maps.split = Some(split);
        self.operate(hands, Operator::AwaitLag)
    }

    /// Gives out the map of a step of the split.
    fn give(&self, hands: &Hands<'_>, step: SplitStep) -> u64 {
        let split = lock(&self.ledger).maps.split.clone().expect("a split is under way");
        self.give_out(hands, |before| split.map(step, before))
    }

    /// Gives out the newest map with a change; its version.
    pub(super) fn give_changed(
        &self,
        hands: &Hands<'_>,
        change: impl FnOnce(&mut ShardMap),
    ) -> u64 {
        self.give_out(hands, |before| {
            let mut map = ShardMap { version: before.version + 1, ..before.clone() };
            change(&mut map);
            map
        })
    }

    /// Gives out the map behind the newest; its version.
    fn give_out(&self, hands: &Hands<'_>, next: impl FnOnce(&ShardMap) -> ShardMap) -> u64 {
        let mut ledger = lock(&self.ledger);
        let map = match ledger.maps.given.last() {
            Some((_, before)) => next(before),
            None => next(&hands.shard_map()),
        };
        let version = map.version;
        ledger.maps.given.push((hands.wall_ns(), map));
        version
    }

    /// Whether every web server follows a map of this version, or a later one.
    pub(super) fn is_everywhere(&self, version: u64) -> bool {
        lock(&self.ledger).maps.followed.iter().all(|followed| *followed >= version)
    }

    /// Asks for what the operator awaits.
    fn operate(&self, hands: &mut Hands<'_>, awaits: Operator) -> Step<Job> {
        let old = self.numbers.shards[0];
        let new = self.numbers.split_to.expect("it was looked at before the split");
        match awaits {
            Operator::AwaitLag => hands.dbd(new, &[b"DB.LAG"]),
            Operator::AwaitClosed(_) | Operator::AwaitSwitched(_) => hands.pause(LOOK_AGAIN),
            Operator::AwaitReadOnly => hands.dbd(old, &[b"DB.READONLY", b"ON"]),
            Operator::AwaitLast => hands.dbd(old, &[b"DB.POSITION"]),
            Operator::AwaitRecord(_) => hands.dbd(new, &[b"DB.POSITION"]),
            Operator::AwaitPromoted => hands.dbd(new, &[b"REPLICAOF", b"NO", b"ONE", b"APART"]),
            Operator::AwaitWritable(_) => hands.dbd(old, &[b"DB.READONLY", b"OFF"]),
        }
        Step::Await(Job::Operator(awaits))
    }

    /// What the operator awaited has come.
    pub(super) fn operator_heard(
        &self,
        hands: &mut Hands<'_>,
        awaits: Operator,
        came: Came,
    ) -> Step<Job> {
        let careful = self.numbers.split == SplitCare::Careful;
        let numbers = match &came {
            Came::Dbd(Ok(Reply::Array(parts))) => parts.iter().map(integer).collect(),
            _ => Vec::new(),
        };
        let is_ok = matches!(came, Came::Dbd(Ok(Reply::Simple(_))));
        let next = match (awaits, &numbers[..]) {
            (Operator::AwaitLag, [0..=i64::MAX, i64::MIN..=RECORDS_BEHIND_MAX]) if careful => {
                Operator::AwaitClosed(self.give(hands, SplitStep::Close))
            }
            (Operator::AwaitLag, [0..=i64::MAX, i64::MIN..=RECORDS_BEHIND_MAX]) => {
                Operator::AwaitPromoted
            }
            (Operator::AwaitClosed(version), _) if self.is_everywhere(version) => {
                Operator::AwaitReadOnly
            }
            (Operator::AwaitSwitched(version), _) if self.is_everywhere(version) => {
                self.give(hands, SplitStep::Open);
                return Step::Done;
            }
            (Operator::AwaitReadOnly, _) if is_ok => Operator::AwaitLast,
            (Operator::AwaitLast, [_, last, _]) => Operator::AwaitRecord(*last),
            (Operator::AwaitRecord(record), [_, last, _]) if *last >= record => {
                Operator::AwaitPromoted
            }
            (Operator::AwaitPromoted, _) if is_ok => {
                let version = self.give(hands, SplitStep::Switch);
                if !careful {
                    self.give(hands, SplitStep::Open);
                    return Step::Done;
                }
                Operator::AwaitWritable(version)
            }
            (Operator::AwaitWritable(version), _) if is_ok => Operator::AwaitSwitched(version),
            // Not yet, or no answer: he looks again.
            _ if !matches!(came, Came::Woke) => {
                hands.pause(LOOK_AGAIN);
                return Step::Await(Job::Operator(awaits));
            }
            _ => awaits,
        };
        self.operate(hands, next)
    }
}

/// The number that a reply is; −1 if it is none.
pub(super) const fn integer(reply: &Reply) -> i64 {
    match reply {
        Reply::Integer(number) => *number,
        _ => -1,
    }
}
