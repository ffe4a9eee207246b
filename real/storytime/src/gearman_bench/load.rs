//! The loads: submitters in the background, clients that wait, workers that answer at once.
//!
//! One thread, so that the load costs little beside the server. Every loop is closed: each
//! connection keeps a number of jobs under way, and a job's time begins when it is written.

use super::packets::{TAG_BYTES, Template, put, tag};
use super::server::{Usage, usage};
use super::socket::{Packet, Ready, Sockets, wrong};
use super::stream::Greeting;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use storytime_gearman::packet::Kind;

/// Nothing coming back for this long means that the server is stuck.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest time of a job that is told apart, nanoseconds.
const TIME_NANOS_MAX: u64 = 60_000_000_000;
/// After the last packet of a preparation, so that the server has dealt with it.
const SETTLE: Duration = Duration::from_millis(50);

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// After so many jobs.
    Jobs(u64),
    /// After so long.
    Time(Duration),
}

/// The server and the jobs.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Where it listens.
    pub(super) at: SocketAddr,
    /// How connections begin.
    pub(super) greeting: Greeting,
    /// Its process, if its CPU time is to be told.
    pub(super) pid: Option<u32>,
    /// The function.
    pub(super) function: String,
    /// Bytes of a job's data.
    pub(super) data_bytes: usize,
    /// Whether jobs have unique keys, and after how many they come again (0: never).
    pub(super) keys: Option<u64>,
    /// Keys of different runs differ.
    pub(super) salt: u64,
}

/// What a load was like.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// Jobs that were answered, or done.
    pub(super) jobs: u64,
    /// Jobs that the server did not accept.
    pub(super) refused: u64,
    /// From the first to the last.
    pub(super) took: Duration,
    /// Time of each job, nanoseconds.
    pub(super) times: Histogram<u64>,
    /// The server's process before and after.
    pub(super) usage: Option<(Usage, Usage)>,
}

impl Measured {
    fn new() -> Self {
        let times = Histogram::new_with_max(TIME_NANOS_MAX, 3);
        let times = times.expect("three digits below a minute");
        Self { jobs: 0, refused: 0, took: Duration::ZERO, times, usage: None }
    }

    fn record(&mut self, took: Duration, jobs: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.times.saturating_record_n(nanos.max(1), jobs);
        self.jobs += jobs;
    }
}

impl Target {
    fn template(&self, kind: Kind, run: u64) -> Template {
        let salt = self.salt.wrapping_add(run << 40);
        Template::new(kind, &self.function, self.data_bytes, self.keys, salt)
    }

    fn usage(&self) -> io::Result<Option<Usage>> {
        self.pid.map(usage).transpose()
    }
}

// ---- in the background --------------------------------------------------------------------------

/// Connections that submit jobs which nobody waits for.
pub(super) struct Submitters {
    target: Target,
    sockets: Sockets,
    depth: u64,
    runs: u64,
    /// When the jobs under way were written, and how many of them, by connection.
    under_way: Vec<VecDeque<(Instant, u64)>>,
}

impl Submitters {
    pub(super) fn connect(target: &Target, connections: usize, depth: u64) -> io::Result<Self> {
        let mut sockets = Sockets::new()?;
        for _ in 0..connections {
            sockets.connect(target.at, &target.greeting)?;
        }
        let under_way = vec![VecDeque::new(); connections];
        Ok(Self { target: target.clone(), sockets, depth, runs: 0, under_way })
    }

    pub(super) fn run(&mut self, until: Until) -> io::Result<Measured> {
        self.runs += 1;
        let template = self.target.template(Kind::SubmitJobBg, self.runs);
        let (mut measured, mut ready) = (Measured::new(), Ready::new());
        let before = self.target.usage()?;
        let start = Instant::now();
        let mut submitted = 0;
        for index in 0..self.under_way.len() {
            let share = share(until, self.under_way.len() as u64, index as u64);
            self.submit(index, &template, &mut submitted, self.depth.min(share), start)?;
        }
        while submitted > measured.jobs + measured.refused {
            if !self.sockets.wait(PATIENCE, &mut ready)? {
                return Err(wrong("the server is silent"));
            }
            for &index in &ready {
                let (mut answered, mut refused) = (0, 0);
                self.sockets.read(index, |packet, _| match Kind::of(packet.kind) {
                    Some(Kind::JobCreated) => {
                        answered += 1;
                        Ok(())
                    }
                    Some(Kind::Error) => {
                        refused += 1;
                        Ok(())
                    }
                    _ => Err(unexpected(packet)),
                })?;
                let now = Instant::now();
                self.answered(index, answered + refused, now, &mut measured);
                measured.jobs -= refused;
                measured.refused += refused;
                let more = match until {
                    Until::Jobs(jobs) => (jobs - submitted).min(answered + refused),
                    Until::Time(length) if now - start < length => answered + refused,
                    Until::Time(_) => 0,
                };
                self.submit(index, &template, &mut submitted, more, now)?;
            }
        }
        measured.took = start.elapsed();
        measured.usage = before.zip(self.target.usage()?);
        Ok(measured)
    }

    fn submit(
        &mut self,
        index: usize,
        template: &Template,
        submitted: &mut u64,
        jobs: u64,
        now: Instant,
    ) -> io::Result<()> {
        if jobs == 0 {
            return Ok(());
        }
        let out = self.sockets.out(index);
        for _ in 0..jobs {
            template.put(out, *submitted, *submitted);
            *submitted += 1;
        }
        self.under_way[index].push_back((now, jobs));
        self.sockets.flush(index)
    }

    fn answered(&mut self, index: usize, mut answered: u64, now: Instant, into: &mut Measured) {
        let under_way = &mut self.under_way[index];
        while answered > 0 {
            let (since, jobs) = under_way.front_mut().expect("what is answered was submitted");
            let of_these = answered.min(*jobs);
            into.record(now - *since, of_these);
            *jobs -= of_these;
            answered -= of_these;
            if *jobs == 0 {
                under_way.pop_front();
            }
        }
    }
}

/// How many jobs a connection may begin with.
fn share(until: Until, connections: u64, index: u64) -> u64 {
    match until {
        Until::Jobs(jobs) => jobs / connections + u64::from(index < jobs % connections),
        Until::Time(_) => u64::MAX,
    }
}

fn unexpected(packet: Packet<'_>) -> io::Error {
    let name = Kind::of(packet.kind).map_or("a packet without a name", Kind::name);
    let body = packet.body[..packet.body.len().min(80)].escape_ascii();
    io::Error::other(format!("the server says {name} {body}"))
}

// ---- workers, and clients that wait -------------------------------------------------------------

/// What a worker waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    AwaitJob,
    Asleep,
}

/// Connections that wait for results, and connections that give them.
pub(super) struct Crowd {
    target: Target,
    sockets: Sockets,
    clients: usize,
    depth: usize,
    workers: Vec<Worker>,
    runs: u64,
    ready: Ready,
}

impl Crowd {
    /// Connects the clients, then the workers. Workers do nothing before they are put to work.
    pub(super) fn connect(
        target: &Target,
        clients: usize,
        depth: usize,
        workers: usize,
    ) -> io::Result<Self> {
        let mut sockets = Sockets::new()?;
        for _ in 0..clients + workers {
            sockets.connect(target.at, &target.greeting)?;
        }
        let workers = vec![Worker::Asleep; workers];
        let (target, ready) = (target.clone(), Ready::new());
        Ok(Self { target, sockets, clients, depth, workers, runs: 0, ready })
    }

    /// Registers the workers, which ask for a job at once.
    fn put_to_work(&mut self) -> io::Result<()> {
        for at in 0..self.workers.len() {
            let out = self.sockets.out(self.clients + at);
            put(out, Kind::CanDo, &[self.target.function.as_bytes()]);
            put(out, Kind::GrabJobUniq, &[]);
            self.workers[at] = Worker::AwaitJob;
            self.sockets.flush(self.clients + at)?;
        }
        Ok(())
    }

    /// Registers the workers and waits until all of them sleep.
    pub(super) fn put_to_sleep(&mut self) -> io::Result<()> {
        self.put_to_work()?;
        let mut measured = Measured::new();
        while self.workers.contains(&Worker::AwaitJob) {
            self.step(&mut [], &mut measured, |_| None)?;
        }
        std::thread::sleep(SETTLE);
        Ok(())
    }

    /// Keeps jobs under way from every client.
    pub(super) fn foreground(&mut self, until: Until) -> io::Result<Measured> {
        self.runs += 1;
        let template = self.target.template(Kind::SubmitJob, self.runs);
        let mut measured = Measured::new();
        let before = self.target.usage()?;
        let start = Instant::now();
        // A job's number is its place here.
        let mut since = vec![start; self.clients * self.depth];
        let mut submitted = 0;
        let may = |submitted: u64, now: Instant| match until {
            Until::Jobs(jobs) => submitted < jobs,
            Until::Time(length) => now - start < length,
        };
        for place in 0..since.len() {
            if may(submitted, start) {
                let index = place / self.depth;
                template.put(self.sockets.out(index), submitted, place as u64);
                submitted += 1;
                self.sockets.flush(index)?;
            }
        }
        while measured.jobs < submitted {
            let mut next = |now| {
                may(submitted, now).then(|| {
                    submitted += 1;
                    (&template, submitted - 1)
                })
            };
            self.step(&mut since, &mut measured, &mut next)?;
        }
        measured.took = start.elapsed();
        measured.usage = before.zip(self.target.usage()?);
        Ok(measured)
    }

    /// Has the workers do so many queued jobs.
    pub(super) fn drain(&mut self, jobs: u64) -> io::Result<Measured> {
        let mut measured = Measured::new();
        let before = self.target.usage()?;
        let start = Instant::now();
        self.put_to_work()?;
        while measured.jobs < jobs {
            self.step(&mut [], &mut measured, |_| None)?;
        }
        measured.took = start.elapsed();
        std::thread::sleep(SETTLE);
        measured.usage = before.zip(self.target.usage()?);
        // They were not written by anybody here.
        measured.times.reset();
        Ok(measured)
    }

    /// Waits, and answers what came. `next` gives the packet and the number of another job.
    fn step<'a>(
        &mut self,
        since: &mut [Instant],
        measured: &mut Measured,
        mut next: impl FnMut(Instant) -> Option<(&'a Template, u64)>,
    ) -> io::Result<()> {
        let mut ready = core::mem::take(&mut self.ready);
        if !self.sockets.wait(PATIENCE, &mut ready)? {
            return Err(wrong("the server is silent"));
        }
        for &index in &ready {
            match index.checked_sub(self.clients) {
                Some(at) => {
                    let worker = &mut self.workers[at];
                    let drained = since.is_empty();
                    self.sockets.read(index, |packet, out| {
                        let done = work(worker, packet, out)?;
                        measured.jobs += u64::from(done && drained);
                        Ok(())
                    })?;
                }
                None => {
                    let now = Instant::now();
                    self.sockets.read(index, |packet, out| {
                        let Some(place) = result(packet)? else { return Ok(()) };
                        let begun = since.get_mut(place as usize);
                        let begun = begun.ok_or_else(|| unexpected(packet))?;
                        measured.record(now - *begun, 1);
                        if let Some((template, number)) = next(now) {
                            *begun = now;
                            template.put(out, number, place);
                        }
                        Ok(())
                    })?;
                }
            }
            self.sockets.flush(index)?;
        }
        self.ready = ready;
        Ok(())
    }
}

/// A worker's answer. Whether it did a job.
fn work(worker: &mut Worker, packet: Packet<'_>, out: &mut Vec<u8>) -> io::Result<bool> {
    match (Kind::of(packet.kind), *worker) {
        (Some(Kind::Noop), Worker::Asleep) => {
            put(out, Kind::GrabJobUniq, &[]);
            *worker = Worker::AwaitJob;
        }
        (Some(Kind::Noop), Worker::AwaitJob) => {}
        (Some(Kind::NoJob), _) => {
            put(out, Kind::PreSleep, &[]);
            *worker = Worker::Asleep;
        }
        (Some(Kind::JobAssignUniq), Worker::AwaitJob) => {
            let mut parts = packet.body.splitn(4, |&byte| byte == 0);
            let handle = parts.next().unwrap_or_default();
            let data = parts.nth(2).filter(|data| data.len() >= TAG_BYTES);
            let data = data.ok_or_else(|| unexpected(packet))?;
            put(out, Kind::WorkComplete, &[handle, b"\0", &data[..TAG_BYTES]]);
            put(out, Kind::GrabJobUniq, &[]);
            return Ok(true);
        }
        _ => return Err(unexpected(packet)),
    }
    Ok(false)
}

/// The number of the job whose result this is, if it is one.
fn result(packet: Packet<'_>) -> io::Result<Option<u64>> {
    match Kind::of(packet.kind) {
        Some(Kind::JobCreated) => Ok(None),
        Some(Kind::WorkComplete) => {
            let end = packet.body.iter().position(|&byte| byte == 0);
            let number = end.and_then(|end| tag(&packet.body[end + 1..]));
            number.map(Some).ok_or_else(|| unexpected(packet))
        }
        _ => Err(unexpected(packet)),
    }
}
