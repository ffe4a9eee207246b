//! A pair and its witness, cut by the enumerator: behind every operation of each disk, and in every
//! way that the disk could survive it.

#[path = "halves/client.rs"]
mod client;
#[path = "halves/rig.rs"]
mod rig;
#[path = "halves/tenant.rs"]
mod tenant;

use core::time::Duration;
use rig::{Rig, Setting};
use storytime_machine::Time;
use storytime_pair::Mirror;
use storytime_pair::config::Bug;
use storytime_sim::World;
use storytime_sim::enumerate::{
    Flaw, FlawKind, Stage, WorldOptions, enumerate_stage, replay_stage,
};

const SECOND: Duration = Duration::from_secs(1);

/// A pair with a client, which is looked at every few milliseconds after the power went.
struct Pair(Rig);

impl Pair {
    fn new() -> Self {
        let mut rig = Rig::new(&Setting::new(30));
        rig.pace(2);
        Self(rig)
    }
}

impl Stage for Pair {
    fn world(&mut self) -> &mut World {
        &mut self.0.world
    }

    fn finish(&mut self) -> Result<(), Flaw> {
        let after = |rig: &mut Rig| {
            rig.run(SECOND * 3)?;
            rig.settle()
        };
        after(&mut self.0).map_err(|what| match what.contains("lost") {
            true => Flaw::lost(what),
            false => Flaw { kind: FlawKind::Broken, what },
        })
    }
}

/// Of one of the three hosts, every so many-th operation.
fn options(host: usize, every: u64) -> WorldOptions {
    let rig = Rig::new(&Setting::new(30));
    let host = [rig.hosts[0], rig.hosts[1], rig.witness][host];
    let end = Time::ZERO + SECOND * 2;
    WorldOptions { outage: Some(SECOND * 2), every, random: 1, ..WorldOptions::new([host], end) }
}

#[test]
fn either_half_and_the_witness_may_lose_their_power_behind_any_operation() {
    for (host, every) in [(0, 9), (1, 7), (2, 1)] {
        let report = enumerate_stage(&options(host, every), Pair::new);
        println!("host {host}: {report}");
        report.assert_clean();
        assert!(report.points >= 9, "{report}");
    }
}

/// The second half was away and is being made equal.
fn resyncing(bug: Option<Bug>) -> Pair {
    let mut rig = Rig::new(&Setting { bug, ..Setting::new(20) });
    let whole = rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole);
    rig.world.power_cut(rig.hosts[1]);
    let alone = whole.and_then(|()| rig.run(SECOND * 2));
    rig.world.power_on(rig.hosts[1]);
    alone.expect("one half serves alone");
    while rig.member(0).pair.mirror() == Mirror::Out {
        rig.world.run_until(rig.world.now() + Duration::from_micros(100));
    }
    Pair(rig)
}

/// Behind each operation of the active half during the resync.
fn during_resync() -> WorldOptions {
    let rig = resyncing(None).0;
    let done = rig.world.operations(rig.hosts[0]);
    let end = rig.world.now() + SECOND;
    WorldOptions {
        outage: Some(SECOND * 6),
        operations: (done + 1, done + 60),
        every: 4,
        random: 0,
        ..WorldOptions::new([rig.hosts[0]], end)
    }
}

#[test]
fn a_half_that_counts_as_equal_too_early_is_found_during_a_resync() {
    let options = during_resync();
    enumerate_stage(&options, || resyncing(None)).assert_clean();
    let bug = Some(Bug::JoinsEarly);
    let report = enumerate_stage(&options, || resyncing(bug));
    println!("{report}");
    let (recipe, flaw) = report.violations.first().expect("it is found").clone();
    let recipe = recipe.expect("it needs a cut");
    assert_eq!(replay_stage(&options, || resyncing(bug), &recipe), Err(flaw), "{recipe}");
    assert_eq!(replay_stage(&options, || resyncing(None), &recipe), Ok(()), "{recipe}");
}
