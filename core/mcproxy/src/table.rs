//! From a config to the plans that requests follow: a prefix finds a plan, a plan is groups of
//! pools that are tried one after the other, and within a group all are asked at once.
//!
//! Routes that lead to routes are flattened here, once, so that a request meets no names and no
//! recursion.

use crate::config::{
    Config, ConfigError, LISTENERS_MAX, OnFailure, POOLS_MAX, PREFIX_BYTES_MAX, Place, Pool,
    ROUTES_MAX, Route, RouteKind, SERVERS_MAX, TARGETS_MAX, VALUE_BYTES_MAX,
};
use core::time::Duration;
use storytime_memcached::client::placement::{Node, Placement};

/// Most groups of a plan.
pub const GROUPS_MAX: usize = 16;

/// Compiled routes.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) pools: Vec<Ring>,
    /// Prefixes, longest first, and their plans.
    entries: Vec<(Vec<u8>, usize)>,
    pub(crate) plans: Vec<Plan>,
}

/// Where the keys of a pool lie.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    placement: Placement,
    /// The servers among which keys are placed, by their index in the pool.
    members: Vec<usize>,
    hash_tag: Option<(u8, u8)>,
}

/// What becomes of the keys of one route.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) reads: Vec<Group>,
    pub(crate) writes: Vec<Group>,
    /// Pools in which a written key is deleted besides.
    pub(crate) forgets: Vec<usize>,
    pub(crate) warm_up: Option<WarmUp>,
    pub(crate) on_failure: OnFailure,
    pub(crate) reads_per_second: Option<u64>,
    pub(crate) writes_per_second: Option<u64>,
}

/// Pools that are asked at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) pools: Vec<usize>,
    pub(crate) acks: Acks,
    /// Whether the next group is asked after a miss too.
    pub(crate) next_on_miss: bool,
}

/// When a group has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    /// When all have; one failure fails it.
    All,
    /// When the first of the list has, or the first of the others if that one failed.
    Near,
    /// When any has.
    Fastest,
}

/// Copying from one pool to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WarmUp {
    /// Groups of the reads from this one on are warm.
    pub(crate) warm_from: usize,
    /// The pool that gets copies.
    pub(crate) cold: usize,
    /// Longest life of a copy.
    pub(crate) ttl: Option<Duration>,
}

fn wrong<T>(place: Place, what: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError { place, what: what.into() })
}

impl Table {
    /// Makes sense of a config.
    ///
    /// # Errors
    /// If it has none; the error says where.
    pub fn compile(config: &Config) -> Result<Self, ConfigError> {
        check_sizes(config)?;
        let pools = config.pools.iter().map(|pool| Ring {
            placement: Placement::new(pool.placement, &pool.servers),
            members: (0..pool.servers.len()).collect(),
            hash_tag: pool.hash_tag,
        });
        let pools = pools.collect();
        if config.routes.is_empty() {
            let plan = Plan::of_pool(0, &config.pools[0].name);
            return Ok(Self { pools, entries: vec![(Vec::new(), 0)], plans: vec![plan] });
        }
        let mut plans = Vec::new();
        let mut entries: Vec<(Vec<u8>, usize)> = Vec::new();
        for (at, route) in config.routes.iter().enumerate() {
            plans.push(plan_of(config, at, &mut Vec::new())?);
            let only = config.routes.len() == 1;
            let prefix = route.prefix.as_deref().or_else(|| only.then_some(""));
            let Some(prefix) = prefix else { continue };
            if entries.iter().any(|(other, _)| other == prefix.as_bytes()) {
                return wrong(Place::Route(at), format!("two routes have the prefix `{prefix}`"));
            }
            entries.push((prefix.as_bytes().to_vec(), at));
        }
        if entries.is_empty() {
            return wrong(Place::Whole, "no route has a prefix: no key would find its way");
        }
        entries.sort_by_key(|(prefix, _)| core::cmp::Reverse(prefix.len()));
        Ok(Self { pools, entries, plans })
    }

    /// The plan of a key.
    pub(crate) fn plan(&self, key: &[u8]) -> Option<usize> {
        self.entries.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, plan)| *plan)
    }

    /// Index of a key's server in its pool.
    pub(crate) fn server(&self, pool: usize, key: &[u8]) -> usize {
        let ring = &self.pools[pool];
        let tagged = ring.hash_tag.map_or(key, |marks| tagged(key, marks));
        ring.members[ring.placement.pick(tagged).expect("a pool has servers: it was checked")]
    }

    /// Places the keys of a pool on those of its servers that are not ejected; on all of them if
    /// all are, as there is no better place.
    pub(crate) fn place(&mut self, pool: usize, config: &Pool, alive: &[bool]) {
        let ring = &mut self.pools[pool];
        let anyone = alive.contains(&true);
        let members: Vec<usize> =
            (0..config.servers.len()).filter(|&at| alive[at] || !anyone).collect();
        if members == ring.members {
            return;
        }
        let nodes: Vec<Node> = members.iter().map(|&at| config.servers[at].clone()).collect();
        ring.placement = Placement::new(config.placement, &nodes);
        ring.members = members;
    }
}

/// The part of a key that places it: what stands between the marks, if anything does.
fn tagged(key: &[u8], (open, close): (u8, u8)) -> &[u8] {
    let Some(start) = memchr::memchr(open, key) else { return key };
    match memchr::memchr(close, &key[start + 1..]) {
        None | Some(0) => key,
        Some(len) => &key[start + 1..start + 1 + len],
    }
}

fn check_sizes(config: &Config) -> Result<(), ConfigError> {
    let whole = Place::Whole;
    if config.pools.is_empty() {
        return wrong(whole, "there is no pool");
    }
    for (n, most, what) in [
        (config.pools.len(), POOLS_MAX, "pools"),
        (config.routes.len(), ROUTES_MAX, "routes"),
        (config.listen.len(), LISTENERS_MAX, "listeners"),
        (config.value_bytes_max, VALUE_BYTES_MAX, "bytes of a value"),
    ] {
        if n > most {
            return wrong(whole, format!("{n} {what}, at most {most} are allowed"));
        }
    }
    for (at, pool) in config.pools.iter().enumerate() {
        let n = pool.servers.len();
        if n == 0 || n > SERVERS_MAX {
            let what =
                format!("pool `{}` has {n} servers, 1 to {SERVERS_MAX} make sense", pool.name);
            return wrong(Place::Pool(at), what);
        }
        if config.pools[..at].iter().any(|other| other.name == pool.name) {
            return wrong(Place::Pool(at), format!("two pools are named `{}`", pool.name));
        }
        if pool.connections == 0 {
            return wrong(Place::Pool(at), "a server is reached over a connection");
        }
    }
    for (at, route) in config.routes.iter().enumerate() {
        let pool = config.pools.iter().any(|pool| pool.name == route.name);
        if pool || config.routes[..at].iter().any(|other| other.name == route.name) {
            let what = format!("two pools or routes are named `{}`", route.name);
            return wrong(Place::Route(at), what);
        }
        if route.prefix.as_ref().is_some_and(|prefix| prefix.len() > PREFIX_BYTES_MAX) {
            let what = format!("a prefix of more than {PREFIX_BYTES_MAX} bytes starts no key");
            return wrong(Place::Route(at), what);
        }
    }
    Ok(())
}

/// What one target contributes.
struct Part {
    reads: Vec<Group>,
    writes: Vec<Group>,
    forgets: Vec<usize>,
    warm_up: Option<WarmUp>,
    zone: Option<String>,
}

fn single(pool: usize) -> Group {
    Group { pools: vec![pool], acks: Acks::All, next_on_miss: false }
}

impl Plan {
    fn of_pool(pool: usize, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            reads: vec![single(pool)],
            writes: vec![single(pool)],
            forgets: Vec::new(),
            warm_up: None,
            on_failure: OnFailure::Miss,
            reads_per_second: None,
            writes_per_second: None,
        }
    }
}

fn plan_of(config: &Config, at: usize, above: &mut Vec<usize>) -> Result<Plan, ConfigError> {
    let route = &config.routes[at];
    let place = Place::Route(at);
    if above.contains(&at) {
        return wrong(place, format!("route `{}` leads back to itself", route.name));
    }
    above.push(at);
    let fits = match route.kind {
        RouteKind::Direct => route.to.len() == 1,
        RouteKind::WarmUp { .. } => route.to.len() == 2,
        _ => (1..=TARGETS_MAX).contains(&route.to.len()),
    };
    if !fits {
        let wanted = match route.kind {
            RouteKind::Direct => "one target".to_owned(),
            RouteKind::WarmUp { .. } => "two targets, the cold one first".to_owned(),
            _ => format!("1 to {TARGETS_MAX} targets"),
        };
        return wrong(
            place,
            format!("route `{}` has {}, it takes {wanted}", route.name, route.to.len()),
        );
    }
    let parts: Vec<Part> =
        route.to.iter().map(|name| part(config, at, name, above)).collect::<Result<_, _>>()?;
    above.pop();
    let joined = join(config, route, at, parts)?;
    if joined.reads.len() > GROUPS_MAX || joined.writes.len() > GROUPS_MAX {
        return wrong(place, format!("route `{}` tries more than {GROUPS_MAX} places", route.name));
    }
    Ok(Plan {
        name: route.name.clone(),
        reads: joined.reads,
        writes: joined.writes,
        forgets: joined.forgets,
        warm_up: joined.warm_up,
        on_failure: route.on_failure,
        reads_per_second: route.reads_per_second,
        writes_per_second: route.writes_per_second,
    })
}

fn part(
    config: &Config,
    at: usize,
    name: &str,
    above: &mut Vec<usize>,
) -> Result<Part, ConfigError> {
    if let Some(pool) = config.pools.iter().position(|pool| pool.name == name) {
        let zone = config.pools[pool].zone.clone();
        let (reads, writes) = (vec![single(pool)], vec![single(pool)]);
        return Ok(Part { reads, writes, forgets: Vec::new(), warm_up: None, zone });
    }
    let Some(other) = config.routes.iter().position(|route| route.name == name) else {
        return wrong(Place::Route(at), format!("no pool or route is named `{name}`"));
    };
    let plan = plan_of(config, other, above)?;
    let zones = plan.reads.iter().flat_map(|group| &group.pools);
    let zone = zones.map(|&pool| config.pools[pool].zone.clone()).next().flatten();
    let Plan { reads, writes, forgets, warm_up, .. } = plan;
    Ok(Part { reads, writes, forgets, warm_up, zone })
}

fn join(
    config: &Config,
    route: &Route,
    at: usize,
    mut parts: Vec<Part>,
) -> Result<Part, ConfigError> {
    let place = Place::Route(at);
    if parts.len() > 1 && parts.iter().any(|part| part.warm_up.is_some()) {
        return wrong(place, "a warm-up route stands alone or under a direct route");
    }
    let forgets = parts.iter().flat_map(|part| part.forgets.clone()).collect();
    let mut joined =
        Part { reads: Vec::new(), writes: Vec::new(), forgets, warm_up: None, zone: None };
    match route.kind {
        RouteKind::Direct => return Ok(parts.remove(0)),
        RouteKind::Failover { on_miss, writes } => {
            joined.reads = chained(&parts, |part| &part.reads, on_miss);
            let upto = if writes { parts.len() } else { 1 };
            joined.writes = chained(&parts[..upto], |part| &part.writes, false);
        }
        RouteKind::Zones => {
            // Stable: within near and far the order of the file counts.
            parts.sort_by_key(|part| part.zone.is_none() || part.zone != config.zone);
            joined.reads = chained(&parts, |part| &part.reads, false);
            joined.writes = vec![united(&parts, |part| &part.writes, Acks::Near, route, place)?];
        }
        RouteKind::AllSync => {
            joined.reads = chained(&parts, |part| &part.reads, false);
            joined.writes = vec![united(&parts, |part| &part.writes, Acks::All, route, place)?];
        }
        RouteKind::AllFastest => {
            joined.reads = vec![united(&parts, |part| &part.reads, Acks::Fastest, route, place)?];
            joined.writes = vec![united(&parts, |part| &part.writes, Acks::Fastest, route, place)?];
        }
        RouteKind::WarmUp { ttl } => {
            let [cold] = &parts[0].writes[..] else {
                return wrong(place, "the cold target of a warm-up route is one pool");
            };
            let &[cold] = &cold.pools[..] else {
                return wrong(place, "the cold target of a warm-up route is one pool");
            };
            joined.reads = chained(&parts, |part| &part.reads, true);
            joined.writes.clone_from(&parts[0].writes);
            let warm = parts[1].writes.iter().flat_map(|group| group.pools.clone());
            joined.forgets.extend(warm);
            joined.warm_up = Some(WarmUp { warm_from: parts[0].reads.len(), cold, ttl });
        }
    }
    Ok(joined)
}

/// Groups one after the other.
fn chained(parts: &[Part], of: impl Fn(&Part) -> &Vec<Group>, on_miss: bool) -> Vec<Group> {
    let mut chained: Vec<Group> = parts.iter().flat_map(|part| of(part).clone()).collect();
    if on_miss {
        chained.iter_mut().for_each(|group| group.next_on_miss = true);
    }
    chained
}

/// Groups as one.
fn united(
    parts: &[Part],
    of: impl Fn(&Part) -> &Vec<Group>,
    acks: Acks,
    route: &Route,
    place: Place,
) -> Result<Group, ConfigError> {
    let mut pools = Vec::new();
    for part in parts {
        let [group] = &of(part)[..] else {
            let what =
                "asks all targets at once, and one of them tries several one after the other";
            return wrong(place, format!("route `{}` {what}", route.name));
        };
        pools.extend(&group.pools);
    }
    if pools.len() > TARGETS_MAX {
        let what = format!("route `{}` asks more than {TARGETS_MAX} pools at once", route.name);
        return wrong(place, what);
    }
    Ok(Group { pools, acks, next_on_miss: false })
}

#[cfg(test)]
mod tests;
