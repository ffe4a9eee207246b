//! The same random streams, valid and not, to an installed redis-server and to ours: the replies
//! must be the same bytes, but for the order of what has none.
//!
//! The peer is Debian's `/usr/bin/redis-server`, or what `STORYTIME_PEER_REDIS` names. Where there
//! is none, the tests say so and pass: a clean machine has none.
//!
//! A stream that tells the two apart is made small, request by request, before it is shown.

mod peer;
mod reply;
mod requests;

use peer::{Pair, find_peer};
use reply::Reply;
use requests::Request;
use std::io::Write as _;
use storytime_machine::Rng;

/// Streams of each family, unless `STORYTIME_STREAMS` says another number.
const STREAMS: u64 = 300;
/// Most requests in a stream.
const REQUESTS_MAX: usize = 40;

/// Said where there is nothing to compare with.
const SKIPPED: &[u8] =
    b"SKIPPED: no redis-server to compare with; install Debian's redis-server, or name \
    one with STORYTIME_PEER_REDIS\n";

type Family = fn(&mut Rng) -> Request;

fn both_answer_the_same(name: &str, family: Family, resp3: bool) {
    let Some(program) = find_peer() else {
        // Straight to the descriptor: what a passing test prints is not shown.
        let _unheard = std::io::stderr().write_all(SKIPPED);
        return;
    };
    let mut pair = Pair::start(&program, resp3);
    let streams = std::env::var("STORYTIME_STREAMS").ok().and_then(|n| n.parse().ok());
    for seed in 0..streams.unwrap_or(STREAMS) {
        let mut rng = Rng::new(seed, 0);
        let count = 1 + rng.index(REQUESTS_MAX);
        let requests: Vec<_> = (0..count).map(|_| family(&mut rng)).collect();
        if difference(&mut pair, &requests).is_some() {
            let small = smaller(&mut pair, requests);
            let (theirs, ours) = difference(&mut pair, &small).expect("it differs still");
            let shown = small.iter().map(|request| format!("  {request}"));
            panic!(
                "{name} stream of seed {seed}:\n{}\n{} says\n  {theirs:?}\nand ours\n  {ours:?}",
                shown.collect::<Vec<_>>().join("\n"),
                program.display(),
            );
        }
    }
}

/// What the two answer to the first request that they answer differently.
fn difference(pair: &mut Pair, requests: &[Request]) -> Option<(Reply, Reply)> {
    let stream: Vec<u8> = requests.iter().flat_map(Request::bytes).collect();
    let [theirs, ours] = pair.answers(&stream, requests.len());
    let both = theirs.into_iter().zip(ours).zip(requests);
    let mut both = both.map(|((theirs, ours), request)| {
        (theirs.normal(request.order), ours.normal(request.order))
    });
    both.find(|(theirs, ours)| theirs != ours)
}

/// Leaves out requests as long as the answers stay different.
fn smaller(pair: &mut Pair, mut requests: Vec<Request>) -> Vec<Request> {
    let mut at = 0;
    while at < requests.len() {
        let mut fewer = requests.clone();
        fewer.remove(at);
        if difference(pair, &fewer).is_some() {
            requests = fewer;
        } else {
            at += 1;
        }
    }
    requests
}

#[test]
fn strings_and_counters_are_answered_alike() {
    both_answer_the_same("string", requests::strings, false);
}

#[test]
fn keys_and_their_ends_are_answered_alike() {
    both_answer_the_same("key", requests::keys, false);
}

#[test]
fn hashes_are_answered_alike() {
    both_answer_the_same("hash", requests::hashes, false);
}

#[test]
fn lists_and_sets_are_answered_alike() {
    both_answer_the_same("list and set", requests::lists_and_sets, false);
}

#[test]
fn sorted_sets_are_answered_alike() {
    both_answer_the_same("sorted set", requests::sorted_sets, false);
}

#[test]
fn transactions_are_answered_alike() {
    both_answer_the_same("transaction", requests::transactions, false);
}

#[test]
fn mixed_streams_are_answered_alike_in_the_newer_protocol() {
    both_answer_the_same("mixed", requests::mixed, true);
}
