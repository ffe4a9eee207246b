//! The numbers of a load whose users are moved: from the file to a map.

use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{CHANCE, DURATION, Fields};
use crate::models::app::Shards;
use crate::read::{Parts, sites, work};
use std::time::Duration;
use storytime_machine::{Endpoint, Ratio};
use storytime_sharding::map::{Plan, generate};
use storytime_sharding::{Host, Options, Scheme, ShardId, Store};

/// Most users of one load: everything that they do is remembered.
pub const USERS_MAX: u64 = 10_000;

/// How a write makes sure that its user may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// The database checks the user's home in the write itself.
    Checked,
    /// The web server looks at the home before, and then writes.
    LookFirst,
}

/// What a job does, and how many of them do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Rows read.
    pub reads: u64,
    /// New rows.
    pub creates: u64,
    /// New values of rows.
    pub updates: u64,
    /// Rows deleted.
    pub deletes: u64,
    /// Homes looked at, to see users who are read-only.
    pub looks: u64,
    /// Orders to move a user to a shard, both drawn.
    pub moves: u64,
}

/// The numbers of one load.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The host of the directory.
    pub directory: usize,
    /// The hosts of the shards.
    pub shards: Vec<usize>,
    /// Shards on each of them.
    pub shards_per_host: u32,
    /// The host of the database from before sharding: all users begin there, and its shard has the
    /// number behind the last.
    pub unsharded: Option<usize>,
    /// The host that hands out moves, and the port there.
    pub coordinator: (usize, u16),
    /// Users, numbered from 1.
    pub population: u32,
    /// How many of the first users are power users, and what share of the jobs is theirs.
    pub power: Option<(u32, Ratio)>,
    /// Whether power users are on the first host at the beginning.
    pub early: bool,
    /// Rows that each user has at the beginning.
    pub rows: u32,
    /// How long a row is, bytes.
    pub row_bytes: u32,
    /// What jobs do.
    pub mix: Mix,
    /// How writes make sure.
    pub writes: Writes,
    /// How long a page takes between looking at the home and writing.
    pub page: Duration,
}

impl Numbers {
    /// Reads them.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self> {
        let database = |key: &str| -> Checked<Vec<usize>> {
            let hosts = work::some_hosts(fields, key, parts)?;
            let span = &fields.required(key, "")?.span;
            hosts.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
            Ok(hosts)
        };
        let unsharded = match fields.get("unsharded") {
            Some(_) => Some(database("unsharded")?[0]),
            None => None,
        };
        let population = fields.integer("population", 1..=USERS_MAX, None)? as u32;
        let weight = |name| fields.integer(name, 0..=1_000_000, Some(0));
        let writes = [("checked", Writes::Checked), ("look-first", Writes::LookFirst)];
        Ok(Self {
            directory: database("directory")?[0],
            shards: database("shards")?,
            shards_per_host: fields.integer("shards_per_host", 1..=64, Some(1))? as u32,
            unsharded,
            coordinator: coordinator(fields, parts)?,
            population,
            power: match fields.get("power_users") {
                None => None,
                Some(_) => {
                    let users = fields.integer("power_users", 1..=u64::from(population), None)?;
                    Some((users as u32, fields.quantity("power_share", CHANCE, None)?))
                }
            },
            early: fields.flag("early_birds", false)?,
            rows: fields.integer("rows", 1..=64, Some(3))? as u32,
            row_bytes: fields.integer("row_bytes", 20..=65_536, Some(20))? as u32,
            mix: Mix {
                reads: weight("reads")?,
                creates: weight("creates")?,
                updates: weight("updates")?,
                deletes: weight("deletes")?,
                looks: weight("looks")?,
                moves: weight("moves")?,
            },
            writes: fields.choice("writes", &writes, Some(Writes::Checked))?,
            page: fields.quantity("page", DURATION, Some(Duration::ZERO))?,
        })
    }

    /// Options and map, where the databases are known.
    pub fn sharding(&self, databases: &[Option<Endpoint>]) -> Shards {
        let at = |host: usize| databases[host].clone().expect("the reader saw a database there");
        let mut map = generate(&Plan {
            directory: Some(Store { at: at(self.directory), select: 0 }),
            index: None,
            hosts: self.shards.iter().map(|&host| (at(host), Vec::new())).collect(),
            databases_per_host: 1,
            shards_per_database: self.shards_per_host,
        });
        if let Some(host) = self.unsharded {
            let alone = generate(&Plan {
                directory: None,
                index: None,
                hosts: vec![(at(host), Vec::new())],
                databases_per_host: 1,
                shards_per_database: 1,
            });
            let before = map.hosts.len();
            let named = |host| Host { name: "unsharded".to_owned(), ..host };
            map.hosts.extend(alone.hosts.into_iter().map(named));
            let mut shard = alone.shards[0].clone();
            (shard.id, shard.host) = (ShardId(self.shard_count() + 1), before);
            map.scheme = Scheme::Directory { otherwise: Some(shard.id) };
            map.shards.push(shard);
        }
        (Options::default(), map)
    }

    /// How many shards there are, without that from before sharding.
    pub fn shard_count(&self) -> u32 {
        self.shards.len() as u32 * self.shards_per_host
    }

    /// Whether a shard is the database from before sharding.
    pub fn is_unsharded(&self, shard: ShardId) -> bool {
        self.unsharded.is_some() && shard.0 > self.shard_count()
    }

    /// All shards.
    pub fn all_shards(&self) -> impl Iterator<Item = ShardId> {
        (1..=self.shard_count() + u32::from(self.unsharded.is_some())).map(ShardId)
    }
}

/// The `coordinator` of a load: a host that runs `move-coordinator`.
pub fn coordinator(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<(usize, u16)> {
    let host = work::some_hosts(fields, "coordinator", parts)?[0];
    let programs = parts.hosts[host].run.iter().map(|line| &line.program);
    let found = programs.filter(|program| program.name() == "move-coordinator");
    let port = found.filter_map(|program| program.port()).next();
    port.map(|port| (host, port)).ok_or_else(|| {
        let title = format!("host `{}` runs no coordinator", parts.hosts[host].name);
        let span = &fields.get("coordinator").map_or_else(|| fields.span(), |node| &node.span);
        Diagnostic::at(span, title, "expected a host that hands out moves")
            .help("give it run = \"move-coordinator --directory HOST\"")
            .into()
    })
}
