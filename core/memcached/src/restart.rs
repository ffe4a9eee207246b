//! Warm restart: the data set goes to a file when a server ends gracefully, and comes back at the
//! next start.
//!
//! Two files are written, both named by `-e`: the items in `<name>`, then, once those are durable,
//! `<name>.meta`, which says what belongs to it. So a file without its companion was never
//! finished, and is not read. Each block of items carries a checksum over what it holds, its place
//! and the number of the saving it is from: torn, reordered and old blocks are told from good ones.
//!
//! What is read is read whole or not at all, and removed, durably, before anybody is served: a
//! server that crashes later does not come up with what it once had.
//!
//! | found at the start | what is done |
//! |---|---|
//! | no `.meta` | starts empty |
//! | a `.meta` that is not one of ours, or torn | refuses to start: the name may be a mistake |
//! | items that do not belong to it, or are damaged | removes both, starts empty, says so |
//! | all in order | takes the items in, removes both |
//!
//! Not kept: the order of use, and what was counted.

mod format;
mod load;
mod save;

pub(crate) use load::{Load, Loaded};
pub(crate) use save::Save;

use storytime_machine::{Bytes, Cx, DiskOp, Token};

/// Token of the one disk operation that is under way.
pub(crate) const DISK: Token = Token(0);

/// Names of the files, in the data directory.
#[derive(Clone, Debug)]
struct Names {
    items: Bytes,
    meta: Bytes,
    meta_new: Bytes,
}

impl Names {
    /// Of the file named by `-e`, whose folder is the data directory.
    fn of(memory_file: &str) -> Self {
        let name = memory_file.rsplit('/').next().unwrap_or(memory_file);
        Self {
            items: Bytes::copy_from_slice(name.as_bytes()),
            meta: format!("{name}.meta").into(),
            meta_new: format!("{name}.meta.new").into(),
        }
    }
}

fn ask(cx: &mut Cx, op: DiskOp) {
    cx.disk(DISK, op);
}
