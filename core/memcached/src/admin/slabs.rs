//! `slabs`: pages between classes.

use super::{Answer, BAD_FORMAT, number, short_for};
use crate::cache::{Cache, NotMoved};
use crate::clock::Seconds;
use crate::config::fraction;
use crate::ops::Tuning;
use crate::session::Session;
use crate::shared::Shared;

/// Pieces of background work that one command does.
const ROUNDS_MAX: usize = 64;

/// `slabs reassign <from> <to>`, `slabs automove 0|1|2|ratio <r>|freeratio <r>|window <seconds>`.
pub(super) fn command(session: &Session<'_>, words: &[&[u8]]) -> Answer {
    match words {
        [what, from, to] if short_for(what, "reassign") => reassign(session, from, to),
        [what, how, rest @ ..] if short_for(what, "automove") => automove(session, how, rest),
        _ => Answer::Unknown,
    }
}

fn reassign(session: &Session<'_>, from: &[u8], to: &[u8]) -> Answer {
    if !session.config.reassign {
        return Answer::Line("CLIENT_ERROR slab reassignment disabled");
    }
    let (Some(from), Some(to)) = (number(from), number(to)) else {
        return Answer::Line(BAD_FORMAT);
    };
    // One page is wanted: the first shard that can give one does.
    let mut outcome = Err(NotMoved::NoSpare);
    session.shared.each_cache(|cache| {
        if outcome.is_ok() {
            return;
        }
        outcome = cache.reassign(from, to, session.now);
        if outcome == Err(NotMoved::Busy) {
            hurry(cache, session.now);
            outcome = cache.reassign(from, to, session.now);
        }
        if outcome.is_ok() {
            hurry(cache, session.now);
        }
    });
    session.shared.stir();
    Answer::Line(match outcome {
        Ok(()) => "OK",
        Err(NotMoved::Busy) => "BUSY currently processing reassign request",
        Err(NotMoved::BadClass) => "BADCLASS invalid src or dst class id",
        Err(NotMoved::NoSpare) => "NOSPARE source class has no spare pages",
        Err(NotMoved::Same) => "SAME src and dst class are identical",
    })
}

/// Carries a move on as far as one command may.
fn hurry(cache: &mut Cache, now: Seconds) {
    for _ in 0..ROUNDS_MAX {
        if !cache.maintain(now) || !cache.usage().moving {
            return;
        }
    }
}

fn automove(session: &Session<'_>, how: &[u8], rest: &[&[u8]]) -> Answer {
    let shared = session.shared;
    let ratio = || rest.first().and_then(|r| fraction(core::str::from_utf8(r).ok()?, 100));
    if short_for(how, "ratio") {
        let Some(ratio) = ratio() else { return Answer::Unknown };
        tune(shared, |tuning| tuning.automove_ratio_hundredths = ratio);
    } else if short_for(how, "freeratio") {
        // Of external storage: checked as there, without effect.
        if ratio().is_none() {
            return Answer::Unknown;
        }
    } else if short_for(how, "window") {
        match rest.first().and_then(|seconds| number::<u32>(seconds)) {
            None => return Answer::Line(BAD_FORMAT),
            Some(seconds @ 3..=1800) => tune(shared, |tuning| tuning.automove_window = seconds),
            Some(_) => return Answer::Line("CLIENT_ERROR automove window too low or too high"),
        }
    } else {
        match number::<u32>(how) {
            None => return Answer::Line(BAD_FORMAT),
            Some(mode @ 0..=2) => {
                let mode = u8::try_from(mode).expect("matched in this line");
                shared.ops.tuning().automove = mode;
                shared.each_cache(|cache| cache.set_automove(mode));
            }
            Some(_) => return Answer::Unknown,
        }
    }
    Answer::Line("OK")
}

fn tune(shared: &Shared, change: impl FnOnce(&mut Tuning)) {
    let (ratio, window) = {
        let mut tuning = shared.ops.tuning();
        change(&mut tuning);
        (tuning.automove_ratio_hundredths, tuning.automove_window)
    };
    shared.each_cache(|cache| cache.set_automove_tuning(ratio, window));
}
