//! `lru_crawler`: frees dead items, and shows keys.

use super::stream::Form;
use super::{Answer, BAD_FORMAT, Stream, number, short_for};
use crate::ops::CrawlRefused;
use crate::session::Session;

/// Longest pause between items, microseconds.
const SLEEP_US_MAX: u32 = 1_000_000;
/// Classes that may be named are below this.
const CLASSES_MAX: u8 = 64;

const DISABLED: Answer = Answer::Line("CLIENT_ERROR lru crawler disabled");
const BAD_CLASS: Answer = Answer::Line("BADCLASS invalid class id");
const NO_ITEMS: Answer = Answer::Line("NOTSTARTED no items to crawl");

/// Slab classes that were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Classes {
    All,
    /// A bit for each.
    Some(u64),
}

impl Classes {
    /// `all`, `hash`, or numbers with commas.
    fn of(word: &[u8], classes: u8) -> Option<Self> {
        if matches!(word, b"all" | b"hash") {
            return Some(Self::All);
        }
        let mut bits = 0;
        for id in word.split(|&b| b == b',') {
            let id =
                number::<u8>(id).filter(|id| (1..=classes.min(CLASSES_MAX - 1)).contains(id))?;
            bits |= 1 << id;
        }
        Some(Self::Some(bits))
    }

    pub(super) const fn has(self, class: u8) -> bool {
        match self {
            Self::All => true,
            Self::Some(bits) => class < CLASSES_MAX && bits >> class & 1 == 1,
        }
    }
}

/// `lru_crawler crawl|metadump|mgdump <ids>|all`, `tocrawl <items>`, `sleep <µs>`,
/// `enable`, `disable`.
pub(super) fn command(session: &Session<'_>, words: &[&[u8]], pipelined: bool) -> Answer {
    match words {
        [what, ids] if short_for(what, "crawl") => crawl(session, ids),
        [what, ids] if short_for(what, "metadump") => dump(session, Form::Meta, ids, pipelined),
        [what, ids] if short_for(what, "mgdump") => dump(session, Form::Mg, ids, pipelined),
        [what, items] if short_for(what, "tocrawl") => match number::<u32>(items) {
            None => Answer::Line(BAD_FORMAT),
            Some(items) => {
                session.shared.ops.tuning().crawler.items_max = items;
                Answer::Line("OK")
            }
        },
        [what, pause] if short_for(what, "sleep") => match number::<u32>(pause) {
            None => Answer::Line(BAD_FORMAT),
            Some(SLEEP_US_MAX..) => Answer::Line("CLIENT_ERROR sleep must be one second or less"),
            Some(pause) => {
                session.shared.ops.tuning().crawler.sleep_us = pause;
                Answer::Line("OK")
            }
        },
        [what] if short_for(what, "enable") => {
            session.shared.ops.tuning().crawler.enabled = true;
            session.shared.stir();
            Answer::Line("OK")
        }
        [what] if short_for(what, "disable") => {
            session.shared.ops.tuning().crawler.enabled = false;
            session.shared.ops.crawl.stop();
            Answer::Line("OK")
        }
        _ => Answer::Unknown,
    }
}

/// A walk goes over all classes, whichever are named: its cost is that of looking at items, and
/// freeing more dead ones than were asked for harms nobody.
fn crawl(session: &Session<'_>, ids: &[u8]) -> Answer {
    let shared = session.shared;
    if !shared.ops.tuning().crawler.enabled {
        return DISABLED;
    }
    if Classes::of(ids, shared.classes()).is_none() {
        return BAD_CLASS;
    }
    if shared.totals().1.items == 0 {
        return NO_ITEMS;
    }
    match shared.ops.crawl.begin(shared, session.now) {
        Ok(()) => {
            shared.stir();
            Answer::Line("OK")
        }
        Err(CrawlRefused) => Answer::Line("BUSY currently processing crawler request"),
    }
}

fn dump(session: &Session<'_>, form: Form, ids: &[u8], pipelined: bool) -> Answer {
    let shared = session.shared;
    if !shared.ops.tuning().crawler.enabled {
        return DISABLED;
    }
    let (refused, behind_others) = match form {
        Form::Meta => {
            ("ERROR metadump not allowed", "ERROR cannot pipeline other commands before metadump")
        }
        Form::Mg => {
            ("ERROR key dump not allowed", "ERROR cannot pipeline other commands before mgdump")
        }
    };
    if !session.config.dump_enabled {
        return Answer::Line(refused);
    }
    if pipelined {
        return Answer::Line(behind_others);
    }
    match Classes::of(ids, shared.classes()) {
        None => BAD_CLASS,
        Some(_) if shared.totals().1.items == 0 => NO_ITEMS,
        Some(classes) => Answer::Stream(Stream::dump(form, classes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_named_by_number_or_all() {
        assert_eq!(Classes::of(b"all", 39), Some(Classes::All));
        let some = Classes::of(b"1,39", 39).expect("both exist");
        assert!(some.has(1) && some.has(39) && !some.has(2));
        for bad in [&b"0"[..], b"40", b"1,", b"x", b"", b"64", b"255"] {
            assert_eq!(Classes::of(bad, 39), None);
        }
    }
}
