//! The power of a database goes behind each of its disk operations while a user is moved.

use super::{Moving, check};
use std::cell::RefCell;
use storytime_machine::Duration;
use storytime_sharding::mover::options::Bug;
use storytime_sim::enumerate::{FlawKind, WorldOptions, WorldReport, enumerate_world};
use storytime_sim::{Config, HostId, World};

/// How long a run goes on before it is asked to come to rest.
const RUN: Duration = Duration::from_secs(3);

/// Every so many-th operation of the directory's host, or of a host with shards.
fn enumerate(bug: Bug, hosts: impl Fn(&Moving) -> Vec<HostId>, every: u64) -> WorldReport {
    let build = || Moving::new(1, 3, |options| options.job.bug = bug);
    let first = build();
    let begin = first.site.world.now();
    let hosts = hosts(&first);
    let done = first.operations(&hosts);
    let mut options = WorldOptions::new(hosts, begin + RUN);
    options.every = every;
    options.random = 1;
    options.outage = Some(Duration::from_secs(1));
    options.operations = (done + 1, u64::MAX);
    // What belongs to the world that was built last.
    let rest: RefCell<Option<Moving>> = RefCell::new(None);
    let build = || {
        let mut moving = build();
        let world = core::mem::replace(&mut moving.site.world, World::new(Config::new(0)));
        *rest.borrow_mut() = Some(moving);
        world
    };
    enumerate_world(&options, build, |world| {
        let mut moving = rest.borrow_mut().take().expect("it was built");
        core::mem::swap(&mut moving.site.world, world);
        moving.rest();
        check(&mut moving);
        Ok(())
    })
}

#[test]
fn a_move_survives_a_power_cut_behind_any_operation_of_the_directory() {
    let report = enumerate(Bug::None, |moving| vec![moving.site.directory], 3);
    report.assert_clean();
    assert!(report.points > 3, "{report}");
}

#[test]
fn a_move_survives_a_power_cut_behind_any_operation_of_a_shard() {
    let report = enumerate(Bug::None, |moving| vec![moving.site.databases[0]], 29);
    report.assert_clean();
    assert!(report.points > 3, "{report}");
}

#[test]
fn number_spaces_that_begin_anew_are_found_by_crash_points_too() {
    let report = enumerate(Bug::CountersNotCarried, |moving| vec![moving.site.directory], 99);
    assert!(report.flaws_of(FlawKind::Panicked) > 0, "{report}");
}
