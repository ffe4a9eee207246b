//! A master is lost, and a replica promoted in its place.

use crate::rig::{Kind, Options, Rig, star};
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use storytime_database::replication::ReplicationOptions;
use storytime_machine::{IpAddr, Ratio};
use storytime_sim::disk::Profile;
use storytime_sim::{Config, Link};

const SEEDS: u64 = 16;
const DATABASE_SEEDS: u64 = 8;
const DATABASE: Kind = Kind::Database(Profile::Posix);

fn semi(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
    ReplicationOptions { replicas_to_write: 1, ..star(server, ips) }
}

/// What a failover left behind.
struct Aftermath {
    rig: Rig,
    new: usize,
    /// Rows of the new master before it took writes.
    kept: BTreeSet<u64>,
    /// Rows acknowledged by the old master.
    before: BTreeSet<u64>,
}

/// The master loses its power under load; the replica that has the most is promoted.
fn failover(kind: Kind, seed: u64, options: Options) -> Aftermath {
    let link = Link { loss: Ratio::new(1, 200), cut: Ratio::new(1, 4), ..Link::RACK };
    let mut rig = Rig::of(kind, Config { link, ..Config::new(seed) }, 3, options);
    rig.begin_load();
    rig.run_ms(2000);
    if seed.is_multiple_of(3) {
        // Somebody is far behind when it happens.
        rig.cut(0, 1, true);
    }
    rig.run_ms(700 + seed * 37 % 1000);
    if seed.is_multiple_of(2) {
        // Nobody hears the last of it.
        rig.cut(0, 1, true);
        rig.cut(0, 2, true);
        rig.run_ms(30 + seed * 3);
    }
    rig.power(0, false);
    if seed % 4 == 1 {
        // It was the whole rack.
        for replica in [1, 2] {
            rig.power(replica, false);
            rig.power(replica, true);
        }
        rig.run_ms(1000);
    }
    rig.run_ms(200);
    rig.cut(0, 1, false);
    rig.cut(0, 2, false);
    let new = if rig.durable(1) >= rig.durable(2) { 1 } else { 2 };
    let kept = rig.rows(new);
    let before = rig.acknowledged();
    assert_eq!(rig.text(new, "REPLICAOF NO ONE"), "OK");
    let at = rig.at(new);
    assert_eq!(rig.text(3 - new, &format!("REPLICAOF {at}")), "OK");
    rig.memory.master.store(new, Ordering::Relaxed);
    rig.run_ms(4000);
    rig.end_load();
    rig.converge(&[1, 2], 20_000);
    Aftermath { rig, new, kept, before }
}

/// The old master comes back, and is made a replica.
fn bring_back(after: &mut Aftermath) -> bool {
    let rig = &mut after.rig;
    rig.power(0, true);
    let at = rig.at(after.new);
    rig.run_ms(3000);
    let refused = rig.text(0, "SET 1 5");
    assert!(refused.starts_with("READONLY") || refused.starts_with("NOREPL"), "{refused}");
    assert_eq!(rig.text(0, &format!("REPLICAOF {at}")), "OK");
    rig.run_ms(3000);
    let parted = rig.info(0, "master_refuses").starts_with("DIVERGED");
    if parted {
        assert_eq!(rig.text(0, &format!("REPLICAOF {at} RESEED")), "OK");
    }
    rig.converge(&[0, 1, 2], 20_000);
    parted
}

fn semi_synchronously(kind: Kind, seeds: u64) -> u32 {
    let mut parted = 0;
    for seed in 0..seeds {
        let mut after = failover(kind, seed, semi);
        assert!(after.before.len() > 100, "seed {seed}: {} rows", after.before.len());
        let acknowledged = after.rig.acknowledged();
        assert!(acknowledged.len() > after.before.len() + 100, "seed {seed}: writes go on");
        let rows = after.rig.rows(after.new);
        let lost: Vec<_> = acknowledged.difference(&rows).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} are lost");
        after.rig.check_registers();
        parted += u32::from(bring_back(&mut after));
    }
    parted
}

#[test]
fn with_semi_synchronous_writes_nothing_acknowledged_is_lost() {
    let parted = semi_synchronously(Kind::Toy, SEEDS);
    assert!(parted > 3, "the old master had unconfirmed writes in {parted} seeds only");
}

#[test]
fn the_database_itself_loses_nothing_that_replicas_confirmed() {
    let parted = semi_synchronously(DATABASE, DATABASE_SEEDS);
    assert!(parted > 1, "the old master had unconfirmed writes in {parted} seeds only");
}

fn asynchronously(kind: Kind, seeds: u64) -> usize {
    let mut losses = 0;
    for seed in 0..seeds {
        let mut after = failover(kind, seed, star);
        let rows = after.rig.rows(after.new);
        let lost: BTreeSet<u64> = after.rig.acknowledged().difference(&rows).copied().collect();
        let missing: BTreeSet<u64> = after.before.difference(&after.kept).copied().collect();
        assert_eq!(lost, missing, "seed {seed}");
        // The old master has all of them: that is what is refused now, and told.
        after.rig.power(0, true);
        after.rig.run_ms(1000);
        let old = after.rig.rows(0);
        assert_eq!(lost.difference(&old).count(), 0, "seed {seed}: its disk was honest");
        let parted = bring_back(&mut after);
        assert!(parted || lost.is_empty(), "seed {seed}: {lost:?} were dropped silently");
        losses += usize::from(!lost.is_empty());
    }
    losses
}

#[test]
fn without_it_the_loss_is_what_the_replica_had_not_yet() {
    let losses = asynchronously(Kind::Toy, SEEDS);
    assert!(losses > 4, "something was lost in {losses} seeds only");
}

#[test]
fn the_database_itself_loses_what_the_replica_had_not_yet() {
    let losses = asynchronously(DATABASE, DATABASE_SEEDS);
    assert!(losses > 2, "something was lost in {losses} seeds only");
}

#[test]
fn a_promotion_counts_only_when_it_is_durable() {
    let mut survived = 0;
    for seed in 0..60 {
        let mut rig = Rig::new(Config::new(seed), 2, star);
        rig.run_ms(500);
        assert_eq!(rig.text(0, "SET 1 1"), "OK");
        rig.converge(&[0, 1], 1000);
        rig.power(0, false);
        assert_eq!(rig.text(1, "REPLICAOF NO ONE"), "OK");
        // The power goes at some moment around the record that begins the term.
        let until = rig.now() + Duration::from_micros(seed * 50);
        let _reached = rig.world.run_until(until);
        rig.power(1, false);
        rig.power(0, true);
        rig.power(1, true);
        rig.run_ms(500);
        let term = rig.info(1, "term");
        survived += u32::from(term.starts_with("1.0-"));
        // It was started as a replica, and is one again; a term of its own must not be followed by
        // the old master's records.
        let written = rig.text(0, "SET 1 2");
        rig.run_ms(4000);
        if term.starts_with("1.0-") {
            assert!(written.starts_with("READONLY this server is master no more"), "{written}");
            assert!(rig.info(1, "master_refuses").starts_with("DIVERGED"), "seed {seed}");
        } else {
            rig.converge(&[0, 1], 1000);
        }
    }
    assert!((1..60).contains(&survived), "{survived} of 60");
}
