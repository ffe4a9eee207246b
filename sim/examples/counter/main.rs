//! Bring your own machine: a counter with a lost-update bug, found, replayed and fixed.
//!
//! ```text
//! cargo run --release -p storytime-sim --example counter -- campaign 100
//! cargo run --release -p storytime-sim --example counter -- replay SEED
//! cargo run --release -p storytime-sim --example counter -- campaign 100 --fixed
//! ```
//!
//! `sim/examples/README.md` walks through it.

mod machine;
mod run;

use run::{run, world};
use storytime_sim::{Ran, campaign};

const USAGE: &str = "usage: counter campaign SEEDS [--fixed] | counter replay SEED [--fixed]";

#[expect(clippy::disallowed_methods, reason = "a program, not a machine")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let fixed = words.iter().any(|word| word == "--fixed");
    let number = words.get(1).and_then(|word| word.parse().ok());
    match (words.first().map(String::as_str), number) {
        (Some("campaign"), Some(seeds)) => {
            let tally = campaign(0..seeds, |seed| run(seed, fixed), |_| {});
            println!("{} seeds held, {} failed", tally.passed, tally.failed);
            for failure in tally.failures.iter().take(3) {
                let why = failure.result.as_ref().expect_err("only failures are kept");
                println!(
                    "seed {}: {why}\n  repeat it: counter replay {}",
                    failure.seed, failure.seed
                );
            }
            u8::from(tally.failed > 0).into()
        }
        (Some("replay"), Some(seed)) => {
            let (mut world, _) = world(seed, fixed);
            let ran = world.run_until(run::END);
            for record in world.trace().records() {
                println!("{}", world.line(record));
            }
            let outcome = run(seed, fixed);
            println!(
                "digest {:016x}, {} events: {:?}",
                outcome.digest, outcome.events, outcome.result
            );
            assert!(outcome.digest == world.digest() && !matches!(ran, Ran::Broken(_)));
            u8::from(outcome.result.is_err()).into()
        }
        _ => {
            eprintln!("{USAGE}");
            2.into()
        }
    }
}
