//! Bounds on the jobs of those who share a server.

use crate::desk::{Desk, back, key};
use storytime_gearman::engine::{Quota, Rules, Submit};

fn desk(desk: Desk) -> Desk {
    let mut desk = desk;
    let quota = |prefix: &str, jobs_max, bytes_max| Quota {
        prefix: prefix.as_bytes().to_vec(),
        jobs_max,
        bytes_max,
    };
    desk.engine.set_quotas(vec![quota("a/", 2, 100), quota("b/", 10, 10)]);
    desk
}

fn of<'a>(function: &'a str, unique: &'a str) -> Submit<'a> {
    Submit { function: function.as_bytes(), ..back(unique) }
}

const FULL: &str = "error Quota is used up";

#[test]
fn jobs_of_all_its_functions_count_and_nobody_elses() {
    let mut desk = desk(Desk::new(Rules::default()));
    desk.submit(1, of("a/f", "1")).submit(1, of("a/g", "1")).submit(1, of("a/h", "1"));
    assert_eq!(desk.line(1), format!("created 1, created 2, {FULL}"));
    desk.submit(1, of("b/f", "1")).submit(1, of("c/f", "1")).submit(1, of("a", "1"));
    assert_eq!(desk.line(1), "created 3, created 4, created 5");
    desk.submit(1, of("a/f", "1"));
    assert_eq!(desk.line(1), "created 1", "who joins a job adds none");
}

#[test]
fn what_ends_in_any_way_makes_room() {
    let mut desk = desk(Desk::new(Rules::default()));
    let wanted = |unique| Submit { function: b"a/f", ..key(unique) };
    desk.can_do(9, "a/f");
    desk.submit(1, wanted("1")).submit(1, wanted("2")).grab(9);
    desk.complete(9, 1).submit(1, wanted("3")).submit(1, wanted("4"));
    assert_eq!(desk.line(1), format!("created 1, created 2, 1: complete ok, created 3, {FULL}"));
    assert!(desk.cancel(2));
    desk.submit(2, wanted("5"));
    desk.gone(1).submit(2, wanted("6")).submit(2, wanted("7"));
    assert_eq!(desk.line(2), format!("created 4, created 5, {FULL}"));
}

#[test]
fn bytes_count_as_well() {
    let mut desk = desk(Desk::new(Rules::default()));
    desk.submit(1, Submit { data: b"12345678".into(), ..of("b/f", "ab") });
    desk.submit(1, of("b/f", "c"));
    assert_eq!(desk.line(1), format!("created 1, {FULL}"));
}

#[test]
fn jobs_that_come_back_count() {
    let mut desk = desk(Desk::durable(Rules::default()));
    desk.submit(1, of("b/f", "12345")).sync();
    let mut later = self::desk(Desk::durable(Rules::default()));
    let mut cursor = Some(storytime_gearman::engine::Cursor::Start);
    while let Some(from) = cursor {
        cursor = desk.engine.each_kept(from, 8, &mut |kept| later.engine.restore(kept));
    }
    later.engine.restored(&mut later.book);
    later.submit(1, of("b/f", "123456"));
    assert_eq!(later.line(1), FULL);
}
