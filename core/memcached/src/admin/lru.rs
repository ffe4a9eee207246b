//! `lru`: how the order of use is kept.

use super::{Answer, number, short_for};
use crate::cache::LruOptions;
use crate::config::fraction;
use crate::session::Session;

/// Most of a class's memory for the hot and warm lists together, per cent.
const HOT_AND_WARM_PERCENT_MAX: u32 = 80;

/// `lru tune <hot %> <warm %> <hot factor> <warm factor>`, `lru mode flat|segmented`,
/// `lru temp_ttl <seconds>`.
pub(super) fn command(session: &Session<'_>, words: &[&[u8]]) -> Answer {
    match words {
        [what, hot, warm, hot_factor, warm_factor, ..] if short_for(what, "tune") => {
            tune(session, [hot, warm], [hot_factor, warm_factor])
        }
        [what, mode, ..] if short_for(what, "mode") && session.config.maintainer => match *mode {
            b"flat" => change(session, |lru| lru.segmented = false),
            b"segmented" => change(session, |lru| lru.segmented = true),
            _ => Answer::Unknown,
        },
        [what, ttl, ..] if short_for(what, "temp_ttl") && session.config.maintainer => {
            let Some(ttl) = number::<i32>(ttl) else { return Answer::Unknown };
            let ttl = u32::try_from(ttl).ok();
            if let Some(seconds) = ttl {
                session.shared.ops.tuning().temporary_ttl = seconds;
            }
            change(session, |lru| lru.temporary_ttl = ttl)
        }
        _ => Answer::Unknown,
    }
}

fn tune(session: &Session<'_>, percents: [&[u8]; 2], factors: [&[u8]; 2]) -> Answer {
    let factor = |word: &[u8]| fraction(core::str::from_utf8(word).ok()?, 1000);
    let ([Some(hot), Some(warm)], [Some(hot_factor), Some(warm_factor)]) =
        (percents.map(number::<u32>), factors.map(factor))
    else {
        return Answer::Unknown;
    };
    if hot.saturating_add(warm) > HOT_AND_WARM_PERCENT_MAX {
        return Answer::Line("ERROR hot and warm pcts must not exceed 80");
    }
    if hot_factor == 0 || warm_factor == 0 {
        return Answer::Line("ERROR hot/warm age factors must be greater than 0");
    }
    change(session, |lru| {
        (lru.hot_percent, lru.warm_percent) = (hot, warm);
        (lru.hot_max_thousandths, lru.warm_max_thousandths) = (hot_factor, warm_factor);
    })
}

fn change(session: &Session<'_>, change: impl FnOnce(&mut LruOptions)) -> Answer {
    let lru = {
        let mut tuning = session.shared.ops.tuning();
        change(&mut tuning.lru);
        tuning.lru
    };
    session.shared.each_cache(|cache| cache.set_lru(lru));
    Answer::Line("OK")
}
