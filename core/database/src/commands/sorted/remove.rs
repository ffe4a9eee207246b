//! Taking members out.

use super::bounds::{self, Lex, Score, Scored};
use super::{range, sorted};
use crate::commands::fault::{Fault, NOT_POSITIVE, SYNTAX};
use crate::commands::number::integer;
use crate::commands::strings::clip;
use crate::commands::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;
use crate::store::Sorted;

pub(super) fn remove(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    exec.drop_ended(key);
    let mut removed = 0;
    for member in args.from(2).iter() {
        if sorted(exec, key)?.and_then(|sorted| sorted.score(member)).is_some() {
            exec.effect(&Effect::SortedRemove { key, member });
            removed += 1;
        }
    }
    exec.out.count(removed);
    Ok(())
}

/// Takes out what was found; the whole key if that is all of it.
fn take(exec: &mut Exec<'_>, key: &[u8], found: &[Scored]) -> Outcome {
    if found.is_empty() {
        return Ok(());
    }
    if sorted(exec, key)?.map_or(0, Sorted::len) == found.len() {
        exec.effect(&Effect::Delete { key });
        return Ok(());
    }
    let bytes: usize = found.iter().map(|(member, _)| member.len() + 8).sum();
    exec.make_room(bytes)?;
    found.iter().for_each(|(member, _)| exec.effect(&Effect::SortedRemove { key, member }));
    Ok(())
}

fn remove_found(
    exec: &mut Exec<'_>,
    key: &[u8],
    find: impl FnOnce(&Sorted) -> Vec<Scored>,
) -> Outcome {
    exec.drop_ended(key);
    let found = sorted(exec, key)?.map(find).unwrap_or_default();
    take(exec, key, &found)?;
    exec.out.count(found.len());
    Ok(())
}

pub(super) fn by_rank(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (integer(args.at(2))?, integer(args.at(3))?);
    remove_found(exec, args.at(1), |sorted| {
        let places = clip(from, to, sorted.len());
        places.map_or_else(Vec::new, |(from, to)| bounds::by_rank(sorted, from, to, false))
    })
}

pub(super) fn by_score(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (min, max) = (Score::read(args.at(2))?, Score::read(args.at(3))?);
    remove_found(exec, args.at(1), |sorted| bounds::by_score(sorted, min, max))
}

pub(super) fn by_lex(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (min, max) = (Lex::read(args.at(2))?, Lex::read(args.at(3))?);
    remove_found(exec, args.at(1), |sorted| bounds::by_lex(sorted, min, max))
}

fn pop(exec: &mut Exec<'_>, args: Args<'_>, reverse: bool) -> Outcome {
    let key = args.at(1);
    let count = match (args.get(2), args.len()) {
        (None, _) => 1,
        (Some(count), 3) => {
            let count = integer(count).map_err(|_| NOT_POSITIVE)?;
            usize::try_from(count).map_err(|_| NOT_POSITIVE)?
        }
        _ => return Err(SYNTAX),
    };
    exec.drop_ended(key);
    let found: Result<Vec<Scored>, Fault> = sorted(exec, key).map(|found| match found {
        Some(sorted) if count > 0 => {
            bounds::by_rank(sorted, 0, count.min(sorted.len()) - 1, reverse)
        }
        _ => Vec::new(),
    });
    let found = found?;
    take(exec, key, &found)?;
    if exec.out.resp3 && args.len() == 2 {
        // One member is told without an array around it.
        exec.out.array(2 * found.len());
        for (member, score) in &found {
            exec.out.bulk(member);
            exec.out.double(*score);
        }
    } else {
        range::tell(exec, &found, true);
    }
    Ok(())
}

pub(super) fn pop_min(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    pop(exec, args, false)
}

pub(super) fn pop_max(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    pop(exec, args, true)
}
