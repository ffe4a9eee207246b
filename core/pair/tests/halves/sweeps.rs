//! The same short story with one power cut, moved on step by step.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_pair::Mirror;
use storytime_pair::config::{Bug, DRIFT_PPM};
use storytime_sim::Fault;
use storytime_sim::campaign::panic_text;

const SECOND: Duration = Duration::from_secs(1);

/// The second half comes back and is made equal; meanwhile, after some time, the first one loses
/// its power for good. The second may serve only if it has everything.
fn cut_during_resync(after: Duration, bug: Option<Bug>) -> Result<(), String> {
    let mut rig = Rig::new(&Setting { bug, ..Setting::new(20) });
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole)?;
    rig.world.power_cut(rig.hosts[1]);
    rig.run(SECOND * 2)?;
    rig.world.power_on(rig.hosts[1]);
    while rig.member(0).pair.mirror() == Mirror::Out {
        rig.world.run_until(rig.world.now() + Duration::from_micros(100));
    }
    rig.world.run_until(rig.world.now() + after);
    rig.world.power_cut(rig.hosts[0]);
    rig.run(SECOND * 5)?;
    if rig.active() == Some(1) {
        rig.run(SECOND / 2)?;
        let lost = rig.lost();
        if !lost.is_empty() {
            return Err(format!("cut after {after:?}: {} acknowledged numbers lost", lost.len()));
        }
    }
    rig.world.power_on(rig.hosts[0]);
    rig.settle()
}

#[test]
fn an_active_half_that_dies_during_a_resync_is_succeeded_only_by_an_equal_one() {
    for step in 0..60 {
        let after = Duration::from_micros(step * 250);
        cut_during_resync(after, None).unwrap_or_else(|why| panic!("{after:?}: {why}"));
    }
}

#[test]
fn a_half_that_counts_as_equal_too_early_is_found() {
    let mut sweep = (0..200).map(|step| Duration::from_micros(step * 250));
    let found = sweep.find_map(|after| {
        // What the tenant finds may be torn, too: it says so by a panic.
        let run = || cut_during_resync(after, Some(Bug::JoinsEarly));
        std::panic::catch_unwind(run).unwrap_or_else(|panic| Err(panic_text(&*panic))).err()
    });
    println!("{}", found.expect("a half without everything becomes active"));
}

/// The active half, with a slow clock, is cut off; the others' clocks are fast.
fn cut_off(offset: Duration, bug: Option<Bug>) -> Result<(), String> {
    let off = DRIFT_PPM as i32 - 100;
    let mut rig = Rig::new(&Setting { drift_ppm: [-off, off, off], bug, ..Setting::new(21) });
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole)?;
    rig.world.run_until(rig.world.now() + offset);
    let (alone, rest) = (rig.hosts[0], [rig.hosts[1], rig.witness]);
    for other in rest {
        rig.cut(alone, other);
    }
    rig.run(SECOND * 3)?;
    if rig.active() != Some(1) {
        return Err("the other half does not serve".to_owned());
    }
    rig.world.apply(&Fault::HealAll);
    rig.settle()
}

#[test]
fn clocks_at_the_ends_of_the_bound_never_make_two_serve() {
    for step in 0..40 {
        let offset = Duration::from_millis(step * 131);
        cut_off(offset, None).unwrap_or_else(|why| panic!("{offset:?}: {why}"));
    }
}

#[test]
fn a_lease_without_a_margin_is_found() {
    let mut sweep = (0..100).map(|step| Duration::from_millis(step * 53));
    let found = sweep.find_map(|offset| cut_off(offset, Some(Bug::NoDriftMargin)).err());
    println!("{}", found.expect("both serve for a moment"));
}
