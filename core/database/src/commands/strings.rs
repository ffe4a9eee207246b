//! Strings.

use super::expire::{Clock, end_from};
use super::fault::Fault;
use super::fault::{STRING_TOO_LONG, SYNTAX, arity};
use super::number::integer;
use super::spec::{Flags, Run, Spec, grow, grow_fast, read, read_fast, write_fast};
use super::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;

pub(super) const COMMANDS: &[Spec] = &[
    read_fast("get", 2, (1, 1, 1), get),
    grow("set", -3, (1, 1, 1), set),
    grow_fast("setnx", 3, (1, 1, 1), set_if_new),
    grow("setex", 4, (1, 1, 1), set_for_seconds),
    grow("psetex", 4, (1, 1, 1), set_for_millis),
    grow_fast("getset", 3, (1, 1, 1), get_and_set),
    write_fast("getdel", 2, (1, 1, 1), get_and_delete),
    write_fast("getex", -2, (1, 1, 1), get_and_expire),
    grow_fast("append", 3, (1, 1, 1), append),
    read_fast("strlen", 2, (1, 1, 1), length),
    read_fast("mget", -2, (1, -1, 1), get_many),
    grow("mset", -3, (1, -1, 2), set_many),
    grow("msetnx", -3, (1, -1, 2), set_many_if_new),
    read("getrange", 4, (1, 1, 1), get_range),
    read("substr", 4, (1, 1, 1), get_range),
    Spec {
        name: "setrange",
        arity: 4,
        flags: Flags::WRITE.and(Flags::DENY_OOM),
        keys: (1, 1, 1),
        run: Run::Data(set_range),
    },
];

fn get(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.tell_string(args.at(1))
}

/// What `SET` was asked for beside key and value.
#[derive(Default)]
struct SetOptions {
    if_new: bool,
    if_there: bool,
    keep_end: bool,
    tell_old: bool,
    expires_ms: Option<u64>,
}

fn set_options(exec: &Exec<'_>, args: Args<'_>) -> Result<SetOptions, Fault> {
    let mut options = SetOptions::default();
    let (mut clock, mut at) = (None, 0);
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        at += 1;
        if is("NX") && !options.if_there {
            options.if_new = true;
        } else if is("XX") && !options.if_new {
            options.if_there = true;
        } else if is("GET") {
            options.tell_old = true;
        } else if is("KEEPTTL") && clock.is_none() {
            options.keep_end = true;
        } else if let Some(found) = Clock::named(word)
            && clock.is_none()
            && !options.keep_end
            && let Some(amount) = args.get(at)
        {
            at += 1;
            clock = Some((found, amount));
        } else {
            return Err(SYNTAX);
        }
    }
    if let Some((clock, amount)) = clock {
        options.expires_ms = Some(end_from(clock, integer(amount)?, exec.now_ms, "set")?);
    }
    Ok(options)
}

fn set(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, value) = (args.at(1), args.at(2));
    let options = set_options(exec, args.from(3))?;
    exec.drop_ended(key);
    let old = if options.tell_old { exec.string(key)?.cloned() } else { None };
    let is_there = exec.exists(key);
    let refused = options.if_new && is_there || options.if_there && !is_there;
    if !refused {
        let expires_ms = match options.expires_ms {
            Some(at) => at,
            None if options.keep_end && is_there => exec.end_of(key)?,
            None => 0,
        };
        store(exec, key, value, expires_ms);
    }
    if options.tell_old {
        exec.out.bulk_or_nil(old.as_deref());
    } else if refused {
        exec.out.nil();
    } else {
        exec.out.ok();
    }
    Ok(())
}

/// Gives a key a string; one whose end has passed is gone at once.
fn store(exec: &mut Exec<'_>, key: &[u8], value: &[u8], expires_ms: u64) {
    if expires_ms != 0 && expires_ms <= exec.now_ms {
        if exec.exists(key) {
            exec.effect(&Effect::Delete { key });
        }
        return;
    }
    exec.effect(&Effect::StringSet { key, value, expires_ms });
}

fn set_if_new(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, value) = (args.at(1), args.at(2));
    let is_new = exec.entry_to_change(key).is_none();
    if is_new {
        store(exec, key, value, 0);
    }
    exec.out.integer(is_new.into());
    Ok(())
}

fn set_for_seconds(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    set_for(exec, args, Clock::InSeconds, "setex")
}

fn set_for_millis(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    set_for(exec, args, Clock::InMillis, "psetex")
}

fn set_for(exec: &mut Exec<'_>, args: Args<'_>, clock: Clock, name: &str) -> Outcome {
    let expires_ms = end_from(clock, integer(args.at(2))?, exec.now_ms, name)?;
    store(exec, args.at(1), args.at(3), expires_ms);
    exec.out.ok();
    Ok(())
}

fn get_and_set(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let old = exec.string_to_change(args.at(1))?.cloned();
    store(exec, args.at(1), args.at(2), 0);
    exec.out.bulk_or_nil(old.as_deref());
    Ok(())
}

fn get_and_delete(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let old = exec.string_to_change(key)?.cloned();
    if old.is_some() {
        exec.effect(&Effect::Delete { key });
    }
    exec.out.bulk_or_nil(old.as_deref());
    Ok(())
}

fn get_and_expire(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let (persist, clock) = match (args.get(2), args.get(3), args.len()) {
        (None, None, _) => (false, None),
        (Some(word), None, _) if word.eq_ignore_ascii_case(b"PERSIST") => (true, None),
        (Some(word), Some(amount), 4) => (false, Some((Clock::named(word).ok_or(SYNTAX)?, amount))),
        _ => return Err(SYNTAX),
    };
    // Without a key the amount is not looked at, as in the original.
    let Some(old) = exec.string_to_change(key)?.cloned() else {
        exec.out.nil();
        return Ok(());
    };
    let at_ms = match clock {
        Some((clock, amount)) => Some(end_from(clock, integer(amount)?, exec.now_ms, "getex")?),
        None => persist.then_some(0),
    };
    if let Some(at_ms) = at_ms {
        if at_ms != 0 && at_ms <= exec.now_ms {
            exec.effect(&Effect::Delete { key });
        } else if exec.end_of(key)? != at_ms {
            exec.effect(&Effect::Expire { key, at_ms });
        }
    }
    exec.out.bulk(&old);
    Ok(())
}

fn append(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, bytes) = (args.at(1), args.at(2));
    let len = exec.string_to_change(key)?.map_or(0, |old| old.len());
    if len + bytes.len() > exec.bounds.value_bytes_max {
        return Err(STRING_TOO_LONG);
    }
    exec.effect(&Effect::StringPatch { key, at: len as u64, bytes });
    exec.out.count(len + bytes.len());
    Ok(())
}

fn length(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let len = exec.string(args.at(1))?.map_or(0, |bytes| bytes.len());
    exec.out.count(len);
    Ok(())
}

fn get_many(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.out.array(args.len() - 1);
    for key in args.from(1).iter() {
        // What is no string is told as nothing, as the original does.
        if exec.tell_string(key).is_err() {
            exec.out.nil();
        }
    }
    Ok(())
}

fn set_many(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(arity("mset"));
    }
    for at in (1..args.len()).step_by(2) {
        store(exec, args.at(at), args.at(at + 1), 0);
    }
    exec.out.ok();
    Ok(())
}

fn set_many_if_new(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(arity("msetnx"));
    }
    let is_new = (1..args.len()).step_by(2).all(|at| exec.entry_to_change(args.at(at)).is_none());
    if is_new {
        for at in (1..args.len()).step_by(2) {
            store(exec, args.at(at), args.at(at + 1), 0);
        }
    }
    exec.out.integer(is_new.into());
    Ok(())
}

/// A range as Redis means it: negative numbers count from the end, both ends are in it. None if it
/// is empty.
pub(super) fn clip(from: i64, to: i64, len: usize) -> Option<(usize, usize)> {
    let len = len as i64;
    let place = |n: i64| if n < 0 { len.saturating_add(n) } else { n };
    let (from, to) = (place(from).max(0), place(to).min(len - 1));
    (from <= to).then_some((from as usize, to as usize))
}

fn get_range(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (integer(args.at(2))?, integer(args.at(3))?);
    let value = exec.string(args.at(1))?.cloned().unwrap_or_default();
    // Of strings, an end before the first byte is the first byte, unless both ends are.
    let backwards = from < 0 && to < 0 && from > to;
    let to = if to < 0 { to.max(-(value.len().max(1) as i64)) } else { to };
    let part = clip(from, to, value.len()).filter(|_| !backwards);
    let part = part.map_or(&[][..], |(from, to)| &value[from..=to]);
    exec.out.bulk(part);
    Ok(())
}

fn set_range(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, at, bytes) = (args.at(1), integer(args.at(2))?, args.at(3));
    let Ok(at) = u64::try_from(at) else { return Err(Fault::of("ERR offset is out of range")) };
    let len = exec.string_to_change(key)?.map_or(0, |old| old.len());
    if bytes.is_empty() {
        exec.out.count(len);
        return Ok(());
    }
    let end = at.saturating_add(bytes.len() as u64);
    if end > exec.bounds.value_bytes_max as u64 {
        return Err(STRING_TOO_LONG);
    }
    exec.effect(&Effect::StringPatch { key, at, bytes });
    exec.out.count(len.max(end as usize));
    Ok(())
}
