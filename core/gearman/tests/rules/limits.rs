//! Limits, each refused with its words.

use crate::desk::{BACK, Desk, JOB, key};
use bytes::Bytes;
use storytime_gearman::engine::{
    JOB_BYTES, Kept, Number, Out, Payload, Peer, Priority, Refusal, Reply, Rules, Submit, Ticket,
};

#[test]
fn a_full_queue_refuses_and_takes_again_when_there_is_room() {
    let mut desk = Desk::new(Rules::default());
    desk.engine.max_queue(b"f", [0, 2, 1]).expect("there is room for a function");
    desk.submit(1, JOB).submit(1, BACK).submit(1, BACK);
    assert_eq!(desk.line(1), "created 1, created 2, error Job queue is full");
    desk.submit(1, Submit { priority: Priority::High, ..BACK });
    assert_eq!(desk.line(1), "created 3", "its priority has no limit");
    desk.can_do(9, "f").grab(9);
    desk.complete(9, 3).grab(9);
    desk.complete(9, 1).submit(1, Submit { priority: Priority::Low, ..BACK });
    assert_eq!(desk.line(1), "1: complete ok, error Job queue is full");
    assert_eq!(desk.submit(1, BACK).line(1), "created 4");
}

#[test]
fn a_submit_that_finds_its_job_needs_no_room() {
    let mut desk = Desk::new(Rules::default());
    desk.engine.max_queue(b"f", [1; 3]).expect("there is room for a function");
    assert_eq!(desk.submit(1, key("u")).submit(2, key("u")).line(2), "created 1");
}

#[test]
fn each_limit_has_its_words() {
    let rules = Rules {
        unique_bytes_max: 4,
        function_bytes_max: 4,
        functions_max: 2,
        abilities_max: 1,
        jobs_max: 3,
        jobs_bytes_max: 3 * JOB_BYTES + 100,
        listeners_max: 2,
        ..Rules::default()
    };
    let mut desk = Desk::new(rules);
    assert_eq!(desk.submit(1, key("abcde")).line(1), "error Unique value too large");
    let long = Submit { function: b"abcde", ..JOB };
    assert_eq!(desk.submit(1, long).line(1), "error Function name too large");
    desk.submit(1, JOB).submit(1, Submit { function: b"g", ..JOB }).line(1);
    assert_eq!(desk.submit(1, JOB).line(1), "error Job queue is full", "for listeners");
    desk.gone(1).submit(2, BACK).submit(2, Submit { function: b"g", ..BACK }).line(2);
    let third = Submit { function: b"h", ..BACK };
    assert_eq!(desk.submit(2, third).line(2), "error Too many functions");
    let reducer = Submit { reducer: Some(b"abcde"), ..BACK };
    assert_eq!(desk.submit(2, reducer).line(2), "error Function name too large");
    let large = Bytes::from(vec![0; 200]);
    let large = Submit { data: Payload::Shared(&large), ..BACK };
    assert_eq!(desk.submit(2, large).line(2), "error Job queue is full", "for bytes");
    desk.submit(2, BACK).line(2);
    assert_eq!(desk.submit(2, BACK).line(2), "error Job queue is full", "for jobs");
    desk.can_do(9, "f").can_do(9, "g");
    assert_eq!(desk.line(9), "error Too many functions for one worker");
    assert_eq!(desk.engine.counters().refused, 7);
}

#[test]
fn names_that_nobody_uses_any_more_keep_no_others_out() {
    let mut desk = Desk::new(Rules { functions_max: 3, ..Rules::default() });
    desk.engine.max_queue(b"bounded", [7; 3]).expect("there is room");
    desk.can_do(9, "f");
    for n in 0..1_000 {
        let name = format!("once {n}");
        desk.submit(1, Submit { function: name.as_bytes(), ..JOB }).gone(1);
    }
    let names: Vec<_> = desk.engine.functions().map(|function| function.name.to_vec()).collect();
    assert_eq!(names, [&b"bounded"[..], b"f", b"once 999"], "those that are used stay");
    desk.submit(1, Submit { function: b"once 999", ..BACK });
    let another = Submit { function: b"another", ..BACK };
    assert_eq!(desk.submit(2, another).line(2), "error Too many functions", "all are used");
    desk.engine.invariants();
}

#[test]
fn names_may_be_empty_and_any_bytes() {
    let mut desk = Desk::new(Rules::default());
    desk.submit(1, Submit { function: b"", unique: b"\0\xff", ..JOB }).can_do(9, "");
    assert_eq!(desk.grab(9), "assign 1  ");
}

#[test]
fn memory_per_queued_job_stays_small_and_comes_back() {
    const JOBS: u64 = 100_000;
    let mut desk = Desk::new(Rules::default());
    for n in 0..JOBS {
        let unique = format!("{n:016}");
        let job = Submit { unique: unique.as_bytes(), data: (&[7; 100]).into(), ..BACK };
        desk.engine.submit(&mut Silent, Peer(1), &job);
    }
    let each = desk.engine.memory() / JOBS;
    assert!(each <= 230, "{each} bytes a job, the allocator's own not counted");
    for number in 1..=JOBS {
        assert!(desk.engine.cancel(&mut Silent, Number(number)));
    }
    let rest = desk.engine.memory();
    assert!(rest < 1 << 20, "{rest} bytes are left");
    desk.engine.invariants();
}

struct Silent;

impl Out for Silent {
    fn send(&mut self, _: Peer, _: Reply<'_>) {}
    fn keep(&mut self, _: Kept<'_>) -> Result<Ticket, Refusal> {
        Ok(Ticket::NOW)
    }
    fn forget(&mut self, _: Number) {}
    fn overrun(&mut self, _: Peer) {}
}
