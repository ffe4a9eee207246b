//! Workers: they take jobs from the job servers and do them.
//!
//! Each of the load's `workers` has one job at a time. A job computes for `cpu` on its host's core,
//! then waits for `wait` (a database, a disk, a friend), and ends with what `does` makes of the
//! data; or it fails.
//!
//! A process has `memory` when it begins, and `leak` more with each job. With more than its host
//! has it is killed, and its jobs are somebody else's. With `leaves_after` it exits behind so many
//! jobs, once they are ended; the host's `respawn` starts it again in either case.
//!
//! Not modelled: what the work needs besides, and a worker that is wrong.

use super::deed::Deed;
use crate::diagnostic::Checked;
use crate::fields::{CHANCE, DURATION, Fields};
use crate::metric::MetricDef;
use crate::models::app::{Came, Hands, JobServers, Step, Workload};
use crate::read::{Parts, work};
use crate::{app_fields, app_metrics};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use storytime_machine::Ratio;

/// Most memory of a process, or that it leaks with a job, bytes.
const MEMORY_BYTES_MAX: u64 = 1 << 40;
/// Most jobs after which a process exits.
const JOBS_MAX: u64 = 1_000_000_000;

/// Its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    servers: JobServers,
    deed: Deed,
    cpu: (Duration, Duration),
    wait: (Duration, Duration),
    fails: Ratio,
    /// Memory of a process at first, bytes.
    memory_bytes: u64,
    /// What it has more with each job, bytes.
    leak_bytes: u64,
    /// How many jobs it does before it exits.
    leaves_after: Option<u64>,
}

/// The workload.
#[derive(Debug)]
pub struct Workers {
    numbers: Numbers,
    /// Jobs that this life of the process began.
    begun: u64,
}

/// A job, by what it awaits.
#[derive(Debug)]
pub enum Job {
    /// That it has waited.
    AwaitWake,
}

impl Workload for Workers {
    type Numbers = Numbers;
    type Ledger = ();
    type Job = Job;

    const KIND: &'static str = "workers";
    const FIELDS: &'static [&'static str] = app_fields![
        "job_servers",
        "own_server",
        "functions",
        "limit",
        "does",
        "cpu",
        "wait",
        "fails",
        "memory",
        "leak",
        "leaves_after"
    ];
    const METRICS: &'static [MetricDef] = app_metrics![
        ("worked", Series, "jobs begun by workers"),
        ("memory", Bytes, "memory of the workers"),
        ("lives", Series, "lives of worker processes"),
    ];
    const NEEDS_DATABASE: bool = false;
    const NEEDS_CACHES: bool = false;
    const TAKES_JOBS: bool = true;

    fn read(fields: &Fields<'_>, parts: &Parts<'_>) -> Checked<Numbers> {
        let nothing = (Duration::ZERO, Duration::ZERO);
        let span = |key: &str| match fields.get(key) {
            Some(node) => DURATION.read_range(node, key),
            None => Ok(nothing),
        };
        let bytes = |key: &str| match fields.get(key) {
            Some(_) => fields.bytes(key, 0..=MEMORY_BYTES_MAX),
            None => Ok(0),
        };
        let functions = fields.texts("functions", "the name of a function")?;
        let functions = functions.into_iter().map(|word| word.text.into());
        let mut servers = JobServers::of_workers(fields, parts, functions, "workers")?;
        servers.own = work::own_server(fields, parts)?;
        // How long the job servers let a job take.
        let limit = fields.quantity_if("limit", DURATION)?;
        servers.functions.iter_mut().for_each(|(_, its)| *its = limit);
        Ok(Numbers {
            servers,
            deed: Deed::read(fields)?,
            cpu: span("cpu")?,
            wait: span("wait")?,
            fails: fields.quantity("fails", CHANCE, Some(Ratio::NEVER))?,
            memory_bytes: bytes("memory")?,
            leak_bytes: bytes("leak")?,
            leaves_after: match fields.get("leaves_after") {
                Some(_) => Some(fields.integer("leaves_after", 1..=JOBS_MAX, None)?),
                None => None,
            },
        })
    }

    fn new(numbers: Numbers, _part: u32, _ledger: Arc<Mutex<()>>) -> Self {
        Self { numbers, begun: 0 }
    }

    fn job_servers(numbers: &Numbers) -> JobServers {
        numbers.servers.clone()
    }

    fn begin(&mut self, hands: &mut Hands<'_>) -> Step<Job> {
        hands.count("worked", 1);
        self.grow(hands);
        let (cpu, wait) = (self.numbers.cpu, self.numbers.wait);
        let cpu = hands.rng().duration(cpu.0, cpu.1);
        hands.compute(cpu);
        let wait = hands.rng().duration(wait.0, wait.1);
        if wait.is_zero() {
            return self.end(hands);
        }
        // Timers count from the step's beginning, and the computing comes first.
        hands.pause(cpu + wait);
        Step::Await(Job::AwaitWake)
    }

    fn resume(&mut self, hands: &mut Hands<'_>, job: Job, _came: Came) -> Step<Job> {
        match job {
            Job::AwaitWake => self.end(hands),
        }
    }
}

impl Workers {
    /// One more job begins, and leaves something behind in memory.
    fn grow(&mut self, hands: &mut Hands<'_>) {
        if self.begun == 0 {
            hands.count("lives", 1);
        }
        self.begun += 1;
        let bytes = self.numbers.memory_bytes + self.numbers.leak_bytes * self.begun;
        hands.hold(bytes);
        hands.level("memory", bytes);
        if self.numbers.leaves_after.is_some_and(|jobs| self.begun >= jobs) {
            hands.leave();
        }
    }

    fn end(&self, hands: &mut Hands<'_>) -> Step<Job> {
        if hands.rng().chance(self.numbers.fails) {
            return Step::Failed;
        }
        let assigned = hands.assigned().expect("a worker is given its jobs");
        let result = self.numbers.deed.of(&assigned.data);
        hands.result(result.into());
        Step::Done
    }
}
