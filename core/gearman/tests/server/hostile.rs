//! Peers that lie, that do not read, that do not go.

use crate::rig::{Rig, config, framed, packet};
use storytime_gearman::Config;
use storytime_gearman::config::OUTPUT_BYTES_MAX;
use storytime_gearman::packet::{Kind, Magic};
use storytime_gearman::text::LINE_BYTES_MAX;
use storytime_machine::Duration;
use storytime_sim::enumerate::Client;

const LARGE: usize = 1 << 20;

/// A server that holds no more than so much of what comes in pieces, and of what is not read.
fn small(held_bytes_max: usize) -> Rig {
    Rig::with(Config { held_bytes_max, ..config("--job-handle-prefix H") })
}

fn make_functions(rig: &mut Rig, operator: Client, count: usize, name: &str) {
    let lines: String = (0..count).map(|n| format!("create function {n}{name}\n")).collect();
    assert_eq!(rig.send(operator, lines.as_bytes()).matches("OK").count(), count);
}

#[test]
fn bytes_that_are_no_packet_end_the_connection_without_a_word() {
    let streams = [
        b"\0FOO\0\0\0\x10\0\0\0\0".to_vec(),
        b"\0R\xff".to_vec(),
        framed(Magic::Request, 0, b""),
        framed(Magic::Request, 43, b""),
        framed(Magic::Response, 43, b""),
        b"a b c d e f\n".to_vec(),
        vec![b'x'; LINE_BYTES_MAX + 1],
    ];
    for stream in streams {
        let mut rig = Rig::new("");
        let (peer, other) = (rig.open(), rig.open());
        let behind = packet(Kind::EchoReq, &[b"behind"]);
        assert_eq!(
            rig.send(peer, &[&stream[..], &behind].concat()),
            "",
            "{}",
            stream.escape_ascii()
        );
        assert!(!rig.lone.is_open(peer), "{}", stream.escape_ascii());
        assert_eq!(rig.counter("broken_peers"), 1);
        assert_eq!(rig.say(other, "ECHO_REQ on"), "ECHO_RES on");
    }
}

#[test]
fn a_length_that_lies_is_told_and_takes_nothing_of_what_follows() {
    for (kind, body) in [
        (Kind::SubmitJob, &b"f\0u"[..]),
        (Kind::SubmitJob, b""),
        (Kind::WorkStatus, b"H:1\x001"),
        (Kind::CanDoTimeout, b"f"),
        (Kind::SubmitReduceJob, b"f\0u\0r\0d"),
        (Kind::WorkComplete, b"H:1"),
    ] {
        let mut rig = Rig::new("");
        let (peer, operator) = (rig.open(), rig.open());
        let lie = framed(Magic::Request, kind as u32, body);
        let behind = packet(Kind::SubmitJobBg, &[b"innocent", b"", b"x"]);
        let told = rig.send(peer, &[lie, behind].concat());
        assert_eq!(told, format!("ERROR INVALID_PACKET {} needs more arguments", kind.name()));
        assert!(!rig.lone.is_open(peer));
        assert_eq!(rig.send(operator, b"status\n"), ".\\n", "nothing was made of the rest");
    }
}

#[test]
fn a_packet_that_would_be_too_long_is_refused_at_its_header() {
    let mut rig = Rig::new("--max-packet 64k");
    let peer = rig.open();
    let header = &framed(Magic::Request, Kind::EchoReq as u32, &vec![0; 64 << 10])[..12];
    let told = rig.send(peer, header);
    assert_eq!(told, "ERROR ARGUMENT_TOO_LARGE a packet of 65536 bytes is too long");
    assert!(!rig.lone.is_open(peer));
    let peer = rig.open();
    let fits = packet(Kind::EchoReq, &[&vec![b'x'; (64 << 10) - 12]]);
    assert_eq!(rig.send(peer, &fits), "ECHO_RES (long)");
}

#[test]
fn a_peer_that_does_not_read_is_not_read_either_until_it_does() {
    let mut rig = Rig::new("");
    let (slow, other) = (rig.open(), rig.open());
    rig.lone.set_reads(slow, false);
    let echo = packet(Kind::EchoReq, &[&vec![b'x'; LARGE]]);
    for _ in 0..10 {
        rig.lone.send(slow, &echo);
    }
    rig.lone.send(slow, &packet(Kind::SubmitJobBg, &[b"f", b"", b"x"]));
    assert!(rig.lone.is_open(slow), "it waits");
    assert_eq!(rig.send(other, b"status\n"), ".\\n", "its later packets wait, too");
    rig.lone.set_reads(slow, true);
    rig.pass(Duration::from_secs(1));
    let told = rig.take(slow);
    assert_eq!(told.matches("ECHO_RES (long)").count(), 10);
    assert!(told.ends_with("JOB_CREATED H:1"), "{told}");
}

#[test]
fn a_peer_that_is_sent_more_than_may_wait_is_hung_up_on() {
    let mut rig = Rig::new("");
    let (slow, worker) = (rig.open(), rig.open());
    rig.say(slow, "SUBMIT_JOB f _ x");
    rig.lone.set_reads(slow, false);
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    let part = packet(Kind::WorkData, &[b"H:1", &vec![b'x'; LARGE]]);
    for _ in 0..=OUTPUT_BYTES_MAX / LARGE {
        assert!(rig.lone.is_open(slow));
        rig.lone.send(worker, &part);
    }
    rig.lone.send(worker, &part);
    assert!(!rig.lone.is_open(slow));
    assert_eq!(rig.counter("overrun_peers"), 1);
    assert_eq!(rig.say(worker, "WORK_COMPLETE H:1 x"), "", "the worker is none the wiser");
}

#[test]
fn a_result_for_many_that_do_not_read_is_held_for_as_many_as_there_is_memory_for() {
    const CLIENTS: usize = 10;
    let mut rig = small(5 * LARGE);
    let worker = rig.open();
    let slow: Vec<_> = (0..CLIENTS).map(|_| rig.open()).collect();
    for &client in &slow {
        rig.say(client, "SUBMIT_JOB f key x");
        rig.lone.set_reads(client, false);
    }
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    rig.lone.send(worker, &packet(Kind::WorkComplete, &[b"H:1", &vec![b'x'; LARGE]]));
    let open = slow.iter().filter(|&&client| rig.lone.is_open(client)).count();
    assert_eq!((open, rig.counter("overrun_peers")), (4, 6), "four and their headers fit");
    assert_eq!(rig.say(worker, "ECHO_REQ on"), "ECHO_RES on");
}

#[test]
fn long_lists_that_nobody_reads_count_as_everything_else_does() {
    let mut rig = small(3 * LARGE);
    let operator = rig.open();
    make_functions(&mut rig, operator, 300, &"f".repeat(4_000));
    let slow: Vec<_> = (0..4).map(|_| rig.open()).collect();
    for &client in &slow {
        rig.lone.set_reads(client, false);
        rig.lone.send(client, b"status\n");
    }
    let open = slow.iter().filter(|&&client| rig.lone.is_open(client)).count();
    assert_eq!((open, rig.counter("overrun_peers")), (2, 2), "two replies of 1.2 MB fit");
}

#[test]
fn whoever_holds_most_of_what_is_unfinished_goes_and_not_who_came_last() {
    let mut rig = small(LARGE);
    let (hoarder, other) = (rig.open(), rig.open());
    let whole = packet(Kind::EchoReq, &[&vec![b'x'; LARGE]]);
    rig.lone.send(hoarder, &whole[..LARGE - 100]);
    let small = packet(Kind::EchoReq, &[&[b'x'; 200]]);
    rig.lone.send(other, &small[..150]);
    assert!(!rig.lone.is_open(hoarder) && rig.lone.is_open(other));
    assert_eq!(rig.send(other, &small[150..]), "ECHO_RES (long)");
    assert_eq!(rig.counter("broken_peers"), 1);
}

#[test]
fn who_asks_for_much_lets_others_go_first() {
    const ASKED: usize = 100;
    let mut rig = Rig::new("");
    let (greedy, other) = (rig.open(), rig.open());
    make_functions(&mut rig, other, 5_000, "");
    // Each looks into every function.
    let all = packet(Kind::GetStatusUnique, &[b"key"]).repeat(ASKED);
    let told = rig.send(greedy, &all);
    let told = told.matches("STATUS_RES_UNIQUE").count();
    assert!((1..ASKED / 2).contains(&told), "{told} are answered in the first turn");
    assert_eq!(rig.say(other, "ECHO_REQ on"), "ECHO_RES on");
    rig.pass(Duration::from_secs(1));
    let rest = rig.take(greedy).matches("STATUS_RES_UNIQUE").count();
    assert_eq!(told + rest, ASKED, "and all in the end");
    assert!(rig.counter("turns_ended") >= 5);
    assert_eq!(rig.say(greedy, "ECHO_REQ on"), "ECHO_RES on");
}

#[test]
fn a_peer_that_leaves_before_its_next_turn_leaves_nothing_behind() {
    let mut rig = Rig::new("");
    let (greedy, other) = (rig.open(), rig.open());
    make_functions(&mut rig, other, 5_000, "");
    rig.lone.send(greedy, &packet(Kind::GetStatusUnique, &[b"key"]).repeat(100));
    rig.lone.reset(greedy);
    let next = rig.open();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.say(next, "ECHO_REQ on"), "ECHO_RES on");
    assert_eq!(rig.send(other, b"workers\n").matches("127.0.0.1").count(), 2);
}

#[test]
fn a_peer_that_was_hung_up_on_and_does_not_go_is_thrown_out() {
    let mut rig = Rig::new("");
    let (peer, worker) = (rig.open(), rig.open());
    rig.say(worker, "CAN_DO f\nPRE_SLEEP");
    rig.say(peer, "SUBMIT_JOB f _ x");
    rig.lone.set_reads(peer, false);
    rig.lone.send(peer, &framed(Magic::Request, Kind::SubmitJob as u32, b"lie"));
    rig.pass(Duration::from_secs(20));
    assert!(!rig.lone.is_open(peer));
    assert_eq!(rig.counter("lingering_peers"), 1);
    assert_eq!(rig.say(worker, "GRAB_JOB"), "NOOP, NO_JOB", "what it waited for is not run");
}

#[test]
fn long_data_comes_through_as_it_was() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    for len in [4095, 4096, 4097, 70_000, 3 << 20] {
        let data: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        rig.lone.send(client, &packet(Kind::SubmitJob, &[b"f", b"", &data]));
        rig.lone.received(client).clear();
        rig.lone.send(worker, &packet(Kind::CanDo, &[b"f"]));
        rig.lone.send(worker, &packet(Kind::GrabJob, &[]));
        let got = rig.lone.received(worker).split();
        assert!(got.ends_with(&data), "{len}");
        let handle = got[12..].split(|byte| *byte == 0).next().expect("a handle").to_vec();
        rig.lone.send(worker, &packet(Kind::WorkComplete, &[&handle, &data]));
        assert!(rig.lone.received(client).split().ends_with(&data), "{len}");
    }
}
