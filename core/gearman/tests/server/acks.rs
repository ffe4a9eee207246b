//! Handles that wait for the result of their job.

use crate::rig::Rig;
use storytime_machine::{Duration, Signal};
use storytime_sim::enumerate::Client;

/// A server with a worker, and a client that has had one job at a time so often that its next
/// handle waits.
fn patient() -> (Rig, Client, Client) {
    let mut rig = Rig::new("--ack-patience 500");
    let (client, worker) = (rig.open(), rig.open());
    rig.say(worker, "CAN_DO f");
    for nth in 1..=8 {
        assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), format!("JOB_CREATED H:{nth}"));
        assert_eq!(rig.say(worker, "GRAB_JOB"), format!("JOB_ASSIGN H:{nth} f x"));
        rig.say(worker, &format!("WORK_COMPLETE H:{nth} y"));
        assert_eq!(rig.take(client), format!("WORK_COMPLETE H:{nth} y"));
    }
    (rig, client, worker)
}

#[test]
fn a_client_of_one_job_at_a_time_gets_handle_and_result_together() {
    let (mut rig, client, worker) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    assert_eq!(rig.say(worker, "GRAB_JOB"), "JOB_ASSIGN H:9 f x");
    rig.say(worker, "WORK_COMPLETE H:9 y");
    assert_eq!(rig.take(client), "JOB_CREATED H:9, WORK_COMPLETE H:9 y");
}

#[test]
fn the_handle_of_a_slow_job_waits_no_longer_than_that() {
    let (mut rig, client, worker) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    rig.pass(Duration::from_micros(499));
    assert_eq!(rig.take(client), "");
    rig.pass(Duration::from_micros(1));
    assert_eq!(rig.take(client), "JOB_CREATED H:9");
    rig.say(worker, "GRAB_JOB\nWORK_COMPLETE H:9 y");
    assert_eq!(rig.take(client), "WORK_COMPLETE H:9 y");
    // The next one is expected to be slow, too.
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "JOB_CREATED H:10");
}

#[test]
fn whatever_else_is_said_goes_behind_the_handle() {
    let (mut rig, client, worker) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x\nECHO_REQ z"), "JOB_CREATED H:9, ECHO_RES z");
    rig.say(worker, "GRAB_JOB\nWORK_COMPLETE H:9 y");
    assert_eq!(rig.take(client), "WORK_COMPLETE H:9 y");
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    let reply = rig.send(client, b"maxqueue\r\n");
    assert!(reply.starts_with("JOB_CREATED H:10, ERR INVALID_ARGUMENTS"), "{reply}");
}

#[test]
fn a_second_job_and_one_in_the_background_take_the_handle_along() {
    let (mut rig, client, _) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "JOB_CREATED H:9, JOB_CREATED H:10");
    let (mut rig, client, _) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    assert_eq!(rig.say(client, "SUBMIT_JOB_BG f _ x"), "JOB_CREATED H:9, JOB_CREATED H:10");
}

#[test]
fn who_waits_for_handles_gets_each_at_once() {
    let (mut rig, client, worker) = patient();
    // A set of tasks, one submitted behind the other's handle, done more quickly than that.
    let mut kept_waiting = 0;
    for nth in 9..109 {
        if rig.say(client, "SUBMIT_JOB f _ x").is_empty() {
            kept_waiting += 1;
            rig.say(worker, &format!("GRAB_JOB\nWORK_COMPLETE H:{nth} y"));
            rig.take(client);
        }
    }
    assert_eq!(kept_waiting, 15, "until it is looked what it does");
}

#[test]
fn now_and_then_a_handle_goes_at_once() {
    let (mut rig, client, worker) = patient();
    let mut at_once = Vec::new();
    for nth in 9..=60 {
        if !rig.say(client, "SUBMIT_JOB f _ x").is_empty() {
            at_once.push(nth);
        }
        rig.say(worker, &format!("GRAB_JOB\nWORK_COMPLETE H:{nth} y"));
        rig.take(client);
    }
    assert_eq!(at_once, [24, 40, 56]);
}

#[test]
fn a_handle_that_waits_goes_before_its_connection_ends() {
    let (mut rig, client, _) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    assert_eq!(rig.send(client, b"\0BAD"), "JOB_CREATED H:9");

    let (mut rig, client, _) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    rig.lone.call(storytime_machine::Machine::stop);
    assert_eq!(rig.take(client), "JOB_CREATED H:9");
}

#[test]
fn the_last_job_of_who_left_is_not_told_to_who_came_instead() {
    let (mut rig, client, _) = patient();
    assert_eq!(rig.say(client, "SUBMIT_JOB f _ x"), "");
    rig.lone.reset(client);
    let other = rig.open();
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.take(other), "");
    rig.signal(Signal::User1);
    assert_eq!(rig.say(other, "SUBMIT_JOB f _ x"), "JOB_CREATED H:10");
}
