//! What the rules cost: nanoseconds for each step of a job, and bytes of a queued one.
//! `cargo run --release -p storytime-gearman --example cycle`
//!
//! The engine alone: no packets, connections, or disk.

use std::hint::black_box;
use std::time::Duration;
use storytime_gearman::engine::{
    Assign, Engine, Grab, Kept, Number, Out, Peer, Priority, Refusal, Reply, Rules, Submit, Ticket,
    When, Work,
};

/// Notes the job that a worker got, and nothing else.
#[derive(Default)]
struct Last(Option<Number>);

impl Out for Last {
    fn send(&mut self, _: Peer, reply: Reply<'_>) {
        match black_box(reply) {
            Reply::Assign(Assign { number, .. }) => self.0 = Some(number),
            Reply::NoJob => self.0 = None,
            _ => {}
        }
    }
    fn keep(&mut self, _: Kept<'_>) -> Result<Ticket, Refusal> {
        Ok(Ticket::NOW)
    }
    fn forget(&mut self, _: Number) {}
    fn overrun(&mut self, _: Peer) {}
}

/// Time that this thread has had a processor for, whatever else runs on the machine.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("this is Linux");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("the first word is a number"))
}

fn timed(body: impl FnOnce()) -> Duration {
    let start = cpu_time();
    body();
    cpu_time() - start
}

const WORKER: Peer = Peer(9);

struct Bench {
    engine: Engine,
    last: Last,
    /// Jobs submitted so far, so that keys differ.
    made: u64,
}

impl Bench {
    fn new() -> Self {
        let mut engine = Engine::new(Rules::default(), Number(1));
        let mut last = Last::default();
        engine.can_do(&mut last, WORKER, b"function", None);
        Self { engine, last, made: 0 }
    }

    fn submit(&mut self, unique: bool, background: bool) {
        self.made += 1;
        let mut key = *b"0000000000000000";
        let mut rest = self.made;
        for byte in key.iter_mut().rev() {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let submit = Submit {
            function: b"function",
            unique: if unique { &key } else { b"" },
            data: (&[b'x'; 100]).into(),
            reducer: None,
            priority: Priority::Normal,
            background,
            when: When::Now,
        };
        self.engine.submit(&mut self.last, Peer(1), &submit);
    }

    /// A worker takes a job and completes it.
    fn work(&mut self) {
        self.engine.grab(&mut self.last, WORKER, Grab::Plain);
        let number = self.last.0.expect("there is a job");
        let work = Work::Complete((&[b'y'; 100]).into());
        self.engine.work(&mut self.last, WORKER, number, work);
    }
}

fn each(total: Duration, count: u64) -> u128 {
    total.as_nanos() / u128::from(count)
}

/// A queue of a length is filled and drained.
fn backlog(jobs: u64, rounds: u64, unique: bool) {
    let mut bench = Bench::new();
    let (mut submit, mut work, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..rounds {
        submit += timed(|| (0..jobs).for_each(|_| bench.submit(unique, true)));
        bytes = bench.engine.memory() / jobs;
        work += timed(|| (0..jobs).for_each(|_| bench.work()));
    }
    let (submit, work) = (each(submit, jobs * rounds), each(work, jobs * rounds));
    let key = if unique { "with a key" } else { "without" };
    println!("backlog {jobs:>8} {key:10}: submit {submit:>4} ns, work {work:>4} ns, {bytes} bytes");
}

/// Each job is worked on at once.
fn cycles(count: u64, unique: bool, background: bool) {
    let mut bench = Bench::new();
    let total = timed(|| {
        for _ in 0..count {
            bench.submit(unique, background);
            bench.work();
        }
    });
    let how = if background { "background" } else { "foreground" };
    println!("cycle {how}, key {unique}: {} ns", each(total, count));
}

/// A job among workers that sleep.
fn sleepers(workers: u32, count: u64) {
    let mut bench = Bench::new();
    for worker in 10..10 + workers {
        bench.engine.can_do(&mut bench.last, Peer(worker), b"function", None);
        bench.engine.pre_sleep(&mut bench.last, Peer(worker));
    }
    let total = timed(|| {
        for n in 0..count {
            bench.submit(false, false);
            let worker = Peer(10 + (n % u64::from(workers)) as u32);
            bench.engine.grab(&mut bench.last, worker, Grab::Plain);
            let number = bench.last.0.expect("there is a job");
            bench.engine.work(&mut bench.last, worker, number, Work::Fail);
            bench.engine.grab(&mut bench.last, worker, Grab::Plain);
            bench.engine.pre_sleep(&mut bench.last, worker);
        }
    });
    println!("wake one of {workers}: {} ns", each(total, count));
}

fn main() {
    for unique in [false, true] {
        backlog(1_000, 1_000, unique);
        backlog(1_000_000, 2, unique);
        cycles(1_000_000, unique, true);
        cycles(1_000_000, unique, false);
    }
    sleepers(10, 500_000);
    sleepers(1_000, 500_000);
}
