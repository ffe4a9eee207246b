//! Keys, whatever they hold, and whole databases.

use super::fault::{Fault, NO_DB, NO_KEY, SYNTAX};
use super::number::integer;
use super::spec::{Spec, read, read_fast, write, write_fast};
use super::{Exec, Outcome};
use crate::record::Effect;
use crate::resp::Args;

pub(super) const COMMANDS: &[Spec] = &[
    write("del", -2, (1, -1, 1), delete),
    write_fast("unlink", -2, (1, -1, 1), delete),
    read_fast("exists", -2, (1, -1, 1), exists),
    read_fast("touch", -2, (1, -1, 1), exists),
    read_fast("type", 2, (1, 1, 1), type_of),
    write("rename", 3, (1, 2, 1), rename),
    write_fast("renamenx", 3, (1, 2, 1), rename_if_new),
    read_fast("dbsize", 1, (0, 0, 0), size),
    read("randomkey", 1, (0, 0, 0), random_key),
    write("flushdb", -1, (0, 0, 0), flush_db),
    write("flushall", -1, (0, 0, 0), flush_all),
    write("swapdb", 3, (0, 0, 0), |_, _| {
        Err(Fault::of("ERR SWAPDB is not offered: a database is a shard, and stays what it is"))
    }),
];

fn delete(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let mut deleted = 0;
    for key in args.from(1).iter() {
        if exec.entry_to_change(key).is_some() {
            exec.effect(&Effect::Delete { key });
            deleted += 1;
        }
    }
    exec.out.count(deleted);
    Ok(())
}

fn exists(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let there = args.from(1).iter().filter(|key| exec.exists(key)).count();
    exec.out.count(there);
    Ok(())
}

fn type_of(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let name = exec.entry(args.at(1)).map_or("none", |entry| entry.value.type_name());
    exec.out.simple(name);
    Ok(())
}

fn rename(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, to) = (args.at(1), args.at(2));
    exec.entry_to_change(key).ok_or(NO_KEY)?;
    if key != to {
        exec.effect(&Effect::Rename { key, to });
    }
    exec.out.ok();
    Ok(())
}

fn rename_if_new(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let (key, to) = (args.at(1), args.at(2));
    exec.entry_to_change(key).ok_or(NO_KEY)?;
    let is_new = exec.entry_to_change(to).is_none();
    if is_new {
        exec.effect(&Effect::Rename { key, to });
    }
    exec.out.integer(is_new.into());
    Ok(())
}

fn size(exec: &mut Exec<'_>, _args: Args<'_>) -> Outcome {
    exec.marks.read_all();
    let keys = exec.store.db(exec.db).map_or(0, |db| db.keys().len());
    exec.out.count(keys);
    Ok(())
}

fn random_key(exec: &mut Exec<'_>, _args: Args<'_>) -> Outcome {
    exec.marks.read_all();
    let Some(keys) = exec.store.db(exec.db).map(|db| db.keys()).filter(|keys| !keys.is_empty())
    else {
        exec.out.nil();
        return Ok(());
    };
    // From a random place on, the first that has not ended.
    let first = exec.rng.index(keys.len());
    let places = (first..keys.len()).chain(0..first);
    let found = places.map(|at| keys.at(at)).find(|(_, entry)| !entry.has_ended(exec.now_ms));
    exec.out.bulk_or_nil(found.map(|(key, _)| &key[..]));
    Ok(())
}

/// `ASYNC` and `SYNC` mean the same here: nothing waits for freed memory.
fn flush_mode(args: Args<'_>) -> Outcome {
    match args.get(1) {
        None => Ok(()),
        Some(mode) if args.len() == 2 && is_mode(mode) => Ok(()),
        Some(_) => Err(SYNTAX),
    }
}

fn is_mode(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"ASYNC") || word.eq_ignore_ascii_case(b"SYNC")
}

fn flush_db(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    if exec.store.db(exec.db).is_some() {
        exec.effect(&Effect::Flush);
    }
    exec.out.ok();
    Ok(())
}

fn flush_all(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    let all: Vec<u32> = exec.store.dbs().map(|(number, _)| number).collect();
    for db in all {
        exec.effect_in(db, &Effect::Flush);
    }
    exec.out.ok();
    Ok(())
}

/// The number of a database.
///
/// # Errors
/// If there is no such database.
pub(crate) fn database(word: &[u8], databases: u32) -> Result<u32, Fault> {
    let number = integer(word)?;
    u32::try_from(number).ok().filter(|&number| number < databases).ok_or(NO_DB)
}
