//! Jobs that an operator cancels.

use crate::desk::{BACK, Desk, JOB, back, key};
use storytime_gearman::engine::Rules;

fn desk() -> Desk {
    Desk::new(Rules::default())
}

#[test]
fn a_queued_job_is_cancelled_and_its_listeners_are_told() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f");
    assert!(desk.cancel(1));
    assert_eq!((desk.line(1), desk.grab(9)), ("created 1, 1: fail".into(), "no job".into()));
    assert!(!desk.cancel(1));
}

#[test]
fn a_running_job_is_cancelled_and_ends_once() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f").grab(9);
    assert!(desk.cancel(1));
    desk.complete(9, 1);
    assert_eq!((desk.line(1), desk.line(9)), ("created 1, 1: fail".into(), String::new()));
    assert_eq!(desk.grab(9), "no job");
}

#[test]
fn the_key_of_a_cancelled_job_is_free() {
    let mut desk = desk();
    desk.submit(1, back("u"));
    desk.cancel(1);
    desk.submit(2, key("u")).can_do(9, "f");
    assert_eq!(desk.line(2), "created 2");
    assert_eq!(desk.grab(9), "assign 2 f ");
}

#[test]
fn a_cancelled_job_that_lost_a_worker_is_out_of_the_queue() {
    let mut desk = desk();
    desk.submit(1, BACK).submit(1, BACK).can_do(9, "f").grab(9);
    desk.gone(9);
    assert!(desk.cancel(1));
    desk.can_do(8, "f");
    assert_eq!((desk.grab(8), desk.grab(8)), ("assign 2 f ".into(), "no job".into()));
}
