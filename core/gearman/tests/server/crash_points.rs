//! A job server with a durable queue, a client and a worker, and every state that a power cut could
//! leave of its disk: every job that was acknowledged and is not over is handed out under its old
//! name, none twice, none that nobody submitted.

use crate::rig::{config, packet};
use std::collections::{BTreeMap, BTreeSet};
use storytime_gearman::packet::{Kind, Magic, Packet, Parser};
use storytime_gearman::{Gearmand, PORT};
use storytime_machine::{Machine as _, Rng, Setup, Time};
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::enumerate::{
    Client, Ended, Flaw, FlawKind, Lone, More, Options, Report, Subject, enumerate,
};
use storytime_sim::{DiskConfig, SimDisk};

/// Jobs of the script.
const JOBS: usize = 40;
/// Submits on their way at once.
const PIPELINED: usize = 5;
/// The worker leaves every so many-th job undone, and lets go of it.
const LEFT_EVERY: usize = 4;

fn data(job: usize) -> String {
    format!("{job} {}", "d".repeat(job * 41 % 400))
}

fn job_of(data: &[u8]) -> Option<usize> {
    std::str::from_utf8(data).ok()?.split(' ').next()?.parse().ok()
}

/// Client and worker, and what they know.
struct Script {
    line: &'static str,
    client: Option<Client>,
    worker: Option<Client>,
    submitted: usize,
    /// Handles of jobs, in the order of the acknowledgements.
    acknowledged: Vec<Vec<u8>>,
    /// Jobs whose end was sent.
    ended: BTreeSet<usize>,
    /// Jobs that were handed out.
    assigned: BTreeSet<usize>,
    asking: bool,
}

impl Script {
    const fn new(line: &'static str) -> Self {
        Self {
            line,
            client: None,
            worker: None,
            submitted: 0,
            acknowledged: Vec::new(),
            ended: BTreeSet::new(),
            assigned: BTreeSet::new(),
            asking: false,
        }
    }
}

fn next(lone: &mut Lone<Gearmand>, client: Client) -> Option<Packet> {
    let parser = Parser::new(Magic::Response, 1 << 20);
    parser.next(lone.received(client)).expect("the server speaks the protocol")
}

fn submit(job: usize) -> Vec<u8> {
    let (key, data) = (format!("key{job}"), data(job));
    match job % 8 {
        3 => packet(Kind::SubmitJobEpoch, &[b"f", key.as_bytes(), b"1000", data.as_bytes()]),
        5 => packet(Kind::SubmitJobHighBg, &[b"f", b"", data.as_bytes()]),
        6 => {
            let reducer: [&[u8]; 5] = [b"f", key.as_bytes(), b"r", b"", data.as_bytes()];
            packet(Kind::SubmitReduceJobBackground, &reducer)
        }
        _ => packet(Kind::SubmitJobBg, &[b"f", key.as_bytes(), data.as_bytes()]),
    }
}

impl Subject for Script {
    type Machine = Gearmand;

    fn machine(&self) -> Gearmand {
        let line = format!("--job-handle-prefix H {}", self.line);
        // Each sector that is claimed ahead is a state of its own.
        let config = storytime_gearman::Config {
            checkpoint_bytes: 2_000,
            reserve_bytes: 8 << 10,
            ..config(&line)
        };
        Gearmand::new(config)
    }

    fn setup(&self, rng: Rng) -> Setup {
        Setup { limits: config(self.line).limits(), ..Setup::new(rng) }
    }

    fn is_up(&self, lone: &Lone<Gearmand>) -> bool {
        lone.listens(PORT)
    }

    fn step(&mut self, lone: &mut Lone<Gearmand>) -> More {
        let client = *self.client.get_or_insert_with(|| lone.connect(PORT).expect("it listens"));
        while let Some(reply) = next(lone, client) {
            assert_eq!(reply.kind, Kind::JobCreated);
            self.acknowledged.push(reply.argument(0).to_vec());
        }
        while self.submitted < JOBS.min(self.acknowledged.len() + PIPELINED) {
            lone.send(client, &submit(self.submitted));
            self.submitted += 1;
        }
        self.work(lone);
        let over = self.ended.len() + JOBS.div_ceil(LEFT_EVERY) >= JOBS;
        if over && self.acknowledged.len() == JOBS && lone.is_idle() { More::No } else { More::Yes }
    }

    fn promises(&self) -> u64 {
        (self.acknowledged.len() + self.ended.len()) as u64
    }

    fn check(&self, lone: &mut Lone<Gearmand>) -> Result<(), Flaw> {
        let found = handed_out(lone)?;
        let still = |job: &usize| !self.ended.contains(job);
        for job in (0..self.acknowledged.len()).filter(still) {
            match found.get(&job) {
                None => return Err(Flaw::lost(format!("job {job} was acknowledged"))),
                Some(handle) if *handle != self.acknowledged[job] => {
                    return Err(Flaw::invented(format!("job {job} has another name")));
                }
                Some(_) => {}
            }
        }
        match found.keys().find(|job| **job >= self.submitted) {
            Some(job) => Err(Flaw::invented(format!("job {job} was never submitted"))),
            None => self.takes_another(lone),
        }
    }
}

impl Script {
    /// The worker does most jobs, one at a time.
    fn work(&mut self, lone: &mut Lone<Gearmand>) {
        let worker = match self.worker {
            Some(worker) => worker,
            None => {
                let worker = lone.connect(PORT).expect("it listens");
                lone.send(worker, &packet(Kind::CanDo, &[b"f"]));
                *self.worker.insert(worker)
            }
        };
        while let Some(reply) = next(lone, worker) {
            if !matches!(reply.kind, Kind::JobAssign | Kind::NoJob) {
                continue;
            }
            self.asking = false;
            if reply.kind == Kind::JobAssign {
                let data = reply.data();
                let job = job_of(&data).expect("only the script's jobs");
                self.assigned.insert(job);
                if !job.is_multiple_of(LEFT_EVERY) {
                    self.ended.insert(job);
                    let handle = reply.argument(0);
                    lone.send(worker, &packet(Kind::WorkComplete, &[handle, b"done"]));
                }
            }
        }
        // What is left stays with this worker: it is not handed out again.
        let waiting = self.acknowledged.len() > self.assigned.len();
        if !self.asking && waiting {
            self.asking = true;
            lone.send(worker, &packet(Kind::GrabJob, &[]));
        }
    }

    /// It goes on: what is submitted now is acknowledged, under a name that no other job had.
    fn takes_another(&self, lone: &mut Lone<Gearmand>) -> Result<(), Flaw> {
        let client = lone.connect(PORT).ok_or_else(|| Flaw::stuck("it takes no connections"))?;
        lone.send(client, &packet(Kind::SubmitJobBg, &[b"other", b"", b"x"]));
        let mut handle = None;
        lone.run_until(|lone| {
            handle = next(lone, client);
            handle.is_some()
        });
        match handle {
            None => Err(Flaw::stuck("a new job is not acknowledged")),
            Some(reply) if reply.kind != Kind::JobCreated => {
                Err(Flaw::stuck(format!("a new job: {}", reply.kind.name())))
            }
            Some(reply) if self.acknowledged.iter().any(|name| name == reply.argument(0)) => {
                Err(Flaw::invented("a new job has the name of another"))
            }
            Some(_) => Ok(()),
        }
    }
}

/// Every job that a worker is given, with its name.
fn handed_out(lone: &mut Lone<Gearmand>) -> Result<BTreeMap<usize, Vec<u8>>, Flaw> {
    let worker = lone.connect(PORT).ok_or_else(|| Flaw::stuck("it takes no connections"))?;
    lone.send(worker, &packet(Kind::CanDo, &[b"f"]));
    let mut found = BTreeMap::new();
    loop {
        lone.send(worker, &packet(Kind::GrabJob, &[]));
        let mut reply = None;
        lone.run_until(|lone| {
            reply = next(lone, worker);
            reply.is_some()
        });
        let reply = reply.ok_or_else(|| Flaw::stuck("a worker is not answered"))?;
        if reply.kind != Kind::JobAssign {
            return Ok(found);
        }
        let job = job_of(&reply.data()).ok_or_else(|| Flaw::invented("data of no job"))?;
        if data(job).as_bytes() != &reply.data()[..] {
            return Err(Flaw::invented(format!("job {job} has other data")));
        }
        if found.insert(job, reply.argument(0).to_vec()).is_some() {
            return Err(Flaw::invented(format!("job {job} is there twice")));
        }
    }
}

const DURABLE: &str = "--queue-dir queue";

fn options(disk: DiskConfig) -> Options {
    Options {
        random: 4,
        combined_choices_max: 4,
        single_choices_max: 24,
        second_cut_every: 64,
        ..Options::new(disk)
    }
}

fn examine(options: &Options) -> Report {
    enumerate(options, || Script::new(DURABLE))
}

#[test]
fn no_acknowledged_job_is_lost_in_any_state_of_an_honest_disk() {
    for profile in [Profile::Friendly, Profile::Posix, Profile::Hostile] {
        let report = examine(&options(DiskConfig::new(profile)));
        println!("{profile}: {report}");
        report.assert_clean();
        assert!(report.promises >= JOBS as u64);
        assert!(report.states.total() > 100, "{report}");
    }
}

#[test]
fn a_lying_disk_loses_acknowledged_jobs_and_invents_none() {
    for lies in [Lies::DRIVE, Lies::CONTROLLER, Lies::FILE_SYSTEM] {
        let disk = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
        let options =
            Options { random: 1, single_choices_max: 2, second_cut_every: 0, ..options(disk) };
        let report = examine(&options);
        println!("{lies:?}: {report}");
        assert_eq!(report.ended, Ended::Done);
        assert!(report.flaws_of(FlawKind::Lost) > 0, "{lies:?}: {report}");
        let said = report.flaws_of(FlawKind::Lost) + report.flaws_of(FlawKind::Refused);
        assert_eq!(said, report.flawed(), "{lies:?}: {report}");
    }
}

#[test]
fn the_script_goes_through_checkpoints() {
    let mut script = Script::new(DURABLE);
    let disk = SimDisk::new(DiskConfig::default(), Rng::new(1, 1));
    let setup = script.setup(Rng::new(1, 2));
    let mut lone = Lone::boot(script.machine(), setup, disk, Time::ZERO, 0);
    assert!(lone.run_until(|lone| lone.listens(PORT)));
    while script.step(&mut lone) == More::Yes {
        lone.advance();
    }
    let mut checkpoints = 0;
    lone.machine().counters(&mut |name, value| {
        checkpoints += if name == "queue_checkpoints" { value } else { 0 };
    });
    assert!(checkpoints > 1, "{checkpoints} checkpoints");
}
