//! Strings that spell numbers.

use super::fault::{Fault, NOT_FINITE, NOT_INTEGER, OVERFLOW};
use super::number::{integer, sum};
use super::spec::{Spec, grow_fast};
use super::{Exec, Outcome};
use crate::resp::{Args, Decimal, request};

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("incr", 2, (1, 1, 1), increment),
    grow_fast("decr", 2, (1, 1, 1), decrement),
    grow_fast("incrby", 3, (1, 1, 1), increment_by),
    grow_fast("decrby", 3, (1, 1, 1), decrement_by),
    grow_fast("incrbyfloat", 3, (1, 1, 1), increment_by_float),
];

fn increment(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    add(exec, args.at(1), 1)
}

fn decrement(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    add(exec, args.at(1), -1)
}

fn increment_by(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?;
    add(exec, args.at(1), by)
}

fn decrement_by(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let by = integer(args.at(2))?.checked_neg();
    let by = by.ok_or(Fault::of("ERR decrement would overflow"))?;
    add(exec, args.at(1), by)
}

fn add(exec: &mut Exec<'_>, key: &[u8], by: i64) -> Outcome {
    let now = match exec.string_to_change(key)? {
        Some(text) => request::integer(text).ok_or(NOT_INTEGER)?,
        None => 0,
    };
    let sum = now.checked_add(by).ok_or(OVERFLOW)?;
    exec.set_keeping_end(key, Decimal::of(sum).as_bytes());
    exec.out.integer(sum);
    Ok(())
}

fn increment_by_float(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, by) = (args.at(1), args.at(2));
    let now = exec.string_to_change(key)?.map_or(&b"0"[..], |now| now);
    let sum = sum(now, by)?.ok_or(NOT_FINITE)?;
    // Three hundred digits, perhaps, of a request of three letters.
    exec.make_room(sum.len())?;
    exec.set_keeping_end(key, sum.as_bytes());
    exec.out.bulk(sum.as_bytes());
    Ok(())
}
