//! Many seeds of kills, power cuts, partitions and loss.

use crate::basics::chain;
use crate::rig::{Kind, Options, Rig, star};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_database::replication::ReplicationOptions;
use storytime_machine::{IpAddr, Ratio};
use storytime_sim::disk::Profile;
use storytime_sim::{Config, FaultPlan, Link, Menu};

const SEEDS: u64 = 24;
const DATABASE_SEEDS: u64 = 8;
const STORM: Duration = Duration::from_secs(12);

fn storm(kind: Kind, seed: u64, options: Options) -> Rig {
    let link = Link {
        loss: Ratio::new(1, 100),
        cut: Ratio::new(1, 3),
        latency_max: Duration::from_millis(3),
        ..Link::RACK
    };
    let mut rig = Rig::of(kind, Config { link, ..Config::new(seed) }, 4, options);
    let hosts = rig.servers.iter().map(|(host, process)| (*host, vec![*process])).collect();
    let window = (Duration::from_millis(30), Duration::from_secs(3));
    let gap = Duration::from_millis(900);
    let menu = Menu { hosts, budget: 2, safety: STORM, gap, window };
    FaultPlan::draw(seed, &menu).schedule(&mut rig.world);
    rig.begin_load();
    rig.run_ms(STORM.as_millis() as u64 + 500);
    rig.end_load();
    rig.converge(&[0, 1, 2, 3], 60_000);
    let acknowledged = rig.acknowledged();
    assert!(acknowledged.len() > 50, "seed {seed}: {} rows", acknowledged.len());
    let lost = acknowledged.difference(&rig.rows(3)).count();
    assert_eq!(lost, 0, "seed {seed}: acknowledged rows are lost");
    for server in 0..4 {
        assert_eq!(rig.info(server, "repl_diverged"), "0", "seed {seed}, server {server}");
    }
    rig.check_registers();
    rig
}

/// One master, two replicas, and one that follows a replica.
fn tree(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
    if server < 3 { star(server, ips) } else { chain(2, &[ips[0], ips[2]]) }
}

fn storms(kind: Kind, seeds: u64, marks: &[&str]) {
    let mut reached = BTreeMap::new();
    for seed in 0..seeds {
        let rig = storm(kind, seed, if seed.is_multiple_of(2) { tree } else { chain });
        for (mark, times) in rig.world.marks() {
            *reached.entry(mark).or_insert(0) += times;
        }
    }
    for mark in marks {
        assert!(reached.contains_key(mark), "{mark}: never, of {reached:?}");
    }
}

const SEEDED: &str = "replication: a replica was seeded";

#[test]
fn replicas_converge_and_nothing_acknowledged_is_lost() {
    let busy = "replication: a replica's journal was busy";
    storms(Kind::Toy, SEEDS, &[SEEDED, busy]);
}

#[test]
fn the_database_itself_converges_and_loses_nothing_acknowledged() {
    storms(Kind::Database(Profile::Posix), DATABASE_SEEDS, &[SEEDED]);
    storms(Kind::Database(Profile::Hostile), DATABASE_SEEDS, &[SEEDED]);
}
