//! The two sides of a job server, each a machine with nothing but the part in it.

use bytes::{Bytes, BytesMut};
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use storytime_gearman::client::{Client, ClientOptions, Event, Job};
use storytime_gearman::worker::{Grab, JobId, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Boot, Conn, Cx, Endpoint, Gone, Machine, Open, Token};

const BASE: Token = Token(1 << 40);
/// Length of a big result, bytes.
pub(crate) const BIG_BYTES: usize = 5 << 20;
/// What the worker can do.
const FUNCTIONS: [&str; 7] = ["echo", "stream", "fail", "exception", "big", "slow", "key"];

/// Submits jobs at its start, and keeps what happens.
pub(crate) struct Caller {
    pub(crate) client: Client,
    jobs: Vec<Job>,
    pub(crate) events: Vec<Event>,
    /// What is left to be told, jobs that are not submitted yet included.
    pub(crate) left: usize,
}

impl Caller {
    pub(crate) fn new(at: SocketAddr, exceptions: bool, jobs: Vec<Job>) -> Self {
        let servers = vec![Endpoint::from(at)];
        let options = ClientOptions { servers, exceptions, ..ClientOptions::default() };
        let left = jobs.len();
        Self { client: Client::new(options, BASE), jobs, events: Vec::new(), left }
    }

    /// What happened to a job, in short.
    pub(crate) fn story(&self, tag: usize) -> Vec<String> {
        let events = self.events.iter().filter(|event| event.tag() == tag as u64);
        let text = |data: &Bytes| String::from_utf8_lossy(&data[..data.len().min(40)]).into_owned();
        let short = |event: &Event| match event {
            Event::Created { background, .. } => {
                (if *background { "accepted" } else { "created" }).to_owned()
            }
            Event::Data { data, .. } => format!("data {}", text(data)),
            Event::Warning { data, .. } => format!("warning {}", text(data)),
            Event::Status { progress, .. } => {
                format!("status {}/{}", progress.numerator, progress.denominator)
            }
            Event::Complete { data, .. } if data.len() == BIG_BYTES => "complete big".to_owned(),
            Event::Complete { data, .. } => format!("complete {}", text(data)),
            Event::Failed { .. } => "failed".to_owned(),
            Event::Exception { data, .. } => format!("exception {}", text(data)),
            other => format!("{other:?}"),
        };
        events.map(short).collect()
    }

    fn collect(&mut self) {
        while let Some(event) = self.client.next_event() {
            self.left -= usize::from(event.is_end());
            self.events.push(event);
        }
    }
}

impl Machine for Caller {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        for (tag, job) in self.jobs.drain(..).enumerate() {
            self.client.submit(cx, job, tag as u64).expect("there is room");
        }
        self.collect();
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        assert!(self.client.on_open(cx, conn, &how));
        self.collect();
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        assert!(self.client.on_data(cx, conn, rx));
        self.collect();
    }

    fn drained(&mut self, cx: &mut Cx, conn: Conn) {
        assert!(self.client.on_drained(cx, conn));
        self.collect();
    }

    fn eof(&mut self, cx: &mut Cx, conn: Conn) {
        assert!(self.client.on_eof(cx, conn));
        self.collect();
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.client.on_gone(cx, conn, why));
        self.collect();
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        assert!(self.client.on_failed(cx, connect, why));
        self.collect();
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        assert!(self.client.on_timer(cx, timer));
        self.collect();
    }

    fn invariants(&self) {
        self.client.invariants();
    }
}

struct Doing {
    job: JobId,
    function: Bytes,
    unique: Bytes,
    data: Bytes,
}

/// Does jobs.
pub(crate) struct Helper {
    pub(crate) worker: Worker,
    doing: BTreeMap<u64, Doing>,
    last: u64,
    pub(crate) begun: Vec<Bytes>,
    pub(crate) gone: usize,
    pub(crate) ups: usize,
}

impl Helper {
    pub(crate) fn new(at: SocketAddr, jobs_max: usize) -> Self {
        let functions = FUNCTIONS.iter().map(|name| (Bytes::from_static(name.as_bytes()), None));
        let options = WorkerOptions {
            servers: vec![Endpoint::from(at)],
            functions: functions.collect(),
            jobs_max,
            grab: Grab::All,
            client_id: Some(Bytes::from_static(b"helper")),
            ..WorkerOptions::default()
        };
        let worker = Worker::new(options, BASE);
        Self { worker, doing: BTreeMap::new(), last: 0, begun: Vec::new(), gone: 0, ups: 0 }
    }

    fn collect(&mut self, cx: &mut Cx) {
        while let Some(event) = self.worker.next_event() {
            match event {
                WorkerEvent::Job { job, function, unique, data, .. } => {
                    self.begun.push(data.clone());
                    self.last += 1;
                    let unique = unique.expect("it grabs with keys");
                    let slow = if function == "slow" { 1500 } else { 0 };
                    self.doing.insert(self.last, Doing { job, function, unique, data });
                    cx.after(Token(self.last), Duration::from_millis(slow));
                }
                WorkerEvent::JobGone { .. } => self.gone += 1,
                WorkerEvent::Up { .. } => self.ups += 1,
                WorkerEvent::Room { .. } | WorkerEvent::Down { .. } => {}
            }
        }
    }

    fn finish(&mut self, cx: &mut Cx, place: u64) {
        let Doing { job, function, unique, data } =
            self.doing.remove(&place).expect("a job is done once");
        let worker = &mut self.worker;
        let told = match &function[..] {
            b"fail" => worker.fail(cx, job),
            b"exception" => worker.exception(cx, job, data),
            b"big" => worker.complete(cx, job, Bytes::from(vec![b'b'; BIG_BYTES])),
            b"key" => worker.complete(cx, job, unique),
            b"stream" => worker
                .data(cx, job, &Bytes::from_static(b"part"))
                .and_then(|()| worker.warning(cx, job, &Bytes::from_static(b"careful")))
                .and_then(|()| worker.status(cx, job, 1, 2))
                .and_then(|()| worker.complete(cx, job, data)),
            _ => worker.complete(cx, job, data),
        };
        assert!(told.is_ok() || self.gone > 0, "{told:?}");
    }
}

impl Machine for Helper {
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
