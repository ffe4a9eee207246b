//! A process that is given whole jobs, splits them, and has the pieces done by others: a worker, a
//! client and the two ends of map and reduce in one machine. And one that runs a set of tasks.

use crate::toy::PORT;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::client::{
    Client, ClientOptions, Event, Job, MapReduce, Outcome, TaskSet, TaskSetOptions, lines, sum,
};
use storytime_gearman::worker::{Grab, JobId, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Boot, Conn, Cx, Endpoint, Gone, IpAddr, Machine, Open, Token};

const CLIENT: Token = Token(1 << 40);
const WORKER: Token = Token(1 << 50);
const AGAIN: Token = Token(1);

/// Splits jobs into lines.
pub(crate) struct Splitter {
    worker: Worker,
    client: Client,
    under_way: Option<(JobId, MapReduce)>,
}

impl Splitter {
    pub(crate) fn new(servers: &[IpAddr]) -> Self {
        let servers: Vec<_> = servers.iter().map(|ip| Endpoint::tcp(*ip, PORT)).collect();
        let worker = WorkerOptions {
            servers: servers.clone(),
            functions: vec![(Bytes::from_static(b"whole"), None)],
            grab: Grab::All,
            ..WorkerOptions::default()
        };
        let client = ClientOptions { servers, ..ClientOptions::default() };
        Self {
            worker: Worker::new(worker, WORKER),
            client: Client::new(client, CLIENT),
            under_way: None,
        }
    }

    fn collect(&mut self, cx: &mut Cx) {
        while let Some(event) = self.worker.next_event() {
            if let WorkerEvent::Job { job, reducer, data, .. } = event {
                let reducer = reducer.expect("it is submitted with one");
                let options = TaskSetOptions { in_flight_max: 2, ..TaskSetOptions::default() };
                let pieces = lines(&data, 1);
                let mut whole = MapReduce::new(options, &reducer, pieces, (0, AGAIN));
                whole.submit(cx, &mut self.client);
                self.under_way = Some((job, whole));
            }
        }
        while let Some(event) = self.client.next_event() {
            let (_, whole) = self.under_way.as_mut().expect("only pieces are submitted");
            assert!(whole.on_event(cx, &mut self.client, &event));
        }
        if let Some((job, whole)) = self.under_way.take_if(|(_, whole)| whole.is_done()) {
            let ended = match whole.aggregate(sum) {
                Ok(result) => self.worker.complete(cx, job, result),
                Err(_) => self.worker.fail(cx, job),
            };
            assert_eq!(ended, Ok(()));
            self.collect(cx);
        }
    }
}

/// Runs a set of tasks.
pub(crate) struct Setter {
    set: TaskSet,
    pub(crate) done_at: Option<Duration>,
}

impl Setter {
    pub(crate) fn new(
        options: TaskSetOptions,
        requests_max: usize,
        servers: &[IpAddr],
        jobs: &[Job],
    ) -> Adapter<Self> {
        let servers = servers.iter().map(|ip| Endpoint::tcp(*ip, PORT)).collect();
        let client = ClientOptions { servers, requests_max, ..ClientOptions::default() };
        let mut set = TaskSet::new(options, 1000, AGAIN);
        for job in jobs {
            set.add(job.clone());
        }
        Adapter::new(Client::new(client, CLIENT), Self { set, done_at: None })
    }

    pub(crate) fn outcome(&self, place: usize) -> Option<&Outcome> {
        self.set.outcome(place)
    }
}

impl Handler for Setter {
    type Part = Client;

    fn start(&mut self, cx: &mut Cx, client: &mut Client) {
        self.set.submit(cx, client);
    }

    fn event(&mut self, cx: &mut Cx, client: &mut Client, event: Event) {
        assert!(self.set.on_event(cx, client, &event));
        if self.set.is_done() && self.done_at.is_none() {
            self.done_at = Some(Duration::from_nanos(cx.now().0));
        }
    }

    fn timer(&mut self, cx: &mut Cx, client: &mut Client, timer: Token) {
        assert!(self.set.on_timer(cx, client, timer));
    }
}

impl Machine for Splitter {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.worker.start(cx);
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, how: Open) {
        assert!(self.client.on_open(cx, conn, &how) || self.worker.on_open(cx, conn, &how));
        self.collect(cx);
    }

    fn data(&mut self, cx: &mut Cx, conn: Conn, rx: &mut BytesMut) {
        assert!(self.client.on_data(cx, conn, rx) || self.worker.on_data(cx, conn, rx));
        self.collect(cx);
    }

    fn gone(&mut self, cx: &mut Cx, conn: Conn, why: Gone) {
        assert!(self.client.on_gone(cx, conn, why) || self.worker.on_gone(cx, conn, why));
        self.collect(cx);
    }

    fn failed(&mut self, cx: &mut Cx, connect: Token, why: Gone) {
        let client = self.client.on_failed(cx, connect, why);
        assert!(client || self.worker.on_failed(cx, connect, why));
        self.collect(cx);
    }

    fn timer(&mut self, cx: &mut Cx, timer: Token) {
        let of_set = match &mut self.under_way {
            Some((_, whole)) => whole.on_timer(cx, &mut self.client, timer),
            None => timer == AGAIN,
        };
        assert!(of_set || self.client.on_timer(cx, timer) || self.worker.on_timer(cx, timer));
        self.collect(cx);
    }

    fn invariants(&self) {
        self.client.invariants();
        self.worker.invariants();
    }
}
