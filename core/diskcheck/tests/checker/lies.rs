//! Each kind of lie is found and named; honest disks are not accused.

use crate::bench::{Bench, Lie};
use storytime_diskcheck::{Kind, Verdict};
use storytime_machine::{Duration, Exit};

const WRITE: &str = "write --recorder alive --blocks 16 --block-bytes 2048 data/f";
const SEEDS: core::ops::Range<u64> = 0..40;

fn check(lie: Lie, seed: u64, rounds: u32) -> Verdict {
    let verdict = Bench::new(lie, seed).cut_after(rounds, WRITE);
    assert_eq!(verdict.acknowledged, verdict.surviving + verdict.lost, "seed {seed}");
    verdict
}

#[test]
fn an_honest_disk_loses_nothing_at_any_moment() {
    for seed in SEEDS {
        let verdict = check(Lie::None, seed, 400 + 7 * seed as u32);
        assert_eq!((verdict.kind, verdict.lost), (Kind::Honest, 0), "seed {seed}: {verdict:?}");
        assert!(verdict.acknowledged > 50, "seed {seed}: {verdict:?}");
    }
}

#[test]
fn writes_under_way_at_the_cut_are_torn_and_no_lie() {
    let torn: u64 = SEEDS.map(|seed| check(Lie::None, seed, 501).torn).sum();
    assert!(torn > 0, "the bench never tore a block: it proves nothing about tears");
}

#[test]
fn a_lying_file_system_is_named() {
    for seed in SEEDS {
        let verdict = check(Lie::FileSystem, seed, 500);
        assert_eq!(verdict.kind, Kind::FileSystem, "seed {seed}: {verdict:?}");
        assert_eq!(verdict.surviving, 0, "nothing was written back yet");
    }
}

#[test]
fn a_lying_file_system_is_named_even_when_old_pages_were_written_back() {
    for seed in SEEDS {
        let mut bench = Bench::new(Lie::FileSystem, seed);
        bench.op_takes = Duration::from_millis(20);
        let mut writer = bench.writer(WRITE);
        for round in 0..2_000 {
            bench.step(&mut writer);
            match round {
                1_000 => bench.disk.write_back("data/f"),
                1_010 => bench.disk.write_back("data/f.log"),
                1_020 => bench.disk.write_back_names(),
                _ => {}
            }
        }
        bench.disk.cut();
        let verdict = bench.verify();
        assert_eq!(verdict.kind, Kind::FileSystem, "seed {seed}: {verdict:?}");
        assert!(verdict.surviving > 0 && verdict.lost > 0, "{verdict:?}");
    }
}

#[test]
fn a_lying_controller_is_named() {
    for seed in SEEDS {
        let verdict = check(Lie::Controller(40), seed, 800);
        assert_eq!(verdict.kind, Kind::Controller, "seed {seed}: {verdict:?}");
        assert_eq!(verdict.holes, 0, "a queue keeps its order");
    }
}

#[test]
fn a_lying_drive_is_named() {
    for seed in SEEDS {
        let verdict = check(Lie::Drive(40), seed, 1_500);
        assert_eq!(verdict.kind, Kind::Drive, "seed {seed}: {verdict:?}");
        assert_eq!(verdict.metadata_lost, 0, "lengths and names are durable");
    }
}

#[test]
fn more_steps_under_way_change_no_verdict() {
    let many = "write --recorder alive --outstanding 16 --blocks 16 --block-bytes 2048 data/f";
    for seed in SEEDS {
        for (lie, kind) in [(Lie::None, Kind::Honest), (Lie::Controller(40), Kind::Controller)] {
            let verdict = Bench::new(lie, seed).cut_after(800, many);
            assert_eq!(verdict.kind, kind, "seed {seed}: {verdict:?}");
        }
    }
}

#[test]
fn a_cut_before_the_first_acknowledgement_proves_nothing() {
    let verdict = check(Lie::FileSystem, 1, 13);
    assert_eq!((verdict.kind, verdict.acknowledged), (Kind::NoEvidence, 0));
}

#[test]
fn rot_and_misdirected_writes_are_corruption_and_not_a_lie_about_flushing() {
    for damage in [0, 1] {
        let mut bench = Bench::new(Lie::None, 7);
        let mut writer = bench.writer(&format!("{WRITE} --steps 300"));
        assert_eq!(bench.finish(&mut writer), Exit::Stopped);
        bench.disk.cut();
        assert_eq!(bench.verify().kind, Kind::Honest);
        match damage {
            0 => bench.disk.rot("data/f", 3 * 2048 + 700),
            _ => bench.disk.misdirect("data/f", 0, 3 * 2048, 2048),
        }
        let verdict = bench.verify();
        assert_eq!((verdict.kind, verdict.corrupt), (Kind::Mixed, 1), "{verdict:?}");
        assert!(verdict.lost > 0, "what was acknowledged there is gone: {verdict:?}");
    }
}

#[test]
fn the_verdict_is_printed() {
    let text = check(Lie::Drive(40), 3, 1_500).render();
    assert!(text.starts_with("disk check of run "), "{text}");
    for part in [
        "\n  acknowledged  ",
        "\n  lost  ",
        "older than a survivor",
        "\nverdict: drive\n  the DRIVE",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}
