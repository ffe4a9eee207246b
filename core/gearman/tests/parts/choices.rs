//! Which of several servers gets a job, and what happens when some or all are away.

use crate::asker::{Ask, What, job};
use crate::{Bench, text};
use bytes::Bytes;
use storytime_gearman::client::{Choice, ClientOptions, Job, Unique, perl_hash};

fn options(choice: Choice) -> ClientOptions {
    ClientOptions { choice, ..ClientOptions::default() }
}

/// How many connections each server took.
fn accepted(bench: &mut Bench) -> Vec<usize> {
    (0..bench.servers.len()).map(|nth| bench.toy(nth).seen.accepted).collect()
}

#[test]
fn the_perl_clients_hash_is_known() {
    // (String::CRC32::crc32($key) >> 16) & 0x7fff
    let known = [("", 0), ("a", 0x68b7), ("foo", 0x0c73), ("some-unique-key", 0x0253)];
    for (key, hash) in known {
        assert_eq!(perl_hash(key.as_bytes()), hash, "{key}");
    }
}

#[test]
fn one_server_gets_all_until_it_fails_and_then_the_next() {
    let script = (0..100).map(|n| job(n * 20, "echo", "x")).collect();
    let mut bench = Bench::new(3).ask(options(Choice::Failover), script);
    bench.run_ms(1005);
    let first = accepted(&mut bench).iter().position(|conns| *conns == 1).expect("one is chosen");
    assert_eq!(accepted(&mut bench).iter().sum::<usize>(), 1);
    let server = bench.servers[first];
    bench.world.kill(server);
    bench.run(3);
    let ends = bench.asker().endings(0..100);
    assert_eq!(ends, vec!["complete x"; 100], "nothing was under way");
    assert_eq!(bench.toy((first + 1) % 3).seen.accepted, 1);
    assert_eq!(bench.toy((first + 2) % 3).seen.accepted, 0);
}

#[test]
fn in_order_the_first_that_is_there_gets_all() {
    let script = (0..300).map(|n| job(n * 20, "echo", "x")).collect();
    let mut bench = Bench::new(3).ask(options(Choice::InOrder), script);
    let first = bench.servers[0];
    bench.world.kill(first);
    bench.run(1);
    bench.world.start(first);
    bench.run(7);
    assert_eq!(bench.asker().endings(0..300), vec!["complete x"; 300]);
    assert_eq!(accepted(&mut bench), [1, 1, 0]);
    assert!(bench.toy(0).seen.packets.len() > 30, "the first is used once it is back");
}

#[test]
fn hashed_jobs_with_the_same_key_meet_on_one_server() {
    let keys = ["a", "foo", "some-unique-key", "b", "c", "d"];
    let submit = |key: &'static str| {
        (0, What::Submit(Job::new("queued", "").unique(Unique::Key(text(key))).background()))
    };
    let mut script: Vec<Ask> = keys.iter().map(|key| submit(key)).collect();
    // The data is the key.
    let by_data = |key: &'static str| Job::new("queued", key).unique(Unique::Data).background();
    script.extend(keys.iter().map(|key| (1, What::Submit(by_data(key)))));
    let mut bench = Bench::new(3).ask(options(Choice::Hashed), script);
    bench.run(1);
    for (tag, key) in keys.iter().chain(&keys).enumerate() {
        let place = perl_hash(key.as_bytes()) as usize % 3;
        let found = |bench: &mut Bench, nth: usize| {
            let toy = bench.toy(nth);
            toy.seen
                .packets
                .iter()
                .filter(|(_, words)| words.len() == 3)
                .any(|(_, words)| words[1] == *key || words[1] == "-" && words[2] == *key)
        };
        assert!(found(&mut bench, place), "{tag} {key} is on server {place}");
    }
    assert_eq!(bench.asker().endings(0..12), vec!["accepted"; 12]);
}

#[test]
fn hashed_jobs_without_key_go_anywhere() {
    let script = (0..300).map(|_| job(0, "echo", "x")).collect();
    let mut bench = Bench::new(3).ask(options(Choice::Hashed), script);
    bench.run(1);
    for nth in 0..3 {
        let packets = bench.toy(nth).seen.packets.len();
        assert!((70..130).contains(&packets), "{packets} of 300 on server {nth}");
    }
}

#[test]
fn when_all_are_away_jobs_are_not_sent_at_once_and_servers_are_tried_less_and_less_often() {
    for choice in [Choice::Failover, Choice::InOrder, Choice::Hashed] {
        let script = (0..10_000).map(|n| job(n * 10, "echo", "x")).collect();
        let mut bench = Bench::new(3).ask(options(choice), script);
        for server in bench.servers.clone() {
            bench.world.kill(server);
        }
        bench.run(101);
        assert_eq!(bench.asker().endings(0..10_000), vec!["not sent"; 10_000]);
        let connects = bench.client().counters().connects;
        assert!((30..=51).contains(&connects), "{choice:?}: {connects} in 100 s to 3 servers");
    }
}

#[test]
fn a_server_that_nothing_reaches_costs_a_connect_and_then_another_is_used() {
    let script = vec![job(0, "echo", "x"), job(10, "echo", "y")];
    let mut bench = Bench::new(2).ask(options(Choice::InOrder), script);
    let asker = bench.world.hosts().last().expect("the asker's");
    let first = bench.host_of(0);
    for (from, to) in [(first, asker), (asker, first)] {
        bench.world.apply(&storytime_sim::Fault::Cut { from, to });
    }
    bench.run(3);
    assert_eq!(bench.asker().endings(0..2), ["complete x", "complete y"]);
    let at = bench.asker().ended_at(1).expect("it ended");
    assert!(at.as_millis() >= 1000, "the connect took its time: {at:?}");
}

#[test]
fn what_waits_for_a_server_without_power_goes_to_another_once_that_is_known() {
    let script = (0..200).map(|n| job(n * 50, "echo", "x")).collect();
    let mut bench = Bench::new(2).ask(options(Choice::InOrder), script);
    bench.run(1);
    let first = bench.host_of(0);
    bench.world.power_cut(first);
    bench.run(20);
    let ends = bench.asker().endings(0..200);
    let lost = ends.iter().filter(|end| *end == "lost Time").count();
    assert!((15..=21).contains(&lost), "what was sent in a second: {lost}");
    assert_eq!(ends.iter().filter(|end| *end == "complete x").count(), 200 - lost);
}

#[test]
fn keys_reach_the_server_as_they_are_made() {
    let none = Job::new("queued", "").background();
    let uniques = [Unique::None, Unique::Data, Unique::Fresh, Unique::Key(Bytes::from("k"))];
    let script = uniques.into_iter().map(|unique| (0, What::Submit(none.clone().unique(unique))));
    let mut bench = Bench::new(1).ask(options(Choice::InOrder), script.collect());
    bench.run(1);
    let keys: Vec<_> =
        bench.toy(0).seen.packets.iter().map(|(_, words)| words[1].clone()).collect();
    assert_eq!((&keys[0][..], &keys[1][..], &keys[3][..]), (&b""[..], &b"-"[..], &b"k"[..]));
    assert_eq!(keys[2].len(), storytime_gearman::client::FRESH_BYTES);
}
