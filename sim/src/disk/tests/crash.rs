//! What a power cut leaves of what was not flushed.

use super::*;
use std::collections::BTreeSet;

#[test]
fn what_a_sync_acknowledged_survives_and_a_later_write_may() {
    let mut states = BTreeSet::new();
    for seed in 0..64 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.create("log");
        host.write(file, 0, b"one");
        host.sync(file);
        host.write(file, 3, b"two");
        host.cut();
        states.insert(host.content("log"));
    }
    // The length grew without the data; the data grew without the length; both; part of it.
    assert!(states.iter().all(|state| state.starts_with(b"one")), "{states:?}");
    for state in [&b"one"[..], b"one\0\0\0", b"onetwo"] {
        assert!(states.contains(state), "{states:?}");
    }
}

#[test]
fn bytes_that_fill_no_sector_are_accounted_for_when_the_power_goes() {
    for profile in Profile::ALL {
        let mut host = Host::new(profile, 1);
        let file = host.create("f");
        host.write(file, 0, &[1; 24]);
        host.cut_with(CrashPlan::Nothing);
    }
}

#[test]
fn equal_states_after_a_cut_are_told_by_their_digest_alone() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.create("f");
    host.write(file, 0, &pattern(2, 2 * SECTOR_BYTES));
    let after = |plan| {
        let mut disk = host.disk.clone();
        let cut = disk.power_cut_with(host.now, &mut Plan::new(plan));
        (cut.survivors, disk.digest())
    };
    // The length and two sectors are chosen; behind the length that survives nothing matters.
    for mask in 0..8 {
        for other in 0..8 {
            let ((one, content), (two, other_content)) =
                (after(CrashPlan::Mask(mask)), after(CrashPlan::Mask(other)));
            assert_eq!(one == two, content == other_content, "{mask:b} and {other:b}");
        }
    }
}

#[test]
fn sectors_survive_independently_under_posix_and_in_order_under_friendly() {
    let mut shapes = BTreeSet::new();
    for seed in 0..200 {
        for profile in [Profile::Posix, Profile::Friendly] {
            let mut host = Host::new(profile, seed);
            let file = host.create("f");
            host.write(file, 0, &[0; 4 * SECTOR_BYTES]);
            host.sync(file);
            for sector in 0..4 {
                host.write(file, sector * SECTOR_BYTES as u64, &[1; SECTOR_BYTES]);
            }
            host.cut();
            let shape: Vec<u8> = host.content("f").chunks(SECTOR_BYTES).map(|s| s[0]).collect();
            if profile == Profile::Friendly {
                assert!(shape.is_sorted_by(|a, b| a >= b), "a prefix: {shape:?}");
            } else {
                shapes.insert(shape);
            }
        }
    }
    assert_eq!(shapes.len(), 16, "every combination");
}

#[test]
fn any_version_since_the_last_flush_may_be_the_one_that_survives() {
    let mut survivors = BTreeSet::new();
    for seed in 0..100 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.create("f");
        for version in 0..4 {
            host.write(file, 0, &[version; SECTOR_BYTES]);
            if version == 0 {
                host.sync(file);
            }
        }
        host.cut();
        survivors.insert(host.content("f")[0]);
    }
    assert_eq!(survivors, BTreeSet::from([0, 1, 2, 3]));
}

#[test]
fn a_torn_sector_keeps_its_flushed_bytes_unless_hostile() {
    let (mut torn, mut damaged) = (0, 0);
    for seed in 0..100 {
        for profile in [Profile::Posix, Profile::Hostile] {
            let mut host = Host::new(profile, seed);
            let file = host.create("log");
            host.write(file, 0, &[3; 300]);
            host.sync(file);
            host.write(file, 300, &[7; 200]);
            torn += host.cut().sectors_torn;
            let intact = host.content("log").starts_with(&[3; 300]);
            assert!(intact || profile == Profile::Hostile, "seed {seed}");
            damaged += u32::from(!intact);
        }
    }
    assert!(torn > 0, "nothing was torn");
    assert!(damaged > 0, "the hazard of the last sector was never seen");
}

#[test]
fn only_the_hostile_profile_serves_stale_blocks() {
    let mut stale = 0;
    for seed in 0..200 {
        for profile in [Profile::Posix, Profile::Hostile] {
            let config = DiskConfig { tears: Ratio::NEVER, ..DiskConfig::new(profile) };
            let mut host = Host::with(config, seed);
            let file = host.create("f");
            host.write(file, 0, &[9; SECTOR_BYTES]);
            host.cut();
            let garbage = host.content("f").iter().any(|&byte| byte != 0 && byte != 9);
            assert!(!garbage || profile == Profile::Hostile);
            stale += u32::from(garbage);
        }
    }
    assert!(stale > 0, "no stale block was seen");
}

#[test]
fn a_truncation_survives_with_its_length_or_not_at_all() {
    let old = pattern(1, 3 * PAGE_BYTES);
    let mut kept = 0;
    for seed in 0..100 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.create("f");
        host.write(file, 0, &old);
        host.sync(file);
        host.done(DiskOp::SetLen { file, len: 0 });
        host.write(file, 0, &pattern(2, PAGE_BYTES));
        host.cut();
        let found = host.content("f");
        if found.len() == old.len() {
            kept += 1;
            assert_eq!(found, old, "the truncation did not happen, so nothing in its place did");
        } else {
            assert!(found.is_empty() || found.len() == PAGE_BYTES, "{}", found.len());
            assert!(found.iter().all(|byte| !old.contains(byte) || *byte < 8), "seed {seed}");
        }
    }
    assert!((1..100).contains(&kept), "{kept}");
}

#[test]
fn queued_writes_may_have_partly_happened_and_queued_syncs_have_not() {
    let mut lengths = BTreeSet::new();
    for seed in 0..200 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.create("f");
        let write = |at, fill| DiskOp::Write { file, at, data: Bytes::from(vec![fill; 8192]) };
        let ids = [
            host.submit(write(0, 1)),
            host.submit(write(8192, 2)),
            host.submit(DiskOp::Sync { file }),
            host.submit(write(16384, 3)),
        ];
        host.cut();
        assert!(ids.iter().all(|op| host.disk.complete(op.id).is_none()), "they died");
        lengths.insert(host.content("f").len());
    }
    assert_eq!(lengths, BTreeSet::from([0, 4096, 8192, 12288, 16384]));
}

#[test]
fn a_dying_process_leaves_the_page_cache() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..32 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.open("f");
        host.write(file, 0, b"written");
        let queued = host.submit(DiskOp::Write { file, at: 7, data: Bytes::from_static(b"!") });
        host.disk.process_died(host.now, OWNER);
        assert!(host.disk.complete(queued.id).is_none());
        assert_eq!(host.run(DiskOp::Sync { file }), Err(DiskError::Invalid), "it was closed");
        outcomes.insert(host.content("f"));
    }
    assert_eq!(outcomes, BTreeSet::from(["written".into(), "written!".into()]));
}

#[test]
fn crash_states_can_be_enumerated() {
    let mut host = Host::new(Profile::Posix, 1);
    let file = host.create("f");
    host.write(file, 0, &[1; 2 * SECTOR_BYTES]);
    host.open("g");
    let choices = host.clone().cut_with(CrashPlan::Nothing);
    assert_eq!(choices, 4, "two sectors, a length, a directory");
    let state = |plan| {
        let mut host = host.clone();
        host.cut_with(plan);
        (host.content("f"), host.find("g").is_some())
    };
    assert_eq!(state(CrashPlan::Nothing), (Bytes::new(), false));
    assert_eq!(state(CrashPlan::Everything), (vec![1; 2 * SECTOR_BYTES].into(), true));
    let alone: BTreeSet<_> = (0..choices).map(|i| state(CrashPlan::Only(i))).collect();
    let zeros = Bytes::from(vec![0; 2 * SECTOR_BYTES]);
    let expected = [(Bytes::new(), false), (zeros, false), (Bytes::new(), true)];
    assert_eq!(alone, BTreeSet::from(expected));
    let but: BTreeSet<_> = (0..choices).map(|i| state(CrashPlan::AllBut(i))).collect();
    assert_eq!(but.len(), 4, "one thing missing each");
}

#[test]
fn the_same_seed_leaves_the_same_disk() {
    let run = |seed| {
        let mut host = Host::new(Profile::Hostile, seed);
        let file = host.create("f");
        for i in 0..50 {
            host.write(file, i * 700, &pattern(i as u8, 1000));
            if i % 7 == 0 {
                host.sync(file);
            }
        }
        host.open("g");
        host.cut();
        host.disk.digest()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn writes_reach_the_medium_by_themselves_in_time() {
    let mut host = Host::new(Profile::Posix, 3);
    let file = host.open("f");
    host.write(file, 0, b"patience");
    host.wait(Duration::from_secs(31));
    assert_eq!(host.cut(), PowerCut::default());
    assert_eq!(host.content("f"), "patience");
}
