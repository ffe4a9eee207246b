//! Walking through keys and elements.
//!
//! A cursor is a place: what it has yet to see lies below it. 0 begins and ends.

use super::fault::{BAD_CURSOR, Fault, SYNTAX};
use super::number::integer;
use super::spec::{Spec, read};
use super::{Exec, Outcome};
use crate::glob;
use crate::resp::Args;

pub(super) const COMMANDS: &[Spec] =
    &[read("keys", 2, (0, 0, 0), keys), read("scan", -2, (0, 0, 0), scan)];

/// Elements looked at in one step, unless asked for otherwise.
const COUNT: usize = 10;
/// Most elements looked at in one step.
const COUNT_MAX: usize = 100_000;

/// What a scan was asked for.
pub(super) struct Scan<'a> {
    pub(super) cursor: usize,
    pub(super) count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

impl<'a> Scan<'a> {
    /// Reads the cursor and the options behind it.
    pub(super) fn read(args: Args<'a>) -> Result<Self, Fault> {
        let text = core::str::from_utf8(args.at(0)).map_err(|_| BAD_CURSOR)?;
        let cursor = text.parse::<u64>().map_err(|_| BAD_CURSOR)?;
        let cursor = usize::try_from(cursor).unwrap_or(usize::MAX);
        let mut scan = Self { cursor, count: COUNT, pattern: None, type_name: None };
        let mut at = 1;
        while let Some(word) = args.get(at) {
            let value = args.get(at + 1).ok_or(SYNTAX)?;
            match word.to_ascii_uppercase().as_slice() {
                b"COUNT" => {
                    let count = usize::try_from(integer(value)?).unwrap_or(0);
                    if count == 0 {
                        return Err(SYNTAX);
                    }
                    scan.count = count.min(COUNT_MAX);
                }
                b"MATCH" => scan.pattern = Some(value),
                b"TYPE" => scan.type_name = Some(value),
                _ => return Err(SYNTAX),
            }
            at += 2;
        }
        Ok(scan)
    }

    /// The places of one step through `len`, and the cursor of the next.
    pub(super) fn step(&self, len: usize) -> (core::ops::Range<usize>, usize) {
        let below = if self.cursor == 0 { len } else { self.cursor.min(len) };
        let from = below.saturating_sub(self.count);
        (from..below, from)
    }

    pub(super) fn fits(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::fits(pattern, name))
    }

    fn fits_type(&self, name: &str) -> bool {
        self.type_name.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()))
    }
}

fn keys(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    exec.marks.read_all();
    let pattern = args.at(1);
    let db = exec.store.db(exec.db);
    let all = db.into_iter().flat_map(|db| db.keys().iter());
    let fit: Vec<_> = all
        .filter(|(key, entry)| !entry.has_ended(exec.now_ms) && glob::fits(pattern, key))
        .map(|(key, _)| key)
        .collect();
    exec.out.array(fit.len());
    fit.iter().for_each(|key| exec.out.bulk(key));
    Ok(())
}

fn scan(exec: &mut Exec<'_>, args: Args<'_>) -> Outcome {
    let scan = Scan::read(args.from(1))?;
    exec.marks.read_all();
    let keys = exec.store.db(exec.db).map(|db| db.keys());
    let (places, next) = scan.step(keys.map_or(0, |keys| keys.len()));
    let found = places.rev().filter_map(|at| keys.map(|keys| keys.at(at)));
    let fit: Vec<_> = found
        .filter(|(key, entry)| {
            !entry.has_ended(exec.now_ms)
                && scan.fits(key)
                && scan.fits_type(entry.value.type_name())
        })
        .map(|(key, _)| key)
        .collect();
    exec.out.array(2);
    exec.out.bulk(next.to_string().as_bytes());
    exec.out.array(fit.len());
    fit.iter().for_each(|key| exec.out.bulk(key));
    Ok(())
}
