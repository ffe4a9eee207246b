//! Story files: ids are unique, equal the file's name, and the code that lists stories names them.

use crate::manifest::entries;
use crate::repo::{File, Repo, Source};
use crate::violation::Violation;
use std::collections::BTreeMap;

/// The crate that holds the stories.
const HOME: &str = "scenarios/";

/// Library code that may list them: the crate's own, and the program's.
const LISTS: [&str; 2] = ["scenarios/src/", "real/storytime/src/"];

/// Folders of files that are no stories: bad ones on purpose, and configs that stories name.
const OTHER_FILES: [&str; 2] = ["tests/", "proxies/"];

/// Checks every story file.
pub fn check(repo: &Repo, sources: &[Source<'_>], found: &mut Vec<Violation>) {
    let mut first_of: BTreeMap<&str, &str> = BTreeMap::new();
    for file in repo.files().filter(|f| is_story(&f.path)) {
        let name = stem(&file.path);
        if !is_named(name, sources) {
            found.push(Violation::new(
                &file.path,
                1,
                "no code lists this story",
                format!("list `{name}.toml` with the other stories, or delete it"),
            ));
        }
        let Some((id, line)) = id(file) else {
            let cure = format!("add `id = \"{name}\"` to `[story]`");
            found.push(Violation::new(&file.path, 1, "the story has no id", cure));
            continue;
        };
        if id != name {
            let message = format!("the story `{id}` lies in a file called `{name}.toml`");
            let cure = "give file and story one name";
            found.push(Violation::new(&file.path, line, message, cure));
        }
        if let Some(first) = first_of.insert(id, &file.path) {
            let message = format!("`{id}` is the id of {first} too");
            found.push(Violation::new(&file.path, line, message, "give the story its own id"));
        }
    }
}

fn is_story(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let elsewhere = |inside: &str| OTHER_FILES.iter().any(|folder| inside.starts_with(folder));
    path.strip_prefix(HOME).is_some_and(|inside| !elsewhere(inside))
        && name.ends_with(".toml")
        && !["Cargo.toml", "clippy.toml"].contains(&name)
}

fn stem(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path).trim_end_matches(".toml")
}

/// The story's id and its line.
fn id(file: &File) -> Option<(&str, usize)> {
    let is_id = |e: &crate::manifest::Entry<'_>| e.section == "story" && e.key == "id";
    let entry = entries(&file.text).into_iter().find(is_id)?;
    Some((entry.string()?, entry.line))
}

/// Whether a string in that code is the story's name or ends in its file name.
fn is_named(name: &str, sources: &[Source<'_>]) -> bool {
    let is = |text: &str| {
        text == name || text.rsplit('/').next().and_then(|f| f.strip_suffix(".toml")) == Some(name)
    };
    let mut inside = sources.iter().filter(|s| LISTS.iter().any(|dir| s.path.starts_with(dir)));
    inside.any(|s| s.strings().any(|(_, text)| is(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    #[test]
    fn ids_are_unique_equal_to_file_names_and_listed() {
        let repo = repo(&[
            ("scenarios/Cargo.toml", "[package]\nname = \"s\"\n"),
            (
                "scenarios/src/lib.rs",
                "const A: &str = include_str!(\"../a.toml\"); const D: &str = \"d\";",
            ),
            ("scenarios/a.toml", "[story]\nid = \"a\"\n"),
            ("scenarios/more/a.toml", "[host]\nid = \"b\"\n[story]\nid = \"a\"\n"),
            ("scenarios/c.toml", "[story]\nid = \"x\" # why\n"),
            ("scenarios/d.toml", "[story]\n"),
            ("scenarios/tests/bad/e.toml", "nonsense"),
        ]);
        let mut found = Vec::new();
        check(&repo, &repo.sources(), &mut found);
        let found: Vec<String> =
            found.iter().map(|v| format!("{}:{}: {}", v.path, v.line, v.message)).collect();
        let wanted = [
            "scenarios/c.toml:1: no code lists this story",
            "scenarios/c.toml:2: the story `x` lies in a file called `c.toml`",
            "scenarios/d.toml:1: the story has no id",
            "scenarios/more/a.toml:4: `a` is the id of scenarios/a.toml too",
        ];
        assert_eq!(found, wanted);
    }
}
