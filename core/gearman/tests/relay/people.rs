//! Who submits jobs, who does them, and who types; and what they saw.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use storytime_gearman::adapter::{Adapter, Handler};
use storytime_gearman::client::{Client, ClientOptions, Event, Job};
use storytime_gearman::engine::Grab;
use storytime_gearman::worker::{JobId, Worker, WorkerEvent, WorkerOptions};
use storytime_machine::{Boot, Bytes, BytesMut, Conn, Cx, Endpoint, Gone, Machine, Open, Token};

const BASE: Token = Token(1 << 40);
const TICK: Token = Token(0);
/// Between two submits.
pub(crate) const PACE: Duration = Duration::from_millis(11);
/// How long a job takes.
const SPAN: Duration = Duration::from_millis(3);

/// What happened, whatever became of the memory of those who did it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) submitted: u64,
    /// Jobs whose handle was told.
    pub(crate) accepted: BTreeSet<u64>,
    /// Jobs that a worker ended.
    pub(crate) done: BTreeSet<u64>,
    pub(crate) refused: u64,
    /// What was said last to who typed.
    pub(crate) said: String,
    /// So many jobs are submitted, and no more.
    pub(crate) submits_max: u64,
    /// So many jobs are done, and the next one is held.
    pub(crate) done_max: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            submitted: 0,
            accepted: BTreeSet::new(),
            done: BTreeSet::new(),
            refused: 0,
            said: String::new(),
            submits_max: u64::MAX,
            done_max: usize::MAX,
        }
    }
}

/// The record of one world.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Seen>>);

impl Book {
    pub(crate) fn open(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().expect("one thread")
    }

    /// Jobs that were accepted and never done.
    pub(crate) fn missing(&self) -> Vec<u64> {
        let seen = self.open();
        seen.accepted.difference(&seen.done).copied().collect()
    }
}

/// Submits jobs in the background, each with its number for data.
pub(crate) struct Asker {
    book: Book,
    /// When the first one is submitted, after the start.
    begin: Duration,
}

impl Asker {
    pub(crate) fn new(book: Book, servers: &[Endpoint], begin: Duration) -> Adapter<Self> {
        let options = ClientOptions {
            servers: servers.to_vec(),
            retry_after: Duration::from_millis(100),
            retry_after_max: Duration::from_millis(400),
            timeout: Duration::from_secs(2),
            ..ClientOptions::default()
        };
        Adapter::new(Client::new(options, BASE), Self { book, begin })
    }
}

impl Handler for Asker {
    type Part = Client;

    fn start(&mut self, cx: &mut Cx, _: &mut Client) {
        cx.after(TICK, self.begin);
    }

    fn event(&mut self, _: &mut Cx, _: &mut Client, event: Event) {
        let mut seen = self.book.open();
        match event {
            Event::Created { tag, .. } => {
                seen.accepted.insert(tag);
            }
            Event::Refused { .. } => seen.refused += 1,
            _ => {}
        }
    }

    fn timer(&mut self, cx: &mut Cx, client: &mut Client, _: Token) {
        cx.after(TICK, PACE);
        let number = {
            let mut seen = self.book.open();
            if seen.submitted >= seen.submits_max {
                return;
            }
            seen.submitted += 1;
            seen.submitted
        };
        let data = Bytes::from(number.to_string());
        let job = Job { background: true, ..Job::new("work", data) };
        // One that finds too many under way was not accepted by anybody.
        let _full = client.submit(cx, job, number);
    }
}

/// Does jobs, one at a time.
pub(crate) struct Doer {
    book: Book,
    doing: Option<(JobId, u64)>,
}

impl Doer {
    pub(crate) fn new(book: Book, servers: &[Endpoint]) -> Adapter<Self> {
        let options = WorkerOptions {
            servers: servers.to_vec(),
            functions: vec![(Bytes::from_static(b"work"), None)],
            grab: Grab::Plain,
            retry_after: Duration::from_millis(100),
            retry_after_max: Duration::from_millis(400),
            ..WorkerOptions::default()
        };
        Adapter::new(Worker::new(options, BASE), Self { book, doing: None })
    }
}

impl Handler for Doer {
    type Part = Worker;

    fn event(&mut self, cx: &mut Cx, _: &mut Worker, event: WorkerEvent) {
        if let WorkerEvent::Job { job, data, .. } = event {
            let number = std::str::from_utf8(&data).ok().and_then(|text| text.parse().ok());
            self.doing = Some((job, number.expect("a number was submitted")));
            cx.after(TICK, SPAN);
        }
    }

    fn timer(&mut self, cx: &mut Cx, worker: &mut Worker, _: Token) {
        let mut seen = self.book.open();
        if seen.done.len() >= seen.done_max {
            cx.after(TICK, SPAN);
        } else if let Some((job, number)) = self.doing.take()
            && worker.complete(cx, job, Bytes::new()).is_ok()
        {
            seen.done.insert(number);
        }
    }
}

/// Sends a line to a server whenever it is started, and notes what comes back.
pub(crate) struct Typist {
    book: Book,
    to: Endpoint,
    line: &'static str,
}

impl Typist {
    pub(crate) fn new(book: Book, to: Endpoint, line: &'static str) -> Self {
        Self { book, to, line }
    }
}

impl Machine for Typist {
    fn start(&mut self, cx: &mut Cx, _: Boot) {
        self.book.open().said.clear();
        cx.connect(TICK, self.to.clone(), Duration::from_secs(1));
    }

    fn open(&mut self, cx: &mut Cx, conn: Conn, _how: Open) {
        if let Some(tx) = cx.tx(conn) {
            tx.put(self.line.as_bytes());
        }
    }

    fn data(&mut self, _cx: &mut Cx, _conn: Conn, rx: &mut BytesMut) {
        self.book.open().said.push_str(&String::from_utf8_lossy(rx));
        rx.clear();
    }

    fn failed(&mut self, _cx: &mut Cx, _connect: Token, why: Gone) {
        self.book.open().said = why.to_string();
    }
}
