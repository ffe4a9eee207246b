//! The few lines of TOML that the rules read: one `key = value  # comment` per line under a
//! `[section]`.
//!
//! Not modelled: values of several lines (their first line is read), quoted keys with `=` in them,
//! strings of several lines.

/// One line with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The section's name without its brackets; empty before the first.
    pub section: &'a str,
    /// The key.
    pub key: &'a str,
    /// The value as written.
    pub value: &'a str,
    /// What stands behind `#`, trimmed; empty if nothing does.
    pub comment: &'a str,
    /// From 1.
    pub line: usize,
}

impl<'a> Entry<'a> {
    /// The value without its quotes, if it is a plain string.
    pub fn string(&self) -> Option<&'a str> {
        self.value.strip_prefix('"')?.strip_suffix('"')
    }
}

/// Every line with a key, in order.
pub fn entries(text: &str) -> Vec<Entry<'_>> {
    let mut found = Vec::new();
    let mut section = "";
    for (at, line) in text.lines().enumerate() {
        let (code, comment) = split_comment(line);
        let code = code.trim();
        if let Some(name) = code.strip_prefix('[')
            && let Some(name) = name.strip_suffix(']')
        {
            section = name.trim_start_matches('[').trim_end_matches(']').trim();
        } else if let Some((key, value)) = code.split_once('=') {
            let (key, value) = (key.trim(), value.trim());
            found.push(Entry { section, key, value, comment: comment.trim(), line: at + 1 });
        }
    }
    found
}

/// The code of a line and what stands behind its `#`; a `#` in a string is none.
fn split_comment(line: &str) -> (&str, &str) {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return (&line[..at], &line[at + 1..]),
            (None, '"' | '\'') => quote = Some(c),
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !escaped => quote = None,
            _ => {}
        }
        escaped = false;
    }
    (line, "")
}

/// The package's name, if the manifest has a package.
pub fn package(text: &str) -> Option<&str> {
    let is_name = |e: &Entry<'_>| e.section == "package" && e.key == "name";
    entries(text).into_iter().find(is_name)?.string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_carry_section_value_and_comment() {
        let text = "a = 1\n[x.y] # z\nb = \"#\\\"#\" # why\n# c = 2\n[[bin]]\npath = 'p#'\n";
        let found = entries(text);
        let row =
            |e: &Entry<'_>| format!("{}|{}|{}|{}|{}", e.section, e.key, e.value, e.comment, e.line);
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            ["|a|1||1", "x.y|b|\"#\\\"#\"|why|3", "bin|path|'p#'||6"]
        );
    }

    #[test]
    fn a_package_has_a_name_and_a_workspace_has_none() {
        assert_eq!(package("[package]\nname = \"p\"\n[lib]\nname = \"q\"\n"), Some("p"));
        assert_eq!(package("[workspace.package]\nname = \"p\"\n"), None);
    }
}
