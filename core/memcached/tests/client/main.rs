//! The client inside an owner, talking to servers over a small wire of our own.

mod jobs;
mod net;
mod ops;
mod peer;
mod pool;
mod wires;

use core::time::Duration;
use net::{Ask, Net, at};
use storytime_machine::Gone;
use storytime_memcached::client::{
    ClientOptions, DeadServer, Failure, KeyHash, NotAccepted, Outcome, PoolOptions, Scheme, Value,
};

const SECOND: Duration = Duration::from_secs(1);

fn ketama() -> ClientOptions {
    ClientOptions { scheme: Scheme::Ketama(KeyHash::Md5), ..ClientOptions::default() }
}

fn hit(data: impl Into<bytes::Bytes>) -> Outcome {
    Outcome::Hit(Value { data: data.into(), flags: 0, cas: 0 })
}

#[test]
fn values_come_back_from_the_server_that_holds_them() {
    let mut net = Net::new(ketama(), &[1, 2, 3]);
    for n in 0..100u64 {
        net.set(format!("k{n}").as_bytes(), format!("v{n}").as_bytes(), n);
    }
    assert_eq!(net.run(), (0..100).map(|n| (n, Outcome::Stored)).collect());
    for n in 0..101u64 {
        net.get(format!("k{n}").as_bytes(), n);
    }
    let mut got = net.run();
    assert_eq!(got.remove(&100), Some(Outcome::Miss));
    for (n, outcome) in got {
        assert_eq!(outcome, hit(format!("v{n}")), "k{n}");
    }
    let held: Vec<u64> = [1, 2, 3].map(|port| net.items(port)).into();
    assert!(held.iter().all(|&n| n > 10) && held.iter().sum::<u64>() == 100, "{held:?}");
    assert_eq!(net.connects(), 3, "one connection per server");
}

#[test]
fn add_and_delete_say_what_was_there() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.add(b"k", b"v", 1);
    net.add(b"k", b"w", 2);
    net.delete(b"k", 3);
    net.delete(b"k", 4);
    let expected = [Outcome::Stored, Outcome::NotStored, Outcome::Deleted, Outcome::NotFound];
    assert_eq!(net.run(), (1..).zip(expected).collect());
}

#[test]
fn what_cannot_be_sent_is_not_accepted() {
    let pool = PoolOptions { pending_max: 3, ..PoolOptions::default() };
    let options = ClientOptions { pool, ..ClientOptions::default() };
    let mut net = Net::new(options, &[1]);
    let long = [b'k'; 251];
    for key in [&b""[..], b"a b", b"a\r\nflush_all", b"a\x7f", &long] {
        assert_eq!(net.try_ask(Ask::Get, key, b"", 0), Err(NotAccepted::BadKey));
    }
    let large = vec![b'v'; (1 << 20) + 1];
    let refused = net.try_ask(Ask::Set, b"k", &large, 0);
    assert_eq!(refused, Err(NotAccepted::ValueTooLarge));
    for tag in 0..3 {
        net.get(b"k", tag);
    }
    assert_eq!(net.try_ask(Ask::Get, b"k", b"", 3), Err(NotAccepted::Busy));
    assert_eq!(net.run().len(), 3);
    assert_eq!(net.try_ask(Ask::Get, b"k", b"", 3), Ok(()));
    let mut net = Net::new(ClientOptions::default(), &[]);
    assert_eq!(net.try_ask(Ask::Get, b"k", b"", 0), Err(NotAccepted::NoServers));
}

#[test]
fn a_refused_connect_fails_what_waits_and_then_counts_as_a_miss() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.refuse(1);
    net.get(b"k", 1);
    net.set(b"k", b"v", 2);
    let lost = Outcome::Failed(Failure::Lost(Gone::Refused));
    assert_eq!(net.run(), [(1, lost.clone()), (2, lost)].into());
    net.get(b"k", 3);
    net.set(b"k", b"v", 4);
    net.delete(b"k", 5);
    let quiet = [(3, Outcome::Miss), (4, Outcome::NotStored), (5, Outcome::NotFound)];
    assert_eq!(net.run(), quiet.into());
    assert_eq!(net.connects(), 1, "nobody knocks during the pause");
    net.heal(1);
    net.pass(2 * SECOND);
    net.set(b"k", b"v", 6);
    assert_eq!(net.run(), [(6, Outcome::Stored)].into());
}

#[test]
fn the_pause_grows_with_every_failure_in_a_row() {
    let options = ClientOptions { dead_server: DeadServer::Fail, ..ClientOptions::default() };
    let mut net = Net::new(options, &[1]);
    net.refuse(1);
    for tag in 0..600 {
        net.get(b"k", tag);
        net.run();
        net.pass(SECOND);
    }
    assert!((15..35).contains(&net.connects()), "{} connects in ten minutes", net.connects());
    assert!(net.client().counters().down > 500);
}

#[test]
fn a_silent_server_breaks_its_connection_in_time() {
    let mut net = Net::new(ClientOptions::default(), &[1, 2]);
    net.get(b"warm", 0);
    net.run();
    net.silence(1);
    net.silence(2);
    for tag in 1..50u64 {
        net.get(format!("k{tag}").as_bytes(), tag);
    }
    assert_eq!(net.run().len(), 0);
    net.pass(SECOND / 2);
    net.get(b"later", 50);
    assert_eq!(net.run().len(), 0);
    net.pass(SECOND);
    let outcomes = net.run();
    assert_eq!(outcomes.len(), 50, "every request has its end");
    assert!(outcomes.values().all(|o| matches!(o, Outcome::Failed(Failure::TimedOut))));
    assert_eq!(net.client().pending(), 0);
    net.heal(1);
    net.heal(2);
    net.pass(10 * SECOND);
    net.get(b"k", 51);
    assert_eq!(net.run(), [(51, Outcome::Miss)].into());
    net.pass(10 * SECOND);
    net.silence(1);
    net.silence(2);
    net.get(b"k", 52);
    net.run();
    net.pass(2 * SECOND);
    let timed_out = Outcome::Failed(Failure::TimedOut);
    assert_eq!(net.run(), [(52, timed_out)].into(), "also long after the timer last fired");
}

#[test]
fn a_connection_lost_while_idle_is_no_failure() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.set(b"k", b"v", 1);
    net.run();
    net.cut(1, Gone::Closed);
    net.get(b"k", 2);
    assert_eq!(net.run(), [(2, hit("v"))].into());
    assert_eq!(net.client().pool().counters().connections_lost, 0);
    net.silence(1);
    net.get(b"k", 3);
    net.run();
    net.cut(1, Gone::Reset);
    let lost = Outcome::Failed(Failure::Lost(Gone::Reset));
    assert_eq!(net.run(), [(3, lost)].into());
}

#[test]
fn a_reply_out_of_step_breaks_the_connection() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.get(b"k", 1);
    net.run();
    net.silence(1);
    net.get(b"k", 2);
    net.get(b"l", 3);
    net.run();
    net.inject(1, b"VALUE l 0 1\r\nx\r\nEND\r\n");
    let out = Outcome::Failed(Failure::OutOfStep);
    assert_eq!(net.run(), [(2, out.clone()), (3, out)].into());
    net.heal(1);
    net.pass(3 * SECOND);
    net.get(b"k", 4);
    net.run();
    net.inject(1, b"END\r\n");
    assert_eq!(net.client().pool().counters().connections_lost, 2, "nothing was asked");
}

#[test]
fn a_servers_error_is_told_and_the_connection_kept() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    let large = vec![b'v'; 1 << 20];
    net.set(b"k", &large, 1);
    net.get(b"k", 2);
    let refused = Outcome::Refused("SERVER_ERROR object too large for cache".into());
    let expected = [(1, refused), (2, Outcome::Miss)];
    assert_eq!(net.run(), expected.into());
    assert_eq!(net.connects(), 1);
}

#[test]
fn servers_come_and_go_while_requests_are_under_way() {
    let mut net = Net::new(ketama(), &[1, 2]);
    for n in 0..200u64 {
        net.set(format!("k{n}").as_bytes(), b"v", n);
    }
    assert_eq!(net.run().len(), 200);
    let hits = |net: &mut Net| {
        for n in 0..200u64 {
            net.get(format!("k{n}").as_bytes(), n);
        }
        let outcomes = net.run();
        assert_eq!(outcomes.len(), 200);
        outcomes.values().filter(|o| matches!(o, Outcome::Hit(_))).count()
    };
    assert_eq!(hits(&mut net), 200);
    net.add_server(3);
    net.set_servers(&[1, 2, 3]);
    let after = hits(&mut net);
    assert!((100..170).contains(&after), "about a third of the keys moved: {after}");
    assert_eq!(net.connects(), 3);
    for n in 0..200u64 {
        net.get(format!("k{n}").as_bytes(), n);
    }
    net.set_servers(&[2, 3]);
    assert_eq!(net.run().len(), 200, "requests under way finish where they were sent");
    assert_eq!(net.open_connections(), 2, "the server left is disconnected");
    net.set_servers(&[]);
    net.run();
    assert_eq!(net.open_connections(), 0);
    net.set_servers(&[1, 2]);
    assert_eq!(hits(&mut net), 200, "they still hold what they held");
}

#[test]
fn a_server_left_while_connecting_is_forgotten() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.get(b"k", 1);
    net.set_servers(&[2]);
    assert_eq!(net.run(), [(1, Outcome::Miss)].into(), "what was asked is still answered");
    assert_eq!(net.open_connections(), 0);
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.refuse(1);
    net.get(b"k", 1);
    net.set_servers(&[]);
    assert_eq!(net.run(), [(1, Outcome::Failed(Failure::Lost(Gone::Refused)))].into());
    let many: Vec<_> = (0..2000).map(at).collect();
    assert!(net.try_set_servers(&many).is_err());
}
