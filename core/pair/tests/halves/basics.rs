//! The plain course of things, one event at a time.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_pair::{Mirror, Role};

const SECOND: Duration = Duration::from_secs(1);

/// A pair that has come up and been written to.
fn up(seed: u64) -> Rig {
    let mut rig = Rig::new(&Setting::new(seed));
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole).expect("it comes up");
    rig.run(SECOND).expect("it serves");
    rig
}

#[test]
fn the_preferred_half_of_a_fresh_pair_becomes_active_and_the_other_equal() {
    let mut rig = up(1);
    assert_eq!(rig.active(), Some(0));
    assert_eq!(rig.member(1).pair.role(), Role::Standby);
    assert_eq!(rig.member(0).pair.mirror(), Mirror::Equal);
    assert!(rig.client().acked.len() > 100, "{}", rig.client().acked.len());
    rig.settle().expect("equal disks");
}

#[test]
fn the_standby_takes_over_from_a_half_without_power_and_nothing_is_lost() {
    let mut rig = up(2);
    let acked = rig.client().acked.len();
    rig.world.power_cut(rig.hosts[0]);
    rig.run_until(SECOND * 4, "the other half serves", |rig| rig.active() == Some(1)).unwrap();
    rig.run(SECOND).unwrap();
    assert!(rig.client().acked.len() > acked, "it goes on alone");
    assert_eq!(rig.lost(), []);
    rig.world.power_on(rig.hosts[0]);
    rig.settle().expect("the first half follows");
    assert_eq!(rig.active(), Some(1), "there is no failing back");
}
