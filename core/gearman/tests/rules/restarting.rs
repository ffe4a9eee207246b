//! What a server finds when it comes back.

use crate::desk::{BACK, Desk, JOB, back};
use storytime_gearman::engine::{
    FIELDS, Grab, Kept, KeptWhen, Number, Peer, Priority, Rules, Submit, When,
};

const HOUR: u64 = 3_600;
const HOURLY: [&[u8]; FIELDS] = [b"0", b"*", b"*", b"*", b"*"];

fn hourly(unique: &str) -> Submit<'_> {
    Submit { when: When::Calendar(HOURLY), ..back(unique) }
}

fn kept(number: u64, unique: &str) -> Kept<'_> {
    Kept {
        number: Number(number),
        function: b"f",
        unique: unique.as_bytes(),
        reducer: None,
        data: b"".into(),
        priority: Priority::Normal,
        when: KeptWhen::Now,
    }
}

#[test]
fn background_jobs_are_there_in_their_order_and_numbers_are_not_used_again() {
    let mut desk = Desk::durable(Rules::default());
    desk.submit(1, back("a")).submit(1, JOB).submit(1, BACK).submit(1, back("c")).sync();
    desk.can_do(9, "f").grab(9);
    let mut after = desk.restart(0);
    after.submit(2, back("c")).submit(2, BACK).sync().can_do(9, "f");
    assert_eq!(after.line(2), "created 4, created 5");
    let order: Vec<String> = (0..5).map(|_| after.grab(9)).collect();
    assert_eq!(order, ["assign 1 f ", "assign 3 f ", "assign 4 f ", "assign 5 f ", "no job"]);
}

#[test]
fn everything_of_a_job_is_remembered() {
    let mut desk = Desk::durable(Rules::default());
    let job = Submit { data: b"d".into(), reducer: Some(b"r"), ..back("u") };
    desk.submit(1, job).submit(1, Submit { priority: Priority::High, ..BACK });
    desk.submit(1, Submit { when: When::Epoch(500), ..BACK }).sync();
    let mut after = desk.restart(100).restart(100);
    assert_eq!(after.can_do(9, "f").grab(9), "assign 2 f ");
    after.engine.grab(&mut after.book, Peer(9), Grab::All);
    assert_eq!(after.line(9), "assign 1 f unique u reducer r d");
    assert_eq!(after.grab(9), "no job");
    assert_eq!(after.at(500).grab(9), "assign 3 f ");
}

#[test]
fn what_was_due_while_it_was_away_is_due_at_once() {
    let mut desk = Desk::durable(Rules::default());
    desk.submit(1, Submit { when: When::Epoch(500), ..BACK }).sync();
    assert_eq!(desk.restart(600).can_do(9, "f").grab(9), "assign 1 f ");
}

#[test]
fn no_time_of_a_calendar_comes_twice_and_none_is_forgotten() {
    let mut desk = Desk::durable(Rules::default());
    desk.submit(1, hourly("")).sync().can_do(9, "f").at(HOUR).sync();
    let mut after = desk.restart(HOUR + 5);
    assert_eq!((after.engine.jobs(), after.engine.next_due()), (1, Some(2 * HOUR)));
    after.can_do(9, "f");
    assert_eq!(after.at(2 * HOUR).grab(9), "assign 2 f ", "the last one is still there");
    assert_eq!(after.grab(9), "no job");
    after.complete(9, 2).sync();
    let mut later = after.restart(2 * HOUR + 5);
    assert_eq!((later.engine.jobs(), later.engine.next_due()), (0, Some(3 * HOUR)));
    later.can_do(9, "f");
    let mut missed = later.restart(9 * HOUR + 5);
    missed.sync().can_do(9, "f");
    assert_eq!((missed.grab(9), missed.grab(9)), ("assign 3 f ".into(), "no job".into()));
}

#[test]
fn records_may_be_told_twice_and_behind_a_newer_checkpoint() {
    let mut desk = Desk::durable(Rules::default());
    for _ in 0..2 {
        desk.engine.restore(kept(1, "u"));
        desk.engine.restore(kept(2, ""));
    }
    // The checkpoint has the successor already; the end of its predecessor follows.
    desk.engine.restore(kept(3, "u"));
    desk.engine.restore_forgotten(Number(1));
    desk.engine.restore_forgotten(Number(77));
    desk.engine.restored(&mut desk.book);
    desk.engine.invariants();
    desk.can_do(9, "f");
    assert_eq!((desk.grab(9), desk.grab(9)), ("assign 2 f ".into(), "assign 3 f ".into()));
}

#[test]
fn of_two_jobs_with_one_key_the_older_is_the_promise() {
    let mut desk = Desk::durable(Rules::default());
    desk.engine.restore(kept(3, "u"));
    desk.engine.restore(kept(1, "u"));
    desk.engine.restored(&mut desk.book);
    assert_eq!(desk.records(), ["forget 3"]);
    assert_eq!(desk.can_do(9, "f").grab(9), "assign 1 f ");
    assert_eq!(desk.submit(1, back("u")).line(1), "created 1");
}
