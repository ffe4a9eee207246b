//! The numbers of a load over shards: from the file to options and a map.

use super::USERS_MAX;
use crate::diagnostic::Checked;
use crate::fields::{CHANCE, DURATION, Fields};
use crate::models::app::Shards;
use crate::read::{Parts, sites, work};
use std::time::Duration;
use storytime_machine::{Endpoint, Ratio};
use storytime_sharding::map::{Plan, generate};
use storytime_sharding::{
    CacheOptions, Care, Options, Revisions, RowMode, Scheme, ShardId, Store, UserId,
};

/// How users are spread over shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeName {
    /// All on the first.
    Vertical,
    /// Equal intervals of numbers.
    Range,
    /// Number modulo shards.
    Modulo,
    /// CRC-32 modulo shards.
    Hash,
    /// The shard that bids highest.
    Rendezvous,
    /// Looked up.
    Directory,
}

/// How a host is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitCare {
    /// Every step waits for what must be true before it.
    Careful,
    /// The new host takes over at once, and maps follow as they come.
    Careless,
}

/// What a job does, and how many of them do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Lists with their rows.
    pub selects: u64,
    /// Counts.
    pub counts: u64,
    /// New rows.
    pub creates: u64,
    /// New values of rows.
    pub updates: u64,
    /// Questions to all shards at once.
    pub aggregates: u64,
    /// Questions to the index: the newest rows of everybody.
    pub latest: u64,
    /// The same without an index: everybody is asked.
    pub brute_force: u64,
}

/// The numbers of one load.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// The host of the directory, if there is one.
    pub directory: Option<usize>,
    /// The hosts of the shards.
    pub shards: Vec<usize>,
    /// Shards on each of them.
    pub shards_per_host: u32,
    /// How users are spread.
    pub scheme: SchemeName,
    /// Users, numbered from 1.
    pub population: u32,
    /// Rows that each user has at the beginning.
    pub rows: u32,
    /// Rows of a list.
    pub list: u32,
    /// What jobs do.
    pub mix: Mix,
    /// How many of the first users are power users, and what share of the jobs is theirs.
    pub power: Option<(u32, Ratio)>,
    /// Shards that an aggregate asks at once; all of them, if missing.
    pub at_once: u32,
    /// How long an aggregate waits.
    pub deadline: Duration,
    /// What is cached, if anything is.
    pub cache: Option<CacheOptions>,
    /// The host of the index for questions across shards, if there is one.
    pub index: Option<usize>,
    /// The shard whose flags the timeline changes.
    pub flagged: Option<ShardId>,
    /// How long a write that was refused waits before it is tried again, if it is.
    pub again: Option<Duration>,
    /// The host that is to take over half of the first host's shards, if one is.
    pub split_to: Option<usize>,
    /// How the split is carried out.
    pub split: SplitCare,
    /// How many neighbouring rows lie on a page of the databases when the table was altered.
    pub alter_to: Option<u64>,
    /// A replica of the first host, which is altered first and takes over.
    pub alter_on: Option<usize>,
    /// How long a new map takes from one web server to the next.
    pub map_spread: Duration,
    /// Whether every row is looked at in the end.
    pub verify: bool,
}

impl Numbers {
    /// Reads them.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Self> {
        let directory = a_database(fields, "directory", parts)?;
        let shards = work::some_hosts(fields, "shards", parts)?;
        let span = &fields.required("shards", "")?.span;
        shards.iter().try_for_each(|&host| sites::is_database(parts, host, span))?;
        let schemes = [
            ("vertical", SchemeName::Vertical),
            ("range", SchemeName::Range),
            ("modulo", SchemeName::Modulo),
            ("hash", SchemeName::Hash),
            ("rendezvous", SchemeName::Rendezvous),
            ("directory", SchemeName::Directory),
        ];
        let usual = if directory.is_some() { SchemeName::Directory } else { SchemeName::Modulo };
        let population = fields.integer("population", 1..=USERS_MAX, None)? as u32;
        let cares = [("careful", SplitCare::Careful), ("careless", SplitCare::Careless)];
        let weight = |name| fields.integer(name, 0..=1_000_000, Some(0));
        Ok(Self {
            directory,
            shards,
            shards_per_host: fields.integer("shards_per_host", 1..=64, Some(1))? as u32,
            scheme: fields.choice("scheme", &schemes, Some(usual))?,
            population,
            rows: fields.integer("rows", 1..=64, Some(3))? as u32,
            list: fields.integer("list", 1..=1_000, Some(10))? as u32,
            mix: Mix {
                selects: weight("selects")?,
                counts: weight("counts")?,
                creates: weight("creates")?,
                updates: weight("updates")?,
                aggregates: weight("aggregates")?,
                latest: weight("latest")?,
                brute_force: weight("brute_force")?,
            },
            power: match fields.get("power_users") {
                None => None,
                Some(_) => {
                    let users = fields.integer("power_users", 1..=u64::from(population), None)?;
                    Some((users as u32, fields.quantity("power_share", CHANCE, None)?))
                }
            },
            at_once: fields.integer("at_once", 1..=4_096, Some(4_096))? as u32,
            deadline: fields.quantity("deadline", DURATION, Some(Duration::from_secs(1)))?,
            cache: if fields.flag("cached", false)? { Some(cache(fields)?) } else { None },
            index: a_database(fields, "index", parts)?,
            flagged: match fields.get("flagged") {
                Some(_) => Some(ShardId(fields.integer("flagged", 1..=4_096, None)? as u32)),
                None => None,
            },
            again: match fields.get("again") {
                Some(_) => Some(fields.quantity("again", DURATION, None)?),
                None => None,
            },
            split_to: a_database(fields, "split_to", parts)?,
            split: fields.choice("split", &cares, Some(SplitCare::Careful))?,
            alter_to: match fields.get("alter_to") {
                Some(_) => Some(fields.integer("alter_to", 1..=1_000_000, None)?),
                None => None,
            },
            alter_on: a_database(fields, "alter_on", parts)?,
            map_spread: fields.quantity("map_spread", DURATION, Some(Duration::ZERO))?,
            verify: fields.flag("verify", false)?,
        })
    }

    /// Options and map, where the databases are known.
    pub fn sharding(&self, databases: &[Option<Endpoint>]) -> Shards {
        let at = |host: usize| databases[host].clone().expect("the reader saw a database there");
        // Whoever is to take over from the first host is its replica before.
        let replicas = |host| match self.split_to.or(self.alter_on) {
            Some(to) if host == self.shards[0] => vec![at(to)],
            _ => Vec::new(),
        };
        let mut map = generate(&Plan {
            directory: self.directory.map(|host| Store { at: at(host), select: 0 }),
            index: self.index.map(|host| Store { at: at(host), select: 0 }),
            hosts: self.shards.iter().map(|&host| (at(host), replicas(host))).collect(),
            databases_per_host: 1,
            shards_per_database: self.shards_per_host,
        });
        map.scheme = self.scheme_over(&map.shards.iter().map(|s| s.id).collect::<Vec<_>>());
        (Options { cache: self.cache.clone(), ..Options::default() }, map)
    }

    /// The scheme over some shards.
    pub fn scheme_over(&self, shards: &[ShardId]) -> Scheme {
        match self.scheme {
            SchemeName::Vertical => Scheme::Vertical(shards[0]),
            SchemeName::Range => {
                let each = u64::from(self.population).div_ceil(shards.len() as u64);
                // Users begin with 1.
                let first = |n: usize| UserId(if n == 0 { 0 } else { n as u64 * each + 1 });
                Scheme::Range(shards.iter().enumerate().map(|(n, &id)| (first(n), id)).collect())
            }
            SchemeName::Modulo => Scheme::Modulo(shards.to_vec()),
            SchemeName::Hash => Scheme::Hash(shards.to_vec()),
            SchemeName::Rendezvous => Scheme::Rendezvous(shards.to_vec()),
            SchemeName::Directory => Scheme::Directory { otherwise: None },
        }
    }

    /// How many shards there are.
    pub fn shard_count(&self) -> u32 {
        self.shards.len() as u32 * self.shards_per_host
    }
}

/// The one host of a field that may be missing.
fn a_database(fields: &Fields<'_>, name: &str, parts: &Parts<'_>) -> Checked<Option<usize>> {
    let Some(node) = fields.get(name) else { return Ok(None) };
    let host = work::some_hosts(fields, name, parts)?[0];
    sites::is_database(parts, host, &node.span)?;
    Ok(Some(host))
}

fn cache(fields: &Fields<'_>) -> Checked<CacheOptions> {
    let rows = [
        ("off", RowMode::Off),
        ("read-insert", RowMode::ReadInsert),
        ("read-update-insert", RowMode::ReadUpdateInsert),
    ];
    let cares = [("plain", Care::Plain), ("safe", Care::Safe), ("guarded", Care::Guarded)];
    let revisions = [
        ("off", Revisions::Off),
        ("before", Revisions::Before),
        ("seconds", Revisions::Seconds),
        ("unique", Revisions::Unique),
        ("guarded", Revisions::Guarded),
    ];
    let seconds = |name, otherwise| -> Checked<i32> {
        let length = fields.quantity(name, DURATION, Some(Duration::from_secs(otherwise)))?;
        Ok(i32::try_from(length.as_secs()).unwrap_or(i32::MAX))
    };
    Ok(CacheOptions {
        rows: fields.choice("row_cache", &rows, Some(RowMode::ReadUpdateInsert))?,
        care: fields.choice("care", &cares, Some(Care::Safe))?,
        lists: fields.flag("cached_lists", true)?,
        revisions: fields.choice("revisions", &revisions, Some(Revisions::Unique))?,
        list_s: seconds("lists_for", 0)?,
        hold_s: seconds("hold", 10)?,
        ..CacheOptions::default()
    })
}
