//! Counters of servers as metrics, sweeps, and entries of the timeline for one variant.

use storytime_scenarios::catalog;
use storytime_scenarios::models::results::Result as Measured;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::read::File;
use storytime_scenarios::report::{Context, report};
use storytime_scenarios::run::{Outcome, Run};
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Figure, Profile, Story};

/// The built-in story with more sections behind its own.
fn story_with(more: &str, sets: &[&str]) -> Story {
    let (_, text) = catalog::STORIES.iter().find(|(name, _)| *name == "add-a-server.toml").unwrap();
    let file = File::from_bytes("more.toml", format!("{text}\n{more}").into_bytes());
    let sets: Result<Vec<_>, _> = sets.iter().map(|set| Override::from_argument(set)).collect();
    let story = file.and_then(|file| file.story(Profile::Campaign, &sets?));
    story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)))
}

fn run(story: &Story) -> Run {
    run_simulated(story, 1, Options::default())
}

fn figures(story: &Story, run: &Run, expect: &str) -> Vec<Figure> {
    let checks = run.checks(story);
    let of = checks.iter().filter(|check| check.expect.name == expect);
    let figure = |outcome: &Outcome| match outcome {
        Outcome::Figure(figure) => *figure,
        other => panic!("{expect}: {other:?}"),
    };
    of.map(|check| figure(&check.outcome)).collect()
}

fn count(figure: Figure) -> u64 {
    match figure {
        Figure::Count(n) | Figure::Bytes(n) => n,
        Figure::Factor(share) => share.0,
        other => panic!("{other:?}"),
    }
}

const COUNTERS: &str = r#"
[[expect]]
name = "all-hits"
metric = "cache*.get_hits"
at_least = 1

[[expect]]
name = "first-hits"
metric = "cache1.get_hits"
at_least = 1

[[expect]]
name = "share"
metric = "cache1.get_hits"
of = "cache*.get_hits"
at_most = "1x"

[[expect]]
name = "items"
metric = "cache*.curr_items"
at_least = 1

[[expect]]
name = "items-at-first"
metric = "cache*.curr_items"
before = "change"
for = "500ms"
at_least = 1

[[expect]]
name = "memory"
metric = "cache*.bytes"
take = "peak"
at_most = "64MiB"

[[expect]]
name = "ratio"
metric = "cache*.hit_ratio"
at_least = "1%"

[[chart]]
name = "items"
title = "Items"
kind = "lines"
metrics = ["cache1.curr_items", "cache2.curr_items"]
variant = "ring"
"#;

#[test]
fn counters_add_up_over_hosts_and_over_time() {
    let story = story_with(COUNTERS, &[]);
    let run = run(&story);
    let hits = figures(&story, &run, "all-hits");
    for (n, variant) in run.variants.iter().enumerate() {
        let Some(Measured::Shares(of_web, _)) = variant.measured.loads[0].0.get("hit_ratio") else {
            panic!("the web servers count their hits");
        };
        // What the servers found, the web servers got, but for answers under way at the end.
        let (there, here) = (count(hits[n]), of_web.counts().iter().sum::<u64>());
        assert!(there >= here && there - here < 5, "{there} hits, {here} of them seen");
    }
    let (first, share) = (figures(&story, &run, "first-hits"), figures(&story, &run, "share"));
    assert_eq!(count(share[0]), count(first[0]) * 1_000_000 / count(hits[0]));
    let (early, late) = (figures(&story, &run, "items-at-first"), figures(&story, &run, "items"));
    assert!(count(late[0]) > count(early[0]), "modulo stores most rows a second time");
    assert_eq!(figures(&story, &run, "memory").len(), 2);
    assert_eq!(figures(&story, &run, "ratio").len(), 2);
}

#[test]
fn hosts_and_variants_are_lines_of_a_chart() {
    let story = story_with(COUNTERS, &[]);
    let run = run(&story);
    let report = report(&story, &[&run], &Context::default());
    let chart = report.charts.last().expect("the chart of items");
    let names: Vec<_> = chart.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["cache1", "cache2"], "by what tells them apart");
    assert!(chart.series.iter().all(|series| series.points.len() == 60));
}

#[test]
fn reading_counters_changes_nothing_in_the_world() {
    let (without, with) = (run(&story_with("", &[])), run(&story_with(COUNTERS, &[])));
    assert_eq!((without.digest(), without.events()), (with.digest(), with.events()));
}

const SWEEP: &str = r#"
[sweep]
name = "keys"
points = [40, 80]
set = { "load.web.keys" = "{}" }

[[expect]]
name = "reads"
variant = "ring"
metric = "web.reads"
at_least = 1

[[expect]]
name = "reads-of-many"
variant = "ring"
point = 80
metric = "web.reads"
at_least = 1

[[expect]]
name = "beside"
variant = "ring"
metric = "web.keys_moved"
against_variant = "modulo"
at_most = "1x"

[[chart]]
name = "swept"
title = "Hit ratio"
kind = "curves"
metrics = "web.hit_ratio"
"#;

#[test]
fn a_sweep_runs_every_variant_at_every_point() {
    let story = story_with(SWEEP, &[]);
    let names: Vec<_> = story.variants.iter().filter_map(|v| v.name.as_deref()).collect();
    assert_eq!(names, ["modulo, 40", "modulo, 80", "ring, 40", "ring, 80"]);
    let run = run(&story);
    assert_eq!(figures(&story, &run, "reads").len(), 2);
    assert_eq!(figures(&story, &run, "reads-of-many").len(), 1);
    let beside = figures(&story, &run, "beside");
    assert!(beside.len() == 2 && beside.iter().all(|&factor| count(factor) < 1_000_000));
    let report = report(&story, &[&run], &Context::default());
    let chart = report.charts.last().expect("the chart of the sweep");
    let xs: Vec<Vec<f64>> =
        chart.series.iter().map(|line| line.points.iter().map(|(x, _)| *x).collect()).collect();
    assert_eq!(xs, [[40.0, 80.0], [40.0, 80.0]]);
}

#[test]
fn an_entry_for_one_variant_happens_in_no_other() {
    let story = story_with("", &["timeline.change.variant=ring"]);
    let run = run(&story);
    let moved = |n: usize| match run.variants[n].measured.loads[0].0.get("keys_moved") {
        Some(Measured::Share(_, of)) => *of,
        other => panic!("{other:?}"),
    };
    assert_eq!((moved(0), moved(1)), (0, 60));
    let report = report(&story, &[&run], &Context::default());
    let named: Vec<_> = report.timeline.iter().map(|moment| moment.variant.as_deref()).collect();
    assert_eq!(named, [Some("ring")]);
    assert!(report.charts[0].marks[0].label.ends_with("(ring)"));
}
