//! No folder of one person's machine: a checkout may lie anywhere.

use crate::repo::File;
use crate::violation::Violation;

/// Starts of paths that exist on some machines only. In two halves, so that this file passes.
const STARTS: [&str; 4] =
    [concat!("/", "work/"), concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/")];

/// Endings of files that are looked at; files without any ending are too.
const ENDINGS: [&str; 7] = [".rs", ".md", ".toml", ".html", ".css", ".snap", ".sh"];

/// Checks one file.
pub fn check(file: &File, found: &mut Vec<Violation>) {
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    if name.contains('.') && !ENDINGS.iter().any(|ending| name.ends_with(ending)) {
        return;
    }
    for (at, line) in file.text.lines().enumerate() {
        for start in STARTS {
            if line.match_indices(start).any(|(from, _)| is_absolute(&line[..from])) {
                found.push(Violation::new(
                    &file.path,
                    at + 1,
                    format!("`{start}…` is a place on one machine"),
                    "write it from the root of the repository, or take it as an argument",
                ));
            }
        }
    }
}

/// Whether a path that follows this text starts there, and is not the rest of a longer one.
fn is_absolute(before: &str) -> bool {
    !before.ends_with(|c: char| c.is_alphanumeric() || "._-~}/".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        let repo = repo(&[(path, text)]);
        let mut found = Vec::new();
        repo.files().for_each(|file| check(file, &mut found));
        found.iter().map(|v| v.line).collect()
    }

    #[test]
    fn absolute_paths_of_one_machine_are_found_everywhere() {
        let text = format!("a\n({}main)\n\"{}x\"\n", STARTS[0], STARTS[1]);
        for path in ["a.rs", "a.md", ".ci/run", "a/b.snap", "c.toml"] {
            assert_eq!(lines(path, &text), [2, 3], "{path}");
        }
    }

    #[test]
    fn relative_paths_and_other_formats_are_fine() {
        let text = format!("read{}x https://a.b{}y ./c{}z\n", STARTS[0], STARTS[2], STARTS[3]);
        assert_eq!(lines("a.md", &text), []);
        assert_eq!(lines("a.tsv", STARTS[0]), []);
    }
}
