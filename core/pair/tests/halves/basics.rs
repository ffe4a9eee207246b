//! The plain course of things, one event at a time.

use crate::rig::{PAIR_PORT, Rig, Setting, quick_disk};
use crate::tenant::Member;
use core::time::Duration;
use storytime_machine::{Endpoint, Rng, Setup, Time};
use storytime_pair::{Mirror, PairConfig, Role, WITNESS_CONNS_MAX};
use storytime_sim::enumerate::Lone;
use storytime_sim::{Fault, SimDisk};

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
        rig.cut(alone, other);
    }
    // The client still sees both: it follows the address.
    let acked = rig.client().acked.len();
    rig.run(SECOND * 4).unwrap();
    assert_eq!(rig.active(), Some(1));
    assert!(rig.client().acked.len() > acked);
    rig.world.apply(&Fault::HealAll);
    rig.settle().unwrap();
}

#[test]
fn the_witness_hears_a_half_however_many_of_its_earlier_lives_died_without_a_word() {
    let mut rig = up(8);
    for _ in 0..=WITNESS_CONNS_MAX {
        let active = rig.active().expect("one serves");
        rig.world.power_cut(rig.hosts[active]);
        let other = 1 - active;
        rig.run_until(SECOND * 4, "the other half", |rig| rig.active() == Some(other)).unwrap();
        rig.world.power_on(rig.hosts[active]);
        rig.run_until(SECOND * 10, "a whole pair", Rig::is_whole).unwrap();
    }
}

#[test]
fn a_half_hears_the_other_however_many_have_connected_and_said_nothing() {
    let any = Endpoint::tcp([10, 0, 0, 9], 1);
    let member = Member::new(PairConfig::new(Endpoint::any(PAIR_PORT), any.clone(), any));
    let setup = Setup::new(Rng::new(1, 1));
    let mut lone =
        Lone::boot(member, setup, SimDisk::new(quick_disk(), Rng::new(1, 2)), Time(1 << 40), 0);
    let guests: Vec<_> = (0..20).map(|_| lone.connect(PAIR_PORT).expect("it listens")).collect();
    assert!(lone.is_open(guests[19]), "it may be the other half");
}
