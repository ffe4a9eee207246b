//! A site: a directory, database hosts with their shards, memcached servers, applications.

use crate::app::{App, Desk, Shared};
use std::sync::Arc;
use storytime_database::Database;
use storytime_machine::{Bytes, Duration, Endpoint, Machine, Process};
use storytime_memcached::client::{Node, ServerSpec};
use storytime_memcached::{Server, Shared as Cache};
use storytime_sharding::map::{Flags, Host, Plan, Shard, generate};
use storytime_sharding::{
    CacheOptions, Change, Error, Options, Outcome, Query, Request, Row, ShardId, ShardMap, Store,
    UserId, Written,
};
use storytime_sim::disk::DiskConfig;
use storytime_sim::{Config, HostConfig, HostId, Link, ProgramConfig, Ran, World};

const DATABASE_PORT: u16 = 6379;
const CACHE_PORT: u16 = 11211;
/// The directory's own database, as if it were a shard: for tests that look into it.
pub(crate) const DIRECTORY: ShardId = ShardId(1000);
/// How long a request may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a site is made of.
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) hosts: usize,
    pub(crate) shards_per_host: u32,
    pub(crate) caches: usize,
    pub(crate) apps: usize,
    pub(crate) link: Link,
    pub(crate) options: Options,
}

impl Shape {
    pub(crate) fn new(seed: u64) -> Self {
        let options = Options::default();
        Self { seed, hosts: 2, shards_per_host: 2, caches: 0, apps: 1, link: Link::RACK, options }
    }

    pub(crate) fn cached(seed: u64, cache: CacheOptions) -> Self {
        let mut shape = Self { caches: 2, ..Self::new(seed) };
        shape.options.cache = Some(cache);
        shape
    }
}

pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) map: ShardMap,
    pub(crate) directory: HostId,
    pub(crate) databases: Vec<HostId>,
    pub(crate) caches: Vec<HostId>,
    pub(crate) apps: Vec<HostId>,
    pub(crate) desks: Vec<Shared>,
    pub(crate) specs: Vec<ServerSpec>,
}

impl Site {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut site = Self::without_apps(&shape);
        for n in 0..shape.apps {
            let desk = Shared::default();
            let (options, map) = (shape.options.clone(), site.map.clone());
            let (specs, shared) = (site.specs.clone(), Arc::clone(&desk));
            let make =
                move || App::new(options.clone(), map.clone(), specs.clone(), Arc::clone(&shared));
            site.add_app(format!("app{n}"), make);
            site.desks.push(desk);
        }
        // The databases read their disks first.
        site.pass(Duration::from_secs(1));
        site
    }

    /// The same, with applications still to come.
    pub(crate) fn without_apps(shape: &Shape) -> Self {
        let mut world = World::new(Config { link: shape.link, ..Config::new(shape.seed) });
        let directory = add_database(&mut world, "directory");
        let databases: Vec<HostId> =
            (0..shape.hosts).map(|n| add_database(&mut world, &format!("db{n}"))).collect();
        let caches: Vec<HostId> =
            (0..shape.caches).map(|n| add_cache(&mut world, &format!("cache{n}"))).collect();
        let at = |host: &HostId| Endpoint::tcp(world.ip(*host), DATABASE_PORT);
        let mut map = generate(&Plan {
            directory: Some(Store { at: at(&directory), select: 0 }),
            index: Some(Store { at: at(&directory), select: 1 }),
            hosts: databases.iter().map(|host| (at(host), Vec::new())).collect(),
            databases_per_host: 1,
            shards_per_database: shape.shards_per_host,
        });
        map.hosts.push(Host {
            name: "directory".to_owned(),
            master: at(&directory),
            replicas: Vec::new(),
        });
        map.shards.push(Shard {
            id: DIRECTORY,
            host: map.hosts.len() - 1,
            database: "directory".to_owned(),
            select: 0,
            // No new user comes here.
            flags: Flags::READ_ONLY,
        });
        assert_eq!(map.mistake(), None);
        let spec = |host: &HostId| ServerSpec {
            node: Node::new(world.ip(*host).to_string(), CACHE_PORT),
            at: Endpoint::tcp(world.ip(*host), CACHE_PORT),
        };
        let specs = caches.iter().map(spec).collect();
        let (apps, desks) = (Vec::new(), Vec::new());
        Self { world, map, directory, databases, caches, apps, desks, specs }
    }

    pub(crate) fn add_app<M: Machine + 'static>(
        &mut self,
        name: String,
        make: impl Fn() -> M + 'static,
    ) -> HostId {
        let host = self.world.add_host(HostConfig::new(name));
        let factory = move |setup| Box::new(Process::new(make(), setup)) as _;
        self.world.add_program(host, ProgramConfig::new("app", factory));
        self.world.power_on(host);
        self.apps.push(host);
        host
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.world.now() + span;
        let ran = self.world.run_until(end);
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    }

    fn desk<R>(&self, app: usize, with: impl FnOnce(&mut Desk) -> R) -> R {
        with(&mut self.desks[app].lock().expect("no machine panics"))
    }

    pub(crate) fn counters(&self) -> storytime_sharding::ShardingCounters {
        self.desk(0, |desk| desk.counters)
    }

    pub(crate) fn lag(&self) -> Duration {
        self.desk(0, |desk| desk.lag)
    }

    pub(crate) fn set_map(&mut self, map: ShardMap) {
        self.map = map.clone();
        for app in 0..self.desks.len() {
            self.desk(app, |desk| desk.new_map = Some(map.clone()));
        }
    }

    /// Asks an application for all of these at once; when each was answered, and how.
    pub(crate) fn ask_all(
        &mut self,
        app: usize,
        requests: Vec<Request>,
    ) -> Vec<(Duration, Result<Outcome, Error>)> {
        let first = self.desk(app, |desk| {
            let first = desk.answers.len() + desk.inbox.len();
            desk.inbox.extend(requests);
            first
        });
        let end = self.world.now() + PATIENCE;
        loop {
            self.pass(Duration::from_millis(1));
            let done = self.desk(app, |desk| {
                let all = desk.answers.iter().skip(first);
                let answers = all.map(|(asked, answer)| {
                    answer.clone().map(|(at, outcome)| (at.since(*asked), outcome))
                });
                if desk.inbox.is_empty() { answers.collect::<Option<Vec<_>>>() } else { None }
            });
            if let Some(done) = done {
                return done;
            }
            assert!(self.world.now() < end, "every request ends");
        }
    }

    pub(crate) fn try_ask(&mut self, request: Request) -> Result<Outcome, Error> {
        self.ask_all(0, vec![request]).remove(0).1
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: Request) -> Outcome {
        self.try_ask(request).expect("it can be done")
    }

    /// Asks a shard's database as it stands.
    #[track_caller]
    pub(crate) fn raw(&mut self, shard: ShardId, words: &[&str]) -> storytime_database::Reply {
        let words = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        match self.ask(Request::Shard { shard, words }) {
            Outcome::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn register(&mut self, name: &str, shard: u32) -> UserId {
        let name = Bytes::copy_from_slice(name.as_bytes());
        match self.ask(Request::Register { name, shard: Some(ShardId(shard)) }) {
            Outcome::Registered(user) => user,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn write(&mut self, user: UserId, change: Change) -> Written {
        match self.ask(write(user, change)) {
            Outcome::Written(written) => written,
            other => panic!("{other:?}"),
        }
    }

    /// The item of a new row.
    #[track_caller]
    pub(crate) fn create(&mut self, user: UserId, value: &str) -> u64 {
        self.write(user, create(value)).rows[0].0
    }

    /// The user's newest rows: item and value.
    #[track_caller]
    pub(crate) fn select(&mut self, user: UserId, limit: u32) -> Vec<(u64, String)> {
        match self.ask(select(user, limit)) {
            Outcome::Rows(rows) => rows.iter().map(pair).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn count(&mut self, user: UserId) -> u64 {
        let request = Request::Count { table: BLOG, user, min: 0, max: u64::MAX };
        match self.ask(request) {
            Outcome::Count(count) => count,
            other => panic!("{other:?}"),
        }
    }
}

fn pair(row: &Row) -> (u64, String) {
    (row.item, String::from_utf8_lossy(&row.value).into_owned())
}

pub(crate) const BLOG: Bytes = Bytes::from_static(b"blog");

pub(crate) fn write(user: UserId, change: Change) -> Request {
    Request::Write { user, changes: vec![change], index: None }
}

pub(crate) fn create(value: &str) -> Change {
    Change::Create { table: BLOG, item: None, value: Bytes::copy_from_slice(value.as_bytes()) }
}

pub(crate) fn update(item: u64, value: &str) -> Change {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Change::Update { table: BLOG, item, version: None, value }
}

pub(crate) fn delete(item: u64) -> Change {
    Change::Delete { table: BLOG, item, version: None }
}

pub(crate) fn select(user: UserId, limit: u32) -> Request {
    Request::Select { table: BLOG, user, query: Query::newest(limit) }
}

fn add_database(world: &mut World, name: &str) -> HostId {
    let disk = Some(DiskConfig::default());
    let host = world.add_host(HostConfig { disk, ..HostConfig::new(name) });
    let words = ["--port", "6379", "--dir", "data"];
    let command = storytime_database::Command::from_words(&words).expect("a good command line");
    let storytime_database::Command::Serve(config) = command else { panic!("it serves") };
    let limits = config.limits();
    let factory = move |setup| Box::new(Process::new(Database::new((*config).clone()), setup)) as _;
    world.add_program(host, ProgramConfig { limits, ..ProgramConfig::new("dbd", factory) });
    world.power_on(host);
    host
}

fn add_cache(world: &mut World, name: &str) -> HostId {
    let host = world.add_host(HostConfig::new(name));
    let config = storytime_memcached::Config::from_words(&["-m", "64"]).expect("a good line");
    let shared = Arc::new(Cache::new(&config));
    let limits = config.limits();
    let factory = move |setup| {
        let server = Server::new(config.clone(), Arc::clone(&shared));
        Box::new(Process::new(server, setup)) as _
    };
    world.add_program(host, ProgramConfig { limits, ..ProgramConfig::new("memcached", factory) });
    world.power_on(host);
    host
}
