//! Every dependency of the workspace stands with its reason.

use crate::manifest::entries;
use crate::repo::Repo;
use crate::violation::Violation;

/// Where the reasons are.
const MANIFEST: &str = "Cargo.toml";

/// Checks the workspace's manifest. Our own crates need no reason; the list of members has them.
pub fn check(repo: &Repo, found: &mut Vec<Violation>) {
    let Some(manifest) = repo.file(MANIFEST) else { return };
    for entry in entries(&manifest.text) {
        let ours = entry.value.contains("path = ");
        if entry.section == "workspace.dependencies" && !ours && entry.comment.is_empty() {
            let message = format!("`{}` is depended on without a reason", entry.key);
            let cure = "say behind a `#` on its line what it is for";
            found.push(Violation::new(MANIFEST, entry.line, message, cure));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    #[test]
    fn every_foreign_dependency_has_a_reason() {
        let text = "[workspace.dependencies]\nours = { path = \"x\" }\na = \"1\" # hot loops\n\
                    b = \"2\" #\nc = { version = \"3#\" }\n[profile.dev]\ndebug = 1\n";
        let mut found = Vec::new();
        check(&repo(&[("Cargo.toml", text)]), &mut found);
        assert_eq!(found.iter().map(|v| v.line).collect::<Vec<_>>(), [4, 5]);
    }
}
