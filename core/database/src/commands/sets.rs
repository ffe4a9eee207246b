//! Sets.

use super::fault::{Fault, NOT_POSITIVE, SYNTAX, WRONG_TYPE};
use super::number::integer;
use super::scan::Scan;
use super::spec::{Spec, grow_fast, read, read_fast, write_fast};
use super::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;
use crate::store::{Dict, Value};
use bytes::Bytes;

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("sadd", -3, (1, 1, 1), add),
    write_fast("srem", -3, (1, 1, 1), remove),
    write_fast("spop", -2, (1, 1, 1), pop),
    read("smembers", 2, (1, 1, 1), members),
    read_fast("sismember", 3, (1, 1, 1), is_member),
    read_fast("smismember", -3, (1, 1, 1), are_members),
    read_fast("scard", 2, (1, 1, 1), size),
    read("sscan", -3, (1, 1, 1), scan),
];

/// The set that a key holds.
fn set<'a>(exec: &'a mut Exec<'_>, key: &[u8]) -> Result<Option<&'a Dict<()>>, Fault> {
    match exec.entry(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn has(exec: &mut Exec<'_>, key: &[u8], member: &[u8]) -> Result<bool, Fault> {
    Ok(set(exec, key)?.is_some_and(|set| set.place(member).is_some()))
}

fn add(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    exec.drop_ended(key);
    let mut added = 0;
    for member in args.from(2).iter() {
        if !has(exec, key, member)? {
            exec.effect(&Effect::SetAdd { key, member });
            added += 1;
        }
    }
    exec.out.count(added);
    Ok(())
}

fn remove(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    exec.drop_ended(key);
    let mut removed = 0;
    for member in args.from(2).iter() {
        if has(exec, key, member)? {
            exec.effect(&Effect::SetRemove { key, member });
            removed += 1;
        }
    }
    exec.out.count(removed);
    Ok(())
}

/// Takes members as chance has it.
fn pop(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let count = match (args.get(2), args.len()) {
        (None, _) => None,
        (Some(count), 3) => {
            let count = integer(count).map_err(|_| NOT_POSITIVE)?;
            Some(usize::try_from(count).map_err(|_| NOT_POSITIVE)?)
        }
        _ => return Err(SYNTAX),
    };
    exec.drop_ended(key);
    let len = set(exec, key)?.map_or(0, Dict::len);
    let wanted = count.unwrap_or(1).min(len);
    // A shuffle of the places that stops after so many.
    let mut places: Vec<usize> = (0..len).collect();
    for at in 0..wanted {
        let other = at + exec.rng.index(len - at);
        places.swap(at, other);
    }
    let found = set(exec, key)?;
    let chosen = places[..wanted].iter().filter_map(|&at| found.map(|set| set.at(at).0.clone()));
    let taken: Vec<Bytes> = chosen.collect();
    if wanted == len && len > 0 {
        exec.effect(&Effect::Delete { key });
    } else {
        let bytes: usize = taken.iter().map(|member| member.len() + 8).sum();
        exec.make_room(bytes)?;
        taken.iter().for_each(|member| exec.effect(&Effect::SetRemove { key, member }));
    }
    match count {
        None => exec.out.bulk_or_nil(taken.first().map(|member| &member[..])),
        Some(_) => {
            exec.out.set(taken.len());
            taken.iter().for_each(|member| exec.out.bulk(member));
        }
    }
    Ok(())
}

fn members(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let found = set(exec, args.at(1))?;
    let all: Vec<Bytes> =
        found.into_iter().flat_map(Dict::iter).map(|(member, ())| member.clone()).collect();
    exec.out.set(all.len());
    all.iter().for_each(|member| exec.out.bulk(member));
    Ok(())
}

fn is_member(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let there = has(exec, args.at(1), args.at(2))?;
    exec.out.integer(there.into());
    Ok(())
}

fn are_members(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.out.array(args.len() - 2);
    for member in args.from(2).iter() {
        let there = has(exec, args.at(1), member)?;
        exec.out.integer(there.into());
    }
    Ok(())
}

fn size(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = set(exec, args.at(1))?.map_or(0, Dict::len);
    exec.out.count(len);
    Ok(())
}

fn scan(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let scan = Scan::read(args.from(2))?;
    let found = set(exec, args.at(1))?;
    let (places, next) = scan.step(found.map_or(0, Dict::len));
    let members = places.rev().filter_map(|at| found.map(|set| set.at(at).0));
    let fit: Vec<Bytes> = members.filter(|member| scan.fits(member)).cloned().collect();
    exec.out.array(2);
    exec.out.bulk(next.to_string().as_bytes());
    exec.out.array(fit.len());
    fit.iter().for_each(|member| exec.out.bulk(member));
    Ok(())
}
