//! `ROW.DEL`, `ROW.DROP` and `ROW.DROPALL`.

use crate::commands::fault::SYNTAX;
use crate::commands::number::{id, table};
use crate::commands::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;

pub(super) fn delete(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner, item) = (table(args.at(1))?, id(args.at(2))?, id(args.at(3))?);
    let wanted = match (args.get(4), args.get(5), args.len()) {
        (None, ..) => None,
        (Some(word), Some(version), 6) if word.eq_ignore_ascii_case(b"IF") => Some(id(version)?),
        _ => return Err(SYNTAX),
    };
    let version = exec.row_to_change(table, owner, item).map(|row| row.version);
    let fits = version.is_some_and(|version| wanted.is_none_or(|wanted| wanted == version));
    if fits {
        exec.effect(&Effect::RowDelete { table, owner, item });
    }
    exec.out.integer(fits.into());
    Ok(())
}

pub(super) fn drop_table(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (table, owner) = (table(args.at(1))?, id(args.at(2))?);
    let rows = exec.owner(table, owner).map_or(0, |owner| owner.len());
    if rows > 0 {
        exec.effect(&Effect::RowDrop { table, owner });
        exec.tally.writes += rows as u64 - 1;
    }
    exec.out.count(rows);
    Ok(())
}

pub(super) fn drop_all(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let owner = id(args.at(1))?;
    exec.marks.read_owner(exec.db, owner);
    let tables = exec.store.db(exec.db).into_iter().flat_map(|db| db.tables());
    let rows: usize = tables.filter_map(|(_, table)| table.owner(owner)).map(|o| o.len()).sum();
    if rows > 0 {
        exec.effect(&Effect::RowDropAll { owner });
        exec.tally.writes += rows as u64 - 1;
    }
    exec.out.count(rows);
    Ok(())
}
