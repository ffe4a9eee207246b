//! The raw layer against peers that say what they are told to.

use crate::peer::Rig;
use core::time::Duration;
use storytime_machine::Gone;
use storytime_memcached::client::pool::{
    HealthOptions, PoolOptions, Refusal, Shape, Standing, Words,
};

const SECOND: Duration = Duration::from_secs(1);
const STORED: Shape = Shape::Line(Words::Stored);

fn ejecting() -> PoolOptions {
    let health = HealthOptions { failure_limit: 3, auto_eject: true, ..HealthOptions::default() };
    PoolOptions { health, ..PoolOptions::default() }
}

#[test]
fn replies_of_all_shapes_come_back_in_order_however_they_are_cut() {
    let asked: [(&str, Shape, &str); 6] = [
        ("set k 0 0 1\r\nx\r\n", STORED, "STORED\r\n"),
        ("get k l\r\n", Shape::Values, "VALUE k 0 1\r\nx\r\nVALUE l 0 2\r\nyy\r\nEND\r\n"),
        ("stats\r\n", Shape::Lines, "STAT a 1\r\nSTAT b 2\r\nEND\r\n"),
        ("mg k v\r\n", Shape::Meta { replies: 1 }, "VA 1\r\nx\r\n"),
        ("mg k q\r\nmn\r\n", Shape::MetaUntilNoop, "MN\r\n"),
        ("incr k 1\r\n", Shape::Line(Words::Number), "5\r\n"),
    ];
    let all: String = asked.iter().map(|(.., reply)| *reply).collect();
    for cut in 0..=all.len() {
        let mut rig = Rig::new(PoolOptions::default());
        let server = rig.add(1);
        for (tag, (head, shape, _)) in asked.iter().enumerate() {
            rig.send(server, head, *shape, tag as u64).expect("accepted");
        }
        let sent: String = asked.iter().map(|(head, ..)| *head).collect();
        assert_eq!(rig.sent(1, 0), sent);
        rig.say(1, 0, &all.as_bytes()[..cut]);
        rig.say(1, 0, &all.as_bytes()[cut..]);
        let mut got = String::new();
        let mut ended = 0;
        for event in rig.events() {
            let (tag, bytes) = event.split_once(':').expect("only replies");
            assert_eq!(tag.parse(), Ok(ended), "cut at {cut}");
            let whole = bytes.strip_suffix('+');
            ended += usize::from(whole.is_none());
            got += whole.unwrap_or(bytes);
        }
        assert_eq!((got.as_str(), ended), (all.as_str(), 6), "cut at {cut}");
        assert_eq!((rig.pool().pending(), rig.connects), (0, 1));
    }
}

#[test]
fn values_of_a_long_retrieval_do_not_wait_for_its_end() {
    let mut rig = Rig::new(PoolOptions::default());
    let server = rig.add(1);
    rig.send(server, "get a b\r\n", Shape::Values, 1).expect("accepted");
    rig.say(1, 0, b"VALUE a 0 1\r\nx\r\nVALUE b 0 1");
    assert_eq!(rig.events(), ["1:VALUE a 0 1\r\nx\r\n+"]);
    rig.say(1, 0, b"\r\ny\r\nEND\r\n");
    assert_eq!(rig.events(), ["1:VALUE b 0 1\r\ny\r\nEND\r\n"]);
}

#[test]
fn lanes_are_spread_over_the_connections_and_keep_their_order() {
    let options = PoolOptions { conns_per_server: 2, ..PoolOptions::default() };
    let mut rig = Rig::new(options);
    let server = rig.add(1);
    for tag in 0..4 {
        rig.send(server, "version\r\n", Shape::Line(Words::Version), tag).expect("accepted");
    }
    assert_eq!(rig.connects, 2);
    rig.say(1, 1, b"VERSION b\r\nVERSION d\r\n");
    rig.say(1, 0, b"VERSION a\r\n");
    let got = rig.events();
    assert_eq!(got, ["1:VERSION b\r\n", "3:VERSION d\r\n", "0:VERSION a\r\n"]);
    assert_eq!(rig.pool().pending_of(server), 1);
}

#[test]
fn a_queue_that_is_full_takes_no_more() {
    let options = PoolOptions { pending_max: 2, unsent_bytes_max: 100, ..PoolOptions::default() };
    let mut rig = Rig::new(options.clone());
    let server = rig.add(1);
    for expected in [Ok(()), Ok(()), Err(Refusal::Busy)] {
        assert_eq!(rig.send(server, "get k\r\n", Shape::Values, 0), expected);
    }
    let mut rig = Rig::new(options);
    let server = rig.add(1);
    rig.send(server, &"x".repeat(100), Shape::Quiet, 0).expect("accepted");
    let refused = rig.send(server, "get k\r\n", Shape::Values, 0);
    assert_eq!(refused, Err(Refusal::Busy), "a hundred bytes have not left");
    assert_eq!(rig.sent(1, 0).len(), 100);
    assert_eq!(rig.send(server, "get k\r\n", Shape::Values, 0), Ok(()));
}

#[test]
fn what_was_not_asked_breaks_the_connection() {
    for said in ["DELETED\r\n", "END\r\n", "VALUE k 0 0\r\n\r\nEND\r\n", "\x01junk\r\n"] {
        let mut rig = Rig::new(PoolOptions::default());
        let server = rig.add(1);
        rig.send(server, "set k 0 0 1\r\nx\r\n", STORED, 1).expect("accepted");
        rig.send(server, "get k\r\n", Shape::Values, 2).expect("accepted");
        rig.say(1, 0, said.as_bytes());
        let why = "the server answered what was not asked";
        assert_eq!(rig.events(), [format!("1 {why}"), format!("2 {why}")]);
        assert_eq!(rig.open(1), 0, "the connection is gone");
        assert_eq!(rig.pool().standing(server), Standing::Resting);
    }
    let mut rig = Rig::new(PoolOptions::default());
    let server = rig.add(1);
    rig.send(server, "mn\r\n", Shape::MetaUntilNoop, 1).expect("accepted");
    rig.say(1, 0, b"MN\r\nMN\r\n");
    assert_eq!((rig.events(), rig.open(1)), (vec!["1:MN\r\n".to_owned()], 0), "nothing was asked");
}

#[test]
fn an_error_of_a_quiet_request_is_counted_or_breaks_the_connection() {
    let mut rig = Rig::new(PoolOptions::default());
    let server = rig.add(1);
    let quiet = "set k 0 0 1 noreply\r\nx\r\n";
    rig.send(server, quiet, Shape::Quiet, 1).expect("accepted");
    rig.say(1, 0, b"SERVER_ERROR out of memory storing object\r\n");
    assert_eq!(rig.pool().counters().quiet_errors, 1);
    rig.send(server, quiet, Shape::Quiet, 2).expect("accepted");
    rig.send(server, "get k\r\n", Shape::Values, 3).expect("accepted");
    rig.say(1, 0, b"END\r\n");
    assert_eq!(rig.events(), ["3:END\r\n"], "quiet requests have no events");
    rig.send(server, quiet, Shape::Quiet, 4).expect("accepted");
    rig.send(server, "get k\r\n", Shape::Values, 5).expect("accepted");
    rig.say(1, 0, b"SERVER_ERROR out of memory storing object\r\n");
    assert_eq!(rig.events(), ["5 the server answered what was not asked"]);
    assert_eq!(rig.pool().standing(server), Standing::Up, "nobody is to blame");
    assert_eq!(rig.pool().counters().quiet_unknown, 1);
}

#[test]
fn a_server_that_keeps_failing_is_ejected_and_rejoins_after_probes() {
    let mut rig = Rig::new(ejecting());
    let server = rig.add(1);
    rig.refuse(1, true);
    let mut heard = Vec::new();
    for tag in 0..3 {
        rig.send(server, "get k\r\n", Shape::Values, tag).expect("not ejected yet");
        heard.extend(rig.events());
        rig.pass(SECOND / 10);
    }
    let lost = "the connection is gone: refused";
    let expected = [format!("0 {lost}"), format!("1 {lost}"), format!("2 {lost}")];
    assert_eq!(heard[..3], expected);
    assert_eq!(heard[3..], ["ejected 0"]);
    assert_eq!(rig.send(server, "get k\r\n", Shape::Values, 9), Err(Refusal::Down));
    (0..600).for_each(|_| rig.pass(SECOND));
    assert!((15..35).contains(&rig.connects), "{} connects in ten minutes", rig.connects);
    assert_eq!(rig.events(), [""; 0], "probes are nobody's business");
    rig.refuse(1, false);
    let waited = (0..46).take_while(|_| {
        rig.pass(SECOND);
        rig.open(1) == 0
    });
    assert!(waited.count() < 46, "the longest pause is 45 seconds");
    assert_eq!(rig.sent(1, 0), "version\r\n");
    rig.say(1, 0, b"VERSION 1\r\n");
    assert_eq!(rig.pool().standing(server), Standing::Ejected, "once is not enough");
    rig.pass(SECOND);
    rig.say(1, 0, b"VERSION 1\r\n");
    assert_eq!(rig.events(), ["rejoined 0"]);
    rig.send(server, "get k\r\n", Shape::Values, 10).expect("it takes requests again");
    rig.say(1, 0, b"END\r\n");
    assert_eq!(rig.events(), ["10:END\r\n"]);
}

#[test]
fn a_server_that_falls_and_rises_is_let_in_less_and_less_often() {
    let mut rig = Rig::new(ejecting());
    let server = rig.add(1);
    let mut rejoined = 0;
    for _ in 0..3600 {
        // It answers probes, and never a request.
        let sent = if rig.open(1) > 0 { rig.sent(1, 0) } else { String::new() };
        if sent == "version\r\n" {
            rig.say(1, 0, b"VERSION 1\r\n");
        }
        let _down = rig.send(server, "get k\r\n", Shape::Values, 1);
        rig.pass(SECOND);
        rejoined += rig.events().iter().filter(|event| *event == "rejoined 0").count();
    }
    assert!((50..120).contains(&rejoined), "{rejoined} times in an hour");
}

#[test]
fn a_silent_servers_requests_fail_in_time_on_every_connection_but_count_once() {
    let mut options = ejecting();
    options.conns_per_server = 4;
    let mut rig = Rig::new(options);
    let server = rig.add(1);
    for tag in 0..4 {
        rig.send(server, "get k\r\n", Shape::Values, tag).expect("accepted");
    }
    rig.pass(SECOND);
    assert_eq!(rig.events().len(), 4);
    assert_eq!(rig.pool().standing(server), Standing::Up);
    assert_eq!(rig.pool().counters().connections_lost, 4);
}

#[test]
fn a_connection_lost_while_idle_is_no_failure_and_a_removed_server_is_forgotten() {
    let mut rig = Rig::new(PoolOptions::default());
    let server = rig.add(1);
    rig.send(server, "get k\r\n", Shape::Values, 1).expect("accepted");
    rig.say(1, 0, b"END\r\n");
    rig.cut(1, Gone::Reset);
    assert_eq!(rig.pool().counters().connections_lost, 0);
    rig.send(server, "get k\r\n", Shape::Values, 2).expect("accepted");
    rig.remove(server);
    assert_eq!(rig.open(1), 1, "what was asked is still answered");
    assert_eq!(rig.sent(1, 0), "get k\r\n");
    rig.say(1, 0, b"END\r\n");
    assert_eq!(rig.events(), ["1:END\r\n", "2:END\r\n"]);
    assert_eq!(rig.open(1), 0);
    assert_eq!(rig.add(2), server, "its place is free again");
}
