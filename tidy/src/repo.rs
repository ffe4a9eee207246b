//! The files of the checkout, read once.
//!
//! Not modelled: `.gitignore` beyond folders of the root and endings; both kinds are what this
//! repository uses.

use crate::lex::{Kind, Token, lex};
use std::fs;
use std::io;
use std::path::Path;

/// A text file.
#[derive(Clone, Debug)]
pub struct File {
    /// From the root of the repository, with `/` between the parts.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// All text files of the repository, in order of their paths.
#[derive(Clone, Debug)]
pub struct Repo {
    files: Vec<File>,
}

/// A Rust file and its tokens.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// From the root of the repository.
    pub path: &'a str,
    /// All of it.
    pub text: &'a str,
    /// Comments and docs.
    pub comments: Vec<Token<'a>>,
    /// Everything else.
    pub code: Vec<Token<'a>>,
}

impl Repo {
    /// Reads a checkout. Binary files are left out.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let ignored: Vec<&str> = ignored.lines().map(str::trim).collect();
        let mut files = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                if is_ignored(&path, &ignored) {
                    continue;
                }
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file()
                    && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
                {
                    files.push(File { path, text });
                }
            }
        }
        Ok(Self::of(files))
    }

    /// A repository of these files.
    pub fn of(mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// Every text file.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|f| f.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Every Rust file, cut into tokens.
    pub fn sources(&self) -> Vec<Source<'_>> {
        self.files.iter().filter(|f| f.path.ends_with(".rs")).map(Source::of).collect()
    }
}

impl<'a> Source<'a> {
    /// Cuts a file into tokens.
    pub fn of(file: &'a File) -> Self {
        let (comments, code) = lex(&file.text).into_iter().partition(Token::is_comment);
        Self { path: &file.path, text: &file.text, comments, code }
    }

    /// What its strings hold, with their lines.
    pub fn strings(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.code.iter().filter_map(|t| t.content().map(|content| (t.line, content)))
    }

    /// Whether a line lies within a string of several lines, where it cannot be broken.
    pub fn in_long_string(&self, line: usize) -> bool {
        self.code.iter().filter(|t| t.kind == Kind::Text).any(|t| {
            let (first, last) = (t.line, t.last_line());
            first < last && (first..=last).contains(&line)
        })
    }
}

/// Whether a path is no part of the repository: history, or a line of `.gitignore`.
fn is_ignored(path: &str, ignored: &[&str]) -> bool {
    path == ".git"
        || ignored.iter().any(|pattern| {
            match (pattern.strip_prefix('/'), pattern.strip_prefix('*')) {
                (Some(folder), _) => path == folder.trim_end_matches('/'),
                (None, Some(ending)) => path.ends_with(ending),
                (None, None) => false,
            }
        })
}

#[cfg(test)]
pub(crate) fn repo(files: &[(&str, &str)]) -> Repo {
    let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
    Repo::of(files.iter().map(file).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_folders_and_endings_are_left_out() {
        let ignored = ["/target", "/failures/", "*.snap.new", "# a comment", ""];
        let is = |path| is_ignored(path, &ignored);
        assert!(is(".git") && is("target") && is("failures") && is("a/b.snap.new"));
        assert!(!is("core/target") && !is("a.snap") && !is(".ci"));
    }

    #[test]
    fn files_are_found_by_path() {
        let repo = repo(&[("b/x.rs", "b"), ("a.md", "a")]);
        assert_eq!(repo.file("b/x.rs").map(|f| f.text.as_str()), Some("b"));
        assert!(repo.file("b").is_none());
        assert_eq!(repo.sources().len(), 1);
    }

    #[test]
    fn only_strings_of_several_lines_are_long() {
        let repo = repo(&[("x.rs", "f(\"a\");\ng(\"b\nc\");\n")]);
        let source = &repo.sources()[0];
        assert_eq!([1, 2, 3, 4].map(|l| source.in_long_string(l)), [false, true, true, false]);
    }
}
