//! Reads `[[file]]`: what lies on hosts.

use super::work::{Parts, some_hosts};
use crate::diagnostic::{Checked, Diagnostic};
use crate::fields::{Fields, RATE, Word, wrong};
use crate::story::PARTS_MAX;
use crate::story::files::{Content, File};
use crate::story::picture::SIDE_POINTS_MAX;
use crate::tree::{Node, Value};
use std::time::Duration;

/// Most lines of a log.
const LINES_MAX: u64 = 1_000_000;
/// A rate counts thousandths in a second; a gap counts nanoseconds.
const GAP_NS_OF_ONE_MILLI: u64 = 1_000_000_000_000;

/// Reads the files.
pub(super) fn files(top: &Fields<'_>, parts: &Parts<'_>) -> Checked<Vec<File>> {
    let mut found: Vec<File> = Vec::new();
    for node in top.tables("file", PARTS_MAX)? {
        let fields = Fields::of(node, "file", &["name", "on", "picture", "lines", "rate"])?;
        let name = fields.text("name", "as it is called in the host's folder")?;
        check_name(&name)?;
        if found.iter().any(|other| other.name == name.text) {
            let title = format!("two files are called `{}`", name.text);
            return Err(Diagnostic::at(&name.span, title, "the second time").into());
        }
        let on = some_hosts(&fields, "on", parts)?;
        found.push(File { name: name.text, on, content: content(&fields)? });
    }
    Ok(found)
}

/// A file lies in its host's folder itself.
fn check_name(word: &Word) -> Checked<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if word.text.chars().all(fits) && !word.text.starts_with('.') && !word.text.is_empty() {
        return Ok(());
    }
    let title = format!("`{}` cannot be the name of a file", word.text);
    Err(Diagnostic::at(&word.span, title, "expected letters, digits, dashes and dots").into())
}

fn content(fields: &Fields<'_>) -> Checked<Content> {
    if let Some(node) = fields.get("picture") {
        return picture(node);
    }
    let lines = fields.integer("lines", 1..=LINES_MAX, None)?;
    let rate_milli = fields.quantity("rate", RATE, None)?;
    if rate_milli == 0 {
        let at = &fields.required("rate", "")?.span;
        let title = "a log that does not grow";
        return Err(Diagnostic::at(at, title, "expected more than 0/s").into());
    }
    Ok(Content::Log { lines, gap: Duration::from_nanos(GAP_NS_OF_ONE_MILLI / rate_milli) })
}

fn picture(node: &Node) -> Checked<Content> {
    let expected = format!("its sides, such as [1024, 768], each at most {SIDE_POINTS_MAX}");
    let side = |node: &Node| match node.value {
        Value::Integer(n) => u32::try_from(n).ok().filter(|n| (1..=SIDE_POINTS_MAX).contains(n)),
        _ => None,
    };
    let sides = match &node.value {
        Value::List(sides) => sides.iter().map(side).collect::<Option<Vec<u32>>>(),
        _ => None,
    };
    match sides.as_deref() {
        Some(&[width, height]) => Ok(Content::Picture(width, height)),
        _ => Err(wrong(node, "picture", &expected).into()),
    }
}
