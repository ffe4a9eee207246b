//! Power cuts behind every disk operation of a master, a replica and a promotion, with whatever
//! such a cut could leave.

use crate::rig::{Kind, Rig, star};
use core::time::Duration;
use storytime_machine::Time;
use storytime_sim::disk::Profile;
use storytime_sim::enumerate::{Flaw, Stage, WorldOptions, WorldReport, enumerate_stage};
use storytime_sim::{Config, HostId, World};

const MASTER: HostId = HostId(0);
const REPLICA: HostId = HostId(1);

/// What goes on when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Writes are shipped.
    Shipping,
    /// The replica is filled with the master's content.
    Seeding,
    /// The master is gone, and the replica is promoted.
    Promotion,
}

struct Drill {
    rig: Rig,
    act: Act,
    /// Operations that either host had completed before the act began.
    before: [u64; 2],
}

impl Drill {
    fn new(act: Act) -> Self {
        let kind = Kind::Database(Profile::Posix);
        let mut rig = Rig::of(kind, Config::new(7), 2, star);
        rig.begin_load();
        rig.run_ms(300);
        let at = rig.at(0);
        match act {
            Act::Shipping => {}
            Act::Seeding => rig.type_at(1, &format!("REPLICAOF {at} RESEED")),
            Act::Promotion => {
                rig.power(0, false);
                rig.run_ms(5);
                rig.type_at(1, "REPLICAOF NO ONE");
            }
        }
        let before = [MASTER, REPLICA].map(|host| rig.world.operations(host));
        Self { rig, act, before }
    }
}

impl Stage for Drill {
    fn world(&mut self) -> &mut World {
        &mut self.rig.world
    }

    fn finish(&mut self) -> Result<(), Flaw> {
        let rig = &mut self.rig;
        // The power comes back meanwhile.
        rig.run_ms(700);
        if self.act == Act::Promotion {
            rig.power(0, true);
        }
        rig.run_ms(1000);
        rig.end_load();
        rig.check_registers();
        let acknowledged = rig.acknowledged();
        let lost = |rows| acknowledged.difference(&rows).count();
        if self.act == Act::Promotion {
            // One of them has everything that was acknowledged before the master went; whether the
            // promotion is remembered or not, the logs are not merged.
            let term = rig.info(1, "term");
            let refused = rig.info(1, "master_refuses");
            let promoted = term.starts_with("1.0-");
            let master = rig.info(1, "role") == "master";
            return match (promoted, master, refused.starts_with("DIVERGED")) {
                (true, true, _) | (true, false, true) => Ok(()),
                (false, false, false) if lost(rig.rows(0)) == 0 => Ok(()),
                other => Err(Flaw::refused(format!("{term}: {other:?}: {refused}"))),
            };
        }
        rig.converge(&[0, 1], 20_000);
        if lost(rig.rows(1)) > 0 {
            return Err(Flaw::lost("acknowledged rows"));
        }
        match rig.info(0, "repl_diverged") == "0" && rig.info(1, "repl_diverged") == "0" {
            true => Ok(()),
            false => Err(Flaw::invented("a replica had what its master had not")),
        }
    }
}

fn enumerate(act: Act, host: HostId, operations: u64) -> WorldReport {
    let before = Drill::new(act).before[usize::from(host == REPLICA)];
    let end = Time::ZERO + Duration::from_secs(2);
    let options = WorldOptions {
        outage: Some(Duration::from_millis(200)),
        operations: (before + 1, before + operations),
        random: 1,
        ..WorldOptions::new([host], end)
    };
    let report = enumerate_stage(&options, || Drill::new(act));
    report.assert_clean();
    // A write and its sync at least.
    assert!(report.points >= 2, "{act:?} of {host:?}: {} points", report.points);
    report
}

#[test]
fn shipping_survives_a_power_cut_behind_every_operation_of_either_side() {
    enumerate(Act::Shipping, MASTER, 16);
    enumerate(Act::Shipping, REPLICA, 16);
}

#[test]
fn seeding_survives_a_power_cut_behind_every_operation_of_either_side() {
    enumerate(Act::Seeding, REPLICA, 24);
    enumerate(Act::Seeding, MASTER, 12);
}

#[test]
fn a_promotion_is_whole_or_was_none_behind_every_operation() {
    enumerate(Act::Promotion, REPLICA, 12);
}
