//! The example of `examples/counter`: its bug is found, repeats, and is gone in the fixed machine.

#[path = "../examples/counter/machine.rs"]
mod machine;
#[path = "../examples/counter/run.rs"]
mod run;

use storytime_sim::campaign;

#[test]
fn a_campaign_finds_the_lost_update_and_a_replay_repeats_it() {
    let tally = campaign(0..100, |seed| run::run(seed, false), |_| {});
    assert!(tally.passed > 0, "the bug needs a race: not every seed has one");
    let found = tally.failures.first().expect("a hundred seeds find it");
    assert!(found.result.as_ref().is_err_and(|why| why.starts_with("lost update")));
    assert_eq!(run::run(found.seed, false), *found, "a replay is the same run");
}

#[test]
fn the_fixed_machine_passes_the_same_campaign() {
    let tally = campaign(0..100, |seed| run::run(seed, true), |_| {});
    assert_eq!((tally.passed, tally.failed), (100, 0), "{:?}", tally.failures);
}
