//! A worker that does all sorts of jobs, and writes down what it did.

use crate::ledger::{Book, name};
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_gearman::worker::{Grab, JobId, NotTaken, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Boot, Conn, Cx, Endpoint, Gone, Machine, Open, Ratio, Token};

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
    pub(crate) worker: Worker,
    doing: BTreeMap<u64, Doing>,
    last: u64,
}

impl Hand {
    pub(crate) fn new(book: Book, servers: &[Endpoint], jobs_max: usize) -> Self {
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
        let worker = Worker::new(options, BASE);
        Self { book, worker, doing: BTreeMap::new(), last: 0 }
    }

    fn collect(&mut self, cx: &mut Cx) {
        while let Some(event) = self.worker.next_event() {
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
    }

    fn finish(&mut self, cx: &mut Cx, place: u64) {
        let doing = self.doing.remove(&place).expect("a job is done once");
        let Doing { job, handle, function, data } = doing;
        let worker = &mut self.worker;
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

    /// No job was lost silently.
    pub(crate) fn check(&self) {
        let counters = self.worker.counters();
        assert_eq!(self.worker.jobs(), 0, "everything has ended");
        let ended = counters.completed + counters.failed + counters.jobs_gone;
        assert_eq!(counters.jobs, ended, "every job has an end");
    }
}

impl Machine for Hand {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.worker.start(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        assert!(self.worker.on_open(cx, conn, &how));
        self.collect(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        assert!(self.worker.on_data(cx, conn, rx));
        self.collect(cx);
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        assert!(self.worker.on_drained(cx, conn));
        self.collect(cx);
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        assert!(self.worker.on_eof(cx, conn));
        self.collect(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.worker.on_gone(cx, conn, why));
        self.collect(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        assert!(self.worker.on_failed(cx, connect, why));
        self.collect(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        match timer < BASE {
            true => self.finish(cx, timer.0),
            false => assert!(self.worker.on_timer(cx, timer)),
        }
        self.collect(cx);
    }

    fn invariants(&self) {
        self.worker.invariants();
    }
}
