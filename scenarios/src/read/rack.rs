//! Hosts, disks and the network.

use super::{check_unique, index_of};
use crate::diagnostic::{Checked, Diagnostic, Span};
use crate::fields::{BANDWIDTH, BYTES, CHANCE, DURATION, Fields, Word, unknown};
use crate::program::CommandLine;
use crate::story::{Disk, HOSTS_MAX, Host, PARTS_MAX};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use storytime_machine::{Ratio, nanos};
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::{DiskConfig, Link};

/// The first address given to hosts without one: the talk's.
const FIRST_IP: u32 = u32::from_be_bytes([10, 0, 0, 100]);

/// Reads `[[disk]]` and `[[host]]`; returns the hosts and their names.
pub(super) fn hosts(top: &Fields<'_>) -> Checked<(Vec<Host>, Vec<Word>)> {
    let disks = disks(top)?;
    let disk_names: Vec<Word> = disks.iter().map(|(name, _)| name.clone()).collect();
    let (mut hosts, mut names, mut spans) = (Vec::new(), Vec::new(), Vec::new());
    let nodes = top.tables("host", HOSTS_MAX)?;
    if nodes.is_empty() {
        return Err(Diagnostic::at(
            top.span(),
            "a story without hosts",
            "no `[[host]]` in this file",
        )
        .help("add a section `[[host]]` with a `name` and what it is to `run`")
        .into());
    }
    for node in nodes {
        const FIELDS: &[&str] = &[
            "name", "ip", "role", "run", "cores", "memory", "disk", "start", "respawn", "count",
            "used",
        ];
        let fields = Fields::of(node, "host", FIELDS)?;
        let name = fields.text("name", "what other sections call it")?;
        let disk = match fields.text_if("disk", "the name of a `[[disk]]`")? {
            None => None,
            Some(word) => Some(disks[index_of(&disk_names, &word, "disk")?].1.clone()),
        };
        let Some((count, used)) = counted(&fields)? else {
            hosts.push(host(&fields, &name, None, hosts.len(), disk)?);
            names.push(name);
            spans.push(node.span.clone());
            continue;
        };
        for n in 1..=count {
            let name = numbered(&name, n);
            let mut host = host(&fields, &name, Some(n), hosts.len(), disk.clone())?;
            host.used = n <= used;
            host.at_boot &= host.used;
            hosts.push(host);
            names.push(name);
            spans.push(node.span.clone());
        }
    }
    if let Some(extra) = names.get(HOSTS_MAX) {
        let title = format!("more than {HOSTS_MAX} hosts");
        return Err(Diagnostic::at(&extra.span, title, "with these").into());
    }
    check_unique(&names, "host")?;
    check_ips(&spans, &hosts)?;
    Ok((hosts, names))
}

/// How many alike there are, and how many of them take part, where a section has a `count`.
pub(super) fn counted(fields: &Fields<'_>) -> Checked<Option<(u64, u64)>> {
    let Some(node) = fields.get("count") else {
        return match fields.get("used") {
            None => Ok(None),
            Some(node) => {
                let title = "`used` belongs to `count`";
                Err(Diagnostic::at(&node.span, title, "of how many?").into())
            }
        };
    };
    if let Some(ip) = fields.get("ip") {
        let title = "one address for several hosts";
        return Err(Diagnostic::at(&ip.span, title, "leave it out")
            .also(&node.span, "so many hosts")
            .into());
    }
    let count = fields.integer("count", 1..=HOSTS_MAX as u64, None)?;
    Ok(Some((count, fields.integer("used", 0..=count, Some(count))?)))
}

/// The name of the n-th of several alike.
pub(super) fn numbered(name: &Word, n: u64) -> Word {
    Word { text: format!("{}{n}", name.text), span: name.span.clone() }
}

/// Text of the n-th of several alike, in which `#` stands for the number.
pub(super) fn with_number(word: &Word, n: u64) -> Word {
    Word { text: word.text.replace('#', &n.to_string()), span: word.span.clone() }
}

fn host(
    fields: &Fields<'_>,
    name: &Word,
    number: Option<u64>,
    index: usize,
    disk: Option<Disk>,
) -> Checked<Host> {
    let lines = fields.texts("run", "command lines such as [\"memcached -m 64\"]")?;
    let line = |word: &Word| match number {
        Some(n) => CommandLine::parse(&with_number(word, n)),
        None => CommandLine::parse(word),
    };
    let run: Vec<CommandLine> = lines.iter().map(line).collect::<Checked<_>>()?;
    let role = fields.text_if("role", "what it is for, in a word")?;
    let starts = [("at-boot", true), ("later", false)];
    Ok(Host {
        ip: ip(fields, index)?,
        role: role.map_or_else(|| default_role(&run), |word| word.text),
        cores: fields.integer("cores", 1..=64, Some(1))? as u32,
        memory_bytes: fields.quantity_if("memory", BYTES)?,
        at_boot: fields.choice("start", &starts, Some(true))?,
        respawn: fields.quantity_if("respawn", DURATION)?,
        used: true,
        name: name.text.clone(),
        run,
        disk,
    })
}

fn default_role(run: &[CommandLine]) -> String {
    run.first().map_or("", |line| line.program.role()).to_owned()
}

fn ip(fields: &Fields<'_>, n: usize) -> Checked<IpAddr> {
    let Some(word) = fields.text_if("ip", "an address such as \"10.0.0.100\"")? else {
        return Ok(Ipv4Addr::from(FIRST_IP + n as u32).into());
    };
    word.text.parse().map_err(|_| {
        let title = format!("\"{}\" is not an address", word.text);
        let label = "expected an address such as \"10.0.0.100\"";
        Box::new(Diagnostic::at(&word.span, title, label))
    })
}

fn check_ips(spans: &[Span], hosts: &[Host]) -> Checked<()> {
    for (n, host) in hosts.iter().enumerate() {
        if let Some(first) = hosts[..n].iter().position(|other| other.ip == host.ip) {
            let title = format!("two hosts have the address {}", host.ip);
            return Err(Diagnostic::at(&spans[n], title, format!("host `{}`", host.name))
                .also(&spans[first], format!("host `{}`", hosts[first].name))
                .help("give one of them another `ip`")
                .into());
        }
    }
    Ok(())
}

const DISK_FIELDS: &[&str] = &[
    "name",
    "profile",
    "lies",
    "size",
    "iops",
    "bandwidth",
    "flush",
    "write_back",
    "page_cache",
    "cache",
    "cache_iops",
    "cache_bandwidth",
    "flush_fails",
    "rot",
];

fn disks(top: &Fields<'_>) -> Checked<Vec<(Word, Disk)>> {
    let mut found = Vec::new();
    for node in top.tables("disk", PARTS_MAX)? {
        let fields = Fields::of(node, "disk", DISK_FIELDS)?;
        let name = fields.text("name", "what hosts call it")?;
        let config = disk_config(&fields)?;
        let disk = Disk { name: name.text.clone(), config };
        found.push((name, disk));
    }
    let names: Vec<Word> = found.iter().map(|(name, _)| name.clone()).collect();
    check_unique(&names, "disk")?;
    Ok(found)
}

fn disk_config(fields: &Fields<'_>) -> Checked<DiskConfig> {
    let profiles = Profile::ALL.map(|profile| (profile.as_str(), profile));
    let profile = fields.choice("profile", &profiles, Some(Profile::Posix))?;
    let mut config = DiskConfig::new(profile);
    for word in fields.texts("lies", "the layers that lie: file-system, controller, drive")? {
        match word.text.as_str() {
            "file-system" => config.lies.file_system = true,
            "controller" => config.lies.controller = true,
            "drive" => config.lies.drive = true,
            "nobody" => config.lies = Lies::NONE,
            _ => {
                let layers = ["file-system", "controller", "drive", "nobody"];
                return Err(unknown(&word, "layer", layers).into());
            }
        }
    }
    config.capacity_bytes = fields.quantity("size", BYTES, Some(config.capacity_bytes))?;
    config.iops = fields.integer("iops", 1..=10_000_000, Some(config.iops.into()))? as u32;
    let bandwidth = config.bandwidth_bytes_per_s;
    config.bandwidth_bytes_per_s = above_zero(fields, "bandwidth", bandwidth)?;
    config.flush = fields.quantity("flush", DURATION, Some(config.flush))?;
    config.write_back = fields.quantity("write_back", DURATION, Some(config.write_back))?;
    config.cache_bytes_max = fields.quantity("page_cache", BYTES, Some(config.cache_bytes_max))?;
    for cache in [&mut config.controller, &mut config.drive] {
        cache.bytes_max = fields.quantity("cache", BYTES, Some(cache.bytes_max))?;
        cache.iops = fields.integer("cache_iops", 1..=10_000_000, Some(cache.iops.into()))? as u32;
        cache.bytes_per_s = above_zero(fields, "cache_bandwidth", cache.bytes_per_s)?;
    }
    config.faults.sync_fails = fields.quantity("flush_fails", CHANCE, Some(Ratio::NEVER))?;
    config.faults.rot = fields.quantity("rot", CHANCE, Some(Ratio::NEVER))?;
    Ok(config)
}

fn above_zero(fields: &Fields<'_>, key: &str, otherwise: u64) -> Checked<u64> {
    let value = fields.quantity(key, BANDWIDTH, Some(otherwise))?;
    match fields.get(key) {
        Some(node) if value == 0 => {
            let title = format!("`{key}` is zero: nothing would ever be transferred");
            Err(Diagnostic::at(&node.span, title, "expected more than 0").into())
        }
        _ => Ok(value),
    }
}

const LINK_FIELDS: &[&str] =
    &["latency", "bandwidth", "queue", "loss", "cut", "duplicate", "reorder"];

/// Reads `[network]`: the link between all hosts.
pub(super) fn network(top: &Fields<'_>) -> Checked<Link> {
    match top.get("network") {
        None => Ok(Link::RACK),
        Some(node) => link(&Fields::of(node, "[network]", LINK_FIELDS)?, Link::RACK),
    }
}

/// Reads `[[link]]`: the exceptions.
pub(super) fn links(
    top: &Fields<'_>,
    hosts: &[Word],
    network: Link,
) -> Checked<Vec<(usize, usize, Link)>> {
    let known: Vec<&str> = ["between", "name"].iter().chain(LINK_FIELDS).copied().collect();
    let mut found = Vec::new();
    for node in top.tables("link", PARTS_MAX)? {
        let fields = Fields::of(node, "link", &known)?;
        fields.required("between", "two hosts, such as [\"web1\", \"db\"]")?;
        let ends = fields.texts("between", "two hosts")?;
        let ends: Vec<usize> =
            ends.iter().map(|word| index_of(hosts, word, "host")).collect::<Checked<_>>()?;
        let (a, b) = match ends[..] {
            [a, b] if a != b => (a, b),
            _ => {
                let title = "a link goes between two different hosts";
                let at = &fields.required("between", "")?.span;
                return Err(Diagnostic::at(at, title, "expected [\"one\", \"other\"]").into());
            }
        };
        found.push((a, b, link(&fields, network)?));
    }
    Ok(found)
}

fn link(fields: &Fields<'_>, base: Link) -> Checked<Link> {
    let latency = (base.latency_min, base.latency_max);
    let (latency_min, latency_max) = fields.range("latency", DURATION, Some(latency))?;
    if let Some(node) = fields.get("latency")
        && nanos(latency_max) > nanos(Duration::from_secs(3600))
    {
        return Err(Diagnostic::at(&node.span, "a latency of over an hour", "too long").into());
    }
    Ok(Link {
        latency_min,
        latency_max,
        bandwidth: fields.quantity("bandwidth", BANDWIDTH, Some(base.bandwidth))?,
        queue_bytes_max: fields.quantity("queue", BYTES, Some(base.queue_bytes_max))?,
        loss: fields.quantity("loss", CHANCE, Some(base.loss))?,
        cut: fields.quantity("cut", CHANCE, Some(base.cut))?,
        duplicate: fields.quantity("duplicate", CHANCE, Some(base.duplicate))?,
        reorder: fields.quantity("reorder", CHANCE, Some(base.reorder))?,
    })
}
