//! Trees that keep and break the list.

use super::*;
use crate::repo::repo;

fn sample() -> Vec<Held> {
    let manifest = |name| format!("[package]\nname = \"{name}\"\n");
    held(&repo(&[
        ("core/machine/Cargo.toml", &manifest("machine")),
        ("core/cache/Cargo.toml", &manifest("cache")),
        ("sim/Cargo.toml", &manifest("sim")),
        ("real/driver/Cargo.toml", &manifest("real")),
        ("Cargo.toml", "[workspace]\n"),
    ]))
}

fn judged(name: &str, tree: &str) -> Vec<String> {
    let held = sample();
    let one = held.iter().find(|h| h.name == name).expect("the sample has it");
    let mut found = Vec::new();
    judge(one, &held, tree, &mut found);
    found.into_iter().map(|v| format!("{}: {}", v.path, v.message)).collect()
}

#[test]
fn core_and_the_simulator_are_held_and_nobody_else() {
    let names: Vec<String> = sample().into_iter().map(|h| h.name).collect();
    assert_eq!(names, ["cache", "machine", "sim"]);
}

#[test]
fn listed_crates_and_the_contract_are_fine() {
    let tree = "0 cache v0.1.0 (here)\n1 machine v0.1.0 (here)\n2 bytes v1.12.1\n1 md-5 v0.11.0\n";
    assert_eq!(judged("cache", tree), [""; 0]);
    assert_eq!(judged("sim", "0 sim v0.1.0\n1 machine v0.1.0\n2 hashbrown v0.17.1\n"), [""; 0]);
}

#[test]
fn a_crate_off_the_list_is_shown_with_the_way_to_it_and_once() {
    let tree = "0 cache v0.1.0\n1 bytes v1.12.1\n2 cc v1.0.0\n1 machine v0.1.0\n2 cc v1.0.0\n";
    assert_eq!(
        judged("cache", tree),
        ["core/cache/Cargo.toml: `cc` is not on the list: cache → bytes → cc"]
    );
}

#[test]
fn proc_macros_are_refused_even_under_a_listed_name() {
    let tree = "0 cache v0.1.0\n1 zerocopy v0.8.1 (proc-macro)\n";
    assert_eq!(
        judged("cache", tree),
        ["core/cache/Cargo.toml: `zerocopy` is a proc macro: cache → zerocopy"]
    );
}

#[test]
fn the_simulator_knows_no_component_and_core_knows_no_driver() {
    assert_eq!(
        judged("sim", "0 sim v0.1.0\n1 cache v0.1.0\n"),
        ["sim/Cargo.toml: `cache` is not on the list: sim → cache"]
    );
    assert_eq!(judged("cache", "0 cache v0.1.0\n1 sim v0.1.0\n").len(), 1);
    assert_eq!(judged("cache", "0 cache v0.1.0\n1 tokio v1.54.0\n").len(), 1);
}

#[test]
fn a_crate_that_cargo_does_not_know_is_an_error_and_no_silence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(tree(root, "a-package-that-is-not-here").is_err());
}
