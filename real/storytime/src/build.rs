//! Which build this is: part of every report and failure file.

use std::hash::{BuildHasher as _, Hasher as _};
use storytime_machine::hash::FixedState;

/// The version, and a digest of this executable: two builds with the same name are the same bytes.
pub(crate) fn id() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    match std::env::current_exe().and_then(std::fs::read) {
        Ok(bytes) => {
            let mut hasher = FixedState.build_hasher();
            hasher.write(&bytes);
            format!("{version}-{profile}-{:016x}", hasher.finish())
        }
        Err(_) => format!("{version}-{profile}"),
    }
}
