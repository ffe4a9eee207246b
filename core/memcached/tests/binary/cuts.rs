//! The same bytes give the same replies however they are cut on their way.

use crate::packet::{Request, count, key, op, request, store, stream};
use crate::rig::replies;
use proptest::prelude::*;

const LINE: &str = "-I 32k -o slab_chunk_max=16";

/// A stream with every kind of request.
fn mixed() -> Vec<u8> {
    let mut requests = vec![
        store(op::SET, "k", "value").opaque(1),
        key(op::GETK, "k"),
        store(op::SETQ, "quiet", "q"),
        key(op::GETQ, "none"),
        key(op::GETKQ, "quiet"),
        count(op::INCR, "n", 3, 4, 0),
        count(op::DECRQ, "n", 3, 4, 0),
        key(op::GET, "n"),
        key(op::APPEND, "k").value("s"),
        key(op::PREPENDQ, "k").value("s"),
        key(op::GAT, "k").extras(&[100]),
        key(op::TOUCH, "k").extras(&[100]),
        store(op::ADD, "k", "no"),
        request(0x1b).value("a body"),
        store(0xfe, "key", "value"),
        store(op::SET, "big", vec![b'x'; 40_000]),
        key(op::DELETE, "k"),
        key(op::SASL_AUTH, "PLAIN").value("\0a\0b"),
        request(op::FLUSHQ),
        request(op::VERSION),
        request(op::NOOP),
    ];
    // The value of the refused set is one of many bytes; cuts within it are all alike.
    let last = requests.len() - 1;
    requests[last].opaque = 99;
    stream(&requests)
}

#[test]
fn one_cut_anywhere_changes_nothing() {
    let stream = mixed();
    let whole = replies(LINE, &[&stream]);
    assert!(whole.0.len() > 500 && !whole.1);
    let interesting = (0..stream.len()).filter(|&at| at < 1500 || at > stream.len() - 600);
    for at in interesting.chain((1500..stream.len() - 600).step_by(977)) {
        let (front, back) = stream.split_at(at);
        assert_eq!(replies(LINE, &[front, back]), whole, "cut at {at}");
    }
}

#[test]
fn single_bytes_are_as_good_as_one_piece() {
    let stream = mixed();
    let pieces: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(replies(LINE, &pieces), replies(LINE, &[&stream]));
}

#[test]
fn values_around_the_limits_arrive_whole_in_any_pieces() {
    for len in [16_383, 16_384, 16_385, 20_000, 30_000] {
        let value: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        let stream = stream(&[store(op::SET, "k", &value), key(op::GET, "k")]);
        let whole = replies(LINE, &[&stream]);
        assert_eq!(crate::packet::replies(&whole.0)[1].value, value);
        for piece in [1000, 4096, 16_384, 16_500, len, len + 20, len + 33] {
            let pieces: Vec<&[u8]> = stream.chunks(piece).collect();
            assert_eq!(replies(LINE, &pieces), whole, "{len} bytes in pieces of {piece}");
        }
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let key = prop_oneof![Just(&b"a"[..]), Just(&b"b"[..]), Just(&b""[..]), Just(&[b'k'; 251][..])];
    let extras = prop_oneof![
        Just(vec![]),
        Just(vec![0; 4]),
        Just(vec![0; 8]),
        Just(vec![0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]),
        Just(vec![0; 40]),
    ];
    let value = prop_oneof![Just(vec![]), Just(b"12".to_vec()), Just(vec![b'v'; 700])];
    let opcode = prop_oneof![9 => 0..0x26u8, 1 => any::<u8>()];
    (opcode, key, extras, value, 0..3u64).prop_map(|(opcode, key, extras, value, version)| {
        // `stat` tells of more than the data, and differs from run to run.
        let opcode = if opcode == op::STAT { op::NOOP } else { opcode };
        Request { opcode, extras, key: key.to_vec(), value, opaque: 7, version }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn good_and_bad_requests_give_the_same_replies_in_any_pieces(
        requests in prop::collection::vec(any_request(), 1..12),
        piece in 1..200usize,
    ) {
        let stream = stream(&requests);
        let pieces: Vec<&[u8]> = stream.chunks(piece).collect();
        prop_assert_eq!(replies(LINE, &pieces), replies(LINE, &[&stream]));
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let stream = [&request(op::NOOP).bytes()[..], &[0x80], &noise].concat();
        let (out, _) = replies(LINE, &[&stream]);
        prop_assert!(!crate::packet::replies(&out).is_empty());
    }
}
