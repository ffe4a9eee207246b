//! The client alone: how requests end.

use crate::asker::{Ask, What, job};
use crate::{Bench, text};
use core::time::Duration;
use storytime_gearman::client::{ClientOptions, Event, Job, Unique, Why};
use storytime_gearman::packet::Kind;

fn background(at_ms: u64, function: &'static str, data: &'static str) -> Ask {
    (at_ms, What::Submit(Job::new(function, data).background()))
}

#[test]
fn a_job_is_created_told_of_and_done() {
    let script = vec![job(0, "parts", ""), job(0, "fail", ""), background(0, "queued", "")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    let told =
        ["created", "data one ", "warning careful", "status 1/2", "data two ", "complete three"];
    assert_eq!(bench.asker().story(0), told);
    assert_eq!(bench.asker().story(1), ["created", "failed"]);
    assert_eq!(bench.asker().story(2), ["accepted"]);
    assert_eq!(bench.toy(0).waiting(), 1);
    assert_eq!(bench.client().pending(), 0);
}

#[test]
fn exceptions_are_failures_unless_they_are_asked_for() {
    for (exceptions, end) in [(false, "failed"), (true, "exception words")] {
        let options = ClientOptions { exceptions, ..ClientOptions::default() };
        let script = vec![job(0, "exception", "words"), job(10, "echo", "after")];
        let mut bench = Bench::new(1).ask(options, script);
        bench.run(1);
        assert_eq!(bench.asker().endings(0..2), [end, "complete after"]);
        let strays = u64::from(exceptions);
        assert_eq!(bench.client().counters().strays, strays, "the failure behind it");
    }
}

#[test]
fn a_refusal_is_the_end_of_the_job_that_was_refused() {
    let script = vec![job(0, "echo", "a"), job(0, "refuse", ""), job(0, "echo", "b")];
    let options = ClientOptions { exceptions: true, ..ClientOptions::default() };
    let mut bench = Bench::new(1).ask(options, script);
    bench.run(1);
    let ends = ["complete a", "refused QUEUE_ERROR", "complete b"];
    assert_eq!(bench.asker().endings(0..3), ends);
}

#[test]
fn jobs_are_pipelined_over_one_connection_in_their_order() {
    let script = (0..1000).map(|_| job(10, "echo", "x")).collect();
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    assert_eq!(bench.asker().endings(0..1000), vec!["complete x"; 1000]);
    assert_eq!(bench.toy(0).seen.accepted, 1);
    let times: Vec<_> = (0..1000).map(|tag| bench.asker().ended_at(tag)).collect();
    assert!(times.is_sorted(), "one connection keeps the order");
}

#[test]
fn questions_are_answered() {
    let keyed = Job::new("queued", "").unique(Unique::Key(text("k"))).background();
    let script = vec![
        (0, What::Submit(keyed)),
        (10, What::StatusOf(0)),
        (10, What::StatusUnique("k")),
        (10, What::Echo(0, "same")),
    ];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    let answers = ["status true false 3/4 None", "status true false 0/0 Some(2)", "echoed same"];
    assert_eq!(bench.asker().endings(1..4), answers);
}

#[test]
fn a_server_that_is_silent_for_all_of_the_time_loses_its_connection() {
    let script = vec![job(0, "silent", ""), job(1000, "silent", ""), job(9000, "echo", "b")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(20);
    assert_eq!(bench.asker().endings(0..3), ["lost Time", "lost Time", "complete b"]);
    assert_eq!(bench.toy(0).seen.accepted, 2);
}

#[test]
fn a_late_answer_harms_no_other() {
    // Echoes keep the connection from being silent.
    let mut script =
        vec![job(0, "late", "7000"), background(1, "queued", ""), job(8000, "echo", "b")];
    script.extend((0..7).map(|second| (second * 1000, What::Echo(0, "there"))));
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(20);
    assert_eq!(bench.asker().endings(0..3), ["lost Time", "lost Time", "complete b"]);
    assert_eq!(bench.client().counters().late, 2);
    assert_eq!(bench.toy(0).seen.accepted, 1);
}

#[test]
fn what_a_connection_carried_is_lost_with_it_and_no_more() {
    for bad in ["hangup", "bye"] {
        let script = vec![
            job(0, "slow", "5000"),
            job(100, bad, ""),
            job(100, "echo", "behind"),
            job(101, "echo", "rests"),
            job(900, "echo", "again"),
        ];
        let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
        bench.run(5);
        let lost = "lost Connection";
        let running = "lost Connection running";
        let ends = [running, lost, lost, "not sent", "complete again"];
        assert_eq!(bench.asker().endings(0..5), ends, "{bad}");
    }
}

#[test]
fn nonsense_breaks_the_connection() {
    for bad in ["garble", "unasked"] {
        let script = vec![job(0, "slow", "5000"), job(100, bad, ""), job(900, "echo", "again")];
        let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
        bench.run(5);
        let ends = bench.asker().endings(0..3);
        assert_eq!(ends[0], "lost Garbled running", "{bad}");
        assert!(ends[1].starts_with("lost Garbled"), "{bad}");
        assert_eq!(ends[2], "complete again", "{bad}");
    }
}

#[test]
fn a_server_without_power_is_noticed_though_it_says_nothing() {
    let script = vec![job(0, "slow", "60000"), job(30_000, "echo", "b")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    let host = bench.host_of(0);
    bench.world.power_cut(host);
    bench.run(20);
    assert_eq!(bench.asker().endings(0..1), ["lost Time running"]);
    let at = bench.asker().ended_at(0).expect("it ended");
    assert_eq!(at.as_secs(), 15, "ten seconds of silence, and five for the echo");
    bench.world.power_on(host);
    bench.run(40);
    assert_eq!(bench.asker().endings(1..2), ["complete b"]);
}

#[test]
fn a_server_that_works_long_is_asked_whether_it_is_there_and_that_is_all() {
    let script = vec![job(0, "slow", "95000")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1000);
    assert_eq!(bench.asker().endings(0..1), ["complete slow"]);
    assert_eq!(bench.client().counters().probes, 9);
    assert_eq!(bench.toy(0).seen.kinds[&Kind::EchoReq], 9, "none when nothing is awaited");
}

#[test]
fn a_job_whose_time_is_over_is_lost_and_its_result_dropped() {
    let timed = Job { timeout: Some(Duration::from_secs(1)), ..Job::new("slow", "3000") };
    let fast = Job { timeout: Some(Duration::from_secs(1)), ..Job::new("echo", "fast") };
    let script = vec![(0, What::Submit(timed)), (0, What::Submit(fast)), job(0, "slow", "4000")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(6);
    assert_eq!(
        bench.asker().endings(0..3),
        ["lost Time running", "complete fast", "complete slow"]
    );
    assert_eq!(bench.asker().ended_at(0).expect("it ended").as_millis(), 1000);
}

#[test]
fn two_jobs_that_are_one_each_get_their_own_copy_of_everything() {
    let same = || Job::new("parts", "2").unique(Unique::Key(text("k")));
    let impatient = Job { timeout: Some(Duration::from_millis(1)), ..same() };
    let script =
        vec![(0, What::Submit(same())), (0, What::Submit(impatient)), (0, What::Submit(same()))];
    // The toy does "parts" by itself; a worker does it where the toy does not know the name.
    let script = script.into_iter().map(|(at, what)| match what {
        What::Submit(job) => (at, What::Submit(Job { function: text("stream"), ..job })),
        other => (at, other),
    });
    let options = crate::worker::can(&["stream"]);
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script.collect()).work(options);
    bench.run(2);
    let told = ["created", "data s", "data s", "complete 2"];
    assert_eq!(bench.asker().story(0), told);
    assert_eq!(bench.asker().story(2), told);
    assert_eq!(bench.asker().story(1)[1], "lost Time running");
}

#[test]
fn results_longer_than_a_connections_buffer_come_whole() {
    let script = vec![job(0, "big", "5000000"), job(0, "big", "65536"), job(0, "echo", "behind")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(5);
    for (tag, expected) in [(0, 5_000_000), (1, 65_536)] {
        match bench.asker().end(tag) {
            Some(Event::Complete { data, .. }) => assert_eq!(data.len(), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.asker().endings(2..3), ["complete behind"]);
    let options = ClientOptions { packet_bytes_max: 1 << 20, ..ClientOptions::default() };
    let mut bench = Bench::new(1).ask(options, vec![job(0, "big", "2000000")]);
    bench.run(5);
    assert_eq!(bench.asker().endings(0..1), ["lost Garbled running"]);
}

#[test]
fn requests_beyond_the_limit_are_not_taken() {
    let script = (0..30).map(|_| job(0, "silent", "")).collect();
    let options = ClientOptions { requests_max: 20, ..ClientOptions::default() };
    let mut bench = Bench::new(1).ask(options, script);
    bench.run(20);
    assert_eq!((bench.asker().refused.len(), bench.asker().ends()), (10, 20));
    assert_eq!(bench.asker().endings(0..20), vec!["lost Time"; 20]);
}

#[test]
fn jobs_that_no_packet_can_say_are_not_taken() {
    let reduce = Job { reducer: Some(text("r")), ..Job::new("f", "") };
    let high = storytime_gearman::client::Priority::High;
    let bad = [
        Job::new("a\0b", ""),
        Job::new("f", "").unique(Unique::Key(text("k\0"))),
        reduce.clone().priority(high),
        Job { when: storytime_gearman::client::When::Epoch(1), ..Job::new("f", "") },
    ];
    let script = bad.into_iter().map(|job| (0, What::Submit(job))).collect();
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    assert_eq!(bench.asker().refused.len(), 4);
    assert_eq!(bench.toy(0).seen.accepted, 0);
}

#[test]
fn closing_ends_everything_and_a_later_job_connects_anew() {
    let script = vec![
        job(0, "slow", "5000"),
        job(0, "silent", ""),
        (100, What::Close),
        job(200, "echo", "b"),
        (300, What::Close),
    ];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    let ends = bench.asker().endings(0..4);
    // The silent one took the slow one's handle: it is not known which is which.
    assert!(ends[0].starts_with("lost Connection"), "{ends:?}");
    assert!(ends[1].starts_with("lost Connection"), "{ends:?}");
    assert_eq!(ends[3], "complete b");
    assert!(bench.client().is_closed());
    assert_eq!(bench.toy(0).seen.accepted, 2);
}

#[test]
fn closing_while_a_connection_is_made_closes_that_too() {
    let script = vec![job(0, "echo", "a"), (0, What::Close)];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(3);
    assert_eq!(bench.asker().endings(0..1), ["not sent"]);
    assert!(bench.client().is_closed());
}

#[test]
fn a_server_that_does_not_read_stops_what_is_sent_to_it_and_no_memory_is_lost() {
    let data = bytes::Bytes::from(vec![b'd'; 1_000_000]);
    let job = |at| (at, What::Submit(Job::new("queued", data.clone()).background()));
    let script: Vec<Ask> = (0..50).map(|n| job(100 + n)).collect();
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run_ms(90);
    let server = bench.servers[0];
    bench.world.freeze(server);
    bench.run(20);
    let ends = bench.asker().endings(0..50);
    assert!(ends.iter().all(|end| end == "not sent" || end == "lost Time"), "{ends:?}");
    let sent = ends.iter().filter(|end| *end == "lost Time").count();
    assert!((1..20).contains(&sent), "{sent} were sent into nothing");
    assert_eq!(bench.client().pending(), 0);
}

#[test]
fn why_a_job_was_lost_is_told() {
    let script = vec![job(0, "hangup", "")];
    let mut bench = Bench::new(1).ask(ClientOptions::default(), script);
    bench.run(1);
    let lost = Event::Lost { tag: 0, handle: None, why: Why::Connection };
    assert_eq!(bench.asker().of(0), [lost]);
}
