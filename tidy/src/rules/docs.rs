//! Every source file says what it is; every Markdown file has one title.

use crate::lex::Kind;
use crate::repo::{File, Source};
use crate::violation::Violation;

/// Checks that a source file starts with a doc of itself.
pub fn check_source(source: &Source<'_>, found: &mut Vec<Violation>) {
    let first_code = source.code.first().map_or(usize::MAX, |t| t.line);
    let doc = source.comments.iter().find(|t| t.kind == Kind::InnerDoc);
    // A second comment before the doc (a licence, say) would push it out of sight.
    let first = source.comments.first();
    let leads = doc.is_some_and(|doc| doc.line < first_code && Some(doc) == first);
    let says = doc.is_some_and(|doc| !doc.text.trim_matches(['/', '*', '!', ' ']).is_empty());
    if !leads || !says {
        found.push(Violation::new(
            source.path,
            1,
            "the file does not say what it is",
            "start it with a `//!` doc: its subject, and what is not modelled",
        ));
    }
}

/// Checks that a Markdown file has exactly one `# Title`, before everything else.
pub fn check_markdown(file: &File, found: &mut Vec<Violation>) {
    if !file.path.ends_with(".md") {
        return;
    }
    let mut fenced = false;
    let mut titles = Vec::new();
    let mut first_text = None;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && line.starts_with("# ") {
            titles.push(at + 1);
        }
        if first_text.is_none() && !line.trim().is_empty() {
            first_text = Some(at + 1);
        }
    }
    if first_text.is_none() || titles.first().copied() != first_text {
        let (message, cure) = ("no title at the top", "start it with one `# Title`");
        found.push(Violation::new(&file.path, 1, message, cure));
    }
    for line in titles.iter().skip(1) {
        let (message, cure) = ("a second title", "make it `##`, or split the file");
        found.push(Violation::new(&file.path, *line, message, cure));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn source_is_fine(text: &str) -> bool {
        let repo = repo(&[("x.rs", text)]);
        let mut found = Vec::new();
        check_source(&repo.sources()[0], &mut found);
        found.is_empty()
    }

    fn title_lines(text: &str) -> Vec<usize> {
        let repo = repo(&[("x.md", text)]);
        let mut found = Vec::new();
        repo.files().for_each(|file| check_markdown(file, &mut found));
        found.iter().map(|v| v.line).collect()
    }

    #[test]
    fn a_source_file_starts_with_its_doc() {
        assert!(source_is_fine("//! What it is.\n#![forbid(unsafe_code)]\n"));
        assert!(source_is_fine("/*! What it is. */\n"));
        assert!(!source_is_fine(""));
        assert!(!source_is_fine("fn main() {}\n"));
        assert!(!source_is_fine("use a;\n//! Late.\n"));
        assert!(!source_is_fine("// Licence.\n//! Doc.\n"));
        assert!(!source_is_fine("//!\nuse a;\n"));
    }

    #[test]
    fn a_markdown_file_has_one_title_at_the_top() {
        assert_eq!(title_lines("# One\n\ntext\n```console\n# not a title\n```\n## Two\n"), []);
        assert_eq!(title_lines("# One\n# Two\n"), [2]);
        assert_eq!(title_lines("text\n"), [1]);
        assert_eq!(title_lines("text\n# Late\n"), [1]);
        assert_eq!(title_lines(""), [1]);
    }
}
