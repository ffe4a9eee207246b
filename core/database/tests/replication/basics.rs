//! What replicas do while nothing worse than an outage happens.

use crate::rig::{Kind, Rig, star};
use crate::toy::PORT;
use core::time::Duration;
use storytime_database::Reply;
use storytime_database::replication::{ReplicationOptions, TAIL_BYTES_MAX};
use storytime_machine::IpAddr;
use storytime_sim::disk::Profile;
use storytime_sim::{Config, Fault, Link};

#[test]
fn replicas_have_what_their_master_has_and_say_how_late_they_are() {
    let mut rig = Rig::new(Config::new(1), 3, star);
    rig.begin_load();
    rig.run_ms(5000);
    assert_eq!(rig.info(1, "master_link_status"), "up");
    assert_eq!(rig.info(0, "connected_slaves"), "2");
    let lag: u64 = rig.info(1, "slave_lag_ms").parse().expect("it is known");
    assert!(lag < 50, "{lag} ms behind");
    rig.end_load();
    rig.converge(&[0, 1, 2], 1000);
    assert_eq!(rig.acknowledged().difference(&rig.rows(2)).count(), 0);
    assert!(rig.acknowledged().len() > 500);
    assert_eq!(rig.info(1, "slave_lag_records"), "0");
    rig.check_registers();
}

#[test]
fn replicas_take_no_writes() {
    let mut rig = Rig::new(Config::new(1), 2, star);
    rig.run_ms(100);
    let refused = rig.text(1, "SET 1 2");
    assert_eq!(refused, "READONLY You can't write against a read only replica.");
    assert_eq!(rig.text(0, "SET 1 2"), "OK");
    rig.run_ms(100);
    assert_eq!(rig.text(1, "GET 1"), "2");
}

#[test]
fn a_replica_that_is_cut_off_knows_how_late_it_is_and_catches_up_from_the_log() {
    let mut rig = Rig::new(Config::new(1), 2, star);
    rig.begin_load();
    rig.run_ms(1000);
    rig.cut(0, 1, true);
    rig.run_ms(700);
    rig.cut(0, 1, false);
    rig.run_ms(2000);
    assert_eq!(rig.info(1, "slave_lag_ms"), "0", "a short outage is over");
    rig.cut(0, 1, true);
    rig.run_ms(3000);
    let lag: u64 = rig.info(1, "slave_lag_ms").parse().expect("it is known");
    assert!((2000..4000).contains(&lag), "{lag} ms behind");
    match rig.tell(1, "DB.LAG") {
        Ok(Reply::Array(items)) => assert!(matches!(items[0], Reply::Integer(2000..4000))),
        other => panic!("{other:?}"),
    }
    rig.end_load();
    rig.cut(0, 1, false);
    rig.converge(&[0, 1], 15_000);
}

#[test]
fn an_outage_that_outlives_the_log_ends_in_the_masters_content() {
    let mut rig = Rig::new(Config::new(1), 3, chain);
    rig.begin_load();
    rig.run_ms(2000);
    rig.power(1, false);
    rig.run_ms(5000);
    rig.power(1, true);
    rig.run_ms(1000);
    rig.end_load();
    rig.converge(&[0, 1, 2], 10_000);
    assert_eq!(rig.info(1, "repl_seeded"), "1", "its records were gone");
    assert_eq!(rig.acknowledged().difference(&rig.rows(2)).count(), 0);
    // What was seeded is as good as what was logged: it survives, and goes on.
    rig.power(1, false);
    rig.run_ms(100);
    rig.power(1, true);
    assert_eq!(rig.text(0, "SET 1 77"), "OK");
    rig.converge(&[0, 1, 2], 10_000);
    assert_eq!(rig.text(2, "GET 1"), "77");
}

/// Each follows the one before it.
pub(crate) fn chain(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
    let master = server.checked_sub(1).map(|before| (ips[before].to_string(), PORT));
    ReplicationOptions { master, ..ReplicationOptions::default() }
}

#[test]
fn wait_counts_the_replicas_that_have_the_last_write_durable() {
    let mut rig = Rig::new(Config::new(1), 3, star);
    rig.run_ms(200);
    // The operator's connections are new each time, and have written nothing.
    assert_eq!(rig.tell(0, "WAIT 2 1000"), Ok(Reply::Integer(2)));
    rig.cut(0, 1, true);
    rig.run_ms(6000);
    let before = rig.now();
    assert_eq!(rig.tell(0, "WAIT 2 500"), Ok(Reply::Integer(1)), "the other was given up");
    let waited = rig.now().since(before).as_millis();
    assert!((500..600).contains(&waited), "{waited} ms");
    assert!(rig.text(1, "WAIT 1 1").starts_with("ERR WAIT cannot be used with replica"));
}

#[test]
fn role_speaks_as_redis_does() {
    let mut rig = Rig::new(Config::new(1), 2, star);
    rig.run_ms(700);
    let role = format!("{:?}", rig.tell(0, "ROLE"));
    assert!(role.contains("master") && role.contains("6379"), "{role}");
    let role = format!("{:?}", rig.tell(1, "ROLE"));
    assert!(role.contains("slave") && role.contains("connected"), "{role}");
}

#[test]
fn a_master_may_be_named_and_changed_at_run_time() {
    fn alone(_: usize, _: &[IpAddr]) -> ReplicationOptions {
        ReplicationOptions::default()
    }
    let mut rig = Rig::new(Config::new(1), 2, alone);
    let ip = rig.world.ip(rig.servers[0].0);
    rig.world.add_name("master.example", vec![ip]);
    assert_eq!(rig.text(0, "SET 1 5"), "OK");
    assert_eq!(rig.text(1, "REPLICAOF master.example 6379"), "OK");
    assert!(rig.text(1, "REPLICAOF master.example 6379").starts_with("OK Already connected"));
    rig.converge(&[0, 1], 3000);
    assert_eq!(rig.text(1, "GET 1"), "5");
    // The name service goes, and so does the connection.
    rig.world.apply(&Fault::NamesDown(true));
    rig.cut(0, 1, true);
    rig.run_ms(8000);
    rig.cut(0, 1, false);
    assert_eq!(rig.text(0, "SET 1 6"), "OK");
    rig.run_ms(2000);
    assert_eq!(rig.text(1, "GET 1"), "5");
    rig.world.apply(&Fault::NamesDown(false));
    rig.converge(&[0, 1], 10_000);
}

#[test]
fn a_connection_that_comes_up_to_the_master_before_is_not_taken_for_the_new_ones() {
    fn alone(_: usize, _: &[IpAddr]) -> ReplicationOptions {
        ReplicationOptions::default()
    }
    let mut rig = Rig::new(Config::new(1), 3, alone);
    assert_eq!(rig.text(1, "SET 1 5"), "OK");
    let [near, far, replica] = [0, 1, 2].map(|server: usize| rig.servers[server].0);
    for (other, ms) in [(near, 20), (far, 100)] {
        let latency = Duration::from_millis(ms);
        let link = Link { latency_min: latency, latency_max: latency, ..Link::RACK };
        rig.world.apply(&Fault::Link { a: other, b: replica, link });
    }
    for server in [0, 1] {
        let at = rig.at(server);
        rig.ask(2, &format!("REPLICAOF {at}"));
    }
    rig.run_ms(1000);
    assert_eq!(rig.text(2, "GET 1"), "5");
    assert_eq!(rig.info(0, "connected_slaves"), "0");
}

#[test]
fn a_replica_that_parts_leaves_its_master_a_master() {
    for (words, old_is_master) in [("REPLICAOF NO ONE", false), ("REPLICAOF NO ONE APART", true)] {
        let mut rig = Rig::new(Config::new(1), 2, star);
        rig.run_ms(700);
        assert_eq!(rig.text(0, "SET 1 5"), "OK");
        rig.converge(&[0, 1], 3000);
        assert_eq!(rig.text(1, words), "OK");
        rig.run_ms(3000);
        assert_eq!(rig.text(0, "SET 1 6") == "OK", old_is_master, "{words}");
        assert_eq!(rig.text(1, "SET 1 7"), "OK", "{words}");
    }
}

#[test]
fn bad_requests_are_told_what_is_wrong() {
    let mut rig = Rig::new(Config::new(1), 1, star);
    for (words, answer) in [
        ("REPLICAOF a", "ERR wrong number of arguments for 'replicaof' command"),
        ("REPLICAOF a b", "ERR Invalid master port"),
        ("REPLICAOF a 0", "ERR Invalid master port"),
        ("REPLICAOF a 1 NOW", "ERR syntax error: only RESEED may follow the port"),
        ("REPLICAOF NO ONE NOW", "ERR syntax error: only APART may follow ONE"),
        ("REPLICAOF NO ONE", "OK"),
        ("REPLICAOF NO ONE APART", "OK"),
        ("WAIT x 1", "ERR value is not an integer or out of range"),
        ("WAIT 1", "ERR wrong number of arguments for 'wait' command"),
        ("REPL.TERM x", "ERR REPL.TERM takes a term"),
        ("REPL.FOLLOW 1 2 3", "ERR this is not how we follow here: another version?"),
    ] {
        assert_eq!(rig.text(0, words), answer, "{words}");
    }
}

#[test]
fn a_write_that_too_few_replicas_confirm_is_told_where_it_is() {
    fn semi(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
        let replicas_lag_max = Duration::from_secs(2);
        ReplicationOptions { replicas_to_write: 1, replicas_lag_max, ..star(server, ips) }
    }
    let mut rig = Rig::new(Config::new(1), 2, semi);
    rig.power(1, false);
    let early = rig.text(0, "SET 1 1");
    rig.power(1, true);
    assert_eq!(early, "NOREPLICAS Not enough good replicas to write.");
    rig.run_ms(1000);
    assert_eq!(rig.text(0, "SET 1 2"), "OK");
    rig.cut(0, 1, true);
    let late = rig.text(0, "SET 1 3");
    assert!(late.starts_with("NOTDURABLE the write is in this server's log at record 2"), "{late}");
    rig.run_ms(2000);
    assert_eq!(rig.text(0, "SET 1 4"), early);
    rig.cut(0, 1, false);
    rig.converge(&[0, 1], 10_000);
    assert_eq!(rig.text(1, "GET 1"), "3", "it was kept after all");
    rig.run_ms(1000);
    assert_eq!(rig.text(0, "SET 1 5"), "OK");
}

#[test]
fn a_slow_replica_costs_its_master_a_bounded_number_of_bytes() {
    let mut rig = Rig::of(Kind::Database(Profile::Posix), Config::new(1), 2, star);
    rig.run_ms(700);
    let (a, b) = (rig.servers[0].0, rig.servers[1].0);
    let link = Link { bandwidth: 300_000, ..Link::RACK };
    rig.world.apply(&Fault::Link { a, b, link });
    let value = "v".repeat(700_000);
    for key in 0..20 {
        assert_eq!(rig.text(0, &format!("SET {key} {value}")), "OK");
        let kept: usize = rig.info(0, "repl_tail_bytes").parse().expect("a number");
        assert!(kept <= TAIL_BYTES_MAX, "{kept} bytes are kept for it");
    }
    assert!(rig.info(1, "slave_lag_ms").parse::<u64>().expect("a number") > 1000);
    rig.world.apply(&Fault::Link { a, b, link: Link::RACK });
    rig.converge(&[0, 1], 60_000);
    let seeded: u32 = rig.info(1, "repl_seeded").parse().expect("a number");
    let reads: u32 = rig.info(0, "repl_journal_reads").parse().expect("a number");
    assert!(seeded + reads > 0, "what memory does not keep comes from the disk");
}

#[test]
fn a_replica_that_takes_content_slower_than_it_changes_waits_and_is_filled_in_the_end() {
    fn small(server: usize, ips: &[IpAddr]) -> ReplicationOptions {
        ReplicationOptions { kept_bytes_max: 100_000, ..star(server, ips) }
    }
    let mut rig = Rig::of(Kind::Database(Profile::Posix), Config::new(1), 2, small);
    rig.run_ms(700);
    let write = |rig: &mut Rig, letter: &str| {
        for key in 0..60 {
            assert_eq!(rig.text(0, &format!("SET {key} {}", letter.repeat(50_000))), "OK");
        }
    };
    write(&mut rig, "a");
    rig.converge(&[0, 1], 10_000);
    let (a, b) = (rig.servers[0].0, rig.servers[1].0);
    let link = Link { bandwidth: 300_000, ..Link::RACK };
    rig.world.apply(&Fault::Link { a, b, link });
    let at = rig.at(0);
    assert_eq!(rig.text(1, &format!("REPLICAOF {at} RESEED")), "OK");
    rig.run_ms(100);
    for letter in ["b", "c", "d"] {
        write(&mut rig, letter);
        rig.run_ms(1000);
    }
    let overrun: u32 = rig.info(0, "repl_seeds_overrun").parse().expect("a number");
    assert!(overrun > 0, "the content changes faster than the link carries it");
    rig.converge(&[0, 1], 60_000);
    assert_eq!(rig.text(1, "STRLEN 59"), "Ok(Integer(50000))");
}
