//! Clients and workers, as the protocol has them talk.

use crate::rig::Rig;
use storytime_machine::Duration;

#[test]
fn a_job_goes_to_a_worker_and_its_result_to_the_client() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    assert_eq!(rig.say(worker, "CAN_DO rot13\nGRAB_JOB\nPRE_SLEEP"), "NO_JOB");
    assert_eq!(rig.say(client, "SUBMIT_JOB rot13 _ uryyb"), "JOB_CREATED H:1");
    assert_eq!(rig.take(worker), "NOOP");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:1 rot13 uryyb");
    assert_eq!(rig.say(worker, "WORK_STATUS H:1 1 2\nWORK_DATA H:1 he"), "");
    assert_eq!(rig.take(client), "WORK_STATUS H:1 1 2, WORK_DATA H:1 he");
    assert_eq!(rig.say(client, "GET_STATUS H:1"), "STATUS_RES H:1 1 1 1 2");
    assert_eq!(rig.say(worker, "WORK_WARNING H:1 slow\nWORK_COMPLETE H:1 hello"), "");
    assert_eq!(rig.take(client), "WORK_WARNING H:1 slow, WORK_COMPLETE H:1 hello");
    assert_eq!(rig.say(client, "GET_STATUS H:1"), "STATUS_RES H:1 0 0 0 0");
}

#[test]
fn a_background_job_tells_nobody_its_end() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    for kind in ["SUBMIT_JOB_LOW_BG", "SUBMIT_JOB_BG", "SUBMIT_JOB_HIGH_BG"] {
        rig.say(client, &format!("{kind} f _ {kind}"));
    }
    let grabbed = rig.say(worker, "CAN_DO f\nGRAB_JOB\nGRAB_JOB\nGRAB_JOB");
    assert_eq!(
        grabbed,
        "JOB_ASSIGN H:3 f SUBMIT_JOB_HIGH_BG, JOB_ASSIGN H:2 f SUBMIT_JOB_BG, \
         JOB_ASSIGN H:1 f SUBMIT_JOB_LOW_BG"
    );
    assert_eq!(rig.say(worker, "WORK_COMPLETE H:1 _\nWORK_FAIL H:2\nWORK_EXCEPTION H:3 x"), "");
    assert_eq!(rig.say(client, "ECHO_REQ still here"), "ECHO_RES still here");
}

#[test]
fn a_worker_is_told_as_much_of_a_job_as_it_asks_for() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB_BG f a 1\nSUBMIT_JOB_BG f b 2\nSUBMIT_JOB_BG f c 3");
    rig.say(client, "SUBMIT_REDUCE_JOB_BACKGROUND f d sum unused 4");
    assert_eq!(
        rig.say(worker, "CAN_DO f\nGRAB_JOB\nGRAB_JOB_UNIQ\nGRAB_JOB_ALL\nGRAB_JOB_ALL"),
        "JOB_ASSIGN H:1 f 1, JOB_ASSIGN_UNIQ H:2 f b 2, JOB_ASSIGN_UNIQ H:3 f c 3, \
         JOB_ASSIGN_ALL H:4 f d sum 4"
    );
}

#[test]
fn submits_of_one_key_meet_and_every_client_is_told() {
    let mut rig = Rig::new("");
    let (one, two, worker) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.say(one, "SUBMIT_JOB f key x"), "JOB_CREATED H:1");
    assert_eq!(rig.say(two, "SUBMIT_JOB f key y"), "JOB_CREATED H:1");
    assert_eq!(rig.say(two, "GET_STATUS_UNIQUE key"), "STATUS_RES_UNIQUE key 1 0 0 0 2");
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:1 f x");
    rig.say(worker, "WORK_COMPLETE H:1 done");
    assert_eq!(rig.take(one), "WORK_COMPLETE H:1 done");
    assert_eq!(rig.take(two), "WORK_COMPLETE H:1 done");
    assert_eq!(rig.say(two, "GET_STATUS_UNIQUE key"), "STATUS_RES_UNIQUE key 0 0 0 0 0");
}

#[test]
fn exceptions_go_to_those_who_asked_for_them() {
    let mut rig = Rig::new("");
    let (one, two, worker) = (rig.open(), rig.open(), rig.open());
    assert_eq!(rig.say(one, "OPTION_REQ Exceptions"), "OPTION_RES Exceptions");
    rig.say(one, "SUBMIT_JOB f key _");
    rig.say(two, "SUBMIT_JOB f key _");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_EXCEPTION H:1 oops\nWORK_FAIL H:1");
    assert_eq!(rig.take(one), "WORK_EXCEPTION H:1 oops");
    assert_eq!(rig.take(two), "WORK_FAIL H:1");
    assert_eq!(rig.take(worker), "", "a failure behind an exception is nobody's mistake");
    let mut rig = Rig::new("--exceptions");
    let (client, worker) = (rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ _");
    rig.say(worker, "CAN_DO f\nGRAB_JOB\nWORK_EXCEPTION H:1 oops");
    assert_eq!(rig.take(client), "WORK_EXCEPTION H:1 oops");
}

#[test]
fn a_job_whose_worker_goes_is_for_the_next_one_and_late_results_are_passed_over() {
    let mut rig = Rig::new("");
    let (client, lost, worker) = (rig.open(), rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ x");
    assert_eq!(rig.say(lost, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:1 f x");
    rig.lone.reset(lost);
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB"), "JOB_ASSIGN H:1 f x");
    assert_eq!(rig.say(worker, "WORK_COMPLETE H:1 1\nWORK_COMPLETE H:1 2"), "");
    assert_eq!(rig.take(client), "WORK_COMPLETE H:1 1");
}

#[test]
fn a_worker_that_takes_too_long_loses_its_job() {
    let mut rig = Rig::new("");
    let (client, slow, worker) = (rig.open(), rig.open(), rig.open());
    rig.say(client, "SUBMIT_JOB f _ x");
    assert_eq!(rig.say(slow, "CAN_DO_TIMEOUT f 2000\nGRAB_JOB"), "JOB_ASSIGN H:1 f x");
    assert_eq!(rig.say(worker, "CAN_DO f\nPRE_SLEEP"), "");
    rig.pass(Duration::from_secs(3));
    assert_eq!(rig.take(worker), "NOOP");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:1 f x");
    assert_eq!(rig.say(slow, "WORK_COMPLETE H:1 late"), "", "workers in Perl die of errors");
    assert_eq!(rig.take(client), "");
}

#[test]
fn a_worker_that_has_finished_a_job_is_answered_by_the_next_one_if_that_comes_soon() {
    let mut rig = Rig::new("--grab-patience 200");
    let (client, worker) = (rig.open(), rig.open());
    let finish = |job: u32| format!("WORK_COMPLETE H:{job} done\nGRAB_JOB_UNIQ");
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB"), "NO_JOB", "it has not finished any");
    rig.say(client, "SUBMIT_JOB f _ 1");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:1 f 1");
    assert_eq!(rig.say(worker, &finish(1)), "");
    rig.pass(Duration::from_micros(199));
    rig.say(client, "SUBMIT_JOB f _ 2");
    assert_eq!(rig.take(worker), "JOB_ASSIGN_UNIQ H:2 f _ 2");
    assert_eq!(rig.say(worker, &finish(2)), "");
    rig.pass(Duration::from_micros(200));
    assert_eq!(rig.take(worker), "NO_JOB");
    assert_eq!(rig.say(worker, "PRE_SLEEP"), "");
    rig.say(client, "SUBMIT_JOB f _ 3");
    assert_eq!(rig.take(worker), "NOOP");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:3 f 3");
    assert_eq!(rig.say(worker, &finish(3)), "");
    assert_eq!(rig.say(worker, "ECHO_REQ hello"), "NO_JOB, ECHO_RES hello");
}

#[test]
fn a_job_for_later_wakes_a_sleeping_worker_when_its_time_comes() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    let at = rig.wall() + 90;
    assert_eq!(rig.say(client, &format!("SUBMIT_JOB_EPOCH f _ {at} x")), "JOB_CREATED H:1");
    assert_eq!(rig.say(worker, "CAN_DO f\nGRAB_JOB\nPRE_SLEEP"), "NO_JOB");
    rig.pass(Duration::from_secs(60));
    assert_eq!(rig.take(worker), "", "not before its time");
    rig.pass(Duration::from_secs(40));
    assert!(rig.wall() >= at);
    assert_eq!(rig.take(worker), "NOOP");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:1 f x");
}

#[test]
fn a_calendar_makes_a_job_each_time_it_comes_round() {
    let mut rig = Rig::new("");
    let (client, worker) = (rig.open(), rig.open());
    assert_eq!(rig.say(client, "SUBMIT_JOB_SCHED f _ * * * * * x"), "JOB_CREATED H:1");
    rig.say(worker, "CAN_DO f\nPRE_SLEEP");
    for number in [2, 3] {
        rig.pass(Duration::from_secs(61));
        assert_eq!(rig.take(worker), "NOOP");
        let done = format!("GRAB_JOB\nWORK_COMPLETE H:{number} _\nPRE_SLEEP");
        assert_eq!(rig.say(worker, &done), format!("JOB_ASSIGN H:{number} f x"));
    }
}

#[test]
fn packets_and_lines_mix_on_one_connection() {
    let mut rig = Rig::new("");
    let client = rig.open();
    let mixed = [&crate::rig::packets("ECHO_REQ a")[..], b"version\n"].concat();
    let mixed = [&mixed[..], &crate::rig::packets("ECHO_REQ b")].concat();
    assert_eq!(rig.send(client, &mixed), "ECHO_RES a, OK 1.1.20\\n, ECHO_RES b");
}
