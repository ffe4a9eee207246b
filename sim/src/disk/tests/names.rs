//! Names are durable when their directory was synced, and not before.

use super::*;
use std::collections::BTreeSet;

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let mut found = BTreeSet::new();
    for seed in 0..32 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.open("f");
        host.write(file, 0, b"content");
        host.sync(file);
        host.cut();
        found.insert(host.find("f"));
    }
    assert_eq!(found, BTreeSet::from([None, Some("content".into())]));
}

#[test]
fn a_rename_happens_whole_or_not_at_all() {
    let mut found = BTreeSet::new();
    for seed in 0..64 {
        let mut host = Host::new(Profile::Hostile, seed);
        for (name, content) in [("old", "1"), ("new", "2")] {
            let file = host.create(name);
            host.write(file, 0, content.as_bytes());
            host.sync(file);
        }
        host.rename("new", "old");
        assert_eq!(host.list(""), ["old"]);
        host.cut();
        found.insert((host.find("old"), host.find("new")));
    }
    let before = (Some("1".into()), Some("2".into()));
    let after = (Some("2".into()), None);
    assert_eq!(found, BTreeSet::from([before, after]));
}

/// Which of three files made one after another survive.
fn creations(profile: Profile) -> BTreeSet<Vec<String>> {
    (0..100)
        .map(|seed| {
            let mut host = Host::new(profile, seed);
            for name in ["a", "b", "c"] {
                host.open(name);
            }
            host.cut();
            host.list("")
        })
        .collect()
}

#[test]
fn changes_survive_in_order_unless_hostile() {
    assert_eq!(creations(Profile::Posix).len(), 4, "the prefixes");
    assert_eq!(creations(Profile::Friendly).len(), 4, "the prefixes");
    assert_eq!(creations(Profile::Hostile).len(), 8, "the subsets");
}

#[test]
fn directories_are_independent_of_each_other() {
    let mut found = BTreeSet::new();
    for seed in 0..64 {
        let mut host = Host::new(Profile::Posix, seed);
        for name in ["x", "y"] {
            host.done(DiskOp::MakeDir { path: path(name) });
        }
        host.sync_names();
        host.open("x/1");
        host.open("y/2");
        host.cut();
        found.insert((host.list("x").len(), host.list("y").len()));
    }
    assert_eq!(found, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

#[test]
fn a_rename_between_directories_needs_both_synced() {
    let mut lost = 0;
    for seed in 0..32 {
        for both in [false, true] {
            let mut host = Host::new(Profile::Posix, seed);
            for name in ["x", "y"] {
                host.done(DiskOp::MakeDir { path: path(name) });
            }
            host.sync_names();
            host.open("x/f");
            host.done(DiskOp::SyncDir { path: path("x") });
            host.rename("x/f", "y/f");
            host.done(DiskOp::SyncDir { path: path("y") });
            if both {
                host.done(DiskOp::SyncDir { path: path("x") });
            }
            host.cut();
            let places = (host.list("x").len(), host.list("y").len());
            assert_eq!(places.0 + places.1, 1, "in one place");
            assert!(!both || places == (0, 1));
            lost += places.0;
        }
    }
    assert!(lost > 0, "one sync was never too little");
}

#[test]
fn a_sync_takes_along_what_it_builds_on() {
    for seed in 0..32 {
        let mut host = Host::new(Profile::Hostile, seed);
        host.done(DiskOp::MakeDir { path: path("x") });
        host.sync_names();
        host.open("tmp");
        host.rename("tmp", "x/f");
        host.unlink("x/f");
        // The removal is of x alone, but the arrival before it concerned both.
        host.done(DiskOp::SyncDir { path: path("x") });
        host.cut();
        assert_eq!(host.list(""), ["x"]);
        assert!(host.list("x").is_empty());
    }
}

#[test]
fn an_unlinked_file_stays_usable_and_may_come_back() {
    let mut found = BTreeSet::new();
    for seed in 0..32 {
        let mut host = Host::new(Profile::Posix, seed);
        let file = host.create("f");
        host.write(file, 0, b"still here");
        host.sync(file);
        host.unlink("f");
        assert_eq!(host.read(file, 0, 100).unwrap(), "still here");
        host.done(DiskOp::Close { file });
        assert!(host.find("f").is_none());
        host.cut();
        found.insert(host.find("f"));
    }
    assert_eq!(found, BTreeSet::from([None, Some("still here".into())]));
}

#[test]
fn files_under_a_directory_that_never_was_are_gone() {
    let mut host = Host::new(Profile::Posix, 1);
    host.done(DiskOp::MakeDir { path: path("x") });
    let file = host.open("x/f");
    host.write(file, 0, &[1; 4096]);
    host.sync(file);
    host.done(DiskOp::SyncDir { path: path("x") });
    host.cut_with(CrashPlan::Nothing);
    assert_eq!(host.run(DiskOp::List { path: path("x") }), Err(DiskError::NotFound));
    assert_eq!(host.disk.used_bytes(), 0, "its room is free again");
}

#[test]
fn names_that_make_no_sense_are_refused() {
    let mut host = Host::new(Profile::Posix, 1);
    host.open("f");
    host.done(DiskOp::MakeDir { path: path("d") });
    host.done(DiskOp::MakeDir { path: path("d") });
    let refused = |op, error| (op, error);
    let (f, d) = (path("f"), path("d"));
    let cases = [
        refused(DiskOp::Open { path: d.clone(), create: true }, DiskError::Invalid),
        refused(DiskOp::Open { path: path("no/f"), create: true }, DiskError::NotFound),
        refused(DiskOp::Open { path: path("f/g"), create: true }, DiskError::NotFound),
        refused(DiskOp::Open { path: path("g"), create: false }, DiskError::NotFound),
        refused(DiskOp::Open { path: path("../f"), create: true }, DiskError::Invalid),
        refused(DiskOp::Unlink { path: path("g") }, DiskError::NotFound),
        refused(DiskOp::Unlink { path: d.clone() }, DiskError::Invalid),
        refused(DiskOp::Rename { from: f.clone(), to: d.clone() }, DiskError::Invalid),
        refused(DiskOp::Rename { from: d, to: path("e") }, DiskError::Invalid),
        refused(DiskOp::Rename { from: path("g"), to: path("e") }, DiskError::NotFound),
        refused(DiskOp::MakeDir { path: f.clone() }, DiskError::Invalid),
        refused(DiskOp::SyncDir { path: path("no") }, DiskError::NotFound),
        refused(DiskOp::List { path: f }, DiskError::Invalid),
    ];
    for (op, error) in cases {
        assert_eq!(host.run(op.clone()), Err(error), "{op:?}");
    }
}

#[test]
fn forgotten_files_give_their_room_back() {
    let mut host = Host::new(Profile::Posix, 1);
    for round in 0..300 {
        let file = host.open("tmp");
        host.write(file, 0, &[round as u8; 4096]);
        host.done(DiskOp::Close { file });
        host.unlink("tmp");
        host.sync_names();
    }
    assert!(host.disk.used_bytes() < 250 * 4096, "{}", host.disk.used_bytes());
}
