//! Moves under faults, seed after seed: `cargo run -p storytime-sharding --example moves -- 0 1000`
//! runs seeds 0 to 999 and stops at the first that fails. `… -- 17 18` repeats seed 17.

#![allow(dead_code, unused_imports, reason = "the site is that of the tests, which use all of it")]

#[path = "../tests/world/app.rs"]
mod app;
#[path = "../tests/world/moves/mod.rs"]
mod moves;
#[path = "../tests/world/rig.rs"]
mod rig;

#[expect(clippy::disallowed_methods, reason = "a program, not a machine")]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let [from, to] = numbers[..] else {
        eprintln!("moves FROM TO: the first seed, and the one behind the last");
        std::process::exit(2);
    };
    let (mut moved, mut given_back, mut longest_ns) = (0, 0, 0);
    for seed in from..to {
        println!("seed {seed}");
        let totals = moves::troubled(seed, |_| {});
        moved += totals.0;
        given_back += totals.1;
        longest_ns = longest_ns.max(totals.2);
    }
    let longest_ms = longest_ns / 1_000_000;
    println!(
        "{moved} users moved, {given_back} moves given back, longest read-only {longest_ms} ms"
    );
}
