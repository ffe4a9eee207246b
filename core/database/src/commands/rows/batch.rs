//! `ROW.BATCH`: several changes of one owner's rows, all of them or none.
//!
//! Conditions look at the rows as they are before the batch; changes are made in the order in which
//! they are named. Numbers can be drawn in a batch, too (`NEXT`), and a number space be told where
//! to go on (`FLOOR`), so that the same conditions guard them.

use super::numbers::Drawn;
use super::write::NUMBERS_MAX;
use crate::commands::fault::{NOT_POSITIVE, OVERFLOW, ROW_TOO_LONG, SYNTAX};
use crate::commands::number::{id, table};
use crate::commands::{Exec, Fault, Outcome};
use crate::record::Effect;
use crate::resp::Args;
use crate::store::Owner;

/// One clause.
#[derive(Clone, Copy)]
enum Clause<'a> {
    Check { table: &'a [u8], item: u64, version: u64 },
    Put { table: &'a [u8], item: u64, value: &'a [u8] },
    Delete { table: &'a [u8], item: u64 },
    Bump { table: &'a [u8], item: u64 },
    Next { table: &'a [u8], count: u64 },
    Floor { table: &'a [u8], next: u64 },
}

fn clauses<'a>(args: Args<'a>, value_bytes_max: usize) -> Result<Vec<Clause<'a>>, Fault> {
    let (mut all, mut at) = (Vec::new(), 2);
    while let Some(word) = args.get(at) {
        let operand = |n: usize| args.get(at + n).ok_or(SYNTAX);
        let (table, item) = (table(operand(1)?)?, id(operand(2)?)?);
        let (clause, len) = match word.to_ascii_uppercase().as_slice() {
            b"CHECK" => (Clause::Check { table, item, version: id(operand(3)?)? }, 4),
            b"PUT" => (Clause::Put { table, item, value: operand(3)? }, 4),
            b"DEL" => (Clause::Delete { table, item }, 3),
            b"BUMP" => (Clause::Bump { table, item }, 3),
            b"NEXT" if (1..=NUMBERS_MAX).contains(&item) => {
                (Clause::Next { table, count: item }, 3)
            }
            b"NEXT" => return Err(NOT_POSITIVE),
            b"FLOOR" => (Clause::Floor { table, next: item }, 3),
            _ => return Err(SYNTAX),
        };
        if let Clause::Put { value, .. } = clause
            && value.len() > value_bytes_max
        {
            return Err(ROW_TOO_LONG);
        }
        all.push(clause);
        at += len;
    }
    Ok(all)
}

/// The first condition that does not hold, by its number from 1.
fn check(exec: &mut Exec<'_>, owner: u64, clauses: &[Clause<'_>]) -> Outcome {
    let put = clauses.iter().map(|clause| match clause {
        Clause::Put { value, .. } => value.len(),
        _ => 0,
    });
    // A row may be put before it is bumped.
    let (longest, mut bumped) = (put.max().unwrap_or(0), 0);
    for (n, clause) in clauses.iter().enumerate() {
        let found = match *clause {
            Clause::Check { table, item, version } => {
                let found = exec.row_to_change(table, owner, item).map_or(0, |row| row.version);
                (found != version).then_some(found)
            }
            Clause::Bump { table, item } => match exec.row_to_change(table, owner, item) {
                Some(row) => {
                    bumped += row.value.len().max(longest) + 64;
                    None
                }
                None => Some(0),
            },
            Clause::Next { table, count } => {
                let numbers = exec.bounds.numbers;
                if numbers.draw(exec.owner(table, owner), count).is_none() {
                    return Err(OVERFLOW);
                }
                None
            }
            Clause::Put { .. } | Clause::Delete { .. } | Clause::Floor { .. } => None,
        };
        if let Some(found) = found {
            let n = n + 1;
            return Err(format!("CHECKFAILED {n} the row is at version {found}").into());
        }
    }
    exec.make_room(bumped)
}

pub(super) fn batch(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let owner = id(args.at(1))?;
    let clauses = clauses(args, exec.bounds.value_bytes_max)?;
    check(exec, owner, &clauses)?;
    exec.out.array(clauses.len());
    for clause in clauses {
        let (table, item, value) = match clause {
            Clause::Check { .. } => {
                exec.out.integer(0);
                continue;
            }
            Clause::Delete { table, item } => {
                if exec.row_to_change(table, owner, item).is_some() {
                    exec.effect(&Effect::RowDelete { table, owner, item });
                }
                exec.out.integer(0);
                continue;
            }
            Clause::Next { table, count } => {
                let numbers = exec.bounds.numbers;
                // At the very end of the number space numbers repeat; nobody gets there.
                let end = Drawn { first: u64::MAX, last: u64::MAX };
                let drawn = numbers.draw(exec.owner(table, owner), count).unwrap_or(end);
                exec.effect(&Effect::Number { table, owner, last: drawn.last });
                exec.out.unsigned(drawn.first);
                continue;
            }
            Clause::Floor { table, next } => {
                let last = exec.owner(table, owner).map_or(0, Owner::last_number);
                let floor = last.max(next.saturating_sub(1));
                if floor > last {
                    exec.effect(&Effect::Number { table, owner, last: floor });
                }
                exec.out.unsigned(exec.bounds.numbers.after(floor).unwrap_or(u64::MAX));
                continue;
            }
            Clause::Put { table, item, value } => (table, item, value.to_vec()),
            Clause::Bump { table, item } => {
                // A clause before this one may have deleted it: then an empty row is bumped.
                let row = exec.row_to_change(table, owner, item);
                (table, item, row.map(|row| row.value.to_vec()).unwrap_or_default())
            }
        };
        let version = exec.store.next_version();
        exec.effect(&Effect::RowPut { table, owner, item, version, value: &value });
        exec.out.unsigned(version);
    }
    Ok(())
}
