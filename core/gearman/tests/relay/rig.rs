//! A world of two job servers, a witness, an application and a worker.

use crate::people::{Asker, Book, Doer, PACE, Seen, Typist};
pub(crate) use crate::watched::quick_disk;
use crate::watched::{self, Halves, add_court, boxed, supervised};
use core::time::Duration;
use std::sync::MutexGuard;
use storytime_gearman::config::{Alone, Relay};
use storytime_gearman::tools::Place;
use storytime_gearman::{Command, Config as ServerConfig, Gearmand, PORT};
use storytime_machine::Endpoint;
use storytime_pair::config::Bug;
use storytime_sim::{Config, DiskConfig, HostConfig, HostId, ProgramConfig, World};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const SERVERS: [HostId; 2] = [HostId(0), HostId(1)];
pub(crate) const WITNESS: HostId = HostId(2);
const RELAY_PORT: u16 = 4731;
const WITNESS_PORT: u16 = 7000;
pub(crate) const HTTP_PORT: u16 = 8080;

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

/// Two job servers, and what is known of their jobs.
pub(crate) struct Servers {
    pub(crate) book: Book,
}

pub(crate) type Rig = watched::Rig<Servers>;

impl Halves for Servers {
    const STEP: Duration = Duration::from_millis(5);

    fn serves(rig: &mut Rig, index: usize) -> bool {
        let now = rig.world.now();
        let machine = rig.world.machine::<Gearmand>(rig.members[index]);
        machine.is_some_and(|machine| machine.serves(now))
    }

    fn is_equal(rig: &mut Rig, active: usize) -> bool {
        rig.counter(active, "pair_equal") == 1
    }
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

impl Rig {
    pub(crate) fn new(setting: &Setting) -> Self {
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
            let program = ProgramConfig { limits, ..ProgramConfig::new("gearmand", make) };
            supervised(&mut world, host, program);
        }
        add_court(&mut world, WITNESS);
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
        Self::around(world, Servers { book })
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Seen> {
        self.halves.book.open()
    }

    pub(crate) fn whole(&mut self) -> Result<(), String> {
        self.run_until(SECOND * 30, "one serves and the other one is equal", Self::is_whole)
    }

    /// What was accepted is done, and more is accepted.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.book().submits_max = u64::MAX;
        let accepted = self.book().accepted.len();
        self.run_until(SECOND * 30, "a new job is accepted", |rig| {
            rig.book().accepted.len() > accepted
        })?;
        self.finish()
    }

    /// What was accepted is done.
    pub(crate) fn finish(&mut self) -> Result<(), String> {
        {
            let mut seen = self.book();
            (seen.submits_max, seen.done_max) = (0, usize::MAX);
        }
        let done =
            self.run_until(SECOND * 30, "all is done", |rig| rig.halves.book.missing().is_empty());
        let missing = self.halves.book.missing();
        done.map_err(|why| format!("{why}; accepted and never done: {missing:?}"))
    }

    /// What a server says to a line.
    pub(crate) fn say(&mut self, index: usize, line: &'static str) -> String {
        self.say_at(index, PORT, line)
    }

    /// What a server says at another of its ports.
    pub(crate) fn say_at(&mut self, index: usize, port: u16, line: &'static str) -> String {
        let host = self.world.add_host(HostConfig::new("operator"));
        let to = Endpoint::tcp(self.world.ip(SERVERS[index]), port);
        let book = self.halves.book.clone();
        let make = move |setup| boxed(Typist::new(book.clone(), to.clone(), line), setup);
        self.world.add_program(host, ProgramConfig::new("typist", make));
        self.world.power_on(host);
        self.run(Duration::from_millis(100)).expect("nothing is wrong");
        self.book().said.clone()
    }
}
