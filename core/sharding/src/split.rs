//! One database host becomes two: half of its shards get a host of their own.
//!
//! Shards are small on purpose ("virtual shards": twelve databases on one host), so that a host
//! that is too full is relieved without moving a single user: a replica of the whole host is made,
//! and each of the two keeps half of the shards. [`Split`] gives the maps, in order, and what must
//! be true before each is given out:
//!
//! | step | before it | the map then |
//! |---|---|---|
//! | [`Replicate`](Step::Replicate) | the new server follows the old one (`dbd --replicaof`) | the new one is a replica that may be read |
//! | [`Close`](Step::Close) | it has caught up (`DB.LAG` is small) | leaving shards are read-only |
//! | [`Switch`](Step::Switch) | every application has that map; the new server has the old one's last record; it is promoted (`REPLICAOF NO ONE APART`: the old one stays a master, too) | leaving shards are the new host's, read-only |
//! | [`Open`](Step::Open) | every application has that map, so that nobody reads the old server's rows any more | and read-write |
//! | [`Tidy`](Step::Tidy) | every application has that map | the same: now the other half's rows may be dropped on each host |
//!
//! Nobody is down: reads go on all the time, and writes of the leaving shards pause from `Close` to
//! `Open`. A write that was sent under an older map, and comes behind the last record that the
//! new server has, would be lost; so the old server is told to refuse writes (`DB.READONLY ON`)
//! between `Close` and `Switch`, and what it refused is asked again. It serves its own half again
//! (`DB.READONLY OFF`) with `Switch`. Its leaving databases have to be emptied before that, or an
//! application with an old map could still write there.
//!
//! # Not modelled
//!
//! The waiting itself: who carries a split out asks the servers, and goes on.

use crate::map::{Flags, Host, ShardId, ShardMap};
use core::fmt;
use storytime_machine::Endpoint;

/// Where a split is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// The new server is a replica.
    Replicate,
    /// Leaving shards are read-only.
    Close,
    /// Leaving shards are the new host's.
    Switch,
    /// They take writes again.
    Open,
    /// Each host may drop what is not its own.
    Tidy,
}

/// What is to be split, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Split {
    /// Name of the host that is too full.
    pub from: String,
    /// Name of the new one.
    pub to: String,
    /// Where the new one is.
    pub at: Endpoint,
    /// Shards that leave.
    pub leaving: Vec<ShardId>,
}

/// Why there is nothing to split: the caller's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CannotSplit {
    /// The map has no such host.
    NoHost,
    /// The map has a host of the new one's name.
    HostThere,
    /// A shard is not on that host.
    NotThere(ShardId),
    /// No shard leaves, or none stays.
    NotAPart,
}

impl fmt::Display for CannotSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("the map has no such host"),
            Self::HostThere => f.write_str("the map has a host of that name already"),
            Self::NotThere(shard) => write!(f, "shard {shard} is not on that host"),
            Self::NotAPart => f.write_str("some shards have to leave and some to stay"),
        }
    }
}

impl std::error::Error for CannotSplit {}

impl Split {
    /// Every second shard of a host leaves.
    ///
    /// # Errors
    /// If that cannot be.
    pub fn halve(map: &ShardMap, from: &str, to: &str, at: Endpoint) -> Result<Self, CannotSplit> {
        let leaving = map.shards_of(from).skip(1).step_by(2).map(|shard| shard.id).collect();
        let split = Self { from: from.to_owned(), to: to.to_owned(), at, leaving };
        split.check(map).map(|()| split)
    }

    fn host(&self, map: &ShardMap) -> Option<usize> {
        map.hosts.iter().position(|host| host.name == self.from)
    }

    /// Whether it can be begun under this map.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, map: &ShardMap) -> Result<(), CannotSplit> {
        let from = self.host(map).ok_or(CannotSplit::NoHost)?;
        if map.hosts.iter().any(|host| host.name == self.to) {
            return Err(CannotSplit::HostThere);
        }
        for &id in &self.leaving {
            if map.shard(id).is_none_or(|shard| shard.host != from) {
                return Err(CannotSplit::NotThere(id));
            }
        }
        let all = map.shards_of(&self.from).count();
        if self.leaving.is_empty() || self.leaving.len() >= all {
            return Err(CannotSplit::NotAPart);
        }
        Ok(())
    }

    /// The map of a step, from the map of the step before; only what concerns the split is
    /// changed, so that other changes may come in between.
    pub fn map(&self, step: Step, before: &ShardMap) -> ShardMap {
        let mut map = before.clone();
        map.version += 1;
        let Some(from) = self.host(&map) else { return map };
        match step {
            Step::Replicate => map.hosts[from].replicas.push(self.at.clone()),
            Step::Close => self.each(&mut map, |shard| shard.flags = Flags::READ_ONLY),
            Step::Switch => {
                map.hosts[from].replicas.retain(|replica| *replica != self.at);
                let host = map.hosts.iter().position(|host| host.name == self.to);
                let host = host.unwrap_or_else(|| {
                    let (name, master) = (self.to.clone(), self.at.clone());
                    map.hosts.push(Host { name, master, replicas: Vec::new() });
                    map.hosts.len() - 1
                });
                self.each(&mut map, |shard| shard.host = host);
            }
            Step::Open => self.each(&mut map, |shard| shard.flags = Flags::READ_WRITE),
            Step::Tidy => {}
        }
        map
    }

    fn each(&self, map: &mut ShardMap, change: impl Fn(&mut crate::map::Shard)) {
        for &id in &self.leaving {
            if let Some(shard) = map.shard_mut(id) {
                change(shard);
            }
        }
    }

    /// Databases that hold nothing of a host's own any more, by their numbers in `SELECT`.
    pub fn foreign(&self, map: &ShardMap, host: &str) -> Vec<u32> {
        let moved = |id: &&ShardId| (host == self.from) == self.leaving.contains(id);
        let both = [self.from.as_str(), self.to.as_str()];
        let all: Vec<ShardId> =
            both.iter().flat_map(|name| map.shards_of(name)).map(|shard| shard.id).collect();
        let foreign = all.iter().filter(moved);
        foreign.filter_map(|id| map.shard(*id).map(|shard| shard.select)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{Plan, generate};

    fn at(host: u8) -> Endpoint {
        Endpoint::tcp([10, 0, 0, host], 6379)
    }

    fn twelve() -> ShardMap {
        generate(&Plan {
            directory: None,
            index: None,
            hosts: vec![(at(1), Vec::new())],
            databases_per_host: 12,
            shards_per_database: 1,
        })
    }

    #[test]
    fn one_host_with_twelve_databases_becomes_two_with_six() {
        let mut map = twelve();
        let name = map.hosts[0].name.clone();
        let split = Split::halve(&map, &name, "new", at(2)).expect("twelve can be halved");
        for step in [Step::Replicate, Step::Close, Step::Switch, Step::Open, Step::Tidy] {
            let before = map.version;
            map = split.map(step, &map);
            assert_eq!((map.mistake(), map.version), (None, before + 1), "{step:?}");
            let closed = map.shards.iter().filter(|shard| !shard.flags.write).count();
            let pause = matches!(step, Step::Close | Step::Switch);
            assert_eq!(closed, if pause { 6 } else { 0 }, "{step:?}");
            assert!(map.shards.iter().all(|shard| shard.flags.read), "nobody is down");
        }
        assert_eq!((map.shards_of(&name).count(), map.shards_of("new").count()), (6, 6));
        assert!(map.hosts[0].replicas.is_empty());
        let (old, new) = (split.foreign(&map, &name), split.foreign(&map, "new"));
        assert_eq!((old.len(), new.len()), (6, 6));
        assert!(old.iter().all(|select| !new.contains(select)), "each drops the other's half");
    }

    #[test]
    fn what_cannot_be_split_is_said() {
        let map = twelve();
        let name = map.hosts[0].name.clone();
        assert_eq!(Split::halve(&map, "who", "new", at(2)), Err(CannotSplit::NoHost));
        assert_eq!(Split::halve(&map, &name, &name, at(2)), Err(CannotSplit::HostThere));
        let mut split = Split::halve(&map, &name, "new", at(2)).expect("it can be halved");
        split.leaving.clear();
        assert_eq!(split.check(&map), Err(CannotSplit::NotAPart));
        split.leaving = vec![ShardId(99)];
        assert_eq!(split.check(&map), Err(CannotSplit::NotThere(ShardId(99))));
    }
}
