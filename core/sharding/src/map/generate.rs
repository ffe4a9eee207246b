//! A map made from hosts × databases × shards.

use super::{Flags, Host, Shard, ShardId, ShardMap, Store};
use crate::scheme::Scheme;
use std::collections::BTreeMap;
use storytime_machine::Endpoint;

/// Most shards that are generated.
pub const GENERATED_SHARDS_MAX: usize = super::SHARDS_MAX;

/// What a map is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the global directory is, if there is to be one.
    pub directory: Option<Store>,
    /// Where the index for questions across shards is, if there is to be one.
    pub index: Option<Store>,
    /// A master and its replicas for each host.
    pub hosts: Vec<(Endpoint, Vec<Endpoint>)>,
    /// Databases on each host.
    pub databases_per_host: u32,
    /// Shards in each database.
    pub shards_per_database: u32,
}

/// Makes map 1: `sharddbhost001` with `sharddb001` and so on, shards numbered from 1 and, on each
/// host, `select` from 0. Users are looked up in the directory if there is one; else the user's
/// number modulo the number of shards decides.
///
/// # Panics
/// If that would be more than [`GENERATED_SHARDS_MAX`] shards: the caller's mistake.
pub fn generate(plan: &Plan) -> ShardMap {
    let per_host = plan.databases_per_host as usize * plan.shards_per_database as usize;
    let total = plan.hosts.len().saturating_mul(per_host);
    assert!(total <= GENERATED_SHARDS_MAX, "a map has at most {GENERATED_SHARDS_MAX} shards");
    let mut map = ShardMap {
        version: 1,
        directory: plan.directory.clone(),
        index: plan.index.clone(),
        scheme: Scheme::Directory { otherwise: None },
        tables: BTreeMap::new(),
        hosts: Vec::with_capacity(plan.hosts.len()),
        shards: Vec::with_capacity(total),
    };
    for (at, (master, replicas)) in plan.hosts.iter().enumerate() {
        let name = format!("sharddbhost{:03}", at + 1);
        map.hosts.push(Host { name, master: master.clone(), replicas: replicas.clone() });
        for on_host in 0..per_host {
            let database = at * plan.databases_per_host as usize
                + on_host / plan.shards_per_database as usize
                + 1;
            map.shards.push(Shard {
                id: ShardId(map.shards.len() as u32 + 1),
                host: at,
                database: format!("sharddb{database:03}"),
                select: on_host as u32,
                flags: Flags::READ_WRITE,
            });
        }
    }
    if plan.directory.is_none() {
        map.scheme = Scheme::Modulo(map.shards.iter().map(|shard| shard.id).collect());
    }
    map
}
