//! The walk: points of the script, plans at each point, recoveries after each plan.

use super::report::{Ended, Report};
use super::{Cut, Flaw, FlawKind, Happened, Lone, More, Options, Recipe, Subject};
use crate::campaign::panic_text;
use crate::disk::{CrashPlan, Plan, Profile, SimDisk};
use crate::streams;
use core::panic::AssertUnwindSafe;
use hashbrown::HashSet;
use std::panic::catch_unwind;
use storytime_machine::hash::{self, FixedState};
use storytime_machine::{Machine, Ratio, Rng, Time};

/// An enumeration under way.
pub(super) struct Explorer<'o, S: Subject> {
    options: &'o Options,
    subject: S,
    report: Report,
    /// States visited on the present medium under the present promises.
    seen: HashSet<u64, FixedState>,
    seen_under: (u64, u64),
    /// Recoveries so far.
    recoveries: u64,
    tears: Ratio,
}

/// A disk whose power is about to go.
struct Brink {
    disk: SimDisk,
    now: Time,
}

/// A disk whose power has gone.
struct CutOff {
    disk: SimDisk,
    now: Time,
    survivors: u64,
    /// Choices that the plan was asked for.
    asked: u32,
}

impl<'o, S: Subject> Explorer<'o, S> {
    pub(super) fn new(options: &'o Options, subject: S) -> Self {
        let friendly = options.disk.profile == Profile::Friendly;
        Self {
            options,
            subject,
            report: Report::new(),
            seen: HashSet::with_hasher(FixedState),
            seen_under: (u64::MAX, u64::MAX),
            recoveries: 0,
            tears: if friendly { Ratio::NEVER } else { options.disk.tears },
        }
    }

    /// The whole walk.
    pub(super) fn run(mut self) -> Report {
        self.report.ended = self.script(|explorer, lone| {
            explorer.visit_all(lone);
            explorer.report.points < explorer.options.points_max
        });
        self.report.promises = self.subject.promises();
        self.report
    }

    /// One state only.
    pub(super) fn follow(mut self, recipe: &Recipe) -> Result<(), Flaw> {
        let mut found = None;
        self.script(|explorer, lone| {
            if explorer.report.points == recipe.first.point {
                let off = Brink::of(lone).cut(recipe.first.plan);
                found = Some(explorer.recover_to(off, recipe.second));
            }
            found.is_none()
        });
        found.unwrap_or_else(|| Err(Flaw::stuck("the script has no such point")))
    }

    fn boot(&self, disk: SimDisk, now: Time, life: u32) -> Lone<S::Machine> {
        let rng = Rng::new(self.options.seed, streams::PROCESSES + u64::from(life));
        let setup = self.subject.setup(rng);
        let mut lone = Lone::boot(self.subject.machine(), setup, disk, now, life);
        lone.set_invariants(self.options.invariants);
        lone
    }

    /// Drives the machine and stops at every point, until `at_point` says no.
    fn script(&mut self, mut at_point: impl FnMut(&mut Self, &Lone<S::Machine>) -> bool) -> Ended {
        let disk =
            SimDisk::new(self.options.disk.clone(), Rng::new(self.options.seed, streams::DISKS));
        let mut lone = self.boot(disk, Time::ZERO, 0);
        let mut up = false;
        let mut known = (0, u64::MAX);
        let mut happened = Happened::Told;
        loop {
            let mut more = More::Yes;
            if happened == Happened::Told {
                up |= self.subject.is_up(&lone);
                if up {
                    more = self.subject.step(&mut lone);
                }
            }
            // What changes neither the disk nor the promises makes no new point.
            let state = (lone.changes(), self.subject.promises());
            if state != known {
                known = state;
                self.report.points += 1;
                if !at_point(self, &lone) {
                    return Ended::PointsMax;
                }
            }
            if let Some(what) = lone.broken() {
                return Ended::Broken(what.to_owned());
            }
            if let Some(exit) = lone.exit() {
                return Ended::Exited(exit);
            }
            if more == More::No {
                return Ended::Done;
            }
            happened = lone.advance();
            if happened == Happened::Quiet {
                return Ended::Stuck;
            }
        }
    }

    /// Every state that a cut could leave here.
    fn visit_all(&mut self, lone: &Lone<S::Machine>) {
        let under = (lone.disk().generation(), self.subject.promises());
        if self.seen_under != under {
            self.seen_under = under;
            self.seen.clear();
        }
        let brink = &Brink::of(lone);
        let asked = self.visit(brink, CrashPlan::Nothing);
        let asked = asked.max(self.visit(brink, CrashPlan::Everything));
        if asked == 0 {
            return;
        }
        if asked <= self.options.combined_choices_max {
            // Neither none nor all: these were the first two.
            for mask in 1..(1 << asked) - 1 {
                self.visit(brink, CrashPlan::Mask(mask));
            }
        } else {
            let step = asked.div_ceil(self.options.single_choices_max.max(1)) as usize;
            for choice in (0..asked).step_by(step) {
                self.visit(brink, CrashPlan::Only(choice));
                self.visit(brink, CrashPlan::AllBut(choice));
            }
        }
        let base = hash::fold(self.options.seed, self.report.points);
        for number in 0..self.options.random {
            let seed = hash::fold(base, u64::from(number));
            self.visit(brink, CrashPlan::Random { seed, tears: self.tears });
        }
    }

    /// One state, if it is new; returns how many choices there were.
    fn visit(&mut self, brink: &Brink, plan: CrashPlan) -> u32 {
        let off = brink.cut(plan);
        let asked = off.asked;
        // A cut that itself wrote to the medium is compared with nothing.
        let comparable = off.disk.generation() == brink.disk.generation() + 1;
        if comparable && !self.seen.insert(off.survivors) {
            self.report.equal += 1;
            return asked;
        }
        self.report.states.count(plan);
        self.recoveries += 1;
        let first = Cut { point: self.report.points, plan };
        let every = self.options.second_cut_every;
        let result = if every > 0 && self.recoveries.is_multiple_of(every) {
            self.recover_and_cut(off, first)
        } else {
            self.recover_to(off, None)
        };
        if let Err(flaw) = result {
            self.note(Recipe { first, second: None }, flaw);
        }
        asked
    }

    fn note(&mut self, recipe: Recipe, flaw: Flaw) {
        self.report.note(recipe, flaw, self.options.violations_max);
    }

    /// Recovers, is cut at `second` if there is one, recovers again, and checks.
    fn recover_to(&mut self, off: CutOff, second: Option<Cut>) -> Result<(), Flaw> {
        let Some(second) = second else { return guarded(|| self.recover(off, 1, |_, _| true)) };
        let mut found = None;
        let ended = guarded(|| {
            self.recover(off, 1, |point, lone| {
                if point == second.point {
                    found = Some(Brink::of(lone).cut(second.plan));
                }
                found.is_none()
            })
        });
        match found {
            Some(off) => guarded(|| self.recover(off, 2, |_, _| true)),
            None => {
                ended?;
                Err(Flaw::stuck("the recovery has no such point"))
            }
        }
    }

    /// Recovers and checks, and cuts this recovery at each of its points.
    fn recover_and_cut(&mut self, off: CutOff, first: Cut) -> Result<(), Flaw> {
        let mut cuts = Vec::new();
        let mut seen = (u64::MAX, HashSet::with_hasher(FixedState));
        let (random, tears) = (self.options.second_random, self.tears);
        let result = guarded(|| {
            self.recover(off, 1, |point, lone| {
                let generation = lone.disk().generation();
                if seen.0 != generation {
                    seen = (generation, HashSet::with_hasher(FixedState));
                }
                let seed = |number: u32| hash::fold(point, u64::from(number));
                let drawn =
                    (0..random).map(|number| CrashPlan::Random { seed: seed(number), tears });
                let brink = Brink::of(lone);
                for plan in [CrashPlan::Nothing, CrashPlan::Everything].into_iter().chain(drawn) {
                    let off = brink.cut(plan);
                    let settled = off.asked == 0;
                    if seen.1.insert(off.survivors) {
                        cuts.push((Cut { point, plan }, off));
                    }
                    if settled {
                        break;
                    }
                }
                true
            })
        });
        for (second, off) in cuts {
            self.report.states.second += 1;
            if let Err(flaw) = guarded(|| self.recover(off, 2, |_, _| true)) {
                self.note(Recipe { first, second: Some(second) }, flaw);
            }
        }
        result
    }

    /// Boots a machine on what a cut left, runs it until it is up, and checks it. `at_point` is
    /// called at each point of the recovery and breaks it off by saying no.
    fn recover(
        &self,
        off: CutOff,
        life: u32,
        mut at_point: impl FnMut(u64, &Lone<S::Machine>) -> bool,
    ) -> Result<(), Flaw> {
        let mut lone = self.boot(off.disk, off.now, life);
        let (mut point, mut changes) = (0, u64::MAX);
        let mut happened = Happened::Told;
        for _ in 0..self.options.recovery_events_max {
            if lone.changes() != changes {
                changes = lone.changes();
                point += 1;
                if !at_point(point, &lone) {
                    return Ok(());
                }
            }
            self.stands(&lone)?;
            if happened == Happened::Told && self.subject.is_up(&lone) {
                self.subject.check(&mut lone)?;
                return self.stands(&lone);
            }
            happened = lone.advance();
            if happened == Happened::Quiet && lone.exit().is_none() {
                return Err(Flaw::stuck("the machine is not up and waits for nothing"));
            }
        }
        Err(Flaw::stuck("the recovery does not end"))
    }

    /// The process runs and has broken no rule.
    fn stands(&self, lone: &Lone<S::Machine>) -> Result<(), Flaw> {
        if let Some(what) = lone.broken() {
            return Err(Flaw { kind: FlawKind::Broken, what: what.to_owned() });
        }
        match lone.exit() {
            Some(exit) => Err(Flaw::refused(format!("the process ended: {exit:?}"))),
            None => Ok(()),
        }
    }
}

impl Brink {
    fn of<M: Machine>(lone: &Lone<M>) -> Self {
        Self { disk: lone.disk().on_the_brink(lone.now()), now: lone.now() }
    }

    /// Cuts the power of a clone.
    fn cut(&self, plan: CrashPlan) -> CutOff {
        let mut disk = self.disk.clone();
        let mut chooser = Plan::new(plan);
        let survivors = disk.power_cut_with(self.now, &mut chooser).survivors;
        CutOff { disk, now: self.now, survivors, asked: chooser.asked() }
    }
}

/// A panic becomes a flaw. Its message still goes through the process's panic hook.
fn guarded(run: impl FnOnce() -> Result<(), Flaw>) -> Result<(), Flaw> {
    // The machine that panicked is dropped within; nothing half-changed is seen.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(Flaw { kind: FlawKind::Panicked, what: panic_text(&*panic) }))
}
