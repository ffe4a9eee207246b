//! A worker that does all sorts of jobs, and writes down what it did.

use crate::ledger::{Book, name};
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::worker::{Grab, JobId, NotTaken, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Cx, Endpoint, Ratio, Token};

/// First token of the worker; the process's own lie below.
const BASE: Token = Token(1 << 40);
/// What every worker can do. Jobs of the last take too long now and then.
pub(crate) const FUNCTIONS: [&str; 6] = ["work", "chatty", "fail", "exception", "big", "timed"];
/// Length of a big result, bytes.
pub(crate) const BIG_BYTES: usize = 400_000;

struct Doing {
    job: JobId,
    handle: String,
    function: Bytes,
    data: Bytes,
}

pub(crate) struct Hand {
    book: Book,
    doing: BTreeMap<u64, Doing>,
    last: u64,
}

impl Hand {
    pub(crate) fn new(book: Book, servers: &[Endpoint], jobs_max: usize) -> Adapter<Self> {
        let timeout = |name: &str| (name == "timed").then(|| Duration::from_secs(1));
        let functions =
            FUNCTIONS.iter().map(|name| (Bytes::from_static(name.as_bytes()), timeout(name)));
        let options = WorkerOptions {
            servers: servers.to_vec(),
            functions: functions.collect(),
            jobs_max,
            grab: Grab::Unique,
            ..WorkerOptions::default()
        };
        let hand = Self { book, doing: BTreeMap::new(), last: 0 };
        Adapter::new(Worker::new(options, BASE), hand)
    }

    /// No job was lost silently.
    pub(crate) fn check(worker: &Worker) {
        let counters = worker.counters();
        assert_eq!(worker.jobs(), 0, "everything has ended");
        let ended = counters.completed + counters.failed + counters.jobs_gone;
        assert_eq!(counters.jobs, ended, "every job has an end");
    }
}

impl Handler for Hand {
    type Part = Worker;

    fn event(&mut self, cx: &mut Cx, _: &mut Worker, event: WorkerEvent) {
        match event {
            WorkerEvent::Job { job, handle, function, data, .. } => {
                let handle = name(&handle);
                *self.book.open().begun.entry(handle.clone()).or_default() += 1;
                let longest = match &function[..] {
                    b"timed" if cx.rng().chance(Ratio::new(1, 8)) => Duration::from_secs(4),
                    _ => Duration::from_millis(150),
                };
                let span = cx.rng().duration(Duration::ZERO, longest);
                self.last += 1;
                cx.after(Token(self.last), span);
                self.doing.insert(self.last, Doing { job, handle, function, data });
            }
            WorkerEvent::JobGone { .. } => self.book.open().tally.jobs_gone += 1,
            WorkerEvent::Room { .. } | WorkerEvent::Up { .. } | WorkerEvent::Down { .. } => {}
        }
    }

    fn timer(&mut self, cx: &mut Cx, worker: &mut Worker, place: Token) {
        let doing = self.doing.remove(&place.0).expect("a job is done once");
        let Doing { job, handle, function, data } = doing;
        let ended = match &function[..] {
            b"chatty" => {
                // Parts that find the connection full are left out.
                for part in ["one ", "two "] {
                    let _: Result<(), NotTaken> = worker.data(cx, job, &Bytes::from(part));
                }
                let _: Result<(), NotTaken> = worker.status(cx, job, 1, 2);
                worker.complete(cx, job, data)
            }
            b"fail" => worker.fail(cx, job),
            b"exception" => worker.exception(cx, job, data),
            b"big" => {
                let mut result = BytesMut::from(&data[..]);
                result.resize(BIG_BYTES, b' ');
                worker.complete(cx, job, result.freeze())
            }
            _ => worker.complete(cx, job, data),
        };
        match ended {
            Ok(()) => *self.book.open().ended.entry(handle).or_default() += 1,
            Err(NotTaken::Gone) => {}
            Err(why) => panic!("{why}"),
        }
    }
}
