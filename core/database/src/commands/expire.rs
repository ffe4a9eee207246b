//! When keys end.

use super::fault::{Fault, bad_expire};
use super::number::integer;
use super::spec::{Spec, read_fast, write_fast};
use super::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;

pub(super) const COMMANDS: &[Spec] = &[
    write_fast("expire", -3, (1, 1, 1), |exec, args| expire(exec, args, Clock::InSeconds)),
    write_fast("pexpire", -3, (1, 1, 1), |exec, args| expire(exec, args, Clock::InMillis)),
    write_fast("expireat", -3, (1, 1, 1), |exec, args| expire(exec, args, Clock::AtSeconds)),
    write_fast("pexpireat", -3, (1, 1, 1), |exec, args| expire(exec, args, Clock::AtMillis)),
    write_fast("persist", 2, (1, 1, 1), persist),
    read_fast("ttl", 2, (1, 1, 1), |exec, args| left(exec, args, Clock::InSeconds)),
    read_fast("pttl", 2, (1, 1, 1), |exec, args| left(exec, args, Clock::InMillis)),
    read_fast("expiretime", 2, (1, 1, 1), |exec, args| left(exec, args, Clock::AtSeconds)),
    read_fast("pexpiretime", 2, (1, 1, 1), |exec, args| left(exec, args, Clock::AtMillis)),
];

/// How an end is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    InSeconds,
    InMillis,
    AtSeconds,
    AtMillis,
}

impl Clock {
    /// As options of `SET` and `GETEX` name it.
    pub(super) fn named(word: &[u8]) -> Option<Self> {
        const NAMES: [(&str, Clock); 4] = [
            ("EX", Clock::InSeconds),
            ("PX", Clock::InMillis),
            ("EXAT", Clock::AtSeconds),
            ("PXAT", Clock::AtMillis),
        ];
        let found = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|&(_, clock)| clock)
    }

    const fn is_relative(self) -> bool {
        matches!(self, Self::InSeconds | Self::InMillis)
    }

    const fn unit_ms(self) -> i64 {
        if matches!(self, Self::InSeconds | Self::AtSeconds) { 1000 } else { 1 }
    }
}

/// The end of a key that is given one above zero, ms since 1970.
pub(super) fn end_from(clock: Clock, amount: i64, now_ms: u64, name: &str) -> Result<u64, Fault> {
    let at = instant(clock, amount, now_ms).filter(|_| amount > 0);
    at.and_then(|at| u64::try_from(at).ok()).ok_or_else(|| bad_expire(name))
}

fn instant(clock: Clock, amount: i64, now_ms: u64) -> Option<i64> {
    let base = if clock.is_relative() { i64::try_from(now_ms).ok()? } else { 0 };
    amount.checked_mul(clock.unit_ms())?.checked_add(base)
}

/// Under which condition an end is changed.
#[derive(Clone, Copy, Default)]
struct When {
    new: bool,
    there: bool,
    later: bool,
    earlier: bool,
}

impl When {
    fn read(words: Args<'_>) -> Result<Self, Fault> {
        let mut when = Self::default();
        for word in words.iter() {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => when.new = true,
                b"XX" => when.there = true,
                b"GT" => when.later = true,
                b"LT" => when.earlier = true,
                _ => {
                    let word = String::from_utf8_lossy(word);
                    return Err(format!("ERR Unsupported option {word}").into());
                }
            }
        }
        if when.new && (when.there || when.later || when.earlier) {
            return Err(Fault::of(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if when.later && when.earlier {
            return Err(Fault::of("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    /// Whether an end changes; a key without one ends later than any.
    const fn holds(self, now_ends: u64, then_ends: i64) -> bool {
        let has_end = now_ends != 0;
        !(self.new && has_end
            || self.there && !has_end
            || self.later && (!has_end || then_ends <= now_ends as i64)
            || self.earlier && has_end && then_ends >= now_ends as i64)
    }
}

fn expire(exec: &mut Exec<'_>, args: Args<'_>, clock: Clock) -> Outcome {
    let when = When::read(args.from(3))?;
    let (key, amount) = (args.at(1), integer(args.at(2))?);
    let name = || String::from_utf8_lossy(args.at(0)).to_ascii_lowercase();
    let at = instant(clock, amount, exec.now_ms).ok_or_else(|| bad_expire(&name()))?;
    let Some(ends) = exec.entry_to_change(key).map(|entry| entry.expires_ms) else {
        exec.out.integer(0);
        return Ok(());
    };
    if !when.holds(ends, at) {
        exec.out.integer(0);
        return Ok(());
    }
    match u64::try_from(at) {
        Ok(at_ms) if at_ms > exec.now_ms => exec.effect(&Effect::Expire { key, at_ms }),
        _ => exec.effect(&Effect::Delete { key }),
    }
    exec.out.integer(1);
    Ok(())
}

fn persist(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let has_end = exec.entry_to_change(key).is_some_and(|entry| entry.expires_ms != 0);
    if has_end {
        exec.effect(&Effect::Expire { key, at_ms: 0 });
    }
    exec.out.integer(has_end.into());
    Ok(())
}

fn left(exec: &mut Exec<'_>, args: Args<'_>, clock: Clock) -> Outcome {
    let now_ms = exec.now_ms;
    let left = match exec.entry(args.at(1)).map(|entry| entry.expires_ms) {
        None => -2,
        Some(0) => -1,
        Some(ends) => {
            let ms = if clock.is_relative() { ends.saturating_sub(now_ms) } else { ends };
            let ms = i64::try_from(ms).unwrap_or(i64::MAX);
            match clock {
                Clock::InSeconds | Clock::AtSeconds => ms.saturating_add(500) / 1000,
                Clock::InMillis | Clock::AtMillis => ms,
            }
        }
    };
    exec.out.integer(left);
    Ok(())
}
