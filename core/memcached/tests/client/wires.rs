//! Meta commands and the binary protocol, against scripted replies.

use crate::net::Net;
use crate::ops::{count, hit, store};
use bytes::Bytes;
use storytime_machine::Cx;
use storytime_memcached::client::{
    Client, ClientOptions, Command, Count, Initial, Key, MetaArithmetic, MetaCode, MetaDelete,
    MetaGet, MetaReply, MetaSet, NotAccepted, Op, Outcome, Protocol, Scheme, Verb,
};

type Accepted = Result<(), NotAccepted>;

/// What goes on the wire for a request, and how it ends after a reply.
fn script(
    net: &mut Net,
    ask: impl FnOnce(&mut Client, &mut Cx) -> Accepted + Send + 'static,
    wire: &[u8],
    reply: &[u8],
) -> Outcome {
    net.silence(1);
    net.with(ask).expect("accepted");
    let heard = net.heard(1);
    assert_eq!(heard, wire, "{:?}", String::from_utf8_lossy(&heard));
    net.inject(1, reply);
    net.run().remove(&1).expect("it ended")
}

fn ask(op: Op<'static>) -> impl FnOnce(&mut Client, &mut Cx) -> Accepted + Send + 'static {
    move |client, cx| client.ask(cx, "k", &op, 1)
}

#[test]
fn a_meta_get_brings_a_lease() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    let lease = |client: &mut Client, cx: &mut Cx| {
        let get = MetaGet {
            value: true,
            ttl: true,
            cas: true,
            vivify: Some(30),
            opaque: Some(5),
            ..MetaGet::default()
        };
        client.ask(cx, "k", &Op::MetaGet(&get), 1)
    };
    let won = MetaReply {
        code: MetaCode::Done,
        value: Some(Bytes::new()),
        cas: Some(3),
        ttl: Some(30),
        won: true,
        opaque: Some(5),
        ..MetaReply::default()
    };
    let wire = b"mg k v c t N30 O5\r\n";
    let found = script(&mut net, lease, wire, b"VA 0 c3 t30 W O5\r\n\r\n");
    assert_eq!(found, Outcome::Meta(won));
    let refused = script(&mut net, lease, wire, b"ERROR\r\n");
    assert_eq!(refused, Outcome::Refused("ERROR".into()));
}

#[test]
fn meta_writes_carry_their_flags() {
    let mut net = Net::new(ClientOptions::default(), &[1]);
    let net = &mut net;
    let set = |client: &mut Client, cx: &mut Cx| {
        let set = MetaSet { cas: Some(3), invalidate: true, exptime: 60, ..MetaSet::default() };
        client.ask(cx, "k", &Op::MetaSet(&set, b"new".into()), 1)
    };
    let Outcome::Meta(reply) = script(net, set, b"ms k 3 T60 C3 I\r\nnew\r\n", b"EX\r\n") else {
        panic!("a meta reply")
    };
    assert_eq!(reply.code, MetaCode::Exists);
    let delete = |client: &mut Client, cx: &mut Cx| {
        let stale = MetaDelete { invalidate: true, exptime: Some(30), ..MetaDelete::default() };
        client.ask(cx, "k", &Op::MetaDelete(&stale), 1)
    };
    let deleted = script(net, delete, b"md k I T30\r\n", b"NF\r\n");
    assert!(matches!(deleted, Outcome::Meta(reply) if reply.code == MetaCode::NotFound));
    let add = |client: &mut Client, cx: &mut Cx| {
        let add = MetaArithmetic { delta: Some(5), value: true, ..MetaArithmetic::default() };
        client.ask(cx, "k", &Op::MetaArithmetic(&add), 1)
    };
    let counted = script(net, add, b"ma k v D5\r\n", b"VA 2\r\n12\r\n");
    assert!(matches!(counted, Outcome::Meta(reply) if reply.value == Some("12".into())));
    let initial = Some(Initial { number: 10, exptime: 60 });
    let down = ask(Op::Count(Count { by: 2, down: true, initial }));
    let counted = script(net, down, b"ma k D2 MD N60 J10 v\r\n", b"VA 2\r\n10\r\n");
    assert_eq!(counted, Outcome::Number(10), "classic text cannot say what to begin with");
}

fn packet(magic: u8, opcode: u8, status: u16, opaque: u32, parts: [&[u8]; 3]) -> Vec<u8> {
    let mut packet = vec![magic, opcode];
    packet.extend((parts[1].len() as u16).to_be_bytes());
    packet.extend([parts[0].len() as u8, 0]);
    packet.extend(status.to_be_bytes());
    packet.extend((parts.concat().len() as u32).to_be_bytes());
    packet.extend(opaque.to_be_bytes());
    packet.extend(77u64.to_be_bytes());
    [packet, parts.concat()].concat()
}

#[test]
fn the_binary_protocol_says_the_same() {
    let options = ClientOptions {
        protocol: Protocol::Binary,
        scheme: Scheme::Classic,
        ..ClientOptions::default()
    };
    let mut net = Net::new(options, &[1]);
    let net = &mut net;
    let request = |opcode, cas: u64, parts| {
        let mut packet = packet(0x80, opcode, 0, 0, parts);
        packet[16..24].copy_from_slice(&cas.to_be_bytes());
        packet
    };
    let reply = |opcode, status, parts| packet(0x81, opcode, status, 0, parts);
    let none: [&[u8]; 3] = [b"", b"", b""];
    let key: [&[u8]; 3] = [b"", b"k", b""];
    let flags: &[u8] = &[0, 0, 0, 9];
    let found = reply(0, 0, [flags, b"", b"abc"]);
    assert_eq!(script(net, ask(Op::Gets), &request(0, 0, key), &found), hit("abc", 9, 77));
    assert_eq!(script(net, ask(Op::Get), &request(0, 0, key), &reply(0, 1, none)), Outcome::Miss);
    let extras: &[u8] = &[0, 0, 0, 7, 0, 0, 0, 0];
    let stored = |verb, opcode, cas, extras: &'static [u8], status, net: &mut Net| {
        let wire = request(opcode, cas, [extras, b"k", b"v"]);
        script(net, ask(store(verb, "v", 7)), &wire, &reply(opcode, status, none))
    };
    let extras: &'static [u8] = Box::leak(extras.into());
    assert_eq!(stored(Verb::Set, 1, 0, extras, 0, net), Outcome::Stored);
    assert_eq!(stored(Verb::Cas(5), 1, 5, extras, 2, net), Outcome::Exists);
    assert_eq!(stored(Verb::Cas(5), 1, 5, extras, 1, net), Outcome::NotFound);
    assert_eq!(stored(Verb::Add, 2, 0, extras, 2, net), Outcome::NotStored);
    assert_eq!(stored(Verb::Replace, 3, 0, extras, 1, net), Outcome::NotStored);
    assert_eq!(stored(Verb::Append, 14, 0, b"", 5, net), Outcome::NotStored);
    assert_eq!(stored(Verb::Prepend, 15, 0, b"", 0, net), Outcome::Stored);
    let deleted = script(net, ask(Op::Delete), &request(4, 0, key), &reply(4, 0, none));
    assert_eq!(deleted, Outcome::Deleted);
    let delta = [&2u64.to_be_bytes()[..], &[0; 8], &[0xff; 4]].concat();
    let wire = request(5, 0, [&delta, b"k", b""]);
    let twelve = 12u64.to_be_bytes();
    let number = reply(5, 0, [b"", b"", &twelve]);
    assert_eq!(script(net, ask(count(2, false)), &wire, &number), Outcome::Number(12));
    let minute = 60u32.to_be_bytes();
    let touch = request(0x1c, 0, [&minute, b"k", b""]);
    let touched = script(net, ask(Op::Touch { exptime: 60 }), &touch, &reply(0x1c, 0, none));
    assert_eq!(touched, Outcome::Touched);
    let too_large = reply(1, 3, [b"", b"", b"Too large."]);
    let wire = request(1, 0, [&[0; 8], b"k", b"v"]);
    let refused = script(net, ask(store(Verb::Set, "v", 0)), &wire, &too_large);
    assert_eq!(refused, Outcome::Refused("Too large.".into()));
    let refused = net.with(|client, cx| client.ask(cx, "k", &Op::MetaGet(&MetaGet::default()), 1));
    assert_eq!(refused, Err(NotAccepted::NotInProtocol));
}

#[test]
fn binary_retrievals_of_many_keys_are_quiet_gets_before_a_noop() {
    let options = ClientOptions { protocol: Protocol::Binary, ..ClientOptions::default() };
    let mut net = Net::new(options, &[1]);
    net.silence(1);
    net.with(|client, cx| {
        client.get_many(cx, &[Key::from("a"), Key::from("b"), Key::from("c")], 1)
    })
    .expect("accepted");
    let gets = [("a", 0), ("b", 1), ("c", 2)]
        .map(|(key, opaque)| packet(0x80, 9, 0, opaque, [b"", key.as_bytes(), b""]));
    let mut wire = [gets.concat(), packet(0x80, 10, 0, 0, [b"", b"", b""])].concat();
    for header in [0, 25, 50, 75] {
        wire[header + 16..header + 24].fill(0);
    }
    assert_eq!(net.heard(1), wire);
    let b = packet(0x81, 9, 0, 1, [&[0; 4], b"", b"x"]);
    net.inject(1, &b);
    net.inject(1, &packet(0x81, 10, 0, 0, [b"", b"", b""]));
    let all = vec![Outcome::Miss, hit("x", 0, 77), Outcome::Miss];
    assert_eq!(net.run().remove(&1), Some(Outcome::Many(all)));
    net.with(|client, cx| client.command(cx, &Command::Stats("slabs"), 2)).expect("accepted");
    net.heard(1);
    net.inject(1, &packet(0x81, 16, 0, 0, [b"", b"pid", b"4"]));
    net.inject(1, &packet(0x81, 16, 0, 0, [b"", b"", b""]));
    let stats = Outcome::Servers(vec![Outcome::Text("STAT pid 4\r\n".into())]);
    assert_eq!(net.run().remove(&2), Some(stats));
}
