//! The numbers of a load of application servers: from the file to each host's machine.

use super::day::Day;
use super::{App, AppConfig, Book, JobServers, Shards, WORK_CPU, WORK_JOBS, Workload};
use crate::build::Seat;
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::PAGES_MAX;
use crate::models::kinds::{Boxed, LoadKind, LoadSpec, Shared};
use crate::models::pages::Choose;
use crate::models::web_pages::{Share, scheme};
use crate::read::{Parts, work};
use crate::story::{Arrivals, Cache, Placement, Setup};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_database::client::{ClientOptions as DatabaseOptions, Keep};
use storytime_machine::Endpoint;
use storytime_memcached::client::{ClientOptions, PoolOptions};

/// Requests of one host under way at one server: more than workers ever ask for.
const PENDING_MAX: usize = 1 << 20;
/// Bytes of requests of one host waiting to leave for one server.
const UNSENT_BYTES_MAX: usize = 256 << 20;

/// Most connections of one host to one database.
const CONNECTIONS_MAX: u64 = 100_000;
/// How long a database that failed is left alone.
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// Longest reply of a database, bytes.
const REPLY_BYTES_MAX: usize = 16 << 20;

/// The kind of load that a workload makes.
pub const fn kind<W: Workload>() -> LoadKind {
    LoadKind {
        name: W::KIND,
        fields: W::FIELDS,
        verbs: W::VERBS,
        works: &[WORK_JOBS, WORK_CPU],
        read: read::<W>,
    }
}

/// The numbers of one load.
pub struct AppLoad<W: Workload> {
    /// Of its workload.
    pub numbers: W::Numbers,
    /// The memcached servers at the beginning, in the order of the list.
    pub caches: Vec<Cache>,
    /// The hosts that watch the caches, on which port, and how long a watcher's word counts.
    pub watchers: Vec<usize>,
    /// See `watchers`.
    pub watch_port: u16,
    /// See `watchers`.
    pub watch_fresh: Duration,
    /// How a key finds its server.
    pub placement: Placement,
    /// The database behind: index of its model.
    pub database: Option<usize>,
    /// The port on which browsers and proxies ask.
    pub listen: Option<u16>,
    /// The web servers that are asked for pages, on which port, and how one is chosen.
    pub servers: (Vec<usize>, u16, Choose),
    /// How databases are asked.
    pub keep: Keep,
    /// How the load changes over the day.
    pub day: Option<Day>,
    /// When jobs come.
    pub arrivals: Arrivals,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long a cache that failed is left alone: at first, and at most. As the client has it, if
    /// the file says nothing.
    pub pause: Option<(Duration, Duration)>,
    /// Jobs under way at once on one host.
    pub workers: u32,
    /// Jobs that wait for a worker on one host; further ones fail.
    pub queue_max: u32,
    /// How long after the beginning the first jobs come.
    pub warmup: Duration,
    /// How long before the end no more jobs begin; 0 if they go on to the end.
    pub settle: Duration,
}

/// What the hosts of a load share in one run.
struct Run<W: Workload> {
    ledger: Arc<Mutex<W::Ledger>>,
    /// By host. A process that starts again finds its figures here.
    books: Vec<Arc<Mutex<Book>>>,
}

fn read<W: Workload>(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Arc<dyn LoadSpec>> {
    let has_database = W::NEEDS_DATABASE || fields.get("database").is_some();
    let database = has_database.then(|| work::database(fields, parts)).transpose()?;
    let warmup = fields.quantity("warmup", DURATION, Some(Duration::ZERO))?;
    let settle = fields.quantity("settle", DURATION, Some(Duration::ZERO))?;
    if warmup.saturating_add(settle) >= parts.duration {
        let title = format!("{} never does anything", fields.what());
        let at = fields.get("settle").or_else(|| fields.get("warmup"));
        let at = at.map_or_else(|| fields.span(), |node| &node.span);
        return Err(Diagnostic::at(at, title, "warm-up and settling fill the story")
            .help("raise story.duration, or lower one of the two")
            .into());
    }
    Ok(Arc::new(AppLoad::<W> {
        numbers: W::read(fields, parts)?,
        caches: match fields.get("caches") {
            None if !W::NEEDS_CACHES => Vec::new(),
            _ => work::caches(fields, parts)?,
        },
        listen: match fields.get("listen") {
            Some(_) => Some(fields.integer("listen", 1..=65_535, None)? as u16),
            None => None,
        },
        servers: servers::<W>(fields, parts)?,
        keep: keep(fields)?,
        day: Day::read(fields, parts.duration)?,
        watchers: match fields.get("watchers") {
            Some(_) => work::some_hosts(fields, "watchers", parts)?,
            None => Vec::new(),
        },
        watch_port: fields.integer("watch_port", 1..=65_535, Some(7_000))? as u16,
        watch_fresh: fields.quantity("watch_fresh", DURATION, Some(Duration::from_secs(3)))?,
        placement: fields.choice("placement", work::PLACEMENTS, Some(Placement::Modulo))?,
        database,
        arrivals: match fields.get("listen") {
            None if !W::TAKES_JOBS => work::arrivals(fields)?,
            _ => Arrivals::Asked,
        },
        timeout: fields.quantity("timeout", DURATION, Some(Duration::from_secs(3)))?,
        pause: fields.get("pause").map(|node| DURATION.read_range(node, "pause")).transpose()?,
        workers: fields.integer("workers", 1..=PAGES_MAX, None)? as u32,
        queue_max: fields.integer("queue", 0..=PAGES_MAX, Some(0))? as u32,
        warmup,
        settle,
    }))
}

/// The web servers that are asked for pages.
fn servers<W: Workload>(
    fields: &Fields<'_>,
    parts: &Parts<'_>,
) -> Checked<(Vec<usize>, u16, Choose)> {
    if !W::NEEDS_SERVERS {
        return Ok((Vec::new(), 0, Choose::InTurn));
    }
    let names = [("in-turn", Choose::InTurn), ("least-busy", Choose::LeastBusy)];
    let hosts = work::some_hosts(fields, "servers", parts)?;
    let port = fields.integer("port", 1..=65_535, Some(80))? as u16;
    Ok((hosts, port, fields.choice("choose", &names, Some(Choose::LeastBusy))?))
}

/// How connections to databases are used.
fn keep(fields: &Fields<'_>) -> Checked<Keep> {
    #[derive(Clone, Copy)]
    enum Kind {
        Pooled,
        Exclusive,
        PerRequest,
    }
    let kinds = [
        ("pooled", Kind::Pooled),
        ("exclusive", Kind::Exclusive),
        ("per-request", Kind::PerRequest),
    ];
    let connections = fields.integer("connections", 1..=CONNECTIONS_MAX, Some(4))? as u32;
    Ok(match fields.choice("keep", &kinds, Some(Kind::Pooled))? {
        Kind::Pooled => Keep::Pooled(connections),
        Kind::Exclusive => Keep::Exclusive(connections),
        Kind::PerRequest => Keep::PerRequest,
    })
}

impl<W: Workload> fmt::Debug for AppLoad<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", W::KIND, self.numbers)
    }
}

impl<W: Workload> LoadSpec for AppLoad<W> {
    fn metrics(&self) -> &'static [MetricDef] {
        W::METRICS
    }

    fn words(&self, hosts: usize) -> String {
        let hosts = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
        format!("{} over {hosts}, {}", self.arrivals.words(), W::KIND)
    }

    fn share(&self, setup: &Setup, parts: usize) -> Shared {
        let book = || Arc::new(Mutex::new(Book::new(W::METRICS, setup.duration, setup.bucket)));
        let books = (0..parts).map(|_| book()).collect();
        Arc::new(Run::<W> { ledger: Arc::default(), books })
    }

    fn build(&self, seat: &Seat<'_>) -> Boxed {
        let run: &Run<W> = seat.shared.downcast_ref().expect("made by this load's `share`");
        let part = seat.part as u32;
        let work = W::new(self.numbers.clone(), part, Arc::clone(&run.ledger));
        Box::new(App::new(self.config(seat), work, Arc::clone(&run.books[seat.part])))
    }
}

impl<W: Workload> AppLoad<W> {
    /// The workload's own options for shards, with this load's time-outs and connections.
    fn sharding(
        &self,
        databases: &[Option<Endpoint>],
        client: &ClientOptions,
        database_client: &DatabaseOptions,
    ) -> Option<Shards> {
        let (mut options, map) = W::sharding(&self.numbers, databases)?;
        options.database = database_client.clone();
        if let Some(cache) = &mut options.cache {
            cache.memcached = client.clone();
        }
        Some((options, map))
    }

    /// What the host has to do with job servers, and where they are.
    fn job_servers(&self, seat: &Seat<'_>) -> Option<(JobServers, Vec<Endpoint>)> {
        let mut servers = W::job_servers(&self.numbers);
        if !servers.groups.is_empty() {
            servers.functions = servers.groups[seat.part % servers.groups.len()].clone();
        }
        let its = servers.hosts.iter().filter(|&&host| !servers.own || host == seat.host());
        let at = its.map(|&host| seat.job_server(host)).collect();
        (!servers.hosts.is_empty()).then_some((servers, at))
    }

    fn config(&self, seat: &Seat<'_>) -> AppConfig {
        let (part, parts) = (seat.part as u32, seat.parts() as u32);
        let mut pool = PoolOptions {
            connect_timeout: self.timeout,
            request_timeout: self.timeout,
            pending_max: PENDING_MAX,
            unsent_bytes_max: UNSENT_BYTES_MAX,
            ..PoolOptions::default()
        };
        if let Some((least, most)) = self.pause {
            (pool.health.pause_min, pool.health.pause_max) = (least, most);
        }
        let scheme = scheme(self.placement);
        let mut client = ClientOptions { scheme, pool, ..ClientOptions::default() };
        W::tune(&self.numbers, &mut client);
        let users_before = (0..part).map(|n| match Share::of(self.arrivals, n, parts) {
            Share::Closed { users, .. } => users,
            Share::Open { .. } | Share::Asked => 0,
        });
        let (servers, port, choose) = &self.servers;
        let database_client = DatabaseOptions {
            keep: self.keep,
            timeout: self.timeout,
            connect_timeout: self.timeout,
            retry_after: RETRY_AFTER,
            requests_max: PENDING_MAX,
            reply_bytes_max: REPLY_BYTES_MAX,
        };
        AppConfig {
            part,
            caches: seat.servers(&self.caches),
            changes: seat.cache_changes(&self.caches),
            watchers: (
                self.watchers.iter().map(|&host| seat.endpoint(host, self.watch_port)).collect(),
                self.watch_fresh,
            ),
            told: seat.told(),
            client: client.clone(),
            database: self.database.map(|model| {
                let (at, numbers) = seat.database(model);
                (at, numbers.row_bytes)
            }),
            listen: self.listen,
            servers: (servers.iter().map(|&host| seat.endpoint(host, *port)).collect(), *choose),
            sharding: self.sharding(&seat.databases(), &client, &database_client),
            databases: seat.databases(),
            database_client,
            job_servers: self.job_servers(seat),
            coordinator: W::coordinator(&self.numbers)
                .map(|(host, port)| seat.endpoint(host, port)),
            day: self.day.clone(),
            computes: seat.computes,
            arrivals: Share::of(self.arrivals, part, parts),
            first_user: users_before.sum(),
            timeout: self.timeout,
            workers: self.workers,
            queue_max: self.queue_max,
            first_key: seat.first_key(),
            duration: seat.setup.duration,
            warmup: self.warmup,
            settle: self.settle,
        }
    }
}
