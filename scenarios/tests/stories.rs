//! The stories themselves, simulated: their expectations, their digests, their canary.

use std::path::PathBuf;
use storytime_reports::model::Arm;
use storytime_scenarios::campaign::{Campaign, Partition};
use storytime_scenarios::catalog;
use storytime_scenarios::failure::{Failure, FailureError};
use storytime_scenarios::metric::MetricDef;
use storytime_scenarios::models::Results;
use storytime_scenarios::overlay::Override;
use storytime_scenarios::read::File;
use storytime_scenarios::report::{Context, report};
use storytime_scenarios::run::{Run, kind_of};
use storytime_scenarios::simulate::{Options, run_simulated};
use storytime_scenarios::story::{Profile, Story};

fn story(id: &str, profile: Profile, sets: &[&str]) -> Story {
    let sets: Result<Vec<_>, _> = sets.iter().map(|set| Override::from_argument(set)).collect();
    let story = sets.and_then(|sets| catalog::open(id)?.story(profile, &sets));
    story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)))
}

fn run(story: &Story, seed: u64) -> Run {
    run_simulated(story, seed, Options::default())
}

#[test]
fn adding_a_server_crashes_the_hit_ratio_only_with_modulo() {
    let story = story("add-a-server", Profile::Real, &[]);
    assert_eq!(run(&story, 1).first_failure(&story), None);
}

#[test]
fn with_popular_keys_the_head_is_back_soon() {
    let story = story("add-a-server", Profile::Real, &["load.web.skew=zipf"]);
    let checks_of = run(&story, 1);
    let checks = checks_of.checks(&story);
    let moved = checks.iter().find(|check| check.expect.name == "modulo-moves-most");
    assert!(moved.expect("checked").holds, "which keys move does not depend on who asks");
}

#[test]
fn a_closed_loop_serves_pages_as_an_open_one() {
    let file = std::fs::read_to_string(
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("add-a-server.toml"),
    )
    .expect("readable");
    // A load has a rate or users, so the rate has to go.
    let file = file.replace("rate = \"2k/s\"", "users = 20\nthink = \"10ms\"");
    let file = file.replace("\"load.web.rate\" = \"500/s\"", "\"load.web.users\" = 20");
    let file = File::from_bytes("closed.toml", file.into_bytes());
    let story = file.and_then(|file| file.story(Profile::Campaign, &[]));
    let story = story.unwrap_or_else(|diagnostic| panic!("{}", diagnostic.render(false)));
    let run = run(&story, 1);
    let storytime_scenarios::models::results::Result::Series(pages) =
        &run.variants[0].measured.loads[0].0["pages"]
    else {
        panic!("pages are a series")
    };
    // 20 users who think for 10 ms ask for no more than 2,000 pages a second.
    let served: u64 = pages.counts().iter().sum();
    assert!((1_000..2_400).contains(&served), "{served}");
}

#[test]
fn lies_about_fsync_are_found_and_named() {
    let story = story("does-fsync-work", Profile::Campaign, &[]);
    for seed in 1..=3 {
        assert_eq!(run(&story, seed).first_failure(&story), None, "seed {seed}");
    }
}

/// The canary: a story that must fail fails, or its other verdicts mean nothing.
#[test]
fn a_lying_disk_under_the_honest_variant_is_noticed() {
    let story = story("does-fsync-work", Profile::Campaign, &["disk.ide.lies=drive"]);
    let failure = run(&story, 1).first_failure(&story).expect("the canary must fail");
    assert!(failure.contains("honest-loses-nothing in honest"), "{failure}");
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    for id in ["add-a-server", "does-fsync-work"] {
        let story = story(id, Profile::Campaign, &[]);
        let (first, again, other) = (run(&story, 7), run(&story, 7), run(&story, 8));
        assert_eq!((first.digest(), first.events()), (again.digest(), again.events()), "{id}");
        assert_ne!(first.digest(), other.digest(), "{id}");
    }
}

#[test]
fn a_campaign_finds_no_failure_and_threads_change_nothing() {
    let story = story("add-a-server", Profile::Campaign, &[]);
    let campaign = |jobs| Campaign { first_seed: 1, seeds: 20, jobs, partition: Partition::WHOLE };
    let mut told = 0;
    let one = campaign(1).run(&story, &mut |_, failure, _| {
        told += 1;
        assert_eq!(failure, None);
    });
    let two = campaign(2).run(&story, &mut |_, _, _| {});
    assert_eq!((told, one.done, one.failed), (20, 20, 0));
    assert_eq!(one, two);
}

#[test]
fn a_failing_seed_is_kept_and_replayed_to_the_same_digest() {
    let sets = ["expect.ring-moves-few.between=[\"0%\", \"0%\"]".to_owned()];
    let story = story("add-a-server", Profile::Campaign, &[&sets[0]]);
    let failed = run(&story, 3);
    let failure = Failure::of("add-a-server", &story, &failed, &sets, "build 1");
    let failure = failure.expect("no ring moves nothing");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("failures");
    let path = failure.save(&folder, &story.card.id).expect("written");
    let loaded = Failure::load(&path).expect("read");
    assert_eq!(loaded, failure);
    let replay = loaded.replay(Options::default(), "build 2").expect("the story is there");
    assert!(replay.same_digest);
    assert_eq!(replay.other_build.as_deref(), Some("build 1"));
    assert_eq!(replay.run.first_failure(&replay.story), Some(loaded.broken));
}

#[test]
fn a_replay_stops_at_the_event_asked_for() {
    let story = story("add-a-server", Profile::Campaign, &[]);
    let options = Options { trace: true, until_event: Some(100) };
    let run = run_simulated(&story, 1, options);
    let first = &run.variants[0];
    assert!(first.broken.is_none() && first.events <= 101, "{}", first.events);
    assert!(first.trace.len() >= 90, "{}", first.trace.len());
}

#[test]
fn what_is_no_failure_file_is_refused() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-failure.json");
    for text in ["", "{}", "{\"format\": 1, \"story\": 3}"] {
        std::fs::write(&path, text).expect("written");
        assert!(matches!(Failure::load(&path), Err(FailureError::Format(..))), "{text}");
    }
}

#[test]
fn models_measure_what_their_tables_promise() {
    let story = story("add-a-server", Profile::Campaign, &[]);
    let run = run(&story, 1);
    let same = |results: &Results, defs: &[MetricDef]| {
        for def in defs {
            assert_eq!(results.0.get(def.name).map(kind_of), Some(def.kind), "{}", def.name);
        }
        assert_eq!(results.0.len(), defs.len());
    };
    let (setup, measured) = (&story.variants[0].setup, &run.variants[0].measured);
    same(&measured.loads[0], setup.loads[0].spec.metrics());
    same(&measured.models[0], setup.models[0].spec.metrics());
}

#[test]
fn the_report_tells_the_whole_story() {
    let story = story("add-a-server", Profile::Campaign, &[]);
    let run = run(&story, 1);
    let context = Context { command: "storytime run add-a-server".into(), ..Context::default() };
    let report = report(&story, &[&run], &context);
    assert!(report.holds());
    assert_eq!(report.arms[0].arm, Arm::Simulated);
    assert_eq!(report.rack.len(), 8);
    assert_eq!(report.rack[0].lines, ["memcached -m 64 -p 11211 -t 1"]);
    let chart = &report.charts[0];
    let names: Vec<_> = chart.series.iter().map(|series| series.name.as_str()).collect();
    assert_eq!(names, ["modulo", "ring"]);
    assert_eq!(chart.marks.len(), 1);
    assert_eq!(report.timeline.len(), 1);
    assert!(report.latencies.iter().any(|row| row.name == "web.page_time"));
}
