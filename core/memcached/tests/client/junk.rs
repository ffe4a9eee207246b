//! Whatever a server says: nothing panics, and every request ends once.

use crate::net::Net;
use core::time::Duration;
use proptest::prelude::*;
use storytime_memcached::client::{
    ClientOptions, Command, Key, MetaGet, Op, Outcome, Protocol, Verb,
};

const REPLIES: &str = "STORED\r\nVALUE k 0 3\r\nabc\r\nEND\r\nVALUE a 1 1 9\r\nx\r\nVALUE c 0 0\r\n\r\n\
     END\r\nVA 2 t5 W\r\n55\r\n7\r\nSTAT pid 1\r\nEND\r\n";

fn ask_all(net: &mut Net) {
    net.with(|client, cx| {
        client.set(cx, "k", b"v", 0, 0)?;
        client.get(cx, "k", 1)?;
        client.gets_many(cx, &["a", "b", "c"].map(Key::from), 2)?;
        if client.ask(cx, "k", &Op::MetaGet(&MetaGet::default()), 3).is_err() {
            client.ask(cx, "k", &crate::ops::store(Verb::Add, "v", 0), 3)?;
        }
        client.ask(cx, "k", &crate::ops::count(1, false), 4)?;
        client.command(cx, &Command::Stats(""), 5)
    })
    .expect("accepted");
}

/// Says all pieces as long as anybody listens, and returns how many requests ended in all.
fn say(net: &mut Net, pieces: &[Vec<u8>]) -> usize {
    net.silence(1);
    ask_all(net);
    net.heard(1);
    let mut ended = 0;
    for piece in pieces {
        if net.open_connections() > 0 {
            net.inject(1, piece);
        }
        ended += net.run().len();
    }
    net.pass(Duration::from_secs(2));
    ended + net.run().len()
}

fn mutated() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let change = (0..REPLIES.len(), any::<u8>());
    let changes = proptest::collection::vec(change, 0..4);
    (changes, 1..REPLIES.len()).prop_map(|(changes, cut)| {
        let mut bytes = REPLIES.as_bytes().to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        let rest = bytes.split_off(cut);
        vec![bytes, rest]
    })
}

fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let opcode = prop_oneof![Just(0u8), Just(1), Just(5), Just(9), Just(10), Just(16)];
    let packet = (opcode, 0..4u8, 0..8u8, 0..6u8, 0..24u8, 0..4u8);
    let packet = packet.prop_map(|(opcode, status, opaque, key, body, extras)| {
        let mut bytes = vec![0x81, opcode, 0, key, extras, 0, 0, status, 0, 0, 0, body];
        bytes.extend([0, 0, 0, opaque]);
        bytes.extend([7; 8]);
        bytes.extend(vec![b'x'; usize::from(body)]);
        bytes
    });
    proptest::collection::vec(packet, 1..12)
}

proptest! {
    #[test]
    fn text_that_is_damaged_ends_every_request_once(pieces in mutated()) {
        let mut net = Net::new(ClientOptions::default(), &[1]);
        prop_assert_eq!(say(&mut net, &pieces), 6);
    }

    #[test]
    fn packets_that_make_no_sense_end_every_request_once(pieces in packets()) {
        let options = ClientOptions { protocol: Protocol::Binary, ..ClientOptions::default() };
        let mut net = Net::new(options, &[1]);
        prop_assert_eq!(say(&mut net, &pieces), 6);
    }
}

#[test]
fn undamaged_replies_cut_at_every_byte_say_the_same() {
    let mut first = None;
    for cut in 0..=REPLIES.len() {
        let mut net = Net::new(ClientOptions::default(), &[1]);
        net.silence(1);
        ask_all(&mut net);
        net.heard(1);
        net.inject(1, &REPLIES.as_bytes()[..cut]);
        let mut ended = net.run();
        net.inject(1, &REPLIES.as_bytes()[cut..]);
        ended.extend(net.run());
        let first = first.get_or_insert_with(|| ended.clone());
        assert_eq!(ended.len(), 6, "cut at {cut}");
        assert_eq!(&ended, first, "cut at {cut}");
        let Outcome::Many(many) = &ended[&2] else { panic!("gathered") };
        assert!(matches!(many[..], [Outcome::Hit(_), Outcome::Miss, Outcome::Hit(_)]));
    }
}

#[test]
fn an_error_in_place_of_values_leaves_the_next_retrieval_in_step() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    net.silence(1);
    net.get(b"k", 1);
    net.get(b"j", 2);
    net.heard(1);
    net.inject(1, b"SERVER_ERROR busy\r\nVALUE j 0 1\r\nx\r\nEND\r\n");
    let ended = net.run();
    assert!(matches!(ended[&1], Outcome::Refused(_)), "{ended:?}");
    assert!(matches!(ended[&2], Outcome::Hit(_)), "{ended:?}");
}
