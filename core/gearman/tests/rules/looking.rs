//! What operators and clients see.

use crate::desk::{BACK, Desk, JOB, back, key};
use storytime_gearman::engine::{JobStatus, NotDropped, Number, Peer, Priority, Rules, Submit};

#[test]
fn a_function_is_counted_by_what_waits_and_what_runs() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, BACK).submit(1, BACK).submit(1, Submit { priority: Priority::Low, ..BACK });
    desk.can_do(8, "f").can_do(9, "f").can_do(9, "f").can_do(9, "g").grab(9);
    let f = desk.engine.functions().next().expect("there is a function");
    assert_eq!((f.name, f.jobs, f.running, f.queued, f.workers), (&b"f"[..], 3, 1, [0, 1, 1], 2));
    assert_eq!(desk.engine.functions().count(), 2);
    let names: Vec<&[u8]> = desk.engine.abilities(Peer(9)).collect();
    assert_eq!(names, [b"f", b"g"], "twice is once");
    assert_eq!(desk.engine.abilities(Peer(1)).count() + desk.engine.abilities(Peer(77)).count(), 0);
}

#[test]
fn jobs_are_listed_with_who_runs_them_and_who_waits() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, key("u")).submit(2, key("u")).submit(3, JOB).can_do(9, "f").grab(9);
    desk.gone(9).can_do(9, "f").grab(9);
    let jobs: Vec<_> = desk.engine.all_jobs().collect();
    let seen: Vec<_> = jobs
        .iter()
        .map(|j| (j.number.0, j.losses, j.queued, j.worker, desk.engine.listeners_of(j.number)))
        .collect();
    assert_eq!(seen, [(1, 1, false, Some(Peer(9)), 2), (2, 0, true, None, 1)]);
    desk.gone(1).gone(2);
    let running = desk.engine.jobs_of(Peer(9)).next().expect("it runs");
    assert!(running.ignored && running.unique == b"u");
}

#[test]
fn a_status_is_known_until_the_end() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, key("u")).submit(2, key("u")).submit(2, back("v"));
    let status = desk.engine.get_status_unique(b"u");
    assert_eq!((status.known, status.running, status.clients), (true, false, 2));
    desk.can_do(9, "f").grab(9);
    assert!(desk.engine.get_status(Number(1)).running);
    desk.complete(9, 1);
    assert_eq!(desk.engine.get_status(Number(1)), JobStatus::default());
    assert_eq!(desk.engine.get_status_unique(b"u"), JobStatus::default());
    assert_eq!(desk.engine.get_status_unique(b""), JobStatus::default());
    assert!(desk.engine.get_status_unique(b"v").known);
}

#[test]
fn a_key_is_looked_up_in_every_function_and_the_oldest_job_is_told() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, Submit { function: b"g", ..back("u") }).submit(1, key("u"));
    assert_eq!(desk.engine.get_status_unique(b"u").clients, 0);
}

#[test]
fn a_function_is_dropped_only_if_nobody_uses_it() {
    let mut desk = Desk::new(Rules::default());
    assert_eq!(desk.engine.drop_function(b"f"), Err(NotDropped::Unknown));
    desk.submit(1, BACK);
    assert_eq!(desk.engine.drop_function(b"f"), Err(NotDropped::InUse), "nothing queued is lost");
    desk.can_do(9, "f").grab(9);
    desk.complete(9, 1);
    assert_eq!(desk.engine.drop_function(b"f"), Err(NotDropped::InUse), "there is a worker");
    desk.gone(9);
    assert_eq!(desk.engine.drop_function(b"f"), Ok(()));
    assert_eq!(desk.engine.functions().count(), 0);
    desk.engine.create_function(b"h").expect("there is room");
    assert_eq!(desk.engine.functions().next().map(|f| f.name), Some(&b"h"[..]));
    desk.submit(1, BACK).can_do(9, "f");
    assert_eq!(desk.grab(9), "assign 2 f ");
}
