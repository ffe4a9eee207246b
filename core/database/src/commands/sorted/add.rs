//! `ZADD` and `ZINCRBY`.

use super::sorted;
use crate::commands::fault::{Fault, NOT_FLOAT, SYNTAX};
use crate::commands::number::float;
use crate::commands::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;

const NO_NUMBER: Fault = Fault::of("ERR resulting score is not a number (NaN)");

/// What `ZADD` was asked for.
#[derive(Clone, Copy, Default)]
struct Options {
    if_new: bool,
    if_there: bool,
    if_greater: bool,
    if_less: bool,
    count_changed: bool,
    increment: bool,
}

/// What became of a member.
struct Done {
    added: bool,
    changed: bool,
    score: f64,
}

impl Options {
    /// Reads the options; also where the scores begin.
    fn read(args: Args<'_>) -> Result<(Self, usize), Fault> {
        let (mut options, mut at) = (Self::default(), 2);
        while let Some(word) = args.get(at) {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => options.if_new = true,
                b"XX" => options.if_there = true,
                b"GT" => options.if_greater = true,
                b"LT" => options.if_less = true,
                b"CH" => options.count_changed = true,
                b"INCR" => options.increment = true,
                _ => break,
            }
            at += 1;
        }
        let scores = args.len() - at;
        if scores == 0 || !scores.is_multiple_of(2) {
            return Err(SYNTAX);
        }
        if options.if_new && options.if_there {
            return Err(Fault::of("ERR XX and NX options at the same time are not compatible"));
        }
        let bounds = [options.if_greater, options.if_less, options.if_new];
        if bounds.iter().filter(|&&on| on).count() > 1 {
            return Err(Fault::of(
                "ERR GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if options.increment && scores > 2 {
            return Err(Fault::of("ERR INCR option supports a single increment-element pair"));
        }
        Ok((options, at))
    }

    /// Gives a member a score; None if the options forbid it.
    fn apply(
        self,
        exec: &mut Exec<'_>,
        key: &[u8],
        member: &[u8],
        score: f64,
    ) -> Result<Option<Done>, Fault> {
        // Of the two zeros, one is kept.
        let kept = |score: f64| Effect::SortedAdd { key, member, score: score + 0.0 };
        let now = sorted(exec, key)?.and_then(|sorted| sorted.score(member));
        let Some(now) = now else {
            if self.if_there {
                return Ok(None);
            }
            exec.effect(&kept(score));
            return Ok(Some(Done { added: true, changed: true, score }));
        };
        if self.if_new {
            return Ok(None);
        }
        let score = if self.increment { now + score } else { score };
        if score.is_nan() {
            return Err(NO_NUMBER);
        }
        if self.if_greater && score <= now || self.if_less && score >= now {
            return Ok(None);
        }
        let changed = score != now;
        if changed {
            exec.effect(&kept(score));
        }
        Ok(Some(Done { added: false, changed, score }))
    }
}

pub(super) fn add(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (options, first) = Options::read(args)?;
    let key = args.at(1);
    let places = (first..args.len()).step_by(2);
    let scores: Option<Vec<f64>> = places.clone().map(|at| float(args.at(at))).collect();
    let scores = scores.ok_or(NOT_FLOAT)?;
    exec.drop_ended(key);
    sorted(exec, key)?;
    let (mut added, mut changed, mut last) = (0, 0, None);
    for (at, score) in places.zip(scores) {
        let done = options.apply(exec, key, args.at(at + 1), score)?;
        added += usize::from(done.as_ref().is_some_and(|done| done.added));
        changed += usize::from(done.as_ref().is_some_and(|done| done.changed));
        last = done.map(|done| done.score);
    }
    if options.increment {
        match last {
            Some(score) => exec.out.double(score),
            None => exec.out.nil(),
        }
    } else {
        exec.out.count(if options.count_changed { changed } else { added });
    }
    Ok(())
}

pub(super) fn increment(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, by, member) = (args.at(1), float(args.at(2)).ok_or(NOT_FLOAT)?, args.at(3));
    exec.drop_ended(key);
    let options = Options { increment: true, ..Options::default() };
    let done = options.apply(exec, key, member, by)?.expect("nothing forbids it");
    exec.out.double(done.score);
    Ok(())
}
