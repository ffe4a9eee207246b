//! The same bytes give the same replies however they were cut on their way, and no bytes do harm.

use crate::like_a_server::STREAMS;
use crate::net::{Net, simple};
use proptest::prelude::*;

fn whole(stream: &[u8]) -> String {
    let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
    let conn = net.open();
    net.send(conn, stream)
}

#[test]
fn streams_may_be_cut_at_every_byte() {
    for stream in STREAMS {
        let expected = whole(stream.as_bytes());
        for cut in 1..stream.len() {
            let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
            let conn = net.open();
            let mut heard = net.send(conn, &stream[..cut]);
            heard += &net.send(conn, &stream[cut..]);
            assert_eq!(heard, expected, "cut at {cut}: {stream}");
        }
    }
}

#[test]
fn streams_may_come_byte_by_byte_on_every_wire() {
    for stream in STREAMS {
        let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
        net.piece = 1;
        let conn = net.open();
        let mut heard = String::new();
        for byte in stream.as_bytes() {
            heard += &net.send(conn, [*byte]);
        }
        assert_eq!(heard, whole(stream.as_bytes()), "{stream}");
    }
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&[u8]] = &[
        b"get ",
        b"gets ",
        b"set ",
        b"cas ",
        b"gat ",
        b"mn",
        b"delete ",
        b"incr ",
        b"touch ",
        b"flush_all",
        b"stats",
        b"verbosity ",
        b"a",
        b"b",
        b" ",
        b"0 ",
        b"1 ",
        b"3 ",
        b"-1 ",
        b"noreply",
        b"q ",
        b"b ",
        b"v ",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"abc\r\n",
        b"99999999999999999999 ",
        b"\x80\x00",
        b"\x81",
        b"\0\0\0\0",
    ];
    prop_oneof![
        8 => prop::sample::select(words).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_harm_another_client(words in prop::collection::vec(word(), 0..60)) {
        let mut net = Net::new(simple(&[1, 2]), &[1, 2]);
        let (hostile, honest) = (net.open(), net.open());
        net.send(honest, "set mine 7 0 5\r\nhello\r\n");
        net.send(hostile, words.concat());
        for n in 0..5 {
            let heard = net.send(honest, format!("set k{n} 0 0 1\r\n{n}\r\nget k{n} x{n}\r\n"));
            prop_assert_eq!(heard, format!("STORED\r\nVALUE k{n} 0 1\r\n{n}\r\nEND\r\n"));
        }
        net.drop_client(hostile);
        net.run();
        prop_assert_eq!(net.counter("requests_under_way"), 0);
        prop_assert_eq!(net.counter("failures"), 0, "no server was put out of step");
    }

    #[test]
    fn no_packets_harm_another_client(
        packets in prop::collection::vec(
            (any::<u8>(), 0u16..4, 0u8..24, 0u32..40, prop::collection::vec(any::<u8>(), 0..48)),
            0..8,
        ),
    ) {
        let mut net = Net::new(simple(&[1]), &[1]);
        let (hostile, honest) = (net.open(), net.open());
        let mut stream = Vec::new();
        for (opcode, key, extras, body, junk) in packets {
            stream.extend([0x80, opcode % 0x28]);
            stream.extend(key.to_be_bytes());
            stream.extend([extras, 0, 0, 0]);
            stream.extend(body.to_be_bytes());
            stream.extend([1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
            stream.extend(junk);
        }
        net.say(hostile, stream);
        net.run();
        let heard = net.send(honest, "set k 0 0 1\r\nx\r\nget k\r\n");
        prop_assert_eq!(heard, "STORED\r\nVALUE k 0 1\r\nx\r\nEND\r\n");
    }
}
