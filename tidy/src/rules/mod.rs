//! The rules, one subject per file.
//!
//! | module | rules |
//! |---|---|
//! | [`size`] | lines per file and per function, columns per line |
//! | [`docs`] | every source file says what it is; every Markdown file has one title |
//! | [`dead`] | every file is reached or named |
//! | [`words`] | leftovers, and what machines must not touch |
//! | [`machine_paths`] | no folder of one person's machine |
//! | [`unsafety`] | core and the simulator forbid `unsafe` |
//! | [`stories`] | story files: ids unique, equal to file names, referenced |
//! | [`manifests`] | every dependency has its reason |
//! | [`dependencies`] | what core and the simulator may depend on |

pub mod dead;
pub mod dependencies;
pub mod docs;
pub mod machine_paths;
pub mod manifests;
pub mod size;
pub mod stories;
pub mod unsafety;
pub mod words;

use crate::reach::Reach;
use crate::repo::{Repo, Source};
use crate::violation::Violation;

/// Whether a file is library code of core or the simulator, which must be deterministic.
pub fn is_deterministic(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["core", _, "src", ..] | ["sim", "src", ..])
}

/// Every rule that needs nothing but the files.
pub fn check(repo: &Repo) -> Vec<Violation> {
    let sources: Vec<Source<'_>> = repo.sources();
    let reach = Reach::of(repo, &sources);
    let mut found = Vec::new();
    for source in &sources {
        size::check(source, &mut found);
        docs::check_source(source, &mut found);
        words::check_leftovers(source, &mut found);
        if is_deterministic(source.path) && !reach.is_test_only(source.path) {
            words::check_determinism(source, &mut found);
        }
        unsafety::check(source, &mut found);
    }
    for file in repo.files() {
        machine_paths::check(file, &mut found);
        docs::check_markdown(file, &mut found);
    }
    dead::check(repo, &sources, &reach, &mut found);
    stories::check(repo, &sources, &mut found);
    manifests::check(repo, &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    #[test]
    fn library_code_of_core_and_sim_is_deterministic_and_nothing_else_is() {
        for path in ["core/x/src/lib.rs", "core/x/src/a/b.rs", "sim/src/disk/mod.rs"] {
            assert!(is_deterministic(path), "{path}");
        }
        for path in ["core/x/tests/a.rs", "sim/examples/a.rs", "real/driver/src/lib.rs"] {
            assert!(!is_deterministic(path), "{path}");
        }
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        let repo = repo(&[
            ("core/x/Cargo.toml", "[package]\nname = \"x\"\n"),
            ("core/x/src/lib.rs", "mod t;\nfn f() { std::env::args(); }"),
            ("core/x/src/t.rs", "//! Used by all.\n"),
            ("core/x/src/u.rs", "//! Used by none.\n"),
            ("README.md", "no title\n"),
        ]);
        let mut places: Vec<String> =
            check(&repo).iter().map(|v| format!("{}:{}", v.path, v.line)).collect();
        places.sort();
        let lib = "core/x/src/lib.rs";
        let wanted = [
            "README.md:1".to_owned(),
            format!("{lib}:1"), // no doc
            format!("{lib}:1"), // no forbid
            format!("{lib}:2"), // environment
            "core/x/src/u.rs:1".to_owned(),
        ];
        assert_eq!(places, wanted);
    }

    #[test]
    fn files_of_tests_may_touch_the_machine() {
        let repo = repo(&[
            ("sim/Cargo.toml", "[package]\nname = \"s\"\n"),
            ("sim/src/lib.rs", "//! Doc.\n#![forbid(unsafe_code)]\n#[cfg(test)]\nmod t;\n"),
            ("sim/src/t.rs", "//! Doc.\nfn f() { std::env::args(); }\n"),
        ]);
        assert_eq!(check(&repo), []);
    }
}
