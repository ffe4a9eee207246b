//! The same random streams, valid and not, to an installed gearmand and to ours: the answers must
//! be the same but for what [`deviations`] lists, where each is shown on both.
//!
//! The peer is Debian's `/usr/sbin/gearmand`, or what `STORYTIME_PEER_GEARMAND` names. Where there
//! is none, the tests say so and pass: a clean machine has none.
//!
//! A stream that tells the two apart is made small, step by step, before it is shown.

mod deviations;
mod peer;
mod script;
mod steps;

use deviations::DEVIATIONS;
use peer::{Server, find_peer};
use script::run;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use storytime_machine::Rng;

/// Streams of each family, unless `STORYTIME_STREAMS` says another number.
const STREAMS: u64 = 60;
/// Most steps in a stream.
const STEPS_MAX: usize = 40;

/// Said where there is nothing to compare with.
const SKIPPED: &[u8] =
    b"SKIPPED: no gearmand to compare with; install Debian's gearman-job-server, or name one with \
    STORYTIME_PEER_GEARMAND\n";

/// The peer, or word that there is none.
fn peer_or_word() -> Option<PathBuf> {
    let peer = find_peer();
    if peer.is_none() {
        // Straight to the descriptor: what a passing test prints is not shown.
        let _unheard = std::io::stderr().write_all(SKIPPED);
    }
    peer
}

type Family = fn(&mut Rng) -> String;

fn both_answer_the_same(name: &str, family: Family) {
    let Some(program) = peer_or_word() else { return };
    let servers = [Server::theirs(&program), Server::ours(&[])];
    let mut runs = 0;
    let mut answers = |steps: &[String]| {
        // Names of their own for each run: what an earlier one left is not in its way.
        runs += 1;
        servers.each_ref().map(|server| run(server, steps, runs))
    };
    let streams = std::env::var("STORYTIME_STREAMS").ok().and_then(|n| n.parse().ok());
    for seed in 0..streams.unwrap_or(STREAMS) {
        let mut rng = Rng::new(seed, 0);
        let count = 1 + rng.index(STEPS_MAX);
        let mut steps: Vec<String> = (0..count).map(|_| family(&mut rng)).collect();
        let [theirs, ours] = answers(&steps);
        if theirs == ours {
            continue;
        }
        let mut at = 0;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.remove(at);
            let [theirs, ours] = answers(&fewer);
            if theirs == ours {
                at += 1;
            } else {
                steps = fewer;
            }
        }
        let [theirs, ours] = answers(&steps);
        panic!(
            "{name} stream of seed {seed}:\n  {}\n{} says\n  {}\nand ours\n  {}",
            steps.join("\n  "),
            program.display(),
            theirs.join("\n  "),
            ours.join("\n  "),
        );
    }
}

#[test]
fn lines_are_answered_alike() {
    both_answer_the_same("line", steps::lines);
}

#[test]
fn packets_without_jobs_are_answered_alike() {
    both_answer_the_same("packet", steps::packets);
}

#[test]
fn jobs_are_handed_out_and_their_results_relayed_alike() {
    both_answer_the_same("job", steps::jobs);
}

#[test]
fn jobs_that_meet_by_their_keys_are_answered_alike() {
    both_answer_the_same("key", steps::keys);
}

#[test]
fn the_two_differ_where_they_are_known_to() {
    let Some(program) = peer_or_word() else { return };
    let mut wrong = String::new();
    for deviation in DEVIATIONS {
        let servers = [Server::theirs(&program), Server::ours(&[])];
        let steps: Vec<String> = deviation.script.iter().map(|step| (*step).to_owned()).collect();
        let [theirs, ours] = servers.each_ref().map(|server| run(server, &steps, 0).join("; "));
        for (who, said, listed) in
            [("theirs", theirs, deviation.theirs), ("ours", ours, deviation.ours)]
        {
            if said != listed {
                let what = deviation.what;
                writeln!(wrong, "{what}\n  {who}: {said}\n  listed: {listed}").expect("it grows");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
