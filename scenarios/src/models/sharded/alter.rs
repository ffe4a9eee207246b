//! A table that is altered: where it is, or on a replica that takes over.
//!
//! An operator, a job of the first host, has rows laid out anew (`DB.ALTER PAGE-ROWS`), which takes
//! as long as the server's disk takes to read and write all of them. Where they are: on one host
//! after the other, each of which takes no writes meanwhile. With a replica: there, and then
//!
//! | he waits | and then |
//! |---|---|
//! | for it to be hardly behind (`DB.LAG`) | gives out a map in which shards are read-only |
//! | for every web server to have that | has the master refuse writes, and looks at its last record |
//! | for the replica to have applied that | promotes it, and gives out a map in which it is the host |
//! | for every web server to have that | gives out one in which shards are writable again |
//! | | makes the old master its replica, and has rows laid out anew there, too |
//!
//! Not modelled: an operator who dies in the midst; rows that are not of the same form before and
//! behind an alteration.

use super::maps::integer;
use super::{Job, Sharded};
use crate::models::app::{Came, Hands, Step};
use std::time::Duration;
use storytime_database::Reply;
use storytime_machine::{Endpoint, Time};
use storytime_sharding::ShardMap;
use storytime_sharding::map::{Flags, Host};

/// How long the operator waits before he looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The same, while rows are laid out anew.
const LOOK_AGAIN_LATER: Duration = Duration::from_millis(100);
/// A replica has caught up that misses no more records than this.
const RECORDS_BEHIND_MAX: i64 = 16;
/// Name of the replica in maps.
const NEW_HOST: &str = "altered";

/// What the operator awaits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alterer {
    /// That this one of the hosts to be altered begins.
    Begun(usize),
    /// That it has ended there.
    Altered(usize, Time),
    /// That the replica is hardly behind.
    Lag,
    /// That every web server follows this version of the map, in which shards are read-only.
    Closed(u64),
    /// That the old master refuses writes.
    ReadOnly,
    /// The old master's last record.
    Last,
    /// That the replica has this record.
    Record(i64),
    /// That it has applied it.
    Applied,
    /// That the replica is the master.
    Promoted,
    /// That every web server follows this version of the map, in which it is.
    Switched(u64),
    /// That the old master is its replica.
    Follows,
}

impl Sharded {
    /// The timeline has the table altered.
    pub(super) fn alter(&self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part > 0 || self.numbers.alter_to.is_none() {
            return Step::Done;
        }
        self.ask_to_alter(hands, Alterer::Begun(0))
    }

    /// The hosts on which rows are laid out anew, in turn.
    fn to_alter(&self) -> impl Iterator<Item = usize> {
        // A replica comes first; its master is the one of the shards that it is a replica of.
        let all = if self.numbers.alter_on.is_some() { 1 } else { self.numbers.shards.len() };
        self.numbers.alter_on.into_iter().chain(self.numbers.shards[..all].iter().copied())
    }

    /// Where the replica is, by the map of the beginning.
    fn replica(hands: &Hands<'_>) -> Endpoint {
        let map = hands.shard_map();
        let host = map.hosts.iter().find(|host| host.name == NEW_HOST);
        host.map_or_else(|| map.hosts[0].replicas[0].clone(), |host| host.master.clone())
    }

    /// Asks for what the operator awaits.
    fn ask_to_alter(&self, hands: &mut Hands<'_>, awaits: Alterer) -> Step<Job> {
        let old = self.numbers.shards[0];
        let new = self.numbers.alter_on.unwrap_or(old);
        let host = |turn: usize| self.to_alter().nth(turn).expect("he counts them");
        match awaits {
            Alterer::Begun(turn) => {
                let rows = self.numbers.alter_to.unwrap_or(1).to_string();
                hands.dbd(host(turn), &[b"DB.ALTER", b"PAGE-ROWS", rows.as_bytes()]);
            }
            Alterer::Altered(turn, _) => hands.dbd(host(turn), &[b"DB.ALTER"]),
            Alterer::Lag | Alterer::Applied => hands.dbd(new, &[b"DB.LAG"]),
            Alterer::Closed(_) | Alterer::Switched(_) => hands.pause(LOOK_AGAIN),
            Alterer::ReadOnly => hands.dbd(old, &[b"DB.READONLY", b"ON"]),
            Alterer::Last => hands.dbd(old, &[b"DB.POSITION"]),
            Alterer::Record(_) => hands.dbd(new, &[b"DB.POSITION"]),
            Alterer::Promoted => hands.dbd(new, &[b"REPLICAOF", b"NO", b"ONE"]),
            Alterer::Follows => {
                let Endpoint::Tcp(at) = Self::replica(hands) else { return Step::Failed };
                let (ip, port) = (at.ip().to_string(), at.port().to_string());
                hands.dbd(old, &[b"REPLICAOF", ip.as_bytes(), port.as_bytes()]);
            }
        }
        Step::Await(Job::Alter(awaits))
    }

    /// What the operator awaited has come.
    pub(super) fn alterer_heard(
        &self,
        hands: &mut Hands<'_>,
        awaits: Alterer,
        came: &Came,
    ) -> Step<Job> {
        let numbers: Vec<i64> = match came {
            Came::Dbd(Ok(Reply::Array(parts))) => parts.iter().map(integer).collect(),
            _ => Vec::new(),
        };
        let is_ok = matches!(came, Came::Dbd(Ok(Reply::Simple(_))));
        let next = match (awaits, &numbers[..]) {
            (Alterer::Begun(turn), _) if is_ok => Alterer::Altered(turn, hands.now()),
            (Alterer::Altered(turn, since), [_, 0, 0]) => {
                hands.time_since("alter_time", since);
                if self.numbers.alter_on.is_some() && turn == 0 {
                    Alterer::Lag
                } else if turn + 1 < self.to_alter().count() {
                    Alterer::Begun(turn + 1)
                } else {
                    return Step::Done;
                }
            }
            (Alterer::Lag, [0..=i64::MAX, i64::MIN..=RECORDS_BEHIND_MAX]) => {
                Alterer::Closed(self.give_changed(hands, |map| set_all(map, Flags::READ_ONLY)))
            }
            (Alterer::Closed(version), _) if self.is_everywhere(version) => Alterer::ReadOnly,
            (Alterer::ReadOnly, _) if is_ok => Alterer::Last,
            (Alterer::Last, [_, last, _]) => Alterer::Record(*last),
            (Alterer::Record(record), [_, last, _]) if *last >= record => Alterer::Applied,
            (Alterer::Applied, [_, 0]) => Alterer::Promoted,
            (Alterer::Promoted, _) if is_ok => {
                let master = Self::replica(hands);
                Alterer::Switched(self.give_changed(hands, |map| switch_all(map, master)))
            }
            (Alterer::Switched(version), _) if self.is_everywhere(version) => {
                self.give_changed(hands, |map| set_all(map, Flags::READ_WRITE));
                Alterer::Follows
            }
            (Alterer::Follows, _) if is_ok => Alterer::Begun(1),
            // Not yet, or no answer: he looks again.
            _ if !matches!(came, Came::Woke) => {
                let later = matches!(awaits, Alterer::Altered(..));
                hands.pause(if later { LOOK_AGAIN_LATER } else { LOOK_AGAIN });
                return Step::Await(Job::Alter(awaits));
            }
            _ => awaits,
        };
        self.ask_to_alter(hands, next)
    }
}

/// Sets the flags of all shards.
fn set_all(map: &mut ShardMap, flags: Flags) {
    map.shards.iter_mut().for_each(|shard| shard.flags = flags);
}

/// All shards are on another host.
fn switch_all(map: &mut ShardMap, master: Endpoint) {
    let host = map.hosts.len();
    map.hosts.push(Host { name: NEW_HOST.to_owned(), master, replicas: Vec::new() });
    map.shards.iter_mut().for_each(|shard| shard.host = host);
}
