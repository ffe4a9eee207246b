//! Every order of events within a budget, each state once.

use super::super::options::{Bug, JobOptions};
use super::site::{Budget, Site, with_strokes};
use crate::map::ShardId;
use core::hash::BuildHasher;
use std::collections::BTreeSet;
use storytime_machine::hash::FixedState;

pub(super) fn options(bug: Bug) -> JobOptions {
    JobOptions {
        page_rows_max: 2,
        fetch_rows_max: 2,
        clauses_max: 3,
        near_rows_max: 0,
        passes_max: 2,
        failures_max: 3,
        upgrade: with_strokes,
        bug,
        ..JobOptions::default()
    }
}

/// Visits every state; returns how many there are.
fn explore(first: Site, options: &JobOptions, states_max: usize) -> usize {
    let (mut seen, mut checked) = (BTreeSet::new(), BTreeSet::new());
    let mut stack = vec![first];
    while let Some(site) = stack.pop() {
        if !seen.insert(FixedState.hash_one(&site)) {
            continue;
        }
        assert!(seen.len() <= states_max, "more states than this test is meant to visit");
        if checked.insert(FixedState.hash_one(site.without_actors())) {
            site.check(options);
        }
        for event in site.events() {
            let mut next = site.clone();
            next.happen(event, options);
            stack.push(next);
        }
    }
    seen.len()
}

const NONE: Budget = Budget { delays: 0, movers: 1, writes: 0, cancels: 0, waits: 0 };

#[test]
fn one_mover_and_a_writer_in_every_order() {
    let site = Site::new(2, 1, Budget { writes: 3, ..NONE });
    let states = explore(site, &options(Bug::None), 100_000);
    assert!(states > 300, "{states}");
}

#[test]
fn a_mover_whose_requests_come_late_in_every_order() {
    let site = Site::new(1, 1, Budget { delays: 1, writes: 1, ..NONE });
    let states = explore(site, &options(Bug::None), 1_000_000);
    assert!(states > 1_000, "{states}");
}

#[test]
fn two_movers_and_a_writer_in_every_order() {
    let site = Site::new(0, 2, Budget { movers: 2, writes: 1, ..NONE });
    let states = explore(site, &options(Bug::None), 1_000_000);
    assert!(states > 1_000, "{states}");
}

#[test]
fn a_user_of_the_master_from_before_sharding_in_every_order() {
    let site = Site::before_sharding(2, Budget { writes: 2, cancels: 1, ..NONE });
    let options = JobOptions { unsharded: Some(ShardId(0)), ..options(Bug::None) };
    let states = explore(site, &options, 100_000);
    assert!(states > 300, "{states}");
}

/// A predecessor made the user read-only, lost patience, and let him write again; that request is
/// still on its way when a successor switches the directory.
const IMPATIENT: Budget = Budget { delays: 1, movers: 2, waits: 1, ..NONE };

#[test]
fn a_mover_without_patience_and_its_successor_in_every_order() {
    let site = Site::new(0, 1, IMPATIENT);
    let states = explore(site, &options(Bug::None), 1_000_000);
    assert!(states > 1_000, "{states}");
}

/// Every order of events, until a mistake shows; how it does.
fn finds(bug: Bug, site: Site) -> String {
    let run = || explore(site, &options(bug), 1_000_000);
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("it shows");
    found.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_lease_without_a_fence_is_found() {
    let text = finds(Bug::LeaseWithoutFence, Site::new(0, 1, IMPATIENT));
    assert!(text.contains("written where nobody looks"), "{text}");
}

#[test]
fn a_directory_switched_before_the_copy_is_verified_is_found() {
    let site = Site::new(2, 1, Budget { writes: 1, ..NONE });
    let text = finds(Bug::SwitchBeforeVerify, site);
    assert!(text.contains("rows on shard 1"), "{text}");
}

#[test]
fn rows_copied_without_a_check_of_home_are_found() {
    let budget = Budget { delays: 1, movers: 2, writes: 2, cancels: 0, waits: 0 };
    let text = finds(Bug::NoHomeCheck, Site::new(1, 1, budget));
    assert!(!text.is_empty(), "it says what it saw");
}
