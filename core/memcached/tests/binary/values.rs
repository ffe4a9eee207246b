//! Large values, refused values, slow readers.

use crate::Client;
use crate::packet::{HEADER_BYTES, key, op, replies, request, store};

const MEGABYTE: usize = 1 << 20;

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n % 251) as u8).collect()
}

#[test]
fn large_values_come_back_as_they_went() {
    let mut client = Client::new("-m 256 -I 64m");
    for len in [16 << 10, (16 << 10) + 1, 600 << 10, MEGABYTE, 20 * MEGABYTE] {
        let value = pattern(len);
        assert_eq!(client.ask(&store(op::SET, "k", &value)), "||", "{len}");
        let get = client.send(&key(op::GETK, "k"));
        assert!(get.value == value && get.key == b"k", "{len}");
        let gat = client.send(&key(op::GAT, "k").extras(&[0]));
        assert!(gat.value == value, "{len}");
    }
    let both = client.send_all(&[key(op::GETQ, "k"), request(op::NOOP)]);
    assert_eq!((both[0].value.len(), both[1].opcode), (20 * MEGABYTE, op::NOOP));
}

#[test]
fn a_refused_set_deletes_the_old_value_and_swallows_its_own() {
    let mut client = Client::new("-I 64k -o slab_chunk_max=32");
    let big = pattern(100_000);
    for opcode in [op::SET, op::SETQ] {
        client.ask(&store(op::SET, "k", "old"));
        let both = [store(opcode, "k", &big), request(op::NOOP)];
        let shown: Vec<String> = client.send_all(&both).iter().map(|r| r.show()).collect();
        assert_eq!(shown, ["0x3 Too large.", "||"]);
        assert_eq!(client.ask(&key(op::GET, "k")), "0x1 Not found");
    }
    client.ask(&store(op::SET, "k", "old"));
    for refused in [
        store(op::ADD, "k", &big),
        store(op::REPLACE, "k", &big),
        key(op::APPEND, "k").value(&big),
        key(op::PREPENDQ, "k").value(&big),
    ] {
        assert_eq!(client.ask(&refused), "0x3 Too large.");
    }
    assert_eq!(client.ask(&key(op::GET, "k")), "deadbeef||old");
}

#[test]
fn an_append_may_be_too_large_only_together_with_what_is_there() {
    let mut client = Client::new("-I 64k -o slab_chunk_max=32");
    client.ask(&store(op::SET, "k", pattern(40_000)));
    assert_eq!(client.ask(&key(op::APPEND, "k").value(pattern(40_000))), "0x5 Not stored.");
    assert_eq!(client.send(&key(op::GET, "k")).value.len(), 40_000);
}

#[test]
fn a_full_server_without_eviction_refuses() {
    let mut client = Client::new("-m 8 -M");
    let value = pattern(500_000);
    let refused = (0..40).find_map(|n| {
        let reply = client.send(&store(op::SET, format!("k{n}"), &value));
        (reply.status != 0).then(|| reply.show())
    });
    assert_eq!(refused.as_deref(), Some("0x82 Out of memory allocating item"));
    assert_eq!(client.ask(&request(op::NOOP)), "||");
}

#[test]
fn an_upload_that_ends_early_leaves_nothing() {
    let mut client = Client::new("-m 64 -I 16m");
    client.ask(&store(op::SET, "k", "old"));
    let stream = store(op::SET, "k", pattern(10 * MEGABYTE)).bytes();
    for _ in 0..8 {
        let conn = client.rig.open();
        for piece in stream[..9 * MEGABYTE].chunks(MEGABYTE) {
            client.rig.deliver(conn, piece);
        }
        client.rig.gone(conn);
    }
    client.rig.process.machine().shared().audit();
    let get = client.ask(&key(op::GET, "k"));
    assert!(get == "deadbeef||old" || get == "0x1 Not found", "{get}: evicted at most");
}

#[test]
fn slow_readers_get_the_value_as_it_was_and_cost_little() {
    let mut client = Client::new("-m 256 -I 8m");
    let old = pattern(4 * MEGABYTE);
    client.ask(&store(op::SET, "k", &old));
    let readers: Vec<_> = (0..50).map(|_| client.rig.open()).collect();
    for &reader in &readers {
        client.rig.deliver(reader, &key(op::GET, "k").bytes());
        assert!(!client.rig.reads(reader), "it does not read while its peer does not");
        assert!(client.rig.pending(reader) < MEGABYTE);
    }
    for n in 0..10 {
        client.ask(&store(op::SET, "k", vec![n; 4 * MEGABYTE]));
    }
    for &reader in &readers {
        let mut out = Vec::new();
        while out.len() < HEADER_BYTES + 4 + old.len() {
            let piece = client.rig.take(reader, 100_000);
            assert!(!piece.is_empty(), "more is to come");
            out.extend_from_slice(&piece);
        }
        let replies = replies(&out);
        assert!(replies.len() == 1 && replies[0].value == old);
        assert!(client.rig.reads(reader));
    }
    client.rig.process.machine().shared().audit();
}

#[test]
fn requests_behind_a_slow_value_are_served_in_their_turn() {
    let mut client = Client::new("-m 64 -I 8m");
    let value = pattern(3 * MEGABYTE);
    client.ask(&store(op::SET, "k", &value));
    let requests = [key(op::GET, "k"), request(op::NOOP), key(op::GET, "k"), request(op::NOOP)];
    for cut in [0, 10, 25, 49, 60] {
        let stream = crate::packet::stream(&requests);
        client.rig.deliver(client.conn, &stream[..cut]);
        client.rig.deliver(client.conn, &stream[cut..]);
        let got = replies(&client.rig.take_all(client.conn));
        let opcodes: Vec<u8> = got.iter().map(|reply| reply.opcode).collect();
        assert_eq!(opcodes, [op::GET, op::NOOP, op::GET, op::NOOP], "cut at {cut}");
        assert!(got[0].value == value && got[2].value == value, "cut at {cut}");
    }
}

#[test]
fn a_reader_that_leaves_gives_its_value_back() {
    let mut client = Client::new("-m 64 -I 8m");
    client.ask(&store(op::SET, "k", pattern(4 * MEGABYTE)));
    for _ in 0..10 {
        let reader = client.rig.open();
        client.rig.deliver(reader, &key(op::GET, "k").bytes());
        client.rig.gone(reader);
    }
    client.ask(&key(op::DELETE, "k"));
    client.rig.process.machine().shared().audit();
    for n in 0..40 {
        let reply = client.send(&store(op::SET, format!("k{n}"), pattern(4 * MEGABYTE)));
        assert_eq!(reply.status, 0, "memory is there for {n}");
    }
}

#[test]
fn a_peer_that_has_closed_its_side_still_gets_its_value() {
    let mut client = Client::new("-m 64 -I 8m");
    let value = pattern(3 * MEGABYTE);
    client.ask(&store(op::SET, "k", &value));
    client.rig.deliver(client.conn, &key(op::GET, "k").bytes());
    client.rig.eof(client.conn);
    let got = replies(&client.rig.take_all(client.conn));
    assert!(got.len() == 1 && got[0].value == value);
}
