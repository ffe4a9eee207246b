//! The client and the worker against a little job server that can misbehave: each request ends once
//! and truly, and no job is lost silently, whatever happens.

mod asker;
mod choices;
mod client;
mod cuts;
mod doer;
mod results;
mod sets;
mod setter;
mod shared;
mod special;
mod toy;
mod worker;

use asker::{Ask, Asker};
use bytes::Bytes;
use core::time::Duration;
use doer::Doer;
use storytime_gearman::adapter::Adapter;
use storytime_gearman::client::{Client, ClientOptions, Event};
use storytime_gearman::worker::{Worker, WorkerOptions};
use storytime_machine::{Drive, IpAddr, Limits, Machine, Process, Time};
use storytime_sim::disk::{DiskConfig, Profile};
use storytime_sim::{Config, HostConfig, HostId, ProcessId, ProgramConfig, Ran, World};
use toy::Toy;

/// A world of job servers, and what uses them.
pub(crate) struct Bench {
    pub(crate) world: World,
    pub(crate) servers: Vec<ProcessId>,
    ips: Vec<IpAddr>,
    pub(crate) asker: Option<ProcessId>,
    pub(crate) doers: Vec<ProcessId>,
}

impl Bench {
    pub(crate) fn new(servers: usize) -> Self {
        Self::with(Config::new(1), servers, Toy::default)
    }

    /// Servers made in this way: the little ones, or real ones.
    pub(crate) fn with<M: Machine>(
        config: Config,
        servers: usize,
        server: impl Fn() -> M + Clone + 'static,
    ) -> Self {
        let world = World::new(config);
        let (servers_, ips) = (Vec::new(), Vec::new());
        let mut bench = Self { world, servers: servers_, ips, asker: None, doers: Vec::new() };
        for nth in 0..servers {
            let (host, process) = bench.add(&format!("server{nth}"), server.clone());
            bench.ips.push(bench.world.ip(host));
            bench.servers.push(process);
        }
        bench
    }

    fn add<M: Machine>(
        &mut self,
        name: &str,
        machine: impl Fn() -> M + 'static,
    ) -> (HostId, ProcessId) {
        let disk = Some(DiskConfig::new(Profile::Posix));
        let host = self.world.add_host(HostConfig { disk, ..HostConfig::new(name) });
        let make = move |setup| -> Box<dyn Drive> { Box::new(Process::new(machine(), setup)) };
        // Less output than some tests have to send.
        let limits = Limits { tx_bytes_max: 8 << 20, ..Limits::default() };
        let program = ProgramConfig { limits, ..ProgramConfig::new("program", make) };
        let process = self.world.add_program(host, program)[0];
        self.world.power_on(host);
        (host, process)
    }

    /// An application that asks what a script says.
    pub(crate) fn ask(mut self, options: ClientOptions, script: Vec<Ask>) -> Self {
        let ips = self.ips.clone();
        let make = move || Asker::new(options.clone(), &ips, script.clone());
        self.asker = Some(self.add("asker", make).1);
        self
    }

    /// A worker.
    pub(crate) fn work(self, options: WorkerOptions) -> Self {
        self.work_as(options, |_| ())
    }

    /// A worker with habits.
    pub(crate) fn work_as(
        mut self,
        options: WorkerOptions,
        habits: impl Fn(&mut Doer) + 'static,
    ) -> Self {
        let ips = self.ips.clone();
        let make = move || {
            let mut doer = Doer::new(options.clone(), &ips);
            habits(&mut doer.handler);
            doer
        };
        let doer = self.add("doer", make).1;
        self.doers.push(doer);
        self
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_ms(seconds * 1000);
    }

    /// Runs until so many milliseconds after the beginning of the world.
    pub(crate) fn run_ms(&mut self, ms: u64) {
        let ran = self.world.run_until(Time::ZERO + Duration::from_millis(ms));
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    }

    pub(crate) fn asker(&mut self) -> &mut Asker {
        &mut self.asking().handler
    }

    /// The client of the application.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.asking().part
    }

    fn asking(&mut self) -> &mut Adapter<Asker> {
        let asker = self.asker.expect("there is one");
        self.world.machine(asker).expect("the application runs")
    }

    pub(crate) fn doer(&mut self, nth: usize) -> &mut Doer {
        &mut self.doing(nth).handler
    }

    /// The worker of a doer.
    pub(crate) fn worker(&mut self, nth: usize) -> &mut Worker {
        &mut self.doing(nth).part
    }

    fn doing(&mut self, nth: usize) -> &mut Adapter<Doer> {
        self.world.machine(self.doers[nth]).expect("the worker runs")
    }

    pub(crate) fn toy(&mut self, nth: usize) -> &mut Toy {
        self.world.machine(self.servers[nth]).expect("the server runs")
    }

    pub(crate) fn host_of(&self, nth: usize) -> HostId {
        self.world.hosts().nth(nth).expect("servers are the first hosts")
    }
}

pub(crate) fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// The short name of an event, for comparing.
pub(crate) fn short(event: &Event) -> String {
    let text = |data: &Bytes| String::from_utf8_lossy(data).into_owned();
    match event {
        Event::Created { background: false, .. } => "created".to_owned(),
        Event::Created { background: true, .. } => "accepted".to_owned(),
        Event::Data { data, .. } => format!("data {}", text(data)),
        Event::Warning { data, .. } => format!("warning {}", text(data)),
        Event::Status { progress, .. } => {
            format!("status {}/{}", progress.numerator, progress.denominator)
        }
        Event::Complete { data, .. } => format!("complete {}", text(data)),
        Event::Failed { .. } => "failed".to_owned(),
        Event::Exception { data, .. } => format!("exception {}", text(data)),
        Event::Lost { handle, why, .. } => {
            format!("lost {why:?}{}", if handle.is_some() { " running" } else { "" })
        }
        Event::NotSent { .. } => "not sent".to_owned(),
        Event::Refused { code, .. } => format!("refused {}", text(code)),
        Event::StatusIs { status, .. } => format!(
            "status {} {} {}/{} {:?}",
            status.known,
            status.running,
            status.progress.numerator,
            status.progress.denominator,
            status.clients
        ),
        Event::Echoed { data, .. } => format!("echoed {}", text(data)),
    }
}

impl Asker {
    /// What happened to a request, in short.
    pub(crate) fn story(&self, tag: u64) -> Vec<String> {
        self.of(tag).iter().map(short).collect()
    }

    /// How each of some requests ended, in short.
    pub(crate) fn endings(&self, tags: core::ops::Range<u64>) -> Vec<String> {
        tags.map(|tag| self.end(tag).map_or_else(|| "nothing".to_owned(), short)).collect()
    }
}
