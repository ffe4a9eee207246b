//! The databases and the directory, cut by the enumerator while users are moved: behind their disk
//! operations one by one, and in every way that the disk could survive it.

use super::{Moving, check};
use storytime_machine::Duration;
use storytime_sharding::mover::options::Bug;
use storytime_sim::enumerate::{
    Flaw, FlawKind, Stage, WorldOptions, enumerate_stage, replay_stage,
};
use storytime_sim::{HostId, World};

/// Moves asked for in a run.
const ORDERS: u32 = 8;

impl Stage for Moving {
    fn world(&mut self) -> &mut World {
        &mut self.site.world
    }

    /// A promise that does not hold panics, and the enumerator says where.
    fn finish(&mut self) -> Result<(), Flaw> {
        self.site.pass(Duration::from_secs(6));
        self.rest();
        check(self);
        Ok(())
    }
}

fn build(bug: Option<Bug>) -> Moving {
    Moving::new(3, ORDERS, |options| {
        if let Some(bug) = bug {
            options.job.bug = bug;
        }
    })
}

fn options(host: HostId, every: u64) -> WorldOptions {
    let moving = build(None);
    let done = moving.site.world.operations(host);
    WorldOptions {
        outage: Some(Duration::from_secs(2)),
        operations: (done + 1, u64::MAX),
        every,
        random: 0,
        ..WorldOptions::new([host], moving.site.world.now() + Duration::from_secs(3))
    }
}

#[test]
fn nothing_is_lost_or_doubled_wherever_a_database_or_the_directory_loses_its_power() {
    let site = build(None).site;
    for (host, every) in [(site.databases[0], 290), (site.databases[1], 270), (site.directory, 17)]
    {
        let report = enumerate_stage(&options(host, every), || build(None));
        println!("host {}: {report}", host.0);
        report.assert_clean();
        assert!(report.points >= 2, "{report}");
    }
}

#[test]
fn a_directory_switched_before_the_copy_is_verified_is_found_by_a_cut() {
    let host = build(None).site.databases[0];
    let options = WorldOptions { random: 0, ..options(host, 300) };
    let bug = Some(Bug::SwitchBeforeVerify);
    let report = enumerate_stage(&options, || build(bug));
    println!("host {}, {bug:?}: {report}", host.0);
    let (recipe, flaw) = report.violations.first().expect("it is found").clone();
    let recipe = recipe.expect("it needs a cut");
    assert_eq!(flaw.kind, FlawKind::Panicked, "{flaw}");
    assert_eq!(replay_stage(&options, || build(bug), &recipe), Err(flaw), "{recipe}");
    assert_eq!(replay_stage(&options, || build(None), &recipe), Ok(()), "{recipe}");
}
