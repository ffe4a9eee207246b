//! Running a story in the simulator: one world for each variant, all from the same seed.

use crate::build::{self, Seat};
use crate::metric::{Kind, MetricDef};
use crate::models::results::Result as Figure;
use crate::models::{Boxed, Results};
use crate::plan::Plan;
use crate::program::{CommandLine, Place, Printed, Program};
use crate::run::{Breakage, Measured, Run, VariantRun};
use crate::sample::{CPU_BUSY_NS, CPU_NS, DISK_BUSY_NS, DISK_NS, Reading, Samples, Watched};
use crate::story::{Action, Setup, Story};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use storytime_diskcheck::Verifier;
use storytime_machine::{Machine, Process, Time};
use storytime_memcached as memcached;
use storytime_reports::model::Arm;
use storytime_sim::campaign::panic_text;
use storytime_sim::{Config, Fault, HostConfig, HostId, ProcessId, ProgramConfig, Ran, World};

/// How a run is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Options {
    /// Keep the trace, as far as the world keeps it.
    pub trace: bool,
    /// Stop each variant after so many events.
    pub until_event: Option<u64>,
}

/// A program of a host in the world.
struct Running {
    host: usize,
    program: Program,
    processes: Vec<ProcessId>,
    /// What it printed, if it is one that prints.
    printed: Printed,
}

/// A variant's world, and who is who in it.
struct Stage<'a> {
    setup: &'a Setup,
    world: World,
    hosts: Vec<HostId>,
    programs: Vec<Running>,
    /// By load, its hosts' processes.
    loads: Vec<Vec<ProcessId>>,
    models: Vec<ProcessId>,
    samples: Samples,
    options: Options,
}

/// Runs every variant of a story.
pub fn run_simulated(story: &Story, seed: u64, options: Options) -> Run {
    let began = Instant::now();
    let variants = story.variants.iter().enumerate();
    let watched = Watched::of(story);
    let variants =
        variants.map(|(n, variant)| run_variant(n, &variant.setup, &watched, seed, options));
    let variants = variants.collect();
    let notes = Vec::new();
    Run { arm: Arm::Simulated, seed, variants, wall: began.elapsed(), notes }
}

fn run_variant(
    variant: usize,
    setup: &Setup,
    watched: &Watched,
    seed: u64,
    options: Options,
) -> VariantRun {
    let plan = Plan::draw(seed, setup);
    let mut stage = Stage::new(setup, watched, &plan, seed, options);
    // A machine's broken invariant is a panic: it ends this run, not the campaign.
    let broken = match catch_unwind(AssertUnwindSafe(|| stage.play(&plan))) {
        Ok(broken) => broken,
        Err(panic) => {
            let (at_ns, event) = (stage.world.now().0, stage.world.events());
            Some(Breakage { at_ns, event, text: panic_text(&*panic) })
        }
    };
    VariantRun {
        variant,
        measured: stage.measured(),
        digest: stage.world.digest(),
        events: stage.world.events(),
        reached_ns: stage.world.now().0,
        trace: if options.trace { stage.trace_lines() } else { Vec::new() },
        broken,
        plan,
    }
}

fn boxed<M: Machine>(
    machine: M,
    setup: storytime_machine::Setup,
) -> Box<dyn storytime_machine::Drive> {
    Box::new(Process::new(machine, setup))
}

impl<'a> Stage<'a> {
    fn new(setup: &'a Setup, watched: &Watched, plan: &Plan, seed: u64, options: Options) -> Self {
        let mut config = Config::new(seed);
        config.link = setup.link;
        config.trace_all = options.trace;
        config.events_max = options.until_event.unwrap_or(config.events_max);
        let mut world = World::new(config);
        let hosts: Vec<HostId> = setup
            .hosts
            .iter()
            .map(|host| {
                world.add_host(HostConfig {
                    ip: Some(host.ip),
                    cores: host.cores,
                    memory_bytes: host.memory_bytes,
                    disk: host.disk.as_ref().map(|disk| disk.config.clone()),
                    ..HostConfig::new(host.name.clone())
                })
            })
            .collect();
        for &(a, b, link) in &setup.links {
            world.link(hosts[a], hosts[b], link);
        }
        let (programs, loads, models) = (Vec::new(), Vec::new(), Vec::new());
        let samples = Samples::new(watched, setup);
        let mut stage = Self { setup, world, hosts, programs, loads, models, samples, options };
        for (n, host) in setup.hosts.iter().enumerate() {
            for line in &host.run {
                stage.add_program(n, line, true);
            }
        }
        stage.add_models();
        stage.add_loads(plan);
        stage
    }

    fn add_program(&mut self, host: usize, line: &CommandLine, autostart: bool) -> usize {
        let program = line.program.clone();
        let files = self.setup.files.iter().filter(|file| file.on.contains(&host));
        let place = Place {
            host: self.setup.hosts[host].name.clone(),
            files: files.cloned().collect(),
            printed: Printed::default(),
        };
        let config = ProgramConfig {
            name: program.name().to_owned(),
            workers: program.workers(),
            limits: program.limits(),
            costs: build::costs(self.setup, program.works()),
            autostart,
            respawn: self.setup.hosts[host].respawn,
            factory: program.factory(&place),
        };
        let processes = self.world.add_program(self.hosts[host], config);
        self.programs.push(Running { host, program, processes, printed: place.printed });
        self.programs.len() - 1
    }

    fn add_models(&mut self) {
        for (n, model) in self.setup.models.iter().enumerate() {
            let fresh = self.setup.clone();
            let factory = move |setup| boxed(fresh.models[n].spec.build(&fresh), setup);
            let config = ProgramConfig {
                costs: build::costs(self.setup, model.kind.works),
                ..ProgramConfig::new(model.name.clone(), factory)
            };
            let processes = self.world.add_program(self.hosts[model.host], config);
            self.models.extend(processes);
        }
    }

    fn add_loads(&mut self, plan: &Plan) {
        for (n, load) in self.setup.loads.iter().enumerate() {
            let mut processes = Vec::new();
            let shared = load.spec.share(self.setup, load.on.len());
            for (part, &host) in load.on.iter().enumerate() {
                let (fresh, plan) = (self.setup.clone(), plan.clone());
                let shared = Arc::clone(&shared);
                let factory = move |setup| {
                    let address = |host: usize| fresh.hosts[host].ip;
                    let (setup_of, plan, address) = (&fresh, &plan, &address);
                    let shared = &shared;
                    let seat = Seat {
                        setup: setup_of,
                        plan,
                        load: n,
                        part,
                        shared,
                        address,
                        computes: false,
                    };
                    boxed(seat.build(), setup)
                };
                let config = ProgramConfig {
                    costs: build::costs(self.setup, load.kind.works),
                    respawn: self.setup.hosts[host].respawn,
                    ..ProgramConfig::new(load.name.clone(), factory)
                };
                processes.extend(self.world.add_program(self.hosts[host], config));
            }
            self.loads.push(processes);
        }
    }

    /// Plays the timeline to the story's end, or until something breaks.
    fn play(&mut self, plan: &Plan) -> Option<Breakage> {
        for (n, host) in self.setup.hosts.iter().enumerate() {
            if host.at_boot {
                self.world.power_on(self.hosts[n]);
            }
        }
        for n in plan.order() {
            if let Some(broken) = self.run_until(plan.at[n]) {
                return Some(broken);
            }
            if self.stopped() {
                return None;
            }
            if self.setup.timeline[n].active {
                self.act(&plan.action(self.setup, n));
            }
        }
        self.run_until(Time::ZERO + self.setup.duration)
    }

    /// Whether the run was stopped where it was to stop.
    fn stopped(&self) -> bool {
        self.options.until_event.is_some_and(|events| self.world.events() > events)
    }

    /// Runs, and reads the counters at the end of each bucket on the way.
    fn run_until(&mut self, until: Time) -> Option<Breakage> {
        while let Some(at) = self.samples.next().map(|at| Time::ZERO + at)
            && at <= until
        {
            let broken = self.run_straight(at);
            if broken.is_some() || self.stopped() {
                return broken;
            }
            let (world, programs) = (&self.world, &self.programs);
            let (setup, ids) = (self.setup, &self.hosts);
            self.samples.take(|host| {
                let mut reading = reading(world, programs, host);
                let now = world.now().0;
                if !setup.hosts[host].used {
                    return reading;
                }
                let cores = u64::from(setup.hosts[host].cores);
                reading.insert(CPU_BUSY_NS.to_owned(), world.busy_ns(ids[host]));
                reading.insert(CPU_NS.to_owned(), now * cores);
                reading.insert(DISK_BUSY_NS.to_owned(), world.disk_busy_ns(ids[host]));
                reading.insert(DISK_NS.to_owned(), now);
                reading
            });
        }
        self.run_straight(until)
    }

    fn run_straight(&mut self, until: Time) -> Option<Breakage> {
        match self.world.run_until(until) {
            Ran::Reached | Ran::Quiet => None,
            // The world was made to break off there.
            Ran::Broken(_) if self.stopped() => None,
            Ran::Broken(failure) => Some(Breakage {
                at_ns: failure.at.0,
                event: failure.event,
                text: format!("{}: {}", failure.who, failure.what),
            }),
        }
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::PowerOn(host) => self.world.power_on(self.hosts[*host]),
            Action::PowerCut(host) => self.world.power_cut(self.hosts[*host]),
            Action::Stop(host) => self.each_process(*host, World::stop),
            Action::Kill(host) => self.each_process(*host, World::kill),
            Action::Restart(host) => self.each_process(*host, World::start),
            Action::Freeze(host) => self.each_process(*host, World::freeze),
            Action::Thaw(host) => self.each_process(*host, World::thaw),
            Action::Cut(a, b) => self.both_ways(*a, *b, |from, to| Fault::Cut { from, to }),
            Action::Heal(a, b) => self.both_ways(*a, *b, |from, to| Fault::Mend { from, to }),
            Action::Run(host, line) => {
                let added = self.add_program(*host, line, false);
                for process in self.programs[added].processes.clone() {
                    self.world.start(process);
                }
            }
            // The load carries its own list of changes.
            Action::AddCache { .. } | Action::RemoveCache { .. } => {}
            Action::Tell { .. } | Action::Mark => {}
        }
    }

    fn each_process(&mut self, host: usize, mut act: impl FnMut(&mut World, ProcessId)) {
        for process in self.world.processes(self.hosts[host]) {
            act(&mut self.world, process);
        }
    }

    fn both_ways(&mut self, a: usize, b: usize, fault: impl Fn(HostId, HostId) -> Fault) {
        let (a, b) = (self.hosts[a], self.hosts[b]);
        self.world.apply(&fault(a, b));
        self.world.apply(&fault(b, a));
    }

    fn measured(&mut self) -> Measured {
        let mut measured = Measured::default();
        for processes in &self.loads {
            let mut all = Results::default();
            for &process in processes {
                if let Some(machine) = self.world.machine::<Boxed>(process) {
                    all.merge(machine.results());
                }
            }
            measured.loads.push(all);
        }
        for &process in &self.models {
            let results = self.world.machine::<Boxed>(process).map(|m| m.results());
            measured.models.push(results.unwrap_or_default());
        }
        measured.hosts = (0..self.hosts.len()).map(|host| self.samples.results(host)).collect();
        for running in &self.programs {
            let into = &mut measured.hosts[running.host];
            program_results(&mut self.world, running, into);
        }
        measured
    }

    fn trace_lines(&self) -> Vec<String> {
        self.world.trace().records().map(|record| self.world.line(record).to_string()).collect()
    }
}

/// What the slab classes of a memcached hold and have counted; those that were never used are left
/// out. The first of a server's workers speaks for all.
fn class_results(world: &mut World, process: ProcessId, into: &mut Results) {
    let Some(server) = world.machine::<memcached::Server>(process) else { return };
    if !server.speaks_for_all() {
        return;
    }
    let shared = server.shared();
    let mut curves = [(); 4].map(|()| BTreeMap::new());
    for class in 1..=shared.classes() {
        let stats = shared.class_totals(class, memcached::clock::Seconds::START);
        if stats.pages == 0 {
            continue;
        }
        let evicted = stats.counts.get(memcached::cache::ClassCount::Evicted);
        let figures = [u64::from(stats.chunk_bytes), stats.items, stats.pages, evicted];
        for (curve, figure) in curves.iter_mut().zip(figures) {
            curve.insert(u64::from(class), figure);
        }
    }
    let names = ["class_chunk", "class_items", "class_pages", "class_evictions"];
    for (name, curve) in names.into_iter().zip(curves) {
        into.0.insert(name, Figure::Curve(curve));
    }
}

/// The counters of a host's running programs.
fn reading(world: &World, programs: &[Running], host: usize) -> Reading {
    let mut reading = Reading::new();
    for running in programs.iter().filter(|running| running.host == host) {
        for &process in running.processes.iter().filter(|&&process| world.is_running(process)) {
            world.counters(process, &mut |name, count| {
                *reading.entry(name.to_owned()).or_default() += count;
            });
        }
    }
    reading
}

/// What a host's program measured: its counters that are metrics, and the verifier's verdict.
fn program_results(world: &mut World, running: &Running, into: &mut Results) {
    let metrics = running.program.metrics();
    if let Program::Gearman(_) = running.program {
        into.merge(running.printed.results());
    }
    for &process in &running.processes {
        let mut found = Results::default();
        world.counters(process, &mut |name, count| {
            let counted = |def: &&MetricDef| def.name == name && def.kind == Kind::Count;
            if let Some(def) = metrics.iter().find(counted) {
                found.0.insert(def.name, Figure::Count(count));
            }
        });
        class_results(world, process, &mut found);
        if let Some(verdict) = world.machine::<Verifier>(process).and_then(|m| m.verdict().cloned())
        {
            found.0.insert("verdict", Figure::Word(verdict.kind.as_str().to_owned()));
        }
        into.merge(found);
    }
}
