//! A world of servers, applications and an operator.

use crate::load::{Ask, Load, Memory, Told, history};
use crate::toy::{PORT, SharedDisk, ToyDb};
use core::time::Duration;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use storytime_database::client::{Client, ClientOptions, Failure, Keep};
use storytime_database::config::{MasterMaster, Place};
use storytime_database::replication::ReplicationOptions;
use storytime_database::{Database, Reply};
use storytime_machine::{Boot, Cx, Endpoint, IpAddr, Machine, Process, Time, Token};
use storytime_sim::check::linear::{Model, Search, Verdict, by_key};
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::{
    Config, DiskConfig, Fault, HostConfig, HostId, ProcessId, ProgramConfig, Ran, World,
};

const BASE: Token = Token(1 << 20);
const TICK: Duration = Duration::from_millis(1);

type Questions = Arc<Mutex<VecDeque<(usize, String)>>>;
type Answers = Arc<Mutex<VecDeque<Result<Reply, Failure>>>>;

/// Types what it is told, and shows the answers.
struct Operator {
    client: Client,
    servers: Vec<Endpoint>,
    questions: Questions,
    answers: Answers,
}

impl Operator {
    fn collect(&mut self) {
        while let Some(event) = self.client.next_event() {
            self.answers.lock().expect("one thread").push_back(event.outcome);
        }
    }

    fn pass(&mut self, cx: &mut Cx, what: impl FnOnce(&mut Client, &mut Cx) -> bool) {
        what(&mut self.client, cx);
        self.collect();
    }
}

impl Machine for Operator {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        cx.after(Token(0), TICK);
    }

    storytime_machine::pass_to_part!(open data eof gone failed);

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        if timer != Token(0) {
            return self.pass(cx, |client, cx| client.on_timer(cx, timer));
        }
        cx.after(timer, TICK);
        let question = self.questions.lock().expect("one thread").pop_front();
        if let Some((server, words)) = question {
            let words: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
            let id = self.client.server(&self.servers[server]);
            self.client.ask(cx, id, &words, 0).expect("one at a time");
            self.collect();
        }
    }
}

/// What the servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The toy: many seeds in little time.
    Toy,
    /// The database itself, on a disk of this profile.
    Database(Profile),
}

/// The command line that asks for these options.
fn command_line(kind: Kind, options: &ReplicationOptions) -> storytime_database::Config {
    let mut config = storytime_database::Config::default();
    // The log is cut early, so that outages outlive it; but a checkpoint that was lost would end
    // the server.
    if kind != Kind::Database(Profile::Liar) {
        config.checkpoint_bytes = 24 << 10;
    }
    config.kept_bytes_max = options.kept_bytes_max;
    config.replicas_to_write = options.replicas_to_write;
    config.replicas_lag_max = options.replicas_lag_max;
    config.master_master = options.mutual.clone().map(|other| MasterMaster {
        other: Place { host: other.host, port: other.port },
        server_number: other.server_number,
        servers: other.servers,
    });
    config.replica_of = options.master.clone().map(|(host, port)| Place { host, port });
    config
}

/// Options of one server, by its number and the addresses of all.
pub(crate) type Options = fn(usize, &[IpAddr]) -> ReplicationOptions;

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) servers: Vec<(HostId, ProcessId)>,
    pub(crate) disks: Vec<SharedDisk>,
    pub(crate) memory: Memory,
    loads: Vec<HostId>,
    questions: Questions,
    answers: Answers,
}

/// The first is the master, all others follow it.
pub(crate) fn star(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
    let master = (server > 0).then(|| (ips[0].to_string(), PORT));
    ReplicationOptions { port: PORT, master, ..ReplicationOptions::default() }
}

impl Rig {
    pub(crate) fn new(config: Config, servers: usize, options: Options) -> Self {
        Self::of(Kind::Toy, config, servers, options)
    }

    pub(crate) fn of(kind: Kind, config: Config, servers: usize, options: Options) -> Self {
        let mut world = World::new(config);
        let mut add = |n| {
            let disk = match kind {
                Kind::Toy => None,
                // A controller that lies takes the end of the log, and nothing of its middle.
                Kind::Database(Profile::Liar) => {
                    let lies = Lies::CONTROLLER;
                    Some(DiskConfig { lies, ..DiskConfig::new(Profile::Liar) })
                }
                Kind::Database(profile) => Some(DiskConfig::new(profile)),
            };
            world.add_host(HostConfig { disk, ..HostConfig::new(format!("db{n}")) })
        };
        let hosts: Vec<HostId> = (0..servers).map(&mut add).collect();
        let ips: Vec<IpAddr> = hosts.iter().map(|host| world.ip(*host)).collect();
        let at: Vec<Endpoint> = ips.iter().map(|ip| Endpoint::tcp(*ip, PORT)).collect();
        let mut rig = Self {
            world,
            servers: Vec::new(),
            disks: Vec::new(),
            memory: Memory::default(),
            loads: Vec::new(),
            questions: Questions::default(),
            answers: Answers::default(),
        };
        for (n, host) in hosts.into_iter().enumerate() {
            let disk = SharedDisk::default();
            rig.disks.push(disk.clone());
            let ips = ips.clone();
            let program = ProgramConfig::new("db", move |setup| {
                let options = options(n, &ips);
                if kind == Kind::Toy {
                    return Box::new(Process::new(ToyDb::new(disk.clone(), options), setup));
                }
                Box::new(Process::new(Database::new(command_line(kind, &options)), setup))
            });
            let process = rig.world.add_program(host, program)[0];
            rig.servers.push((host, process));
            rig.world.power_on(host);
        }
        for n in 0..3 {
            let host = rig.world.add_host(HostConfig::new(format!("app{n}")));
            let (at, memory) = (at.clone(), rig.memory.clone());
            let program = ProgramConfig::new("app", move |setup| {
                let every = Duration::from_millis(8);
                let load = Load::new(n, at.clone(), memory.clone(), every);
                Box::new(Process::new(load, setup))
            });
            rig.world.add_program(host, program);
            rig.loads.push(host);
        }
        rig.add_operator(at);
        rig
    }

    fn add_operator(&mut self, servers: Vec<Endpoint>) {
        let host = self.world.add_host(HostConfig::new("operator"));
        let (questions, answers) = (self.questions.clone(), self.answers.clone());
        let program = ProgramConfig::new("operator", move |setup| {
            let options = ClientOptions { keep: Keep::PerRequest, ..ClientOptions::default() };
            let operator = Operator {
                client: Client::new(options, BASE),
                servers: servers.clone(),
                questions: questions.clone(),
                answers: answers.clone(),
            };
            Box::new(Process::new(operator, setup))
        });
        self.world.add_program(host, program);
        self.world.power_on(host);
    }

    /// The applications begin.
    pub(crate) fn begin_load(&mut self) {
        for host in self.loads.clone() {
            self.world.power_on(host);
        }
    }

    /// The applications end, and learn what they can of what they asked.
    pub(crate) fn end_load(&mut self) {
        self.memory.stop.store(1, Ordering::Relaxed);
        self.run_ms(2000);
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let until = self.world.now() + Duration::from_millis(ms);
        let ran = self.world.run_until(until);
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    }

    pub(crate) fn now(&self) -> Time {
        self.world.now()
    }

    pub(crate) fn power(&mut self, server: usize, on: bool) {
        let host = self.servers[server].0;
        let fault = if on { Fault::PowerOn(host) } else { Fault::PowerCut(host) };
        self.world.apply(&fault);
    }

    /// Cuts or mends all paths between two servers.
    pub(crate) fn cut(&mut self, a: usize, b: usize, on: bool) {
        let (a, b) = (self.servers[a].0, self.servers[b].0);
        for (from, to) in [(a, b), (b, a)] {
            let fault = if on { Fault::Cut { from, to } } else { Fault::Mend { from, to } };
            self.world.apply(&fault);
        }
    }

    /// The operator types this at a server, and does not look at the answer.
    pub(crate) fn ask(&mut self, server: usize, words: &str) {
        self.type_at(server, words);
        self.run_ms(1);
    }

    /// The operator will type this at a server within a millisecond.
    pub(crate) fn type_at(&self, server: usize, words: &str) {
        self.questions.lock().expect("one thread").push_back((server, words.to_owned()));
    }

    /// The operator types this at a server.
    pub(crate) fn tell(&mut self, server: usize, words: &str) -> Result<Reply, Failure> {
        self.answers.lock().expect("one thread").clear();
        self.type_at(server, words);
        for _ in 0..4000 {
            self.run_ms(1);
            if let Some(answer) = self.answers.lock().expect("one thread").pop_front() {
                return answer;
            }
        }
        panic!("no answer to {words}");
    }

    /// The same, as text.
    pub(crate) fn text(&mut self, server: usize, words: &str) -> String {
        match self.tell(server, words) {
            Ok(Reply::Simple(text) | Reply::Error(text) | Reply::Bulk(text)) => {
                String::from_utf8_lossy(&text).into_owned()
            }
            other => format!("{other:?}"),
        }
    }

    /// One line of INFO.
    pub(crate) fn info(&mut self, server: usize, name: &str) -> String {
        let info = self.text(server, "INFO everything");
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().to_owned()
    }

    /// The last durable record of a server.
    pub(crate) fn durable(&mut self, server: usize) -> i64 {
        match self.tell(server, "DB.POSITION") {
            Ok(Reply::Array(items)) => match items[..] {
                [_, _, Reply::Integer(durable)] => durable,
                _ => panic!("{items:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    /// Where `REPLICAOF` finds a server.
    pub(crate) fn at(&self, server: usize) -> String {
        format!("{} {PORT}", self.world.ip(self.servers[server].0))
    }

    /// Rows that a server has.
    pub(crate) fn rows(&mut self, server: usize) -> BTreeSet<u64> {
        let items = match self.tell(server, "ROW.RANGE t 1 - + KEYS") {
            Ok(Reply::Array(items)) => items,
            other => panic!("{other:?}"),
        };
        let number = |item| match item {
            Reply::Integer(number) => number as u64,
            Reply::Bulk(text) => {
                let text = core::str::from_utf8(&text).expect("items are numbers");
                text.parse().expect("items are numbers")
            }
            other => panic!("{other:?}"),
        };
        items.into_iter().map(number).collect()
    }

    /// Waits until all these servers have the same content.
    pub(crate) fn converge(&mut self, servers: &[usize], within_ms: u64) {
        let end = self.now() + Duration::from_millis(within_ms);
        loop {
            let digests: Vec<String> =
                servers.iter().map(|server| self.text(*server, "DB.DIGEST")).collect();
            let same = digests.iter().all(|digest| *digest == digests[0]);
            if same && !digests[0].contains(' ') && !digests[0].contains('(') {
                return;
            }
            let roles: Vec<_> = servers.iter().map(|s| self.text(*s, "INFO replication")).collect();
            assert!(self.now() < end, "{servers:?} stay apart: {digests:?}\n{roles:#?}");
            self.run_ms(200);
        }
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.memory.told.lock().expect("one thread").clone()
    }

    /// Rows whose writing was acknowledged.
    pub(crate) fn acknowledged(&self) -> BTreeSet<u64> {
        let acknowledged = |told: Told| match (told.ask, told.outcome) {
            (Ask::Put(item), Ok(Reply::Integer(_))) => Some(item),
            _ => None,
        };
        self.told().into_iter().filter_map(acknowledged).collect()
    }

    /// Whether the registers' history has an order.
    pub(crate) fn check_registers(&self) {
        let key = |ask: &Ask| match ask {
            Ask::Set(key, _) | Ask::Get(key) => *key,
            Ask::Put(_) => unreachable!("rows are not registers"),
        };
        for (key, history) in by_key(history(&self.told()), key) {
            let verdict = Search::default().check(&Register, &history);
            let linear = matches!(verdict, Verdict::Linearizable(_));
            assert!(linear, "register {key}: {verdict:?} of {} operations", history.len());
        }
    }
}

/// A register that holds a number or nothing.
struct Register;

impl Model for Register {
    type State = Option<u64>;
    type Input = Ask;
    type Output = Option<u64>;

    fn start(&self) -> Option<u64> {
        None
    }

    fn step(
        &self,
        state: &Option<u64>,
        ask: &Ask,
        output: Option<&Option<u64>>,
    ) -> Option<Option<u64>> {
        match ask {
            Ask::Set(_, value) => Some(Some(*value)),
            Ask::Get(_) => output.is_none_or(|seen| seen == state).then_some(*state),
            Ask::Put(_) => None,
        }
    }
}
