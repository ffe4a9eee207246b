//! Commands that change a running server.

use crate::rig::Rig;

/// Requests and their one-line answers, in turn.
fn converse(rig: &mut Rig, pairs: &[(&str, &str)]) {
    let conn = rig.open();
    for (request, answer) in pairs {
        assert_eq!(rig.send(conn, format!("{request}\r\n")), format!("{answer}\r\n"), "{request}");
    }
}

#[test]
fn tuning_is_taken_within_its_bounds() {
    const BAD: &str = "CLIENT_ERROR bad command line format";
    converse(
        &mut Rig::new(""),
        &[
            ("lru tune 10 20 0.1 2.5", "OK"),
            ("lru tune 60 30 0.1 2.5", "ERROR hot and warm pcts must not exceed 80"),
            ("lru tune 10 20 0 2", "ERROR hot/warm age factors must be greater than 0"),
            ("lru tune 10", "ERROR"),
            ("lru mode flat", "OK"),
            ("lru mode segmented", "OK"),
            ("lru mode round", "ERROR"),
            ("lru temp_ttl 61", "OK"),
            ("lru temp_ttl -1", "OK"),
            ("slabs automove 2", "OK"),
            ("slabs automove 3", "ERROR"),
            ("slabs automove x", BAD),
            ("slabs automove ratio 0.5", "OK"),
            ("slabs automove window 2", "CLIENT_ERROR automove window too low or too high"),
            ("slabs automove window 30", "OK"),
            ("slabs reassign 1 64", "BADCLASS invalid src or dst class id"),
            ("slabs reassign 1 1", "SAME src and dst class are identical"),
            ("slabs reassign 1 2", "NOSPARE source class has no spare pages"),
            ("slabs reassign a b", BAD),
            ("lru_crawler sleep 100", "OK"),
            ("lru_crawler sleep 1000001", "CLIENT_ERROR sleep must be one second or less"),
            ("lru_crawler tocrawl 0", "OK"),
            ("lru_crawler crawl 1", "NOTSTARTED no items to crawl"),
            ("lru_crawler crawl 64", "BADCLASS invalid class id"),
            ("lru_crawler metadump all", "NOTSTARTED no items to crawl"),
            ("lru_crawler disable", "OK"),
            ("lru_crawler crawl all", "CLIENT_ERROR lru crawler disabled"),
            ("lru_crawler enable", "OK"),
            ("cache_memlimit 7", "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"),
            (
                "cache_memlimit 1000000001",
                "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes",
            ),
            ("cache_memlimit 128", "OK"),
            ("verbosity 1", "OK"),
            ("verbosity", BAD),
            ("shutdown", "SERVER_ERROR: shutdown not enabled"),
            ("refresh_certs", "ERROR"),
            ("extstore item_size 5", "ERROR"),
        ],
    );
    converse(
        &mut Rig::new("-o no_slab_reassign"),
        &[("slabs reassign 1 2", "CLIENT_ERROR slab reassignment disabled")],
    );
    converse(&mut Rig::new("-o no_lru_maintainer"), &[("lru mode flat", "ERROR")]);
    converse(&mut Rig::new("-A"), &[("shutdown now", "CLIENT_ERROR invalid shutdown mode")]);
}

#[test]
fn shutdown_ends_the_server() {
    for request in ["shutdown\r\n", "shutdown graceful\r\n"] {
        let mut rig = Rig::new("-A");
        let conn = rig.open();
        assert_eq!(rig.send(conn, request), "");
        assert!(storytime_machine::Drive::exit(&rig.process).is_some(), "{request}");
    }
}

#[test]
fn the_clock_can_be_moved_and_stopped() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    rig.send(conn, "set k 0 10 1\r\nx\r\n");
    assert_eq!(rig.send(conn, "debugtime p\r\n"), "OK\r\n");
    rig.pass(60);
    assert_eq!(rig.send(conn, "get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
    assert_eq!(rig.send(conn, "debugtime 9\r\n"), "OK\r\n");
    assert_eq!(rig.send(conn, "get k\r\n"), "VALUE k 0 1\r\nx\r\nEND\r\n");
    assert_eq!(rig.send(conn, "debugtime r\r\n"), "OK\r\n");
    assert_eq!(rig.send(conn, "get k\r\n"), "END\r\n");
    assert_eq!(rig.send(conn, "debugtime x\r\n"), "ERROR\r\n");
}

#[test]
fn every_key_can_be_listed_in_both_forms() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    for n in 0..1000 {
        rig.send(conn, format!("set k{n} 7 100 2\r\nxy\r\n"));
    }
    let meta = rig.send(conn, "lru_crawler metadump all\r\n");
    assert!(meta.starts_with("OK\r\n") && meta.ends_with("END\r\n"), "{meta}");
    assert_eq!(meta.matches("key=k").count(), 1000);
    let line = meta.lines().nth(1).expect("there are items");
    let (exp, la) = (1_180_000_100, 1_180_000_000);
    assert!(line.contains(&format!(" exp={exp} la={la} cas=")), "{line}");
    assert!(line.contains(" fetch=no cls=1 size="), "{line}");
    let mg = rig.send(conn, "lru_crawler mgdump 1\r\nversion\r\n");
    assert!(mg.starts_with("ERROR cannot pipeline other commands before mgdump\r\n"), "{mg}");
    let mg = rig.send(conn, "lru_crawler mgdump 1\r\n");
    assert_eq!(mg.matches("mg k").count(), 1000);
    assert!(mg.starts_with("OK\r\n") && mg.ends_with("EN\r\n"));
    assert_eq!(rig.send(conn, "lru_crawler mgdump 2\r\n"), "OK\r\nEN\r\n");
    assert!(rig.send(conn, "version\r\n").starts_with("VERSION "), "it takes commands again");
}

#[test]
fn a_dump_waits_for_its_reader() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    for n in 0..40_000 {
        rig.deliver(conn, format!("set key-of-some-length-{n} 0 0 1 noreply\r\nx\r\n").as_bytes());
    }
    rig.deliver(conn, b"lru_crawler metadump all\r\n");
    let mut all = Vec::new();
    while !all.ends_with(b"END\r\n") {
        assert!(rig.pending(conn) < 512 << 10, "{}", rig.pending(conn));
        all.extend(rig.take(conn, 10_000));
        rig.tick_after_millis(20);
    }
    let keys = all.windows(4).filter(|four| four == b"key=").count();
    assert_eq!(keys, 40_000);
}

#[test]
fn dead_items_are_freed_in_the_background() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    for n in 0..50 {
        rig.send(conn, format!("set k{n} 0 1 1\r\nx\r\n"));
    }
    assert_eq!(rig.counter("curr_items"), 50);
    for _ in 0..100 {
        rig.tick_after_millis(1000);
    }
    assert_eq!(rig.counter("curr_items"), 0);
}

#[test]
fn a_quiet_server_sets_no_more_timers() {
    let mut rig = Rig::new("");
    let conn = rig.open();
    rig.send(conn, "set k 0 0 1\r\nx\r\n");
    let mut ticks = 0;
    while rig.tick_when_due() {
        ticks += 1;
        assert!(ticks < 1000, "it goes on for ever");
    }
    assert!(ticks > 10, "{ticks}");
}

#[test]
fn idle_connections_are_closed_and_others_are_not() {
    let mut rig = Rig::new("-o idle_timeout=3");
    let (idle, uploading) = (rig.open(), rig.open());
    rig.send(uploading, "set k 0 0 5\r\nx");
    for _ in 0..3 {
        rig.send(idle, "version\r\n");
        rig.tick_after_millis(2000);
        assert!(!rig.has_hung_up(idle));
    }
    for _ in 0..6 {
        rig.tick_after_millis(1000);
    }
    assert!(rig.has_hung_up(idle) && !rig.has_hung_up(uploading));
}

#[test]
fn without_maxconns_fast_further_connections_wait() {
    let mut workers = Rig::workers(2, "-c 3 -o no_maxconns_fast");
    let first = workers[0].open();
    assert!(workers[0].accepts());
    workers[0].open();
    assert!(!workers[0].accepts(), "two of three");
    assert!(workers[1].accepts());
    workers[1].open();
    assert!(!workers[1].accepts(), "all three");
    workers[0].gone(first);
    assert!(workers[0].accepts(), "one has left");
}
