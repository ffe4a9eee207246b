//! `storytime shards`: maps of shards, made, checked and asked. No server is asked anything.

use crate::cli::ShardsAsk;
use crate::serve::print;
use crate::{OK, WRONG};
use std::net::SocketAddr;
use std::path::Path;
use storytime_machine::Endpoint;
use storytime_sharding::map::{GENERATED_SHARDS_MAX, Plan, generate, parse};
use storytime_sharding::{Located, ShardId, ShardMap, Store, UserId};

pub(crate) fn run(ask: &ShardsAsk) -> u8 {
    let said = match ask {
        ShardsAsk::Generate { directory, index, host, databases, shards } => {
            make((*directory, *index), host, *databases, *shards)
        }
        ShardsAsk::Check { map } => read(map).map(|map| summary(&map)),
        ShardsAsk::Show { map } => read(map).map(|map| table(&map)),
        ShardsAsk::Where { map, user, table } => {
            read(map).and_then(|map| place(&map, UserId(*user), table))
        }
    };
    match said {
        Ok(text) => {
            print(&text);
            OK
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            WRONG
        }
    }
}

fn read(path: &Path) -> Result<ShardMap, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|why| format!("{}: {why}", path.display()))?;
    parse(&text).map_err(|wrong| format!("{}:{wrong}", path.display()))
}

fn make(
    (directory, index): (Option<SocketAddr>, Option<SocketAddr>),
    hosts: &[String],
    databases_per_host: u32,
    shards_per_database: u32,
) -> Result<String, String> {
    let store = |at: SocketAddr, select| Store { at: Endpoint::Tcp(at), select };
    let shards = u64::from(databases_per_host) * u64::from(shards_per_database);
    let most = GENERATED_SHARDS_MAX as u64;
    if shards == 0 || shards.saturating_mul(hosts.len() as u64) > most {
        return Err(format!("a map has 1 to {most} shards"));
    }
    let plan = Plan {
        directory: directory.map(|at| store(at, 0)),
        // Often the same server: another of its databases.
        index: index.map(|at| store(at, 1)),
        hosts: hosts.iter().map(|words| host(words)).collect::<Result<_, _>>()?,
        databases_per_host,
        shards_per_database,
    };
    Ok(generate(&plan).to_string().trim_end().to_owned())
}

/// A master and its replicas.
fn host(words: &str) -> Result<(Endpoint, Vec<Endpoint>), String> {
    let one = |word: &str| {
        let at: Result<SocketAddr, _> = word.parse();
        at.map(Endpoint::Tcp).map_err(|_| format!("a host is `ip:port`, not `{word}`"))
    };
    let mut all = words.split(',').map(one);
    let master = all.next().expect("splitting yields a first part")?;
    Ok((master, all.collect::<Result<_, _>>()?))
}

fn summary(map: &ShardMap) -> String {
    let open = map.shards.iter().filter(|shard| shard.flags.read && shard.flags.write).count();
    let (shards, hosts) = (map.shards.len(), map.hosts.len());
    let tables = map.tables.len();
    let version = map.version;
    format!(
        "map {version}: {shards} shards ({open} open) on {hosts} hosts; scheme {}, {tables} tables \
         of their own scheme",
        map.scheme
    )
}

fn table(map: &ShardMap) -> String {
    let mut text = format!("{}\n", summary(map));
    for (at, host) in map.hosts.iter().enumerate() {
        let replicas = host.replicas.len();
        text += &format!("{}  {}  {replicas} replicas\n", host.name, host.master);
        for shard in map.shards.iter().filter(|shard| shard.host == at) {
            let (id, database, select) = (shard.id, &shard.database, shard.select);
            text += &format!("  shard {id:<6} {database:<12} select {select:<4} {}\n", shard.flags);
        }
    }
    text.trim_end().to_owned()
}

fn place(map: &ShardMap, user: UserId, table: &str) -> Result<String, String> {
    let there = |id: ShardId| {
        let shard = map.shard(id).expect("a map that was read names only its own shards");
        let host = &map.hosts[shard.host];
        let (name, at) = (&host.name, &host.master);
        format!("shard {id} on {name} ({at} select {}), flags {}", shard.select, shard.flags)
    };
    let scheme = map.scheme_of(table);
    Ok(match scheme.locate(user) {
        Located::On(shard) => format!("user {user}: {}", there(shard)),
        Located::AskDirectory { otherwise } => {
            let directory = map.directory.as_ref().expect("a map that was read has a directory");
            let otherwise = otherwise.map_or_else(
                || "a user it does not know is nowhere".to_owned(),
                |shard| format!("a user it does not know is on {}", there(shard)),
            );
            format!("user {user}: as `ROW.GET place {user} 0` at {directory} says; {otherwise}")
        }
        Located::Nowhere => {
            return Err(format!("user {user} is below the first range of {scheme}"));
        }
    })
}
