//! The rules searched deeper than the tests do, one plan after the other:
//! `cargo run --release -p storytime-gearman --example search` takes a minute or two; `… -- 3` is
//! about as deep as the tests, and each number more takes some five times as long.

#![allow(dead_code, reason = "the yard is that of the tests, which use all of it")]

#[path = "../tests/search/book.rs"]
mod book;
#[path = "../tests/search/canon.rs"]
mod canon;
#[path = "../tests/search/explore.rs"]
mod explore;
#[path = "../tests/search/plans.rs"]
mod plans;
#[path = "../tests/search/yard.rs"]
mod yard;

use storytime_gearman::engine::Defect;

#[expect(clippy::disallowed_methods, reason = "a program, not a machine")]
fn main() {
    let word = std::env::args().nth(1);
    let submits = word.and_then(|word| word.parse().ok()).unwrap_or(4);
    for defect in [
        Defect::DeadJobFound,
        Defect::BackgroundForgotten,
        Defect::BackgroundOntoAbandoned,
        Defect::CancelledFound,
    ] {
        match explore::explore(&plans::original(defect)) {
            Ok(_) => panic!("{defect:?} was not found"),
            Err(found) => println!("{defect:?}\n{}\n", found.told()),
        }
    }
    for (name, plan) in [
        ("comings and goings", plans::comings_and_goings(submits + 3)),
        ("sleepers", plans::sleepers(submits + 1)),
        ("tired workers", plans::tired_workers(submits + 1)),
        ("disk", yard::Plan { keys: b"u", ..plans::disk(submits) }),
        ("disk, and jobs without a key", plans::disk(submits - 1)),
        ("everything", yard::Plan { keys: b"u", ..plans::everything(submits - 1) }),
    ] {
        match explore::explore(&plan) {
            Ok(seen) => println!("{name}, {} submits: {seen:?}", plan.submits),
            Err(found) => panic!("{name}:\n{}", found.told()),
        }
    }
}
