//! `stats` in all its forms, for both protocols.
//!
//! As in the original, the first letters of some forms do: `stats s` shows the settings. Figures of
//! parts that are not here (response objects, read buffers, file descriptors kept back) are zero.

mod conns;
mod dump;
mod general;
mod settings;
mod slabs;

use super::{Answer, number, short_for};
use crate::session::Session;
use crate::shared::{Shared, Traffic};
use bytes::BytesMut;
use core::fmt::{self, Write as _};

const DETAIL_USAGE: &str = "CLIENT_ERROR usage: stats detail on|off|dump";
/// Slab classes that may be named are below this.
const CLASSES_MAX: u32 = 64;

/// What became of a `stats` request.
#[derive(Debug)]
pub(crate) enum Given {
    /// Every figure was given to `each`; the caller ends the list.
    Figures,
    /// Counters were set back: text answers `RESET`.
    Reset,
    /// Lines of text in the protocol's own form (`stats cachedump`, `stats detail dump`), ready to
    /// send, without the end mark.
    Lines(BytesMut),
    /// An answer that is a line of its own, such as `OK`.
    Line(&'static str),
    /// No such form.
    Unknown,
}

/// Takes one figure: its name and its value.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&str, fmt::Arguments<'_>);

/// Gives the figures that `words` (behind `stats`) ask for.
pub(crate) fn stats(session: &Session<'_>, words: &[&[u8]], each: Each<'_>) -> Given {
    let Some((&what, rest)) = words.split_first() else {
        general::give(session, each);
        return Given::Figures;
    };
    if short_for(what, "reset") {
        session.shared.reset_figures();
        return Given::Reset;
    }
    if short_for(what, "detail") {
        return detail(session, rest);
    }
    if short_for(what, "settings") {
        settings::give(session, each);
    } else if short_for(what, "cachedump") {
        return cachedump(session, rest);
    } else if short_for(what, "conns") {
        conns::give(session, each);
    } else {
        match what {
            b"items" => slabs::give_items(session, each),
            b"slabs" => slabs::give_slabs(session, each),
            b"sizes" => slabs::give_sizes(session, each),
            _ => return Given::Unknown,
        }
    }
    Given::Figures
}

/// `stats …` in the text protocol.
pub(super) fn text(session: &mut Session<'_>, words: &[&[u8]]) -> Answer {
    let mut lines = BytesMut::new();
    let given = stats(session, words, &mut |name, value| {
        write!(lines, "STAT {name} {value}\r\n").expect("output buffers grow as needed");
    });
    match given {
        Given::Figures => {}
        Given::Lines(text) => lines = text,
        Given::Reset => return Answer::Line("RESET"),
        Given::Line(line) => return Answer::Line(line),
        Given::Unknown => return Answer::Unknown,
    }
    lines.extend_from_slice(b"END\r\n");
    session.tx.push(lines.freeze());
    Answer::Given
}

/// `stats detail on|off|dump`.
fn detail(session: &Session<'_>, words: &[&[u8]]) -> Given {
    if !session.config.dump_enabled {
        return Given::Line("CLIENT_ERROR stats detail not allowed");
    }
    let prefixes = &session.shared.ops.prefixes;
    match words.first().copied() {
        Some(b"on") => prefixes.set_on(true),
        Some(b"off") => prefixes.set_on(false),
        Some(b"dump") => {
            let mut lines = BytesMut::new();
            prefixes.dump(&mut lines);
            return Given::Lines(lines);
        }
        _ => return Given::Line(DETAIL_USAGE),
    }
    Given::Line("OK")
}

/// `stats cachedump <class> <items>`.
fn cachedump(session: &Session<'_>, words: &[&[u8]]) -> Given {
    if !session.config.dump_enabled {
        return Given::Line("CLIENT_ERROR stats cachedump not allowed");
    }
    let [class, items, ..] = words else { return Given::Line("CLIENT_ERROR bad command line") };
    let (Some(class), Some(items)) = (number::<u32>(class), number::<u32>(items)) else {
        return Given::Line(super::BAD_FORMAT);
    };
    if class >= CLASSES_MAX {
        return Given::Line("CLIENT_ERROR Illegal slab id");
    }
    let class = u8::try_from(class).expect("bounded above");
    Given::Lines(dump::class(session, class, items))
}

impl Shared {
    /// Sets all counters back to zero, but not what is there now.
    fn reset_figures(&self) {
        self.each_cache(crate::cache::Cache::reset_counts);
        let (traffic, counters) = (&self.traffic, &self.ops.counters);
        for counter in [
            &traffic.connections_total,
            &traffic.connections_rejected,
            &traffic.bytes_read,
            &traffic.bytes_written,
            &traffic.slow_readers,
            &counters.idle_kicks,
            &counters.yields,
            &counters.listen_disabled,
            &counters.juggles,
        ] {
            counter.store(0, core::sync::atomic::Ordering::Relaxed);
        }
        self.ops.prefixes.clear();
        self.ops.hub.reset_counts();
    }
}

const fn yes(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

/// Thousandths or hundredths as a decimal fraction with two places.
struct Places {
    value: u32,
    parts: u32,
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths =
            (u64::from(self.value) * 100 + u64::from(self.parts) / 2) / u64::from(self.parts);
        write!(f, "{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

fn get(counter: &core::sync::atomic::AtomicU64) -> u64 {
    Traffic::get(counter)
}
