//! A process that is a worker: each job takes as many milliseconds as its data says.

use crate::toy::PORT;
use bytes::Bytes;
use core::time::Duration;
use std::collections::BTreeMap;
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::worker::{Down, JobId, NotTaken, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Cx, Endpoint, IpAddr, Token};

/// First token of the worker; the process's own lie below.
const BASE: Token = Token(1 << 40);

/// A job being done.
#[derive(Clone, Debug)]
struct Doing {
    job: JobId,
    function: Bytes,
    data: Bytes,
    gone: bool,
    /// Parts of the result still to be sent.
    parts: u64,
}

pub(crate) struct Doer {
    doing: BTreeMap<u64, Doing>,
    last: u64,
    /// Jobs begun: function, key, reducer, server.
    pub(crate) begun: Vec<(Bytes, Option<Bytes>, Option<Bytes>, u32)>,
    pub(crate) done: u64,
    /// Data of the jobs whose ends were taken.
    pub(crate) finished: Vec<Bytes>,
    pub(crate) gone: u64,
    /// Ends that came when the job was somebody else's.
    pub(crate) in_vain: u64,
    pub(crate) downs: Vec<Down>,
    pub(crate) most: usize,
    /// Leaves when it has begun so many jobs.
    pub(crate) leaves_after: usize,
    /// Hangs up when it has begun so many jobs.
    pub(crate) hangs_up_after: usize,
    /// From then on the worker can do this.
    pub(crate) learns: Option<(Duration, Bytes)>,
}

impl Doer {
    pub(crate) fn new(mut options: WorkerOptions, servers: &[IpAddr]) -> Adapter<Self> {
        options.servers = servers.iter().map(|ip| Endpoint::tcp(*ip, PORT)).collect();
        let doer = Self {
            doing: BTreeMap::new(),
            last: 0,
            begun: Vec::new(),
            done: 0,
            finished: Vec::new(),
            gone: 0,
            in_vain: 0,
            downs: Vec::new(),
            most: 0,
            leaves_after: usize::MAX,
            hangs_up_after: usize::MAX,
            learns: None,
        };
        Adapter::new(Worker::new(options, BASE), doer)
    }

    fn go_on(&mut self, cx: &mut Cx, worker: &mut Worker, place: u64) {
        let part = Bytes::from(vec![b'p'; 100_000]);
        let doing = self.doing.get_mut(&place).expect("a job is done once");
        while doing.parts > 0 {
            match worker.data(cx, doing.job, &part) {
                Ok(()) => doing.parts -= 1,
                Err(NotTaken::Full) => return,
                Err(_) => break,
            }
        }
        let Doing { job, function, data, gone, .. } = doing.clone();
        self.doing.remove(&place);
        self.done += 1;
        if function == "stream" {
            let part = Bytes::from_static(b"s");
            (0..2).for_each(|_| worker.data(cx, job, &part).expect("there is room"));
        }
        if !gone {
            self.finished.push(data.clone());
        }
        let ended = match &function[..] {
            b"fail" => worker.fail(cx, job),
            b"exception" => worker.exception(cx, job, data),
            b"swallow" | b"length" => worker.complete(cx, job, data.len().to_string().into()),
            b"grow" => worker.complete(cx, job, Bytes::from(vec![b'g'; 300_000])),
            _ => worker.complete(cx, job, data),
        };
        let told = if gone { Err(NotTaken::Gone) } else { Ok(()) };
        assert_eq!(ended, told, "a job that is gone is told before");
        self.in_vain += u64::from(gone);
        let again = worker.fail(cx, job);
        assert!(again == Err(NotTaken::Unknown), "a job ends once");
    }
}

impl Handler for Doer {
    type Part = Worker;

    fn start(&mut self, cx: &mut Cx, _: &mut Worker) {
        if let Some((at, _)) = &self.learns {
            cx.after(Token(0), *at);
        }
    }

    fn event(&mut self, cx: &mut Cx, worker: &mut Worker, event: WorkerEvent) {
        match event {
            WorkerEvent::Job { job, handle, function, unique, reducer, data } => {
                let span = core::str::from_utf8(&data).ok().and_then(|ms| ms.parse().ok());
                let parts = if function == "parts" { span.unwrap_or(0) } else { 0 };
                let server = handle.server.0;
                self.begun.push((function.clone(), unique, reducer, server));
                self.last += 1;
                let doing = Doing { job, function, data, gone: false, parts };
                self.doing.insert(self.last, doing);
                let span = if parts > 0 { 0 } else { span.unwrap_or(0) };
                cx.after(Token(self.last), Duration::from_millis(span));
                if self.begun.len() == self.hangs_up_after {
                    worker.hang_up(cx);
                }
                if self.begun.len() == self.leaves_after {
                    worker.leave(cx);
                }
            }
            WorkerEvent::JobGone { job } => {
                self.gone += 1;
                let found = self.doing.values_mut().find(|doing| doing.job == job);
                if let Some(doing) = found {
                    assert!(!doing.gone, "a job goes once");
                    doing.gone = true;
                }
            }
            WorkerEvent::Room { job } => {
                let found = self.doing.iter().find(|(_, doing)| doing.job == job);
                let place = *found.expect("who waits for room has a job").0;
                self.go_on(cx, worker, place);
            }
            WorkerEvent::Up { .. } => {}
            WorkerEvent::Down { why, .. } => self.downs.push(why),
        }
        self.most = self.most.max(self.doing.len());
    }

    fn timer(&mut self, cx: &mut Cx, worker: &mut Worker, timer: Token) {
        if timer == Token(0) {
            let (_, function) = self.learns.clone().expect("the timer is for this");
            worker.can_do(cx, function, None);
        } else {
            self.go_on(cx, worker, timer.0);
        }
    }
}
