//! Workers that are lost, or take too long.

use crate::desk::{BACK, Desk, JOB};
use std::time::Duration;
use storytime_gearman::engine::{Dialect, Number, Retries, Rules, Work};

const SECOND: Duration = Duration::from_secs(1);

fn desk() -> Desk {
    Desk::new(Rules::default())
}

#[test]
fn a_job_that_lost_its_worker_keeps_its_place() {
    let mut desk = desk();
    for _ in 0..4 {
        desk.submit(1, BACK);
    }
    desk.can_do(8, "f").can_do(9, "f");
    assert_eq!((desk.grab(8), desk.grab(9)), ("assign 1 f ".into(), "assign 2 f ".into()));
    assert_eq!(desk.grab(8), "assign 3 f ");
    desk.gone(9).gone(8).can_do(7, "f");
    let order: Vec<String> = (0..4).map(|_| desk.grab(7)).collect();
    assert_eq!(order, ["assign 1 f ", "assign 2 f ", "assign 3 f ", "assign 4 f "]);
}

#[test]
fn a_client_that_is_also_the_worker_leaves_nothing() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(1, "f");
    assert_eq!(desk.grab(1), "created 1, assign 1 f ");
    desk.gone(1);
    assert_eq!((desk.engine.jobs(), desk.engine.listeners()), (0, 0));
}

#[test]
fn progress_starts_anew_with_the_next_worker() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f").grab(9);
    desk.work(9, 1, Work::Status { numerator: b"3", denominator: b"4" }).gone(9);
    let status = desk.engine.get_status(Number(1));
    assert_eq!((status.known, status.running, status.denominator), (true, false, 0));
}

#[test]
fn the_loss_of_a_number_fails_a_job() {
    let lose = |losses_max: Option<u32>, times: u32| {
        let mut desk = Desk::new(Rules { losses_max, ..Rules::default() });
        desk.submit(1, JOB);
        for _ in 0..times {
            desk.can_do(9, "f").grab(9);
            desk.gone(9);
        }
        desk.line(1)
    };
    assert_eq!(lose(Some(2), 1), "created 1");
    assert_eq!(lose(Some(2), 2), "created 1, 1: fail");
    assert_eq!(lose(None, 300), "created 1");
    assert_eq!(lose(Some(255), 254), "created 1");
    assert_eq!(lose(Some(255), 255), "created 1, 1: fail", "the largest number that can be asked");
    assert_eq!(Retries::Unlimited.losses_max(0), None, "1.1.20: for ever");
    assert_eq!(Retries::None.losses_max(0), Some(1), "later: never again");
    for zero in [Retries::Unlimited, Retries::None] {
        assert_eq!(zero.losses_max(-1), None);
        assert_eq!(zero.losses_max(1), Some(1));
        assert_eq!(zero.losses_max(3), Some(3));
    }
}

#[test]
fn a_worker_that_takes_too_long_loses_the_job_and_its_late_result() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do_within(9, "f", 3).grab(9);
    assert_eq!(desk.engine.next_expiry(), Some(storytime_machine::Time(3_000_000_000)));
    desk.wait(2 * SECOND).can_do(8, "f");
    assert_eq!(desk.grab(8), "no job");
    desk.wait(SECOND);
    assert_eq!(desk.grab(8), "assign 1 f ");
    desk.complete(9, 1);
    assert_eq!((desk.line(1), desk.line(9)), ("created 1".into(), String::new()));
    assert_eq!(desk.complete(8, 1).line(1), "1: complete ok");
    assert_eq!((desk.engine.next_expiry(), desk.engine.counters().timed_out), (None, 1));
}

#[test]
fn a_result_that_comes_too_late_will_do_while_nobody_else_has_the_job() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do_within(9, "f", 3).grab(9);
    desk.wait(3 * SECOND).complete(9, 1);
    assert_eq!((desk.line(1), desk.engine.jobs()), ("created 1, 1: complete ok".into(), 0));
    desk.submit(1, JOB).grab(9);
    desk.wait(3 * SECOND).gone(9).complete(9, 2);
    assert_eq!((desk.line(1), desk.engine.jobs()), ("created 2".into(), 1), "it is another one");
    desk.can_do(8, "f").grab(8);
    desk.gone(8).complete(8, 2);
    assert_eq!((desk.line(1), desk.engine.jobs()), (String::new(), 1), "it did not take too long");
}

#[test]
fn sleeping_does_not_stop_the_clock_of_a_job() {
    let mut desk = desk();
    desk.submit(1, BACK).can_do_within(9, "f", 3).grab(9);
    desk.sleep(9).wait(3 * SECOND);
    assert_eq!(desk.line(9), "noop", "it slept, and there is a job again");
}

#[test]
fn a_job_that_ends_in_time_has_no_time_out() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do_within(9, "f", 3).grab(9);
    assert_eq!(desk.complete(9, 1).engine.next_expiry(), None);
    desk.submit(1, JOB).grab(9);
    desk.gone(9);
    assert_eq!(desk.engine.next_expiry(), None);
}

#[test]
fn time_outs_count_milliseconds_of_which_a_thousand_is_the_least() {
    assert_eq!(Dialect::Gearmand.timeout(3), Some(SECOND));
    assert_eq!(Dialect::Gearmand.timeout(2_500), Some(Duration::from_millis(2_500)));
    assert_eq!(Dialect::Danga.timeout(3), Some(3 * SECOND));
    assert_eq!(Dialect::Gearmand.timeout(0), None);
}

#[test]
fn a_worker_that_can_no_longer_do_a_function_may_finish_what_it_has() {
    let mut desk = desk();
    desk.submit(1, JOB).submit(1, JOB).can_do(9, "f").grab(9);
    assert_eq!(desk.cant_do(9, "f").grab(9), "no job");
    desk.can_do(8, "f");
    assert_eq!(desk.grab(8), "assign 2 f ", "and nobody else gets it");
    assert_eq!(desk.complete(9, 1).line(1), "created 1, created 2, 1: complete ok");
}
