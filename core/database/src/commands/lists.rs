//! Lists.

use super::fault::{Fault, NOT_POSITIVE, WRONG_TYPE};
use super::number::integer;
use super::spec::{Spec, grow_fast, read, read_fast, write, write_fast};
use super::strings::clip;
use super::{Exec, Outcome};
use crate::record::{Effect, End};
use crate::resp::Args;
use crate::store::Value;
use bytes::Bytes;
use std::collections::VecDeque;

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("lpush", -3, (1, 1, 1), |exec, args| push(exec, args, End::Head, false)),
    grow_fast("rpush", -3, (1, 1, 1), |exec, args| push(exec, args, End::Tail, false)),
    grow_fast("lpushx", -3, (1, 1, 1), |exec, args| push(exec, args, End::Head, true)),
    grow_fast("rpushx", -3, (1, 1, 1), |exec, args| push(exec, args, End::Tail, true)),
    write_fast("lpop", -2, (1, 1, 1), |exec, args| pop(exec, args, End::Head)),
    write_fast("rpop", -2, (1, 1, 1), |exec, args| pop(exec, args, End::Tail)),
    write("ltrim", 4, (1, 1, 1), trim),
    read("lrange", 4, (1, 1, 1), range),
    read_fast("llen", 2, (1, 1, 1), length),
    read_fast("lindex", 3, (1, 1, 1), index),
];

/// What an element that is taken costs in a record, bytes.
const POP_BYTES: usize = 2;

/// The list that a key holds.
fn list<'a>(exec: &'a mut Exec<'_>, key: &[u8]) -> Result<Option<&'a VecDeque<Bytes>>, Fault> {
    match exec.entry(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn push(exec: &mut Exec<'_>, args: Args<'_>, end: End, only_if_there: bool) -> Outcome {
    let key = args.at(1);
    exec.drop_ended(key);
    let found = list(exec, key)?.map(VecDeque::len);
    if only_if_there && found.is_none() {
        exec.out.integer(0);
        return Ok(());
    }
    for value in args.from(2).iter() {
        exec.effect(&Effect::ListPush { key, end, value });
    }
    exec.out.count(found.unwrap_or(0) + args.len() - 2);
    Ok(())
}

/// Takes elements off an end.
fn take(exec: &mut Exec<'_>, key: &[u8], end: End, count: usize) -> Outcome {
    let len = list(exec, key)?.map_or(0, VecDeque::len);
    if count >= len {
        exec.effect(&Effect::Delete { key });
    } else {
        exec.make_room(POP_BYTES * count)?;
        (0..count).for_each(|_| exec.effect(&Effect::ListPop { key, end }));
    }
    Ok(())
}

fn pop(exec: &mut Exec<'_>, args: Args<'_>, end: End) -> Outcome {
    let key = args.at(1);
    let count = match (args.get(2), args.len()) {
        (None, _) => None,
        (Some(count), 3) => {
            let count = integer(count).map_err(|_| NOT_POSITIVE)?;
            Some(usize::try_from(count).map_err(|_| NOT_POSITIVE)?)
        }
        _ => return Err(super::fault::arity(if end == End::Head { "lpop" } else { "rpop" })),
    };
    exec.drop_ended(key);
    let Some(found) = list(exec, key)? else {
        match count {
            None => exec.out.nil(),
            Some(_) => exec.out.nil_array(),
        }
        return Ok(());
    };
    let wanted = count.unwrap_or(1).min(found.len());
    let taken: Vec<Bytes> = match end {
        End::Head => found.iter().take(wanted).cloned().collect(),
        End::Tail => found.iter().rev().take(wanted).cloned().collect(),
    };
    if wanted > 0 {
        take(exec, key, end, wanted)?;
    }
    if count.is_some() {
        exec.out.array(taken.len());
    }
    taken.iter().for_each(|value| exec.out.bulk(value));
    Ok(())
}

fn trim(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, from, to) = (args.at(1), integer(args.at(2))?, integer(args.at(3))?);
    exec.drop_ended(key);
    if let Some(len) = list(exec, key)?.map(VecDeque::len) {
        match clip(from, to, len) {
            None => exec.effect(&Effect::Delete { key }),
            Some((from, to)) => {
                exec.make_room(POP_BYTES * (from + len - 1 - to))?;
                let pop = |end| Effect::ListPop { key, end };
                (0..from).for_each(|_| exec.effect(&pop(End::Head)));
                (to + 1..len).for_each(|_| exec.effect(&pop(End::Tail)));
            }
        }
    }
    exec.out.ok();
    Ok(())
}

fn range(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (integer(args.at(2))?, integer(args.at(3))?);
    let values: Vec<Bytes> = match list(exec, args.at(1))? {
        Some(list) => match clip(from, to, list.len()) {
            Some((from, to)) => list.range(from..=to).cloned().collect(),
            None => Vec::new(),
        },
        None => Vec::new(),
    };
    exec.out.array(values.len());
    values.iter().for_each(|value| exec.out.bulk(value));
    Ok(())
}

fn length(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = list(exec, args.at(1))?.map_or(0, VecDeque::len);
    exec.out.count(len);
    Ok(())
}

fn index(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    // Without a list the number is not looked at, as in the original.
    let Some(list) = list(exec, args.at(1))? else {
        exec.out.nil();
        return Ok(());
    };
    let at = integer(args.at(2))?;
    let found = Some(list).and_then(|list| {
        let at = if at < 0 { at.checked_add(list.len() as i64)? } else { at };
        list.get(usize::try_from(at).ok()?).cloned()
    });
    exec.out.bulk_or_nil(found.as_deref());
    Ok(())
}
