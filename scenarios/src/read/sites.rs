//! Classes of requests and clusters of databases: `[[class]]`, `[[cluster]]`.

use super::rack::{counted, numbered, with_number};
use super::work::{Parts, hosts_called};
use super::{check_unique, index_of};
use crate::diagnostic::{Checked, Diagnostic, Span};
use crate::fields::{DURATION, Fields, Word};
use crate::story::{Class, Cluster, Home, PARTS_MAX, Readers};
use std::time::Duration;

/// Most rows that one request reads, or writes.
const ROWS_MAX: u64 = 1_000;
/// Longest row, bytes: a database takes no longer one.
const ROW_BYTES_MAX: u64 = 1 << 20;
/// Longest page, bytes.
const PAGE_BYTES_MAX: u64 = 16 << 20;
/// Most CPU of one request.
const CPU_MAX: Duration = Duration::from_secs(10);
/// What a class calls the cluster that the request's user lives on.
const OF_THE_USER: &str = "of-the-user";

const CLASS_FIELDS: &[&str] = &[
    "name", "weight", "cpu", "page", "database", "reads", "writes", "at_once", "row", "rows",
    "look",
];

/// Reads `[[cluster]]`: a master and its replicas.
pub(super) fn clusters(top: &Fields<'_>, parts: &Parts<'_>) -> Checked<(Vec<Cluster>, Vec<Word>)> {
    const FIELDS: &[&str] = &["name", "count", "master", "address", "replicas", "reads"];
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("cluster", PARTS_MAX)? {
        let fields = Fields::of(node, "cluster", FIELDS)?;
        let name = fields.text("name", "what loads and classes call it")?;
        match counted(&fields)? {
            None => {
                found.push(cluster(&fields, &name, None, parts)?.0.numbered(parts, found.len()));
                names.push(name);
            }
            Some((count, _)) => {
                for n in 1..=count {
                    let name = numbered(&name, n);
                    let (cluster, used) = cluster(&fields, &name, Some(n), parts)?;
                    // Of several alike, those whose master takes part.
                    if used {
                        found.push(cluster.numbered(parts, found.len()));
                        names.push(name);
                    }
                }
            }
        }
    }
    check_unique(&names, "cluster")?;
    Ok((found, names))
}

fn cluster(
    fields: &Fields<'_>,
    name: &Word,
    number: Option<u64>,
    parts: &Parts<'_>,
) -> Checked<(Cluster, bool)> {
    let of = |word: &Word| number.map_or_else(|| word.clone(), |n| with_number(word, n));
    let master = of(&fields.text("master", "the host that is written to")?);
    let master_host = index_of(parts.host_names, &master, "host")?;
    let replicas: Vec<Word> =
        fields.texts("replicas", "the name of a host")?.iter().map(of).collect();
    let replicas = hosts_called(&replicas, "replicas", parts)?;
    let replicas: Vec<usize> = replicas.into_iter().filter(|&n| parts.hosts[n].used).collect();
    for (host, span) in [(master_host, &master.span)]
        .into_iter()
        .chain(replicas.iter().filter_map(|&host| Some((host, &fields.get("replicas")?.span))))
    {
        is_database(parts, host, span)?;
    }
    let readers =
        [("master", Readers::Master), ("replicas", Readers::Replicas), ("all", Readers::All)];
    let port = parts.hosts[master_host].database_port();
    let address = match fields.text_if("address", "an address that moves, such as \"10.0.9.1\"")? {
        None => None,
        Some(word) => {
            let word = of(&word);
            let ip = word.text.parse().map_err(|_| {
                let title = format!("\"{}\" is not an address", word.text);
                let label = "expected an address such as \"10.0.9.1\"";
                Box::new(Diagnostic::at(&word.span, title, label))
            })?;
            port.map(|port| (ip, port))
        }
    };
    let cluster = Cluster {
        name: name.text.clone(),
        master: master_host,
        address,
        replicas,
        readers: fields.choice("reads", &readers, Some(Readers::All))?,
    };
    Ok((cluster, parts.hosts[master_host].used))
}

impl Cluster {
    /// The same as the n-th of the story.
    fn numbered(self, parts: &Parts<'_>, n: usize) -> Self {
        let master = if self.address.is_some() { parts.hosts.len() + n } else { self.master };
        Self { master, ..self }
    }
}

/// The cluster that a word names.
pub(crate) fn cluster_called(word: &Word, parts: &Parts<'_>) -> Checked<usize> {
    index_of(parts.cluster_names, word, "cluster")
}

/// Refuses a host that runs no database.
pub(crate) fn is_database(parts: &Parts<'_>, host: usize, span: &Span) -> Checked<()> {
    if parts.hosts[host].database_port().is_some() {
        return Ok(());
    }
    let title = format!("host `{}` runs no database", parts.hosts[host].name);
    Err(Diagnostic::at(span, title, "expected a host that is a database")
        .help("give it run = [\"dbd --port 6379\"]")
        .into())
}

/// Reads `[[class]]`: what a request of each kind costs.
pub(super) fn classes(top: &Fields<'_>, clusters: &[Word]) -> Checked<(Vec<Class>, Vec<Word>)> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for node in top.tables("class", PARTS_MAX)? {
        let fields = Fields::of(node, "class", CLASS_FIELDS)?;
        let name = fields.text("name", "what loads call it")?;
        let home = match fields.text_if("database", "the name of a `[[cluster]]`")? {
            None => Home::None,
            Some(word) if word.text == OF_THE_USER => Home::OfTheUser,
            Some(word) => Home::Cluster(index_of(clusters, &word, "cluster")?),
        };
        let class = Class {
            name: name.text.clone(),
            weight: fields.integer("weight", 1..=1_000_000, Some(1))? as u32,
            cpu: fields.range("cpu", DURATION, Some((Duration::ZERO, Duration::ZERO)))?,
            page_bytes: short(&fields, "page", PAGE_BYTES_MAX, 1_000)? as u32,
            home,
            reads: fields.integer("reads", 0..=ROWS_MAX, Some(0))? as u32,
            writes: fields.integer("writes", 0..=ROWS_MAX, Some(0))? as u32,
            at_once: fields.flag("at_once", false)?,
            row_bytes: short(&fields, "row", ROW_BYTES_MAX, 200)? as u32,
            rows: fields.integer("rows", 1..=u64::from(u32::MAX), Some(100))? as u32,
            look: fields.get("look").map(|node| DURATION.read_range(node, "look")).transpose()?,
        };
        if class.cpu.1 > CPU_MAX {
            let at = &fields.required("cpu", "")?.span;
            let title = "a request that computes for longer than anybody waits";
            return Err(Diagnostic::at(at, title, "expected at most 10s").into());
        }
        if class.home == Home::None && class.reads + class.writes > 0 {
            let title = format!("{} asks a database and names none", fields.what());
            return Err(Diagnostic::at(fields.span(), title, "which one?")
                .help("add database = \"…\", the name of a `[[cluster]]`, or \"of-the-user\"")
                .into());
        }
        found.push(class);
        names.push(name);
    }
    check_unique(&names, "class")?;
    Ok((found, names))
}

fn short(fields: &Fields<'_>, key: &str, most: u64, otherwise: u64) -> Checked<u64> {
    match fields.get(key) {
        None => Ok(otherwise),
        Some(_) => fields.bytes(key, 0..=most),
    }
}
