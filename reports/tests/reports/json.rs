//! One line of JSON per run, and reports stored as JSON.

use crate::fixture;
use storytime_reports::{html, json, model::Report};

#[test]
fn a_run_is_one_object_on_one_line() {
    let line = json::line(&fixture::add_a_server(), "reports-out/add-a-server-7.html");
    assert!(!line.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("a value is JSON"));
}

#[test]
fn a_failing_run_says_which_and_by_how_much() {
    let line = json::line(&fixture::does_fsync_work(), "page.html");
    let value: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!(value["holds"], false);
    let failing = &value["expectations"][4];
    assert_eq!(failing["holds"], false);
    assert_eq!(failing["measured"], "31 lost");
    assert_eq!(failing["bound"], "at least 100");
}

#[test]
fn hostile_text_stays_text() {
    let line = json::line(&fixture::hostile(), "\"\n");
    let value: serde_json::Value = serde_json::from_str(&line).expect("the line is JSON");
    assert_eq!(value["report"], "\"\n");
    assert!(!line.contains('\n'));
}

#[test]
fn a_report_that_was_stored_gives_the_same_page() {
    for report in [fixture::add_a_server(), fixture::does_fsync_work()] {
        let stored = serde_json::to_string(&report).expect("a report is JSON");
        let read: Report = serde_json::from_str(&stored).expect("what was stored can be read");
        assert!(html::page(&read) == html::page(&report), "{}", report.story.id);
        assert_eq!(read.expectations, report.expectations);
        assert_eq!(read.latencies, report.latencies);
    }
}
