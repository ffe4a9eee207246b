//! Users are moved to and fro while they are written and read, and everything that takes part dies,
//! freezes and is cut off. The whole history is checked.

mod check;
mod crash_points;
mod orderer;
mod writer;

use crate::rig::{Shape, Site};
use check::check;
use orderer::Orderer;
use std::sync::Arc;
use storytime_machine::{Duration, Endpoint, Machine, Process};
use storytime_sharding::UserId;
use storytime_sharding::mover::options::{Bug, PORT};
use storytime_sharding::mover::{Coordinator, CoordinatorOptions, Mover, MoverOptions};
use storytime_sim::{Fault, FaultPlan, HostConfig, HostId, Menu, ProcessId, ProgramConfig};
use writer::{Notebook, Writer};

const MOVERS: usize = 3;
const USERS: usize = 6;
const SHARDS: u32 = 4;

pub(crate) struct Moving {
    pub(crate) site: Site,
    pub(crate) users: Vec<UserId>,
    pub(crate) notes: Notebook,
    coordinator: (HostId, ProcessId),
    movers: Vec<(HostId, ProcessId)>,
    orderer: ProcessId,
}

/// Puts a machine of its own on a host of its own.
fn add<M: Machine>(
    site: &mut Site,
    name: &str,
    make: impl Fn() -> M + 'static,
) -> (HostId, ProcessId) {
    let host = site.world.add_host(HostConfig::new(name));
    let factory = move |setup| Box::new(Process::new(make(), setup)) as _;
    let process = site.world.add_program(host, ProgramConfig::new(name, factory))[0];
    site.world.power_on(host);
    (host, process)
}

impl Moving {
    fn new(seed: u64, orders: u32, tune: impl Fn(&mut MoverOptions)) -> Self {
        let mut site = Site::new(Shape { caches: 1, ..Shape::new(seed) });
        site.pass(Duration::from_millis(500));
        let users: Vec<UserId> =
            (0..USERS).map(|n| site.register(&format!("user{n}"), 1 + n as u32 % SHARDS)).collect();
        let directory = site.map.directory.clone().expect("there is one");
        let shards = site.map.shards.iter().map(|shard| shard.id).filter(|id| id.0 <= SHARDS);
        let shards: std::collections::BTreeMap<_, _> =
            shards.map(|id| (id, site.map.master(id).expect("it is on the map"))).collect();
        let mut options = CoordinatorOptions::new(directory.clone());
        options.delays.lease = Duration::from_secs(2);
        options.delays.drop_after = Duration::from_secs(1);
        options.delays.retry_max = Duration::from_secs(2);
        options.rescan = Duration::from_secs(3);
        let coordinator = add(&mut site, "coordinator", move || Coordinator::new(options.clone()));
        let at = Endpoint::tcp(site.world.ip(coordinator.0), PORT);
        let mut options = MoverOptions::new(at.clone(), directory, shards);
        options.caches = site.specs.clone();
        // Small pages, so that a move has many steps.
        options.job.page_rows_max = 8;
        options.job.fetch_rows_max = 4;
        options.job.near_rows_max = 2;
        options.job.read_only_max = Duration::from_secs(2);
        tune(&mut options);
        let movers = (0..MOVERS)
            .map(|n| {
                let options = options.clone();
                add(&mut site, &format!("mover{n}"), move || Mover::new(options.clone()))
            })
            .collect();
        let notes = Notebook::default();
        for n in 0..2 {
            let (map, users, notes) = (site.map.clone(), users.clone(), Arc::clone(&notes));
            add(&mut site, &format!("web{n}"), move || {
                Writer::new(map.clone(), users.clone(), Arc::clone(&notes))
            });
        }
        let (ordered, every) = (users.clone(), Duration::from_millis(300));
        let (_, orderer) = add(&mut site, "boss", move || {
            Orderer::new(at.clone(), ordered.clone(), SHARDS, every, orders)
        });
        Self { site, users, notes, coordinator, movers, orderer }
    }

    /// Disk operations that these hosts completed.
    fn operations(&self, hosts: &[HostId]) -> u64 {
        hosts.iter().map(|host| self.site.world.operations(*host)).sum()
    }

    fn process_of(&self, host: HostId) -> ProcessId {
        self.site.world.processes(host)[0]
    }

    /// Who may be hurt: who moves, and what is moved between.
    fn menu(&self, seconds: u64) -> Menu {
        let mut hosts = vec![self.coordinator];
        hosts.extend(self.movers.iter().copied());
        hosts.extend(self.site.databases.iter().map(|host| (*host, self.process_of(*host))));
        hosts.push((self.site.directory, self.process_of(self.site.directory)));
        Menu {
            hosts: hosts.into_iter().map(|(host, process)| (host, vec![process])).collect(),
            budget: 2,
            safety: Duration::from_secs(seconds),
            gap: Duration::from_millis(1_500),
            window: (Duration::from_millis(300), Duration::from_secs(4)),
        }
    }

    fn moves(&mut self) -> (u64, u64, u64) {
        let orderer = self.site.world.machine::<Orderer>(self.orderer).expect("it runs");
        orderer.moves.take().unwrap_or((1, 1, 0))
    }

    /// Lets all moves come to their end, then stops the writers.
    fn rest(&mut self) {
        for _ in 0..120 {
            self.site.pass(Duration::from_millis(500));
            let (waiting, working, _) = self.moves();
            if waiting + working == 0 {
                self.notes.lock().expect("no machine panics").stop = true;
                self.site.pass(Duration::from_secs(5));
                return;
            }
        }
        panic!("moves do not come to their end:\n{}", self.scene());
    }

    /// How everything stands, for whoever looks for the reason.
    fn scene(&self) -> String {
        let mut text = String::new();
        for host in self.site.world.hosts() {
            for process in self.site.world.processes(host) {
                let exit = self.site.world.exit(process);
                text += &format!("{host:?} {process:?} exit {exit:?}:");
                self.site.world.counters(process, &mut |name, value| {
                    if value > 0 {
                        text += &format!(" {name}={value}");
                    }
                });
                text.push('\n');
            }
        }
        text
    }

    fn totals(&mut self) -> (u64, u64, u64) {
        let (mut moved, mut later, mut longest) = (0, 0, 0);
        for (_, process) in self.movers.clone() {
            if let Some(mover) = self.site.world.machine::<Mover>(process) {
                moved += mover.totals().moved;
                later += mover.totals().later + mover.totals().overtaken;
                longest = longest.max(mover.totals().read_only_ns_max);
                assert_eq!(mover.totals().contradictions, 0, "rows never contradict one another");
            }
        }
        (moved, later, longest)
    }
}

#[test]
fn users_are_moved_while_they_are_written_and_read() {
    let mut moving = Moving::new(1, 20, |_| {});
    moving.site.pass(Duration::from_secs(8));
    moving.rest();
    let (moved, later, longest) = moving.totals();
    assert!(moved >= 8 && later == 0, "{moved} moved, {later} given back");
    // Some eight flushes, one after the other, of disks that do 120 a second.
    assert!(longest < 500_000_000, "read-only for {longest} ns");
    let checked = check(&mut moving);
    assert!(checked.writes > 500, "{checked:?}");
}

/// One seed of trouble: users moved, moves given back, longest read-only time in ns.
pub(crate) fn troubled(seed: u64, tune: impl Fn(&mut MoverOptions)) -> (u64, u64, u64) {
    let mut moving = Moving::new(seed, 60, tune);
    let begin = moving.site.world.now();
    let plan = FaultPlan::draw(seed, &moving.menu(15));
    for (at, fault) in plan.faults() {
        moving.site.world.schedule(begin + at.since(storytime_machine::Time::ZERO), fault.clone());
    }
    moving.site.pass(Duration::from_secs(20));
    moving.site.world.apply(&Fault::HealAll);
    moving.rest();
    let totals = moving.totals();
    check(&mut moving);
    totals
}

#[test]
fn nothing_is_lost_or_doubled_whatever_dies() {
    let (mut moved, mut later) = (0, 0);
    for seed in 0..6 {
        let totals = troubled(seed, |_| {});
        moved += totals.0;
        later += totals.1;
    }
    assert!(moved > 20 && later > 0, "{moved} moved, {later} given back");
}

/// Whether a mistake made on purpose shows within a few seeds.
fn finds(bug: Bug) {
    let found = (0..12).find(|&seed| {
        std::panic::catch_unwind(|| troubled(seed, |options| options.job.bug = bug)).is_err()
    });
    assert!(found.is_some(), "{bug:?} is not found");
}

#[test]
fn number_spaces_that_begin_anew_are_found() {
    finds(Bug::CountersNotCarried);
}

#[test]
fn a_directory_switched_before_the_copy_is_verified_is_found() {
    finds(Bug::SwitchBeforeVerify);
}
