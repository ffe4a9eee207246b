//! Peers that say nothing over HTTP.

use crate::http::{ask, rig, short, told, web};
use crate::rig::Rig;
use storytime_machine::Duration;

const POST: &str = "POST /f HTTP/1.1\r\nContent-Length: 10\r\n\r\n";

/// What is said by who waits for the rest of a request, at last.
fn late(rig: &mut Rig, begun: &str) -> String {
    let client = web(rig);
    assert_eq!(ask(rig, client, begun), "", "{begun:?}");
    rig.pass(Duration::from_secs(59));
    assert!(rig.lone.is_open(client), "{begun:?}: it has time");
    rig.pass(Duration::from_secs(2));
    assert!(!rig.lone.is_open(client), "{begun:?}");
    told(rig, client)
}

#[test]
fn a_request_that_does_not_come_to_its_end_is_not_waited_for() {
    let chunked = "POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let begun = ["GET", POST, &format!("{POST}abc"), chunked, &format!("{chunked}5\r\nabc")];
    let mut rig = rig("");
    for begun in begun {
        let answer = late(&mut rig, begun);
        let (status, text) = short(&answer);
        assert_eq!(status, "408 Request Timeout", "{begun:?}");
        assert_eq!(text, "the rest of the request did not come\n");
    }
    assert_eq!(late(&mut rig, ""), "", "who asked nothing is told nothing");
    assert_eq!((rig.counter("silent_peers"), rig.counter("jobs")), (6, 0));
}

#[test]
fn who_sends_slowly_is_waited_for() {
    let mut rig = rig("");
    let client = web(&mut rig);
    ask(&mut rig, client, &POST.replace("\r\n\r\n", "\r\nX-Gearman-Background: true\r\n\r\n"));
    for _ in 0..9 {
        rig.pass(Duration::from_secs(50));
        assert_eq!(ask(&mut rig, client, "x"), "");
    }
    assert_eq!(short(&ask(&mut rig, client, "x")).0, "202 Accepted");
}

#[test]
fn who_waits_for_a_job_may_be_silent_until_it_is_told() {
    let mut rig = rig("");
    let (client, worker) = (web(&mut rig), rig.open());
    ask(&mut rig, client, &format!("{POST}0123456789"));
    rig.say(worker, "CAN_DO f\nGRAB_JOB");
    rig.pass(Duration::from_secs(600));
    rig.say(worker, "WORK_COMPLETE H:1 done");
    assert_eq!(short(&told(&mut rig, client)), ("200 OK".into(), "done".into()));
    rig.pass(Duration::from_secs(59));
    assert!(rig.lone.is_open(client), "for another request");
    rig.pass(Duration::from_secs(2));
    assert!(!rig.lone.is_open(client) && rig.lone.is_open(worker), "workers may be silent");
}
