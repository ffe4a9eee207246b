//! Power cuts at every moment of a stretch of time in which much is under way, one run for each.

use crate::rig::{Kind, Rig, star};
use core::time::Duration;
use storytime_sim::Config;
use storytime_sim::disk::Profile;

/// Moments, and how far they are apart: the longest sync of the toy lies between first and last.
const MOMENTS: u64 = 50;
const STEP: Duration = Duration::from_micros(110);

fn sweep(kind: Kind, victim: usize, reseed: bool) {
    for moment in 0..MOMENTS {
        let mut rig = Rig::of(kind, Config::new(3), 2, star);
        rig.begin_load();
        rig.run_ms(400);
        if reseed {
            let at = rig.at(0);
            rig.ask(1, &format!("REPLICAOF {at} RESEED"));
        }
        let at = rig.now() + STEP * moment as u32;
        let _reached = rig.world.run_until(at);
        rig.power(victim, false);
        // The other one lives on, and makes durable what was under way.
        rig.run_ms(30);
        rig.power(victim, true);
        rig.run_ms(700);
        rig.end_load();
        rig.converge(&[0, 1], 20_000);
        let lost = rig.acknowledged().difference(&rig.rows(1)).count();
        assert_eq!(lost, 0, "{kind:?}, moment {moment} of server {victim}: rows are lost");
        for server in [0, 1] {
            let diverged = rig.info(server, "repl_diverged");
            assert_eq!(diverged, "0", "{kind:?}, moment {moment} of server {victim}");
        }
        rig.check_registers();
    }
}

#[test]
fn a_master_may_lose_its_power_at_any_moment() {
    sweep(Kind::Toy, 0, false);
    sweep(Kind::Database(Profile::Posix), 0, false);
}

#[test]
fn a_replica_may_lose_its_power_at_any_moment() {
    sweep(Kind::Toy, 1, false);
    sweep(Kind::Database(Profile::Posix), 1, false);
}

#[test]
fn both_may_lose_their_power_while_one_fills_the_other() {
    for victim in [0, 1] {
        sweep(Kind::Toy, victim, true);
        sweep(Kind::Database(Profile::Posix), victim, true);
    }
}
