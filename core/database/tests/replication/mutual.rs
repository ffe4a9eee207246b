//! Two masters, and what becomes of what both write.

use crate::rig::{Kind, Options, Rig};
use crate::toy::PORT;
use storytime_database::Reply;
use storytime_database::replication::{OtherMaster, ReplicationOptions};
use storytime_machine::IpAddr;
use storytime_sim::Config;
use storytime_sim::disk::Profile;

fn other(server: usize, ips: &[IpAddr], servers: u32) -> ReplicationOptions {
    let host = ips[1 - server].to_string();
    let mutual = OtherMaster { host, port: PORT, server_number: server as u32 + 1, servers };
    ReplicationOptions { mutual: Some(mutual), ..ReplicationOptions::default() }
}

fn masters_as(seed: u64, options: Options) -> Rig {
    let mut rig = Rig::of(Kind::Database(Profile::Posix), Config::new(seed), 2, options);
    rig.run_ms(1500);
    rig
}

fn masters(seed: u64) -> Rig {
    masters_as(seed, |server, ips| other(server, ips, 1))
}

fn last_record(rig: &mut Rig, server: usize) -> String {
    rig.info(server, "journal_last_record")
}

#[test]
fn what_either_writes_the_other_has_and_does_not_send_back() {
    let mut rig = masters(1);
    for n in 0..10 {
        assert_eq!(rig.text(n % 2, &format!("SET key{n} {n}")), "OK");
    }
    rig.converge(&[0, 1], 2000);
    rig.run_ms(3000);
    for server in [0, 1] {
        assert_eq!(rig.text(server, "GET key7"), "7");
        assert_eq!(last_record(&mut rig, server), "10", "each write is in each log once");
        let counted = rig.text(server, "INFO").contains("rows_written:10\r\n");
        assert!(counted, "and is counted once on each");
        assert_eq!(rig.info(server, "mm_collisions"), "0");
        assert_eq!(rig.info(server, "role"), "master");
    }
}

#[test]
fn writes_that_know_of_each_other_do_not_collide() {
    let mut rig = masters(1);
    for number in 1..9 {
        let server = (number % 2) as usize;
        assert_eq!(rig.tell(server, "INCR global"), Ok(Reply::Integer(number)));
        rig.run_ms(300);
    }
    for server in [0, 1] {
        assert_eq!(rig.info(server, "mm_collisions"), "0", "server {server}");
    }
}

#[test]
fn a_counter_that_both_count_with_gives_the_same_numbers_twice() {
    let mut rig = masters(1);
    assert_eq!(rig.tell(0, "INCR global"), Ok(Reply::Integer(1)));
    rig.converge(&[0, 1], 2000);
    rig.cut(0, 1, true);
    for number in 2..6 {
        assert_eq!(rig.tell(0, "INCR global"), Ok(Reply::Integer(number)));
        assert_eq!(rig.tell(1, "INCR global"), Ok(Reply::Integer(number)), "the same again");
        assert_eq!(rig.tell(0, "ROW.NEXT messages 7"), Ok(Reply::Integer(number - 1)));
        assert_eq!(rig.tell(1, "ROW.NEXT messages 7"), Ok(Reply::Integer(number - 1)));
    }
    // Owners that live on one of them only do not meet.
    assert_eq!(rig.tell(0, "ROW.NEXT messages 8"), Ok(Reply::Integer(1)));
    assert_eq!(rig.tell(1, "ROW.NEXT messages 9"), Ok(Reply::Integer(1)));
    rig.cut(0, 1, false);
    rig.run_ms(9000);
    for server in [0, 1] {
        assert_eq!(rig.info(server, "mm_collisions"), "8", "server {server}");
    }
}

#[test]
fn masters_that_step_over_each_others_numbers_give_none_out_twice() {
    let mut rig = masters_as(1, |server, ips| other(server, ips, 2));
    rig.cut(0, 1, true);
    let draws = [("ROW.NEXT t 7", 1), ("ROW.NEXT t 7 2", 3), ("ROW.NEXT t 7", 7)];
    for (words, first) in draws {
        assert_eq!(rig.tell(0, words), Ok(Reply::Integer(first)), "odd ones: {words}");
        assert_eq!(rig.tell(1, words), Ok(Reply::Integer(first + 1)), "even ones: {words}");
    }
    let batch = "ROW.BATCH 7 NEXT t 1 FLOOR t 20 NEXT t 1";
    let numbers = |numbers: [i64; 3]| Ok(Reply::Array(numbers.map(Reply::Integer).to_vec()));
    assert_eq!(rig.tell(1, batch), numbers([10, 20, 20]));
    rig.cut(0, 1, false);
    rig.converge(&[0, 1], 20_000);
    assert_eq!(rig.tell(0, "ROW.NEXT t 7"), Ok(Reply::Integer(21)), "behind all of the other's");
    for server in [0, 1] {
        assert_eq!(rig.info(server, "mm_collisions"), "0", "server {server}");
    }
}

#[test]
fn whatever_arrives_last_wins_and_the_two_may_differ_for_ever() {
    let mut rig = masters(1);
    rig.cut(0, 1, true);
    assert_eq!(rig.text(0, "SET city Antwerp"), "OK");
    assert_eq!(rig.text(1, "SET city Ghent"), "OK");
    rig.cut(0, 1, false);
    rig.run_ms(9000);
    assert_eq!(
        (rig.text(0, "GET city"), rig.text(1, "GET city")),
        ("Ghent".into(), "Antwerp".into())
    );
    assert_eq!(rig.info(0, "mm_collisions"), "1");
}

#[test]
fn each_goes_on_where_it_was_through_power_cuts() {
    for seed in 0..12 {
        let mut rig = masters(seed);
        let mut written = 0;
        for round in 0..12 {
            let server = (seed + round) as usize % 2;
            if rig.text(server, &format!("ROW.PUT t {server} {round} v")).starts_with("Ok") {
                written += 1;
            }
            if round % 3 == seed % 3 {
                let victim = (seed / 3 + round) as usize % 2;
                rig.run_ms(seed * 3 % 7);
                rig.power(victim, false);
                rig.run_ms(50 + seed * 20);
                rig.power(victim, true);
                rig.run_ms(100);
            }
        }
        rig.converge(&[0, 1], 20_000);
        assert!(written >= 10, "seed {seed}: {written} rows");
        let count = format!("{:?}", rig.tell(0, "ROW.SIZE t"));
        assert!(count.contains(&format!("Integer({written})")), "seed {seed}: {count}, {written}");
        let ends = [last_record(&mut rig, 0), last_record(&mut rig, 1)];
        assert_eq!(ends, [written.to_string(), written.to_string()], "seed {seed}: once each");
    }
}
