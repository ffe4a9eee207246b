//! Models, loads and the cost table.

use super::{check_unique, index_of};
use crate::diagnostic::{Checked, Diagnostic, Span};
use crate::fields::{DURATION, Fields, RATE, Word, unknown, wrong};
use crate::models::USERS_MAX;
use crate::models::kinds::{LOADS, MODELS};
use crate::program;
use crate::story::{
    Arrivals, Cache, Class, Cluster, Gaps, Host, Load, Model, PARTS_MAX, Placement, Skew,
};
use crate::tree::{Node, Value};
use crate::units::picoseconds;
use std::time::Duration;
use storytime_gearman::client::Choice;

/// Greatest weight of a cache: so many places in a table of buckets.
const WEIGHT_MAX: u32 = 1_000;
/// Shortest mean pause of a user.
const THINK_MIN: Duration = Duration::from_micros(1);
/// Highest price of one unit of work, picoseconds: a second.
const COST_PS_MAX: u64 = 1_000_000_000_000;

/// What models and loads may refer to.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The hosts.
    pub hosts: &'a [Host],
    /// Their names, in the same order.
    pub host_names: &'a [Word],
    /// The clusters of databases.
    pub clusters: &'a [Cluster],
    /// Their names, in the same order.
    pub cluster_names: &'a [Word],
    /// The classes of requests.
    pub classes: &'a [Class],
    /// Their names, in the same order.
    pub class_names: &'a [Word],
    /// The models; for a model, those above it.
    pub models: &'a [Model],
    /// Their names, in the same order.
    pub model_names: &'a [Word],
    /// How long the story is.
    pub duration: Duration,
}

impl<'a> Parts<'a> {
    /// Hosts and nothing else, in a story of no length.
    pub const fn of_hosts(hosts: &'a [Host], host_names: &'a [Word]) -> Self {
        Self {
            hosts,
            host_names,
            clusters: &[],
            cluster_names: &[],
            classes: &[],
            class_names: &[],
            models: &[],
            model_names: &[],
            duration: Duration::ZERO,
        }
    }
}

/// How keys may find their server.
pub(crate) const PLACEMENTS: &[(&str, Placement)] =
    &[("modulo", Placement::Modulo), ("ring", Placement::Ring)];

/// Most processes of a load on one host.
const PROCESSES_MAX: u64 = 1_000;

/// Which keys may be asked for.
pub(crate) const SKEWS: &[(&str, Skew)] =
    &[("uniform", Skew::Uniform), ("zipf", Skew::Zipf), ("scan", Skew::Scan)];

/// Reads `[[model]]`.
pub(super) fn models(top: &Fields<'_>, bare: &Parts<'_>) -> Checked<(Vec<Model>, Vec<Word>)> {
    let (mut models, mut names): (Vec<Model>, Vec<Word>) = (Vec::new(), Vec::new());
    for node in top.tables("model", PARTS_MAX)? {
        let known = MODELS.iter().map(|kind| (kind.name, kind.fields));
        let fields = of_kind(node, "model", &["name", "kind", "host"], known)?;
        let name = fields.text("name", "what other sections call it")?;
        let kinds: Vec<_> = MODELS.iter().map(|kind| (kind.name, kind)).collect();
        let kind = fields.choice("kind", &kinds, None)?;
        let on = fields.text("host", "the host it runs on")?;
        let host = index_of(bare.host_names, &on, "host")?;
        let parts = Parts { models: &models, model_names: &names, ..*bare };
        let spec = (kind.read)(&fields, &parts)?;
        models.push(Model { name: name.text.clone(), host, spec, kind });
        names.push(name);
    }
    check_unique(&names, "model")?;
    Ok((models, names))
}

/// Reads `[[load]]`.
pub(super) fn loads(top: &Fields<'_>, parts: &Parts<'_>) -> Checked<(Vec<Load>, Vec<Word>)> {
    let (mut loads, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("load", PARTS_MAX)? {
        let known = LOADS.iter().map(|kind| (kind.name, kind.fields));
        let fields = of_kind(node, "load", &["name", "kind", "on"], known)?;
        let name = fields.text("name", "what other sections call it")?;
        let kinds: Vec<_> = LOADS.iter().map(|kind| (kind.name, kind)).collect();
        let kind = fields.choice("kind", &kinds, None)?;
        let hosts = some_hosts(&fields, "on", parts)?;
        let processes = fields.integer("processes", 1..=PROCESSES_MAX, Some(1))? as usize;
        let on = hosts.iter().flat_map(|&host| std::iter::repeat_n(host, processes)).collect();
        let spec = (kind.read)(&fields, parts)?;
        loads.push(Load { name: name.text.clone(), on, spec, kind });
        names.push(name);
    }
    check_unique(&names, "load")?;
    Ok((loads, names))
}

/// A table whose `kind` decides which fields it may have; without one, those of any kind.
fn of_kind<'a>(
    node: &'a Node,
    what: &str,
    common: &[&'static str],
    kinds: impl Iterator<Item = (&'static str, &'static [&'static str])> + Clone,
) -> Checked<Fields<'a>> {
    let kind = match &node.value {
        Value::Table(table) => table.get("kind").map(|entry| &entry.node),
        _ => None,
    };
    let mut known = kinds.clone();
    if let Some(kind) = kind {
        let word = crate::fields::text(kind, "kind", "the name of a kind")?;
        let names = kinds.clone().map(|(name, _)| name);
        known.find(|(name, _)| *name == word.text).ok_or_else(|| unknown(&word, "kind", names))?;
    }
    let same = |name: &str| match kind.map(|node| &node.value) {
        Some(Value::Text(kind)) => kind == name,
        _ => true,
    };
    let of_kinds = kinds.filter(|(name, _)| same(name)).flat_map(|(_, fields)| fields);
    let all: Vec<&str> = common.iter().chain(of_kinds).copied().collect();
    Fields::of(node, what, &all)
}

/// The `caches` of a load, and their `weights`, 1 each unless the file has them.
pub(crate) fn caches(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Vec<Cache>> {
    let hosts = some_hosts(fields, "caches", parts)?;
    let words = fields.texts("caches", "")?;
    let list = &fields.required("caches", "")?.span;
    let named = words.len() == hosts.len();
    let span = |n: usize| words.get(n).filter(|_| named).map_or(list, |word| &word.span);
    let caches = hosts.iter().enumerate().map(|(n, &host)| cache(parts.hosts, host, span(n)));
    let mut caches: Vec<Cache> = caches.collect::<Checked<_>>()?;
    let Some(node) = fields.get("weights") else { return Ok(caches) };
    let Value::List(weights) = &node.value else {
        return Err(wrong(node, "weights", "a list of whole numbers, one for each cache").into());
    };
    if weights.len() != caches.len() {
        let title = format!("{} weights for {} caches", weights.len(), caches.len());
        return Err(Diagnostic::at(&node.span, title, "expected one for each cache").into());
    }
    for (cache, weight) in caches.iter_mut().zip(weights) {
        let number = match weight.value {
            Value::Integer(n) => u32::try_from(n).ok().filter(|n| (1..=WEIGHT_MAX).contains(n)),
            _ => None,
        };
        let wanted = format!("a whole number from 1 to {WEIGHT_MAX}");
        cache.weight = number.ok_or_else(|| wrong(weight, "weights", &wanted))?;
    }
    Ok(caches)
}

/// The `database` of a load: the index of its model.
pub(crate) fn database(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<usize> {
    let word = fields.text("database", "the name of a `[[model]]`")?;
    let model = index_of(parts.model_names, &word, "model")?;
    if parts.models[model].spec.database().is_none() {
        let title = format!("model `{}` is no database", word.text);
        return Err(Diagnostic::at(&word.span, title, "expected one of kind \"database\"").into());
    }
    Ok(model)
}

/// A list of different hosts that must not be empty.
pub(crate) fn some_hosts(fields: &Fields<'_>, key: &str, parts: &Parts<'_>) -> Checked<Vec<usize>> {
    let node = fields.required(key, "a list of hosts, such as [\"web1\", \"web2\"]")?;
    let words = fields.texts(key, "the name of a host")?;
    let found = hosts_called(&words, key, parts)?;
    if found.is_empty() {
        let title = format!("{} has an empty `{key}`", fields.what());
        return Err(Diagnostic::at(&node.span, title, "expected at least one host").into());
    }
    Ok(found)
}

/// The hosts that words mean, each once: by name, or with a `*` all that are used and fit.
pub(super) fn hosts_called(words: &[Word], key: &str, parts: &Parts<'_>) -> Checked<Vec<usize>> {
    let mut found = Vec::new();
    for word in words {
        let is_pattern = word.text.contains('*');
        let fitting: Vec<usize> = match is_pattern {
            true => (0..parts.hosts.len())
                .filter(|&n| parts.hosts[n].used && name_fits(&word.text, &parts.hosts[n].name))
                .collect(),
            false => vec![index_of(parts.host_names, word, "host")?],
        };
        for host in fitting {
            if found.contains(&host) {
                let title = format!("host `{}` is twice in `{key}`", parts.hosts[host].name);
                return Err(Diagnostic::at(&word.span, title, "the second time").into());
            }
            found.push(host);
        }
    }
    Ok(found)
}

/// Whether a name fits a pattern, in which `*` stands for anything.
pub fn name_fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len())
                .filter(|&n| rest.is_char_boundary(n))
                .any(|n| name_fits(tail, &rest[n..]))
        }),
    }
}

/// The host and port of the memcached that a host runs.
pub(super) fn cache(hosts: &[Host], host: usize, at: &Span) -> Checked<Cache> {
    let port = hosts[host].run.iter().find_map(|line| line.program.memcached_port());
    port.map(|port| Cache { host, port, weight: 1 }).ok_or_else(|| {
        let title = format!("host `{}` runs no memcached", hosts[host].name);
        Diagnostic::at(at, title, "expected a host that is a cache")
            .help("give it run = [\"memcached -m 64 -p 11211\"]")
            .into()
    })
}

/// The `job_servers` of a load: hosts that run one.
pub(crate) fn job_servers(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Vec<usize>> {
    let hosts = some_hosts(fields, "job_servers", parts)?;
    let span = &fields.required("job_servers", "")?.span;
    for &host in &hosts {
        if parts.hosts[host].job_server_port().is_none() {
            let title = format!("host `{}` runs no gearmand", parts.hosts[host].name);
            let label = "expected hosts that are job servers";
            return Err(Diagnostic::at(span, title, label)
                .help("give it run = [\"gearmand --port 4730\"]")
                .into());
        }
    }
    Ok(hosts)
}

/// Which of its job servers a load asks: `choose`.
pub(crate) fn choice(fields: &Fields<'_>) -> Checked<Choice> {
    let choices =
        [("failover", Choice::Failover), ("in-order", Choice::InOrder), ("hashed", Choice::Hashed)];
    fields.choice("choose", &choices, Some(Choice::Failover))
}

/// Whether each host of a load has to do with the job server on itself alone: `own_server`. It
/// must be among the `job_servers` then.
pub(crate) fn own_server(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<bool> {
    let own = fields.flag("own_server", false)?;
    if own {
        let (on, servers) = (some_hosts(fields, "on", parts)?, job_servers(fields, parts)?);
        if let Some(&host) = on.iter().find(|host| !servers.contains(host)) {
            let title = format!("host `{}` has no job server of its own", parts.hosts[host].name);
            let span = &fields.required("own_server", "")?.span;
            return Err(Diagnostic::at(span, title, "each host of the load must have one")
                .help("name the hosts of `on` in `job_servers`, too")
                .into());
        }
    }
    Ok(own)
}

/// An open loop's rate, or a closed loop's users.
pub(crate) fn arrivals(fields: &Fields<'_>) -> Checked<Arrivals> {
    match (fields.get("rate"), fields.get("users")) {
        (Some(rate), Some(users)) => {
            let title = format!("{} has both `rate` and `users`", fields.what());
            Err(Diagnostic::at(&users.span, title, "a closed loop has users")
                .also(&rate.span, "an open loop has a rate")
                .help("keep one of the two")
                .into())
        }
        (None, None) => {
            let title = format!("{} has neither `rate` nor `users`", fields.what());
            Err(Diagnostic::at(fields.span(), title, "how much load is it?")
                .help("rate = \"500/s\" for an open loop, users = 100 for a closed one")
                .into())
        }
        (Some(node), None) => {
            let rate_milli = RATE.read(node, "rate")?;
            if rate_milli == 0 {
                let label = "expected more than 0/s";
                return Err(Diagnostic::at(&node.span, "a rate of zero is no load", label).into());
            }
            let kinds = [("random", Gaps::Random), ("even", Gaps::Even)];
            let gaps = fields.choice("gaps", &kinds, Some(Gaps::Random))?;
            Ok(Arrivals::Open { rate_milli, gaps })
        }
        (None, Some(_)) => {
            if let Some(gaps) = fields.get("gaps") {
                let title = "gaps in a closed loop";
                return Err(Diagnostic::at(&gaps.span, title, "its users think as they do")
                    .help("leave it out, or give an open loop's `rate`")
                    .into());
            }
            let users = fields.integer("users", 1..=USERS_MAX, None)? as u32;
            let think = fields.quantity("think", DURATION, None)?;
            if think < THINK_MIN {
                // A user whose page fails at once would ask again in the same instant, for ever.
                let at = &fields.required("think", "")?.span;
                let title = "users who do not think at all";
                return Err(Diagnostic::at(at, title, "expected at least 1us").into());
            }
            Ok(Arrivals::Closed { users, think })
        }
    }
}

/// Reads `[costs]`: service time of one unit of each kind of work.
pub(super) fn costs(top: &Fields<'_>) -> Checked<Vec<(String, u64)>> {
    let Some(node) = top.get("costs") else { return Ok(Vec::new()) };
    let Value::Table(table) = &node.value else {
        return Err(wrong(node, "costs", "a table of kinds of work").into());
    };
    let mut found = Vec::new();
    for entry in &table.entries {
        let known = program::work_names();
        if !known.contains(&entry.key.as_str()) {
            let word = Word { text: entry.key.clone(), span: entry.key_span.clone() };
            return Err(unknown(&word, "kind of work", known.iter().copied()).into());
        }
        let expected = "a service time such as \"7.7us\" or \"250ps\"";
        let word = crate::fields::text(&entry.node, &entry.key, expected)?;
        let cost = picoseconds(&word.text).filter(|&ps| ps <= COST_PS_MAX);
        let Some(cost) = cost else {
            let title = format!("the cost of `{}` cannot be read: \"{}\"", entry.key, word.text);
            let label = format!("expected {expected}, at most 1s");
            return Err(Diagnostic::at(&word.span, title, label).into());
        };
        found.push((entry.key.clone(), cost));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::name_fits as fits;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("cache*", "cache12") && fits("cache*", "cache") && fits("*b*", "abc"));
        assert!(!fits("cache*", "web1") && !fits("*1", "web12") && !fits("web1", "web12"));
    }
}
