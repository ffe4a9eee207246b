//! Many small writes, and now and then a read.
//!
//! | method | a write |
//! |---|---|
//! | `awaited` | is done when the cache has answered |
//! | `buffered` | is done when the client has it in its buffer, which leaves when it is full or a read comes |
//!
//! The ledger knows every write that was done; at rest the first host looks for each of them in the
//! cache. What a process that died had in its buffer is not there.
//!
//! Not modelled: a buffer that also leaves after some time.

use crate::diagnostic::Checked;
use crate::fields::{Fields, SHARE};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, Step, Workload, lock};
use crate::read::Parts;
use crate::units::Millionths;
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use storytime_memcached::client::{BufferOptions, ClientOptions, Outcome};

/// Longest value, bytes.
const VALUE_BYTES_MAX: u64 = 100_000;
/// Most writes in a buffer.
const BUFFER_MAX: u64 = 100_000;
/// Most bytes in a buffer.
const BUFFER_BYTES_MAX: u64 = 100_000_000;
/// Keys that the check asks for at once.
const CHECKED_AT_ONCE: usize = 100;

/// When a write is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// When it was answered.
    Awaited,
    /// When it was accepted.
    Buffered,
}

/// Its numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    method: Method,
    value_bytes: u64,
    /// Share of jobs that read.
    reads: Millionths,
    /// Writes in a buffer at which it leaves.
    buffer: usize,
    /// Bytes in a buffer at which it leaves.
    buffer_bytes: usize,
}

/// The workload.
#[derive(Debug)]
pub struct BufferedWrites {
    numbers: Numbers,
    part: u32,
    ledger: Arc<Mutex<Ledger>>,
}

/// The names of the keys that were written, in order.
#[derive(Debug, Default)]
pub struct Ledger {
    next: u64,
    written: Vec<u64>,
}

/// A job by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That a write was stored.
    AwaitStored(u64),
    /// A value; any will do.
    AwaitRead,
    /// Some of the written values, from a place in the ledger on.
    AwaitChecked(usize),
}

impl Workload for BufferedWrites {
    type Numbers = Numbers;
    type Ledger = Ledger;
    type Job = Job;

    const KIND: &'static str = "buffered-writes";
    const FIELDS: &'static [&'static str] =
        app_fields!["method", "value", "reads", "buffer", "buffer_bytes"];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("written", Count, "writes done"),
        ("kept", Count, "of these in the cache"),
        ("lost", Count, "writes lost"),
    ];
    const NEEDS_DATABASE: bool = false;

    fn read(fields: &Fields<'_>, _parts: &Parts<'_>) -> Checked<Numbers> {
        let methods = [("awaited", Method::Awaited), ("buffered", Method::Buffered)];
        Ok(Numbers {
            method: fields.choice("method", &methods, None)?,
            value_bytes: fields.bytes("value", 0..=VALUE_BYTES_MAX)?,
            reads: fields.quantity("reads", SHARE, None)?,
            buffer: fields.integer("buffer", 1..=BUFFER_MAX, None)? as usize,
            buffer_bytes: fields.bytes("buffer_bytes", 1..=BUFFER_BYTES_MAX)? as usize,
        })
    }

    fn new(numbers: Numbers, part: u32, ledger: Arc<Mutex<Ledger>>) -> Self {
        Self { numbers, part, ledger }
    }

    fn tune(numbers: &Numbers, options: &mut ClientOptions) {
        if numbers.method == Method::Buffered {
            let (requests_max, bytes_max) = (numbers.buffer, numbers.buffer_bytes);
            options.buffer = Some(BufferOptions { bytes_max, requests_max });
        }
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.rng().below(Millionths::ONE.0) < self.numbers.reads.0 {
            let n = hands.rng().below(lock(&self.ledger).next.max(1));
            hands.get(&hands.key(&format!("hit:{n}")));
            return Step::Await(Job::AwaitRead);
        }
        let n = {
            let mut ledger = lock(&self.ledger);
            ledger.next += 1;
            ledger.next
        };
        let value = vec![b'w'; self.numbers.value_bytes as usize];
        let key = hands.key(&format!("hit:{n}"));
        match self.numbers.method {
            Method::Awaited => {
                hands.set(&key, &value, 0);
                Step::Await(Job::AwaitStored(n))
            }
            Method::Buffered => {
                hands.set_and_forget(&key, &value, 0);
                self.written(hands, n);
                Step::Done
            }
        }
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, came: Came) -> Step<Job> {
        match (job, came) {
            (Job::AwaitStored(n), Came::Cache(Outcome::Stored)) => {
                self.written(hands, n);
                Step::Done
            }
            (Job::AwaitRead, Came::Cache(Outcome::Hit(_) | Outcome::Miss)) => Step::Done,
            (Job::AwaitChecked(from), Came::Cache(Outcome::Many(values))) => {
                let kept = values.iter().filter(|v| matches!(v, Outcome::Hit(_))).count();
                hands.count("kept", kept as u64);
                hands.count("lost", (values.len() - kept) as u64);
                self.check_from(hands, from + values.len())
            }
            _ => Step::Failed,
        }
    }

    /// What is held back leaves with a read.
    fn rest(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.get(&hands.key("hit:0"));
        Step::Await(Job::AwaitRead)
    }

    fn check(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        if self.part == 0 { self.check_from(hands, 0) } else { Step::Done }
    }
}

impl BufferedWrites {
    fn written(&self, hands: &mut Hands<'_>, n: u64) {
        lock(&self.ledger).written.push(n);
        hands.count("written", 1);
    }

    fn check_from(&self, hands: &mut Hands<'_>, from: usize) -> Step<Job> {
        let ledger = lock(&self.ledger);
        let some = ledger.written[from..].iter().take(CHECKED_AT_ONCE);
        let keys: Vec<String> = some.map(|n| hands.key(&format!("hit:{n}"))).collect();
        if keys.is_empty() {
            return Step::Done;
        }
        hands.get_many(&keys);
        Step::Await(Job::AwaitChecked(from))
    }
}
