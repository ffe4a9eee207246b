//! Models, loads and the cost table.

use super::{check_unique, index_of};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{BYTES, DURATION, Fields, RATE, Word, unknown, wrong};
use crate::models::{KEYS_MAX, PAGES_MAX, USERS_MAX};
use crate::program;
use crate::story::{
    Arrivals, DatabaseModel, Host, Load, LoadKind, Model, ModelKind, PARTS_MAX, Placement, Skew,
    WebPages,
};
use crate::tree::Value;
use crate::units::picoseconds;
use std::time::Duration;

/// Longest row of a modelled database, bytes: it must fit into a cache.
const ROW_BYTES_MAX: u64 = 1_000_000;

/// Shortest mean pause of a user.
const THINK_MIN: Duration = Duration::from_micros(1);
/// Highest price of one unit of work, picoseconds: a second.
const COST_PS_MAX: u64 = 1_000_000_000_000;

/// Reads `[[model]]`.
pub(super) fn models(top: &Fields<'_>, hosts: &[Word]) -> Checked<(Vec<Model>, Vec<Word>)> {
    let (mut models, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("model", PARTS_MAX)? {
        const FIELDS: &[&str] =
            &["name", "kind", "host", "port", "slots", "queue", "service", "row"];
        let fields = Fields::of(node, "model", FIELDS)?;
        let name = fields.text("name", "what other sections call it")?;
        fields.choice("kind", &[("database", ())], None)?;
        let host = index_of(hosts, &fields.text("host", "the host it runs on")?, "host")?;
        let row_bytes = fields.quantity("row", BYTES, None)?;
        if row_bytes > ROW_BYTES_MAX {
            let at = &fields.required("row", "")?.span;
            let title = format!("a row of {row_bytes} bytes does not fit into a cache");
            let label = format!("expected at most {ROW_BYTES_MAX}");
            return Err(Diagnostic::at(at, title, label).into());
        }
        let database = DatabaseModel {
            port: fields.integer("port", 1..=65_535, None)? as u16,
            slots: fields.integer("slots", 1..=100_000, None)? as u32,
            queue_max: fields.integer("queue", 0..=1_000_000, None)? as u32,
            service: fields.range("service", DURATION, None)?,
            row_bytes: row_bytes as u32,
        };
        let kind = ModelKind::Database(database);
        models.push(Model { name: name.text.clone(), host, kind });
        names.push(name);
    }
    check_unique(&names, "model")?;
    Ok((models, names))
}

const LOAD_FIELDS: &[&str] = &[
    "name",
    "kind",
    "on",
    "caches",
    "placement",
    "database",
    "rate",
    "users",
    "think",
    "keys",
    "keys_per_page",
    "skew",
    "timeout",
    "pages_max",
];

/// Reads `[[load]]`.
pub(super) fn loads(
    top: &Fields<'_>,
    hosts: &[Host],
    host_names: &[Word],
    models: &[Word],
) -> Checked<(Vec<Load>, Vec<Word>)> {
    let (mut loads, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("load", PARTS_MAX)? {
        let fields = Fields::of(node, "load", LOAD_FIELDS)?;
        let name = fields.text("name", "what other sections call it")?;
        fields.choice("kind", &[("web-pages", ())], None)?;
        let on = some_hosts(&fields, "on", host_names)?;
        let caches = some_hosts(&fields, "caches", host_names)?;
        let words = fields.texts("caches", "")?;
        let caches = caches.iter().zip(&words).map(|(host, word)| cache(hosts, *host, word));
        let placements = [("modulo", Placement::Modulo), ("ring", Placement::Ring)];
        let skews = [("uniform", Skew::Uniform), ("zipf", Skew::Zipf)];
        let database = fields.text("database", "the name of a `[[model]]`")?;
        let keys = fields.integer("keys", 1..=KEYS_MAX, None)?;
        let web = WebPages {
            caches: caches.collect::<Checked<_>>()?,
            placement: fields.choice("placement", &placements, None)?,
            database: index_of(models, &database, "model")?,
            arrivals: arrivals(&fields)?,
            keys: keys as u32,
            keys_per_page: fields.integer("keys_per_page", 1..=1_000, Some(1))? as u32,
            skew: fields.choice("skew", &skews, None)?,
            timeout: fields.quantity("timeout", DURATION, Some(Duration::from_secs(3)))?,
            pages_max: fields.integer("pages_max", 1..=PAGES_MAX, Some(10_000))? as u32,
        };
        let kind = LoadKind::WebPages(web);
        loads.push(Load { name: name.text.clone(), on, kind });
        names.push(name);
    }
    check_unique(&names, "load")?;
    Ok((loads, names))
}

/// A list of different hosts that must not be empty.
fn some_hosts(fields: &Fields<'_>, key: &str, names: &[Word]) -> Checked<Vec<usize>> {
    let node = fields.required(key, "a list of hosts, such as [\"web1\", \"web2\"]")?;
    let words = fields.texts(key, "the name of a host")?;
    if words.is_empty() {
        let title = format!("{} has an empty `{key}`", fields.what());
        return Err(Diagnostic::at(&node.span, title, "expected at least one host").into());
    }
    let mut found = Vec::new();
    for word in &words {
        let host = index_of(names, word, "host")?;
        if found.contains(&host) {
            let title = format!("host `{}` is twice in `{key}`", word.text);
            return Err(Diagnostic::at(&word.span, title, "the second time").into());
        }
        found.push(host);
    }
    Ok(found)
}

/// The host and port of the memcached that a host runs.
pub(super) fn cache(hosts: &[Host], host: usize, word: &Word) -> Checked<(usize, u16)> {
    let port = hosts[host].run.iter().find_map(|line| line.program.memcached_port());
    port.map(|port| (host, port)).ok_or_else(|| {
        let title = format!("host `{}` runs no memcached", word.text);
        Diagnostic::at(&word.span, title, "expected a host that is a cache")
            .help("give it run = [\"memcached -m 64 -p 11211\"]")
            .into()
    })
}

fn arrivals(fields: &Fields<'_>) -> Checked<Arrivals> {
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
            Ok(Arrivals::Open { rate_milli })
        }
        (None, Some(_)) => {
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
