//! Handing out, order, and what workers say.

use crate::desk::{BACK, Desk, JOB, key, shared};
use bytes::Bytes;
use storytime_gearman::engine::{Grab, Number, Peer, Priority, Rules, Submit, Work};

fn desk() -> Desk {
    Desk::new(Rules::default())
}

fn of(function: &str, priority: Priority) -> Submit<'_> {
    Submit { function: function.as_bytes(), priority, ..BACK }
}

#[test]
fn jobs_go_out_in_the_order_in_which_they_came() {
    let mut desk = desk();
    for _ in 0..3 {
        desk.submit(1, JOB);
    }
    desk.can_do(9, "f");
    let order: Vec<String> = (0..4).map(|_| desk.grab(9)).collect();
    assert_eq!(order, ["assign 1 f ", "assign 2 f ", "assign 3 f ", "no job"]);
}

#[test]
fn a_higher_priority_goes_first_whatever_the_function() {
    let mut desk = desk();
    desk.submit(1, of("a", Priority::Low)).submit(1, of("b", Priority::Normal));
    desk.submit(1, of("a", Priority::Normal)).submit(1, of("b", Priority::High));
    desk.can_do(9, "b").can_do(9, "a");
    let order: Vec<String> = (0..4).map(|_| desk.grab(9)).collect();
    assert_eq!(order, ["assign 4 b ", "assign 3 a ", "assign 2 b ", "assign 1 a "]);
}

#[test]
fn functions_take_turns_so_that_none_starves() {
    let mut desk = desk();
    for function in ["a", "a", "a", "b", "b", "c"] {
        desk.submit(1, of(function, Priority::Normal));
    }
    desk.can_do(9, "a").can_do(9, "b").can_do(9, "c");
    let order: Vec<String> = (0..6).map(|_| desk.grab(9)).collect();
    let functions: Vec<&str> = order.iter().map(|words| &words[9..10]).collect();
    assert_eq!(functions, ["c", "b", "a", "b", "a", "a"], "the one named last begins");
}

#[test]
fn turns_go_on_when_a_worker_can_do_less_or_more() {
    let mut desk = desk();
    for function in ["a", "b", "c", "d"].repeat(2) {
        desk.submit(1, of(function, Priority::Normal));
    }
    desk.can_do(9, "a").can_do(9, "b").can_do(9, "c");
    assert_eq!(desk.grab(9), "assign 3 c ");
    assert_eq!(desk.cant_do(9, "b").grab(9), "assign 1 a ", "whose turn is next, without b");
    assert_eq!(desk.can_do(9, "d").grab(9), "assign 4 d ", "what is new begins");
    assert_eq!(desk.grab(9), "assign 7 c ");
    assert_eq!(desk.cant_do(9, "a").cant_do(9, "d").cant_do(9, "c").grab(9), "no job");
    assert_eq!(desk.can_do(9, "b").grab(9), "assign 2 b ");
}

#[test]
fn without_turns_the_function_named_last_goes_first() {
    let mut desk = Desk::new(Rules { round_robin: false, ..Rules::default() });
    for function in ["a", "b", "a", "b"] {
        desk.submit(1, of(function, Priority::Normal));
    }
    desk.can_do(9, "a").can_do(9, "b");
    let order: Vec<String> = (0..4).map(|_| desk.grab(9)).collect();
    assert_eq!(order, ["assign 2 b ", "assign 4 b ", "assign 1 a ", "assign 3 a "]);
}

#[test]
fn a_worker_is_told_what_it_asks_for() {
    let mut desk = desk();
    let long = Bytes::from(vec![b'x'; 10_000]);
    let job = Submit { data: b"d".into(), reducer: Some(b"r"), ..key("u") };
    desk.submit(1, job).can_do(9, "f");
    desk.engine.grab(&mut desk.book, Peer(9), Grab::All);
    assert_eq!(desk.line(9), "assign 1 f unique u reducer r d");
    desk.submit(1, Submit { data: b"d".into(), ..key("v") });
    desk.engine.grab(&mut desk.book, Peer(9), Grab::Unique);
    assert_eq!(desk.line(9), "assign 2 f unique v d");
    desk.submit(1, Submit { data: shared(&long), ..key("w") });
    assert_eq!(desk.grab(9), format!("assign 3 f {}", "x".repeat(10_000)));
    assert!(!long.is_unique(), "long data is shared, not copied");
    desk.complete(9, 3);
    assert!(long.is_unique(), "and let go at the end");
}

#[test]
fn listeners_are_told_everything_and_the_end_once() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f").grab(9);
    desk.work(9, 1, Work::Status { numerator: b"3", denominator: b"4" });
    desk.work(9, 1, Work::Data(b"part".into())).work(9, 1, Work::Warning(b"hm".into()));
    let status = desk.engine.get_status(Number(1));
    assert_eq!((status.running, status.numerator, status.denominator), (true, 3, 4));
    desk.complete(9, 1).complete(9, 1).work(9, 1, Work::Fail);
    assert_eq!(
        desk.said(1),
        ["created 1", "1: status 3/4", "1: data part", "1: warning hm", "1: complete ok"]
    );
    assert_eq!(desk.line(9), "", "what comes too late is swallowed");
    assert_eq!(desk.engine.counters().late, 2);
}

#[test]
fn only_the_worker_that_has_a_job_can_say_anything_of_it() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f").can_do(8, "f").complete(8, 1);
    assert_eq!(desk.grab(9), "assign 1 f ");
    desk.complete(8, 1).work(8, 1, Work::Data(b"x".into())).complete(8, 77);
    assert_eq!((desk.line(1), desk.line(8)), ("created 1".into(), String::new()));
    assert_eq!(desk.complete(9, 1).line(1), "1: complete ok");
}

#[test]
fn an_exception_ends_the_job_and_those_who_did_not_ask_are_told_that_it_failed() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(2, key("u")).can_do(9, "f").grab(9);
    desk.engine.option_exceptions(Peer(2));
    desk.work(9, 1, Work::Exception(b"why".into())).work(9, 1, Work::Fail);
    assert_eq!(desk.line(1), "created 1, 1: fail");
    assert_eq!(desk.line(2), "created 1, 1: exception why");
    assert_eq!(desk.line(9), "", "the FAIL that Perl workers send after it does no harm");
}

#[test]
fn a_server_may_tell_everybody_exceptions() {
    let mut desk = Desk::new(Rules { exceptions: true, ..Rules::default() });
    desk.submit(1, JOB).can_do(9, "f").grab(9);
    assert_eq!(
        desk.work(9, 1, Work::Exception(b"why".into())).line(1),
        "created 1, 1: exception why"
    );
}

#[test]
fn a_failed_job_is_not_tried_again() {
    let mut desk = desk();
    desk.submit(1, BACK).can_do(9, "f").grab(9);
    desk.work(9, 1, Work::Fail);
    assert_eq!((desk.grab(9), desk.engine.jobs()), ("no job".into(), 0));
}

#[test]
fn digits_of_any_length_are_a_status() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f").grab(9);
    desk.work(9, 1, Work::Status { numerator: b"99999999999999", denominator: b"7 of x" });
    let status = desk.engine.get_status(Number(1));
    assert_eq!((status.numerator, status.denominator), (u32::MAX, 7));
    assert_eq!(desk.line(1), "created 1, 1: status 99999999999999/7 of x");
}
