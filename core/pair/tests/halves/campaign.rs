//! Hundreds of worlds, each with troubles of its own.
//!
//! In each: never two halves that serve, no read that misses what was acknowledged before it, every
//! acknowledged number there after all failovers, and in the end two equal disks.

use crate::rig::{Rig, Setting, quick_disk};
use core::time::Duration;
use storytime_machine::{Rng, Time};
use storytime_pair::config::{Bug, DRIFT_PPM};
use storytime_sim::disk::Profile;
use storytime_sim::{DiskConfig, Fault, FaultPlan, Menu, Outcome, campaign};

/// Own stream of a seed's troubles between the two halves.
const STREAM: u64 = 1 << 40;
const SAFETY: Duration = Duration::from_secs(20);

/// What a seed's world is like.
fn setting(seed: u64, bug: Option<Bug>) -> Setting {
    let mut rng = Rng::new(seed, STREAM);
    let honest = [Profile::Friendly, Profile::Posix, Profile::Hostile];
    let mut disk = || DiskConfig { profile: honest[rng.index(3)], ..quick_disk() };
    let disks = [disk(), disk()];
    let most = u64::from(DRIFT_PPM) - 1_000;
    let drift_ppm = [0; 3].map(|_| rng.below(2 * most) as i32 - most as i32);
    Setting { disks, drift_ppm, bug, ..Setting::new(seed) }
}

/// Draws troubles for the whole world, and cuts of the link between the halves on top.
fn troubles(rig: &mut Rig, seed: u64, budget: usize) -> FaultPlan {
    let hosts = [rig.hosts[0], rig.hosts[1], rig.witness];
    let menu = Menu {
        hosts: rig.victims(),
        budget,
        safety: SAFETY,
        gap: Duration::from_millis(1_500),
        window: (Duration::from_millis(300), Duration::from_secs(4)),
    };
    let plan = FaultPlan::draw(seed, &menu);
    plan.schedule(&mut rig.world);
    let mut rng = Rng::new(seed, STREAM + 1);
    let mut at = Time::ZERO + Duration::from_secs(3);
    for _ in 0..rng.below(4) {
        at += rng.exponential(Duration::from_secs(4));
        let end = at + rng.duration(Duration::from_millis(50), Duration::from_secs(3));
        let (from, to) = (rng.index(3), rng.index(3));
        for (from, to) in [(from, to), (to, from)].into_iter().take(1 + rng.index(2)) {
            let (from, to) = (hosts[from], hosts[to]);
            if from != to && end < plan.heals_at {
                rig.world.schedule(at, Fault::Cut { from, to });
                rig.world.schedule(end, Fault::Mend { from, to });
            }
        }
    }
    plan
}

struct Story {
    failovers: u64,
    acked: usize,
}

fn story(seed: u64, budget: usize, bug: Option<Bug>) -> (Outcome, Story) {
    let mut rig = Rig::new(&setting(seed, bug));
    let plan = troubles(&mut rig, seed, budget);
    let until = plan.heals_at.since(Time::ZERO) + Duration::from_millis(1);
    let result = rig.run(until).and_then(|()| rig.settle()).and_then(|()| rig.succeed());
    let story = Story { failovers: rig.failovers, acked: rig.client().acked.len() };
    let (digest, events) = (rig.world.digest(), rig.world.events());
    (Outcome { seed, digest, events, drawn: plan.to_string(), result }, story)
}

/// Runs seeds; the failures, failovers and acknowledgements of all.
fn run(
    seeds: core::ops::Range<u64>,
    budget: usize,
    bug: Option<Bug>,
) -> (Vec<Outcome>, u64, usize) {
    let (mut failovers, mut acked) = (0, 0);
    let each = |seed| {
        let (outcome, story) = story(seed, budget, bug);
        failovers += story.failovers;
        acked += story.acked;
        outcome
    };
    let tally = campaign(seeds, each, |_| {});
    (tally.failures, failovers, acked)
}

#[test]
fn one_trouble_at_a_time_is_survived_with_nothing_lost() {
    let (failures, failovers, acked) = run(0..100, 1, None);
    assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(3)]);
    println!("{failovers} failovers, {acked} acknowledged");
    assert!(failovers > 50, "{failovers} failovers");
}

#[test]
fn several_troubles_at_once_lose_nothing_either() {
    let (failures, failovers, acked) = run(1000..1100, 3, None);
    assert!(failures.is_empty(), "{:#?}", &failures[..failures.len().min(3)]);
    println!("{failovers} failovers, {acked} acknowledged");
}

/// Each mistake of [`Bug`] is found by the same worlds.
fn finds(bug: Bug) -> String {
    for seed in 0..200 {
        let (outcome, _) = story(seed, 2, Some(bug));
        if let Err(why) = outcome.result {
            return format!("seed {seed}: {why}");
        }
    }
    panic!("{bug:?} was not found in 200 worlds");
}

#[test]
fn a_flush_acknowledged_before_the_other_half_has_it_is_found() {
    println!("{}", finds(Bug::AckBeforePeer));
}

#[test]
fn a_half_left_behind_without_a_mark_is_found() {
    println!("{}", finds(Bug::NoBehindMark));
}

#[test]
fn a_resync_that_leaves_a_block_out_is_found() {
    println!("{}", finds(Bug::ForgetsBlock));
}
