//! Long random walks: several moves to and fro, many movers, much that comes late.

use super::super::options::{Bug, JobOptions};
use super::explore::options;
use super::site::{Budget, Site};
use storytime_machine::Rng;

const MUCH: Budget = Budget { delays: 6, movers: 4, writes: 6, cancels: 1, waits: 1 };

pub(super) fn walk(seed: u64, options: &JobOptions) {
    let mut rng = Rng::new(seed, 0);
    let mut site = Site::new(rng.below(5), 1 + rng.below(3) as u32, MUCH);
    for round in 1..=3u64 {
        for _ in 0..200 {
            let events = site.events();
            if events.is_empty() {
                break;
            }
            site.happen(events[rng.index(events.len())], options);
            site.check(options);
        }
        site.finish(options);
        site.more(Budget { writes: MUCH.writes * (round + 1), ..MUCH });
    }
}

#[test]
fn many_moves_with_many_movers_lose_nothing() {
    for seed in 0..12 {
        walk(seed, &options(Bug::None));
    }
}

fn finds(bug: Bug) {
    let found =
        (0..500).find(|&seed| std::panic::catch_unwind(|| walk(seed, &options(bug))).is_err());
    assert!(found.is_some(), "{bug:?} is not found");
}

#[test]
fn number_spaces_that_begin_anew_are_found() {
    finds(Bug::CountersNotCarried);
}
