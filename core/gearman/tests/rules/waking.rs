//! Sleeping workers: no herd, and no wake-up lost.

use crate::desk::{BACK, Desk};
use std::time::Duration;
use storytime_gearman::engine::{Engine, Peer, Priority, Rules, Submit};

fn sleepers(rules: Rules, workers: std::ops::Range<u32>) -> Desk {
    let mut desk = Desk::new(rules);
    for worker in workers {
        desk.can_do(worker, "f").sleep(worker);
    }
    desk
}

fn woken(desk: &mut Desk, workers: std::ops::Range<u32>) -> Vec<u32> {
    workers.filter(|&worker| desk.line(worker) == "noop").collect()
}

#[test]
fn one_job_wakes_one_worker_the_one_that_slept_longest() {
    let mut desk = sleepers(Rules::default(), 10..1_010);
    desk.submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..1_010), [10]);
    desk.submit(1, BACK).submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..1_010), [11, 12]);
}

#[test]
fn a_worker_that_comes_by_itself_does_not_leave_the_woken_one_waiting() {
    let mut desk = sleepers(Rules::default(), 10..12);
    desk.submit(1, BACK).can_do(9, "f");
    assert_eq!(woken(&mut desk, 10..12), [10]);
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert_eq!(desk.grab(10), "no job");
    desk.sleep(10).submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..12), [11]);
}

#[test]
fn a_worker_that_goes_to_sleep_while_there_is_a_job_is_woken_at_once() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, BACK).can_do(9, "f").sleep(9);
    assert_eq!(desk.line(9), "noop");
    desk.can_do(8, "f").sleep(8);
    assert_eq!(desk.line(8), "", "one job, one worker");
}

#[test]
fn a_woken_worker_that_takes_another_job_leaves_its_place_to_another() {
    let mut desk = sleepers(Rules::default(), 10..12);
    desk.submit(1, BACK).can_do(10, "g");
    assert_eq!(desk.line(10), "noop");
    desk.submit(1, Submit { function: b"g", priority: Priority::High, ..BACK });
    assert_eq!(desk.grab(10), "assign 2 g ");
    assert_eq!(desk.line(11), "noop");
}

#[test]
fn a_woken_worker_that_leaves_leaves_its_place_to_another() {
    for leave in [
        |engine: &mut Engine, book: &mut crate::desk::Book| engine.gone(book, Peer(10)),
        |engine: &mut Engine, book: &mut crate::desk::Book| engine.cant_do(book, Peer(10), b"f"),
        |engine: &mut Engine, book: &mut crate::desk::Book| engine.reset_abilities(book, Peer(10)),
    ] {
        let mut desk = sleepers(Rules::default(), 10..13);
        desk.submit(1, BACK);
        assert_eq!(woken(&mut desk, 10..13), [10]);
        leave(&mut desk.engine, &mut desk.book);
        assert_eq!(woken(&mut desk, 10..13), [11]);
    }
}

#[test]
fn a_woken_worker_that_does_not_come_leaves_its_place_to_another() {
    let mut desk = sleepers(Rules::default(), 10..13);
    desk.submit(1, BACK).wait(Duration::from_millis(50)).submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..13), [10, 11]);
    assert_eq!(desk.engine.next_expiry(), Some(storytime_machine::Time(100_000_000)));
    desk.wait(Duration::from_millis(50));
    assert_eq!(woken(&mut desk, 10..13), [12]);
    desk.wait(Duration::from_secs(10));
    assert_eq!(desk.engine.next_expiry(), None, "nobody is left to be woken");
    assert_eq!(desk.grab(10), "assign 1 f ", "it comes late, and is as welcome");
    desk.sleep(10);
    assert_eq!(desk.line(10), "noop", "sleeping again, it can be woken again");
}

#[test]
fn one_live_worker_among_a_thousand_dead_ones_is_found_in_a_few_rounds() {
    let mut desk = sleepers(Rules::default(), 10..1_010);
    desk.submit(1, BACK);
    let mut rounds = Vec::new();
    while !rounds.contains(&1_009) {
        rounds = woken(&mut desk, 10..1_010);
        desk.wait(Duration::from_millis(100));
        assert!(desk.engine.counters().woken <= 1_000);
    }
    assert!(desk.engine.next_expiry() <= Some(storytime_machine::Time(1_100_000_000)));
    assert_eq!(desk.grab(1_009), "assign 1 f ");
    desk.sleep(1_009).sleep(1_008).submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..1_010), [1_009], "whoever comes ends the noise");
}

#[test]
fn more_or_all_workers_can_be_woken_for_a_job() {
    let mut desk = sleepers(Rules { wake_max: 3, ..Rules::default() }, 10..20);
    desk.submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..20), [10, 11, 12]);
    let mut desk = sleepers(Rules { wake_max: 0, ..Rules::default() }, 10..20);
    desk.submit(1, BACK);
    assert_eq!(woken(&mut desk, 10..20).len(), 10);
}

#[test]
fn a_sleeper_that_learns_a_function_is_woken_for_its_jobs() {
    let mut desk = sleepers(Rules::default(), 10..11);
    desk.submit(1, Submit { function: b"g", ..BACK }).can_do(10, "g");
    assert_eq!(desk.line(10), "noop");
}

#[test]
fn a_lost_job_wakes_a_sleeper() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, BACK).can_do(9, "f").grab(9);
    desk.can_do(8, "f").sleep(8);
    assert_eq!(desk.line(8), "");
    assert_eq!(desk.gone(9).line(8), "noop");
}

fn patient(workers: std::ops::Range<u32>) -> Desk {
    let grab_patience = Duration::from_micros(200);
    let mut desk = Desk::new(Rules { grab_patience, ..Rules::default() });
    for worker in workers.clone() {
        desk.can_do(worker, "f").submit(1, BACK);
    }
    for worker in workers.clone() {
        desk.grab(worker);
    }
    for (worker, number) in workers.zip(1..) {
        desk.complete(worker, number);
        assert_eq!(desk.grab(worker), "", "it has just finished a job, and waits for the next");
    }
    desk
}

#[test]
fn a_worker_that_has_finished_a_job_is_handed_the_next_one_without_a_wake_up() {
    let mut desk = patient(10..12);
    desk.submit(1, BACK);
    assert_eq!((desk.line(10), desk.line(11)), (String::new(), "assign 3 f ".into()));
    desk.submit(1, BACK).submit(1, BACK);
    assert_eq!(desk.line(10), "assign 4 f ", "and the fifth is for whoever comes");
    assert_eq!(desk.complete(10, 4).grab(10), "assign 5 f ");
    assert_eq!(desk.engine.next_expiry(), None);
}

#[test]
fn a_woken_worker_whose_job_another_one_took_waits_for_the_next() {
    let mut desk = patient(10..11);
    desk.can_do(9, "f").sleep(9).wait(Duration::from_micros(200)).submit(1, BACK);
    assert_eq!((desk.line(9), desk.grab(10)), ("noop".into(), "no job, assign 2 f ".into()));
    assert_eq!(desk.grab(9), "");
    assert_eq!(desk.submit(1, BACK).line(9), "assign 3 f ");
}

#[test]
fn a_worker_that_has_waited_long_enough_is_told_that_there_is_no_job() {
    let mut desk = patient(10..11);
    let expiry = desk.engine.next_expiry().expect("it is to be answered");
    assert_eq!(expiry, storytime_machine::Time(200_000));
    assert_eq!(desk.wait(Duration::from_micros(199)).line(10), "");
    assert_eq!(desk.wait(Duration::from_micros(1)).line(10), "no job");
    assert_eq!(desk.grab(10), "no job", "who has finished nothing since is told at once");
    desk.sleep(10).submit(1, BACK);
    assert_eq!(desk.line(10), "noop");
}

#[test]
fn whatever_a_worker_says_while_it_waits_is_answered_behind_its_request() {
    let mut desk = patient(10..11);
    desk.submit(11, Submit { function: b"g", ..BACK }).can_do(10, "g");
    assert_eq!(desk.line(10), "no job", "it is no longer handed anything it does not ask for");
    assert_eq!(desk.grab(10), "assign 2 g ");
    let mut desk = patient(10..11);
    assert_eq!(desk.sleep(10).submit(1, BACK).line(10), "no job, noop");
    let mut desk = patient(10..11);
    assert_eq!(desk.cant_do(10, "f").submit(1, BACK).line(10), "no job");
}

#[test]
fn a_worker_that_leaves_while_it_waits_takes_no_job_with_it() {
    let mut desk = patient(10..12);
    desk.gone(11).submit(1, BACK);
    assert_eq!(desk.line(10), "assign 3 f ");
    assert_eq!(desk.complete(10, 3).gone(10).engine.next_expiry(), None);
}

#[test]
fn a_worker_is_not_woken_twice_before_it_comes() {
    let mut desk = sleepers(Rules::default(), 10..11);
    desk.submit(1, BACK).submit(1, BACK).submit(1, BACK);
    assert_eq!(desk.line(10), "noop");
    desk.grab(10);
    assert_eq!(desk.sleep(10).line(10), "noop");
}
