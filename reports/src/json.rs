//! A run as one line of JSON, for machines.

use crate::model::{Arm, Report};
use serde::Serialize;

/// One run.
#[derive(Serialize)]
struct Line<'a> {
    story: &'a str,
    seed: u64,
    overrides: &'a [(String, String)],
    build: &'a str,
    holds: bool,
    digest: Option<&'a str>,
    events: u64,
    simulated_ns: u64,
    wall_ns: u64,
    arms: Vec<ArmLine<'a>>,
    expectations: Vec<ExpectationLine<'a>>,
    broken: Option<&'a crate::model::Broken>,
    report: &'a str,
    command: &'a str,
}

/// One arm.
#[derive(Serialize)]
struct ArmLine<'a> {
    arm: Arm,
    digest: Option<&'a str>,
    events: u64,
    simulated_ns: u64,
    wall_ns: u64,
}

/// One expectation.
#[derive(Serialize)]
struct ExpectationLine<'a> {
    name: &'a str,
    arm: Arm,
    variant: Option<&'a str>,
    holds: bool,
    measured: &'a str,
    bound: &'a str,
}

/// One JSON object without a line break: what ran, what came out, and where the page lies.
///
/// `digest`, `events` and `simulated_ns` at the top are those of the first arm; `wall_ns` is the
/// sum over all arms, and `arms` has each one's own.
pub fn line(report: &Report, page: &str) -> String {
    let arms = report.arms.iter().map(|arm| ArmLine {
        arm: arm.arm,
        digest: arm.digest.as_deref(),
        events: arm.events,
        simulated_ns: arm.simulated_ns,
        wall_ns: arm.wall_ns,
    });
    let expectations = report.expectations.iter().map(|verdict| ExpectationLine {
        name: &verdict.name,
        arm: verdict.arm,
        variant: verdict.variant.as_deref(),
        holds: verdict.holds,
        measured: &verdict.measured,
        bound: &verdict.bound,
    });
    let first = report.arms.first();
    let line = Line {
        story: &report.story.id,
        seed: report.seed,
        overrides: &report.overrides,
        build: &report.build,
        holds: report.holds(),
        digest: first.and_then(|arm| arm.digest.as_deref()),
        events: first.map_or(0, |arm| arm.events),
        simulated_ns: first.map_or(0, |arm| arm.simulated_ns),
        wall_ns: report.arms.iter().fold(0, |sum, arm| sum.saturating_add(arm.wall_ns)),
        arms: arms.collect(),
        expectations: expectations.collect(),
        broken: report.broken.as_ref(),
        report: page,
        command: &report.command,
    };
    serde_json::to_string(&line).expect("strings and whole numbers always fit JSON")
}
