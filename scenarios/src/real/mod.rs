//! Running a story on real sockets: the hosts' command lines as processes on this machine.
//!
//! Every host gets an address of its own in 127.77.0.0/16 and a folder of its own. Its command
//! lines are started as child processes of the `storytime` program; models and loads run in this
//! process on the same driver. What cannot be done to a real machine from a program is replaced,
//! and the report says so: a power cut is `kill -9`, which no page cache forgets.
//!
//! Counters are what the servers themselves tell (memcached: `stats`;
//! a proxy: `stats proxy`, a database: `INFO`). How busy a host's processor is, of as many cores as
//! the file gives it, is what the system says of its processes, and what its web servers compute.
//!
//! Not done: links (latency, loss), cut cables, memory limits, cores, cost tables. They are as this
//! machine has them.

mod busy;
mod children;
mod stats;
mod surroundings;

use crate::build::Seat;
use crate::models::app::COMPUTED_NS;
use crate::models::{Boxed, Results};
use crate::plan::Plan;
use crate::run::{Measured, Run, VariantRun};
use crate::sample::{CPU_BUSY_NS, CPU_NS, Reading, Samples, Watched};
use crate::story::{Action, Happening, Setup, Story};
use children::{Children, Listens, await_port};
use stats::Asker;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use storytime_real::{Clock, Handle, Host, spawn};
use storytime_reports::model::Arm;
use surroundings::Files;

/// The hosts' addresses begin here; each run takes 256 of them.
const ADDRESSES: u32 = u32::from_be_bytes([127, 77, 0, 0]);
/// Runs on one machine that do not get into each other's way, by the number of the process.
const RUNS_AT_ONCE: u32 = 200;
/// How long a sleeping run takes to notice that it was interrupted.
const NAP: Duration = Duration::from_millis(50);
/// How long a program that ends by itself may take beyond the story's end.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// What a real run needs from its surroundings.
#[derive(Clone, Debug)]
pub struct RealOptions {
    /// The `storytime` program.
    pub program: PathBuf,
    /// Where the hosts' folders and the children's output go; made if missing.
    pub work_dir: PathBuf,
    /// Set it to end the run early.
    pub interrupted: Arc<AtomicBool>,
}

/// Why a story could not be run on real sockets.
#[derive(Debug)]
pub enum RealError {
    /// The story does not say `real = true`.
    NotReal(String),
    /// Something in it has no counterpart on real machines.
    Unsupported(String),
    /// An address is taken, or this system has no 127.77.0.0/16.
    Address(IpAddr, u16, std::io::Error),
    /// A child process could not be started.
    Start(String, std::io::Error),
    /// A child process ended or stayed silent; its last words.
    Child(String, String),
    /// A folder or file could not be written.
    Folder(PathBuf, std::io::Error),
    /// Somebody asked the run to end.
    Interrupted,
}

impl fmt::Display for RealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReal(id) => {
                write!(f, "the story `{id}` runs in the simulator only; leave out --real")
            }
            Self::Unsupported(what) => write!(f, "this cannot be done on real sockets: {what}"),
            Self::Address(ip, port, error) => write!(
                f,
                "cannot listen on {ip}:{port}: {error}; is another run under way? \
                 (not every system lets programs use all of 127.0.0.0/8)"
            ),
            Self::Start(line, error) => write!(f, "cannot start `{line}`: {error}"),
            Self::Child(line, words) => write!(f, "`{line}` {words}"),
            Self::Folder(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for RealError {}

impl RealOptions {
    /// Options that nobody interrupts.
    pub fn new(program: impl Into<PathBuf>, work_dir: impl Into<PathBuf>) -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        Self { program: program.into(), work_dir: work_dir.into(), interrupted }
    }
}

/// Runs the variants of a story that run for real, one after the other.
///
/// # Errors
/// If the story cannot be run here; what was started is ended again.
pub fn run_real(story: &Story, seed: u64, options: &RealOptions) -> Result<Run, RealError> {
    if !story.card.real {
        return Err(RealError::NotReal(story.card.id.clone()));
    }
    let began = Instant::now();
    let mut variants = Vec::new();
    let mut notes = vec![
        "On real sockets every host is one or more processes on this machine; latency, cores and \
         disks are this machine's, and sizes are those of the story's [real] table."
            .to_owned(),
    ];
    let watched = Watched::of(story);
    for (n, variant) in story.variants.iter().enumerate().filter(|(_, variant)| variant.real) {
        check(&variant.setup)?;
        notes.extend(replaced(&variant.setup));
        variants.push(run_variant(n, &variant.setup, &watched, seed, options)?);
    }
    notes.dedup();
    Ok(Run { arm: Arm::Real, seed, variants, wall: began.elapsed(), notes })
}

/// What stands for what on real machines.
fn replaced(setup: &Setup) -> Option<String> {
    let cut = |h: &&Happening| h.active && matches!(h.action, Action::PowerCut(_));
    let cuts = setup.timeline.iter().find(cut)?;
    Some(format!(
        "On real sockets `{}` was `kill -9`: the page cache survives, so nothing may be lost, and \
         lying disks cannot be told from honest ones.",
        cuts.text
    ))
}

/// Refuses what has no counterpart.
fn check(setup: &Setup) -> Result<(), RealError> {
    let lines = setup.hosts.iter().flat_map(|host| &host.run);
    if let Some(line) = lines.into_iter().find(|line| line.program.moves_address()) {
        let why = "nobody here may move an address";
        return Err(RealError::Unsupported(format!("{why}: `{}`", line.text)));
    }
    let in_process = |host: usize| {
        setup.models.iter().any(|model| model.host == host)
            || setup.loads.iter().any(|load| load.on.contains(&host))
    };
    for happening in setup.timeline.iter().filter(|happening| happening.active) {
        let supported = match happening.action {
            Action::Cut(..) | Action::Heal(..) => false,
            Action::PowerOn(host)
            | Action::PowerCut(host)
            | Action::Stop(host)
            | Action::Kill(host)
            | Action::Restart(host)
            | Action::Freeze(host)
            | Action::Thaw(host) => {
                !in_process(host) && !happening.among.iter().any(|&host| in_process(host))
            }
            Action::Run(..)
            | Action::AddCache { .. }
            | Action::RemoveCache { .. }
            | Action::Tell { .. }
            | Action::Mark => true,
        };
        if !supported {
            return Err(RealError::Unsupported(happening.text.clone()));
        }
    }
    Ok(())
}

/// The loopback address of a host in this run.
fn address(host: usize) -> IpAddr {
    let run = std::process::id() % RUNS_AT_ONCE;
    Ipv4Addr::from(ADDRESSES + run * 256 + host as u32 + 1).into()
}

/// One variant on real sockets.
struct Stage<'a> {
    setup: &'a Setup,
    options: &'a RealOptions,
    children: Children<'a>,
    models: Vec<Handle<Boxed>>,
    loads: Vec<Vec<Handle<Boxed>>>,
    samples: Samples,
    asker: Asker,
}

fn run_variant(
    variant: usize,
    setup: &Setup,
    watched: &Watched,
    seed: u64,
    options: &RealOptions,
) -> Result<VariantRun, RealError> {
    let plan = Plan::draw(seed, setup);
    check_ports(setup)?;
    let work_dir = options.work_dir.join(format!("{}-{variant}", std::process::id()));
    // What earlier runs of this process left would be taken for this run's disks.
    match std::fs::remove_dir_all(&work_dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(RealError::Folder(work_dir, error));
        }
        _ => {}
    }
    let _files = Files::lay(setup, &work_dir)?;
    let children = Children::new(setup, options, work_dir.clone(), seed);
    let (models, loads) = (Vec::new(), Vec::new());
    let (samples, asker) = (Samples::new(watched, setup), Asker::default());
    let mut stage = Stage { setup, options, children, models, loads, samples, asker };
    stage.boot()?;
    let began = Instant::now();
    stage.start_models(seed, &work_dir)?;
    stage.start_loads(&plan, seed, &work_dir)?;
    stage.play(&plan, began)?;
    let reached_ns = storytime_machine::nanos(began.elapsed());
    let measured = stage.measured()?;
    stage.children.end_all();
    Ok(VariantRun {
        variant,
        plan,
        measured,
        digest: 0,
        events: 0,
        reached_ns,
        broken: None,
        trace: Vec::new(),
    })
}

/// Finds a taken port before anything is started.
fn check_ports(setup: &Setup) -> Result<(), RealError> {
    let of_programs = setup.hosts.iter().enumerate().flat_map(|(n, host)| {
        host.run.iter().filter_map(move |line| line.program.port().map(|port| (n, port)))
    });
    let of_models =
        setup.models.iter().filter_map(|model| model.spec.port().map(|port| (model.host, port)));
    for (host, port) in of_programs.chain(of_models) {
        let ip = address(host);
        TcpListener::bind((ip, port)).map_err(|error| RealError::Address(ip, port, error))?;
    }
    Ok(())
}

/// The servers on a host, and how each is asked for its counters.
fn servers(setup: &Setup, host: usize) -> impl Iterator<Item = (SocketAddr, &'static str)> {
    let of = &setup.hosts[host];
    let programs = of.run.iter().map(|line| &line.program);
    programs.filter(|program| of.used && !program.ends()).filter_map(move |program| {
        let at = SocketAddr::new(address(host), program.port()?);
        Some((at, program.counters_request()))
    })
}

/// How long the loads of a host have computed.
fn computed_ns(setup: &Setup, loads: &[Vec<Handle<Boxed>>], host: usize) -> u64 {
    let parts = setup.loads.iter().zip(loads).flat_map(|(load, handles)| {
        load.on.iter().zip(handles).filter(|(on, _)| **on == host).map(|(_, handle)| handle)
    });
    let mut computed = 0;
    for handle in parts {
        handle.with_machine(|machine| {
            machine.counters(&mut |name, ns| {
                computed += if name == COMPUTED_NS { ns } else { 0 };
            });
        });
    }
    computed
}

impl Stage<'_> {
    fn boot(&mut self) -> Result<(), RealError> {
        for n in 0..self.setup.hosts.len() {
            if self.setup.hosts[n].at_boot {
                self.children.boot(n)?;
            }
        }
        self.children.await_ports(&self.options.interrupted)
    }

    fn place(&self, host: usize, seed: u64, work_dir: &std::path::Path, clock: Clock) -> Host {
        let data_dir = work_dir.join(&self.setup.hosts[host].name);
        Host { ip: Some(address(host)), seed, clock, ..Host::new(data_dir) }
    }

    fn start_models(&mut self, seed: u64, work_dir: &std::path::Path) -> Result<(), RealError> {
        for model in &self.setup.models {
            let host = self.place(model.host, seed, work_dir, Clock::start());
            let handle = spawn(host, model.spec.build(self.setup))
                .map_err(|error| RealError::Start(model.name.clone(), error))?;
            self.models.push(handle);
            let Some(port) = model.spec.port() else { continue };
            let interrupted = &self.options.interrupted;
            match await_port(model.host, port, interrupted, || false)? {
                Listens::Yes => {}
                Listens::No(what) => {
                    return Err(RealError::Child(model.name.clone(), what.to_owned()));
                }
            }
        }
        Ok(())
    }

    fn start_loads(
        &mut self,
        plan: &Plan,
        seed: u64,
        work_dir: &std::path::Path,
    ) -> Result<(), RealError> {
        for (n, load) in self.setup.loads.iter().enumerate() {
            let mut handles = Vec::new();
            let shared = &load.spec.share(self.setup, load.on.len());
            for (part, &on) in load.on.iter().enumerate() {
                // Each part draws from its own streams, as each host does in the simulator.
                let seed = storytime_machine::hash::fold(seed, part as u64 + 1);
                let host = self.place(on, seed, work_dir, Clock::start());
                let setup = self.setup;
                let address = &address;
                let seat = Seat { setup, plan, load: n, part, shared, address, computes: true };
                let machine = seat.build();
                let handle = spawn(host, machine)
                    .map_err(|error| RealError::Start(load.name.clone(), error))?;
                handles.push(handle);
            }
            self.loads.push(handles);
        }
        Ok(())
    }

    fn play(&mut self, plan: &Plan, began: Instant) -> Result<(), RealError> {
        for n in plan.order() {
            self.sleep_until(began, plan.offset(n))?;
            if !self.setup.timeline[n].active {
                continue;
            }
            match &plan.action(self.setup, n) {
                Action::PowerOn(host) | Action::Restart(host) => self.children.boot(*host)?,
                Action::PowerCut(host) => self.children.cut(*host),
                Action::Kill(host) => self.children.kill(*host),
                Action::Stop(host) => self.children.stop(*host),
                Action::Freeze(host) => self.children.freeze(*host, true),
                Action::Thaw(host) => self.children.freeze(*host, false),
                Action::Run(host, line) => self.children.start(*host, line)?,
                // Loads carry their own list of changes; the rest was refused before.
                Action::AddCache { .. } | Action::RemoveCache { .. } => {}
                Action::Tell { .. } | Action::Mark => {}
                Action::Cut(..) | Action::Heal(..) => {}
            }
        }
        self.sleep_until(began, self.setup.duration)
    }

    /// Sleeps, and reads the counters at the end of each bucket on the way.
    fn sleep_until(&mut self, began: Instant, until: Duration) -> Result<(), RealError> {
        while let Some(at) = self.samples.next().filter(|at| *at <= until) {
            self.sleep(began + at)?;
            self.take_counters(began);
        }
        self.sleep(began + until)
    }

    fn take_counters(&mut self, began: Instant) {
        let (setup, asker) = (self.setup, &mut self.asker);
        let (loads, children) = (&self.loads, &self.children);
        let elapsed_ns = storytime_machine::nanos(began.elapsed());
        let last = self.samples.is_last();
        for host in self.samples.hosts() {
            servers(setup, host).for_each(|(at, request)| asker.ask(at, request));
        }
        self.samples.take(|host| {
            let mut sum = Reading::new();
            let of = &setup.hosts[host];
            if !of.used {
                return sum;
            }
            let busy_ns = children.busy_ns(host) + computed_ns(setup, loads, host);
            sum.insert(CPU_BUSY_NS.to_owned(), busy_ns);
            sum.insert(CPU_NS.to_owned(), elapsed_ns.saturating_mul(of.cores.into()));
            for (name, count) in servers(setup, host).flat_map(|(at, _)| asker.read(at, last)) {
                *sum.entry(name).or_default() += count;
            }
            sum
        });
    }

    fn sleep(&mut self, until: Instant) -> Result<(), RealError> {
        loop {
            self.children.respawn()?;
            if self.options.interrupted.load(Ordering::Relaxed) {
                return Err(RealError::Interrupted);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn measured(&mut self) -> Result<Measured, RealError> {
        let mut measured = Measured::default();
        for handles in &self.loads {
            let mut all = Results::default();
            for handle in handles {
                handle.stop();
                all.merge(handle.with_machine(|machine| machine.results()));
            }
            measured.loads.push(all);
        }
        for handle in &self.models {
            handle.stop();
            measured.models.push(handle.with_machine(|machine| machine.results()));
        }
        measured.hosts = self.children.results(&self.options.interrupted, LAST_WORDS)?;
        for (host, results) in measured.hosts.iter_mut().enumerate() {
            results.merge(self.samples.results(host));
        }
        Ok(measured)
    }
}
