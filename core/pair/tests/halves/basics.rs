//! The plain course of things, one event at a time.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_pair::{Mirror, Role};
use storytime_sim::Fault;

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

#[test]
fn the_address_moves_with_the_role() {
    let address = Some("10.9.9.9".parse().expect("an address"));
    let mut rig = Rig::new(&Setting { address, ..Setting::new(3) });
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole).unwrap();
    rig.run(SECOND).unwrap();
    for host in [0, 1] {
        let acked = rig.client().acked.len();
        assert!(acked > 100, "its client knows no other address");
        assert_eq!(rig.active(), Some(host));
        rig.world.power_cut(rig.hosts[host]);
        let most = SECOND * 4;
        rig.run_until(most, "the other half", |rig| rig.active() == Some(1 - host)).unwrap();
        rig.run(SECOND).unwrap();
        assert!(rig.client().acked.len() > acked, "the client has found it");
        rig.world.power_on(rig.hosts[host]);
        rig.run_until(SECOND * 10, "a whole pair", Rig::is_whole).unwrap();
        assert_eq!(rig.active(), Some(1 - host));
    }
    rig.settle().unwrap();
}

#[test]
fn a_half_that_is_cut_off_gives_the_address_up_before_the_other_one_takes_it() {
    let address = Some("10.9.9.9".parse().expect("an address"));
    let mut rig = Rig::new(&Setting { address, ..Setting::new(4) });
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole).unwrap();
    let alone = rig.hosts[0];
    for other in [rig.hosts[1], rig.witness] {
        rig.world.apply(&Fault::Cut { from: alone, to: other });
        rig.world.apply(&Fault::Cut { from: other, to: alone });
    }
    // The client still sees both: it follows the address.
    let acked = rig.client().acked.len();
    rig.run(SECOND * 4).unwrap();
    assert_eq!(rig.active(), Some(1));
    assert!(rig.client().acked.len() > acked);
    rig.world.apply(&Fault::HealAll);
    rig.settle().unwrap();
}
