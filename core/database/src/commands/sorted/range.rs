//! Ranges by rank, score and bytes.

use super::bounds::{self, Lex, Score, Scored};
use super::sorted;
use crate::commands::fault::{Fault, SYNTAX};
use crate::commands::number::integer;
use crate::commands::strings::clip;
use crate::commands::{Exec, Outcome};
use crate::resp::Args;

/// What the two ends of a range are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a range was asked for.
struct Query {
    by: By,
    reverse: bool,
    with_scores: bool,
    /// How many to leave out, and how many to tell at most (all if negative).
    limit: Option<(i64, i64)>,
}

impl Query {
    /// Reads the options behind the ends. `ZRANGE` alone names what its ends are.
    fn read(args: Args<'_>, fixed: Option<(By, bool)>) -> Result<Self, Fault> {
        let (by, reverse) = fixed.unwrap_or((By::Rank, false));
        let mut query = Self { by, reverse, with_scores: false, limit: None };
        let mut at = 4;
        while let Some(word) = args.get(at) {
            match word.to_ascii_uppercase().as_slice() {
                b"WITHSCORES" => query.with_scores = true,
                b"BYSCORE" if fixed.is_none() => query.by = By::Score,
                b"BYLEX" if fixed.is_none() => query.by = By::Lex,
                b"REV" if fixed.is_none() => query.reverse = true,
                b"LIMIT" if at + 2 < args.len() => {
                    query.limit = Some((integer(args.at(at + 1))?, integer(args.at(at + 2))?));
                    at += 2;
                }
                _ => return Err(SYNTAX),
            }
            at += 1;
        }
        if query.limit.is_some_and(|limit| limit != (0, -1)) && query.by == By::Rank {
            return Err(Fault::of(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE \
                 or BYLEX",
            ));
        }
        if query.with_scores && query.by == By::Lex {
            return Err(Fault::of(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        Ok(query)
    }

    fn run(&self, exec: &mut Exec<'_>, args: Args<'_>) -> Result<Vec<Scored>, Fault> {
        let (key, first, second) = (args.at(1), args.at(2), args.at(3));
        let (min, max) = if self.reverse { (second, first) } else { (first, second) };
        let mut found = match self.by {
            By::Rank => {
                let (from, to) = (integer(first)?, integer(second)?);
                let Some(sorted) = sorted(exec, key)? else { return Ok(Vec::new()) };
                let places = clip(from, to, sorted.len());
                return Ok(places.map_or_else(Vec::new, |(from, to)| {
                    bounds::by_rank(sorted, from, to, self.reverse)
                }));
            }
            By::Score => {
                let (min, max) = (Score::read(min)?, Score::read(max)?);
                sorted(exec, key)?.map(|sorted| bounds::by_score(sorted, min, max))
            }
            By::Lex => {
                let (min, max) = (Lex::read(min)?, Lex::read(max)?);
                sorted(exec, key)?.map(|sorted| bounds::by_lex(sorted, min, max))
            }
        }
        .unwrap_or_default();
        if self.reverse {
            found.reverse();
        }
        if let Some((offset, count)) = self.limit {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            found = found.into_iter().skip(offset).take(count).collect();
        }
        Ok(found)
    }
}

fn answer(exec: &mut Exec<'_>, args: Args<'_>, fixed: Option<(By, bool)>) -> Outcome {
    let query = Query::read(args, fixed)?;
    let found = query.run(exec, args)?;
    tell(exec, &found, query.with_scores);
    Ok(())
}

/// Tells members, with their scores if asked for.
pub(super) fn tell(exec: &mut Exec<'_>, found: &[Scored], with_scores: bool) {
    let flat = with_scores && !exec.out.resp3;
    exec.out.array(if flat { 2 * found.len() } else { found.len() });
    for (member, score) in found {
        if with_scores && exec.out.resp3 {
            exec.out.array(2);
        }
        exec.out.bulk(member);
        if with_scores {
            exec.out.double(*score);
        }
    }
}

pub(super) fn range(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, None)
}

pub(super) fn reverse(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, Some((By::Rank, true)))
}

pub(super) fn by_score(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, Some((By::Score, false)))
}

pub(super) fn reverse_by_score(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, Some((By::Score, true)))
}

pub(super) fn by_lex(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, Some((By::Lex, false)))
}

pub(super) fn reverse_by_lex(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    answer(exec, args, Some((By::Lex, true)))
}

pub(super) fn count(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (min, max) = (Score::read(args.at(2))?, Score::read(args.at(3))?);
    let found = sorted(exec, args.at(1))?;
    let count = found.map_or(0, |sorted| bounds::by_score(sorted, min, max).len());
    exec.out.count(count);
    Ok(())
}

pub(super) fn count_lex(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (min, max) = (Lex::read(args.at(2))?, Lex::read(args.at(3))?);
    let found = sorted(exec, args.at(1))?;
    let count = found.map_or(0, |sorted| bounds::by_lex(sorted, min, max).len());
    exec.out.count(count);
    Ok(())
}
