//! Core and the simulator forbid `unsafe`.

use crate::repo::Source;
use crate::rules::is_deterministic;
use crate::violation::Violation;

/// Checks one file; only the roots of those libraries have something to say.
pub fn check(source: &Source<'_>, found: &mut Vec<Violation>) {
    if !is_deterministic(source.path) || !source.path.ends_with("src/lib.rs") {
        return;
    }
    let wanted = ["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];
    let has = |window: &[crate::lex::Token<'_>]| window.iter().map(|t| t.text).eq(wanted);
    if !source.code.windows(wanted.len()).any(has) {
        found.push(Violation::new(
            source.path,
            1,
            "the crate may use `unsafe`",
            "add `#![forbid(unsafe_code)]` below its doc",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn is_fine(path: &str, text: &str) -> bool {
        let repo = repo(&[(path, text)]);
        let mut found = Vec::new();
        check(&repo.sources()[0], &mut found);
        found.is_empty()
    }

    #[test]
    fn libraries_of_core_and_sim_forbid_unsafe() {
        assert!(is_fine("core/x/src/lib.rs", "//! Doc.\n#![forbid(unsafe_code)]\n"));
        assert!(!is_fine("core/x/src/lib.rs", "//! Doc.\n// #![forbid(unsafe_code)]\n"));
        assert!(!is_fine("sim/src/lib.rs", "#![deny(unsafe_code)]\n"));
        assert!(is_fine("real/driver/src/lib.rs", ""));
        assert!(is_fine("sim/src/net/mod.rs", ""));
    }
}
