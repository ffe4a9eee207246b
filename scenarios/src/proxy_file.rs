//! The proxy's config file: TOML, read with the same care as a scenario.
//!
//! ```toml
//! [proxy]
//! listen = "11211"
//! zone = "east"
//!
//! [[pool]]
//! name = "main"
//! servers = ["cache1:11211", "cache2:11211 weight=2"]
//! placement = "ketama"
//!
//! [[route]]
//! name = "all"
//! kind = "direct"
//! to = "main"
//! ```

use crate::catalog::PROXIES;
use crate::diagnostic::{Checked, Diagnostic, Source, Span};
use crate::fields::{BYTES, DURATION, Fields, RATE, Word, unknown};
use crate::tree::{self, Node, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storytime_mcproxy::config::{
    CONNECTIONS_MAX, Config, LISTENER_WANTED, OnFailure, PLACEMENTS, POOLS_MAX, Place, Pool,
    ROUTES_MAX, Route, RouteKind, VALUE_BYTES_MAX, host_and_port, listener,
};
use storytime_mcproxy::table::Table;
use storytime_memcached::client::Node as Server;
use storytime_memcached::client::pool::HealthOptions;

const SECTIONS: &[&str] = &["proxy", "pool", "route"];
const PROXY_FIELDS: &[&str] = &["listen", "clients", "value", "split", "zone", "share_gets"];
const POOL_FIELDS: &[&str] = &[
    "name",
    "servers",
    "placement",
    "hash_tag",
    "zone",
    "connections",
    "connect_timeout",
    "request_timeout",
    "failures",
    "failure_window",
    "pause",
    "stable_after",
    "eject",
    "probes",
];
const ROUTE_FIELDS: &[&str] =
    &["name", "prefix", "kind", "to", "on_failure", "read_rate", "write_rate"];
const SERVERS_WANTED: &str = "servers such as [\"cache1:11211\", \"cache2:11211 weight=2\"]";
/// Smallest pieces of a large value, bytes: a value has at most 1024 of them.
const SPLIT_BYTES_MIN: u64 = 64 << 10;
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

/// The kinds of routes by name.
#[derive(Clone, Copy)]
enum Kind {
    Direct,
    Failover,
    Zones,
    AllSync,
    AllFastest,
    WarmUp,
}

const KINDS: &[(&str, Kind)] = &[
    ("direct", Kind::Direct),
    ("failover", Kind::Failover),
    ("zones", Kind::Zones),
    ("all-sync", Kind::AllSync),
    ("all-fastest", Kind::AllFastest),
    ("warm-up", Kind::WarmUp),
];

/// Reads a proxy's config file; where there is no such file, a built-in one of that name.
///
/// # Errors
/// If it cannot be read or is no config; the diagnostic says where.
pub fn open(path: &Path) -> Checked<Config> {
    let named = |&&(name, _): &&(&str, &str)| path == Path::new(name);
    if let Some((name, text)) = PROXIES.iter().find(named).filter(|_| !path.exists()) {
        let source = Source { name: (*name).to_owned(), text: (*text).to_owned() };
        return parse(&Arc::new(source));
    }
    parse(&Arc::new(tree::read_file(path, "proxy config", "give the path of a TOML file")?))
}

/// Reads the text of a config file.
///
/// # Errors
/// If it is no config; the diagnostic says where.
pub fn parse(source: &Arc<Source>) -> Checked<Config> {
    let root = tree::parse(source)?;
    let span = Span { source: Arc::clone(source), bytes: 0..0 };
    let root = Node { value: Value::Table(root), span };
    let sections = Fields::of(&root, "a proxy config", SECTIONS)?;
    let mut config = Config::default();
    if let Some(node) = sections.get("proxy") {
        proxy(node, &mut config)?;
    }
    let pools = sections.tables("pool", POOLS_MAX)?;
    let routes = sections.tables("route", ROUTES_MAX)?;
    if pools.is_empty() {
        let title = "a proxy config has no `[[pool]]`";
        return Err(Diagnostic::at(&root.span, title, "at least one is needed")
            .help("[[pool]]\nname = \"main\"\nservers = [\"cache1:11211\"]")
            .into());
    }
    config.pools = pools.iter().map(pool).collect::<Checked<_>>()?;
    let read = routes.iter().map(route).collect::<Checked<Vec<(Route, Vec<Word>)>>>()?;
    check_targets(&config.pools, &read)?;
    config.routes = read.into_iter().map(|(route, _)| route).collect();
    Table::compile(&config).map_err(|error| {
        let place = match error.place {
            Place::Whole => &root.span,
            Place::Pool(at) => &pools[at].span,
            Place::Route(at) => &routes[at].span,
        };
        Box::new(Diagnostic::at(place, error.what, "here"))
    })?;
    Ok(config)
}

/// Every target is a pool or a route.
fn check_targets(pools: &[Pool], routes: &[(Route, Vec<Word>)]) -> Checked<()> {
    let pools = pools.iter().map(|pool| pool.name.as_str());
    let names: Vec<&str> = pools.chain(routes.iter().map(|(r, _)| r.name.as_str())).collect();
    let targets = routes.iter().flat_map(|(_, targets)| targets);
    match targets.into_iter().find(|target| !names.contains(&target.text.as_str())) {
        Some(target) => Err(unknown(target, "pool or route", names).into()),
        None => Ok(()),
    }
}

/// A complaint about a word, in words that core chose.
fn complain(word: &Word, what: impl Into<String>, wanted: &str) -> Box<Diagnostic> {
    Diagnostic::at(&word.span, what, format!("expected {wanted}")).into()
}

/// Where a field stands; its table, if it was left out.
fn place_of<'a>(fields: &'a Fields<'a>, key: &str) -> &'a Span {
    fields.get(key).map_or_else(|| fields.span(), |node| &node.span)
}

fn proxy(node: &Node, config: &mut Config) -> Checked<()> {
    let fields = Fields::of(node, "[proxy]", PROXY_FIELDS)?;
    let listens = fields.texts("listen", LISTENER_WANTED)?;
    if !listens.is_empty() {
        let read = |word: &Word| {
            listener(&word.text).map_err(|what| complain(word, what, LISTENER_WANTED))
        };
        config.listen = listens.iter().map(read).collect::<Checked<_>>()?;
    }
    let clients = fields.integer("clients", 1..=1 << 20, Some(u64::from(config.clients_max)))?;
    config.clients_max = clients as u32;
    let value = fields.quantity("value", BYTES, Some(config.value_bytes_max as u64))?;
    if value == 0 || value > VALUE_BYTES_MAX as u64 {
        let span = place_of(&fields, "value");
        let title = format!("`value` is out of range: {value} bytes");
        let label = format!("expected 1 byte to {} MiB", VALUE_BYTES_MAX >> 20);
        return Err(Diagnostic::at(span, title, label).into());
    }
    config.value_bytes_max = value as usize;
    if let Some(split) = fields.quantity_if("split", BYTES)? {
        if split < SPLIT_BYTES_MIN || split > value {
            let span = place_of(&fields, "split");
            let label = format!("expected {SPLIT_BYTES_MIN} bytes to what `value` says");
            return Err(Diagnostic::at(span, "`split` is out of range", label).into());
        }
        config.split_bytes = Some(split as usize);
    }
    config.zone = fields.text_if("zone", "the name of a zone")?.map(|word| word.text);
    config.share_gets = fields.flag("share_gets", true)?;
    Ok(())
}

fn pool(node: &Node) -> Checked<Pool> {
    let fields = Fields::of(node, "pool", POOL_FIELDS)?;
    let name = fields.text("name", "a name for the pool")?;
    fields.required("servers", SERVERS_WANTED)?;
    let words = fields.texts("servers", SERVERS_WANTED)?;
    let servers = words.iter().map(server).collect::<Checked<_>>()?;
    let mut pool = Pool::new(name.text, servers);
    pool.placement = fields.choice("placement", PLACEMENTS, Some(pool.placement))?;
    if let Some(word) = fields.text_if("hash_tag", "two characters such as \"{}\"")? {
        let &[open, close] = word.text.as_bytes() else {
            let title = format!("`hash_tag` cannot be read: \"{}\"", word.text);
            return Err(complain(&word, title, "two characters such as \"{}\""));
        };
        pool.hash_tag = Some((open, close));
    }
    pool.zone = fields.text_if("zone", "the name of a zone")?.map(|word| word.text);
    let most = u64::from(CONNECTIONS_MAX);
    let connections = fields.integer("connections", 1..=most, Some(u64::from(pool.connections)))?;
    pool.connections = connections as u32;
    pool.connect_timeout = timeout(&fields, "connect_timeout", pool.connect_timeout)?;
    pool.request_timeout = timeout(&fields, "request_timeout", pool.request_timeout)?;
    pool.health = health(&fields, pool.health)?;
    Ok(pool)
}

fn timeout(fields: &Fields<'_>, key: &str, otherwise: Duration) -> Checked<Duration> {
    let time = fields.quantity(key, DURATION, Some(otherwise))?;
    if time.is_zero() || time > TIMEOUT_MAX {
        let span = place_of(fields, key);
        let title = format!("`{key}` is out of range");
        return Err(Diagnostic::at(span, title, "expected more than nothing, at most 1h").into());
    }
    Ok(time)
}

fn health(fields: &Fields<'_>, otherwise: HealthOptions) -> Checked<HealthOptions> {
    let failures = u64::from(otherwise.failure_limit);
    let probes = u64::from(otherwise.probes_to_rejoin);
    let pause = (otherwise.pause_min, otherwise.pause_max);
    let (pause_min, pause_max) = fields.range("pause", DURATION, Some(pause))?;
    if pause_min.is_zero() || pause_max > TIMEOUT_MAX {
        let span = place_of(fields, "pause");
        let label = "expected more than nothing, at most 1h";
        return Err(Diagnostic::at(span, "`pause` is out of range", label).into());
    }
    Ok(HealthOptions {
        failure_limit: fields.integer("failures", 1..=1_000_000, Some(failures))? as u32,
        failure_window: timeout(fields, "failure_window", otherwise.failure_window)?,
        pause_min,
        pause_max,
        auto_eject: fields.flag("eject", otherwise.auto_eject)?,
        probes_to_rejoin: fields.integer("probes", 1..=1000, Some(probes))? as u32,
        stable_after: timeout(fields, "stable_after", otherwise.stable_after)?,
    })
}

/// `host:port` or `host:port weight=2`.
fn server(word: &Word) -> Checked<Server> {
    let mut parts = word.text.split_whitespace();
    let address = parts.next().unwrap_or_default();
    let (host, port) = host_and_port(address).map_err(|what| {
        // The quote stands in front of the text.
        let start = 1 + word.text.find(address).unwrap_or(0);
        let span = word.span.part(start..start + address.len().max(1));
        complain(&Word { text: address.to_owned(), span }, what, "host:port")
    })?;
    let mut server = Server::new(host, port);
    for part in parts {
        let start = 1 + word.text.find(part).unwrap_or(0);
        let weight = part.strip_prefix("weight=").and_then(|n| n.parse().ok()).filter(|&n| n > 0);
        let Some(weight) = weight else {
            let span = word.span.part(start..start + part.len());
            let title = format!("`{part}` says nothing about a server");
            return Err(complain(&Word { text: part.to_owned(), span }, title, "weight=2"));
        };
        server.weight = weight;
    }
    Ok(server)
}

fn route(node: &Node) -> Checked<(Route, Vec<Word>)> {
    let kind = kind_of(node)?;
    let mut known = ROUTE_FIELDS.to_vec();
    known.extend(match kind {
        Kind::Failover => &["on_miss", "writes"][..],
        Kind::WarmUp => &["ttl"],
        _ => &[],
    });
    let fields = Fields::of(node, "route", &known)?;
    let name = fields.text("name", "a name for the route")?;
    fields.required("to", "names of pools or routes, in order")?;
    let to = fields.texts("to", "names of pools or routes, in order")?;
    let kind = match kind {
        Kind::Direct => RouteKind::Direct,
        Kind::Failover => RouteKind::Failover {
            on_miss: fields.flag("on_miss", false)?,
            writes: fields.flag("writes", true)?,
        },
        Kind::Zones => RouteKind::Zones,
        Kind::AllSync => RouteKind::AllSync,
        Kind::AllFastest => RouteKind::AllFastest,
        Kind::WarmUp => RouteKind::WarmUp { ttl: fields.quantity_if("ttl", DURATION)? },
    };
    let names: Vec<&str> = to.iter().map(|word| word.text.as_str()).collect();
    let mut route = Route::new(name.text, kind, &names);
    route.prefix = fields.text_if("prefix", "the start of keys")?.map(|word| word.text);
    let failures = [("miss", OnFailure::Miss), ("error", OnFailure::Error)];
    route.on_failure = fields.choice("on_failure", &failures, Some(OnFailure::Miss))?;
    route.reads_per_second = per_second(&fields, "read_rate")?;
    route.writes_per_second = per_second(&fields, "write_rate")?;
    Ok((route, to))
}

/// The kind is read first, because it decides which other fields there are.
fn kind_of(node: &Node) -> Checked<Kind> {
    let Value::Table(table) = &node.value else { return Ok(Kind::Direct) };
    let every: Vec<&str> = table.entries.iter().map(|entry| entry.key.as_str()).collect();
    Fields::of(node, "route", &every)?.choice("kind", KINDS, Some(Kind::Direct))
}

fn per_second(fields: &Fields<'_>, key: &str) -> Checked<Option<u64>> {
    let Some(milli) = fields.quantity_if(key, RATE)? else { return Ok(None) };
    if milli < 1000 {
        let span = place_of(fields, key);
        let title = format!("`{key}` is less than one a second");
        return Err(Diagnostic::at(span, title, "expected \"1/s\" or more").into());
    }
    Ok(Some(milli / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let source = Arc::new(Source { name: "proxy.toml".into(), text: text.into() });
        parse(&source).map_err(|diagnostic| diagnostic.render(false))
    }

    const WHOLE: &str = r#"
[proxy]
listen = ["127.0.0.1:11211", "unix:p.sock"]
zone = "east"
value = "2MiB"
split = "900KiB"

[[pool]]
name = "east"
zone = "east"
servers = ["cache1", "cache2:11212 weight=3"]
placement = "classic"
hash_tag = "{}"
request_timeout = "200ms"
pause = ["500ms", "5s"]
eject = true

[[pool]]
name = "west"
servers = "cache3:11211"

[[route]]
name = "users"
prefix = "user:"
kind = "failover"
to = ["east", "west"]
on_miss = true
on_failure = "error"
read_rate = "2k/s"

[[route]]
name = "rest"
prefix = ""
kind = "warm-up"
to = ["east", "west"]
ttl = "1h"
"#;

    #[test]
    fn everything_that_can_be_said_is_read() {
        let config = read(WHOLE).expect("good");
        assert_eq!(config.listen.len(), 2);
        assert_eq!((config.value_bytes_max, config.zone.as_deref()), (2 << 20, Some("east")));
        let east = &config.pools[0];
        assert_eq!(east.servers[0], Server::new("cache1", 11211));
        assert_eq!(east.servers[1], Server { weight: 3, ..Server::new("cache2", 11212) });
        assert_eq!((east.hash_tag, east.health.auto_eject), (Some((b'{', b'}')), true));
        assert_eq!(east.health.pause_max, Duration::from_secs(5));
        let users = &config.routes[0];
        assert_eq!(users.kind, RouteKind::Failover { on_miss: true, writes: true });
        assert_eq!((users.on_failure, users.reads_per_second), (OnFailure::Error, Some(2000)));
        let ttl = Some(Duration::from_secs(3600));
        assert_eq!(config.routes[1].kind, RouteKind::WarmUp { ttl });
    }

    #[test]
    fn built_in_configs_are_good() {
        for (name, _) in PROXIES {
            open(Path::new(name)).unwrap_or_else(|wrong| panic!("{}", wrong.render(false)));
        }
        let missing = open(Path::new("no-such.toml")).expect_err("it is not there");
        assert!(missing.title.contains("cannot read the proxy config file"), "{missing}");
    }

    #[test]
    fn mistakes_are_shown_where_they_were_made() {
        let pool = "[[pool]]\nname = \"a\"\nservers = [\"c\"]\n";
        for (text, place, says) in [
            (String::new(), "1:1", "has no `[[pool]]`"),
            (pool.replace("servers", "sevrers"), "3:1", "did you mean `servers`?"),
            (pool.replace("\"c\"", "\"c:x\""), "3:13", "no port"),
            (pool.replace("\"c\"", "\"c w=2\""), "3:15", "weight=2"),
            (pool.to_owned() + "placement = \"ketma\"", "4:13", "did you mean `ketama`?"),
            (pool.to_owned() + "request_timeout = \"5\"", "4:19", "a duration such as"),
            (pool.to_owned() + "[[route]]\nname = \"r\"\nto = \"b\"", "6:6", "pool or route"),
            (
                pool.to_owned() + "[[route]]\nname = \"r\"\nkind = \"falover\"\nto = \"a\"",
                "6:8",
                "did you mean `failover`?",
            ),
            (
                pool.to_owned() + "[[route]]\nname = \"r\"\nttl = \"1h\"\nto = \"a\"",
                "6:1",
                "has no field `ttl`",
            ),
            (pool.to_owned() + "[proxy]\nlisten = \"x:y\"", "5:10", "a port such as"),
            (pool.to_owned() + pool, "4:1", "two pools are named `a`"),
            (pool.to_owned() + "[[route]]\nname = \"r\"\nto = \"r\"", "4:1", "back to itself"),
        ] {
            let shown = read(&text).expect_err(&text);
            assert!(shown.contains(&format!("proxy.toml:{place}")), "{place}\n{shown}");
            assert!(shown.contains(says), "{says}\n{shown}");
        }
    }
}
