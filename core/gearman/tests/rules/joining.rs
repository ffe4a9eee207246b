//! Submits that find their job by its key.

use crate::desk::{Desk, JOB, back, key};
use storytime_gearman::engine::{Rules, Submit, When};

fn desk() -> Desk {
    Desk::new(Rules::default())
}

#[test]
fn the_same_key_is_the_same_job_and_all_are_told_its_end() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(2, key("u")).can_do(9, "f");
    assert_eq!((desk.line(1), desk.line(2)), ("created 1".into(), "created 1".into()));
    assert_eq!(desk.grab(9), "assign 1 f ");
    desk.submit(3, key("u")).complete(9, 1);
    assert_eq!((desk.line(1), desk.line(2)), ("1: complete ok".into(), "1: complete ok".into()));
    assert_eq!(desk.line(3), "created 1, 1: complete ok", "a running job is found as well");
    assert_eq!(desk.grab(9), "no job");
    assert_eq!(desk.submit(1, key("u")).line(1), "created 2", "one that ended is not found");
}

#[test]
fn a_client_that_submits_twice_is_told_twice() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(1, key("u")).can_do(9, "f").grab(9);
    desk.complete(9, 1);
    assert_eq!(desk.line(1), "created 1, created 1, 1: complete ok, 1: complete ok");
}

#[test]
fn functions_keep_their_keys_apart() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(1, Submit { function: b"g", ..key("u") });
    assert_eq!(desk.line(1), "created 1, created 2");
}

#[test]
fn without_a_key_each_job_is_its_own() {
    let mut desk = desk();
    desk.submit(1, JOB).submit(1, JOB);
    assert_eq!(desk.line(1), "created 1, created 2");
}

#[test]
fn the_key_may_be_the_data() {
    let mut desk = desk();
    let by_data = |data: &'static [u8]| Submit { data: data.into(), ..key("-") };
    desk.submit(1, by_data(b"x")).submit(1, by_data(b"x")).submit(1, by_data(b"y"));
    assert_eq!(desk.line(1), "created 1, created 1, created 2");
    desk.submit(1, key("x")).submit(1, by_data(b"")).submit(1, by_data(b""));
    assert_eq!(desk.line(1), "created 3, created 4, created 5", "a key is not data; none is none");
}

#[test]
fn a_job_whose_client_left_is_dropped_and_the_next_submit_is_a_new_job() {
    let mut desk = desk();
    desk.submit(1, key("u")).gone(1);
    assert_eq!(desk.engine.jobs(), 0);
    desk.submit(2, key("u")).can_do(9, "f");
    assert_eq!(desk.line(2), "created 2");
    assert_eq!(desk.grab(9), "assign 2 f ");
}

#[test]
fn a_background_job_stays_when_the_last_client_leaves_that_came_to_wait_for_it() {
    let mut desk = desk();
    desk.submit(1, back("u")).submit(2, key("u")).gone(2).can_do(9, "f");
    assert_eq!(desk.grab(9), "assign 1 f ");
}

#[test]
fn a_background_submit_makes_the_job_it_finds_a_background_job() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(2, back("u")).gone(1).can_do(9, "f");
    assert_eq!(desk.line(2), "created 1");
    assert_eq!(desk.grab(9), "assign 1 f ");
    desk.gone(9).can_do(8, "f");
    assert_eq!(desk.grab(8), "assign 1 f ", "also when its worker is lost");
}

#[test]
fn a_running_job_that_nobody_waits_for_is_found_and_wanted_again() {
    let mut desk = desk();
    desk.submit(1, key("u")).can_do(9, "f").grab(9);
    desk.gone(1).submit(2, key("u"));
    assert_eq!(desk.line(2), "created 1");
    desk.gone(9).can_do(8, "f");
    assert_eq!(desk.grab(8), "assign 1 f ");
    assert_eq!(desk.complete(8, 1).line(2), "1: complete ok");
}

#[test]
fn a_running_job_that_nobody_waits_for_is_dropped_with_its_worker() {
    let mut desk = desk();
    desk.submit(1, key("u")).can_do(9, "f").grab(9);
    desk.gone(1).gone(9);
    assert_eq!(desk.engine.jobs(), 0);
    assert_eq!(desk.engine.counters().abandoned, 1);
}

#[test]
fn a_job_for_later_that_is_found_runs_as_soon_as_it_is_asked_for() {
    let mut desk = desk();
    desk.at(1_000).submit(1, Submit { when: When::Epoch(5_000), ..back("u") }).can_do(9, "f");
    assert_eq!(desk.grab(9), "no job");
    desk.submit(2, Submit { when: When::Epoch(2_000), ..back("u") });
    assert_eq!(desk.engine.next_due(), Some(2_000));
    desk.submit(3, Submit { when: When::Epoch(9_000), ..back("u") });
    assert_eq!(desk.engine.next_due(), Some(2_000), "never later");
    desk.submit(4, key("u"));
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert_eq!(desk.engine.next_due(), None);
    assert_eq!(desk.complete(9, 1).line(4), "created 1, 1: complete ok");
}

#[test]
fn what_a_newcomer_brings_is_dropped() {
    let mut desk = desk();
    desk.submit(1, Submit { data: b"first".into(), ..back("u") });
    desk.submit(2, Submit { data: b"second".into(), ..back("u") }).can_do(9, "f");
    assert_eq!(desk.grab(9), "assign 1 f first");
    assert_eq!(desk.grab(9), "no job");
    assert_eq!(desk.engine.counters().joined, 1);
}
