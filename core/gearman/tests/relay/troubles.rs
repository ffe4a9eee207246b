//! Deaths, partitions and slow disks, scripted and drawn: no accepted job is lost, and never two
//! serve.

use crate::rig::{Rig, SECOND, SERVERS, Setting, WITNESS, quick_disk};
use core::time::Duration;
use storytime_gearman::config::Alone;
use storytime_machine::{Ratio, Rng, Time};
use storytime_pair::config::Bug;
use storytime_sim::disk::Profile;
use storytime_sim::faults::{FaultPlan, Menu};
use storytime_sim::{DiskConfig, Fault};

/// Own stream of what a seed's world is like.
const STREAM: u64 = 1 << 40;
const SEEDS: u64 = 10;
const TROUBLE: Duration = Duration::from_secs(20);

/// The one that serves dies for good; the other one has everything that was accepted.
fn dies(seed: u64, bug: Option<Bug>, parted: Duration) -> Result<(), String> {
    let mut rig = Rig::new(&Setting { bug, ..Setting::new(seed) });
    rig.whole()?;
    // Nothing is done meanwhile: all that is accepted has to be in the other one's queue.
    rig.book().done_max = 0;
    rig.run(SECOND + Duration::from_millis(seed * 7))?;
    let accepted = rig.book().accepted.len();
    assert!(accepted > 50, "{accepted} jobs");
    rig.cut(SERVERS[0], SERVERS[1]);
    rig.run(parted)?;
    rig.world.power_cut(SERVERS[0]);
    rig.run_until(SECOND * 15, "the other one serves", |rig| rig.serves(1))?;
    rig.settle()
}

#[test]
fn whoever_takes_over_has_every_job_that_was_accepted() {
    for seed in 0..8 {
        dies(seed, None, Duration::from_millis(seed * 60)).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn an_acknowledgement_before_the_other_disk_has_the_job_is_found() {
    let found = dies(0, Some(Bug::AckBeforePeer), Duration::from_millis(400));
    let why = found.expect_err("jobs were acknowledged on one disk alone");
    assert!(why.contains("accepted and never done"), "{why}");
}

#[test]
fn a_disk_of_the_other_one_that_is_slow_makes_answers_slow_and_loses_nothing() {
    let slow = DiskConfig { flush: Duration::from_millis(40), ..quick_disk() };
    let mut rig = Rig::new(&Setting { disks: [quick_disk(), slow], ..Setting::new(5) });
    rig.whole().expect("a pair");
    rig.run(SECOND * 2).expect("all is well");
    let mirrored = rig.counter(0, "pair_flushes_mirrored");
    assert!(mirrored < 120, "each waits for the slow one: {mirrored}");
    rig.world.power_cut(SERVERS[0]);
    rig.run_until(SECOND * 15, "the other one serves", |rig| rig.serves(1)).expect("it does");
    rig.settle().expect("nothing is lost");
}

#[test]
fn cut_off_from_both_it_ends_and_comes_back_to_stand_by() {
    let mut rig = Rig::new(&Setting::new(6));
    rig.whole().expect("a pair");
    rig.cut(SERVERS[0], SERVERS[1]);
    rig.cut(SERVERS[0], WITNESS);
    rig.run_until(SECOND * 15, "the other one serves", |rig| rig.serves(1)).expect("it does");
    assert!(!rig.serves(0));
    rig.world.apply(&Fault::HealAll);
    rig.whole().expect("a pair again");
    assert_eq!(rig.active(), Some(1), "it does not come back by itself");
    rig.settle().expect("nothing is lost");
}

/// Troubles of all sorts, for everybody but those who submit and work; when all is healed.
fn drawn(rig: &mut Rig, seed: u64) -> (String, Time) {
    let menu = Menu {
        hosts: rig.victims(),
        budget: 1 + (seed % 3) as usize,
        safety: TROUBLE,
        gap: Duration::from_millis(2_500),
        window: (Duration::from_millis(300), Duration::from_secs(6)),
    };
    let plan = FaultPlan::draw(seed, &menu);
    plan.schedule(&mut rig.world);
    (plan.to_string(), plan.heals_at)
}

/// One loses its power, and when it is back and has had some time, the other one does.
fn in_turn(rig: &mut Rig, rng: &mut Rng) -> (String, Time) {
    let mut at = Time::ZERO;
    let mut said = String::new();
    for host in [SERVERS[0], SERVERS[1], SERVERS[0]] {
        at += rng.duration(SECOND * 7, SECOND * 10);
        rig.world.schedule(at, Fault::PowerCut(host));
        said += &format!("{host:?} at {at}, ");
        at += rng.duration(SECOND * 5, SECOND * 7);
        rig.world.schedule(at, Fault::PowerOn(host));
    }
    (said, at)
}

/// A world that is hurt as a seed says, and healed.
fn story(seed: u64) -> (Result<(), String>, u64, usize) {
    let mut rng = Rng::new(seed, STREAM);
    let honest = [Profile::Friendly, Profile::Posix, Profile::Hostile];
    let mut disk = || DiskConfig { profile: honest[rng.index(3)], ..quick_disk() };
    let disks = [disk(), disk()];
    let alone = if rng.chance(Ratio::new(1, 4)) { Alone::Refuse } else { Alone::Accept };
    let mut rig = Rig::new(&Setting { disks, alone, ..Setting::new(seed) });
    let (said, heals_at) = match seed % 2 {
        0 => drawn(&mut rig, seed),
        _ => in_turn(&mut rig, &mut rng),
    };
    let until = heals_at.since(Time::ZERO) + Duration::from_millis(1);
    let result = rig.run(until).and_then(|()| rig.whole()).and_then(|()| rig.settle());
    let accepted = rig.book().accepted.len();
    (result.map_err(|why| format!("seed {seed}: {why}\n{said}")), rig.failovers, accepted)
}

#[test]
fn through_deaths_and_partitions_no_accepted_job_is_lost() {
    let (mut takeovers, mut all) = (0, 0);
    for seed in 0..SEEDS {
        let (result, more, accepted) = story(seed);
        result.unwrap_or_else(|why| panic!("{why}"));
        takeovers += more;
        all += accepted;
    }
    println!("{takeovers} takeovers, {all} jobs accepted");
    assert!(takeovers > SEEDS / 2, "{takeovers} takeovers");
    assert!(all > 100 * SEEDS as usize, "{all} jobs");
}
