//! Commands about the server itself: `stats`, `watch`, `slabs`, `lru`, `lru_crawler` and the rest.
//!
//! The text protocol hands over the words of a line that it does not know itself, the binary
//! protocol asks [`stats`] alone.
//!
//! Not here: `extstore`, `debugitem`, `misbehave`. `debugtime` is always there.

mod crawler;
mod debugtime;
mod lru;
mod slabs;
pub(crate) mod stats;
mod stream;
mod totals;

pub(crate) use stream::{Stream, Streamed};

use crate::config::Config;
use crate::ops::Streams;
use crate::session::Session;

/// Least value of `cache_memlimit`, megabytes.
const MEMORY_MEGABYTES_MIN: u32 = 8;
/// Largest value of `cache_memlimit`, megabytes; more was meant in bytes.
const MEMORY_MEGABYTES_MAX: u32 = 1_000_000_000;
/// Highest level of `verbosity` that makes a difference.
const VERBOSITY_MAX: u32 = 2;

const BAD_FORMAT: &str = "CLIENT_ERROR bad command line format";

/// What became of a line.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answered.
    Done,
    /// No such command: the caller answers `ERROR`.
    Unknown,
    /// The connection shows something that goes on, until it ends or for ever.
    Stream(Box<Stream>),
    /// The whole server is to end.
    Shutdown {
        /// `shutdown graceful`.
        graceful: bool,
    },
}

/// What a command has to say.
#[derive(Debug)]
enum Answer {
    /// Everything is in the output.
    Given,
    /// This line.
    Line(&'static str),
    /// This line, put together for the occasion.
    Text(String),
    /// `ERROR`, by the caller.
    Unknown,
    /// The connection shows something that goes on.
    Stream(Stream),
    /// The whole server is to end.
    Shutdown { graceful: bool },
}

/// Runs a command about the server. `words[0]` is its name. `pipelined` says that the same piece
/// of input holds other requests: then the connection cannot turn into a stream.
pub(crate) fn command(session: &mut Session<'_>, words: &[&[u8]], pipelined: bool) -> Outcome {
    let Some((&name, rest)) = words.split_first() else { return Outcome::Unknown };
    let answer = match name {
        b"stats" => stats::text(session, rest),
        b"watch" => watch(session, rest, pipelined),
        b"slabs" => slabs::command(session, rest),
        b"lru" => lru::command(session, rest),
        b"lru_crawler" => crawler::command(session, rest, pipelined),
        b"cache_memlimit" => memory_limit(session, rest),
        b"verbosity" => verbosity(session, rest),
        b"shutdown" => shutdown(session.config, rest),
        b"debugtime" => debugtime::command(session, rest),
        b"refresh_certs" if session.config.tls.is_some() => refresh_certificates(session),
        _ => Answer::Unknown,
    };
    match answer {
        Answer::Given => Outcome::Done,
        Answer::Line(line) => say(session, line),
        Answer::Text(line) => say(session, &line),
        Answer::Unknown => Outcome::Unknown,
        Answer::Stream(stream) => Outcome::Stream(Box::new(stream)),
        Answer::Shutdown { graceful } => Outcome::Shutdown { graceful },
    }
}

fn say(session: &mut Session<'_>, line: &str) -> Outcome {
    session.tx.put(line.as_bytes());
    session.tx.put(b"\r\n");
    Outcome::Done
}

fn watch(session: &Session<'_>, words: &[&[u8]], pipelined: bool) -> Answer {
    if !session.config.watch_enabled {
        return Answer::Line("CLIENT_ERROR watch commands not allowed");
    }
    if pipelined {
        return Answer::Line("ERROR cannot pipeline other commands before watch");
    }
    let mut streams = Streams::default();
    for &word in words {
        match Streams::of(word) {
            Some(stream) => streams = streams.and(stream),
            None => return Answer::Unknown,
        }
    }
    if words.is_empty() {
        streams = Streams::FETCHERS;
    }
    match Stream::watch(session.shared, streams) {
        Some(stream) => Answer::Stream(stream),
        None => Answer::Line("WATCHER_TOO_MANY log watcher limit reached"),
    }
}

fn memory_limit(session: &Session<'_>, words: &[&[u8]]) -> Answer {
    let Some(megabytes) = words.first().and_then(|word| number::<u32>(word)) else {
        return Answer::Unknown;
    };
    if megabytes < MEMORY_MEGABYTES_MIN {
        return Answer::Line("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m");
    }
    if megabytes > MEMORY_MEGABYTES_MAX {
        return Answer::Line("MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes");
    }
    let bytes = u64::from(megabytes) << 20;
    session.shared.ops.tuning().memory_bytes_max = bytes;
    let shards = session.shared.shards() as u64;
    session.shared.each_cache(|cache| cache.set_bytes_max(bytes / shards));
    Answer::Line("OK")
}

fn verbosity(session: &Session<'_>, words: &[&[u8]]) -> Answer {
    let Some(level) = words.first().and_then(|word| number::<u32>(word)) else {
        return Answer::Line(BAD_FORMAT);
    };
    let level = u8::try_from(level.min(VERBOSITY_MAX)).expect("bounded in this line");
    session.shared.set_verbosity(level);
    Answer::Line("OK")
}

fn shutdown(config: &Config, words: &[&[u8]]) -> Answer {
    if !config.shutdown_enabled {
        return Answer::Line("SERVER_ERROR: shutdown not enabled");
    }
    match words {
        [] => Answer::Shutdown { graceful: false },
        [b"graceful"] => Answer::Shutdown { graceful: true },
        _ => Answer::Line("CLIENT_ERROR invalid shutdown mode"),
    }
}

fn refresh_certificates(session: &Session<'_>) -> Answer {
    match session.shared.refresh_certificates(session.now) {
        Ok(()) => Answer::Line("OK"),
        Err(why) => Answer::Text(format!("ERROR {why}")),
    }
}

/// Whether `word` is the name or its first letters.
fn short_for(word: &[u8], name: &str) -> bool {
    name.as_bytes().starts_with(word)
}

/// A number in plain digits, with a minus where the type has one.
fn number<T: core::str::FromStr>(word: &[u8]) -> Option<T> {
    let text = core::str::from_utf8(word).ok().filter(|text| !text.starts_with('+'))?;
    text.parse().ok()
}
