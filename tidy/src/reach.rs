//! Which source files a crate's targets reach through `mod`, `#[path]` and `include!`.
//!
//! Targets are those that cargo finds by itself and those whose `path` a manifest states. Not
//! modelled: modules declared by macros, `#[path]` on a module with a body.

use crate::manifest::{entries, package};
use crate::repo::{Repo, Source};
use crate::syntax::{includes, modules};
use std::collections::{BTreeMap, BTreeSet};

/// What is reached.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Reached files; true for those that only tests, benches and examples reach.
    files: BTreeMap<String, bool>,
}

/// A file still to be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    path: String,
    /// Whether its modules lie beside it, and not in a folder with its name.
    beside: bool,
    test: bool,
}

impl Reach {
    /// Follows every target of every crate.
    pub fn of(repo: &Repo, sources: &[Source<'_>]) -> Self {
        let sources: BTreeMap<&str, &Source<'_>> = sources.iter().map(|s| (s.path, s)).collect();
        let mut reach = Self::default();
        let mut seen = BTreeSet::new();
        let mut open: Vec<Visit> = targets(repo, sources.keys().copied());
        while let Some(visit) = open.pop() {
            if !seen.insert(visit.clone()) {
                continue;
            }
            let Some(source) = sources.get(visit.path.as_str()) else { continue };
            let test_only = reach.files.entry(visit.path.clone()).or_insert(true);
            *test_only &= visit.test;
            follow(source, &visit, &mut open);
        }
        reach
    }

    /// Whether some target reaches the file.
    pub fn reaches(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether the file is part of tests, benches and examples alone.
    pub fn is_test_only(&self, path: &str) -> bool {
        self.files.get(path).copied().unwrap_or(false)
    }
}

/// The folder of the crate that a file belongs to; empty for the root, `None` outside all crates.
pub fn crate_of<'r>(repo: &'r Repo, path: &str) -> Option<&'r str> {
    let folders = repo.files().filter_map(|f| {
        let folder = f.path.strip_suffix("Cargo.toml")?;
        package(&f.text)?;
        Some(folder.trim_end_matches('/'))
    });
    folders.filter(|folder| within(folder, path).is_some()).max_by_key(|folder| folder.len())
}

/// The rest of `path` inside `folder`.
pub fn within<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

fn targets<'p>(repo: &Repo, paths: impl Iterator<Item = &'p str>) -> Vec<Visit> {
    let mut found = Vec::new();
    for path in paths {
        let Some(folder) = crate_of(repo, path) else { continue };
        let inside = within(folder, path).expect("a crate holds its files");
        let parts: Vec<&str> = inside.split('/').collect();
        let test = match parts.as_slice() {
            ["build.rs"] | ["src", "lib.rs" | "main.rs"] => false,
            ["src", "bin", _] | ["src", "bin", _, "main.rs"] => false,
            ["tests" | "benches" | "examples", _] => true,
            ["tests" | "benches" | "examples", _, "main.rs"] => true,
            _ => continue,
        };
        found.push(Visit { path: path.to_owned(), beside: true, test });
    }
    for manifest in repo.files().filter(|f| f.path.ends_with("Cargo.toml")) {
        for entry in entries(&manifest.text) {
            let test = ["test", "bench", "example"].contains(&entry.section);
            if (test || ["lib", "bin"].contains(&entry.section))
                && entry.key == "path"
                && let Some(value) = entry.string()
            {
                found.push(Visit { path: join(parent(&manifest.path), value), beside: true, test });
            }
        }
    }
    found
}

/// Adds the files that a source names.
fn follow(source: &Source<'_>, visit: &Visit, open: &mut Vec<Visit>) {
    let folder = parent(&visit.path);
    let own = if visit.beside {
        folder.to_owned()
    } else {
        visit.path.trim_end_matches(".rs").to_owned()
    };
    for module in modules(&source.code) {
        let test = visit.test || module.test;
        let inner = module.within.iter().fold(own.clone(), |dir, name| join(&dir, name));
        let from = if module.within.is_empty() { folder } else { &inner };
        for path in &module.paths {
            open.push(Visit { path: join(from, path), beside: true, test });
        }
        let name = module.name.trim_start_matches("r#");
        let plain = join(&inner, &format!("{name}.rs"));
        let folded = join(&inner, &format!("{name}/mod.rs"));
        open.push(Visit { path: plain, beside: false, test });
        open.push(Visit { path: folded, beside: true, test });
    }
    for path in includes(&source.code) {
        open.push(Visit { path: join(folder, path), beside: true, test: visit.test });
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A path from a folder, with `.` and `..` worked out.
fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn reach(files: &[(&str, &str)]) -> Reach {
        let mut files = files.to_vec();
        files.push(("c/Cargo.toml", "[package]\nname = \"c\"\n[[bin]]\npath = \"odd.rs\"\n"));
        let repo = repo(&files);
        Reach::of(&repo, &repo.sources())
    }

    #[test]
    fn modules_are_followed_beside_below_and_through_paths() {
        let reach = reach(&[
            ("c/src/lib.rs", "mod a; mod b; #[path = \"../x/y.rs\"] mod y; mod i { mod j; }"),
            ("c/src/a.rs", "mod deep; include!(\"inc.rs\");"),
            ("c/src/a/deep.rs", ""),
            ("c/src/inc.rs", ""),
            ("c/src/b/mod.rs", "mod sub;"),
            ("c/src/b/sub.rs", ""),
            ("c/x/y.rs", "mod z;"),
            ("c/x/z.rs", ""),
            ("c/src/i/j.rs", ""),
            ("c/odd.rs", ""),
            ("c/src/deep.rs", ""),
            ("c/tests/common/mod.rs", ""),
        ]);
        let reached: Vec<&str> = reach.files.keys().map(String::as_str).collect();
        let wanted = [
            "c/odd.rs",
            "c/src/a.rs",
            "c/src/a/deep.rs",
            "c/src/b/mod.rs",
            "c/src/b/sub.rs",
            "c/src/i/j.rs",
            "c/src/inc.rs",
            "c/src/lib.rs",
            "c/x/y.rs",
            "c/x/z.rs",
        ];
        assert_eq!(reached, wanted);
    }

    #[test]
    fn files_of_tests_are_told_from_the_rest() {
        let reach = reach(&[
            ("c/src/lib.rs", "mod a; #[cfg(test)] mod t;"),
            ("c/src/a.rs", ""),
            ("c/src/t.rs", ""),
            ("c/tests/it.rs", "#[path = \"../src/a.rs\"] mod a;"),
        ]);
        assert!(reach.is_test_only("c/src/t.rs") && reach.is_test_only("c/tests/it.rs"));
        assert!(!reach.is_test_only("c/src/a.rs") && !reach.is_test_only("c/src/none.rs"));
    }
}
