//! The page: what must be in it, what must not.

use crate::fixture;
use std::collections::{BTreeMap, BTreeSet};
use storytime_reports::html::page;
use storytime_reports::model::Report;

fn all() -> [Report; 4] {
    let empty = fixture::empty("empty", "Nothing", "LJ 1");
    [fixture::add_a_server(), fixture::does_fsync_work(), fixture::hostile(), empty]
}

#[test]
fn the_page_needs_no_network_and_no_scripts() {
    for report in all() {
        let page = page(&report);
        for forbidden in ["http:", "https:", "//", "@import", "<script", " src=", "<iframe"] {
            let found = page.find(forbidden).map(|at| &page[at..(at + 60).min(page.len())]);
            assert_eq!(found, None, "{forbidden}");
        }
        assert!(page.matches("url(").count() == page.matches("url(#").count());
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn hostile_text_stays_text() {
    let page = page(&fixture::hostile());
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    assert_eq!(page.matches("</title>").count(), page.matches("<title").count());
}

#[test]
fn elements_are_balanced_and_ids_are_unique() {
    for report in all() {
        let page = page(&report);
        for tag in
            ["div", "section", "table", "tr", "td", "th", "figure", "svg", "g", "ol", "li", "dl"]
        {
            let (plain, more) = (format!("<{tag}>"), format!("<{tag} "));
            let opened = page.matches(&plain).count() + page.matches(&more).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        let mut ids = BTreeSet::new();
        for rest in page.split(" id=\"").skip(1) {
            let id = rest.split('"').next().unwrap_or_default();
            assert!(ids.insert(id), "{id} is used twice");
        }
        for rest in page.split("url(#").skip(1) {
            let id = rest.split(')').next().unwrap_or_default();
            assert!(ids.contains(id), "{id} is referred to and missing");
        }
    }
}

#[test]
fn everything_a_reader_asks_for_is_there() {
    let report = fixture::add_a_server();
    let page = page(&report).replace("&#x27;", "'").replace("&#x2f;", "/");
    let words = [
        "All 6 expectations hold",
        report.story.asks.as_str(),
        report.story.shows.as_str(),
        report.command.as_str(),
        report.notes[0].as_str(),
        "9f86d081884c7d659a2feaa0c55ad015",
        "memcached -m 1024 -p 11211",
        "10.0.1.4",
        "cache-4 joins",
        "In the talk",
        "Simulated and real, side by side",
        "p99.9",
        "first key",
        report.build.as_str(),
    ];
    for word in words {
        assert!(page.contains(word), "{word}");
    }
}

#[test]
fn a_failing_run_names_what_failed_first() {
    let page = page(&fixture::does_fsync_work());
    let verdict = page.find("1 of 5 expectations fails").expect("the verdict is there");
    let failed = page.find("<strong>losses-flush</strong>").expect("the failure is named");
    let picture = page.find("<figure").expect("there is a picture");
    assert!(verdict < failed && failed < picture);
    assert!(page.contains("writes_max=20000"));
}

#[test]
fn a_run_that_checked_nothing_does_not_hold() {
    let report = fixture::empty("empty", "Nothing", "LJ 1");
    assert!(!report.holds());
    assert!(page(&report).contains("No expectation was checked"));
}

#[test]
fn a_long_timeline_is_cut_and_says_so() {
    let page = page(&fixture::hostile());
    assert!(page.contains("and 300 more"));
}

/// The custom properties of a theme.
fn theme(page: &str, dark: bool) -> BTreeMap<&str, &str> {
    let start = if dark { page.find("(prefers-color-scheme: dark)") } else { Some(0) };
    let css = &page[start.expect("there is a dark theme")..];
    let block = css.split(":root {").nth(1).and_then(|rest| rest.split('}').next());
    let declarations = block.expect("a theme is a block").split(';');
    let pairs = declarations.filter_map(|line| line.trim().strip_prefix("--")?.split_once(": "));
    pairs.collect()
}

/// Relative luminance of a colour such as `#1d5fbf`, as WCAG 2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("colours are hexadecimal");
        let share = f64::from(byte) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(a: &str, b: &str) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn both_themes_have_the_contrast_that_readers_need() {
    let page = page(&fixture::add_a_server());
    for dark in [false, true] {
        let theme = theme(&page, dark);
        let texts = [
            ("ink", "paper"),
            ("ink", "card"),
            ("ink", "inset"),
            ("soft", "paper"),
            ("soft", "card"),
            ("soft", "inset"),
            ("good", "good-ground"),
            ("good", "paper"),
            ("bad", "bad-ground"),
            ("bad", "paper"),
            ("ink", "good-ground"),
            ("ink", "bad-ground"),
            ("mark", "card"),
            ("level", "card"),
            ("card", "good"),
            ("card", "bad"),
        ];
        for (front, back) in texts {
            let ratio = contrast(theme[front], theme[back]);
            assert!(ratio >= 4.5, "{front} on {back}, dark {dark}: {ratio:.2}");
        }
        for role in 0..8 {
            let colour = theme[format!("s{role}").as_str()];
            assert!(contrast(colour, theme["card"]) >= 4.5, "s{role}, dark {dark}");
        }
    }
}

#[test]
fn both_themes_set_the_same_colours() {
    let page = page(&fixture::add_a_server());
    let names = |dark| theme(&page, dark).into_keys().collect::<Vec<_>>();
    assert_eq!(names(false), names(true));
    for property in page.split("var(--").skip(1) {
        let name = property.split(')').next().unwrap_or_default();
        assert!(name == "c" || names(false).contains(&name), "--{name} is not set");
    }
}

#[test]
fn paper_and_phones_have_their_own_rules() {
    let page = page(&fixture::add_a_server());
    assert!(page.contains("@media print") && page.contains("(max-width: 720px)"));
    assert_eq!(page.matches("class=\"chart wide\"").count(), 2);
    assert_eq!(page.matches("class=\"chart narrow\"").count(), 2);
}
