//! The example of `examples/crash_points`: each mistake is found, the right log is clean.

#[path = "../examples/crash_points/log.rs"]
mod log;
#[path = "../examples/crash_points/subject.rs"]
mod subject;

use log::Bug;
use storytime_sim::DiskConfig;
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::enumerate::{Flaw, FlawKind, Options, Recipe, Report, enumerate, replay};
use subject::Numbers;

const HONEST: [Profile; 3] = [Profile::Friendly, Profile::Posix, Profile::Hostile];

fn options(profile: Profile) -> Options {
    Options::new(DiskConfig::new(profile))
}

fn examine(bug: Bug, options: &Options) -> Report {
    enumerate(options, || Numbers::new(bug, 30))
}

/// The profiles under which a mistake shows, with the first violation of each.
fn found(bug: Bug) -> Vec<(Profile, Recipe, Flaw)> {
    let report = |profile| (profile, examine(bug, &options(profile)));
    let found = |(profile, report): (Profile, Report)| {
        let first = report.violations.into_iter().next()?;
        Some((profile, first.recipe, first.flaw))
    };
    HONEST.into_iter().map(report).filter_map(found).collect()
}

fn assert_found(bug: Bug, where_it_shows: &[Profile], kinds: &[FlawKind]) {
    let found = found(bug);
    let profiles: Vec<Profile> = found.iter().map(|(profile, ..)| *profile).collect();
    assert_eq!(profiles, where_it_shows, "{found:?}");
    for (profile, recipe, flaw) in found {
        assert!(kinds.contains(&flaw.kind), "{profile}: {flaw}");
        let again = replay(&options(profile), || Numbers::new(bug, 30), &recipe);
        assert_eq!(again, Err(flaw), "a replay of {recipe} leads to the same state");
        let right = replay(&options(profile), || Numbers::new(Bug::None, 30), &recipe);
        assert!(right.is_ok() || recipe.first.point > 1, "{right:?}");
    }
}

#[test]
fn a_log_without_mistakes_holds_in_every_state_of_an_honest_disk() {
    for profile in HONEST {
        let report = examine(Bug::None, &options(profile));
        report.assert_clean();
        let states = report.states;
        assert!(states.nothing > 0 && states.everything > 0, "{report}");
        let one_choice = profile == Profile::Friendly;
        assert!(states.combined > 0 && states.random > 0 || one_choice, "{report}");
        assert!(states.second > 0, "{report}");
        assert_eq!(report.promises, 30);
    }
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    assert_found(Bug::EarlyAck, &HONEST, &[FlawKind::Lost]);
}

#[test]
fn a_name_that_was_never_synced_is_found() {
    // A friendly disk flushes names with everything else.
    assert_found(Bug::ForgottenName, &[Profile::Posix, Profile::Hostile], &[FlawKind::Lost]);
}

#[test]
fn a_rename_before_the_sync_is_found() {
    assert_found(Bug::EarlyRename, &[Profile::Posix, Profile::Hostile], &[FlawKind::Lost]);
}

#[test]
fn rewriting_the_sector_of_an_acknowledged_record_is_found_where_torn_sectors_end_in_garbage() {
    assert_found(Bug::SharedSector, &[Profile::Hostile], &[FlawKind::Lost]);
}

#[test]
fn trust_in_the_length_is_found() {
    let profiles = [Profile::Posix, Profile::Hostile];
    assert_found(Bug::TrustedLength, &profiles, &[FlawKind::Invented, FlawKind::Lost]);
}

#[test]
fn every_lie_loses_something_and_nothing_is_invented() {
    for lies in [Lies::DRIVE, Lies::CONTROLLER, Lies::FILE_SYSTEM] {
        let disk = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
        let report = examine(Bug::None, &Options::new(disk));
        assert!(report.flaws_of(FlawKind::Lost) > 0, "{lies:?}: {report}");
        assert_eq!(report.flaws_of(FlawKind::Lost), report.flawed(), "{lies:?}: {report}");
    }
}

#[test]
fn an_enumeration_is_the_same_every_time() {
    let options = options(Profile::Hostile);
    let (one, two) = (examine(Bug::SharedSector, &options), examine(Bug::SharedSector, &options));
    assert_eq!(one, two);
    assert!(one.equal > 0, "equal states are visited once");
}
