//! Every kind of request, against our own server.

use crate::net::Net;
use bytes::Bytes;
use storytime_memcached::client::{
    BufferOptions, ClientOptions, Collected, Command, Count, DeadServer, Held, Key, NotAccepted,
    Op, Outcome, Prefix, Store, Value, Verb,
};

pub(crate) fn hit(data: &'static str, flags: u32, cas: u64) -> Outcome {
    Outcome::Hit(Value { data: data.into(), flags, cas })
}

fn ask(net: &mut Net, key: &'static str, op: Op<'static>) -> Outcome {
    net.with(move |client, cx| client.ask(cx, key, &op, 1)).expect("accepted");
    net.run().remove(&1).expect("it ended")
}

pub(crate) fn store(verb: Verb, value: &'static str, flags: u32) -> Op<'static> {
    Op::Store(Store { flags, ..Store::new(verb, value.as_bytes()) })
}

pub(crate) const fn count(by: u64, down: bool) -> Op<'static> {
    Op::Count(Count { by, down, initial: None })
}

#[test]
fn classic_requests_end_as_the_server_says() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2]);
    let net = &mut net;
    assert_eq!(ask(net, "k", store(Verb::Replace, "a", 0)), Outcome::NotStored);
    assert_eq!(ask(net, "k", store(Verb::Cas(1), "a", 0)), Outcome::NotFound);
    assert_eq!(ask(net, "k", store(Verb::Add, "b", 7)), Outcome::Stored);
    assert_eq!(ask(net, "k", store(Verb::Append, "c", 0)), Outcome::Stored);
    assert_eq!(ask(net, "k", store(Verb::Prepend, "a", 0)), Outcome::Stored);
    assert_eq!(ask(net, "k", Op::Get), hit("abc", 7, 0));
    let Outcome::Hit(Value { cas, .. }) = ask(net, "k", Op::Gets) else { panic!("it is there") };
    assert_eq!(ask(net, "k", store(Verb::Cas(cas + 1), "x", 0)), Outcome::Exists);
    assert_eq!(ask(net, "k", store(Verb::Cas(cas), "9", 0)), Outcome::Stored);
    assert_eq!(ask(net, "k", count(3, false)), Outcome::Number(12));
    assert_eq!(ask(net, "k", count(3, true)), Outcome::Number(9));
    assert_eq!(ask(net, "none", count(1, false)), Outcome::NotFound);
    assert_eq!(ask(net, "k", Op::Touch { exptime: 100 }), Outcome::Touched);
    assert_eq!(ask(net, "none", Op::Touch { exptime: 100 }), Outcome::NotFound);
    assert_eq!(ask(net, "none", Op::GetAndTouch { exptime: 100 }), Outcome::Miss);
    assert_eq!(ask(net, "k", Op::GetAndTouch { exptime: 100 }), hit("9 ", 0, 0));
    assert_eq!(ask(net, "k", Op::Delete), Outcome::Deleted);
    assert_eq!(ask(net, "k", Op::GetsAndTouch { exptime: 1 }), Outcome::Miss);
    assert_eq!(ask(net, "k", store(Verb::Set, "abc", 0)), Outcome::Stored);
    assert_eq!(ask(net, "k", Op::Get), hit("abc", 0, 0));
    let Outcome::Refused(why) = ask(net, "k", count(1, false)) else { panic!("no number") };
    assert!(why.starts_with(b"CLIENT_ERROR cannot increment"), "{why:?}");
}

#[test]
fn many_keys_are_asked_of_each_server_once_and_gathered_in_order() {
    let options = ClientOptions {
        prefix: Prefix { bytes: "app:".into(), hashed: false },
        ..ClientOptions::default()
    };
    let mut net = Net::new(options, &[1, 2, 3]);
    for n in 0..60u64 {
        if n % 3 > 0 {
            net.set(format!("k{n}").as_bytes(), format!("v{n}").as_bytes(), n);
        }
    }
    net.run();
    net.with(|client, cx| {
        let names: Vec<String> = (0..60).map(|n| format!("k{n}")).collect();
        let mut keys: Vec<Key<'_>> = names.iter().map(Key::from).collect();
        keys.push(Key::from("k1"));
        client.get_many(cx, &keys, 1)
    })
    .expect("accepted");
    let before = net.client().pool().counters().requests;
    assert_eq!(before - 40, 3, "one request for each server");
    let Some(Outcome::Many(outcomes)) = net.run().remove(&1) else { panic!("they are gathered") };
    assert_eq!(outcomes.len(), 61);
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let n = if n == 60 { 1 } else { n };
        let expected = (n % 3 > 0).then(|| Bytes::from(format!("v{n}")));
        assert_eq!(outcome.value().map(|value| value.data), expected, "k{n}");
    }
    assert_eq!((net.client().counters().hits, net.client().counters().misses), (41, 20));
    net.with(|client, cx| client.get_many(cx, &[], 2)).expect("accepted");
    assert_eq!(net.run().remove(&2), Some(Outcome::Many(Vec::new())));
}

#[test]
fn keys_of_a_failing_server_are_misses_or_failures_and_the_others_are_kept() {
    for dead_server in [DeadServer::Miss, DeadServer::Fail] {
        let mut net = Net::new(ClientOptions { dead_server, ..ClientOptions::default() }, &[1, 2]);
        for n in 0..20u64 {
            net.set(format!("k{n}").as_bytes(), b"v", n);
        }
        net.run();
        net.silence(1);
        let ask = |net: &mut Net| {
            net.with(|client, cx| {
                let names: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
                let keys: Vec<Key<'_>> = names.iter().map(Key::from).collect();
                client.get_many(cx, &keys, 1)
            })
            .expect("accepted");
            net.run();
            net.pass(2 * core::time::Duration::from_secs(1));
            let Some(Outcome::Many(all)) = net.run().remove(&1) else { panic!("gathered") };
            let hits = all.iter().filter(|o| matches!(o, Outcome::Hit(_))).count();
            let missed = all.iter().filter(|o| matches!(o, Outcome::Miss)).count();
            (hits, missed, all.len() - hits - missed)
        };
        net.with(|client, cx| client.get_many(cx, &[Key::from("k0")], 2)).expect("accepted");
        let (hits, missed, failed) = ask(&mut net);
        assert!(hits > 0 && hits < 20, "the other server answered");
        match dead_server {
            DeadServer::Miss => assert_eq!((failed, missed), (0, 20 - hits)),
            DeadServer::Fail => assert_eq!((missed, failed), (0, 20 - hits)),
        }
    }
}

#[test]
fn a_hash_or_a_master_key_keeps_keys_together() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2, 3]);
    net.with(|client, cx| {
        for n in 0..30u64 {
            let name = format!("k{n}");
            client.set(cx, Key::with_hash(name.as_bytes(), 4), b"v", 0, n)?;
            let key = Key::with_master(name.as_bytes(), b"user:7");
            client.set(cx, key, b"w", 0, 100 + n)?;
        }
        Ok::<(), NotAccepted>(())
    })
    .expect("accepted");
    net.run();
    let by_master = net.client().server_of("user:7").expect("a server") as u16 + 1;
    let mut expected = [0, 30, 0];
    expected[usize::from(by_master) - 1] = 30;
    assert_eq!([1, 2, 3].map(|port| net.items(port)), expected, "hash 4 is the second server's");
}

#[test]
fn a_prefix_is_on_the_wire_and_is_hashed_only_if_told_so() {
    let prefix = |hashed| Prefix { bytes: "lj:".into(), hashed };
    let place = |hashed| {
        let options = ClientOptions { prefix: prefix(hashed), ..ClientOptions::default() };
        let net = Net::new(options, &[1, 2, 3, 4, 5]);
        (0..40).map(|n| net.client().server_of(&format!("k{n}"))).collect::<Vec<_>>()
    };
    let bare = Net::new(ClientOptions::default(), &[1, 2, 3, 4, 5]);
    let at = |prefix: &str| {
        let name = |n| format!("{prefix}k{n}");
        (0..40).map(|n| bare.client().server_of(&name(n))).collect::<Vec<_>>()
    };
    assert_eq!(place(false), at(""));
    assert_eq!(place(true), at("lj:"));
    let options = ClientOptions { prefix: prefix(false), ..ClientOptions::default() };
    let mut net = Net::new(options, &[1]);
    net.silence(1);
    net.get(b"k", 1);
    assert_eq!(net.heard(1), b"get lj:k\r\n");
    net.inject(1, b"VALUE lj:k 0 1\r\nx\r\nEND\r\n");
    assert_eq!(net.run().remove(&1), Some(hit("x", 0, 0)));
    let long = vec![b'k'; 248];
    let refused = net.with(move |client, cx| client.get(cx, &long, 2));
    assert_eq!(refused, Err(NotAccepted::BadKey), "251 bytes with the prefix");
}

#[test]
fn all_servers_are_told_at_once() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2, 3]);
    net.set(b"k", b"v", 9);
    net.run();
    net.refuse(2);
    net.cut(2, storytime_machine::Gone::Reset);
    let mut all = |command: Command<'static>| {
        net.with(move |client, cx| client.command(cx, &command, 1)).expect("accepted");
        let Some(Outcome::Servers(all)) = net.run().remove(&1) else { panic!("gathered") };
        all
    };
    let flushed = all(Command::FlushAll { delay: 0 });
    assert_eq!((&flushed[0], &flushed[2]), (&Outcome::Done, &Outcome::Done));
    assert!(matches!(flushed[1], Outcome::Failed(_)), "nothing is hidden: {flushed:?}");
    assert!(matches!(&all(Command::Version)[0], Outcome::Text(v) if v.starts_with(b"VERSION ")));
    let Outcome::Text(stats) = &all(Command::Stats(""))[2] else { panic!("statistics") };
    assert!(stats.starts_with(b"STAT ") && stats.ends_with(b"\r\n"), "{stats:?}");
    assert_eq!(all(Command::Line("verbosity 1"))[0], Outcome::Done);
    assert!(matches!(all(Command::Line("nonsense"))[0], Outcome::Refused(_)));
}

#[test]
fn writes_without_a_reply_are_sent_and_reads_need_one() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.with(|client, cx| {
        client.ask_quietly(cx, "k", &store(Verb::Set, "5", 0))?;
        client.ask_quietly(cx, "k", &count(2, false))?;
        client.ask_quietly(cx, "gone", &store(Verb::Set, "x", 0))?;
        client.ask_quietly(cx, "gone", &Op::Delete)
    })
    .expect("accepted");
    assert!(net.run().is_empty(), "no events");
    assert_eq!(ask(&mut net, "k", Op::Get), hit("7", 0, 0));
    assert_eq!(ask(&mut net, "gone", Op::Get), Outcome::Miss);
    let refused = net.with(|client, cx| client.ask_quietly(cx, "k", &Op::Get));
    assert_eq!(refused, Err(NotAccepted::NeedsReply));
}

#[test]
fn held_writes_leave_when_there_are_enough_or_something_else_is_asked() {
    let buffer = Some(BufferOptions { bytes_max: 1000, requests_max: 4 });
    let mut net = Net::new(ClientOptions { buffer, ..ClientOptions::default() }, &[1]);
    let set = |net: &mut Net, tags: core::ops::Range<u64>| {
        tags.for_each(|tag| net.set(b"k", tag.to_string().as_bytes(), tag));
        net.run().len()
    };
    assert_eq!(set(&mut net, 0..3), 0, "they are held");
    let held = net.client().held();
    assert_eq!(held, Held { requests: 3, bytes: 3 * "set k 0 0 1\r\n0\r\n".len() });
    assert_eq!(net.connects(), 0);
    assert_eq!(set(&mut net, 3..4), 4, "the fourth takes them along");
    assert_eq!(set(&mut net, 4..6), 0);
    net.get(b"k", 9);
    let mut ended = net.run();
    assert_eq!(ended.remove(&9), Some(hit("5", 0, 0)), "a get sees what was written before it");
    assert_eq!(ended.len(), 2);
    assert_eq!(set(&mut net, 10..11), 0);
    net.with(|client, cx| client.flush_held(cx)).expect("there is room");
    assert_eq!(net.run().len(), 1);
    assert_eq!(net.client().held(), Held::default());
    set(&mut net, 11..12);
    net.set_servers(&[2]);
    assert_eq!(net.run().len(), 1, "what is held leaves before its server is left");
}

#[test]
fn a_fetch_is_collected_when_it_is_wanted() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2]);
    net.set(b"a", b"1", 0);
    net.run();
    let id = net.with(|client, cx| client.fetch(cx, &[Key::from("a"), Key::from("b")], false));
    let id = id.expect("accepted");
    let collect = move |net: &mut Net| net.with(move |client, _| client.collect(id));
    assert_eq!(collect(&mut net), Collected::NotYet);
    net.get(b"a", 7);
    assert_eq!(net.run().len(), 1, "no event tells its end");
    let all = vec![hit("1", 0, 0), Outcome::Miss];
    assert_eq!(collect(&mut net), Collected::All(all));
    assert_eq!(collect(&mut net), Collected::Unknown);
    let id = net.with(|client, cx| client.fetch(cx, &[Key::from("a")], true)).expect("accepted");
    net.with(move |client, _| client.forget(id));
    net.run();
    assert_eq!(net.with(move |client, _| client.collect(id)), Collected::Unknown);
}
