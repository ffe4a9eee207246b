//! The same bytes give the same replies, however they are cut on their way.

use crate::rig::{Rig, replies};
use proptest::prelude::*;

/// Streams of whole dialogues, good and bad, pipelined.
fn streams() -> Vec<String> {
    let long_key = "k".repeat(251);
    let value = "v".repeat(700);
    vec![
        "set a 1 0 3\r\nabc\r\nget a\r\ngets a b\r\nadd a 0 0 1\r\nx\r\ndelete a\r\n".into(),
        "set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 7\r\nget n\r\ntouch n 5\r\ngat 5 n\r\n".into(),
        "cas a 0 0 1 5\r\na\r\nset a 0 0 0\r\n\r\ncas a 0 0 1 1\r\nb\r\ngets a\r\n".into(),
        format!("set a 0 0 700\r\n{value}\r\nget a a a\r\nappend a 0 0 2\r\nxy\r\nget a\r\n"),
        "set a x 0 5\r\nabcde\r\nset a 0 0 x\r\nabcde\r\nset a 0 0 2\r\nabcde\r\nget a\n".into(),
        format!("set a 0 0 1\r\na\r\nget a {long_key} a\r\nset {long_key} 0 0 1\r\nb\r\nget a\r\n"),
        format!("set a 0 0 1\r\na\r\nget {}a {long_key} a\r\nget a\r\n", "a ".repeat(1200)),
        format!("set a 0 0 1\r\na\r\nget {}\r\nversion\r\n", " ".repeat(2100)),
        format!("version\r\nset a 0 0 2000000\r\n{}\r\nget a\r\n", "x".repeat(40)),
        format!("version\r\nincr {} 1\r\nversion\r\n", "k".repeat(2100)),
        "\r\n\n \r\nabc\r\nverbosity 1\r\nverbosity\r\nstats reset\r\nquit\r\nget a\r\n".into(),
        "flush_all\r\nflush_all 5 noreply\r\nset a 0 -1 1\r\na\r\nget a\r\nfoo noreply\r\n".into(),
        "set a 0 0 5 noreply\r\nabc\r\n\r\nget a\r\nGET / HTTP/1.1\r\n\r\n".into(),
        "ms a 3 T9 c\r\nabc\r\nmg a v s Oxy\r\nmg b q\r\nma n N0 v\r\nmd a x I\r\nmg a v\r\nmn\r\n"
            .into(),
        "ms a 2\r\nabc\r\nms a 2 v v\r\nab\r\nms a 9 b\r\nabcdefghi\r\nms a !\r\nme a\r\nmd a\r\n"
            .into(),
        format!("ms a 700 MA N5 s k\r\n{value}\r\nmg a v\r\nms a 2000000 q\r\n{value}"),
    ]
}

#[test]
fn streams_cut_in_two_at_every_byte_give_the_same_replies() {
    for stream in streams() {
        let bytes = stream.as_bytes();
        let whole = replies("", &[bytes]);
        for cut in 0..=bytes.len() {
            let (front, back) = bytes.split_at(cut);
            assert_eq!(replies("", &[front, back]), whole, "cut at {cut}: {stream:?}");
        }
    }
}

#[test]
fn streams_byte_by_byte_give_the_same_replies() {
    for stream in streams() {
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(replies("", &bytes), replies("", &[stream.as_bytes()]), "{stream:?}");
    }
}

/// One request, valid or not.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let key = prop::sample::select(vec!["a", "b", "c", "n", "key:1", "", "  ", "noreply"]);
    let verb = prop::sample::select(vec![
        "set", "add", "replace", "append", "prepend", "cas", "sets", "get",
    ]);
    let number = prop::sample::select(vec![
        "0",
        "1",
        "5",
        "-1",
        "+2",
        "x",
        "",
        "4294967296",
        "2147483646",
        "99999999999999999999",
    ]);
    let value = prop::collection::vec(prop::sample::select(b"0129 \r\nav".to_vec()), 0..20);
    let storage = (verb, key.clone(), number.clone(), number.clone(), value, 0..24usize, 0..4u8)
        .prop_map(|(verb, key, flags, exptime, value, stated, odd)| {
            let stated = if odd == 0 { stated } else { value.len() };
            let tail = match (verb, odd) {
                ("cas", _) => " 1",
                (_, 1) => " noreply",
                _ => "",
            };
            let mut bytes =
                format!("{verb} {key} {flags} {exptime} {stated}{tail}\r\n").into_bytes();
            bytes.extend(value);
            bytes.extend(b"\r\n");
            bytes
        });
    let line = (
        prop::sample::select(vec![
            "get",
            "gets",
            "gat 5",
            "gats x",
            "delete",
            "incr",
            "decr",
            "touch",
            "flush_all",
            "verbosity",
            "version",
            "stats items",
            "stats reset",
            "junk",
            "",
        ]),
        prop::collection::vec(key, 0..4),
        number,
        prop::sample::select(vec!["\r\n", "\n", " \r\n", " noreply\r\n"]),
    )
        .prop_map(|(command, keys, number, end)| {
            format!("{command} {} {number}{end}", keys.join(" ")).into_bytes()
        });
    let junk = prop::collection::vec(any::<u8>(), 0..30);
    prop_oneof![6 => storage, 6 => line, 1 => junk]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..Default::default()
    })]

    #[test]
    fn random_pipelines_do_not_depend_on_their_cuts(
        requests in prop::collection::vec(request(), 1..20),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = requests.concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|w| &stream[w[0]..w[1]]).collect();
        prop_assert_eq!(replies("", &pieces), replies("", &[&stream]));
    }

    #[test]
    fn a_reader_of_any_pace_reads_the_same(
        requests in prop::collection::vec(request(), 1..12),
        takes in prop::collection::vec(1..2000usize, 1..200),
    ) {
        let value = "v".repeat(3000);
        let mut stream = format!("set a 0 0 3000\r\n{value}\r\nget a a a a a\r\n").into_bytes();
        stream.extend(requests.concat());
        stream.extend(b"\r\nget a a a a a a\r\n");
        let mut config = crate::rig::config("-t 1");
        config.connections_max = 5;
        let limits = storytime_machine::Limits { tx_high: 4000, tx_low: 1000, ..config.limits() };
        let mut rig = Rig::with(storytime_memcached::Server::alone(config), limits, 0);
        let conn = rig.open();
        rig.deliver(conn, &stream);
        let mut slow = Vec::new();
        for take in takes {
            slow.extend(rig.take(conn, take));
        }
        slow.extend(rig.take_all(conn));
        prop_assert!(slow == replies("", &[&stream]).0, "another reply to a slow reader");
    }
}
