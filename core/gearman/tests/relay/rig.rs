//! A world of two job servers, a witness, an application and a worker.

use crate::people::{Asker, Book, Doer, PACE, Typist};
use core::time::Duration;
use storytime_gearman::config::{Alone, Relay};
use storytime_gearman::tools::Place;
use storytime_gearman::{Command, Config as ServerConfig, Gearmand, PORT};
use storytime_machine::{Drive, Endpoint, Machine, Process, Setup};
use storytime_pair::config::Bug;
use storytime_pair::{Witness, WitnessConfig};
use storytime_sim::{
    Config, DiskConfig, Fault, HostConfig, HostId, ProcessId, ProgramConfig, Ran, World,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SERVERS: [HostId; 2] = [HostId(0), HostId(1)];
pub(crate) const WITNESS: HostId = HostId(2);
const RELAY_PORT: u16 = 4731;
const WITNESS_PORT: u16 = 7000;
pub(crate) const HTTP_PORT: u16 = 8080;
const STEP: Duration = Duration::from_millis(5);

/// How a world is made.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) disks: [DiskConfig; 2],
    pub(crate) alone: Alone,
    pub(crate) bug: Option<Bug>,
    /// When jobs begin to be submitted.
    pub(crate) begin: Duration,
}

impl Setting {
    pub(crate) fn new(seed: u64) -> Self {
        let disks = [quick_disk(), quick_disk()];
        Self { seed, disks, alone: Alone::Accept, bug: None, begin: PACE }
    }
}

/// An honest disk, fast enough for many flushes in a short run.
pub(crate) fn quick_disk() -> DiskConfig {
    DiskConfig { iops: 20_000, flush: Duration::from_micros(300), ..DiskConfig::default() }
}

pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) book: Book,
    pub(crate) takeovers: u64,
    last_served: Option<usize>,
    typists: Vec<HostId>,
}

/// Options of one of the two servers.
fn server(setting: &Setting, world: &World, index: usize) -> ServerConfig {
    // Segments and checkpoints come within a short run.
    let words = "--queue-dir queue --checkpoint-bytes 64k -r http --http-port 8080";
    let words: Vec<&str> = words.split(' ').collect();
    let Ok(Command::Serve(config)) = Command::from_words(&words) else {
        panic!("a right command line");
    };
    let place = |host, port| Place { host: world.ip(host).to_string(), port };
    let relay = Relay {
        other: place(SERVERS[1 - index], RELAY_PORT),
        listen: RELAY_PORT,
        witness: place(WITNESS, WITNESS_PORT),
        first: index == 0,
        alone: setting.alone,
        bug: setting.bug,
    };
    let handle_prefix = Some("H:relay".to_owned());
    ServerConfig { relay: Some(relay), handle_prefix, reserve_bytes: 64 << 10, ..*config }
}

fn boxed<M: Machine>(machine: M, setup: Setup) -> Box<dyn Drive> {
    Box::new(Process::new(machine, setup))
}

impl Rig {
    pub(crate) fn new(setting: &Setting) -> Self {
        let (world, book) = Self::build(setting);
        Self::around(world, book)
    }

    /// A world that has not begun.
    pub(crate) fn build(setting: &Setting) -> (World, Book) {
        let mut world = World::new(Config::new(setting.seed));
        let book = Book::default();
        let mut add = |name: &str, disk| {
            world.add_host(HostConfig { disk, ..HostConfig::new(name) });
        };
        let [first, second] = setting.disks.clone();
        add("job1", Some(first));
        add("job2", Some(second));
        add("witness", Some(quick_disk()));
        add("web", None);
        add("worker", None);
        for (index, host) in SERVERS.into_iter().enumerate() {
            let config = server(setting, &world, index);
            let limits = config.limits();
            let make = move |setup| boxed(Gearmand::new(config.clone()), setup);
            world.add_program(
                host,
                ProgramConfig { limits, ..ProgramConfig::new("gearmand", make) },
            );
        }
        let court = |setup| boxed(Witness::new(WitnessConfig::default()), setup);
        world.add_program(WITNESS, ProgramConfig::new("witness", court));
        let ends = SERVERS.map(|host| Endpoint::tcp(world.ip(host), PORT));
        let (seen, servers) = (book.clone(), ends.clone());
        let begin = setting.begin;
        let asker = move |setup| boxed(Asker::new(seen.clone(), &servers, begin), setup);
        world.add_program(HostId(3), ProgramConfig::new("asker", asker));
        let (seen, servers) = (book.clone(), ends);
        let doer = move |setup| boxed(Doer::new(seen.clone(), &servers), setup);
        world.add_program(HostId(4), ProgramConfig::new("doer", doer));
        for host in 0..5 {
            world.power_on(HostId(host));
        }
        (world, book)
    }

    /// Takes over a world at any time of its life.
    pub(crate) fn around(world: World, book: Book) -> Self {
        Self { world, book, takeovers: 0, last_served: None, typists: Vec::new() }
    }

    pub(crate) fn process(index: usize) -> ProcessId {
        ProcessId(index as u32)
    }

    /// Whether one of the servers would serve at this moment.
    pub(crate) fn serves(&mut self, index: usize) -> bool {
        let now = self.world.now();
        let process = Self::process(index);
        let machine = |world: &mut World| world.machine::<Gearmand>(process).map(|m| m.serves(now));
        self.world.is_running(process) && machine(&mut self.world).unwrap_or(false)
    }

    pub(crate) fn serving(&mut self) -> Option<usize> {
        (0..2).find(|&index| self.serves(index))
    }

    pub(crate) fn counter(&mut self, index: usize, name: &str) -> u64 {
        let mut found = 0;
        self.world.counters(Self::process(index), &mut |each, value| {
            if each == name {
                found = value;
            }
        });
        found
    }

    /// Whether one serves and the other one has everything.
    pub(crate) fn is_whole(&mut self) -> bool {
        let serving = self.serving();
        let mut recorded = false;
        self.world.counters(ProcessId(2), &mut |name, value| {
            recorded |= name == "both_equal" && value == 1;
        });
        recorded && serving.is_some_and(|index| self.counter(index, "pair_equal") == 1)
    }

    /// Runs on, looking every few milliseconds, and starts what has ended by itself.
    pub(crate) fn run(&mut self, span: Duration) -> Result<(), String> {
        let until = self.world.now() + span;
        while self.world.now() < until {
            if let Ran::Broken(failure) = self.world.run_until(self.world.now() + STEP) {
                return Err(failure.to_string());
            }
            if self.serves(0) && self.serves(1) {
                return Err(format!("{}: both serve", self.world.now()));
            }
            if let Some(serving) = self.serving()
                && self.last_served != Some(serving)
            {
                self.takeovers += u64::from(self.last_served.is_some());
                self.last_served = Some(serving);
            }
            for process in 0..3 {
                let process = ProcessId(process);
                if self.world.exit(process).is_some() && !self.world.is_running(process) {
                    self.world.start(process);
                }
            }
        }
        Ok(())
    }

    /// Runs until something holds.
    pub(crate) fn run_until(
        &mut self,
        most: Duration,
        what: &str,
        mut holds: impl FnMut(&mut Self) -> bool,
    ) -> Result<(), String> {
        let until = self.world.now() + most;
        while !holds(self) {
            if self.world.now() >= until {
                return Err(format!("{}: not within {most:?}: {what}", self.world.now()));
            }
            self.run(STEP * 5)?;
        }
        Ok(())
    }

    pub(crate) fn whole(&mut self) -> Result<(), String> {
        self.run_until(SECOND * 30, "one serves and the other one is equal", Self::is_whole)
    }

    /// What was accepted is done, and more is accepted.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.book.open().submits_max = u64::MAX;
        let accepted = self.book.open().accepted.len();
        self.run_until(SECOND * 30, "a new job is accepted", |rig| {
            rig.book.open().accepted.len() > accepted
        })?;
        self.finish()
    }

    /// What was accepted is done.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        {
            let mut seen = self.book.open();
            (seen.submits_max, seen.done_max) = (0, usize::MAX);
        }
        let done = self.run_until(SECOND * 30, "all is done", |rig| rig.book.missing().is_empty());
        let missing = self.book.missing();
        done.map_err(|why| format!("{why}; accepted and never done: {missing:?}"))
    }

    /// Cuts both ways between two hosts.
    pub(crate) fn cut(&mut self, a: HostId, b: HostId) {
        self.world.apply(&Fault::Cut { from: a, to: b });
        self.world.apply(&Fault::Cut { from: b, to: a });
    }

    /// What a server says to a line.
    pub(crate) fn say(&mut self, index: usize, line: &'static str) -> String {
        self.say_at(index, PORT, line)
    }

    /// What a server says at another of its ports.
    pub(crate) fn say_at(&mut self, index: usize, port: u16, line: &'static str) -> String {
        let host = self.world.add_host(HostConfig::new("operator"));
        let to = Endpoint::tcp(self.world.ip(SERVERS[index]), port);
        let book = self.book.clone();
        let make = move |setup| boxed(Typist::new(book.clone(), to.clone(), line), setup);
        self.world.add_program(host, ProgramConfig::new("typist", make));
        self.world.power_on(host);
        self.typists.push(host);
        self.run(Duration::from_millis(100)).expect("nothing is wrong");
        self.book.open().said.clone()
    }
}
