//! What the client does in several steps: read-through, update loops, large values, and going on
//! without ejected servers.

use crate::net::Net;
use bytes::Bytes;
use core::time::Duration;
use storytime_memcached::client::{
    Client, ClientOptions, Failure, HealthOptions, KeyHash, NotAccepted, Op, Outcome, PoolOptions,
    Scheme, Store, Update, Updater, Value, Verb,
};

const SECOND: Duration = Duration::from_secs(1);

fn hit(data: impl Into<Bytes>) -> Outcome {
    Outcome::Hit(Value { data: data.into(), flags: 0, cas: 0 })
}

fn read_through(net: &mut Net, key: &'static str, tag: u64) {
    net.with(move |client, cx| client.read_through(cx, key, tag)).expect("accepted");
}

#[test]
fn concurrent_misses_wait_for_one_fill() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2]);
    (0..5).for_each(|tag| read_through(&mut net, "front", tag));
    read_through(&mut net, "other", 9);
    assert!(net.run().is_empty());
    let fills = net.fills();
    assert_eq!(fills.iter().map(|(tag, _)| *tag).collect::<Vec<_>>(), [0, 9]);
    read_through(&mut net, "front", 5);
    assert!(net.run().is_empty() && net.fills().is_empty(), "who comes later waits too");
    let (_, front) = fills[0];
    let filled = move |client: &mut Client, cx: &mut _| {
        client.fill(cx, front, &Store::new(Verb::Set, b"page"))
    };
    assert!(net.with(filled));
    let ended = net.run();
    assert_eq!(ended, (0..6).map(|tag| (tag, hit("page"))).collect());
    assert!(!net.with(filled), "it was filled before");
    read_through(&mut net, "front", 6);
    assert_eq!(net.run(), [(6, hit("page"))].into(), "it was stored");
    let (_, other) = fills[1];
    assert!(net.with(move |client, _| client.give_up(other)));
    assert_eq!(net.run(), [(9, Outcome::Miss)].into());
    assert_eq!(net.client().fills(), 0);
}

#[test]
fn an_owner_that_never_fills_in_holds_nobody_for_ever() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    read_through(&mut net, "a", 1);
    net.run();
    net.pass(3 * SECOND);
    read_through(&mut net, "b", 2);
    net.run();
    net.pass(2 * SECOND);
    let timed_out = Outcome::Failed(Failure::TimedOut);
    assert_eq!(net.run(), [(1, timed_out.clone())].into());
    net.pass(3 * SECOND);
    assert_eq!(net.run(), [(2, timed_out)].into());
    let late = net.fills()[0].1;
    let store = Store::new(Verb::Set, b"late");
    assert!(!net.with(move |client, cx| client.fill(cx, late, &store)));
}

fn increment() -> Updater {
    Box::new(|value| {
        let n: u64 = value.map_or(0, |value| {
            core::str::from_utf8(&value.data).expect("digits").parse().expect("a number")
        });
        Update::Store { value: (n + 1).to_string().into(), flags: 0, exptime: 0 }
    })
}

#[test]
fn updates_that_collide_are_all_kept() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    for tag in 0..8 {
        net.with(move |client, cx| client.update(cx, "n", 64, increment(), tag)).expect("ok");
    }
    let ended = net.run();
    assert_eq!(ended, (0..8).map(|tag| (tag, Outcome::Stored)).collect());
    net.get(b"n", 9);
    assert_eq!(net.run(), [(9, hit("8"))].into());
}

#[test]
fn an_update_gives_up_after_its_rounds_or_keeps_what_is_there() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    for tag in 0..8 {
        net.with(move |client, cx| client.update(cx, "n", 2, increment(), tag)).expect("ok");
    }
    let ended = net.run();
    let gave_up = ended.values().filter(|o| **o == Outcome::Exists).count();
    assert_eq!(gave_up, 6, "one is stored in each of two rounds");
    let keep: Updater = Box::new(|_| Update::Keep);
    net.with(move |client, cx| client.update(cx, "n", 2, keep, 9)).expect("ok");
    assert_eq!(net.run(), [(9, Outcome::NotStored)].into());
}

#[test]
fn an_update_of_a_server_that_is_down_fails_and_is_not_tried_again() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.refuse(1);
    net.get(b"n", 1);
    net.run();
    net.with(|client, cx| client.update(cx, "n", 64, increment(), 2)).expect("ok");
    assert_eq!(net.run(), [(2, Outcome::Failed(Failure::Down))].into());
    assert_eq!(net.client().counters().down, 1, "it was asked once");
}

fn large() -> ClientOptions {
    ClientOptions {
        piece_bytes_max: 1000,
        scheme: Scheme::Ketama(KeyHash::Md5),
        ..ClientOptions::default()
    }
}

fn value(fill: u8, len: usize) -> Bytes {
    (0..len).map(|n| fill.wrapping_add(n as u8)).collect::<Vec<u8>>().into()
}

fn set_large(net: &mut Net, value: &Bytes, tag: u64) {
    let value = value.clone();
    net.with(move |client, cx| client.set_large(cx, "big", &value, 5, 0, tag)).expect("accepted");
}

fn get_large(net: &mut Net, tag: u64) -> Outcome {
    net.with(move |client, cx| client.get_large(cx, "big", tag)).expect("accepted");
    net.run().remove(&tag).expect("it ended")
}

#[test]
fn a_large_value_comes_back_whole() {
    let mut net = Net::new(large(), &[1, 2, 3]);
    for len in [0, 1, 1000, 1001, 12_345] {
        let value = value(7, len);
        set_large(&mut net, &value, 1);
        assert_eq!(net.run(), [(1, Outcome::Stored)].into(), "{len}");
        let Outcome::Hit(found) = get_large(&mut net, 2) else { panic!("a hit of {len}") };
        assert_eq!((found.data, found.flags), (value, 5));
    }
    let held = [1, 2, 3].map(|port| net.items(port));
    assert!(held.iter().all(|&n| n > 0), "pieces are spread: {held:?}");
    let too_large = value(0, 1000 * 1024 + 1);
    let refused = net.with(move |client, cx| client.set_large(cx, "big", &too_large, 0, 0, 3));
    assert_eq!(refused, Err(NotAccepted::ValueTooLarge));
}

#[test]
fn a_large_value_with_a_lost_piece_is_a_miss_and_a_failed_write_leaves_the_old_one() {
    let mut net = Net::new(large(), &[1, 2, 3]);
    let old = value(1, 9_000);
    set_large(&mut net, &old, 1);
    net.run();
    net.refuse(2);
    net.cut(2, storytime_machine::Gone::Reset);
    set_large(&mut net, &value(2, 9_000), 2);
    assert_ne!(net.run().remove(&2), Some(Outcome::Stored));
    net.heal(2);
    net.pass(5 * SECOND);
    let found = get_large(&mut net, 3);
    assert_eq!(found, Outcome::Hit(Value { data: old, flags: 5, cas: 0 }));
    net.add_server(2);
    net.cut(2, storytime_machine::Gone::Reset);
    let server = net.client().server_of("big");
    let found = get_large(&mut net, 4);
    assert_eq!(found, Outcome::Miss, "server 2 lost its pieces; the record is on {server:?}");
}

#[test]
fn keys_of_an_ejected_server_go_to_the_others_and_come_back() {
    let health = HealthOptions { failure_limit: 2, auto_eject: true, ..HealthOptions::default() };
    for scheme in [Scheme::Classic, Scheme::Ketama(KeyHash::Md5), Scheme::KetamaWeighted] {
        let pool = PoolOptions { health, ..PoolOptions::default() };
        let mut net = Net::new(ClientOptions { scheme, pool, ..ClientOptions::default() }, &[1, 2]);
        let places = |net: &Net| -> Vec<Option<usize>> {
            (0..50).map(|n| net.client().server_of(&format!("k{n}"))).collect()
        };
        let before = places(&net);
        assert!(before.contains(&Some(1)), "{scheme:?}");
        net.refuse(2);
        for tag in 0..50 {
            net.set(format!("k{tag}").as_bytes(), b"v", tag);
            net.run();
            net.pass(SECOND / 100);
        }
        assert!(places(&net).iter().all(|place| *place == Some(0)), "{scheme:?}");
        net.set(b"k", b"v", 99);
        assert_eq!(net.run(), [(99, Outcome::Stored)].into(), "{scheme:?}");
        net.heal(2);
        for _ in 0..10 {
            net.pass(SECOND);
            net.run();
        }
        assert_eq!(places(&net), before, "{scheme:?}: it has rejoined");
        assert_eq!(net.client().pool().counters().rejoins, 1);
    }
}

#[test]
fn when_all_are_ejected_nothing_is_there() {
    let health = HealthOptions { auto_eject: true, ..HealthOptions::default() };
    let pool = PoolOptions { health, ..PoolOptions::default() };
    let mut net = Net::new(ClientOptions { pool, ..ClientOptions::default() }, &[1]);
    net.refuse(1);
    net.get(b"k", 1);
    net.run();
    net.get(b"k", 2);
    assert_eq!(net.run(), [(2, Outcome::Miss)].into());
    let op = Op::Touch { exptime: 1 };
    net.with(move |client, cx| client.ask(cx, "k", &op, 3)).expect("accepted");
    assert_eq!(net.run(), [(3, Outcome::NotFound)].into());
}
