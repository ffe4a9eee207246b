//! What the two say to peers and operators.

use crate::rig::{HTTP_PORT, Rig, SECOND, SERVERS, Setting};
use storytime_gearman::config::Alone;

#[test]
fn one_serves_and_the_other_one_says_that_it_does_not() {
    let mut rig = Rig::new(&Setting::new(1));
    rig.whole().expect("a pair");
    assert_eq!(rig.active(), Some(0), "the preferred one");
    assert_eq!(rig.say(0, "relay\r\n"), "role\tserves\nother\tequal\nepoch\t1\n.\n");
    assert_eq!(rig.say(1, "relay\r\n"), "role\tstands by\nother\t-\nepoch\t1\n.\n");
    assert_eq!(rig.say(1, "status\r\n"), "ERR NOT_SERVING this+job+server+stands+by\r\n");
    assert_eq!(rig.say(1, "maxqueue work 1\r\n"), "ERR NOT_SERVING this+job+server+stands+by\r\n");
    assert_eq!(rig.say(1, "version\r\n"), "OK 1.1.20\n");
    let submit = "\0REQ\0\0\0\x12\0\0\0\x07work\0\0x";
    let told = "NOT_SERVING\0this job server stands by, ask the other one of its relay";
    assert!(rig.say(1, submit).ends_with(told));
    assert!(rig.say(1, "\0REQ\0\0\0\x09\0\0\0\0").ends_with(told), "GRAB_JOB");
    assert!(rig.counter(1, "turned_away") >= 2);
    assert!(rig.say(0, "status\r\n").starts_with("work\t"));
    rig.settle().expect("all is well");
}

#[test]
fn the_one_that_serves_hands_over_and_comes_back_to_stand_by() {
    let mut rig = Rig::new(&Setting::new(2));
    rig.whole().expect("a pair");
    assert_eq!(rig.say(1, "relay handover\r\n"), "ERR NOT_SERVING ask+the+one+that+serves\r\n");
    rig.run(SECOND).expect("all is well");
    assert_eq!(rig.say(0, "relay handover\r\n"), "OK\r\n");
    rig.run_until(SECOND * 10, "the other one serves", |rig| rig.serves(1)).expect("it does");
    rig.whole().expect("a pair again");
    assert_eq!(rig.active(), Some(1));
    assert_eq!(rig.say(0, "relay\r\n"), "role\tstands by\nother\t-\nepoch\t2\n.\n");
    rig.settle().expect("nothing is lost");
}

#[test]
fn connections_that_were_there_before_it_takes_over_are_no_hindrance() {
    let mut rig = Rig::new(&Setting::new(4));
    rig.whole().expect("a pair");
    let post = "POST /work HTTP/1.1\r\nHost: job2\r\nContent-Length: 1\r\n\r\nx";
    assert!(rig.say_at(1, HTTP_PORT, post).starts_with("HTTP/1.1 503 "));
    assert!(rig.say_at(1, HTTP_PORT, "GET /metrics HTTP/1.1\r\n\r\n").contains("turned_away"));
    rig.world.power_cut(SERVERS[0]);
    rig.run_until(SECOND * 15, "the other one serves", |rig| rig.serves(1)).expect("it does");
    rig.settle().expect("nothing is lost");
}

#[test]
fn with_the_other_one_away_jobs_are_accepted_or_refused_as_the_flag_says() {
    for alone in [Alone::Accept, Alone::Refuse] {
        let mut rig = Rig::new(&Setting { alone, ..Setting::new(3) });
        rig.whole().expect("a pair");
        rig.run(SECOND).expect("all is well");
        let other = SERVERS[1];
        rig.world.power_cut(other);
        rig.run(SECOND * 8).expect("all is well");
        let (accepted, refused) = {
            let seen = rig.book();
            (seen.accepted.len(), seen.refused)
        };
        assert!(rig.say(0, "relay handover\r\n").starts_with("ERR NOT_EQUAL"));
        rig.run(SECOND * 2).expect("all is well");
        let (accepted_alone, refused_alone) = {
            let seen = rig.book();
            (seen.accepted.len() - accepted, seen.refused - refused)
        };
        match alone {
            Alone::Accept => assert!(accepted_alone > 100 && refused_alone == 0),
            Alone::Refuse => assert!(accepted_alone == 0 && refused_alone > 100),
        }
        rig.world.power_on(other);
        rig.whole().expect("a pair again");
        rig.settle().expect("nothing is lost");
    }
}
