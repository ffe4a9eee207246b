//! Packets: what is written is read, however it is cut; and nothing beyond a packet's end.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use storytime_gearman::packet::{
    Bad, HEADER_BYTES, Kind, Magic, Parser, SHARED_BYTES_MIN, put, put_with_data,
};
use storytime_machine::Tx;

const BODY_BYTES_MAX: usize = 64 << 10;

fn parser() -> Parser {
    Parser::new(Magic::Request, BODY_BYTES_MAX)
}

/// A packet's kind, its arguments and its data.
fn packet() -> impl Strategy<Value = (Kind, Vec<Vec<u8>>, Vec<u8>)> {
    let word = prop::collection::vec(1..=255u8, 0..12);
    let words = prop::collection::vec(word, Kind::ALL.iter().map(|k| k.arguments()).max().unwrap());
    let long = SHARED_BYTES_MIN - 2..SHARED_BYTES_MIN + 2;
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        long.prop_map(|len| vec![b'd'; len]),
    ];
    (prop::sample::select(Kind::ALL.to_vec()), words, data).prop_map(|(kind, mut words, data)| {
        words.truncate(kind.arguments());
        (kind, words, data)
    })
}

fn written(kind: Kind, words: &[Vec<u8>], data: &[u8]) -> BytesMut {
    let mut tx = Tx::default();
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    if kind.has_data() {
        put_with_data(&mut tx, Magic::Request, kind, &words, &Bytes::copy_from_slice(data));
    } else {
        put(&mut tx, Magic::Request, kind, &words);
    }
    tx.collect()
}

proptest! {
    #[test]
    fn what_is_written_is_read(packets in prop::collection::vec(packet(), 1..8)) {
        let mut stream = BytesMut::new();
        for (kind, words, data) in &packets {
            stream.extend_from_slice(&written(*kind, words, data));
        }
        for (kind, words, data) in &packets {
            let view = parser().view(&stream).unwrap().expect("it is whole");
            prop_assert_eq!(view.kind, *kind);
            for (nth, word) in words.iter().enumerate() {
                prop_assert_eq!(view.argument(nth), &word[..]);
            }
            if kind.has_data() {
                prop_assert_eq!(view.data(), &data[..]);
            }
            let len = view.packet_bytes();
            let before = stream.len();
            let packet = parser().next(&mut stream).unwrap().expect("it is whole");
            prop_assert_eq!(packet.view().packet_bytes(), len);
            prop_assert_eq!(before - stream.len(), len, "and no byte more is eaten");
        }
        prop_assert!(stream.is_empty());
    }

    #[test]
    fn it_is_the_same_on_the_wire_with_and_without_data_of_its_own(
        (kind, words, data) in packet(),
    ) {
        prop_assume!(kind.has_data());
        let mut tx = Tx::default();
        let all: Vec<&[u8]> = words.iter().chain([&data]).map(Vec::as_slice).collect();
        put(&mut tx, Magic::Request, kind, &all);
        prop_assert_eq!(tx.collect(), written(kind, &words, &data));
    }

    #[test]
    fn a_part_of_a_packet_is_none_and_nothing_of_it_is_eaten(
        (kind, words, data) in packet(),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = written(kind, &words, &data);
        let mut part = BytesMut::from(&whole[..cut.index(whole.len())]);
        let before = part.clone();
        prop_assert_eq!(parser().view(&part), Ok(None));
        prop_assert_eq!(parser().next(&mut part), Ok(None));
        prop_assert_eq!(part, before);
    }

    #[test]
    fn any_bytes_are_a_packet_or_a_part_of_one_or_none(
        kind in prop_oneof![9 => 0..45u32, 1 => any::<u32>()],
        len in prop_oneof![9 => 0..40u32, 1 => any::<u32>()],
        body in prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..60),
    ) {
        let mut stream = BytesMut::from(&Magic::Request.bytes()[..]);
        for part in [&kind.to_be_bytes()[..], &len.to_be_bytes(), &body] {
            stream.extend_from_slice(part);
        }
        let seen = parser().view(&stream).map(|view| view.map(|view| view.packet_bytes()));
        let before = stream.len();
        let read = parser().next(&mut stream);
        let eaten = before - stream.len();
        let whole = body.len() >= len as usize;
        match seen {
            Ok(Some(bytes)) => {
                prop_assert!(whole && bytes == HEADER_BYTES + len as usize);
                prop_assert_eq!(eaten, bytes);
            }
            Ok(None) => prop_assert!(!whole && eaten == 0),
            Err(Bad::Kind(number)) => prop_assert!(number == kind && Kind::of(kind).is_none()),
            Err(Bad::TooLong(_)) => prop_assert!(len as usize > BODY_BYTES_MAX && eaten == 0),
            Err(Bad::Arguments(_)) => {
                prop_assert_eq!(eaten, HEADER_BYTES + len as usize, "what follows is in step");
            }
            Err(Bad::Magic) => prop_assert!(false, "it has the magic"),
        }
        prop_assert_eq!(read.map(|packet| packet.is_some()), seen.map(|bytes| bytes.is_some()));
    }
}

#[test]
fn a_wrong_magic_is_seen_at_its_first_byte() {
    for bytes in [&b"R"[..], b"\0S", b"\0REX", b"\0RES\0\0\0\x10\0\0\0\0"] {
        assert_eq!(parser().view(bytes), Err(Bad::Magic), "{}", bytes.escape_ascii());
    }
    for bytes in [&b""[..], b"\0", b"\0RE", b"\0REQ\0\0"] {
        assert_eq!(parser().view(bytes), Ok(None), "{}", bytes.escape_ascii());
    }
}

#[test]
fn kinds_have_the_protocols_numbers() {
    assert_eq!(Kind::ALL.len(), 42);
    for (number, kind) in (1..).zip(Kind::ALL) {
        assert_eq!((*kind as u32, Kind::of(number)), (number, Some(*kind)));
    }
    assert_eq!((Kind::of(0), Kind::of(43)), (None, None));
}
