//! Whole worlds of job servers, workers and applications, hurt as a seed says, then healed: every
//! request ends once, no accepted job is lost while its server lives (or, with a durable queue, at
//! all), and in the end all is done.
//!
//! `STORYTIME_GEARMAN_SEEDS` runs more seeds than the usual ones.

mod hand;
mod ledger;
mod shop;

use core::time::Duration;
use hand::Hand;
use ledger::{Book, Phase, Tally};
use shop::Shop;
use storytime_gearman::PORT;
use storytime_gearman::adapter::Adapter;
use storytime_gearman::config::Config as ServerConfig;
use storytime_gearman::server::Gearmand;
use storytime_machine::{Drive, Endpoint, Machine, Process, Ratio, Rng, Setup, Time};
use storytime_sim::disk::{DiskConfig, Profile};
use storytime_sim::faults::{FaultPlan, Menu};
use storytime_sim::{Config, HostConfig, HostId, Link, ProcessId, ProgramConfig, Ran, World};

const SEEDS: u64 = 20;
/// Stream of the world's shape.
const SHAPE: u64 = 1 << 40;
/// Seconds of trouble; of waiting for what is under way; and for the last jobs.
const TROUBLE_S: u64 = 30;
const QUIET_S: u64 = 50;
const LAST_S: u64 = 10;

struct Rig {
    world: World,
    book: Book,
    servers: Vec<ProcessId>,
    hands: Vec<ProcessId>,
    shops: Vec<ProcessId>,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let mut shape = Rng::new(seed, SHAPE);
        let link = match shape.below(3) {
            0 => Link::RACK,
            1 => Link { loss: Ratio::new(1, 50), cut: Ratio::new(1, 3), ..Link::RACK },
            _ => Link { bandwidth: 3_000_000, cut: Ratio::new(1, 3), ..Link::RACK },
        };
        let world = World::new(Config { link, ..Config::new(seed) });
        let (servers, hands, shops) = (Vec::new(), Vec::new(), Vec::new());
        let mut rig = Self { world, book: Book::default(), servers, hands, shops };
        // Background jobs on disks.
        let durable = shape.chance(Ratio::new(1, 3));
        let mut ends = Vec::new();
        for server in 0..1 + shape.index(3) {
            rig.book.open().lives.push(0);
            let book = rig.book.clone();
            let queue_dir = durable.then(|| "queue".to_owned());
            let machine = move || {
                let handle_prefix = Some(book.open().begin_life(server, durable));
                let queue_dir = queue_dir.clone();
                Gearmand::new(ServerConfig { handle_prefix, queue_dir, ..ServerConfig::default() })
            };
            let (host, process) = rig.add("server", machine);
            rig.servers.push(process);
            ends.push(Endpoint::tcp(rig.world.ip(host), PORT));
        }
        for _ in 0..2 + shape.index(3) {
            let (book, ends, jobs_max) = (rig.book.clone(), ends.clone(), 1 + shape.index(3));
            let machine = move || Hand::new(book.clone(), &ends, jobs_max);
            let process = rig.add("hand", machine).1;
            rig.hands.push(process);
        }
        for number in 0..2 + shape.index(3) {
            let (book, ends) = (rig.book.clone(), ends.clone());
            let process = rig.add("shop", move || Shop::new(book.clone(), &ends, number)).1;
            rig.shops.push(process);
        }
        rig
    }

    fn add<M: Machine>(
        &mut self,
        name: &str,
        machine: impl Fn() -> M + 'static,
    ) -> (HostId, ProcessId) {
        let disk = Some(DiskConfig::new(Profile::Posix));
        let host = self.world.add_host(HostConfig { disk, ..HostConfig::new(name) });
        let make =
            move |setup: Setup| -> Box<dyn Drive> { Box::new(Process::new(machine(), setup)) };
        let limits = ServerConfig::default().limits();
        let program = ProgramConfig { limits, ..ProgramConfig::new(name, make) };
        let process = self.world.add_program(host, program)[0];
        self.world.power_on(host);
        (host, process)
    }

    /// Hurts anybody, a few at a time, and heals all in the end.
    fn hurt(&mut self, seed: u64) -> FaultPlan {
        let hosts: Vec<HostId> = self.world.hosts().collect();
        let menu = Menu {
            hosts: hosts.into_iter().map(|host| (host, self.world.processes(host))).collect(),
            budget: 1 + (seed % 3) as usize,
            safety: Duration::from_secs(TROUBLE_S),
            gap: Duration::from_secs(1),
            window: (Duration::from_millis(50), Duration::from_secs(8)),
        };
        let plan = FaultPlan::draw(seed, &menu);
        plan.schedule(&mut self.world);
        plan
    }

    fn run_for(&mut self, seconds: u64) {
        let until = self.world.now() + Duration::from_secs(seconds);
        let ran = self.world.run_until(until);
        assert!(!matches!(ran, Ran::Broken(_)), "{ran:?}");
    }

    fn enter(&mut self, phase: Phase, seconds: u64) {
        self.book.open().phase = phase;
        self.run_for(seconds);
    }

    /// Nothing is left anywhere.
    fn check(&mut self) {
        for &process in &self.shops {
            let shop = self.world.machine::<Adapter<Shop>>(process).expect("all are healed");
            shop.handler.check(&shop.part);
            self.book.open().tally.last_done += shop.handler.last_done;
        }
        for &process in &self.hands {
            let hand = self.world.machine::<Adapter<Hand>>(process).expect("all are healed");
            Hand::check(&hand.part);
        }
        for &process in &self.servers {
            let server: &mut Gearmand = self.world.machine(process).expect("all are healed");
            let left = (server.engine().jobs(), server.engine().listeners());
            assert_eq!(left, (0, 0), "jobs and listeners left");
        }
        self.book.open().check_accepted();
    }
}

fn campaign(seed: u64) -> Tally {
    let mut rig = Rig::new(seed);
    let plan = rig.hurt(seed);
    println!("seed {seed}: {plan}");
    rig.enter(Phase::Busy, TROUBLE_S);
    assert_eq!(rig.world.now(), Time::ZERO + Duration::from_secs(TROUBLE_S));
    rig.enter(Phase::Quiet, QUIET_S);
    rig.enter(Phase::Last, LAST_S);
    rig.check();
    // Nobody spins when there is nothing to do.
    let processes = rig.hands.len() + rig.shops.len() + rig.servers.len();
    rig.enter(Phase::Quiet, 1);
    let before = rig.world.events();
    rig.run_for(20);
    let events = rig.world.events() - before;
    assert!(events < 1500 * processes as u64, "{events} events of {processes} idle processes");
    rig.book.open().tally
}

fn seeds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long a test takes is not the machine's")]
    let asked = std::env::var("STORYTIME_GEARMAN_SEEDS").ok();
    asked.and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

#[test]
fn through_deaths_and_partitions_every_request_ends_and_no_accepted_job_is_lost() {
    let mut sum = Tally::default();
    for seed in 0..seeds() {
        sum.add(&campaign(seed));
    }
    println!("{sum:?}");
    assert!(sum.complete > 2 * sum.lost, "most is done: {sum:?}");
    let seen = [sum.failed, sum.lost, sum.not_sent, sum.repeated, sum.jobs_gone, sum.held];
    assert!(seen.iter().all(|times| *times > 0), "everything happens: {sum:?}");
}

#[test]
fn in_a_healthy_world_every_job_is_done_exactly_once() {
    for seed in 0..4 {
        let mut rig = Rig::new(seed);
        // Until disks are read.
        rig.enter(Phase::Quiet, 2);
        rig.enter(Phase::Busy, 10);
        rig.enter(Phase::Quiet, 20);
        rig.enter(Phase::Last, LAST_S);
        rig.check();
        let book = rig.book.open();
        // Jobs that took longer than the worker had said are done again.
        let timed = book.begun.values().filter(|times| **times > 1).count();
        assert!(timed * 20 < book.begun.len(), "{timed} of {} again", book.begun.len());
        let tally = book.tally;
        assert_eq!((tally.not_sent, tally.jobs_gone), (0, 0));
        assert_eq!(tally.held, tally.accepted, "every server lives");
    }
}
