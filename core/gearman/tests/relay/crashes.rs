//! A power cut behind disk operations of the one that serves, and of both together, with everything
//! that it could leave.

use crate::people::Book;
use crate::rig::{Rig, SECOND, Setting};
use std::cell::RefCell;
use storytime_machine::Time;
use storytime_sim::enumerate::{Flaw, FlawKind, WorldOptions, WorldReport, enumerate_world};
use storytime_sim::{Config, HostId, World};

/// Operations are taken one by one up to here, then every `SPARSE`-th.
const DENSE: u64 = 12;
const SPARSE: u64 = 48;

/// Cuts the power of these hosts together.
fn sweep(hosts: &[u32]) {
    let hosts: Vec<HostId> = hosts.iter().map(|&host| HostId(host)).collect();
    let base = WorldOptions {
        targets: vec![hosts],
        outage: Some(SECOND * 5),
        random: 1,
        ..WorldOptions::new([], Time::ZERO + SECOND * 7)
    };
    let dense = WorldOptions { operations: (1, DENSE), every: 1, ..base.clone() };
    let sparse = WorldOptions { operations: (DENSE + 1, 400), every: SPARSE, ..base };
    for options in [dense, sparse] {
        // Worlds are run one after the other: the book of the last that was built is the right one.
        let book = RefCell::new(Book::default());
        let build = || {
            let (world, new) = Rig::build(&Setting::new(30));
            book.replace(new);
            world
        };
        let check = |world: &mut World| {
            let nothing = World::new(Config::new(0));
            let world_then = core::mem::replace(world, nothing);
            let mut rig = Rig::around(world_then, book.borrow().clone());
            let result = rig.whole().and_then(|()| rig.settle());
            *world = rig.world;
            result.map_err(|what| Flaw { kind: FlawKind::Lost, what })
        };
        let report: WorldReport = enumerate_world(&options, build, check);
        println!("{report:?}");
        report.assert_clean();
        assert!(report.points > 5, "{report:?}");
    }
}

#[test]
fn the_one_that_serves_may_lose_its_power_at_any_operation() {
    sweep(&[0]);
}

#[test]
fn both_may_lose_their_power_at_once_at_any_operation() {
    sweep(&[0, 1]);
}
