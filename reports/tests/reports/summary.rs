//! The terminal summary.

use crate::fixture;
use storytime_reports::terminal::summary;

#[test]
fn add_a_server_at_80_columns() {
    let report = fixture::add_a_server();
    insta::assert_snapshot!(summary(&report, "reports-out/add-a-server-7.html", 80, false));
}

#[test]
fn add_a_server_at_120_columns_has_one_line_per_expectation() {
    let report = fixture::add_a_server();
    insta::assert_snapshot!(summary(&report, "reports-out/add-a-server-7.html", 120, false));
}

#[test]
fn does_fsync_work_at_80_columns() {
    let report = fixture::does_fsync_work();
    insta::assert_snapshot!(summary(&report, "reports-out/does-fsync-work-7.html", 80, false));
}

#[test]
fn does_fsync_work_at_60_columns() {
    let report = fixture::does_fsync_work();
    insta::assert_snapshot!(summary(&report, "", 60, false));
}

#[test]
fn no_line_is_longer_than_asked_but_those_to_copy() {
    let reports = [
        fixture::add_a_server(),
        fixture::does_fsync_work(),
        fixture::hostile(),
        fixture::empty("empty", "Nothing", "LJ 1"),
    ];
    for report in &reports {
        for width in [0, 48, 60, 72, 80, 100, 120] {
            let text = summary(report, "page.html", width, false);
            for line in text.lines().filter(|line| !line.starts_with("  repeat")) {
                let columns = line.chars().count();
                assert!(columns <= width.max(48), "{columns} > {width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_colour_and_nothing_else() {
    let report = fixture::does_fsync_work();
    let plain = summary(&report, "page.html", 80, false);
    let coloured = summary(&report, "page.html", 80, true);
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(start) = rest.find("\u{1b}[") {
        stripped.push_str(&rest[..start]);
        let end = rest[start..].find('m').expect("every colour code ends");
        rest = &rest[start + end + 1..];
    }
    stripped.push_str(rest);
    let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
    assert!(coloured.contains("\u{1b}[1;31m") && coloured.contains("\u{1b}[1;32m"));
}

#[test]
fn names_from_files_cannot_drive_the_terminal() {
    let text = summary(&fixture::hostile(), "page.html", 80, false);
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_failure_is_said_in_words() {
    let text = summary(&fixture::does_fsync_work(), "", 80, false);
    assert!(text.starts_with("✗ 1 of 5 expectations fails"));
    assert_eq!(text.matches("FAILS").count(), 1);
}
