//! The same for systems of several hosts: power goes at every disk operation, in a whole world.
//!
//! A world cannot be cloned, so each state is a run of its own: the world is built anew, run until
//! some hosts have completed `k` disk operations, their power is cut, comes back after a while, and
//! the run goes on to its end, where the caller checks it. Thousands of times slower than a machine
//! on its own, and the only way to see what the others make of a crash.

use super::report::States;
use super::{Cut, Flaw, FlawKind};
use crate::campaign::panic_text;
use crate::disk::{CrashPlan, Plan, Profile};
use crate::host::HostId;
use crate::world::{Ran, World};
use core::fmt;
use core::panic::AssertUnwindSafe;
use hashbrown::HashSet;
use std::panic::catch_unwind;
use storytime_machine::hash::{self, FixedState};
use storytime_machine::{Duration, Ratio, Time};

/// What is tried.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// Sets of hosts that lose their power together, one after the other. Operations of all hosts
    /// of a set are counted together.
    pub targets: Vec<Vec<HostId>>,
    /// How long the power stays away; `None`: for ever.
    pub outage: Option<Duration>,
    /// Up to when operations are looked for, world time; without steering, a run ends then, too.
    pub end: Time,
    /// The first operation that is cut behind, and the last.
    pub operations: (u64, u64),
    /// Every so many-th operation is cut behind.
    pub every: u64,
    /// States drawn at random at each, besides nothing and everything.
    pub random: u32,
    /// Seeds them.
    pub seed: u64,
    /// Violations kept in full; all are counted.
    pub violations_max: usize,
}

/// The way to one state of a world: `host 0 at 17 nothing`, `hosts 0 1 at 17 nothing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldRecipe {
    /// Whose power goes.
    pub hosts: Vec<HostId>,
    /// Behind which of their operations, and what survives.
    pub cut: Cut,
}

/// How an enumeration of a world went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorldReport {
    /// Operations that the power went behind.
    pub points: u64,
    /// Runs by what survived.
    pub states: States,
    /// Cuts that would have left what another one left.
    pub equal: u64,
    /// Flaws by kind, in the order of [`FlawKind::ALL`].
    pub flaws: [u64; FlawKind::ALL.len()],
    /// The first flawed runs; without a recipe it was flawed without a cut.
    pub violations: Vec<(Option<WorldRecipe>, Flaw)>,
}

impl WorldOptions {
    /// Each of these hosts alone, for three seconds, behind each of its operations.
    pub fn new(hosts: impl IntoIterator<Item = HostId>, end: Time) -> Self {
        Self {
            targets: hosts.into_iter().map(|host| vec![host]).collect(),
            outage: Some(Duration::from_secs(3)),
            end,
            operations: (1, u64::MAX),
            every: 1,
            random: 2,
            seed: 1,
            violations_max: 16,
        }
    }
}

/// A system of several hosts, and how it goes on after the power went.
pub trait Stage {
    /// The world.
    fn world(&mut self) -> &mut World;

    /// Runs on to the end, steering the world where that is needed, and holds it to its promises.
    ///
    /// # Errors
    /// What is wrong.
    fn finish(&mut self) -> Result<(), Flaw>;
}

/// A world that needs no steering.
struct Unsteered<'c, C> {
    world: World,
    end: Time,
    check: &'c C,
}

impl<C: Fn(&mut World) -> Result<(), Flaw>> Stage for Unsteered<'_, C> {
    fn world(&mut self) -> &mut World {
        &mut self.world
    }

    fn finish(&mut self) -> Result<(), Flaw> {
        match self.world.run_until(self.end) {
            Ran::Broken(failure) => Err(Flaw { kind: FlawKind::Broken, what: failure.to_string() }),
            Ran::Reached | Ran::Quiet => (self.check)(&mut self.world),
        }
    }
}

/// Visits every state of a world that needs no steering: `build` makes it with its hosts switched
/// on, always the same; `check` holds it to its promises at the end.
///
/// # Panics
/// As [`enumerate_stage`].
pub fn enumerate_world(
    options: &WorldOptions,
    build: impl Fn() -> World,
    check: impl Fn(&mut World) -> Result<(), Flaw>,
) -> WorldReport {
    let stage = || Unsteered { world: build(), end: options.end, check: &check };
    enumerate_stage(options, stage)
}

/// Runs one state of a world that needs no steering again.
///
/// # Errors
/// As [`replay_stage`].
pub fn replay_world(
    options: &WorldOptions,
    build: impl Fn() -> World,
    check: impl Fn(&mut World) -> Result<(), Flaw>,
    recipe: &WorldRecipe,
) -> Result<(), Flaw> {
    let stage = || Unsteered { world: build(), end: options.end, check: &check };
    replay_stage(options, stage, recipe)
}

/// Visits every state: `build` makes the stage with its hosts switched on, always the same.
///
/// # Panics
/// If the options name no hosts, or every zeroth operation.
pub fn enumerate_stage<S: Stage>(options: &WorldOptions, build: impl Fn() -> S) -> WorldReport {
    assert!(options.every > 0, "every so many-th operation is cut behind");
    let mut report = WorldReport::default();
    if let Err(flaw) = guarded(|| build().finish()) {
        report.note(None, flaw, options.violations_max);
        return report;
    }
    for hosts in &options.targets {
        assert!(!hosts.is_empty(), "somebody's power goes");
        let (first, last) = options.operations;
        let mut point = first.max(1);
        while point <= last {
            let mut stage = build();
            let Some(plans) = plans(options, stage.world(), hosts, point, &mut report) else {
                break;
            };
            report.points += 1;
            for plan in plans {
                report.states.count(plan);
                let recipe = WorldRecipe { hosts: hosts.clone(), cut: Cut { point, plan } };
                if let Err(flaw) = replay_stage(options, &build, &recipe) {
                    report.note(Some(recipe), flaw, options.violations_max);
                }
            }
            point += options.every;
        }
    }
    report
}

/// Runs one state again.
///
/// # Errors
/// What is wrong there; or that the recipe leads nowhere, if there are not so many operations.
pub fn replay_stage<S: Stage>(
    options: &WorldOptions,
    build: impl Fn() -> S,
    recipe: &WorldRecipe,
) -> Result<(), Flaw> {
    guarded(|| {
        let mut stage = build();
        let world = stage.world();
        if !world.run_to_operation(&recipe.hosts, recipe.cut.point, options.end) {
            return Err(Flaw::stuck("there is no such operation"));
        }
        for &host in &recipe.hosts {
            world.power_cut_with(host, recipe.cut.plan);
            if let Some(outage) = options.outage {
                world.schedule(world.now() + outage, crate::Fault::PowerOn(host));
            }
        }
        stage.finish()
    })
}

/// The plans at a point that leave different things; `None` if the hosts do not get there.
fn plans(
    options: &WorldOptions,
    world: &mut World,
    hosts: &[HostId],
    point: u64,
    report: &mut WorldReport,
) -> Option<Vec<CrashPlan>> {
    if !world.run_to_operation(hosts, point, options.end) {
        return None;
    }
    let seed = |number: u32| hash::fold(hash::fold(options.seed, point), u64::from(number));
    let drawn = (0..options.random)
        .map(|number| CrashPlan::Random { seed: seed(number), tears: tears(world, hosts) });
    let all: Vec<CrashPlan> =
        [CrashPlan::Nothing, CrashPlan::Everything].into_iter().chain(drawn).collect();
    let mut seen: HashSet<u64, FixedState> = HashSet::with_hasher(FixedState);
    let now = world.now();
    let mut new = |plan: &CrashPlan| {
        let mut survivors = 0;
        for &host in hosts {
            if let Some(disk) = world.disk(host) {
                let cut = disk.clone().power_cut_with(now, &mut Plan::new(*plan));
                survivors = hash::fold(survivors, cut.survivors);
            }
        }
        let new = seen.insert(survivors);
        report.equal += u64::from(!new);
        new
    };
    Some(all.into_iter().filter(|plan| new(plan)).collect())
}

/// How often sectors tear on the first of these hosts' disks.
fn tears(world: &mut World, hosts: &[HostId]) -> Ratio {
    let disk = hosts.iter().find_map(|&host| Some(world.disk(host)?.config().clone()));
    match disk {
        Some(config) if config.profile != Profile::Friendly => config.tears,
        _ => Ratio::NEVER,
    }
}

fn guarded(run: impl FnOnce() -> Result<(), Flaw>) -> Result<(), Flaw> {
    // The world that panicked is dropped within; nothing half-changed is seen.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(Flaw { kind: FlawKind::Panicked, what: panic_text(&*panic) }))
}

impl WorldReport {
    /// Runs that did not hold.
    pub fn flawed(&self) -> u64 {
        self.flaws.iter().sum()
    }

    /// Runs with a flaw of this kind.
    pub const fn flaws_of(&self, kind: FlawKind) -> u64 {
        self.flaws[kind as usize]
    }

    /// Demands that every run held.
    ///
    /// # Panics
    /// If not, with the report.
    pub fn assert_clean(&self) {
        assert!(self.flawed() == 0, "{self}");
    }

    fn note(&mut self, recipe: Option<WorldRecipe>, flaw: Flaw, violations_max: usize) {
        self.flaws[flaw.kind as usize] += 1;
        if self.violations.len() < violations_max {
            self.violations.push((recipe, flaw));
        }
    }
}

impl fmt::Display for WorldRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.hosts.len() == 1 { "host" } else { "hosts" })?;
        self.hosts.iter().try_for_each(|host| write!(f, " {}", host.0))?;
        write!(f, " at {}", self.cut)
    }
}

impl fmt::Display for WorldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (states, points, equal) = (self.states.total(), self.points, self.equal);
        write!(f, "{states} runs cut at {points} points, equal {equal}")?;
        if self.flawed() == 0 {
            return f.write_str("; every run held");
        }
        write!(f, "; flawed {}", self.flawed())?;
        for (recipe, flaw) in &self.violations {
            match recipe {
                Some(recipe) => write!(f, "\n  {recipe}: {flaw}")?,
                None => write!(f, "\n  without a cut: {flaw}")?,
            }
        }
        Ok(())
    }
}
