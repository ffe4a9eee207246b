//! Bad input, and how a connection stays in step after it.

use crate::rig::{Rig, replies};
use storytime_machine::Drive;

const BAD: &str = "CLIENT_ERROR bad command line format\r\n";

macro_rules! dialogue {
    ($rig:expr, $conn:expr, $($say:expr => $expect:expr),* $(,)?) => {
        $(assert_eq!($rig.send($conn, $say), $expect, "after {:?}", $say);)*
    };
}

#[test]
fn lines_that_say_nothing_are_told_so() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "\r\n" => BAD,
        "\n" => BAD,
        "ab\n" => BAD,
        "abc\n" => "ERROR\r\n",
        "boguscommand slkdsldkfjsd\r\n" => "ERROR\r\n",
        " get k\r\n" => "ERROR\r\n",
        "GET k\r\n" => "ERROR\r\n",
        "get\r\n" => BAD,
        "get  \r\n" => BAD,
        "gets\r\n" => BAD,
        "set k\r\n" => BAD,
        "delete\r\n" => BAD,
        "delete k 0\r\n" => "NOT_FOUND\r\n",
        "delete k 0 noreply\r\n" => "",
        "delete k 10\r\n" => BAD,
        "delete k other\r\n" => BAD,
        "delete k 0 0\r\n" => BAD,
    );
}

#[test]
fn a_bad_header_with_a_readable_length_takes_its_block_along() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let long = "k".repeat(251);
    dialogue!(rig, c,
        "set k x 0 4\r\nquit\r\nversion noreply\r\n"
            => format!("{BAD}VERSION {}\r\n", storytime_memcached::VERSION),
        "set k 0 x 4\r\nquit\r\nget k\r\n" => format!("{BAD}END\r\n"),
        "set k 4294967296 0 4\r\nquit\r\nget k\r\n" => format!("{BAD}END\r\n"),
        "set k 0 2147483648 4\r\nquit\r\nget k\r\n" => format!("{BAD}END\r\n"),
        format!("set {long} 0 0 4\r\nquit\r\nget k\r\n") => format!("{BAD}END\r\n"),
    );
    assert!(!rig.has_hung_up(c));
}

#[test]
fn a_lone_minus_is_no_number() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "touch k -\r\n" => "CLIENT_ERROR invalid exptime argument\r\n",
        "set k 0 - 1\r\na\r\n" => BAD,
        "set k 0 0 -\r\n" => BAD,
        "mg k T-\r\n" => "CLIENT_ERROR bad token in command line format\r\n",
    );
}

#[test]
fn a_block_of_unreadable_length_runs_as_commands() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "set k 0 0 x\r\nversions\r\n" => format!("{BAD}ERROR\r\n"),
        "set k 0 0 -1\r\nversions\r\n" => format!("{BAD}ERROR\r\n"),
        "set k 0 0 2147483646\r\nversions\r\n" => format!("{BAD}ERROR\r\n"),
        "set k 0 0 noreply\r\nversions\r\n" => format!("{BAD}ERROR\r\n"),
    );
}

#[test]
fn a_block_of_another_length_costs_exactly_what_was_stated() {
    let mut rig = Rig::new("");
    let c = rig.open();
    dialogue!(rig, c,
        "set k 0 0 2\r\nabc\r\n" => format!("CLIENT_ERROR bad data chunk\r\n{BAD}"),
        "set k 0 0 2\r\nabcd\r\n" => format!("CLIENT_ERROR bad data chunk\r\n{BAD}"),
    );
    let (out, _) = replies("", &[b"set k 0 0 4\r\nab\r\nget k\r\nget k\r\n"]);
    assert_eq!(out, b"CLIENT_ERROR bad data chunk\r\nERROR\r\nEND\r\n", "part of a get was eaten");
}

#[test]
fn a_value_too_large_is_thrown_away_and_set_leaves_nothing_stale() {
    let mut rig = Rig::new("");
    let c = rig.open();
    let large = "x".repeat(1 << 20);
    let set = |verb: &str| format!("{verb} k 0 0 {}\r\n{large}\r\n", large.len());
    dialogue!(rig, c,
        "set k 0 0 3\r\nold\r\n" => "STORED\r\n",
        set("add") => "SERVER_ERROR object too large for cache\r\n",
        "get k\r\n" => "VALUE k 0 3\r\nold\r\nEND\r\n",
        set("set") => "SERVER_ERROR object too large for cache\r\n",
        "get k\r\n" => "END\r\n",
    );
    assert_eq!(rig.counter("store_too_large"), 2);
    let fits = "x".repeat((1 << 20) - 60);
    dialogue!(rig, c, format!("set k 0 0 {}\r\n{fits}\r\n", fits.len()) => "STORED\r\n",
        "append k 0 0 2\r\nab\r\n" => "NOT_STORED\r\n");
}

#[test]
fn an_over_long_key_in_a_multiget_costs_no_other_reply() {
    let key = "a".repeat(251);
    let stream = format!("set a 1 0 1\r\na\r\nget a {key} b\r\nget a\r\n");
    let expect = format!("STORED\r\n{BAD}VALUE a 1 1\r\na\r\nEND\r\n");
    assert_eq!(replies("", &[stream.as_bytes()]).0, expect.as_bytes());
    let fits = "a".repeat(250);
    assert_eq!(replies("", &[format!("get {fits}\r\n").as_bytes()]).0, b"END\r\n");
    for line in ["gat 0 {}", "delete {}", "incr {} 1", "touch {} 0"] {
        let stream = format!("{}\r\n", line.replace("{}", &key));
        assert_eq!(replies("", &[stream.as_bytes()]).0, BAD.as_bytes(), "{line}");
    }
}

#[test]
fn only_get_and_gets_may_be_long() {
    let spaces = " ".repeat(2048);
    let (out, closed) =
        replies("", &[format!("set k 0 0 1\r\na\r\nget {spaces} k").as_bytes(), b"\r\n"]);
    assert_eq!((&out[..], closed), (&b"STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n"[..], false));
    let (out, closed) =
        replies("", &[format!("version\r\nincr {spaces} k 1\r\nversion\r\n").as_bytes()]);
    assert!(closed, "a long incr is hung up on");
    assert!(out.starts_with(b"VERSION") && out.ends_with(b"\r\n"), "earlier replies still leave");
    assert!(replies("", &["x".repeat(2049).as_bytes()]).1);
    assert!(!replies("", &["x".repeat(2048).as_bytes()]).1);
    let (out, closed) = replies("", &[format!("get {spaces}\r\n").as_bytes()]);
    assert_eq!((&out[..], closed), (BAD.as_bytes(), false), "no key at all");
}

#[test]
fn a_multiget_has_no_bound() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.send(c, "set foobarbaz 0 0 2\r\nhi\r\n");
    let keys = 300_000;
    let line = format!("get {}\r\n", "foobarbaz ".repeat(keys));
    assert!(line.len() > rig.process.limits().rx_bytes_max, "longer than any input buffer");
    let (mut sent, mut got) = (0, 0);
    while sent < line.len() {
        let piece = &line.as_bytes()[sent..line.len().min(sent + 65_536)];
        rig.deliver(c, piece);
        sent += piece.len();
        got += rig.take_all(c).len();
    }
    assert_eq!(got, keys * "VALUE foobarbaz 0 2\r\nhi\r\n".len() + "END\r\n".len());
    let bad = format!("get {} {}\r\nversion\r\n", "foobarbaz ".repeat(300), "k".repeat(251));
    let out = rig.send(c, bad);
    assert!(out.contains(&format!("hi\r\n{BAD}VERSION")), "the refusal stands in place of END");
}

#[test]
fn browsers_are_hung_up_on() {
    for line in ["GET / HTTP/1.0", "PUT /asdf/asd/fasdfasdf/sadf HTTP/1.1", "DELETE HTTP/1.1"] {
        let (out, closed) = replies("", &[format!("{line}\r\nHost: me\r\n").as_bytes()]);
        assert!(closed && out.is_empty(), "{line}");
    }
}

#[test]
fn a_connection_too_many_is_told_so() {
    let mut rig = Rig::new("-c 2");
    let (a, _b, c) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.take_all(c), b"ERROR Too many open connections\r\n");
    assert!(rig.has_hung_up(c));
    assert_eq!(rig.send(c, "version\r\n"), "");
    rig.gone(c);
    rig.gone(a);
    let d = rig.open();
    assert_eq!(rig.send(d, "get k\r\n"), "END\r\n");
    assert_eq!(rig.counter("rejected_connections"), 1);
}

#[test]
fn a_peer_that_closes_within_a_data_block_still_gets_its_earlier_replies() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.deliver(c, b"set k 0 0 1\r\na\r\nget k\r\nset k 0 0 9\r\nhalf");
    rig.eof(c);
    assert_eq!(rig.take_all(c), b"STORED\r\nVALUE k 0 1\r\na\r\nEND\r\n");
    assert!(rig.has_hung_up(c));
    rig.gone(c);
    let d = rig.open();
    assert_eq!(rig.send(d, "get k\r\n"), "VALUE k 0 1\r\na\r\nEND\r\n", "half a value is none");
}

#[test]
fn flushing_with_a_date_in_the_past_flushes_everything() {
    let mut rig = Rig::new("");
    let c = rig.open();
    rig.pass(100);
    let past = crate::rig::WALL_START + 5;
    let stream = format!("set k 0 0 1\r\na\r\nflush_all {past}\r\nget k\r\n");
    assert_eq!(rig.send(c, stream), "STORED\r\nOK\r\nEND\r\n");
}

#[test]
fn a_long_line_with_leading_spaces_is_closed() {
    let line = format!(" get {}\r\n", "k ".repeat(1100));
    assert_eq!(replies("", &[line.as_bytes()]), (Vec::new(), true));
}
