//! Jobs whose result is asked for elsewhere before a worker gets them.

use crate::desk::{BACK, Desk, JOB, back, key};
use storytime_gearman::engine::{Number, Payload, Peer, Rules, Submit};

fn desk() -> Desk {
    Desk::new(Rules::default())
}

/// Submits a job that is asked about; whether there is something to ask.
fn ask(desk: &mut Desk, from: u32, job: Submit<'_>) -> Option<u64> {
    desk.engine.submit_asking(&mut desk.book, Peer(from), &job).map(|number| number.0)
}

fn release(desk: &mut Desk, number: u64) -> bool {
    desk.engine.release(&mut desk.book, Number(number))
}

fn answer(desk: &mut Desk, number: u64) -> bool {
    let result = Payload::Slice(b"known");
    desk.engine.answer(&mut desk.book, Number(number), None, result)
}

#[test]
fn an_answer_ends_the_job_without_a_worker() {
    let mut desk = desk();
    desk.can_do(9, "f").sleep(9);
    assert_eq!(ask(&mut desk, 1, key("u")), Some(1));
    assert_eq!(desk.line(1), "created 1", "the handle does not wait");
    assert_eq!(desk.line(9), "", "nobody is woken for it");
    assert!(answer(&mut desk, 1));
    assert_eq!(desk.line(1), "1: complete known");
    assert_eq!((desk.grab(9), desk.engine.jobs()), ("no job".into(), 0));
    assert!(!answer(&mut desk, 1) && !release(&mut desk, 1), "it ends once");
}

#[test]
fn data_comes_before_the_result() {
    let mut desk = desk();
    ask(&mut desk, 1, key("u"));
    let (data, result) = (Payload::Slice(b"part"), Payload::Slice(b""));
    desk.engine.answer(&mut desk.book, Number(1), Some(data), result);
    assert_eq!(desk.line(1), "created 1, 1: data part, 1: complete ");
}

#[test]
fn no_answer_queues_the_job_and_wakes_a_worker() {
    let mut desk = desk();
    desk.can_do(9, "f").sleep(9);
    ask(&mut desk, 1, key("u"));
    assert!(release(&mut desk, 1));
    assert_eq!(desk.line(9), "noop");
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert!(!answer(&mut desk, 1), "it is too late for an answer");
    desk.complete(9, 1);
    assert_eq!(desk.line(1), "created 1, 1: complete ok");
}

#[test]
fn one_question_is_asked_for_all_who_submit_meanwhile() {
    let mut desk = desk();
    assert_eq!(ask(&mut desk, 1, key("u")), Some(1));
    assert_eq!(ask(&mut desk, 2, key("u")), None);
    desk.submit(3, key("u"));
    answer(&mut desk, 1);
    for client in 1..=3 {
        assert_eq!(desk.line(client), "created 1, 1: complete known");
    }
}

#[test]
fn what_is_to_run_in_any_case_is_not_asked_about() {
    let mut desk = desk();
    desk.can_do(9, "f");
    let splits = Submit { reducer: Some(b"r"), ..key("s") };
    for (job, said) in [(JOB, "assign 1 f "), (back("b"), "assign 2 f "), (splits, "assign 3 f ")] {
        assert_eq!(ask(&mut desk, 1, job), None);
        assert_eq!(desk.grab(9), said);
    }
    assert_eq!(ask(&mut desk, 1, Submit { data: b"x".into(), ..key("-") }), Some(4));
    assert_eq!(ask(&mut desk, 1, key("-")), None, "no data is no key");
}

#[test]
fn a_background_submit_makes_it_run_whatever_is_known() {
    let mut desk = desk();
    desk.can_do(9, "f");
    ask(&mut desk, 1, key("u"));
    desk.submit(2, back("u"));
    assert!(!answer(&mut desk, 1));
    assert_eq!(desk.grab(9), "assign 1 f ");
}

#[test]
fn a_durable_submit_makes_it_run_once_it_is_durable() {
    let mut desk = Desk::durable(Rules::default());
    desk.can_do(9, "f");
    ask(&mut desk, 1, key("u"));
    desk.submit(2, Submit { unique: b"u", ..BACK });
    assert!(!release(&mut desk, 1));
    assert_eq!(desk.grab(9), "no job", "its record is not durable yet");
    desk.sync();
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert_eq!((desk.line(1), desk.line(2)), ("created 1".into(), "created 1".into()));
}

#[test]
fn nobody_is_told_who_left_or_whose_job_was_cancelled() {
    let mut desk = desk();
    ask(&mut desk, 1, key("u"));
    desk.gone(1);
    assert!(!answer(&mut desk, 1), "it went with its client");
    ask(&mut desk, 2, key("u"));
    assert!(desk.cancel(2));
    assert!(!release(&mut desk, 2));
    assert_eq!(desk.line(2), "created 2, 2: fail");
    assert_eq!(desk.engine.jobs(), 0);
}

#[test]
fn a_full_queue_refuses_it_before_anything_is_asked() {
    let mut desk = desk();
    desk.engine.max_queue(b"f", [1; 3]).expect("it is short");
    desk.submit(1, key("a"));
    assert_eq!(ask(&mut desk, 1, key("b")), None);
    assert_eq!(desk.line(1), "created 1, error Job queue is full");
}
