//! What an operator can do wrong: a witness without its record, disks exchanged.

use crate::rig::{Rig, Setting, quick_disk};
use core::time::Duration;
use storytime_machine::{Exit, Rng};
use storytime_pair::SPLIT_BRAIN;
use storytime_sim::SimDisk;

const SECOND: Duration = Duration::from_secs(1);

fn whole(seed: u64) -> Rig {
    let mut rig = Rig::new(&Setting::new(seed));
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole).expect("it comes up");
    rig.run(SECOND).expect("it serves");
    rig
}

const WITNESS: usize = 2;

/// Takes a host's disk out; an empty one, or `disk`, is put in.
fn exchange(rig: &mut Rig, which: usize, disk: Option<SimDisk>) -> SimDisk {
    let host = [rig.hosts[0], rig.hosts[1], rig.witness][which];
    rig.world.power_cut(host);
    let empty = || SimDisk::new(quick_disk(), Rng::new(1, 1));
    let place = rig.world.disk(host).expect("it has a disk");
    core::mem::replace(place, disk.unwrap_or_else(empty))
}

#[test]
fn a_witness_without_its_record_asks_both_disks_and_prefers_the_newer() {
    let mut rig = whole(40);
    rig.world.power_cut(rig.hosts[1]);
    rig.run(SECOND * 2).unwrap();
    rig.world.power_cut(rig.hosts[0]);
    exchange(&mut rig, WITNESS, None);
    rig.world.power_on(rig.witness);
    rig.world.power_on(rig.hosts[1]);
    rig.run(SECOND * 5).unwrap();
    assert_eq!(rig.active(), None, "one disk alone proves nothing");
    rig.world.power_on(rig.hosts[0]);
    rig.settle().unwrap();
    assert_eq!(rig.active(), Some(0), "the one that went on alone");
}

#[test]
fn a_running_pair_survives_a_witness_that_forgets_everything() {
    let mut rig = whole(41);
    exchange(&mut rig, WITNESS, None);
    rig.world.power_on(rig.witness);
    rig.run(SECOND * 2).unwrap();
    rig.settle().unwrap();
}

#[test]
fn an_exchanged_disk_is_filled_by_the_other_half_and_never_serves_empty() {
    for victim in 0..2 {
        let mut rig = whole(42);
        for host in rig.hosts {
            rig.world.power_cut(host);
        }
        exchange(&mut rig, victim, None);
        rig.world.power_on(rig.hosts[victim]);
        rig.run(SECOND * 4).unwrap();
        assert_eq!(rig.active(), None, "its disk is empty");
        rig.world.power_on(rig.hosts[1 - victim]);
        rig.settle().unwrap();
        assert_eq!(rig.active(), Some(1 - victim));
    }
}

#[test]
fn two_halves_that_both_wrote_alone_are_never_merged() {
    let mut rig = whole(43);
    // The first half goes on alone; then its disk is taken out of the rack.
    rig.world.power_cut(rig.hosts[1]);
    rig.run(SECOND * 2).unwrap();
    let first = exchange(&mut rig, 0, None);
    // Somebody lets the second one go on from where it was, with a fresh witness, against all
    // advice.
    exchange(&mut rig, WITNESS, None);
    for host in [rig.witness, rig.hosts[0], rig.hosts[1]] {
        rig.world.power_on(host);
    }
    rig.run_until(SECOND * 10, "the second half serves", |rig| rig.is_whole()).unwrap_or_else(
        |why| assert!(why.contains("read"), "the client sees that the data is older: {why}"),
    );
    rig.client().acked.clear();
    rig.run_until(SECOND * 10, "the second half serves", |rig| rig.is_whole()).unwrap();
    assert_eq!(rig.active(), Some(1));
    rig.world.power_cut(rig.hosts[0]);
    rig.run(SECOND * 2).unwrap();
    // The old disk comes back.
    exchange(&mut rig, 0, Some(first));
    rig.world.power_on(rig.hosts[0]);
    let until = rig.world.now() + SECOND * 3;
    while rig.world.exit(rig.members[0]).is_none() && rig.world.now() < until {
        rig.world.run_until(rig.world.now() + Duration::from_millis(1));
    }
    assert_eq!(rig.world.exit(rig.members[0]), Some(Exit::Failed(SPLIT_BRAIN)));
    rig.run(SECOND * 2).unwrap();
    assert_eq!(rig.active(), Some(1), "whoever has the lease goes on");
    // What to do is what it says: empty the one that is not wanted.
    exchange(&mut rig, 0, None);
    rig.world.power_on(rig.hosts[0]);
    rig.settle().unwrap();
}
