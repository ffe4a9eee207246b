//! The original's mistakes, each found by the search, and the shortest history that shows it.

use crate::explore::{explore, replay};
use crate::plans::{original, original_without_workers};
use crate::yard::Plan;
use storytime_gearman::engine::{Defect, Rules};

/// The search finds the mistake, by this history, and the rules as they are stand it.
fn shows(plan: &Plan, told: &[&str]) {
    let found = explore(plan).expect_err("the mistake is found");
    assert_eq!(found.told(), told.join("\n"));
    assert_eq!(replay(plan, &found.history).as_ref(), Some(&found.wrong));
    let rules = Rules { defect: None, ..plan.rules.clone() };
    let right = Plan { rules, ..plan.clone() };
    assert_eq!(replay(&right, &found.history), None, "without the mistake nothing is wrong");
}

#[test]
fn a_client_waits_for_ever_for_a_job_whose_client_left() {
    shows(
        &original(Defect::DeadJobFound),
        &[
            "0 submits u in the foreground",
            "0 leaves",
            "0 submits u in the foreground",
            "=> client 0 waits for job 1 for ever",
        ],
    );
}

#[test]
fn a_background_job_is_lost_with_the_client_that_came_to_wait_for_it() {
    shows(
        &original(Defect::BackgroundForgotten),
        &[
            "0 submits u in the foreground",
            "0 submits u in the background",
            "0 leaves",
            "=> job 1 was accepted and is lost",
        ],
    );
}

#[test]
fn a_background_job_is_lost_in_the_place_of_an_abandoned_one() {
    shows(
        &original(Defect::BackgroundOntoAbandoned),
        &[
            "0 submits u in the foreground",
            "0 leaves",
            "0 submits u in the background",
            "=> job 1 was accepted and is lost",
        ],
    );
}

#[test]
fn a_cancelled_job_that_runs_ends_twice() {
    shows(
        &original(Defect::CancelledFound),
        &[
            "0 submits u in the foreground",
            "3 grabs",
            "1 is cancelled",
            "=> client 0 is told an end of job 1 too many",
        ],
    );
}

#[test]
fn a_job_is_lost_in_the_place_of_a_cancelled_one() {
    shows(
        &original_without_workers(Defect::CancelledFound),
        &[
            "0 submits u in the foreground",
            "1 is cancelled",
            "0 submits u in the foreground",
            "=> client 0 waits for job 1 for ever",
        ],
    );
}
