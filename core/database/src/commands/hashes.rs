//! Hashes.

use super::fault::{Fault, NOT_FINITE, NOT_FLOAT, OVERFLOW, WRONG_TYPE, arity};
use super::number::{float, integer, sum};
use super::scan::Scan;
use super::spec::{Spec, grow_fast, read, read_fast, write_fast};
use super::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::{Args, Decimal, request};
use crate::store::{Dict, Entry, Text, Value};
use bytes::Bytes;

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("hset", -4, (1, 1, 1), set),
    grow_fast("hmset", -4, (1, 1, 1), set_many),
    grow_fast("hsetnx", 4, (1, 1, 1), set_if_new),
    grow_fast("hincrby", 4, (1, 1, 1), increment),
    grow_fast("hincrbyfloat", 4, (1, 1, 1), increment_by_float),
    write_fast("hdel", -3, (1, 1, 1), delete),
    read_fast("hget", 3, (1, 1, 1), get),
    read_fast("hmget", -3, (1, 1, 1), get_many),
    read("hgetall", 2, (1, 1, 1), get_all),
    read("hkeys", 2, (1, 1, 1), fields),
    read("hvals", 2, (1, 1, 1), values),
    read_fast("hexists", 3, (1, 1, 1), exists),
    read_fast("hlen", 2, (1, 1, 1), length),
    read_fast("hstrlen", 3, (1, 1, 1), length_of),
    read("hscan", -3, (1, 1, 1), scan),
];

/// The hash that a key holds.
fn hash<'a>(exec: &'a mut Exec<'_>, key: &[u8]) -> Result<Option<&'a Dict<Text>>, Fault> {
    hash_of(exec.entry(key))
}

/// The hash that an entry is.
fn hash_of(entry: Option<&Entry>) -> Result<Option<&Dict<Text>>, Fault> {
    match entry.map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// A field of the hash that a key holds.
fn field<'a>(exec: &'a mut Exec<'_>, key: &[u8], field: &[u8]) -> Result<Option<&'a Text>, Fault> {
    Ok(hash(exec, key)?.and_then(|hash| hash.get(field)))
}

/// Replies with a field of the hash that a key holds.
fn tell_field(exec: &mut Exec<'_>, key: &[u8], field: &[u8]) -> Outcome {
    let (entry, out) = exec.entry_to_tell(key);
    let value = hash_of(entry)?.and_then(|hash| hash.get(field));
    out.bulk_or_nil(value.map(|value| &value[..]));
    Ok(())
}

/// Sets fields; how many are new.
fn store(exec: &mut Exec<'_>, args: Args<'_>, name: &str) -> Result<usize, Fault> {
    if !args.len().is_multiple_of(2) {
        return Err(arity(name));
    }
    let key = args.at(1);
    exec.drop_ended(key);
    let mut new = 0;
    for at in (2..args.len()).step_by(2) {
        let (name, value) = (args.at(at), args.at(at + 1));
        new += usize::from(field(exec, key, name)?.is_none());
        exec.effect(&Effect::HashSet { key, field: name, value });
    }
    Ok(new)
}

fn set(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let new = store(exec, args, "hset")?;
    exec.out.count(new);
    Ok(())
}

fn set_many(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    store(exec, args, "hmset")?;
    exec.out.ok();
    Ok(())
}

fn set_if_new(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, name, value) = (args.at(1), args.at(2), args.at(3));
    exec.drop_ended(key);
    let is_new = field(exec, key, name)?.is_none();
    if is_new {
        exec.effect(&Effect::HashSet { key, field: name, value });
    }
    exec.out.integer(is_new.into());
    Ok(())
}

fn increment(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, name, by) = (args.at(1), args.at(2), integer(args.at(3))?);
    exec.drop_ended(key);
    let now = match field(exec, key, name)? {
        None => 0,
        Some(text) => {
            let wrong = Fault::of("ERR hash value is not an integer");
            request::integer(text).ok_or(wrong)?
        }
    };
    let sum = now.checked_add(by).ok_or(OVERFLOW)?;
    exec.effect(&Effect::HashSet { key, field: name, value: Decimal::of(sum).as_bytes() });
    exec.out.integer(sum);
    Ok(())
}

fn increment_by_float(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, name, by) = (args.at(1), args.at(2), args.at(3));
    if float(by).ok_or(NOT_FLOAT)?.is_infinite() {
        return Err(Fault::of("ERR value is NaN or Infinity"));
    }
    exec.drop_ended(key);
    let now = field(exec, key, name)?.map_or(&b"0"[..], |now| now);
    float(now).ok_or(Fault::of("ERR hash value is not a float"))?;
    let sum = sum(now, by)?.ok_or(NOT_FINITE)?;
    exec.make_room(sum.len())?;
    exec.effect(&Effect::HashSet { key, field: name, value: sum.as_bytes() });
    exec.out.bulk(sum.as_bytes());
    Ok(())
}

fn delete(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    exec.drop_ended(key);
    let mut deleted = 0;
    for name in args.from(2).iter() {
        if field(exec, key, name)?.is_some() {
            exec.effect(&Effect::HashDelete { key, field: name });
            deleted += 1;
        }
    }
    exec.out.count(deleted);
    Ok(())
}

fn get(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    tell_field(exec, args.at(1), args.at(2))
}

fn get_many(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.out.array(args.len() - 2);
    for name in args.from(2).iter() {
        tell_field(exec, args.at(1), name)?;
    }
    Ok(())
}

/// All fields and values.
fn pairs(exec: &mut Exec<'_>, key: &[u8]) -> Result<Vec<(Bytes, Text)>, Fault> {
    let found = hash(exec, key)?;
    let all = found.into_iter().flat_map(|hash| hash.iter());
    Ok(all.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn get_all(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let pairs = pairs(exec, args.at(1))?;
    exec.out.map(pairs.len());
    for (name, value) in pairs {
        exec.out.bulk(&name);
        exec.out.bulk(&value);
    }
    Ok(())
}

fn fields(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let pairs = pairs(exec, args.at(1))?;
    exec.out.array(pairs.len());
    pairs.iter().for_each(|(name, _)| exec.out.bulk(name));
    Ok(())
}

fn values(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let pairs = pairs(exec, args.at(1))?;
    exec.out.array(pairs.len());
    pairs.iter().for_each(|(_, value)| exec.out.bulk(value));
    Ok(())
}

fn exists(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let there = field(exec, args.at(1), args.at(2))?.is_some();
    exec.out.integer(there.into());
    Ok(())
}

fn length(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = hash(exec, args.at(1))?.map_or(0, |hash| hash.len());
    exec.out.count(len);
    Ok(())
}

fn length_of(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = field(exec, args.at(1), args.at(2))?.map_or(0, |value| value.len());
    exec.out.count(len);
    Ok(())
}

fn scan(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let scan = Scan::read(args.from(2))?;
    let found = hash(exec, args.at(1))?;
    let (places, next) = scan.step(found.map_or(0, |hash| hash.len()));
    let pairs = places.rev().filter_map(|at| found.map(|hash| hash.at(at)));
    let pairs = pairs.filter(|(name, _)| scan.fits(name));
    let fit: Vec<_> = pairs.map(|(name, value)| (name.clone(), value.clone())).collect();
    exec.out.array(2);
    exec.out.bulk(next.to_string().as_bytes());
    exec.out.array(2 * fit.len());
    for (name, value) in fit {
        exec.out.bulk(&name);
        exec.out.bulk(&value);
    }
    Ok(())
}
