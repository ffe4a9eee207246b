//! From a variant's numbers to configured machines, for both runtimes.

use crate::models::database::Database;
use crate::models::web_pages::{Share, WebConfig, WebServer};
use crate::plan::Plan;
use crate::story::{Action, Load, LoadKind, ModelKind, Setup};
use std::net::IpAddr;
use std::time::Duration;
use storytime_machine::{Costs, Endpoint, Work};
use storytime_memcached::client::{Node, ServerSpec};

/// Makes the machine of one host of a load. `address` tells where a host is reached; placement
/// always sees the addresses of the file, so that keys lie alike on both runtimes.
pub fn web_server(
    setup: &Setup,
    plan: &Plan,
    load: usize,
    part: usize,
    address: &dyn Fn(usize) -> IpAddr,
) -> WebServer {
    let Load { on, kind, .. } = &setup.loads[load];
    let LoadKind::WebPages(web) = kind;
    let spec = |&(host, port): &(usize, u16)| ServerSpec {
        node: Node::new(setup.hosts[host].ip.to_string(), port),
        at: Endpoint::tcp(address(host), port),
    };
    let database = &setup.models[web.database];
    let ModelKind::Database(model) = &database.kind;
    let changes = cache_changes(setup, plan, load, &web.caches)
        .into_iter()
        .map(|(at, caches)| (at, caches.iter().map(spec).collect()))
        .collect();
    WebServer::new(WebConfig {
        part: part as u32,
        caches: web.caches.iter().map(spec).collect(),
        changes,
        placement: web.placement,
        database: Endpoint::tcp(address(database.host), model.port),
        row_bytes_max: model.row_bytes,
        arrivals: Share::of(web.arrivals, part as u32, on.len() as u32),
        keys: web.keys,
        first_key: plan.first_keys[load],
        keys_per_page: web.keys_per_page,
        skew: web.skew,
        timeout: web.timeout,
        pages_max: web.pages_max,
        duration: setup.duration,
        bucket: setup.bucket,
    })
}

/// Makes the machine of a model.
pub fn database(setup: &Setup, model: usize) -> Database {
    let ModelKind::Database(numbers) = &setup.models[model].kind;
    Database::new(*numbers, setup.duration, setup.bucket)
}

/// A load's lists of caches after each change of the timeline, and when each comes into use.
fn cache_changes(
    setup: &Setup,
    plan: &Plan,
    load: usize,
    first: &[(usize, u16)],
) -> Vec<(Duration, Vec<(usize, u16)>)> {
    let mut list = first.to_vec();
    let mut changes = Vec::new();
    for n in plan.order() {
        match setup.timeline[n].action {
            Action::AddCache { load: of, cache } if of == load => {
                if !list.contains(&cache) {
                    list.push(cache);
                }
            }
            Action::RemoveCache { load: of, cache } if of == load => {
                list.retain(|other| *other != cache);
            }
            _ => continue,
        }
        changes.push((plan.offset(n), list.clone()));
    }
    changes
}

/// The cost table of a program that counts these kinds of work.
pub fn costs(setup: &Setup, works: &[Work]) -> Costs {
    let mut costs = Costs::default();
    for work in works {
        let priced = setup.costs.iter().find(|(name, _)| name == work.name);
        costs.0[usize::from(work.index)] = priced.map_or(0, |(_, ps)| *ps);
    }
    costs
}
