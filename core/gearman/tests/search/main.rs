//! The rules, searched: every order of what clients, workers, operators and the disk can do, within
//! a number of submits, on the engine itself. In each state everything is let come to its end. No
//! accepted background job may be lost, nobody may wait without an end or be told two, a job may
//! run twice only if it lost a worker, and jobs go out in their order.
//!
//! The example `search` goes deeper.

mod book;
mod canon;
mod defects;
mod explore;
mod plans;
mod random;
mod yard;

use explore::explore;
use yard::Plan;

/// Searches a plan. The states are counted so that a search that stops looking is seen.
fn search(plan: &Plan, states: usize) {
    let seen = explore(plan).unwrap_or_else(|found| panic!("{}", found.told()));
    assert_eq!(seen.states, states, "{seen:?}");
}

#[test]
fn clients_and_workers_may_come_and_go_in_every_order() {
    search(&plans::comings_and_goings(5), 5_710);
}

#[test]
fn workers_may_take_two_jobs_each_in_every_order() {
    search(&Plan { jobs_each: 2, ..plans::comings_and_goings(3) }, 572);
}

#[test]
fn workers_may_sleep_and_tarry_in_every_order() {
    search(&plans::sleepers(3), 2_768);
}

#[test]
fn workers_may_wait_for_a_job_in_every_order() {
    search(&plans::patient_workers(3), 3_800);
}

#[test]
fn workers_may_take_too_long_in_every_order() {
    search(&plans::tired_workers(3), 1_742);
}

#[test]
fn the_server_may_die_in_every_order() {
    search(&Plan { keys: b"u", ..plans::disk(3) }, 3_196);
}

#[test]
fn all_of_it_may_happen_in_every_order() {
    search(&Plan { keys: b"u", ..plans::everything(2) }, 10_370);
}
