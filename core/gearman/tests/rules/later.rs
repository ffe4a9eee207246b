//! Jobs for later, and jobs that come again.

use crate::desk::{Desk, back};
use storytime_gearman::engine::{FIELDS, Number, Rules, Submit, When};

fn at(second: u64) -> Submit<'static> {
    Submit { when: When::Epoch(second), ..back("") }
}

const HOURLY: [&[u8]; FIELDS] = [b"0", b"*", b"*", b"*", b"*"];

fn hourly(unique: &str) -> Submit<'_> {
    Submit { when: When::Calendar(HOURLY), ..back(unique) }
}

const HOUR: u64 = 3_600;

#[test]
fn a_job_for_later_wakes_a_sleeper_at_its_time() {
    let mut desk = Desk::new(Rules::default());
    desk.at(100).can_do(9, "f").sleep(9).submit(1, at(200)).submit(1, at(150));
    assert_eq!((desk.line(9), desk.engine.next_due()), (String::new(), Some(150)));
    desk.at(149);
    assert_eq!(desk.line(9), "");
    desk.at(150);
    assert_eq!((desk.line(9), desk.grab(9)), ("noop".into(), "assign 2 f ".into()));
    assert_eq!(desk.grab(9), "no job");
    assert_eq!(desk.at(200).grab(9), "assign 1 f ");
}

#[test]
fn a_time_that_has_gone_by_is_now() {
    let mut desk = Desk::new(Rules::default());
    desk.at(100).submit(1, at(100)).submit(1, at(3)).can_do(9, "f");
    assert_eq!((desk.grab(9), desk.grab(9)), ("assign 1 f ".into(), "assign 2 f ".into()));
}

#[test]
fn a_job_for_later_is_a_background_job_and_can_be_cancelled() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, Submit { background: false, ..at(100) }).gone(1);
    assert_eq!(desk.engine.jobs(), 1);
    assert!(desk.cancel(1));
    assert_eq!((desk.engine.jobs(), desk.engine.next_due()), (0, None));
}

#[test]
fn many_jobs_for_later_on_one_worker_do_not_stop_the_server() {
    let mut desk = Desk::new(Rules::default());
    desk.can_do(9, "f").can_do(9, "g").submit(1, at(100));
    desk.submit(1, Submit { function: b"g", ..at(100) });
    assert_eq!(desk.grab(9), "no job");
}

#[test]
fn a_calendar_makes_a_job_at_each_of_its_times() {
    let mut desk = Desk::new(Rules::default());
    desk.at(10).can_do(9, "f").submit(1, hourly("u"));
    assert_eq!((desk.line(1), desk.grab(9)), ("created 1".into(), "no job".into()));
    assert_eq!(desk.engine.next_due(), Some(HOUR));
    desk.at(HOUR);
    assert_eq!(desk.grab(9), "assign 2 f ");
    desk.complete(9, 2).at(2 * HOUR - 1);
    assert_eq!(desk.grab(9), "no job");
    assert_eq!(desk.at(2 * HOUR).grab(9), "assign 3 f ");
    assert_eq!(desk.engine.counters().fired, 2);
}

#[test]
fn no_second_job_is_made_while_the_last_one_is_there() {
    for unique in ["", "u"] {
        let mut desk = Desk::new(Rules::default());
        desk.submit(1, hourly(unique)).can_do(9, "f").at(HOUR).at(2 * HOUR);
        assert_eq!(desk.grab(9), "assign 2 f ");
        assert_eq!(desk.at(3 * HOUR).grab(9), "no job");
        assert_eq!(desk.complete(9, 2).at(4 * HOUR).grab(9), "assign 3 f ");
        let counters = desk.engine.counters();
        assert_eq!((counters.fired, counters.skipped), (2, 2), "with key {unique:?}");
    }
}

#[test]
fn times_that_went_by_are_made_up_for_once() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, hourly("")).can_do(9, "f").at(5 * HOUR + 7);
    assert_eq!((desk.grab(9), desk.grab(9)), ("assign 2 f ".into(), "no job".into()));
    assert_eq!(desk.engine.next_due(), Some(6 * HOUR));
}

#[test]
fn a_clock_that_steps_back_does_not_make_a_time_come_twice() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, hourly("")).can_do(9, "f").at(HOUR).grab(9);
    desk.complete(9, 2).at(HOUR - 100).at(HOUR + 100);
    assert_eq!(desk.grab(9), "no job");
}

#[test]
fn a_time_whose_job_is_refused_is_tried_again() {
    let mut desk = Desk::new(Rules::default());
    desk.engine.max_queue(b"f", [1; 3]).expect("there is room for a function");
    desk.submit(1, back("x")).submit(1, hourly("u")).can_do(9, "f").at(HOUR);
    assert_eq!(desk.grab(9), "assign 1 f ");
    desk.complete(9, 1).at(HOUR + 1);
    assert_eq!(desk.grab(9), "assign 3 f ");
}

#[test]
fn the_same_calendar_is_the_same_handle() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, hourly("u")).submit(2, hourly("u")).submit(2, hourly("")).submit(2, hourly(""));
    assert_eq!(
        (desk.line(1), desk.line(2)),
        ("created 1".into(), "created 1, created 2, created 3".into())
    );
    assert_eq!(desk.engine.calendars(), 3);
}

#[test]
fn a_calendar_is_known_cancelled_and_keeps_its_function() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, hourly("u"));
    assert!(desk.engine.get_status(Number(1)).known);
    assert!(desk.engine.drop_function(b"f").is_err());
    assert!(desk.cancel(1) && !desk.cancel(1));
    assert_eq!(desk.at(9 * HOUR).engine.jobs(), 0);
    assert!(desk.engine.drop_function(b"f").is_ok());
}

#[test]
fn words_that_are_no_calendar_are_refused() {
    let mut desk = Desk::new(Rules { calendars_max: 1, ..Rules::default() });
    let never = Submit { when: When::Calendar([b"0", b"0", b"30", b"feb", b"*"]), ..back("u") };
    assert_eq!(desk.submit(1, never).line(1), "error Schedule not understood");
    desk.submit(1, hourly("u")).submit(1, hourly("v"));
    assert_eq!(desk.line(1), "created 1, error Too many scheduled jobs");
}

#[test]
fn a_durable_calendar_is_acknowledged_after_the_sync_and_so_are_its_jobs() {
    let mut desk = Desk::durable(Rules::default());
    desk.submit(1, hourly("u")).submit(2, hourly("u"));
    assert_eq!((desk.line(1), desk.line(2)), (String::new(), String::new()));
    assert_eq!(desk.records(), ["keep 1 f u  calendar 0 * * * * done to 0"]);
    desk.sync().can_do(9, "f").at(HOUR);
    assert_eq!((desk.line(1), desk.line(2)), ("created 1".into(), "created 1".into()));
    assert_eq!(desk.records(), ["keep 2 f u  of 1 at 3600"]);
    assert_eq!(desk.grab(9), "no job");
    assert_eq!(desk.sync().grab(9), "assign 2 f ");
    desk.at(2 * HOUR);
    assert_eq!(desk.records(), ["keep 1 f u  calendar 0 * * * * done to 7200"], "it was skipped");
}
