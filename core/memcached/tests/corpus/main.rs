//! The kept corpus of the fuzzing package, run without a fuzzer, and mutations of it.

#[path = "../client/net.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod net;
#[path = "../wire/rig.rs"]
#[allow(dead_code, reason = "each test program uses its part")]
mod rig;
mod targets;

use std::path::Path;
use storytime_machine::Rng;

/// Mutations of each input.
const MUTATIONS: u64 = 20;

/// The inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = folder.read_dir().expect("every target has a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a readable file")).collect()
}

/// Bytes overwritten, doubled, and cut away.
fn mutated(rng: &mut Rng, input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.below(4) {
        if bytes.is_empty() {
            break;
        }
        let (from, to) = (rng.index(bytes.len()), rng.index(bytes.len()));
        let (from, to) = (from.min(to), from.max(to));
        match rng.below(4) {
            0 => bytes[from] = rng.below(256) as u8,
            1 => bytes.extend_from_within(from..to),
            2 => drop(bytes.drain(from..to.min(from + 16))),
            _ => bytes[from] = b"\r\n 0-9\xff\0"[rng.index(8)],
        }
    }
    bytes
}

#[test]
fn every_target_survives_its_corpus_and_mutations_of_it() {
    for (name, target) in targets::TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has a corpus");
        for (at, input) in (0u64..).zip(&inputs) {
            target(input);
            let mut rng = Rng::new(at, 0);
            for _ in 0..MUTATIONS {
                target(&mutated(&mut rng, input));
            }
        }
    }
}
