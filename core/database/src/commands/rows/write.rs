//! `ROW.PUT` and `ROW.NEXT`.

use crate::commands::fault::{NOT_POSITIVE, OVERFLOW, ROW_TOO_LONG, SYNTAX};
use crate::commands::number::{id, integer, table};
use crate::commands::{Exec, Fault, Outcome};
use crate::record::Effect;
use crate::resp::Args;

/// Most numbers given out at once.
pub(super) const NUMBERS_MAX: u64 = 1 << 32;

/// Under which condition a row is written.
#[derive(Clone, Copy)]
enum When {
    Always,
    New,
    There,
    Version(u64),
}

impl When {
    fn read(words: Args<'_>) -> Result<Self, Fault> {
        let word = |at: usize| words.get(at).map(<[u8]>::to_ascii_uppercase);
        match (word(0).as_deref(), words.len()) {
            (None, _) => Ok(Self::Always),
            (Some(b"NX"), 1) => Ok(Self::New),
            (Some(b"XX"), 1) => Ok(Self::There),
            (Some(b"IF"), 2) => id(words.at(1)).map(Self::Version),
            _ => Err(SYNTAX),
        }
    }

    /// Whether it holds for the version that a row has; 0 if it is not there.
    const fn holds(self, version: u64) -> bool {
        match self {
            Self::Always => true,
            Self::New => version == 0,
            Self::There => version != 0,
            Self::Version(wanted) => version == wanted,
        }
    }
}

pub(super) fn put(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner, item) = (table(args.at(1))?, id(args.at(2))?, id(args.at(3))?);
    let (value, when) = (args.at(4), When::read(args.from(5))?);
    if value.len() > exec.bounds.value_bytes_max {
        return Err(ROW_TOO_LONG);
    }
    let now = exec.row_to_change(table, owner, item).map_or(0, |row| row.version);
    if !when.holds(now) {
        exec.out.nil();
        return Ok(());
    }
    let version = exec.store.next_version();
    assert!(version > now, "versions grow");
    exec.effect(&Effect::RowPut { table, owner, item, version, value });
    exec.out.unsigned(version);
    Ok(())
}

pub(super) fn next(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner) = (table(args.at(1))?, id(args.at(2))?);
    let n = match (args.get(3), args.len()) {
        (None, _) => 1,
        (Some(n), 4) => integer(n)?,
        _ => return Err(SYNTAX),
    };
    let n = u64::try_from(n).ok().filter(|n| (1..=NUMBERS_MAX).contains(n)).ok_or(NOT_POSITIVE)?;
    let numbers = exec.bounds.numbers;
    let drawn = numbers.draw(exec.owner(table, owner), n).ok_or(OVERFLOW)?;
    exec.effect(&Effect::Number { table, owner, last: drawn.last });
    exec.out.unsigned(drawn.first);
    Ok(())
}
