//! A small history, whole: a pair forms, jobs are accepted, some are done and some wait. The power
//! goes behind every disk operation of each host, and of both servers together; the lost one comes
//! back, or stays away. Then the same behind every operation of what puts it right.

use crate::rig::{Rig, SECOND, SERVERS, Setting, WITNESS};
use core::cell::Cell;
use core::time::Duration;
use storytime_machine::Time;
use storytime_pair::config::Bug;
use storytime_sim::disk::CrashPlan;
use storytime_sim::enumerate::{Flaw, FlawKind, Stage, WorldOptions, WorldReport, enumerate_stage};
use storytime_sim::{Fault, HostId, World};

/// Jobs of the history.
const JOBS: u64 = 4;
/// The worker does so many of them, and holds the next one until the power has gone.
const DONE: usize = 2;
/// When the first one is submitted: the pair has formed.
const BEGIN: Duration = Duration::from_millis(3_600);
/// When the last one was accepted, and every disk is at rest.
const END: Duration = Duration::from_millis(4_000);
/// How long the power is away: the other one takes over meanwhile.
const OUTAGE: Duration = Duration::from_secs(5);
/// When all is put right after a first cut at the end.
const RIGHT_AGAIN: Duration = Duration::from_secs(15);

/// What becomes of those that lost their power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// They come back.
    Back,
    /// They stay away.
    Away,
    /// Both went, and only the second comes back.
    SecondAlone,
}

/// What is cut.
#[derive(Clone, Copy, Debug)]
struct Drill<'d> {
    /// Whose power goes, behind each of their operations together.
    hosts: &'d [HostId],
    then: Then,
    /// Whose power went at the end of the history, and came back; the rest is what is cut.
    first: &'d [HostId],
    bug: Option<Bug>,
}

/// The history, and how it goes on.
struct History<'c> {
    rig: Rig,
    then: Then,
    /// Operations of the hosts that are cut, before those that are looked at.
    before: u64,
    /// When those are over.
    end: Time,
    /// Runs in which a server had to have every job without the other one.
    alone: &'c Cell<u64>,
}

impl<'c> History<'c> {
    fn new(drill: &Drill<'_>, alone: &'c Cell<u64>) -> Self {
        let mut rig = Rig::new(&Setting { bug: drill.bug, begin: BEGIN, ..Setting::new(30) });
        {
            let mut seen = rig.book();
            (seen.submits_max, seen.done_max) = (JOBS, DONE);
        }
        let mut before = 0;
        let mut end = Time::ZERO + END;
        if !drill.first.is_empty() {
            rig.run(END).expect("nothing is wrong");
            before = operations(&rig, drill.hosts);
            end += RIGHT_AGAIN;
            for &host in drill.first {
                rig.world.power_cut(host);
                rig.world.schedule(rig.world.now() + OUTAGE, Fault::PowerOn(host));
            }
        }
        Self { rig, then: drill.then, before, end, alone }
    }

    /// The operations that are cut behind: those of a run that nobody cuts.
    fn count(mut self, hosts: &[HostId]) -> u64 {
        let rig = &mut self.rig;
        rig.run(self.end.since(rig.world.now())).expect("nothing is wrong");
        let count = operations(rig, hosts);
        {
            let seen = rig.book();
            assert_eq!((seen.accepted.len() as u64, seen.done.len()), (JOBS, DONE), "complete");
        }
        assert!(rig.is_whole(), "both have everything");
        rig.run(SECOND).expect("nothing is wrong");
        assert_eq!(operations(rig, hosts), count, "nothing is under way behind the end");
        count - self.before
    }

    fn go_on(&mut self) -> Result<(), String> {
        let rig = &mut self.rig;
        if self.then == Then::SecondAlone {
            rig.world.power_on(SERVERS[1]);
        }
        // Before the pair has formed nobody can serve alone, and nobody has accepted anything.
        if self.then == Then::Back || rig.book().accepted.is_empty() {
            rig.run(OUTAGE)?;
            for host in SERVERS {
                rig.world.power_on(host);
            }
            rig.whole()?;
        } else {
            self.alone.set(self.alone.get() + 1);
            rig.run_until(SECOND * 20, "one serves", |rig| rig.active().is_some())?;
        }
        rig.settle()
    }
}

impl Stage for History<'_> {
    fn world(&mut self) -> &mut World {
        &mut self.rig.world
    }

    fn finish(&mut self) -> Result<(), Flaw> {
        self.go_on().map_err(Flaw::lost)
    }
}

/// Disk operations that these hosts have completed together.
fn operations(rig: &Rig, hosts: &[HostId]) -> u64 {
    hosts.iter().map(|host| rig.world.operations(*host)).sum()
}

/// Cuts the power behind every operation; also the runs in which one had to have everything alone.
fn sweep(drill: &Drill<'_>) -> (WorldReport, u64) {
    let alone = Cell::new(0);
    let (before, end) = {
        let history = History::new(drill, &alone);
        (history.before, history.end)
    };
    let options = WorldOptions {
        targets: vec![drill.hosts.to_vec()],
        outage: (drill.then == Then::Back).then_some(OUTAGE),
        operations: (before + 1, u64::MAX),
        random: 1,
        ..WorldOptions::new([], end)
    };
    let report = enumerate_stage(&options, || History::new(drill, &alone));
    println!("{drill:?}: {report}; {} alone", alone.get());
    (report, alone.get())
}

/// Nothing is lost behind any operation, and none of them was left out.
fn visit(drill: &Drill<'_>) {
    let (report, alone) = sweep(drill);
    report.assert_clean();
    let counted = History::new(drill, &Cell::new(0)).count(drill.hosts);
    assert!(counted > 0, "there is something to cut");
    assert_eq!(report.points, counted, "each operation is cut behind: {report}");
    assert_eq!(alone > 0, drill.then != Then::Back, "{alone} runs");
}

/// These lose their power together.
const fn cut(hosts: &[HostId], then: Then) -> Drill<'_> {
    Drill { hosts, then, first: &[], bug: None }
}

#[test]
fn the_one_that_serves_may_lose_its_power_at_any_operation() {
    visit(&cut(&SERVERS[..1], Then::Back));
    visit(&cut(&SERVERS[..1], Then::Away));
}

#[test]
fn the_one_that_stands_by_may_lose_its_power_at_any_operation() {
    visit(&cut(&SERVERS[1..], Then::Back));
    visit(&cut(&SERVERS[1..], Then::Away));
}

#[test]
fn the_witness_may_lose_its_power_at_any_operation() {
    visit(&cut(&[WITNESS], Then::Back));
}

#[test]
fn both_may_lose_their_power_at_once_at_any_operation() {
    visit(&cut(&SERVERS, Then::Back));
    visit(&cut(&SERVERS, Then::SecondAlone));
}

/// One of them, or both, lost their power once; anybody loses it while that is put right.
fn again(first: &[HostId]) {
    for hosts in [&SERVERS[..1], &SERVERS[1..], &[WITNESS], &SERVERS] {
        visit(&Drill { first, ..cut(hosts, Then::Back) });
    }
}

#[test]
fn anybody_may_lose_its_power_at_any_operation_of_a_take_over_and_of_the_return() {
    again(&SERVERS[..1]);
}

#[test]
fn anybody_may_lose_its_power_at_any_operation_of_the_recovery_of_both() {
    again(&SERVERS);
}

#[test]
fn an_acknowledgement_before_the_other_disk_has_the_job_is_found_at_an_operation() {
    let early = Some(Bug::AckBeforePeer);
    let (report, _) = sweep(&Drill { bug: early, ..cut(&SERVERS, Then::SecondAlone) });
    assert_eq!(report.flaws_of(FlawKind::Lost), JOBS, "each job once: {report}");
    for (job, (recipe, flaw)) in (1..).zip(&report.violations) {
        let cut = recipe.as_ref().expect("all is well without a cut").cut;
        assert_eq!(cut.plan, CrashPlan::Nothing, "{report}");
        assert!(flaw.what.ends_with(&format!("never done: [{job}]")), "{report}");
    }
}
