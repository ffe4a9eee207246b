//! The same random streams, valid and not, to an installed memcached and to ours: the replies must
//! be the same bytes, but for the differences written down in [`normal`].
//!
//! The peer is Debian's `/usr/bin/memcached`, or what `STORYTIME_PEER_MEMCACHED` names. Where there
//! is none, the tests say so and pass: a clean machine has none.
//!
//! A stream that tells the two apart is made small, request by request, before it is shown.

mod binary;
mod normal;
mod peer;
mod text;

use peer::{Pair, find_peer};
use std::io::Write as _;
use storytime_machine::Rng;

/// Streams of each protocol.
const STREAMS: u64 = 600;
/// Most requests in a stream.
const REQUESTS_MAX: usize = 24;

/// Said where there is nothing to compare with.
const SKIPPED: &[u8] =
    b"SKIPPED: no memcached to compare with; install Debian's memcached, or name \
    one with STORYTIME_PEER_MEMCACHED\n";

/// A protocol's streams and what its replies are compared by.
struct Language {
    name: &'static str,
    /// A request, or something that looks like one.
    request: fn(&mut Draw) -> Vec<u8>,
    /// Ends every stream: both servers then hang up.
    farewell: &'static [u8],
    /// What is left of an answer to compare, if the peer is as new as what is followed or not.
    normal: fn(&[u8], bool) -> Vec<u8>,
}

/// What requests are drawn from.
pub(crate) struct Draw {
    rng: Rng,
    /// Whether some are wrong. Releases of the original differ in how they stay in step after bad
    /// lines, so that only one as new as what is followed is shown these.
    odd: bool,
}

fn both_answer_the_same(language: &Language) {
    let Some(program) = find_peer() else {
        // Straight to the descriptor: what a passing test prints is not shown.
        let _unheard = std::io::stderr().write_all(SKIPPED);
        return;
    };
    let mut pair = Pair::start(&program);
    for seed in 0..STREAMS {
        let mut draw = Draw { rng: Rng::new(seed, 0), odd: pair.peer_is_new };
        let count = 1 + draw.rng.index(REQUESTS_MAX);
        let requests: Vec<_> = (0..count).map(|_| (language.request)(&mut draw)).collect();
        if let Some((theirs, ours)) = difference(&mut pair, language, &requests) {
            let small = smaller(&mut pair, language, requests);
            let again = difference(&mut pair, language, &small).unwrap_or((theirs, ours));
            let shown = small.iter().map(|r| format!("  {}", r.escape_ascii()));
            panic!(
                "{} stream of seed {seed}:\n{}\n{} says\n  {}\nand ours\n  {}",
                language.name,
                shown.collect::<Vec<_>>().join("\n"),
                program.display(),
                again.0.escape_ascii(),
                again.1.escape_ascii(),
            );
        }
    }
}

/// What the two answer, if it is not the same.
fn difference(
    pair: &mut Pair,
    language: &Language,
    requests: &[Vec<u8>],
) -> Option<(Vec<u8>, Vec<u8>)> {
    let stream = [&requests.concat(), language.farewell].concat();
    let answers = pair.answers(&stream);
    let [theirs, ours] = answers.map(|answer| (language.normal)(&answer, pair.peer_is_new));
    (theirs != ours).then_some((theirs, ours))
}

/// Leaves out requests as long as the answers stay different.
fn smaller(pair: &mut Pair, language: &Language, mut requests: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut at = 0;
    while at < requests.len() {
        let mut fewer = requests.clone();
        fewer.remove(at);
        if difference(pair, language, &fewer).is_some() {
            requests = fewer;
        } else {
            at += 1;
        }
    }
    requests
}

#[test]
fn text_streams_are_answered_alike() {
    both_answer_the_same(&Language {
        name: "text",
        request: text::request,
        farewell: text::FAREWELL,
        normal: normal::text,
    });
}

#[test]
fn meta_streams_are_answered_alike() {
    both_answer_the_same(&Language {
        name: "meta",
        request: text::meta_request,
        farewell: text::FAREWELL,
        normal: normal::text,
    });
}

#[test]
fn binary_streams_are_answered_alike() {
    both_answer_the_same(&Language {
        name: "binary",
        request: binary::request,
        farewell: binary::FAREWELL,
        normal: normal::binary,
    });
}
