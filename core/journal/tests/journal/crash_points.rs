//! Every state that a power cut could leave, one by one.

use crate::book::{Ask, Book};
use crate::host::small;
use crate::lying::Lie;
use storytime_journal::JournalOptions;
use storytime_journal::options::Mistake;
use storytime_sim::DiskConfig;
use storytime_sim::disk::{Lies, Profile};
use storytime_sim::enumerate::{FlawKind, Options, Report, enumerate};

const HONEST: [Profile; 3] = [Profile::Friendly, Profile::Posix, Profile::Hostile];

/// Rolls several times, checkpoints, and begins another history.
const SCRIPT: [Ask; 19] = [
    Ask::Keep(1),
    Ask::Keep(3),
    Ask::Overlap(4),
    Ask::Keep(6),
    Ask::Overlap(3),
    Ask::Keep(5),
    Ask::Checkpoint,
    Ask::Keep(1),
    Ask::Overlap(3),
    Ask::Keep(6),
    Ask::CheckpointMeanwhile(3),
    Ask::Keep(2),
    Ask::Reset(5),
    Ask::Keep(3),
    Ask::Overlap(5),
    Ask::Keep(6),
    Ask::Keep(6),
    Ask::Checkpoint,
    Ask::Keep(1),
];

/// So small that everything happens within the script.
fn tiny() -> JournalOptions {
    JournalOptions { segment_bytes: 5 << 10, reserve_bytes: 1 << 10, ..small() }
}

fn options(disk: DiskConfig) -> Options {
    Options { random: 4, second_cut_every: 64, ..Options::new(disk) }
}

fn examine(profile: Profile, mistake: Mistake, lie: Lie) -> Report {
    let journal = JournalOptions { mistake, ..tiny() };
    let all = options(DiskConfig::new(profile));
    // A mistake is found soon or it is not.
    let some = Options { second_cut_every: 0, random: 2, single_choices_max: 32, ..all.clone() };
    let right = mistake == Mistake::None && lie == Lie::None;
    enumerate(if right { &all } else { &some }, || Book::new(journal, lie, &SCRIPT))
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_invented_in_any_state_of_an_honest_disk() {
    for profile in HONEST {
        let report = examine(profile, Mistake::None, Lie::None);
        println!("{profile}: {report}");
        report.assert_clean();
    }
}

#[test]
fn with_two_checkpoints_kept_every_state_holds_too() {
    for profile in HONEST {
        let journal = JournalOptions { checkpoints_kept: 2, reserve_bytes: 0, ..tiny() };
        let options = options(DiskConfig::new(profile));
        let report = enumerate(&options, || Book::new(journal, Lie::None, &SCRIPT));
        println!("{profile}: {report}");
        report.assert_clean();
    }
}

#[test]
fn every_lie_of_a_disk_loses_something() {
    for lies in [Lies::DRIVE, Lies::CONTROLLER, Lies::FILE_SYSTEM] {
        let disk = DiskConfig { lies, ..DiskConfig::new(Profile::Liar) };
        let options = Options { single_choices_max: 16, ..options(disk) };
        let report = enumerate(&options, || Book::new(tiny(), Lie::None, &SCRIPT));
        println!("{lies:?}: {report}");
        assert!(report.flaws_of(FlawKind::Lost) > 0, "{lies:?}: {report}");
        assert_eq!(report.flaws_of(FlawKind::Invented), 0, "{lies:?}: {report}");
        assert_eq!(report.flaws_of(FlawKind::Stuck), 0, "{lies:?}: {report}");
        assert_eq!(report.flaws_of(FlawKind::Panicked), 0, "{lies:?}: {report}");
    }
}

/// The profiles under which a mistake shows.
fn found(mistake: Mistake, lie: Lie) -> Vec<Profile> {
    let flawed = |&profile: &Profile| {
        let report = examine(profile, mistake, lie);
        println!("{mistake:?} {lie:?} {profile}: {report}");
        report.flawed() > 0
    };
    HONEST.into_iter().filter(flawed).collect()
}

const ORDERLESS: [Profile; 2] = [Profile::Posix, Profile::Hostile];

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    assert_eq!(found(Mistake::None, Lie::NoBatchSync), HONEST);
}

#[test]
fn a_segment_named_before_its_sync_is_found() {
    assert_eq!(found(Mistake::None, Lie::NoSegmentSync), ORDERLESS);
}

#[test]
fn a_segment_written_under_its_name_is_found() {
    assert_eq!(found(Mistake::None, Lie::SegmentInPlace), HONEST);
}

#[test]
fn a_segment_whose_name_is_not_synced_is_found() {
    assert_eq!(found(Mistake::None, Lie::NoSegmentName), ORDERLESS);
}

#[test]
fn a_checkpoint_named_before_its_sync_is_found() {
    assert_eq!(found(Mistake::None, Lie::NoCheckpointSync), ORDERLESS);
}

#[test]
fn a_checkpoint_written_under_its_name_is_found() {
    assert_eq!(found(Mistake::None, Lie::CheckpointInPlace), HONEST);
}

#[test]
fn removals_before_the_checkpoint_s_name_is_durable_are_found() {
    assert_eq!(found(Mistake::None, Lie::NoCheckpointName), HONEST);
}

#[test]
fn batches_that_share_a_sector_are_found_where_torn_sectors_end_in_garbage() {
    assert_eq!(found(Mistake::NoPadding, Lie::None), [Profile::Hostile]);
}

#[test]
fn a_torn_batch_taken_for_whole_is_found() {
    assert_eq!(found(Mistake::NoChecksum, Lie::None), ORDERLESS);
}

#[test]
fn a_reset_believed_before_its_checkpoint_has_its_name_is_found() {
    assert_eq!(found(Mistake::EpochOfSegments, Lie::None), HONEST);
}
