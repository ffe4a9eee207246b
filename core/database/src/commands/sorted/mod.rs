//! Sorted sets.

mod add;
mod bounds;
mod range;
mod read;
mod remove;

use super::Exec;
use super::fault::{Fault, WRONG_TYPE};
use super::spec::{Spec, grow_fast, read, read_fast, write, write_fast};
use crate::store::{Sorted, Value};

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("zadd", -4, (1, 1, 1), add::add),
    grow_fast("zincrby", 4, (1, 1, 1), add::increment),
    write_fast("zrem", -3, (1, 1, 1), remove::remove),
    write("zremrangebyrank", 4, (1, 1, 1), remove::by_rank),
    write("zremrangebyscore", 4, (1, 1, 1), remove::by_score),
    write("zremrangebylex", 4, (1, 1, 1), remove::by_lex),
    write_fast("zpopmin", -2, (1, 1, 1), remove::pop_min),
    write_fast("zpopmax", -2, (1, 1, 1), remove::pop_max),
    read("zrange", -4, (1, 1, 1), range::range),
    read("zrevrange", -4, (1, 1, 1), range::reverse),
    read("zrangebyscore", -4, (1, 1, 1), range::by_score),
    read("zrevrangebyscore", -4, (1, 1, 1), range::reverse_by_score),
    read("zrangebylex", -4, (1, 1, 1), range::by_lex),
    read("zrevrangebylex", -4, (1, 1, 1), range::reverse_by_lex),
    read_fast("zcount", 4, (1, 1, 1), range::count),
    read_fast("zlexcount", 4, (1, 1, 1), range::count_lex),
    read_fast("zscore", 3, (1, 1, 1), read::score),
    read_fast("zmscore", -3, (1, 1, 1), read::scores),
    read_fast("zcard", 2, (1, 1, 1), read::size),
    read_fast("zrank", 3, (1, 1, 1), read::rank),
    read_fast("zrevrank", 3, (1, 1, 1), read::reverse_rank),
    read("zscan", -3, (1, 1, 1), read::scan),
];

/// The sorted set that a key holds.
fn sorted<'a>(exec: &'a mut Exec<'_>, key: &[u8]) -> Result<Option<&'a Sorted>, Fault> {
    match exec.entry(key).map(|entry| &entry.value) {
        None => Ok(None),
        Some(Value::Sorted(sorted)) => Ok(Some(sorted)),
        Some(_) => Err(WRONG_TYPE),
    }
}
