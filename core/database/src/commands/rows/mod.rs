//! Rows: tables under a composite key of owner and item.

mod batch;
mod drop;
mod numbers;
mod read;
mod write;

pub use numbers::Numbers;
pub use read::row_digest;

use super::spec::{Spec, grow_fast, read, read_fast, write};

pub(super) const COMMANDS: &[Spec] = &[
    grow_fast("row.put", -5, (0, 0, 0), write::put),
    grow_fast("row.next", -3, (0, 0, 0), write::next),
    super::spec::grow("row.batch", -3, (0, 0, 0), batch::batch),
    write("row.del", -4, (0, 0, 0), drop::delete),
    write("row.drop", 3, (0, 0, 0), drop::drop_table),
    write("row.dropall", 2, (0, 0, 0), drop::drop_all),
    read_fast("row.get", 4, (0, 0, 0), read::get),
    read("row.mget", -4, (0, 0, 0), read::get_many),
    read("row.range", -5, (0, 0, 0), read::range),
    read_fast("row.count", -3, (0, 0, 0), read::count),
    read("row.with", -6, (0, 0, 0), read::with),
    read_fast("row.tables", 2, (0, 0, 0), read::tables),
    read("row.owners", 4, (0, 0, 0), read::owners),
    read_fast("row.size", -1, (0, 0, 0), read::size),
];
