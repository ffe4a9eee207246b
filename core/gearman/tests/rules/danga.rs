//! The habits of the original Perl server, where they are others.

use crate::desk::{BACK, Desk, JOB};
use std::time::Duration;
use storytime_gearman::engine::{Dialect, Peer, Priority, Rules, Submit, Work};

fn rules() -> Rules {
    Rules { dialect: Dialect::Danga, ..Rules::default() }
}

#[test]
fn a_lost_worker_fails_its_job() {
    let mut desk = Desk::new(rules());
    desk.submit(1, JOB).submit(1, BACK).can_do(9, "f").grab(9);
    desk.grab(9);
    desk.gone(9);
    assert_eq!(desk.line(1), "created 1, created 2, 1: fail");
    assert_eq!(desk.engine.jobs(), 0);
}

#[test]
fn a_durable_job_outlives_its_worker_here_too() {
    let mut desk = Desk::durable(rules());
    desk.submit(1, BACK).sync().can_do(9, "f").grab(9);
    desk.gone(9).can_do(8, "f");
    assert_eq!(desk.grab(8), "assign 1 f ");
}

#[test]
fn a_time_out_fails_the_job() {
    let mut desk = Desk::new(rules());
    desk.submit(1, JOB).can_do_within(9, "f", 3).grab(9);
    desk.wait(Duration::from_secs(3)).complete(9, 1);
    assert_eq!((desk.line(1), desk.line(9)), ("created 1, 1: fail".into(), String::new()));
}

#[test]
fn an_exception_is_not_the_end() {
    let mut desk = Desk::new(rules());
    desk.submit(1, Submit { unique: b"u", ..JOB }).submit(2, Submit { unique: b"u", ..JOB });
    desk.engine.option_exceptions(Peer(2));
    desk.can_do(9, "f").grab(9);
    desk.work(9, 1, Work::Exception(b"why".into())).work(9, 1, Work::Fail);
    assert_eq!(desk.line(1), "created 1, 1: fail");
    assert_eq!(desk.line(2), "created 1, 1: exception why, 1: fail");
}

#[test]
fn a_full_queue_drops_the_job_that_came_last() {
    let mut desk = Desk::new(rules());
    desk.engine.max_queue(b"f", [2; 3]).expect("there is room for a function");
    desk.submit(1, JOB).submit(2, JOB).submit(3, JOB).can_do(9, "f");
    assert_eq!((desk.line(2), desk.line(3)), ("created 2, 2: fail".into(), "created 3".into()));
    assert_eq!((desk.grab(9), desk.grab(9)), ("assign 1 f ".into(), "assign 3 f ".into()));
    assert_eq!(desk.engine.counters().dropped, 1);
}

#[test]
fn high_priority_is_a_stack() {
    let mut desk = Desk::new(rules());
    let high = Submit { priority: Priority::High, ..BACK };
    desk.submit(1, BACK).submit(1, high).submit(1, high).can_do(9, "f");
    let order: Vec<String> = (0..3).map(|_| desk.grab(9)).collect();
    assert_eq!(order, ["assign 3 f ", "assign 2 f ", "assign 1 f "]);
}
