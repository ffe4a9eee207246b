//! `ROW.GET`, `ROW.MGET`, `ROW.RANGE`, `ROW.COUNT`, `ROW.WITH`, `ROW.TABLES`, `ROW.OWNERS`,
//! `ROW.SIZE`.

use crate::commands::fault::{NOT_POSITIVE, SYNTAX};
use crate::commands::number::{id, integer, table};
use crate::commands::{Exec, Fault, Outcome};
use crate::resp::Args;
use crate::store::{Row, TableSize};

/// Most rows in a reply, whatever limit was asked for.
const ROWS_MAX: usize = 1 << 20;

fn tell(exec: &mut Exec<'_>, row: Option<&Row>) {
    match row {
        Some(row) => {
            exec.out.array(2);
            exec.out.unsigned(row.version);
            exec.out.bulk(&row.value);
        }
        None => exec.out.nil_array(),
    }
}

pub(super) fn get(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner, item) = (table(args.at(1))?, id(args.at(2))?, id(args.at(3))?);
    let row = exec.row(table, owner, item).cloned();
    tell(exec, row.as_ref());
    Ok(())
}

pub(super) fn get_many(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner) = (table(args.at(1))?, id(args.at(2))?);
    exec.out.array(args.len() - 3);
    for item in args.from(3).iter() {
        let row = exec.row(table, owner, id(item)?).cloned();
        tell(exec, row.as_ref());
    }
    Ok(())
}

/// The end of a range: an item, or `-` and `+` for the first and last that can be.
fn bound(word: &[u8]) -> Result<u64, Fault> {
    match word {
        b"-" => Ok(0),
        b"+" => Ok(u64::MAX),
        item => id(item),
    }
}

fn limit(word: &[u8]) -> Result<usize, Fault> {
    let n = usize::try_from(integer(word)?).map_err(|_| NOT_POSITIVE)?;
    Ok(n.min(ROWS_MAX))
}

/// What a range tells of each row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    Values,
    Items,
    Digests,
}

/// The digest of a row's value that `ROW.RANGE … HASH` tells: who copies rows compares them by it.
/// Below 2⁶³. No defence against values chosen to collide.
pub fn row_digest(value: &[u8]) -> u64 {
    storytime_machine::hash::digest_bytes(0, value) & i64::MAX.unsigned_abs()
}

pub(super) fn range(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner) = (table(args.at(1))?, id(args.at(2))?);
    let items = bound(args.at(3))?..=bound(args.at(4))?;
    let (mut reverse, mut most, mut what, mut at) = (false, ROWS_MAX, Listed::Values, 5);
    while let Some(word) = args.get(at) {
        match word.to_ascii_uppercase().as_slice() {
            b"REV" => reverse = true,
            b"KEYS" => what = Listed::Items,
            b"HASH" => what = Listed::Digests,
            b"LIMIT" => {
                at += 1;
                most = limit(args.get(at).ok_or(SYNTAX)?)?;
            }
            _ => return Err(SYNTAX),
        }
        at += 1;
    }
    let rows: Vec<(u64, Row)> = match exec.owner(table, owner) {
        None => Vec::new(),
        Some(found) => {
            let rows = found.range(items).map(|(item, row)| (item, row.clone()));
            if reverse { rows.rev().take(most).collect() } else { rows.take(most).collect() }
        }
    };
    exec.tally.reads += rows.len().max(1) as u64;
    exec.out.array(rows.len());
    for (item, row) in &rows {
        exec.marks.touch_row(exec.db, table, owner, *item, false);
        if what == Listed::Items {
            exec.out.unsigned(*item);
            continue;
        }
        exec.out.array(3);
        exec.out.unsigned(*item);
        exec.out.unsigned(row.version);
        if what == Listed::Digests {
            exec.out.unsigned(row_digest(&row.value));
        } else {
            exec.out.bulk(&row.value);
        }
    }
    Ok(())
}

pub(super) fn count(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner) = (table(args.at(1))?, id(args.at(2))?);
    exec.tally.reads += 1;
    let count = match (args.get(3), args.get(4), args.len()) {
        (None, ..) => exec.owner(table, owner).map_or(0, |found| found.len()),
        (Some(from), Some(to), 5) => {
            let items = bound(from)?..=bound(to)?;
            exec.owner(table, owner).map_or(0, |found| found.range(items).count())
        }
        _ => return Err(SYNTAX),
    };
    exec.out.count(count);
    Ok(())
}

/// A row and, of the same owner and in the same instant, what another command reads.
pub(super) fn with(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, item, read) = (table(args.at(1))?, id(args.at(2))?, args.from(3));
    let (run, words_min): (fn(&mut Exec<'_>, Args<'_>) -> Outcome, usize) =
        match read.at(0).to_ascii_uppercase().as_slice() {
            b"ROW.GET" if read.len() == 4 => (get, 4),
            b"ROW.MGET" => (get_many, 4),
            b"ROW.RANGE" => (range, 5),
            b"ROW.COUNT" => (count, 3),
            _ => return Err(SYNTAX),
        };
    if read.len() < words_min {
        return Err(SYNTAX);
    }
    let owner = id(read.at(2))?;
    exec.out.array(2);
    let row = exec.row(table, owner, item).cloned();
    tell(exec, row.as_ref());
    run(exec, read)
}

/// The tables in which an owner has rows or has drawn numbers: rows, and the next number.
pub(super) fn tables(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let owner = id(args.at(1))?;
    exec.marks.read_owner(exec.db, owner);
    let tables = exec.store.db(exec.db).into_iter().flat_map(|db| db.tables());
    let mut found: Vec<_> = tables
        .filter_map(|(name, table)| {
            let owner = table.owner(owner)?;
            Some((name.clone(), owner.len(), owner.last_number().saturating_add(1)))
        })
        .collect();
    found.sort();
    exec.tally.reads += found.len().max(1) as u64;
    exec.out.array(found.len());
    for (name, rows, next) in found {
        exec.out.array(3);
        exec.out.bulk(&name);
        exec.out.count(rows);
        exec.out.unsigned(next);
    }
    Ok(())
}

pub(super) fn owners(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, most) = (table(args.at(1))?, limit(args.at(3))?);
    let after = if args.at(2) == b"-" { None } else { Some(id(args.at(2))?) };
    exec.marks.read_all();
    let found = exec.store.db(exec.db).and_then(|db| db.table(table));
    let owners: Vec<u64> =
        found.into_iter().flat_map(|table| table.owners_after(after)).take(most).collect();
    exec.tally.reads += owners.len() as u64;
    exec.out.array(owners.len());
    owners.iter().for_each(|&owner| exec.out.unsigned(owner));
    Ok(())
}

pub(super) fn size(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(SYNTAX);
    }
    let wanted = args.get(1).map(table).transpose()?;
    exec.marks.read_all();
    let db = exec.store.db(exec.db);
    let tables = db.into_iter().flat_map(|db| db.tables());
    let tables = tables.filter(|(name, _)| wanted.is_none_or(|wanted| wanted == &name[..]));
    let sum =
        tables.map(|(_, table)| table.size()).fold(TableSize::default(), |sum, size| TableSize {
            owners: sum.owners + size.owners,
            rows: sum.rows + size.rows,
            bytes: sum.bytes + size.bytes,
        });
    exec.out.array(3);
    [sum.owners, sum.rows, sum.bytes].iter().for_each(|&n| exec.out.unsigned(n));
    Ok(())
}
