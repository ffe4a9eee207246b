//! Jobs that are promised when they are on the disk, and not before.

use crate::desk::{BACK, Desk, JOB, back, key};
use storytime_gearman::engine::{Rules, Submit, When, Work};

fn desk() -> Desk {
    Desk::durable(Rules::default())
}

#[test]
fn a_background_job_is_acknowledged_and_handed_out_after_the_sync() {
    let mut desk = desk();
    desk.can_do(9, "f").sleep(9).submit(1, BACK);
    assert_eq!(desk.records(), ["keep 1 f  "]);
    assert_eq!((desk.line(1), desk.line(9), desk.engine.held()), (String::new(), String::new(), 1));
    assert_eq!(desk.grab(9), "no job");
    desk.sleep(9).sync();
    assert_eq!((desk.line(1), desk.line(9)), ("created 1".into(), "noop".into()));
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert_eq!(desk.complete(9, 1).records(), ["forget 1"]);
}

#[test]
fn a_foreground_job_waits_for_no_disk_and_is_not_remembered() {
    let mut desk = desk();
    desk.submit(1, JOB).can_do(9, "f");
    assert_eq!((desk.line(1), desk.grab(9)), ("created 1".into(), "assign 1 f ".into()));
    desk.complete(9, 1);
    assert!(desk.records().is_empty());
}

#[test]
fn answers_to_a_client_keep_the_order_of_its_submits() {
    let mut desk = desk();
    desk.can_do(9, "f").submit(1, BACK).submit(1, JOB).submit(1, BACK);
    desk.submit(1, Submit { unique: &[b'u'; 100], ..JOB }).submit(2, JOB);
    assert_eq!((desk.line(1), desk.line(2)), (String::new(), "created 4".into()));
    assert_eq!(desk.grab(9), "assign 2 f ", "the foreground job itself does not wait");
    desk.complete(9, 2);
    assert_eq!(desk.line(1), "", "its client cannot know the handle yet");
    desk.sync();
    assert_eq!(
        desk.said(1),
        ["created 1", "created 2", "created 3", "error Unique value too large", "2: complete ok"]
    );
}

#[test]
fn a_worker_that_goes_on_while_the_disk_stands_still_ends_the_connection_and_not_the_server() {
    let data = [7; 100];
    let part = || Work::Data((&data).into());
    let mut desk = Desk::durable(Rules { held_bytes_max: 250, ..Rules::default() });
    desk.can_do(9, "f").submit(1, JOB).grab(9);
    assert_eq!(desk.line(1), "created 1");
    desk.submit(1, BACK).work(9, 1, part()).work(9, 1, part());
    assert_eq!(desk.line(1), "", "the second handle comes first");
    assert_eq!(desk.work(9, 1, part()).line(1), "overrun");
    assert_eq!(desk.gone(1).complete(9, 1).submit(2, BACK).engine.held(), 4);
    desk.sync();
    assert_eq!(
        (desk.line(1), desk.line(2), desk.engine.held()),
        ("".into(), "created 3".into(), 0)
    );
    let few = Rules { held_max: 2, ..Rules::default() };
    let mut desk = Desk::durable(few);
    for _ in 0..5 {
        desk.submit(1, BACK);
    }
    assert_eq!(desk.line(1), "overrun", "who goes on when it is refused");
    assert_eq!(desk.engine.held(), 4);
}

#[test]
fn a_full_disk_is_an_answer_and_leaves_what_was_there() {
    let mut desk = desk();
    desk.submit(1, key("u")).book.full = true;
    desk.submit(2, back("u")).submit(2, BACK).submit(2, JOB);
    assert_eq!(desk.said(2), ["error The disk is full", "error The disk is full", "created 2"]);
    desk.gone(1);
    assert_eq!(desk.engine.jobs(), 1, "it did not become a background job");
}

#[test]
fn a_background_submit_onto_a_foreground_job_is_acknowledged_when_that_is_durable() {
    let mut desk = desk();
    desk.submit(1, key("u")).submit(2, back("u")).submit(3, back("u"));
    assert_eq!((desk.line(1), desk.line(2)), ("created 1".into(), String::new()));
    assert_eq!(desk.records(), ["keep 1 f u "], "once");
    desk.can_do(9, "f");
    assert_eq!(desk.grab(9), "assign 1 f ");
    desk.complete(9, 1).sync();
    assert_eq!((desk.line(2), desk.line(3)), ("created 1".into(), "created 1".into()));
    assert_eq!(desk.submit(4, back("u")).sync().line(4), "created 2");
}

#[test]
fn a_second_background_submit_waits_for_the_same_sync() {
    let mut desk = desk();
    desk.submit(1, back("u")).submit(2, back("u")).submit(3, key("u"));
    assert_eq!((desk.line(2), desk.line(3)), (String::new(), "created 1".into()));
    desk.sync().submit(4, back("u"));
    assert_eq!((desk.line(1), desk.line(2)), ("created 1".into(), "created 1".into()));
    assert_eq!(desk.line(4), "created 1", "at once, since it is durable");
}

#[test]
fn a_connection_that_takes_the_number_of_one_that_left_is_told_nothing_of_it() {
    let mut desk = desk();
    desk.submit(1, BACK).gone(1).submit(1, JOB);
    assert_eq!(desk.line(1), "created 2");
    desk.sync().can_do(9, "f");
    assert_eq!((desk.line(1), desk.grab(9)), (String::new(), "assign 2 f ".into()));
    assert_eq!(desk.grab(9), "assign 1 f ", "it is a promise to nobody, and kept");
}

#[test]
fn a_job_cancelled_before_the_sync_is_acknowledged_and_does_not_run() {
    let mut desk = desk();
    desk.submit(1, BACK);
    assert!(desk.cancel(1));
    desk.sync().can_do(9, "f");
    assert_eq!((desk.line(1), desk.grab(9)), ("created 1".into(), "no job".into()));
    assert_eq!(desk.records(), ["keep 1 f  ", "forget 1"]);
}

#[test]
fn too_much_that_waits_for_the_disk_is_refused() {
    let mut desk = Desk::durable(Rules { held_max: 2, ..Rules::default() });
    desk.submit(1, BACK).submit(2, BACK).submit(3, BACK);
    assert_eq!(desk.line(3), "error Too much waits for the disk");
}

#[test]
fn an_earlier_time_is_remembered_too() {
    let mut desk = desk();
    desk.submit(1, Submit { when: When::Epoch(500), ..back("u") });
    desk.submit(2, Submit { when: When::Epoch(400), ..back("u") }).submit(3, back("u")).sync();
    assert_eq!(desk.records(), ["keep 1 f u  at 500", "keep 1 f u  at 400", "keep 1 f u "]);
    desk.can_do(9, "f");
    assert_eq!(desk.grab(9), "assign 1 f ");
    assert_eq!((desk.line(2), desk.line(3)), ("created 1".into(), "created 1".into()));
}
