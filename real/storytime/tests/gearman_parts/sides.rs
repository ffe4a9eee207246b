//! The two sides of a job server, each a machine with nothing but the part in it.

use bytes::Bytes;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::client::{Client, ClientOptions, Event, Job};
use storytime_gearman::worker::{Grab, JobId, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Cx, Endpoint, Token};

const BASE: Token = Token(1 << 40);
/// Length of a big result, bytes.
pub(crate) const BIG_BYTES: usize = 5 << 20;
/// What the worker can do.
const FUNCTIONS: [&str; 7] = ["echo", "stream", "fail", "exception", "big", "slow", "key"];

/// Submits jobs at its start, and keeps what happens.
pub(crate) struct Caller {
    jobs: Vec<Job>,
    pub(crate) events: Vec<Event>,
    /// What is left to be told, jobs that are not submitted yet included.
    pub(crate) left: usize,
}

impl Caller {
    pub(crate) fn new(at: SocketAddr, exceptions: bool, jobs: Vec<Job>) -> Adapter<Self> {
        let servers = vec![Endpoint::from(at)];
        let options = ClientOptions { servers, exceptions, ..ClientOptions::default() };
        let caller = Self { left: jobs.len(), jobs, events: Vec::new() };
        Adapter::new(Client::new(options, BASE), caller)
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
}

impl Handler for Caller {
    type Part = Client;

    fn start(&mut self, cx: &mut Cx, client: &mut Client) {
        for (tag, job) in self.jobs.drain(..).enumerate() {
            client.submit(cx, job, tag as u64).expect("there is room");
        }
    }

    fn event(&mut self, _: &mut Cx, _: &mut Client, event: Event) {
        self.left -= usize::from(event.is_end());
        self.events.push(event);
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
    doing: BTreeMap<u64, Doing>,
    last: u64,
    pub(crate) begun: Vec<Bytes>,
    pub(crate) gone: usize,
    pub(crate) ups: usize,
}

impl Helper {
    pub(crate) fn new(at: SocketAddr, jobs_max: usize) -> Adapter<Self> {
        let functions = FUNCTIONS.iter().map(|name| (Bytes::from_static(name.as_bytes()), None));
        let options = WorkerOptions {
            servers: vec![Endpoint::from(at)],
            functions: functions.collect(),
            jobs_max,
            grab: Grab::All,
            client_id: Some(Bytes::from_static(b"helper")),
            ..WorkerOptions::default()
        };
        let helper = Self { doing: BTreeMap::new(), last: 0, begun: Vec::new(), gone: 0, ups: 0 };
        Adapter::new(Worker::new(options, BASE), helper)
    }
}

impl Handler for Helper {
    type Part = Worker;

    fn event(&mut self, cx: &mut Cx, _: &mut Worker, event: WorkerEvent) {
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

    fn timer(&mut self, cx: &mut Cx, worker: &mut Worker, place: Token) {
        let Doing { job, function, unique, data } =
            self.doing.remove(&place.0).expect("a job is done once");
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
