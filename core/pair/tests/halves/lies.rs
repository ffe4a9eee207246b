//! Disks that say that a flush is done when it is not.

use crate::rig::{Rig, Setting, quick_disk};
use core::time::Duration;
use storytime_machine::Rng;
use storytime_sim::DiskConfig;
use storytime_sim::campaign::panic_text;
use storytime_sim::disk::Lies;

const SECOND: Duration = Duration::from_secs(1);
const LIES: [(&str, Lies); 3] = [
    ("the file system", Lies::FILE_SYSTEM),
    ("the controller", Lies::CONTROLLER),
    ("the drive", Lies::DRIVE),
];

fn up(seed: u64, lies: Lies) -> Result<Rig, String> {
    let disk = DiskConfig { lies, ..quick_disk() };
    let mut rig = Rig::new(&Setting { disks: [disk.clone(), disk], ..Setting::new(seed) });
    rig.run_until(SECOND * 5, "a whole pair", Rig::is_whole)?;
    rig.run(Rng::new(seed, 1).duration(SECOND / 2, SECOND * 2))?;
    Ok(rig)
}

/// One half loses its power; the other goes on, and brings it up to date when it is back.
fn one_cut(seed: u64, lies: Lies) -> Result<(), String> {
    let mut rig = up(seed, lies)?;
    let victim = rig.hosts[seed as usize % 2];
    rig.world.power_cut(victim);
    rig.run(SECOND * 3)?;
    let lost = rig.lost();
    if !lost.is_empty() {
        return Err(format!("lost while one half went on: {lost:?}"));
    }
    rig.world.power_on(victim);
    rig.settle()
}

#[test]
fn one_lying_half_without_power_loses_nothing() {
    for (name, lies) in LIES {
        for seed in 0..10 {
            one_cut(seed, lies).unwrap_or_else(|why| panic!("{name} lies, seed {seed}: {why}"));
        }
    }
}

/// Both at once: how many acknowledged numbers are lost.
fn both_cut(seed: u64, lies: Lies) -> Result<usize, String> {
    let mut rig = up(seed, lies)?;
    for host in rig.hosts {
        rig.world.power_cut(host);
    }
    rig.run(SECOND)?;
    for host in rig.hosts {
        rig.world.power_on(host);
    }
    rig.client().forgiving = true;
    rig.run_until(SECOND * 10, "a whole pair", Rig::is_whole)?;
    rig.come_to_rest()?;
    Ok(rig.lost().len())
}

/// What became of some seeds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    kept: u64,
    lost: u64,
    /// Neither half may serve: their marks show that their disks forgot.
    refused: u64,
    /// The tenant finds what it cannot have written.
    damaged: u64,
}

fn count(lies: Lies) -> Seen {
    let mut seen = Seen::default();
    for seed in 0..20 {
        let run = || both_cut(seed, lies);
        let result = std::panic::catch_unwind(run).map_err(|panic| panic_text(&*panic));
        *match result {
            Ok(Ok(0)) => &mut seen.kept,
            Ok(Ok(_)) => &mut seen.lost,
            Ok(Err(_)) => &mut seen.refused,
            Err(_) => &mut seen.damaged,
        } += 1;
    }
    seen
}

#[test]
fn both_halves_without_power_keep_everything_on_honest_disks_and_not_on_liars() {
    assert_eq!(count(Lies::NONE), Seen { kept: 20, ..Seen::default() });
    for (name, lies) in LIES {
        let seen = count(lies);
        println!("{name} lies: {seen:?}");
        assert!(seen.kept < 20, "{name} lies, and nothing is lost");
    }
}
