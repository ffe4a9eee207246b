//! A power cut behind every disk operation of each of the three hosts, and of both halves together,
//! with everything that it could leave.

use crate::rig::{Rig, Setting};
use core::time::Duration;
use storytime_machine::Time;
use storytime_sim::enumerate::{Flaw, Stage, WorldOptions, enumerate_stage};
use storytime_sim::{HostId, World};

const SECOND: Duration = Duration::from_secs(1);
/// Up to when operations are cut behind, and what is left of a run is looked at.
const END: Time = Time(6_000_000_000);
/// The points of a story are taken one by one up to here, then every `SPARSE`-th.
const DENSE: u64 = 60;
const SPARSE: u64 = 16;

fn setting() -> Setting {
    Setting { pace: 2, ..Setting::new(30) }
}

impl Stage for Rig {
    fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// After the outage: the world comes to rest, and the standby alone has everything.
    fn finish(&mut self) -> Result<(), Flaw> {
        let rest = END.since(self.world.now());
        let result = self.run(rest).and_then(|()| self.settle()).and_then(|()| self.succeed());
        result.map_err(Flaw::lost)
    }
}

/// Cuts the power of these hosts together.
fn sweep(hosts: &[u32]) {
    let hosts: Vec<HostId> = hosts.iter().map(|&host| HostId(host)).collect();
    let base = WorldOptions {
        targets: vec![hosts],
        outage: Some(SECOND * 2),
        random: 1,
        ..WorldOptions::new([], END)
    };
    let dense = WorldOptions { operations: (1, DENSE), every: 1, ..base.clone() };
    let sparse = WorldOptions { operations: (DENSE + 1, 500), every: SPARSE, ..base };
    for options in [dense, sparse] {
        let report = enumerate_stage(&options, || Rig::new(&setting()));
        println!("{report:?}");
        report.assert_clean();
    }
}

#[test]
fn the_preferred_half_may_lose_its_power_at_any_operation() {
    sweep(&[0]);
}

#[test]
fn the_other_half_may_lose_its_power_at_any_operation() {
    sweep(&[1]);
}

#[test]
fn the_witness_may_lose_its_power_at_any_operation() {
    sweep(&[2]);
}

#[test]
fn both_halves_may_lose_their_power_at_once_at_any_operation() {
    sweep(&[0, 1]);
}
