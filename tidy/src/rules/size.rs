//! Lines per file and per function, columns per line.

use crate::repo::Source;
use crate::syntax::functions;
use crate::violation::Violation;

/// Lines of a file, at most.
pub const FILE_LINES_MAX: usize = 500;

/// Lines of a function from `fn` to its closing brace, at most.
pub const FUNCTION_LINES_MAX: usize = 70;

/// Characters of a line, at most.
pub const LINE_COLUMNS_MAX: usize = 100;

/// Checks one file.
pub fn check(source: &Source<'_>, found: &mut Vec<Violation>) {
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        found.push(Violation::new(
            source.path,
            FILE_LINES_MAX + 1,
            format!("a file of {lines} lines, at most {FILE_LINES_MAX} are allowed"),
            "split it by subject",
        ));
    }
    for function in functions(&source.code) {
        if function.lines > FUNCTION_LINES_MAX {
            found.push(Violation::new(
                source.path,
                function.line,
                format!(
                    "`{}` has {} lines, at most {FUNCTION_LINES_MAX} are allowed",
                    function.name, function.lines
                ),
                "give each of its jobs a function",
            ));
        }
    }
    for (at, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LINE_COLUMNS_MAX && !may_be_wide(line) && !source.in_long_string(at + 1) {
            found.push(Violation::new(
                source.path,
                at + 1,
                format!("a line of {columns} columns, at most {LINE_COLUMNS_MAX} are allowed"),
                "break it; rustfmt leaves strings and comments alone",
            ));
        }
    }
}

/// Whether a line cannot be broken: it holds a URL, or a row of a table in a doc.
fn may_be_wide(line: &str) -> bool {
    let line = line.trim_start();
    line.contains("://") || line.starts_with("//! |") || line.starts_with("/// |")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::repo;

    fn places(text: &str) -> Vec<(usize, String)> {
        let repo = repo(&[("x.rs", text)]);
        let mut found = Vec::new();
        check(&repo.sources()[0], &mut found);
        found.into_iter().map(|v| (v.line, v.message)).collect()
    }

    #[test]
    fn a_file_has_at_most_500_lines() {
        assert_eq!(places(&"//\n".repeat(500)), []);
        let wanted = (501, "a file of 501 lines, at most 500 are allowed".to_owned());
        assert_eq!(places(&"//\n".repeat(501)), [wanted]);
    }

    #[test]
    fn a_function_has_at_most_70_lines() {
        let function = |lines: usize| format!("//\nfn long() {{\n{}}}\n", "x;\n".repeat(lines - 2));
        assert_eq!(places(&function(70)), []);
        let wanted = (2, "`long` has 71 lines, at most 70 are allowed".to_owned());
        assert_eq!(places(&function(71)), [wanted]);
    }

    #[test]
    fn a_line_has_at_most_100_columns_unless_it_cannot_be_broken() {
        let wide = "ä".repeat(98);
        assert_eq!(places(&format!("//{wide}\n")), []);
        let wanted = (1, "a line of 101 columns, at most 100 are allowed".to_owned());
        assert_eq!(places(&format!("// {wide}\n")), [wanted]);
        assert_eq!(places(&format!("// https://{wide}\n//! | {wide} |\n\"a\n{wide}cde\";")), []);
    }
}
