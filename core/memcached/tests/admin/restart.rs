//! Warm restarts: whole, or not at all.

use crate::disk::Disk;
use crate::rig::{Rig, config};
use std::sync::Arc;
use storytime_machine::{Conn, Drive, Exit, Signal};
use storytime_memcached::{Server, Shared};

const LINE: &str = "-t 1 -m 64 -e some/where/cache";

/// A server over a disk, started as far as it comes by itself.
fn start(disk: &mut Disk) -> Rig {
    let config = config(LINE);
    let shared = Arc::new(Shared::new(&config));
    let limits = config.limits();
    let mut rig = Rig::with(Server::new(config, shared), limits, 0);
    rig.run_disk(&mut |op| disk.run(op), usize::MAX);
    rig
}

/// Values of several lengths, one of them larger than a block.
fn fill(rig: &mut Rig) -> Conn {
    let conn = rig.open();
    for (n, bytes) in [0, 1, 5000, 300_000, 1_000_000].into_iter().enumerate() {
        let value = "v".repeat(bytes);
        assert_eq!(rig.send(conn, format!("set k{n} {n} 0 {bytes}\r\n{value}\r\n")), "STORED\r\n");
    }
    rig.send(conn, "set short 0 5 1\r\nx\r\nset long 0 500 1\r\ny\r\n");
    rig.send(conn, "set stale 0 0 1\r\nz\r\nmd stale I T30\r\n");
    conn
}

/// What a client finds.
fn look(rig: &mut Rig) -> String {
    let conn = rig.open();
    rig.send(conn, "gets k0 k1 k2 k3 k4 long\r\nmg short v t\r\nmg stale v f\r\n")
}

#[test]
fn a_data_set_survives_a_graceful_end_and_its_files_do_not_survive_the_start() {
    let mut disk = Disk::default();
    let mut first = start(&mut disk);
    fill(&mut first);
    let before = first.open();
    let before = first.send(before, "gets k0 k1 k2 k3 k4 long\r\n");
    first.signal(Signal::User1);
    first.run_disk(&mut |op| disk.run(op), usize::MAX);
    assert_eq!(first.process.exit(), Some(Exit::Stopped));
    assert!(!disk.is_empty());

    let mut second = start(&mut disk);
    assert!(disk.is_empty(), "nobody finds the old data again");
    let after = look(&mut second);
    assert!(after.starts_with(&before), "values, flags and versions are as they were");
    assert!(after.contains("VA 1 t5\r\nx\r\n"), "what has time left has as much: {after}");
    assert!(after.ends_with("VA 1 f0 W X\r\nz\r\n") || after.ends_with("VA 1 f0 X W\r\nz\r\n"));
    let conn = second.open();
    second.send(conn, "set new 0 0 1\r\nx\r\n");
    let version = |reply: &str| {
        let line = reply.lines().next().expect("a hit").to_owned();
        line.rsplit(' ').next().and_then(|v| v.parse::<u64>().ok()).expect("a version")
    };
    let newest = version(&second.send(conn, "gets new\r\n"));
    assert!(newest > version(&second.send(conn, "gets long\r\n")), "versions go on");
    second.process.machine().shared().audit();
}

#[test]
fn what_dies_meanwhile_is_not_brought_back() {
    let mut disk = Disk::default();
    let mut first = start(&mut disk);
    fill(&mut first);
    first.pass(6);
    first.signal(Signal::User1);
    first.run_disk(&mut |op| disk.run(op), usize::MAX);
    let mut second = start(&mut disk);
    let found = look(&mut second);
    assert!(found.contains("VALUE long 0 1 ") && found.contains("EN\r\n"), "{found}");
}

#[test]
fn a_saving_that_is_cut_short_leaves_nothing_to_find() {
    let (mut cut_short, mut done) = (0, 0);
    for operations in 0..200 {
        for power_cut in [false, true] {
            let mut disk = Disk::default();
            let mut first = start(&mut disk);
            fill(&mut first);
            first.signal(Signal::User1);
            first.run_disk(&mut |op| disk.run(op), operations);
            let whole = first.process.exit().is_some();
            let mut left = if power_cut { disk.cut() } else { disk };
            let second = start(&mut left);
            assert_eq!(second.process.exit(), None);
            let items = second.counter("curr_items");
            // Only the operations from the renaming on may or may not have been enough.
            assert!(items == 0 || items == 8, "{items} of 8 items after {operations} operations");
            assert!(!whole || items == 8, "what was done is there");
            (cut_short, done) = (cut_short + u32::from(items == 0), done + u32::from(whole));
        }
        if done == 2 {
            break;
        }
    }
    assert!(cut_short > 10 && done == 2, "{cut_short} {done}");
}

#[test]
fn damaged_or_missing_items_are_refused_as_a_whole() {
    let mut disk = Disk::default();
    let mut first = start(&mut disk);
    fill(&mut first);
    first.signal(Signal::User1);
    first.run_disk(&mut |op| disk.run(op), usize::MAX);
    let len = disk.contents("cache").expect("it was written").len();
    for at in (0..len).step_by(len / 40) {
        let mut damaged = disk.clone();
        damaged.contents("cache").expect("it was written")[at] ^= 0x10;
        let second = start(&mut damaged);
        assert_eq!((second.process.exit(), second.counter("curr_items")), (None, 0), "byte {at}");
        assert!(damaged.is_empty());
        second.process.machine().shared().audit();
    }
    for keep in [0, 7, len / 2, len - 1] {
        let mut torn = disk.clone();
        torn.contents("cache").expect("it was written").truncate(keep);
        let second = start(&mut torn);
        assert_eq!(
            (second.process.exit(), second.counter("curr_items")),
            (None, 0),
            "{keep} bytes"
        );
    }
}

#[test]
fn a_companion_of_another_saving_does_not_fit() {
    let saved = |key: &str| {
        let mut disk = Disk::default();
        let mut rig = start(&mut disk);
        let conn = rig.open();
        rig.send(conn, format!("set {key} 0 0 1\r\nx\r\n"));
        if key == "b" {
            // Another place in the random stream.
            rig.send(conn, "set c 0 0 1\r\nx\r\n");
        }
        rig.signal(Signal::User1);
        rig.run_disk(&mut |op| disk.run(op), usize::MAX);
        disk
    };
    let (mut one, mut other) = (saved("a"), saved("b"));
    let items = other.contents("cache").expect("it was written").clone();
    *one.contents("cache").expect("it was written") = items;
    let second = start(&mut one);
    assert_eq!((second.process.exit(), second.counter("curr_items")), (None, 0));
}

#[test]
fn a_companion_that_is_none_of_ours_stops_the_start() {
    let mut disk = Disk::default();
    let mut first = start(&mut disk);
    fill(&mut first);
    first.signal(Signal::User1);
    first.run_disk(&mut |op| disk.run(op), usize::MAX);
    for contents in [Vec::new(), vec![0; 64], b"somebody's notes".to_vec()] {
        let mut foreign = disk.clone();
        *foreign.contents("cache.meta").expect("it was written") = contents.clone();
        let second = start(&mut foreign);
        assert!(matches!(second.process.exit(), Some(Exit::Failed(_))));
        assert_eq!(foreign.contents("cache.meta"), Some(&mut contents.clone()), "left alone");
    }
}

#[test]
fn nobody_is_served_while_the_data_set_is_written() {
    let mut disk = Disk::default();
    let mut first = start(&mut disk);
    let conn = fill(&mut first);
    first.signal(Signal::User1);
    first.run_disk(&mut |op| disk.run(op), 2);
    assert_eq!(first.send(conn, "set k0 0 0 3\r\nnew\r\n"), "");
    first.stop();
    assert_eq!(first.process.exit(), None, "a polite request to end does not cut it short");
    first.run_disk(&mut |op| disk.run(op), usize::MAX);
    assert_eq!(first.process.exit(), Some(Exit::Stopped));
    let mut second = start(&mut disk);
    assert!(look(&mut second).starts_with("VALUE k0 0 0 "));
}
