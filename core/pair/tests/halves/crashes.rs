//! A power cut at every disk operation of each of the three hosts, from the first one on.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_machine::{Ratio, Time};
use storytime_sim::HostId;
use storytime_sim::disk::{CrashPlan, Plan};

const SECOND: Duration = Duration::from_secs(1);
/// The points of a story are taken one by one up to here, then ever more of them are left out.
const DENSE: u64 = 120;

/// Disk operations of a host that were carried out so far.
fn operations(rig: &mut Rig, host: HostId) -> u64 {
    let stats = rig.world.disk(host).expect("it has a disk").stats();
    stats.reads + stats.writes + stats.syncs
}

/// Runs to a host's operation of this number, cuts its power, and sees what comes of it. False if
/// the story has fewer operations.
fn cut_at(host: usize, point: u64) -> Result<bool, String> {
    let mut rig = Rig::new(&Setting::new(30));
    rig.pace(2);
    let host = [rig.hosts[0], rig.hosts[1], rig.witness][host];
    let end = Time::ZERO + SECOND * 3;
    while operations(&mut rig, host) < point {
        if rig.world.now() >= end {
            return Ok(false);
        }
        let events = rig.world.events();
        rig.world.run_events(events + 1);
    }
    let plan = match point % 3 {
        0 => CrashPlan::Nothing,
        1 => CrashPlan::Everything,
        _ => CrashPlan::Random { seed: point, tears: Ratio::new(1, 4) },
    };
    let now = rig.world.now();
    rig.world.disk(host).expect("it has a disk").power_cut_with(now, &mut Plan::new(plan));
    rig.world.power_cut(host);
    rig.run(SECOND * 2)?;
    rig.world.power_on(host);
    rig.settle()?;
    rig.succeed()?;
    Ok(true)
}

fn sweep(host: usize) {
    let (mut point, mut cuts) = (1, 0);
    while cut_at(host, point).unwrap_or_else(|why| panic!("host {host}, operation {point}: {why}"))
    {
        cuts += 1;
        point += 1 + (point / DENSE) * 11;
    }
    println!("host {host}: {cuts} cuts in {point} operations");
    assert!(cuts >= 3, "a story has operations");
}

#[test]
fn the_preferred_half_may_lose_its_power_at_any_operation() {
    sweep(0);
}

#[test]
fn the_other_half_may_lose_its_power_at_any_operation() {
    sweep(1);
}

#[test]
fn the_witness_may_lose_its_power_at_any_operation() {
    sweep(2);
}
