//! Every file is reached by a target, or named by code.
//!
//! Not modelled: files that only a glob in a test finds; under `tests/` only source is looked at.

use crate::reach::{Reach, crate_of, within};
use crate::repo::{Repo, Source};
use crate::violation::Violation;

/// Checks the whole repository.
pub fn check(repo: &Repo, sources: &[Source<'_>], reach: &Reach, found: &mut Vec<Violation>) {
    for source in sources {
        if !reach.reaches(source.path) {
            found.push(Violation::new(
                source.path,
                1,
                "no target reaches this file",
                "declare it with `mod`, or delete it",
            ));
        }
    }
    for file in repo.files().filter(|f| !f.path.ends_with(".rs")) {
        let Some(home) = crate_of(repo, &file.path) else { continue };
        let Some(path) = within(home, &file.path) else { continue };
        if path.starts_with("src/") && !is_named(&file.path, home, sources) {
            found.push(Violation::new(
                &file.path,
                1,
                "no source of its crate names this file",
                "include it with `include_str!`, or delete it",
            ));
        }
    }
}

/// Whether a string in the crate's sources ends with the file's name.
fn is_named(path: &str, home: &str, sources: &[Source<'_>]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let names = |text: &str| text.rsplit('/').next() == Some(name);
    sources
        .iter()
        .filter(|s| within(home, s.path).is_some())
        .any(|s| s.strings().any(|(_, text)| names(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    #[test]
    fn unreached_sources_and_unnamed_files_are_dead() {
        let repo = repo(&[
            ("c/Cargo.toml", "[package]\nname = \"c\"\n"),
            ("c/src/lib.rs", "mod a; const T: &str = include_str!(\"t/page.html\");"),
            ("c/src/a.rs", ""),
            ("c/src/b.rs", ""),
            ("c/src/t/page.html", ""),
            ("c/src/t/age.html", ""),
            ("c/tests/common/mod.rs", ""),
            ("c/tests/data.txt", ""),
            ("stray.rs", ""),
        ]);
        let sources = repo.sources();
        let mut found = Vec::new();
        check(&repo, &sources, &Reach::of(&repo, &sources), &mut found);
        let dead: Vec<&str> = found.iter().map(|v| v.path.as_str()).collect();
        assert_eq!(dead, ["c/src/b.rs", "c/tests/common/mod.rs", "stray.rs", "c/src/t/age.html"]);
    }
}
